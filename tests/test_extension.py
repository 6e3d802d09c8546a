"""A reader's own family and covariance structure: written here and nowhere else, fitted end to end.

``CONTRIBUTING.md`` shows the two classes.
"""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize
from scipy.special import log_ndtr, ndtr, ndtri

from skmixed import MixedLinearRegressor, MixedLogisticClassifier
from skmixed._model.averages import Probabilities, normal_density
from skmixed._model.charts import Chart
from skmixed._model.coordinates import squared
from skmixed._model.families import Bernoulli
from skmixed._model.structures import STRUCTURES, Cone, Structure, commonly_scaled
from skmixed.inference import icc, profile
from tests.helpers import dense


# start: family
class ProbitRows:
    """Zeros and ones at one linear predictor: with s = 2 y - 1 the log-likelihood is log Phi(s eta)."""

    def __init__(self, eta, y, m):
        s = 2.0 * y - 1.0
        t = s * eta
        ratio = np.exp(-0.5 * t**2 - 0.5 * np.log(2.0 * np.pi) - log_ndtr(t))  # phi / Phi
        slope = -ratio * (t + ratio)
        bend = -slope * (t + ratio) - ratio * (1.0 + slope)
        last = -bend * (t + ratio) - 2.0 * slope * (1.0 + slope) - ratio * bend
        self.eta = eta
        self.loglik = m * log_ndtr(t)
        self.score = m * s * ratio
        self.weight = -m * slope
        self.skew = -m * s * bend
        self.curvature = -m * last


class ProbitAverages(Probabilities):
    """``E Phi(eta + sd Z) = Phi(eta / sqrt(1 + sd^2))`` and its derivatives."""

    def __init__(self, eta, sd):
        width = np.sqrt(1.0 + sd**2)
        z = eta / width
        self.mean = ndtr(z)
        self.complement = ndtr(-z)
        self.slope = normal_density(z) / width
        self.bend = -z * normal_density(z) / width**2


class BernoulliProbit(Bernoulli):
    """Zeros and ones with ``Phi^-1(mu) = eta``."""

    name = "probit"
    word = "probit"
    exponentiated_name = None

    def at(self, eta, y, m):
        return ProbitRows(eta, y, m)

    def mean(self, eta):
        return ndtr(eta)

    def link(self, mean):
        return ndtri(mean)

    def start(self, y):
        return ndtri((y + 0.5) / 2.0)

    def averaged(self, eta, sd):
        return ProbitAverages(eta, sd)

    def residual_variance(self, mean=None):
        return 1.0


class MixedProbitClassifier(MixedLogisticClassifier):
    """Probit regression with random effects."""

    family = BernoulliProbit()


# end: family


# start: structure
class Autoregressive(Structure):
    """One variance, and correlations ``rho^|i - j|`` of ordered effects: ``T = s^2 R(tanh a)``."""

    n_parameters = 2
    standardise = staticmethod(commonly_scaled)

    def __init__(self, size):
        self.size = size
        self.lags = np.abs(np.subtract.outer(np.arange(size), np.arange(size)))

    def matrices(self, s, a):
        """T, its derivatives in s and a, and its second derivatives."""
        rho = np.tanh(a)
        first = self.lags * rho ** np.maximum(self.lags - 1, 0)
        second = self.lags * (self.lags - 1) * rho ** np.maximum(self.lags - 2, 0)
        R = rho**self.lags
        R1 = first * (1.0 - rho**2)
        R2 = second * (1.0 - rho**2) ** 2 - 2.0 * rho * R1
        return (
            s**2 * R,
            [2.0 * s * R, s**2 * R1],
            [[2.0 * R, 2.0 * s * R1], [2.0 * s * R1, s**2 * R2]],
        )

    def state(self, T):
        rho = T[0, 1] / T[0, 0] if T[0, 0] > 0 else 0.0
        return np.array([np.sqrt(T[0, 0]), np.arctanh(np.clip(rho, -0.999999, 0.999999))])

    def chart(self, T):
        s, a = self.state(T)
        _, first, second = self.matrices(s, a)
        return Chart(
            derivatives=np.array(first),
            second=lambda D: np.einsum("abij,ij->ab", np.array(second), D),
            move=lambda step: self.matrices(s + step[0], a + step[1])[0],
            radius=float(np.hypot(s, 1.0)),
        )

    def start(self, S, floor):
        least = np.mean(floor)
        variance = np.clip(np.mean(np.diag(S)), least, 1e6 * least)
        return variance * 0.5**self.lags

    def snapped(self, T, least):
        return T if T[0, 0] >= least else np.zeros_like(T)

    def is_interior(self, T):
        return bool(T[0, 0] > 0 and abs(T[0, 1]) < (1.0 - 1e-9) * T[0, 0])

    def cone_at(self, span):
        if not np.any(span):  # without a variance there is no correlation to speak of
            return Cone(np.zeros((0, self.size, self.size)), [(1, np.eye(self.size)[None])])
        return Cone(self.chart(span).derivatives, [])

    def coordinates(self, kind, rows, row, col):
        return (StandardDeviationFirst(self), ()) if kind == "variance" else None


# end: structure


class StandardDeviationFirst:
    """Coordinates (s, a) for the profile of the common variance."""

    low = 0.0
    high = np.inf
    parameter = staticmethod(squared)

    def __init__(self, structure):
        self.structure = structure
        self.state = structure.state

    def opened(self, T, floor):
        return T

    def lifted(self, state, floor):
        return state

    def value(self, state):
        return float(state[0])

    def matrix(self, state):
        return self.structure.matrices(*state)[0]

    def chart(self, state):
        chart = self.structure.chart(self.matrix(state))
        return chart._replace(move=lambda step: state + step)


@pytest.fixture
def autoregressive(monkeypatch):
    monkeypatch.setitem(STRUCTURES, "autoregressive", Autoregressive)


def waves(seed=0, levels=20):
    """Four rows in each of three waves per level, whose effects are correlated along the waves."""
    rng = np.random.default_rng(seed)
    group = np.repeat(np.arange(levels), 12)
    wave = np.tile(np.repeat(np.arange(3), 4), levels)
    columns = np.eye(3)[wave]
    T = 1.5 * 0.6 ** np.abs(np.subtract.outer(np.arange(3), np.arange(3)))
    b = rng.multivariate_normal(np.zeros(3), T, levels)
    x = rng.normal(size=len(group))
    y = 1.0 + 0.5 * x + b[group, wave] + rng.normal(size=len(group))
    X = pd.DataFrame(columns, columns=["w0", "w1", "w2"]).assign(x=x, group=group)
    return X[["x", "w1", "w2", "w0", "group"]], y


TERMS = "(0 + w0 + w1 + w2 | group)"


def fitted_waves():
    X, y = waves()
    X = X[["x", "w0", "w1", "w2", "group"]]
    model = MixedLinearRegressor(
        random_effects=TERMS, covariance="autoregressive", fit_intercept=False
    )
    return model.fit(X, y), X, y


@pytest.mark.parametrize("size", [2, 4])
def test_charts_of_the_structure(size):
    structure = Autoregressive(size)
    chart = structure.chart(structure.matrices(0.8, 0.4)[0])
    D = np.random.default_rng(0).normal(size=(size, size))
    h = 1e-4
    for a, E in enumerate(np.eye(2)):
        slope = (chart.move(h * E) - chart.move(-h * E)) / (2 * h)
        np.testing.assert_allclose(chart.derivatives[a], slope, atol=1e-7)
        for b, F in enumerate(np.eye(2)):
            corners = [(1, 1), (1, -1), (-1, 1), (-1, -1)]
            second = sum(s * t * np.sum(D * chart.move(h * (s * E + t * F))) for s, t in corners)
            assert chart.second(D)[a, b] == pytest.approx(second / (4 * h * h), abs=1e-5)


def test_structure_against_a_dense_likelihood(autoregressive):
    model, X, y = fitted_waves()
    Z = dense.term_design(X["group"].to_numpy(), X[["w0", "w1", "w2"]].to_numpy())
    fixed = X[["x", "w0", "w1", "w2"]].to_numpy()

    def deviance(parameters):
        T = Autoregressive(3).matrices(*parameters)[0]
        return dense.dense_deviance(y, fixed, [Z], [T])

    best = Autoregressive(3).state(model.covariances_[0] / model.scale_)
    assert -2 * model.loglik_ == pytest.approx(deviance(best), rel=1e-10)
    for step in 0.02 * np.eye(2):
        around = [deviance(best + step), deviance(best), deviance(best - step)]
        assert around[0] - 2 * around[1] + around[2] > 0
        assert abs(around[0] - around[2]) < 0.05 * (around[0] - 2 * around[1] + around[2])
    assert model.converged_


def test_structure_end_to_end(autoregressive):
    model, X, _y = fitted_waves()
    text = str(model.summary())
    assert "group: autoregressive" in text and "var(w0)" in text and "cov(w0,w2)" in text
    errors = model.variance_components()["std_error"]
    assert np.all(np.isfinite(errors)) and np.all(errors > 0)
    table = profile(model)
    variance = table[table["effect"] == "w0"].iloc[0]
    assert variance["ci_low"] < model.covariances_[0][0, 0] < variance["ci_high"]
    mean, std = model.predict(X[:6].assign(group=[0, 1, 2, -1, -2, -3]), return_std=True)
    assert np.all(np.isfinite(mean)) and np.all(std[3:] > std[:3])
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
    assert str(again.summary()).splitlines()[3:] == text.splitlines()[3:]


def outcomes(seed=1, levels=60):
    rng = np.random.default_rng(seed)
    group = np.repeat(np.arange(levels), 10)
    X = pd.DataFrame(rng.normal(size=(len(group), 2)), columns=["x0", "x1"]).assign(group=group)
    eta = 0.3 + 0.8 * X["x0"] - 0.5 * X["x1"] + rng.normal(scale=0.8, size=levels)[group]
    return X, (eta + rng.normal(size=len(X)) > 0).astype(int).to_numpy()


@pytest.mark.parametrize("eta", [-5.0, -2.0, 0.0, 0.7, 6.0])
@pytest.mark.parametrize("y", [0.0, 1.0])
def test_derivatives_of_the_family(eta, y):
    h = 1e-4

    def at(shift):
        return BernoulliProbit().at(np.array([eta + shift]), np.array([y]), 2.0)

    point, above, below = at(0.0), at(h), at(-h)
    chain = [
        ("loglik", "score", 1),
        ("score", "weight", -1),
        ("weight", "skew", 1),
        ("skew", "curvature", 1),
    ]
    for name, derivative, sign in chain:
        slope = sign * (getattr(above, name) - getattr(below, name)) / (2 * h)
        assert getattr(point, derivative) == pytest.approx(slope, rel=1e-5, abs=1e-7)


def dense_probit(y, X, codes, beta, variance, points):
    """-2 log-likelihood of random intercepts by Gauss-Hermite quadrature around zero with many points."""
    z, w = np.polynomial.hermite_e.hermegauss(points)
    eta = (X @ beta)[:, None] + np.sqrt(variance) * z
    rows = log_ndtr(np.where(y[:, None] > 0, eta, -eta))
    levels = np.zeros((codes.max() + 1, points))
    np.add.at(levels, codes, rows)
    return -2 * np.sum(np.log(np.exp(levels) @ (w / w.sum())))


def test_family_against_a_dense_likelihood():
    X, y = outcomes()
    model = MixedProbitClassifier("group", n_quadrature=15).fit(X, y)
    columns = np.column_stack([np.ones(len(X)), X[["x0", "x1"]]])

    def deviance(parameters):
        *beta, log_sd = parameters
        return dense_probit(y, columns, X["group"].to_numpy(), beta, np.exp(2 * log_sd), 80)

    best = minimize(deviance, [0.3, 0.8, -0.5, -0.2], method="BFGS")
    assert -2 * model.loglik_ == pytest.approx(best.fun, abs=1e-5)
    np.testing.assert_allclose([model.intercept_, *model.coef_], best.x[:3], atol=1e-4)
    assert model.covariances_[0][0, 0] == pytest.approx(np.exp(2 * best.x[3]), rel=1e-3)
    errors = np.sqrt(np.diag(best.hess_inv) * 2.0)[:3]
    np.testing.assert_allclose(model.results_.bse, errors, rtol=0.15)


def test_family_end_to_end():
    X, y = outcomes()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = MixedProbitClassifier("group").fit(X, y)
    text = str(model.summary())
    assert "Mixed-effects probit regression" in text and "LR test vs. probit model" in text
    with pytest.raises(ValueError, match=r"probit.*\n.*coef_table"):
        model.summary(odds_ratios=True)
    limits = profile(model)
    row = limits[limits["effect"] == "Intercept"].iloc[-1]
    assert row["ci_low"] < row["estimate"] < row["ci_high"]
    new = X[:3].assign(group=-1)
    proba, std = model.predict_proba(new, return_std=True)
    eta = model.intercept_ + new[["x0", "x1"]].to_numpy() @ model.coef_
    width = np.sqrt(1.0 + model.covariances_[0][0, 0])
    np.testing.assert_allclose(proba[:, 1], ndtr(eta / width), rtol=1e-12)
    assert np.all(std > 0)
    share = icc(model).iloc[0]["icc"]
    assert share == pytest.approx(1.0 - 1.0 / width**2)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_allclose(
        again.predict_proba(X, return_std=True), model.predict_proba(X, return_std=True)
    )
    assert str(again.summary()) == text
    assert set(model.simulate(X, random_state=0).ravel()) == {0, 1}
