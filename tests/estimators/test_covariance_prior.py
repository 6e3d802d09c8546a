"""`covariance_prior="weak"`: against dense formulas, away from the boundary, the same in any units."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import GridSearchCV, KFold

from skmixed import MixedLinearRegressor, MixedLogisticClassifier
from skmixed.datasets import make_mixed_classification, make_mixed_regression
from skmixed.exceptions import SingularFitWarning
from skmixed.inference import (
    bootstrap,
    compare,
    conditional_aic,
    icc,
    influence,
    likelihood_ratio_test,
    profile,
    r_squared,
)
from tests.estimators.test_ridge import (
    TERMS,
    coefficients,
    distance_to_optimum,
    matrices,
    outcome,
    response,
    rows,
)
from tests.helpers import dense, dense_glmm, dense_penalised

__all__ = ["outcome", "response", "rows"]


@pytest.mark.parametrize(("method", "alpha"), [("ml", 0.0), ("reml", 0.0), ("reml", 3.0)])
def test_the_linear_fit_is_the_optimum_of_the_dense_formula(rows, response, method, alpha):
    X, _, weights, _ = rows
    options = {"alpha": alpha, "method": method, "covariance_prior": "weak"}
    model = MixedLinearRegressor(random_effects=TERMS, **options)
    model.fit(X, response, sample_weight=weights)
    F, Zs = matrices(X)
    Ts = [S / model.scale_ for S in model.covariances_]
    sizes = [len(T) for T in Ts]

    def twin(x):
        Ts = dense_penalised.symmetric(x, sizes)
        found = dense_penalised.ridge_gls(response, F, Zs, Ts, alpha, weights, method == "reml")
        return found.deviance + dense_penalised.weak_prior(Ts)

    found = dense_penalised.ridge_gls(response, F, Zs, Ts, alpha, weights, method == "reml")
    assert model.converged_
    np.testing.assert_allclose(coefficients(model), found.beta, rtol=1e-8)
    np.testing.assert_allclose(model.scale_, found.sigma2, rtol=1e-8)
    assert distance_to_optimum(twin, dense_penalised.roots(Ts)) < 1e-8
    if not alpha:
        likelihood = dense.dense_deviance(response, F, Zs, Ts, weights, method == "reml")
        np.testing.assert_allclose(-2.0 * model.loglik_, likelihood, rtol=1e-10)


def test_the_logistic_fit_is_the_optimum_of_the_dense_formula(rows, outcome):
    X, _, weights, _ = rows
    model = MixedLogisticClassifier(
        random_effects="(1 + a | g) + (1 | h)", covariance_prior="weak", alpha=1.0
    )
    model.fit(X, outcome, sample_weight=weights)
    F, Zs = matrices(X)
    Zs = [Zs[0], Zs[2]]
    centre = np.eye(5)
    centre[0, 1:] = -F[:, 1:].mean(axis=0)
    beta, Ts = coefficients(model), model.covariances_

    def twin(x):
        Ts = dense_penalised.symmetric(x[5:], [2, 1])
        found = dense_penalised.ridge_laplace(outcome, F, Zs, centre @ x[:5], Ts, 1.0, weights)
        return found + dense_penalised.weak_prior(Ts)

    x = np.concatenate([np.linalg.solve(centre, beta), dense_penalised.roots(Ts)])
    units = np.concatenate([[1.0], 1.0 / dense_penalised.spread(F, weights)[1:], np.ones(4)])
    assert model.converged_
    assert distance_to_optimum(lambda z: twin(units * z), x / units) < 1e-8
    likelihood = dense_glmm.laplace_deviance(outcome, F, Zs, beta, Ts, weights)
    np.testing.assert_allclose(-2.0 * model.loglik_, likelihood, rtol=1e-8)


@pytest.fixture(scope="module")
def alike():
    """Groups that do not differ: the likelihood's variance is zero."""
    rng = np.random.default_rng(8)
    X = pd.DataFrame({"x": rng.normal(size=60), "g": np.arange(60) % 6})
    noise = rng.normal(size=60)
    noise -= 0.9 * pd.Series(noise).groupby(X["g"]).transform("mean").to_numpy()
    return X, X["x"] + noise


def test_no_variance_is_zero_and_no_correlation_one(alike):
    X, y = alike
    with pytest.warns(SingularFitWarning):
        plain = MixedLinearRegressor(random_effects="(1 + x | g)").fit(X, y)
    model = MixedLinearRegressor(random_effects="(1 + x | g)", covariance_prior="weak").fit(X, y)
    correlation = model.covariances_[0][0, 1] / np.sqrt(np.prod(np.diag(model.covariances_[0])))
    assert np.linalg.eigvalsh(plain.covariances_[0])[0] < 1e-6
    assert np.linalg.eigvalsh(model.covariances_[0])[0] > 1e-3
    assert abs(correlation) < 0.95
    assert model.variance_components()["std_error"].notna().all()
    assert model.converged_
    y = (y > y.median()).astype(int)
    with pytest.warns(SingularFitWarning):
        MixedLogisticClassifier("g").fit(X, y)
    assert MixedLogisticClassifier("g", covariance_prior="weak").fit(X, y).covariances_[0] > 0.01


def test_of_one_variance_the_prior_is_a_gamma_of_its_root(alike):
    """Balanced groups: the maximum of log L + log tau, in closed form."""
    X, y = alike
    model = MixedLinearRegressor("g", method="ml", covariance_prior="weak").fit(X[["g"]], y)
    means = y.groupby(X["g"]).mean()
    within = float(np.sum((y - means[X["g"]].to_numpy()) ** 2))
    between = 10.0 * float(np.sum((means - y.mean()) ** 2))
    grid = np.linspace(1e-4, 0.5, 400_001)
    size = 1.0 + 10.0 * grid
    deviance = 6 * np.log(size) + 60 * np.log(within + between / size) - np.log(grid)
    found = model.covariances_[0].item() / model.scale_
    assert found == pytest.approx(grid[deviance.argmin()], abs=2e-6)


@pytest.mark.parametrize("kind", [MixedLinearRegressor, MixedLogisticClassifier])
@pytest.mark.parametrize("terms", ["(1 + a | g)", "(1 + a || g)"])
def test_units_do_not_matter(kind, terms, rows, response, outcome):
    X, _, weights, _ = rows
    y = response if kind is MixedLinearRegressor else outcome
    options = {"random_effects": terms, "covariance_prior": "weak"}
    options |= {"method": "ml"} if kind is MixedLinearRegressor else {"n_quadrature": 1}
    moved = X.assign(a=X["a"] * 1e4 + (1e5 if "||" not in terms else 0.0))
    own, other = (kind(**options).fit(x, y, sample_weight=weights) for x in (X, moved))
    np.testing.assert_allclose(other.coef_[0] * 1e4, own.coef_[0], rtol=1e-6)
    np.testing.assert_allclose(other.predict(moved), own.predict(X), rtol=1e-6)
    np.testing.assert_allclose(other.loglik_, own.loglik_, atol=0.0, rtol=1e-8)


@pytest.mark.slow
def test_models_that_say_the_same_have_the_same_prior():
    """Effects of the kinds within groups with one variance, and effects of the combinations."""
    X, y = make_mixed_regression(n_groups=12, rows_per_group=8, random_state=1)
    kind = np.arange(len(X)) % 3
    wide = X.assign(**{f"k{j}": (kind == j) * 1.0 for j in range(3)})
    first = MixedLinearRegressor(
        formula="x0 + x1 + (0 + k0 + k1 + k2 | group)",
        covariance="identity",
        covariance_prior="weak",
    )
    first.fit(wide, y)
    pairs = X.drop(columns="group").assign(both=X["group"].astype(str) + "/" + kind.astype(str))
    second = MixedLinearRegressor("both", covariance_prior="weak").fit(pairs, y)
    np.testing.assert_allclose(first.covariances_[0][0, 0], second.covariances_[0][0, 0], rtol=1e-5)
    np.testing.assert_allclose(first.coef_, second.coef_, rtol=1e-6)


def test_many_levels_drown_the_prior():
    X, y = make_mixed_regression(n_groups=2000, rows_per_group=5, random_state=0)
    plain = MixedLinearRegressor("group").fit(X, y)
    weak = MixedLinearRegressor("group", covariance_prior="weak").fit(X, y)
    assert weak.covariances_[0] == pytest.approx(plain.covariances_[0], rel=2e-3)
    assert weak.covariances_[0] > plain.covariances_[0]
    assert weak.loglik_ < plain.loglik_


def test_too_few_levels_are_refused_in_words():
    X, y = make_mixed_regression(n_groups=2, rows_per_group=20, random_state=0)
    model = MixedLinearRegressor("group", covariance_prior="weak")
    with pytest.raises(ValueError, match=r"group has 2 levels.*\nUse .* or method='ml'"):
        model.fit(X, y)
    assert model.set_params(method="ml").fit(X, y).converged_
    with pytest.raises(ValueError, match="group has 1 level,"):
        model.fit(X.assign(group=1), y)
    empty = MixedLinearRegressor(random_effects="(1 + z | g)", covariance_prior="weak")
    with pytest.raises(ValueError, match=r"effect of 'z' in g.*\nDrop it"):
        empty.fit(X.assign(z=4.0, g=np.arange(len(X)) % 5).drop(columns="group"), y)
    with pytest.raises(ValueError, match="covariance_prior"):
        model.set_params(covariance_prior="strong").fit(X, y)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [MixedLinearRegressor, MixedLogisticClassifier])
def test_after_the_fit(kind, rows, response, outcome):
    X, _, _, _ = rows
    y = response if kind is MixedLinearRegressor else outcome
    model = kind("g", covariance_prior="weak").fit(X, y)
    plain = kind("g").fit(X, y)
    again = pickle.loads(pickle.dumps(model))
    assert again.results_.aic == model.results_.aic
    np.testing.assert_allclose(again.predict(X), model.predict(X))
    text = str(model.summary())
    assert "covariance_prior:" in text
    assert "off zero" in text
    assert "LR test" not in text
    assert icc(model)["ci_low"].notna().all()
    assert 0.0 < r_squared(model).marginal < r_squared(model).conditional
    assert bootstrap(model, n_samples=5, random_state=0).samples.notna().all(axis=None)
    assert influence(model, "g").coefficients.notna().all(axis=None)
    assert np.isfinite(conditional_aic(model).caic)
    assert model.results_.n_params == plain.results_.n_params
    for call in (
        lambda: model.results_.random_effects_test(),
        lambda: profile(model),
        lambda: likelihood_ratio_test(plain, model),
        lambda: compare([plain, model]),
    ):
        with pytest.raises(ValueError, match=r"penalised \(covariance_prior='weak'\)\.\n"):
            call()


@pytest.mark.filterwarnings("ignore::skmixed.SkmixedWarning")
def test_it_can_be_searched():
    X, y = make_mixed_classification(n_groups=10, rows_per_group=8, random_state=3)
    grid = {"covariance_prior": [None, "weak"], "alpha": [0.0, 1.0]}
    search = GridSearchCV(
        MixedLogisticClassifier("group", n_quadrature=1),
        grid,
        cv=KFold(2, shuffle=True, random_state=0),
        scoring="neg_log_loss",
    )
    search.fit(X, y)
    assert np.all(np.isfinite(search.cv_results_["mean_test_score"]))
    assert len(set(search.cv_results_["mean_test_score"].round(12))) == 4
