"""`alpha`: a ridge on the fixed effects, against the dense penalised likelihood, and what it is for."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, GroupKFold

from skmixed import MixedLinearRegressor, MixedLogisticClassifier
from skmixed.exceptions import SeparationWarning, SingularFitWarning
from skmixed.inference import (
    average_effects,
    bootstrap,
    compare,
    conditional_aic,
    hausman_test,
    icc,
    influence,
    likelihood_ratio_test,
    loo_predict,
    profile,
    r_squared,
)
from tests.helpers import dense, dense_glmm, dense_penalised

TERMS = "(1 + a | g) + (0 + b | g) + (1 | h)"
ALPHA = 3.0


@pytest.fixture(scope="module")
def rows():
    """Unbalanced, crossed, columns of different sizes that are correlated; and weights."""
    rng = np.random.default_rng(3)
    n = 110
    X = pd.DataFrame(
        rng.normal(size=(n, 3)) * [1.0, 20.0, 0.1] + [0.0, 50.0, 3.0], columns=list("abc")
    )
    X["d"] = X["a"] + X["b"] / 20.0 + 0.3 * rng.normal(size=n)
    X["g"] = np.minimum(rng.integers(0, 12, n), rng.integers(0, 12, n))
    X["h"] = rng.integers(0, 5, n)
    effects = rng.normal(size=(12, 3)) * [1.0, 0.7, 0.04]
    eta = X["a"] - 0.1 * (X["b"] - 50.0) + effects[X["g"], 0] + effects[X["g"], 1] * X["a"]
    eta = eta + effects[X["g"], 2] * X["b"] + 0.7 * rng.normal(size=5)[X["h"]]
    return X, eta.to_numpy(), rng.integers(1, 4, n).astype(float), rng


@pytest.fixture(scope="module")
def response(rows):
    _, eta, _, _ = rows
    return eta + np.random.default_rng(4).normal(size=len(eta))


@pytest.fixture(scope="module")
def outcome(rows):
    X, _, _, _ = rows
    rng = np.random.default_rng(5)
    eta = 0.8 * X["a"] - 0.05 * (X["b"] - 50.0) + rng.normal(size=12)[X["g"]]
    return (rng.uniform(size=len(X)) < 1.0 / (1.0 + np.exp(-eta))).astype(int).to_numpy()


def matrices(X, intercept=True):
    one = np.ones((len(X), 1))
    F = X[list("abcd")].to_numpy()
    Zs = [
        dense.term_design(X["g"].to_numpy(), np.hstack([one, F[:, :1]])),
        dense.term_design(X["g"].to_numpy(), F[:, 1:2]),
        dense.term_design(X["h"].to_numpy(), one),
    ]
    return np.hstack([one, F]) if intercept else F, Zs


def coefficients(model):
    return model.results_.params.to_numpy()


def distance_to_optimum(function, x, step=1e-3):
    """By how much a Newton step from differences lowers a function."""
    units = step * np.eye(len(x))
    slope = np.array([function(x + u) - function(x - u) for u in units]) / (2.0 * step)
    bend = (
        np.array([function(x + u) + function(x - u) - 2.0 * function(x) for u in units]) / step**2
    )
    near = np.array([function(x + u / 2) - function(x - u / 2) for u in units]) / step
    slope = (4.0 * near - slope) / 3.0
    assert np.all(bend > 0)
    return float(np.sum(slope**2 / bend))


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("method", ["ml", "reml"])
def test_the_linear_ridge_is_the_dense_penalised_likelihood(rows, response, method, intercept):
    X, _, weights, _ = rows
    model = MixedLinearRegressor(
        random_effects=TERMS, alpha=ALPHA, method=method, fit_intercept=intercept
    )
    model.fit(X, response, sample_weight=weights)
    F, Zs = matrices(X, intercept)
    Ts = [S / model.scale_ for S in model.covariances_]

    def twin(Ts):
        return dense_penalised.ridge_gls(response, F, Zs, Ts, ALPHA, weights, method == "reml")

    found = twin(Ts)
    assert model.converged_
    np.testing.assert_allclose(coefficients(model), found.beta, rtol=1e-8)
    np.testing.assert_allclose(model.scale_, found.sigma2, rtol=1e-8)
    np.testing.assert_allclose(model.results_.cov_params(), found.cov_beta, rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(model.results_.n_params - 5.0 - 1.0, found.effective, rtol=1e-8)
    sizes = [len(T) for T in Ts]
    gap = distance_to_optimum(
        lambda x: twin(dense_penalised.symmetric(x, sizes)).deviance, dense_penalised.roots(Ts)
    )
    assert gap < 1e-8
    if method == "ml":
        np.testing.assert_allclose(-2.0 * model.loglik_, found.likelihood, rtol=1e-8)
    else:
        plain = dense.gls(response, F, Zs, Ts, weights, True)
        at_estimates = plain.logdet + plain.dof * (
            np.log(2 * np.pi * model.scale_) + plain.sigma2 / model.scale_
        )
        np.testing.assert_allclose(-2.0 * model.loglik_, at_estimates, rtol=1e-8)


def test_the_logistic_ridge_is_the_dense_penalised_likelihood(rows, outcome):
    X, _, weights, _ = rows
    model = MixedLogisticClassifier(random_effects="(1 + a | g)", n_quadrature=1, alpha=ALPHA)
    model.fit(X.drop(columns="h"), outcome, sample_weight=weights)
    F, Zs = matrices(X)
    beta, Ts = coefficients(model), model.covariances_
    centre = np.eye(5)
    centre[0, 1:] = -F[:, 1:].mean(axis=0)

    def twin(x):
        beta, T = centre @ x[:5], dense_penalised.symmetric(x[5:], [2])
        return dense_penalised.ridge_laplace(outcome, F, Zs[:1], beta, T, ALPHA, weights)

    x = np.concatenate([np.linalg.solve(centre, beta), dense_penalised.roots(Ts)])
    units = np.concatenate([[1.0], 1.0 / dense_penalised.spread(F, weights)[1:], np.ones(3)])
    assert model.converged_
    assert distance_to_optimum(lambda z: twin(units * z), x / units) < 1e-8
    likelihood = dense_glmm.laplace_deviance(outcome, F, Zs[:1], beta, Ts, weights)
    np.testing.assert_allclose(-2.0 * model.loglik_, likelihood, rtol=1e-8)


@pytest.mark.parametrize("kind", [MixedLinearRegressor, MixedLogisticClassifier])
def test_no_penalty_is_the_limit_of_small_ones(kind, rows, response, outcome):
    X, _, weights, _ = rows
    y = response if kind is MixedLinearRegressor else outcome
    fits = [kind("g", alpha=a).fit(X, y, sample_weight=weights) for a in (0.0, 1e-9)]
    plain = kind("g").fit(X, y, sample_weight=weights)
    for name in ("coef_", "intercept_", "loglik_", "covariances_"):
        np.testing.assert_array_equal(getattr(fits[0], name), getattr(plain, name))
        np.testing.assert_allclose(
            getattr(fits[1], name), getattr(plain, name), rtol=1e-6, atol=1e-9
        )
    assert fits[0].results_.n_params == plain.results_.n_params
    assert isinstance(fits[0].results_.n_params, int)
    np.testing.assert_array_equal(fits[0].results_.bse, plain.results_.bse)


@pytest.mark.parametrize("kind", [MixedLinearRegressor, MixedLogisticClassifier])
def test_units_and_origins_do_not_matter(kind, rows, response, outcome):
    X, _, weights, _ = rows
    y = response if kind is MixedLinearRegressor else outcome
    other = X.assign(b=(X["b"] + 1000.0) * 1e5, c=X["c"] * 1e-4)
    own, moved = (kind("g", alpha=ALPHA).fit(x, y, sample_weight=weights) for x in (X, other))
    np.testing.assert_allclose(moved.coef_ * [1.0, 1e5, 1e-4, 1.0, 1.0], own.coef_, rtol=1e-7)
    repeated = np.repeat(np.arange(len(X)), weights.astype(int))
    twice = kind("g", alpha=ALPHA).fit(X.iloc[repeated], y[repeated])
    np.testing.assert_allclose(twice.coef_, own.coef_, rtol=1e-7)


def test_columns_that_depend_on_others_are_shrunk_together(rows, response):
    """One-hot columns of all categories beside the intercept: no warning, equal shares for copies."""
    X, _, _, _ = rows
    wide = X.assign(again=X["a"] * 2.0, **{f"k{k}": (X["h"] == k) * 1.0 for k in range(5)})
    for method in ("ml", "reml"):
        model = MixedLinearRegressor("g", alpha=1.0, method=method).fit(
            wide.drop(columns="h"), response
        )
        coef = model.results_.params
        np.testing.assert_allclose(coef["again"] * 2.0, coef["a"], rtol=1e-8)
        assert len(coef) == 11
        assert np.isfinite(model.loglik_)
        single = wide.drop(columns=["h", "k0", "again"])
        fewer = MixedLinearRegressor("g", alpha=1e-6, method=method).fit(single, response)
        every = MixedLinearRegressor("g", alpha=1e-6, method=method)
        every.fit(wide.drop(columns="h"), response)
        np.testing.assert_allclose(
            every.loglik_, fewer.loglik_, atol=0.02 if method == "reml" else 1e-3
        )


def test_more_columns_than_rows():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 60))
    groups = np.arange(40) // 4
    y = X[:, 0] + rng.normal(size=10)[groups] + 0.5 * rng.normal(size=40)
    model = MixedLinearRegressor(method="ml", alpha=20.0).fit(X, y, groups=groups)
    assert model.converged_
    assert np.argmax(np.abs(model.coef_)) == 0
    assert model.results_.n_params < 40
    with pytest.raises(ValueError, match="method='reml'"):
        MixedLinearRegressor(alpha=20.0).fit(X, y, groups=groups)


@pytest.mark.parametrize("n_quadrature", [1, 5, "auto"])
def test_a_small_ridge_cures_separation(n_quadrature):
    rng = np.random.default_rng(1)
    X = pd.DataFrame(rng.normal(size=(300, 2)), columns=["x", "z"])
    X["g"] = rng.integers(0, 20, 300)
    eta = X["x"] + 1.5 * rng.normal(size=20)[X["g"]]
    y = (rng.uniform(size=300) < 1.0 / (1.0 + np.exp(-eta))).astype(int)
    X["flag"] = (y & (rng.uniform(size=300) < 0.2)).astype(float)
    with pytest.warns(SeparationWarning, match="flag"):
        MixedLogisticClassifier("g", n_quadrature=n_quadrature).fit(X, y)
    model = MixedLogisticClassifier("g", n_quadrature=n_quadrature, alpha=0.1).fit(X, y)
    assert model.converged_
    assert 2.0 < model.coef_[-1] < 20.0
    assert np.all(model.results_.bse < 10.0)


@pytest.mark.parametrize("alpha", [1e-4, 0.01, 1.0])
def test_a_column_that_predicts_everything_has_a_finite_coefficient(alpha):
    rng = np.random.default_rng(2)
    X = rng.normal(size=(2000, 1))
    y = (X[:, 0] > 0.2).astype(int)
    groups = rng.integers(0, 20, 2000)
    with pytest.warns(SingularFitWarning):
        model = MixedLogisticClassifier(alpha=alpha).fit(X, y, groups=groups)
    assert model.converged_
    assert 1.0 < model.coef_[0] < 1e4


def test_what_has_no_meaning_is_refused_in_words(rows, response, outcome):
    X, _, _, _ = rows
    linear = MixedLinearRegressor("g", alpha=ALPHA).fit(X, response)
    logistic = MixedLogisticClassifier("g", alpha=ALPHA).fit(X, outcome)
    plain = MixedLinearRegressor("g").fit(X, response)
    refused = [
        lambda: linear.results_.random_effects_test(),
        lambda: linear.results_.coef_table(df="satterthwaite"),
        lambda: linear.results_.coef_table(df="kenward-roger"),
        lambda: linear.results_.coef_table(cov="CR2"),
        lambda: logistic.results_.coef_table(cov="CR0"),
        lambda: profile(logistic),
        lambda: linear.variance_components(method="profile"),
        lambda: likelihood_ratio_test(plain, linear),
        lambda: compare([plain, linear]),
        lambda: hausman_test(linear),
    ]
    for call in refused:
        with pytest.raises(ValueError, match=r"penalised \(alpha=3\)\.\n"):
            call()


def test_what_has_meaning_is_answered(rows, response, outcome):
    X, _, _, _ = rows
    for kind, y in ((MixedLinearRegressor, response), (MixedLogisticClassifier, outcome)):
        model = kind("g", alpha=ALPHA).fit(X, y)
        text = str(model.summary())
        assert "alpha:" in text
        assert "normal prior" in text
        assert "LR test" not in text
        assert np.all(np.isfinite(average_effects(model)["std_error"]))
        assert icc(model)["ci_low"].notna().all()
        assert 0.0 < r_squared(model).marginal < r_squared(model).conditional
        assert bootstrap(model, n_samples=5, random_state=0).samples.notna().all(axis=None)
        assert influence(model, "g").coefficients.notna().all(axis=None)
        assert model.results_.df_resid > len(X) - 6
    left = loo_predict(MixedLinearRegressor("g", alpha=ALPHA).fit(X, response))
    assert left.errors.notna().all()


@pytest.mark.slow
def test_the_conditional_aic_counts_how_fitted_values_follow_responses(rows, response):
    X, _, _, _ = rows
    X, y = X.iloc[:24].drop(columns="h"), response[:24]
    model = MixedLinearRegressor("g", alpha=ALPHA, covariance_prior="weak", tol=1e-13).fit(X, y)
    step, total = 1e-3, 0.0
    for i, up in enumerate(step * np.eye(24)):
        ends = [clone(model).fit(X, y + move).predict(X)[i] for move in (up, -up)]
        total += (ends[0] - ends[1]) / (2.0 * step)
    found = conditional_aic(model)
    assert found.df == pytest.approx(total, rel=1e-5)
    left = y - model.predict(X)
    density = -0.5 * (24 * np.log(2.0 * np.pi * model.scale_) + left @ left / model.scale_)
    assert found.loglik == pytest.approx(density)


@pytest.mark.parametrize("kind", [MixedLinearRegressor, MixedLogisticClassifier])
def test_further_rows_change_effects_only(kind, rows, response, outcome):
    X, _, _, _ = rows
    y = response if kind is MixedLinearRegressor else outcome
    known = X["g"] != 3
    options = {"alpha": ALPHA, "covariance_prior": "weak", "n_quadrature": 1}
    if kind is MixedLinearRegressor:
        del options["n_quadrature"]
    model = kind("g", **options).fit(X[known], y[known])
    coef = model.coef_.copy()
    model.update_groups(X[~known], y[~known])
    np.testing.assert_array_equal(model.coef_, coef)
    b = model.random_effects_.set_index("level").loc[3, "estimate"]
    eta = X.drop(columns="g")[~known].to_numpy() @ coef + model.intercept_
    T = model.covariances_[0].item()
    if kind is MixedLinearRegressor:
        expected = np.sum(y[~known] - eta) / (len(eta) + model.scale_ / T)
        assert b == pytest.approx(expected, rel=1e-8)
    else:
        score = np.sum(y[~known] - 1.0 / (1.0 + np.exp(-eta - b)))
        assert score == pytest.approx(b / T, rel=1e-6)


def test_deletion_of_a_level_is_a_refit_with_the_penalty(rows, response):
    X, _, _, _ = rows
    model = MixedLinearRegressor("g", alpha=ALPHA).fit(X, response)
    refitted = influence(model, "g", refit=True).coefficients
    keep = X["g"] != X["g"].min()
    again = clone(model).fit(X[keep], response[keep])
    np.testing.assert_allclose(refitted.iloc[0], again.results_.params, rtol=1e-6)


def test_the_penalty_can_be_searched(rows, response):
    X, _, _, _ = rows
    search = GridSearchCV(
        MixedLinearRegressor("g"), {"alpha": [0.0, 1.0, 10.0, 100.0]}, cv=GroupKFold(4)
    )
    search.fit(X, response, groups=X["h"])
    assert search.best_params_["alpha"] in (0.0, 1.0, 10.0, 100.0)
    scores = search.cv_results_["mean_test_score"]
    assert len(set(scores.round(12))) == 4
