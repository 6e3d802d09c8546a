"""A known part of the linear predictor: a column of X whose coefficient is one."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skmixed import MixedLinearRegressor, MixedLogisticClassifier
from skmixed.datasets import make_mixed_classification, make_mixed_regression
from skmixed.inference import (
    average_effects,
    average_predictions,
    bootstrap,
    compare,
    conditional_aic,
    hausman_test,
    icc,
    likelihood_ratio_test,
    profile,
    r_squared,
)
from tests.helpers.dense import term_design
from tests.helpers.dense_glmm import laplace_deviance, quadrature_deviance

KINDS = [MixedLinearRegressor, MixedLogisticClassifier]
pytestmark = pytest.mark.filterwarnings("ignore::skmixed.exceptions.LaplaceWarning")


def rows(kind, seed=0):
    """Two columns, an offset that depends on them, and groups."""
    make = {
        MixedLinearRegressor: make_mixed_regression,
        MixedLogisticClassifier: make_mixed_classification,
    }[kind]
    X, y = make(n_groups=25, rows_per_group=8, random_state=seed)
    rng = np.random.default_rng(seed)
    known = 0.7 * X["x0"] + 0.8 * rng.normal(size=len(X))
    X.insert(1, "known", known)
    return X, y + known if kind is MixedLinearRegressor else y


def small(kind):
    """Options of a quick fit."""
    return {} if kind is MixedLinearRegressor else {"n_quadrature": 1}


@pytest.mark.smoke
@pytest.mark.parametrize("method", ["reml", "ml"])
@pytest.mark.parametrize("weighted", [False, True])
def test_a_linear_model_explains_what_the_offset_leaves(method, weighted):
    X, y = rows(MixedLinearRegressor)
    w = np.random.default_rng(1).integers(0, 4, len(X)) if weighted else None
    terms = {"random_effects": "(1 + x0 | group)", "method": method}
    found = MixedLinearRegressor(offset="known", **terms).fit(X, y, sample_weight=w)
    plain = MixedLinearRegressor(**terms)
    plain.fit(X.drop(columns="known"), y - X["known"], sample_weight=w)
    for name in ("coef_", "intercept_", "scale_", "loglik_"):
        np.testing.assert_allclose(getattr(found, name), getattr(plain, name), rtol=1e-9)
    assert found.results_.params.index.to_list() == ["Intercept", "x0", "x1"]
    left = X["known"] if w is None else X["known"][w > 0]
    np.testing.assert_allclose(found.results_.resid, plain.results_.resid, atol=1e-9)
    np.testing.assert_allclose(found.results_.fittedvalues - left, plain.results_.fittedvalues)
    np.testing.assert_allclose(found.results_.bse, plain.results_.bse)
    for df in ("satterthwaite", "kenward-roger"):
        pd.testing.assert_frame_equal(
            found.results_.coef_table(df), plain.results_.coef_table(df), rtol=1e-6
        )
    for cov in ("CR0", "CR2"):
        pd.testing.assert_frame_equal(
            found.results_.coef_table(cov=cov), plain.results_.coef_table(cov=cov), rtol=1e-6
        )
    assert conditional_aic(found).caic == pytest.approx(conditional_aic(plain).caic)
    assert r_squared(found).conditional == pytest.approx(r_squared(plain).conditional)
    new = X.head(5)
    for kind in ("conditional", "population", "marginal"):
        mean, std = found.predict(new, kind=kind, return_std=True)
        other, other_std = plain.predict(new.drop(columns="known"), kind=kind, return_std=True)
        np.testing.assert_allclose(mean, other + new["known"])
        np.testing.assert_allclose(std, other_std)
    limits = found.predict_interval(new) - plain.predict_interval(new.drop(columns="known"))
    np.testing.assert_allclose(limits, np.column_stack([new["known"]] * 2))
    drawn = [
        m.simulate(d, random_state=0) for m, d in ((found, X), (plain, X.drop(columns="known")))
    ]
    np.testing.assert_allclose(drawn[0] - drawn[1], X[["known"]])


def test_functions_of_a_linear_fit_see_the_same_model():
    X, y = rows(MixedLinearRegressor)
    found = MixedLinearRegressor("group", offset="known").fit(X, y)
    plain = MixedLinearRegressor("group").fit(X.drop(columns="known"), y - X["known"])
    pd.testing.assert_frame_equal(profile(found), profile(plain), rtol=1e-6)
    pd.testing.assert_frame_equal(
        bootstrap(found, n_samples=5, random_state=0).samples,
        bootstrap(plain, n_samples=5, random_state=0).samples,
        rtol=1e-6,
    )
    assert hausman_test(found).statistic == pytest.approx(hausman_test(plain).statistic)
    exact = [m.results_.random_effects_test(method="exact") for m in (found, plain)]
    assert exact[0].statistic == pytest.approx(exact[1].statistic)
    assert average_predictions(found).estimate[0] == pytest.approx(
        average_predictions(plain).estimate[0] + X["known"].mean()
    )
    at = average_predictions(found, at={"known": [0.0, 2.0]}).estimate
    np.testing.assert_allclose(at, average_predictions(plain).estimate[0] + [0.0, 2.0])
    assert average_effects(found)["term"].to_list() == ["x0", "x1"]
    assert average_effects(found, variables="known").estimate[0] == pytest.approx(1.0)
    assert found.score(X, y) > 0.5


@pytest.mark.smoke
@pytest.mark.parametrize("points", [1, 7])
def test_a_logistic_likelihood_has_the_offset_in_its_predictor(points):
    X, y = rows(MixedLogisticClassifier)
    y = np.asarray(y)
    model = MixedLogisticClassifier("group", offset="known", n_quadrature=points).fit(X, y)
    columns = np.column_stack([np.ones(len(X)), X[["x0", "x1", "known"]]])

    def deviance(change, T):
        beta = np.append(model.results_.params + change, 1.0)
        ones = np.ones((len(X), 1))
        if points > 1:
            return quadrature_deviance(y, columns, X["group"], ones, beta, T, points)
        return laplace_deviance(y, columns, [term_design(X["group"].to_numpy(), ones)], beta, [T])

    T = model.covariances_[0]
    least = deviance(0.0, T)
    assert model.loglik_ == pytest.approx(-0.5 * least, abs=1e-8)
    others = [deviance(change, T) for change in 0.03 * np.vstack([np.eye(3), -np.eye(3)])]
    others += [deviance(0.0, factor * T) for factor in (0.9, 1.1)]
    assert np.min(others) > least


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("terms", ["(1 | group)", "(1 + x0 | group)", "(1 | group) + (1 | other)"])
def test_an_offset_within_the_columns_only_moves_their_coefficients(kind, terms):
    X, y = rows(kind)
    if "other" in terms:
        rng = np.random.default_rng(3)
        X["other"] = rng.integers(0, 6, len(X))
        moved = rng.random(len(X)) < 0.3
        y = np.where(moved, X["other"] < 3, y) if kind is MixedLogisticClassifier else y + moved
        y = y + 0.5 * X["other"] if kind is MixedLinearRegressor else y
    plain = kind(random_effects=terms, covariance="identity", **small(kind)).fit(
        X.drop(columns="known"), y
    )
    moved = X.assign(known=3.0 + 2.0 * X["x1"])
    model = clone(plain).set_params(offset="known").fit(moved, y)
    assert model.loglik_ == pytest.approx(plain.loglik_, abs=1e-7)
    np.testing.assert_allclose(model.coef_, plain.coef_ - [0.0, 2.0], atol=1e-5)
    assert model.intercept_ == pytest.approx(plain.intercept_ - 3.0, abs=1e-5)
    for name in (
        ("predict_proba", "decision_function") if kind is MixedLogisticClassifier else ("predict",)
    ):
        for predicted in ("conditional", "population", "marginal"):
            found = getattr(model, name)(moved, kind=predicted)
            wanted = getattr(plain, name)(X.drop(columns="known"), kind=predicted)
            np.testing.assert_allclose(found, wanted, atol=1e-5)
    pd.testing.assert_frame_equal(
        average_effects(model, variables="x0"),
        average_effects(plain, variables="x0"),
        rtol=1e-3,
        atol=1e-5,
    )
    np.testing.assert_allclose(model.results_.bse, plain.results_.bse, rtol=1e-4)
    if "other" not in terms:
        robust = [m.results_.coef_table(cov="CR1").std_err for m in (model, plain)]
        np.testing.assert_allclose(*robust, rtol=1e-4)
    if terms == "(1 | group)":
        limits = [profile(m)[["ci_low", "ci_high"]].to_numpy() for m in (plain, model)]
        moved_by = np.zeros(len(limits[0]))
        moved_by[[0, 2]] = 3.0, 2.0
        np.testing.assert_allclose(
            limits[0] - limits[1], np.column_stack([moved_by] * 2), atol=1e-4
        )
    assert icc(model).icc.to_list() == pytest.approx(icc(plain).icc.to_list(), rel=1e-4)
    assert conditional_aic(model).caic == pytest.approx(conditional_aic(plain).caic, rel=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_a_coefficient_of_one_is_a_hypothesis(kind):
    X, y = rows(kind)
    options = small(kind) if kind is MixedLogisticClassifier else {"method": "ml"}
    known = kind("group", offset="known", **options).fit(X, y)
    free = kind("group", **options).fit(X, y)
    test = likelihood_ratio_test(known, free)
    assert test.df == 1
    assert test.statistic == pytest.approx(2.0 * (free.loglik_ - known.loglik_))
    again = [pickle.loads(pickle.dumps(model)) for model in (known, free)]
    assert compare(again)["aic"].to_list() == compare([known, free])["aic"].to_list()
    other = kind("group", offset="x1", **options).fit(X, y)
    with pytest.raises(ValueError, match=r"nested|special case|combination"):
        likelihood_ratio_test(known, other)


@pytest.mark.parametrize("kind", KINDS)
def test_every_way_of_naming_it_is_the_same_model(kind):
    X, y = rows(kind)
    names = kind("group", offset="known", **small(kind)).fit(X, y)
    columns = X[["x0", "known", "x1"]]
    labels = X["group"]
    array = X[["x0", "known", "x1", "group"]].to_numpy()
    formula = kind(formula="x0 + x1 + (1 | group)", offset="known", **small(kind)).fit(X, y)
    beside = kind(offset="known", **small(kind)).fit(columns, y, groups=labels)
    position = kind(groups=-1, offset=1, **small(kind)).fit(array, y)
    negative = kind(offset=-2, **small(kind)).fit(columns.to_numpy(), y, groups=labels)
    pairs = [
        (formula, X.drop(columns="group"), {}),
        (beside, columns, {}),
        (position, array, {}),
        (negative, columns.to_numpy(), {}),
        (names, X.drop(columns="group"), {}),
    ]
    for model, data, options in pairs:
        assert model.loglik_ == pytest.approx(names.loglik_, abs=1e-9)
        np.testing.assert_allclose(model.coef_, names.coef_, rtol=1e-7)
        predicted = model.predict(data, kind="population", **options)
        wanted = names.predict(X, kind="population")
        assert np.all(predicted == wanted) or np.allclose(predicted, wanted)
        assert "known" not in model.results_.params.index
    assert formula.n_features_in_ == names.n_features_in_ == 4


def test_it_may_be_the_mean_of_slopes():
    """A random slope of the offset's column varies around one."""
    X, y = rows(MixedLinearRegressor)
    model = MixedLinearRegressor(random_effects="(1 + known | group)", offset="known").fit(X, y)
    beside = MixedLinearRegressor(random_effects="(1 + known | group)", offset="known")
    beside.fit(X.drop(columns="group"), y, groups=X["group"])
    columns = X.drop(columns="known").assign(slope=X["known"])
    formula = "x0 + x1 + (1 + slope | group)"
    plain = MixedLinearRegressor(formula=formula).fit(columns, y - X["known"])
    assert model.loglik_ == pytest.approx(plain.loglik_, abs=1e-9)
    assert beside.loglik_ == pytest.approx(plain.loglik_, abs=1e-9)
    np.testing.assert_allclose(model.predict(X) - X["known"], plain.predict(columns))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_missing_value_is_an_error_that_names_the_column(kind, bad):
    X, y = rows(kind)
    model = kind("group", offset="known", **small(kind)).fit(X, y)
    broken = X.copy()
    broken.loc[[3, 7], "known"] = bad
    for act in (lambda: clone(model).fit(broken, y), lambda: model.predict(broken)):
        with pytest.raises(ValueError, match=r"offset='known'.* in 2 of 200 rows.*\n.*finite"):
            act()
    with pytest.raises(ValueError, match=r"offset='x1'.*\n"):
        kind(offset=1, groups=3).fit(broken.to_numpy(), y)
    with pytest.raises(ValueError, match="known"):
        model.predict(X.drop(columns="known"))
    with pytest.raises(ValueError, match=r"offset: no column 'knowns'.*\n.*'known'"):
        kind("group", offset="knowns").fit(X, y)
    with pytest.raises(ValueError, match=r"offset=.*without column names"):
        kind(offset="known").fit(X.to_numpy(), y)
    with pytest.raises(ValueError, match=r"offset='word'.*text"):
        kind("group", offset="word").fit(X.assign(word="a"), y)


@pytest.mark.parametrize("kind", KINDS)
def test_it_lasts_and_goes_through_the_tools(kind):
    X, y = rows(kind)
    model = kind("group", offset="known", **small(kind)).fit(X, y)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
    assert clone(model).offset == "known"
    search = GridSearchCV(kind("group", **small(kind)), {"offset": [None, "known"]}, cv=3)
    assert len(search.fit(X, y).cv_results_["mean_test_score"]) == 2
    scores = cross_val_score(model, X, y, cv=GroupKFold(3), groups=X["group"])
    assert np.all(np.isfinite(scores))
    scaler = StandardScaler().set_output(transform="pandas")
    pipeline = make_pipeline(scaler, kind(offset="known", **small(kind)))
    pipeline.fit(X.drop(columns="group"), y, **{f"{kind.__name__.lower()}__groups": X["group"]})
    assert pipeline[-1].coef_.shape == (2,)


def test_a_logistic_bootstrap_keeps_it():
    X, y = rows(MixedLogisticClassifier)
    plain = MixedLogisticClassifier("group", n_quadrature=1).fit(X.drop(columns="known"), y)
    model = MixedLogisticClassifier("group", offset="known", n_quadrature=1)
    model.fit(X.assign(known=3.0 + 2.0 * X["x1"]), y)
    found = bootstrap(model, n_samples=4, random_state=0).samples
    other = bootstrap(plain, n_samples=4, random_state=0).samples
    np.testing.assert_allclose(found, other - [3.0, 0.0, 2.0, 0.0], atol=1e-4)
    new = X.assign(known=5.0)
    assert model.simulate(new, random_state=0).mean() > model.simulate(X, random_state=0).mean()


def test_without_groups_and_far_from_zero():
    """Generalised linear and linear models without effects; an offset that hides the response."""
    X, y = rows(MixedLinearRegressor)
    far = X.assign(known=1e6 + X["known"])
    near = MixedLinearRegressor("group", offset="known").fit(X, y)
    model = MixedLinearRegressor("group", offset="known").fit(far, y + 1e6)
    assert model.loglik_ == pytest.approx(near.loglik_, abs=1e-6)
    with pytest.raises(ValueError, match=r"offset: 1e\+09 is no difference of log-odds.*\n"):
        MixedLogisticClassifier("group", offset="known").fit(X.assign(known=1e9), y > np.median(y))
    with pytest.warns(match="groups"):
        plain = MixedLinearRegressor(offset="known").fit(X.drop(columns="group"), y)
    wanted = np.linalg.lstsq(
        np.column_stack([np.ones(len(X)), X[["x0", "x1"]]]), y - X["known"], rcond=None
    )[0]
    np.testing.assert_allclose([plain.intercept_, *plain.coef_], wanted)


@pytest.mark.filterwarnings("ignore::skmixed.exceptions.GroupsWarning")
@pytest.mark.parametrize("kind", KINDS)
def test_nothing_but_an_offset(kind):
    X, y = rows(kind)
    model = kind(offset="known", fit_intercept=False).fit(X[["known"]], y)
    assert model.results_.params.empty
    assert str(model.summary())
    ask = model.predict if kind is MixedLinearRegressor else model.decision_function
    np.testing.assert_allclose(ask(X[["known"]]), X["known"])


@pytest.mark.parametrize("spread", [10.0, 30.0])
def test_a_wide_offset_of_log_odds(spread):
    """Most rows are certain: the search starts from the data, not from the offset."""
    X, _ = rows(MixedLogisticClassifier)
    rng = np.random.default_rng(0)
    X["known"] = spread * rng.normal(size=len(X))
    effects = rng.normal(size=25)[X["group"]]
    y = (rng.random(len(X)) < 1 / (1 + np.exp(-(X["x0"] + X["known"] + effects)))).astype(int)
    model = MixedLogisticClassifier("group", offset="known", n_quadrature=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a variance may be zero
        assert model.fit(X, y).converged_
    columns = np.column_stack([np.ones(len(X)), X[["x0", "x1", "known"]]])
    Z = [term_design(X["group"].to_numpy(), np.ones(len(X)))]

    def deviance(change, extra):
        beta = np.append(model.results_.params + change, 1.0)
        return laplace_deviance(y.to_numpy(), columns, Z, beta, [model.covariances_[0] + extra])

    least = deviance(0.0, 0.0)
    assert model.loglik_ == pytest.approx(-0.5 * least, abs=1e-8)
    steps = [(change, 0.0) for change in 0.03 * np.vstack([np.eye(3), -np.eye(3)])]
    assert min(deviance(*step) for step in [*steps, (0.0, 0.05)]) > least


@pytest.mark.parametrize("kind", KINDS)
def test_terms_of_a_formula_are_added(kind):
    X, y = rows(kind)
    X["half"] = X["known"] / 2
    wanted = kind("group", offset="known", **small(kind)).fit(X.drop(columns="half"), y)
    plain = "x0 + x1 + (1 | group)"
    for formula, offset in [
        (f"{plain} + offset(known)", None),
        (f"offset(half) + {plain}", "half"),
        (f"{plain} + offset(half) + offset(2 * known - 3 * half)", None),
    ]:
        model = kind(formula=formula, offset=offset, **small(kind)).fit(X, y)
        assert model.loglik_ == pytest.approx(wanted.loglik_, abs=1e-9)
        np.testing.assert_allclose(model.coef_, wanted.coef_, rtol=1e-7)
        np.testing.assert_allclose(
            model.predict(X.drop(columns="group"), kind="population").astype(float),
            wanted.predict(X.drop(columns=["half", "group"]), kind="population").astype(float),
        )
        assert average_effects(model)["term"].to_list() == ["x0", "x1"]
    both = kind(formula=f"{plain} + known + offset(known)", **small(kind)).fit(X, y)
    assert average_effects(both)["term"].to_list() == ["x0", "known", "x1"]
