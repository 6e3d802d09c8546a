"""Rows in parts: the fit is that of all rows, whatever the parts and their order."""

import pickle
import warnings
from copy import deepcopy
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from skmixed import MixedLinearRegressor
from skmixed.exceptions import GroupsWarning
from skmixed.inference import bootstrap

pytestmark = pytest.mark.filterwarnings("ignore::skmixed.exceptions.SingularFitWarning")

N = 1500

MODELS = {
    "single": "(1 + x0 | g)",
    "nested": "(1 | g/h)",
    "crossed": "(1 + x0 | g) + (1 | c)",
    "scales only": "(0 + x0 | g) + (1 | c)",
}


def table(n=N, seed=0):
    rng = np.random.default_rng(seed)
    rows = pd.DataFrame(rng.normal(size=(n, 3)), columns=["x0", "x1", "x2"])
    rows["g"] = rng.integers(0, 40, n)
    rows["h"] = rng.integers(0, 4, n)
    rows["c"] = rng.integers(0, 12, n)
    return rows


def response(rows, seed=1):
    rng = np.random.default_rng(seed)
    slopes, inner = rng.normal(size=40), rng.normal(size=160)
    x0 = rows["x0"] / (rows["x0"].std() or 1.0)
    y = 1 + x0 * (1 + slopes[rows["g"]]) + rows["x1"] + inner[4 * rows["g"] + rows["h"]]
    y += (
        rng.normal(size=12)[rows["c"]] + rng.normal(size=40)[rows["g"]] + rng.normal(size=len(rows))
    )
    return pd.Series(np.asarray(y), index=rows.index, name="score")


def model_of(kind, **params):
    return MixedLinearRegressor(random_effects=MODELS[kind], **params)


def columns(rows, kind):
    used = {"single": "g", "nested": "gh", "crossed": "gc", "scales only": "gc"}[kind]
    return rows[["x0", "x1", "x2", *used]]


def cuts(n, parts):
    ends = np.linspace(0, n, parts + 1).astype(int)
    return [slice(lo, hi) for lo, hi in pairwise(ends)]


def in_parts(model, X, y, slices, weights=None):
    for rows in slices:
        w = None if weights is None else weights[rows]
        model.partial_fit(X[rows], y[rows], sample_weight=w)
    return model


def assert_same(ours, theirs, tol=1e-9):
    assert ours.loglik_ == pytest.approx(theirs.loglik_, rel=1e-12, abs=tol)
    for name in ("coef_", "intercept_", "scale_"):
        a, b = getattr(ours, name), getattr(theirs, name)
        np.testing.assert_allclose(a, b, rtol=tol, atol=tol * np.max(np.abs(b)), err_msg=name)
    for a, b in zip(ours.covariances_, theirs.covariances_, strict=True):
        np.testing.assert_allclose(a, b, rtol=10 * tol, atol=10 * tol * np.max(np.abs(b)))
    effects, expected = ours.random_effects_, theirs.random_effects_
    assert effects["level"].tolist() == expected["level"].tolist()
    for name in ("estimate", "std_error"):
        scale = np.max(np.abs(expected[name]))
        np.testing.assert_allclose(effects[name], expected[name], rtol=0, atol=10 * tol * scale)


@pytest.mark.smoke
@pytest.mark.parametrize("kind", MODELS)
def test_parts_are_the_whole(kind):
    rows = table()
    X, y = columns(rows, kind), response(rows)
    ours = in_parts(model_of(kind), X, y, cuts(N, 7))
    theirs = model_of(kind).fit(X, y)
    assert_same(ours, theirs)
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X), rtol=1e-9, atol=1e-9)
    assert ours.results_.nobs == N
    assert str(ours.summary()).count("score") == str(theirs.summary()).count("score")


@pytest.mark.parametrize(
    "params",
    [
        {"method": "ml", "alpha": 3.0},
        {"fit_intercept": False},
        {"covariance": "diagonal"},
        {"covariance": "identity", "offset": "x2"},
        {"covariance_prior": "weak"},
    ],
    ids=str,
)
def test_parts_of_other_models(params):
    rows = table()
    X, y = columns(rows, "crossed"), response(rows)
    w = np.random.default_rng(2).integers(0, 3, N)
    ours = in_parts(model_of("crossed", **params), X, y, cuts(N, 6), w)
    assert_same(ours, model_of("crossed", **params).fit(X, y, sample_weight=w))


def test_empty_parts_count_for_nothing():
    rows = table()
    X, y = columns(rows, "single"), response(rows)
    nothing = slice(0, 0)
    ours = in_parts(model_of("single"), X, y, [nothing, slice(0, 700), nothing, slice(700, N)])
    ours.partial_fit(X[:5], y[:5], sample_weight=np.zeros(5))
    assert_same(ours, model_of("single").fit(X, y))


def test_labels_beside_arrays():
    rows = table()
    X, y, g = rows[["x0", "x1"]].to_numpy(), response(rows), rows["g"].astype(str).to_numpy()
    ours = MixedLinearRegressor()
    for part in cuts(N, 5):
        ours.partial_fit(X[part], y[part], groups=g[part])
    assert_same(ours, MixedLinearRegressor().fit(X, y, groups=g))


def test_combined_factors_and_formulas():
    rows = table().assign(kind=lambda t: np.where(t["x2"] > 0, "b", "a"))
    y = response(rows)
    formula = "x0 * C(kind) + (1 | g/h)"
    ours = in_parts(MixedLinearRegressor(formula=formula), rows, y, cuts(N, 5))
    assert_same(ours, MixedLinearRegressor(formula=formula).fit(rows, y))


def test_new_categories_of_a_formula():
    rows = table(200).assign(kind=["a", "b"] * 100)
    y = response(rows)
    model = MixedLinearRegressor(formula="x0 + kind + (1 | g)").partial_fit(rows[:100], y[:100])
    before = model.loglik_
    with pytest.raises(ValueError, match=r"kind.*\n?.*'z'"):
        model.partial_fit(rows[100:].assign(kind="z"), y[100:])
    assert model.loglik_ == before


def test_without_groups():
    rows = table(200)[["x0", "x1"]]
    y = rows["x0"] + np.random.default_rng(0).normal(size=200)
    ours = in_parts(MixedLinearRegressor(), rows, y, cuts(200, 4))
    with pytest.warns(GroupsWarning):
        loglik = ours.loglik_
    with pytest.warns(GroupsWarning):
        assert loglik == pytest.approx(MixedLinearRegressor().fit(rows, y).loglik_, rel=1e-12)


@pytest.mark.smoke
def test_fits_when_asked():
    rows = table()
    X, y = columns(rows, "single"), response(rows)
    model = model_of("single")
    with pytest.raises(NotFittedError):
        check_is_fitted(model)
    model.partial_fit(X[:1], y[:1])
    check_is_fitted(model)
    assert model.n_features_in_ == 4
    assert list(model.feature_names_in_) == ["x0", "x1", "x2", "g"]
    for ask in (lambda: model.coef_, lambda: model.predict(X), lambda: model.random_effects_):
        with pytest.raises(NotFittedError, match="seen 1 row"):
            ask()
    model._repr_html_()
    dir(model)
    repr(model)
    model.partial_fit(X[1:], y[1:])
    model._repr_html_()
    assert "results_" not in vars(model)
    first = model.coef_
    assert model.coef_ is first
    assert "results_" in vars(model)
    assert "random_effects_" in dir(model)
    with pytest.raises(AttributeError, match="no_such"):
        _ = model.no_such_
    with pytest.raises(NotFittedError):
        _ = clone(model).random_effects_


def test_pickles_go_on():
    rows = table()
    X, y = columns(rows, "crossed"), response(rows)
    whole = model_of("crossed").fit(X, y)
    model = in_parts(model_of("crossed"), X[:500], y[:500], cuts(500, 3))
    _ = model.coef_
    for copied in (pickle.loads(pickle.dumps(model)), deepcopy(model)):
        assert copied.loglik_ == model.loglik_
        copied.partial_fit(X[500:], y[500:])
        assert_same(pickle.loads(pickle.dumps(copied)), whole)
    assert_same(model, model_of("crossed").fit(X[:500], y[:500]))


def test_after_fit():
    rows = table()
    X, y = columns(rows, "single"), response(rows)
    whole = model_of("single").fit(X, y)
    model = model_of("single").fit(X[:800], y[:800]).partial_fit(X[800:], y[800:])
    assert_same(model, whole)
    assert "score" in str(model.summary())
    assert model.fit(X[:800], y[:800]).results_.nobs == 800
    saved = pickle.loads(pickle.dumps(model))
    with pytest.raises(AttributeError, match="rows are not kept"):
        saved.partial_fit(X[800:], y[800:])


def test_what_needs_rows():
    rows = table()
    X, y = columns(rows, "single"), response(rows)
    whole = model_of("single").fit(X, y)
    model = in_parts(model_of("single"), X, y, cuts(N, 3))
    for ask in (
        lambda: model.results_.resid,
        lambda: model.results_.coef_table(cov="CR1"),
    ):
        with pytest.raises(AttributeError, match="came in parts"):
            ask()
    assert np.all(np.isfinite(bootstrap(model, n_samples=3, random_state=0).samples))
    table_of = model.results_.coef_table(df="kenward-roger")
    expected = whole.results_.coef_table(df="kenward-roger")
    np.testing.assert_allclose(table_of.iloc[:, 1:4], expected.iloc[:, 1:4], rtol=1e-6)
    model.results_.attach(X, y)
    np.testing.assert_allclose(model.results_.resid, whole.results_.resid, rtol=1e-7, atol=1e-7)
    with pytest.raises(ValueError, match="not the rows of the fit"):
        model_of("single").partial_fit(X, y).results_.attach(X[:-1], y[:-1])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda X: X.drop(columns="x1"), "x1"),
        (lambda X: X.assign(g=X["g"].astype(str)), "'g' were numbers"),
        (lambda X: X.assign(x0=np.nan), "'x0' contains NaN"),
        (lambda X: X.drop(columns="g"), "g"),
    ],
)
def test_wrong_parts_change_nothing(change, message):
    rows = table()
    X, y = columns(rows, "single"), response(rows)
    model = model_of("single").partial_fit(X[:700], y[:700])
    with pytest.raises(ValueError, match=message):
        model.partial_fit(change(X[700:]), y[700:])
    assert_same(model.partial_fit(X[700:], y[700:]), model_of("single").fit(X, y))


def test_levels_learned_later_and_further_rows():
    rows = table()
    X, y = columns(rows, "single"), response(rows)
    early = X["g"] < 20
    model = model_of("single").partial_fit(X[early], y[early])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.update_groups(X[~early], y[~early])
    assert len(model.random_effects_["level"].unique()) == 40
    assert_same(model.partial_fit(X[~early], y[~early]), model_of("single").fit(X, y))
