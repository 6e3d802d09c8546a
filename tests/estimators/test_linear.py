"""The estimator as a user meets it: structures, predictions, simulation, weights, boundaries, messages."""

import pickle

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import optimize, stats

from skmixed import (
    ConvergenceWarning,
    GroupsWarning,
    MixedLinearRegressor,
    RandomEffect,
    RankDeficiencyWarning,
    SingularFitWarning,
)
from skmixed._fit.predictions import read_rows
from skmixed._fit.uncertainty import error_variances
from skmixed.datasets import make_mixed_regression
from skmixed.inference._coefficients.contrasts import wald_chi2
from tests.helpers import dense


@pytest.fixture(scope="module")
def data():
    return make_mixed_regression(n_groups=40, rows_per_group=8, random_state=1)


def covariance_of(structure, parameters):
    """Any positive semidefinite member of a family from unconstrained parameters."""
    if structure == "unstructured":
        root = np.array([[parameters[0], 0.0], parameters[1:3]])
        return root @ root.T
    if structure == "diagonal":
        return np.diag(np.square(parameters[:2]))
    if structure == "identity":
        return parameters[0] ** 2 * np.eye(2)
    return parameters[0] ** 2 * np.array([[1.0, -1.0], [-1.0, 1.0]]) + parameters[1] ** 2 * np.ones(
        (2, 2)
    )


@pytest.mark.parametrize("structure", ["unstructured", "diagonal", "identity", "exchangeable"])
@pytest.mark.parametrize("method", ["ml", "reml"])
def test_optimum_of_every_structure(structure, method):
    """A derivative-free search over the dense deviance finds nothing better, and the same covariance."""
    X, y = make_mixed_regression(n_groups=12, rows_per_group=5, random_state=3)
    model = MixedLinearRegressor(
        random_effects="(1 + x0 | group)", covariance=structure, method=method
    ).fit(X, y)
    fixed = np.column_stack([np.ones(len(X)), X[["x0", "x1"]]])
    Z = dense.term_design(X["group"].to_numpy(), fixed[:, :2])

    def deviance(parameters):
        return dense.dense_deviance(
            y.to_numpy(), fixed, [Z], [covariance_of(structure, parameters)], reml=method == "reml"
        )

    options = {"xatol": 1e-8, "fatol": 1e-11, "maxiter": 4000}
    found = optimize.minimize(deviance, [0.8, 0.5, 0.6], method="Nelder-Mead", options=options)
    assert -2 * model.loglik_ == pytest.approx(found.fun, abs=1e-7)
    expected = model.scale_ * covariance_of(structure, found.x)
    np.testing.assert_allclose(model.covariances_[0], expected, rtol=2e-4, atol=1e-6)


def test_without_groups_it_is_least_squares(data):
    X, y = data
    with pytest.warns(GroupsWarning, match="fixed effects only"):
        model = MixedLinearRegressor().fit(X[["x0", "x1"]], y)
    ols = sm.OLS(y, sm.add_constant(X[["x0", "x1"]])).fit()
    np.testing.assert_allclose(model.results_.params, ols.params, rtol=1e-12)
    np.testing.assert_allclose(model.results_.bse, ols.bse, rtol=1e-10)
    assert model.scale_ == pytest.approx(ols.scale)
    with pytest.warns(GroupsWarning):
        ml = MixedLinearRegressor(method="ml").fit(X[["x0", "x1"]], y)
    assert ml.loglik_ == pytest.approx(ols.llf)
    interval = model.predict_interval(X[["x0", "x1"]][:5])
    frame = ols.get_prediction(sm.add_constant(X[["x0", "x1"]])[:5]).summary_frame(alpha=0.05)
    np.testing.assert_allclose(interval, frame[["obs_ci_lower", "obs_ci_upper"]], rtol=1e-10)
    mean = model.predict_interval(X[["x0", "x1"]][:5], target="mean")
    np.testing.assert_allclose(mean, frame[["mean_ci_lower", "mean_ci_upper"]], rtol=1e-10)


@pytest.fixture(scope="module")
def slopes(data):
    X, y = data
    return MixedLinearRegressor(random_effects="(1 + x0 | group)").fit(X, y)


def test_kinds_of_prediction(data, slopes):
    """Conditional adds the known effects; new levels, population and marginal leave them out."""
    X, _ = data
    population = slopes.intercept_ + X[["x0", "x1"]].to_numpy() @ slopes.coef_
    effects = slopes.results_.random_effects["group"].loc[X["group"]].to_numpy()
    expected = population + effects[:, 0] + effects[:, 1] * X["x0"]
    np.testing.assert_allclose(slopes.predict(X), expected)
    np.testing.assert_allclose(slopes.predict(X, kind="population"), population)
    np.testing.assert_allclose(slopes.predict(X, kind="marginal"), population)
    np.testing.assert_allclose(slopes.predict(X.assign(group=-5)), population)
    half_known = X.assign(group=np.where(X["x1"] > 0, X["group"], 10**6))
    np.testing.assert_allclose(
        slopes.predict(half_known), np.where(X["x1"] > 0, expected, population)
    )


def mean_squared_errors_given_covariances(model, X):
    """Henderson's, of known groups."""
    fitted = model._model
    rows, codes = read_rows(fitted, X, None, "conditional")
    columns = fitted.fit.units.columns(rows.X)
    return model.scale_ * error_variances(fitted.fit.linear, *columns, codes)


def test_standard_errors_of_predictions(data, slopes):
    """Against Henderson's equations on dense matrices, in the units of the data."""
    X, y = data
    fixed = np.column_stack([np.ones(len(X)), X[["x0", "x1"]]])
    Z = dense.term_design(X["group"].to_numpy(), fixed[:, :2])
    T = slopes.covariances_[0] / slopes.scale_
    twin = dense.henderson(y.to_numpy(), fixed, [Z], [T])
    _, std = slopes.predict(X, return_std=True)
    given = dense.row_variance(twin, fixed, Z)
    assert np.all((given <= std**2) & (std**2 < 1.5 * given))
    found = mean_squared_errors_given_covariances(slopes, X)
    np.testing.assert_allclose(found, given, rtol=1e-5)
    _, new = slopes.predict(X.assign(group=-1), return_std=True)
    nobody = np.zeros_like(Z)
    prior = np.einsum("ni,ij,nj->n", fixed[:, :2], slopes.covariances_[0], fixed[:, :2])
    np.testing.assert_allclose(new**2, dense.row_variance(twin, fixed, nobody) + prior, rtol=1e-5)
    np.testing.assert_allclose(
        slopes.predict(X, kind="marginal", return_std=True)[1], new, rtol=1e-12
    )
    _, population = slopes.predict(X, kind="population", return_std=True)
    np.testing.assert_allclose(population**2, dense.row_variance(twin, fixed, nobody), rtol=1e-5)
    low, high = slopes.predict_interval(X, level=0.9).T
    half = stats.norm.ppf(0.95) * np.sqrt(std**2 + slopes.scale_)
    assert np.all(((high - low) / 2 > half) & ((high - low) / 2 < 1.05 * half))
    np.testing.assert_allclose((high + low) / 2, slopes.predict(X), rtol=1e-10)


def test_intervals_cover_new_rows():
    """Simulated coverage of 95 % intervals, known and new groups."""
    X, y = make_mixed_regression(n_groups=300, rows_per_group=12, random_state=5)
    train = X["group"] < 200
    kept = train & (np.arange(len(X)) % 12 < 9)
    model = MixedLinearRegressor(random_effects="(1 + x0 | group)").fit(X[kept], y[kept])
    for rows in (train & ~kept, ~train):
        low, high = model.predict_interval(X[rows]).T
        assert 0.93 < np.mean((low < y[rows]) & (y[rows] < high)) < 0.97


def test_simulate(data, slopes):
    """Draws have the fitted mean and covariance; conditional draws keep the known effects."""
    X, _ = data
    rows = X[X["group"] == 3]
    draws = slopes.simulate(rows, n_samples=20_000, random_state=0)
    assert draws.shape == (len(rows), 20_000)
    Z = np.column_stack([np.ones(len(rows)), rows["x0"]])
    V = Z @ slopes.covariances_[0] @ Z.T + slopes.scale_ * np.eye(len(rows))
    np.testing.assert_allclose(
        draws.mean(axis=1), slopes.predict(rows, kind="population"), atol=0.06
    )
    np.testing.assert_allclose(np.cov(draws), V, atol=0.15)
    kept = slopes.simulate(rows, n_samples=20_000, random_state=0, kind="conditional")
    np.testing.assert_allclose(kept.mean(axis=1), slopes.predict(rows), atol=0.05)
    np.testing.assert_allclose(np.cov(kept), slopes.scale_ * np.eye(len(rows)), atol=0.1)
    np.testing.assert_array_equal(draws, slopes.simulate(rows, n_samples=20_000, random_state=0))


def test_weights_are_repetitions(data):
    X, y = data
    weights = np.random.default_rng(0).integers(0, 4, len(X))
    terms = "(1 + x0 | group)"
    weighted = MixedLinearRegressor(random_effects=terms).fit(X, y, sample_weight=weights)
    again = np.repeat(np.arange(len(X)), weights)
    repeated = MixedLinearRegressor(random_effects=terms).fit(X.iloc[again], y.iloc[again])
    assert weighted.loglik_ == pytest.approx(repeated.loglik_, rel=1e-11)
    np.testing.assert_allclose(weighted.covariances_[0], repeated.covariances_[0], rtol=1e-6)
    np.testing.assert_allclose(weighted.results_.bse, repeated.results_.bse, rtol=1e-8)
    assert weighted.results_.nobs == weights.sum()
    assert weighted.score(X, y, sample_weight=weights) == pytest.approx(
        repeated.score(X.iloc[again], y.iloc[again])
    )


@pytest.mark.filterwarnings("ignore::skmixed.SingularFitWarning")
def test_five_nested_levels_and_a_crossed_factor():
    """A chain of five with a crossed sixth against the dense deviance."""
    rng = np.random.default_rng(2)
    n = 600
    leaf = rng.integers(0, 120, n)
    chain = {name: leaf // size for name, size in zip("abcde", (60, 30, 10, 3, 1), strict=True)}
    X = pd.DataFrame(chain).assign(f=rng.integers(0, 7, n), x=rng.normal(size=n))
    y = X["x"] + sum(0.7 * rng.normal(size=200)[X[c]] for c in "abcdef") + rng.normal(size=n)
    model = MixedLinearRegressor(groups=list("abcdef")).fit(X, y)
    Zs = [dense.term_design(X[c].to_numpy(), np.ones(n)) for c in "abcdef"]
    Ts = [S / model.scale_ for S in model.covariances_]
    fixed = np.column_stack([np.ones(n), X["x"]])
    assert -2 * model.loglik_ == pytest.approx(
        dense.dense_deviance(y.to_numpy(), fixed, Zs, Ts), rel=1e-10
    )
    slopes = [
        float(D[0, 0])
        for D, T in zip(dense.dense_gradient(y.to_numpy(), fixed, Zs, Ts), Ts, strict=True)
        if T[0, 0] > 0
    ]
    np.testing.assert_allclose(slopes, 0.0, atol=1e-2)
    assert model.converged_


def test_variance_of_zero_is_an_answer():
    """Groups more alike than chance: the estimate is exactly zero, and said so once."""
    group = np.repeat(np.arange(10), 4)
    y = np.tile([-2.0, -1.0, 1.0, 2.0], 10) + 0.01 * group
    X = pd.DataFrame({"x": np.tile([0.0, 1.0, 1.0, 0.0], 10), "group": group})
    with pytest.warns(SingularFitWarning, match="group: a variance of .Intercept. is zero"):
        model = MixedLinearRegressor(groups="group").fit(X, y)
    assert model.covariances_[0][0, 0] == 0.0 and model.converged_
    assert np.isnan(model.variance_components()["std_error"][0])
    assert model.results_.random_effects_test().pvalue == 1.0
    assert not np.any(model.random_effects_["estimate"])
    assert "no standard errors" in model.summary().as_text()


def test_perfectly_correlated_effects():
    X, y = make_mixed_regression(60, 6, covariance=[[1.0, 0.5], [0.5, 0.25]], random_state=4)
    with pytest.warns(SingularFitWarning, match="correlation is 1 or -1"):
        model = MixedLinearRegressor(random_effects="(1 + x0 | group)").fit(X, y)
    S = model.covariances_[0]
    assert S[0, 1] ** 2 == pytest.approx(S[0, 0] * S[1, 1], rel=1e-10) and model.converged_


def test_dependent_columns_are_dropped_in_order(data):
    X, y = data
    reference = MixedLinearRegressor(groups="group").fit(X, y)
    more = X.assign(one=3.0, copy=X["x0"] * 2 + 1, sum=X["x0"] - X["x1"])
    with pytest.warns(RankDeficiencyWarning, match="'one', 'copy', 'sum' depend linearly"):
        model = MixedLinearRegressor(groups="group").fit(more, y)
    np.testing.assert_allclose(model.coef_, [*reference.coef_, 0.0, 0.0, 0.0], rtol=1e-9)
    assert model.loglik_ == pytest.approx(reference.loglik_, rel=1e-12)
    assert list(model.results_.params.index) == ["Intercept", "x0", "x1"]
    assert (
        "Dropped because they depend on other columns: one, copy, sum." in model.summary().as_text()
    )


def test_one_row_per_level(data):
    X, y = data
    with pytest.warns(
        SingularFitWarning, match="row: its 320 levels cannot be told from the residual"
    ):
        model = MixedLinearRegressor(groups="row").fit(X[["x0"]].assign(row=np.arange(len(X))), y)
    assert model.covariances_[0][0, 0] == 0.0


def test_single_level(data):
    X, y = data
    with pytest.warns(
        SingularFitWarning, match="g: its 1 level cannot be told from the fixed effects"
    ):
        model = MixedLinearRegressor(groups="g").fit(X[["x0"]].assign(g="all"), y)
    assert model.covariances_[0][0, 0] == 0.0


def test_stopped_early_is_not_converged(data):
    X, y = data
    with pytest.warns(ConvergenceWarning, match="max_iter reached"):
        model = MixedLinearRegressor(random_effects="(1 + x0 | group)", max_iter=1).fit(X, y)
    assert not model.converged_ and np.isfinite(model.loglik_)
    assert "Converged:                               no" in model.summary().as_text()


def test_verbose_logs_the_iterations(data, caplog):
    caplog.set_level("INFO", "skmixed")
    X, y = data
    MixedLinearRegressor(groups="group", verbose=1).fit(X, y)
    assert caplog.text.count("deviance") >= 2


def test_slope_on_a_grouping_column():
    """A year can be a slope of one factor and a factor of its own."""
    rng = np.random.default_rng(0)
    X = pd.DataFrame(
        {
            "x": rng.normal(size=400),
            "id": np.repeat(np.arange(40), 10),
            "year": np.tile(np.arange(10), 40),
        }
    )
    y = X["x"] + 3.0 * rng.normal(size=40)[X["id"]] + rng.normal(size=40)[X["id"]] * X["year"]
    y += rng.normal(size=10)[X["year"]] + rng.normal(size=400)
    model = MixedLinearRegressor(random_effects="(1 + year | id) + (1 | year)").fit(X, y)
    assert len(model.coef_) == 1 and [len(S) for S in model.covariances_] == [2, 1]
    assert model.score(X, y) > 0.9


def test_terms_of_one_factor_are_merged(data):
    X, y = data
    bars = MixedLinearRegressor(random_effects="(x0 || group)").fit(X, y)
    diagonal = MixedLinearRegressor(random_effects="(x0 | group)", covariance="independent").fit(
        X, y
    )
    assert bars.loglik_ == pytest.approx(diagonal.loglik_, rel=1e-12)
    np.testing.assert_allclose(bars.predict(X), diagonal.predict(X), rtol=1e-6)
    assert list(bars.random_effects_["effect"][:2]) == ["Intercept", "x0"]
    own = RandomEffect("group", ("x0",), covariance="diagonal")
    assert MixedLinearRegressor(random_effects=own).fit(X, y).loglik_ == pytest.approx(
        diagonal.loglik_, rel=1e-12
    )


def test_results_survive_pickling_without_the_rows(data, slopes):
    X, y = data
    again = pickle.loads(pickle.dumps(slopes))
    np.testing.assert_array_equal(again.predict(X), slopes.predict(X))
    pd.testing.assert_frame_equal(again.variance_components(), slopes.variance_components())
    np.testing.assert_allclose(slopes.results_.fittedvalues, slopes.predict(X))
    np.testing.assert_allclose(slopes.results_.resid, y - slopes.predict(X))
    with pytest.raises(AttributeError, match="not kept in a pickled model"):
        _ = again.results_.fittedvalues


@pytest.mark.filterwarnings("ignore")  # of the other package's search
def test_results_under_statsmodels_names(data):
    """Against statsmodels' own MixedLM where it converges."""
    X, y = data
    model = MixedLinearRegressor(groups="group").fit(X, y)
    other = sm.MixedLM(y, sm.add_constant(X[["x0", "x1"]]), X["group"]).fit(reml=True)
    res = model.results_
    assert res.llf == pytest.approx(other.llf, rel=1e-8)
    np.testing.assert_allclose(res.params, other.fe_params, rtol=1e-4)
    np.testing.assert_allclose(res.bse, other.bse_fe, rtol=1e-3)
    np.testing.assert_allclose(res.cov_re["group"], other.cov_re, rtol=1e-3)
    assert res.scale == pytest.approx(other.scale, rel=1e-4)
    np.testing.assert_allclose(res.conf_int(), other.conf_int().iloc[:3], rtol=1e-2, atol=1e-3)
    assert res.aic == pytest.approx(2 * 5 - 2 * res.llf) and res.n_params == 5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kind": "best"}, "kind='best' is not known"),
        ({"target": "mode"}, "target='mode' is not known"),
        ({"level": 95}, "level=95 is not a probability"),
    ],
)
def test_wrong_options_are_named(data, slopes, arguments, message):
    X, _ = data
    with pytest.raises(ValueError, match=message):
        slopes.predict_interval(X, **arguments)


def test_small_integer_labels_keep_their_levels():
    """The range of int8 labels does not fit into int8."""
    labels = np.tile(np.arange(-100, 101), 5)
    X, rng = (
        pd.DataFrame({"x": np.random.default_rng(0).normal(size=1005)}),
        np.random.default_rng(1),
    )
    y = X["x"] + rng.normal(size=201)[labels + 100] + rng.normal(size=1005)
    wide, narrow = (
        MixedLinearRegressor("g").fit(X.assign(g=labels.astype(t)), y) for t in (np.int64, np.int8)
    )
    assert len(narrow.random_effects_) == 201 and narrow.loglik_ == wide.loglik_


def test_too_few_rows_per_level_is_said():
    """Two rows per level determine three covariances and the residual variance only up to a
    line."""
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"t": np.tile([0.0, 1.0], 200), "id": np.repeat(np.arange(200), 2)})
    y = X["t"] + 3.0 * rng.normal(size=200)[X["id"]] + rng.normal(size=400)
    intercepts = MixedLinearRegressor(groups="id").fit(X, y)
    with pytest.warns(SingularFitWarning, match="id: some variances are not identified"):
        slopes = MixedLinearRegressor(random_effects="(1 + t | id)").fit(X, y)
    assert slopes.loglik_ >= intercepts.loglik_ - 1e-6
    assert slopes.results_.bse["t"] == pytest.approx(intercepts.results_.bse["t"], rel=0.05)


def test_slopes_with_one_row_per_level_are_identified():
    """Unequal slopes make unequal variances, which the data show."""
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"x": rng.normal(size=2000), "g": np.arange(2000)})
    y = X["x"] * (1.0 + 2.0 * rng.normal(size=2000)) + rng.normal(size=2000)
    model = MixedLinearRegressor(random_effects="(0 + x | g)").fit(X, y)
    assert model.covariances_[0][0, 0] == pytest.approx(4.0, rel=0.15)
    assert model.scale_ == pytest.approx(1.0, rel=0.15)


def test_two_names_for_one_factor(data):
    X, y = data
    with pytest.warns(SingularFitWarning, match="copy, group: some variances are not identified"):
        model = MixedLinearRegressor(groups=["group", "copy"]).fit(X.assign(copy=X["group"] + 5), y)
    assert model.loglik_ == pytest.approx(
        MixedLinearRegressor(groups="group").fit(X, y).loglik_, abs=1e-7
    )


@pytest.mark.parametrize(
    "terms",
    ["(1 | group) + (1 | group)", "(1 + x0 | group) + (0 + x0 | group)", "(x0 + x0 | group)"],
)
def test_an_effect_belongs_to_one_term(data, terms):
    X, y = data
    with pytest.raises(ValueError, match="of group appears twice"):
        MixedLinearRegressor(random_effects=terms).fit(X, y)


def test_results_outlive_a_refit(data):
    X, y = data
    model = MixedLinearRegressor(groups="group").fit(X, y)
    results = model.results_
    before = results.resid.std()
    model.fit(X, 2 * y)
    assert results.resid.std() == pytest.approx(before)


def test_weights_that_do_not_count_anything(data):
    X, y = data
    with pytest.warns(SingularFitWarning, match="1 observations .the sum of sample_weight"):
        MixedLinearRegressor(groups="group").fit(X, y, sample_weight=np.full(len(y), 1 / len(y)))


def test_columns_named_by_numbers(data):
    """Integers are positions; names that are integers are printed as they are."""
    X, y = data
    numbered = X.set_axis([10, 20, 30], axis=1)
    model = MixedLinearRegressor(random_effects=[RandomEffect(2, (0,))]).fit(numbered, y)
    assert model.loglik_ == pytest.approx(
        MixedLinearRegressor(random_effects="(x0 | group)").fit(X, y).loglik_
    )
    assert model.random_effects_["factor"][0] == "30"


def test_repeated_column_names(data):
    X, y = data
    with pytest.raises(ValueError, match="2 columns are called 'x0'"):
        MixedLinearRegressor(groups="group").fit(pd.concat([X, X[["x0"]]], axis=1), y)


def test_tuples_are_labels(data):
    X, y = data
    labels = [(g, "a") for g in X["group"]]
    model = MixedLinearRegressor().fit(X[["x0", "x1"]], y, groups=labels)
    assert len(model.random_effects_) == 40


@pytest.mark.parametrize("level", [95, 0, -0.5])
def test_levels_are_probabilities(slopes, level):
    for method in (slopes.summary, slopes.variance_components):
        with pytest.raises(ValueError, match="is not a probability"):
            method(level=level)


def test_text_as_response(data):
    X, y = data
    with pytest.raises(ValueError, match="y: the response must be numbers, got 'a'"):
        MixedLinearRegressor(groups="group").fit(X, ["a"] * len(y))


@pytest.mark.parametrize("style", ["column", "terms", "formula"])
def test_new_rows_without_their_groups(data, style):
    """A table without the grouping column: every level is new, and a warning says so."""
    X, y = data
    options = {
        "column": {"groups": "group"},
        "terms": {"random_effects": "(1 + x0 | group)"},
        "formula": {"formula": "x0 + x1 + (1 + x0 | group)"},
    }
    model = MixedLinearRegressor(**options[style]).fit(X, y)
    with pytest.warns(GroupsWarning, match="every level counts as new"):
        predicted = model.predict(X[["x0", "x1"]])
    np.testing.assert_allclose(predicted, model.predict(X, kind="population"))
    np.testing.assert_allclose(model.predict(X[["x0", "x1"]], kind="population"), predicted)
    with pytest.raises(ValueError, match="x0"):
        model.predict(X[["x1", "group"]])


def test_wald_test_of_unusable_covariances():
    """Overflow is not evidence: no statistic rather than an infinite one."""
    assert np.isnan(wald_chi2(np.ones(2), np.full((2, 2), np.nan)).statistic)
