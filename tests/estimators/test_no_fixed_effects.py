"""Models without fixed effects: tables are empty, variances are there, nothing raises."""

import pickle

import numpy as np
import pandas as pd
import pytest

from skmixed import MixedLinearRegressor, MixedLogisticClassifier
from skmixed.exceptions import SeparationWarning
from skmixed.inference import (
    average_effects,
    average_predictions,
    bootstrap,
    conditional_aic,
    icc,
    likelihood_ratio_test,
    profile,
    r_squared,
)
from tests.helpers.dense import dense_deviance, term_design
from tests.helpers.dense_glmm import laplace_deviance

KINDS = [MixedLinearRegressor, MixedLogisticClassifier]
pytestmark = pytest.mark.filterwarnings(
    "ignore::skmixed.exceptions.LaplaceWarning", "ignore::skmixed.exceptions.SingularFitWarning"
)


def rows(kind, spread=1.0):
    rng = np.random.default_rng(4)
    table = pd.DataFrame({"g": np.arange(120) % 10, "h": rng.integers(0, 6, 120)})
    eta = spread * (rng.normal(size=10)[table["g"]] + rng.normal(size=6)[table["h"]])
    if kind is MixedLinearRegressor:
        return table, eta + rng.normal(size=120)
    return table, (rng.random(120) < 1 / (1 + np.exp(-eta))).astype(int)


@pytest.mark.parametrize("spread", [0.0, 1.0])
@pytest.mark.parametrize("door", ["columns", "formula", "crossed"])
@pytest.mark.parametrize("kind", KINDS)
def test_nothing_raises_without_fixed_effects(kind, door, spread):
    """Also where the variance is zero, so that there is no parameter at all."""
    table, y = rows(kind, spread)
    parameters = {
        "columns": {"groups": "g", "fit_intercept": False},
        "formula": {"formula": "0 + (1 | g)"},
        "crossed": {"groups": ["g", "h"], "fit_intercept": False},
    }[door]
    X = table[["g"]] if door == "columns" else table
    model = kind(**parameters).fit(X, y)
    results = model.results_
    assert model.coef_.shape == (0,)
    assert model.intercept_ == 0.0
    for empty in (results.params, results.bse, results.pvalues, results.coef_table()):
        assert len(empty) == 0
    assert results.cov_params().shape == (0, 0)
    assert results.conf_int().shape[0] == 0
    assert results.wald_chi2.df == 0
    factors = 2 if door == "crossed" else 1
    assert len(model.variance_components()) == factors + (kind is MixedLinearRegressor)
    for text in (model.summary(), pickle.loads(pickle.dumps(model)).summary()):
        assert "var(Intercept)" in str(text)
    for kind_of_prediction in ("conditional", "population", "marginal"):
        assert len(model.predict(X, kind=kind_of_prediction)) == len(X)
    ask = model.predict if kind is MixedLinearRegressor else model.predict_proba
    assert np.all(np.isfinite(ask(X.assign(g=99), return_std=True)[1]))
    assert model.simulate(X, random_state=0).shape == (120, 1)
    assert np.isfinite(average_predictions(model).std_error[0]) or spread == 0.0
    assert icc(model).shape[0] >= 1
    assert r_squared(model).marginal == 0.0
    assert np.isfinite(conditional_aic(model).df)
    assert len(bootstrap(model, n_samples=3, random_state=0).table()) == len(
        model.variance_components()
    )
    assert results.random_effects_test().df >= 1
    if door != "crossed":
        assert len(profile(model)) == len(model.variance_components())
    if door == "columns":
        with pytest.raises(ValueError, match=r"no columns besides the grouping factors.*\n"):
            average_effects(model)
    with pytest.raises(ValueError, match=r"no fixed effects.*\n"):
        results.wald_test("x = 0")


@pytest.mark.parametrize("kind", KINDS)
def test_its_likelihood_is_the_dense_one(kind):
    table, y = rows(kind)
    options = {"n_quadrature": 1} if kind is MixedLogisticClassifier else {"method": "ml"}
    model = kind(groups="g", fit_intercept=False, **options).fit(table[["g"]], y)
    Z = [term_design(table["g"].to_numpy(), np.ones(120))]
    nothing = np.empty((120, 0))

    def deviance(T):
        if kind is MixedLinearRegressor:
            return dense_deviance(y, nothing, Z, [T / model.scale_], reml=False)
        return laplace_deviance(y, nothing, Z, np.empty(0), [T])

    T = model.covariances_[0]
    assert -2.0 * model.loglik_ == pytest.approx(deviance(T), abs=1e-8)
    assert min(deviance(0.9 * T), deviance(1.1 * T)) > deviance(T)
    larger = kind(groups="g", **options).fit(table[["g"]], y)
    assert likelihood_ratio_test(model, larger).df == 1


@pytest.mark.parametrize("weight", [1e3, 1e6, 1e9])
def test_large_weights_change_neither_estimates_nor_warnings(weight):
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"x": rng.normal(size=200), "g": np.arange(200) % 10})
    eta = X["x"] + rng.normal(size=10)[X["g"]]
    y = (rng.random(200) < 1 / (1 + np.exp(-eta))).astype(int)
    w = np.full(200, weight)
    model = MixedLogisticClassifier("g", n_quadrature=1)
    estimates = model.fit(X, y, sample_weight=w).coef_  # a warning would be an error
    more = model.fit(X, y, sample_weight=2 * w)
    np.testing.assert_allclose(more.coef_, estimates, rtol=0.01)
    assert np.all(np.isfinite(more.variance_components()["std_error"]))
    with pytest.warns(SeparationWarning, match="'x'"):
        assert not model.fit(X, (X["x"] > 0).astype(int), sample_weight=w).converged_
    alone = MixedLogisticClassifier("g", n_quadrature=1, fit_intercept=False)
    alone.fit(X[["g"]], y, sample_weight=w)
    with pytest.warns(SeparationWarning, match="one outcome"):
        alone.fit(X[["g"]], X["g"] % 2, sample_weight=w)


def test_intervals_of_a_crossed_model_with_a_variance_of_zero():
    table, _ = rows(MixedLinearRegressor)
    y = np.random.default_rng(5).normal(size=len(table))
    y = y - pd.Series(y).groupby(table["g"]).transform("mean").to_numpy()
    model = MixedLinearRegressor(["g", "h"], fit_intercept=False).fit(table, y)
    assert model.covariances_[0][0, 0] == 0.0
    interval = np.asarray(model.predict_interval(table))
    assert np.all(interval[:, 0] < interval[:, 1])
