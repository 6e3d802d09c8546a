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
from statsmodels.tools.numdiff import approx_hess

from skmixed import MixedLinearRegressor, MixedLogisticClassifier
from skmixed._fit.linear import fit_linear
from skmixed._model.averages import Probabilities, normal_density
from skmixed._model.families import Bernoulli
from skmixed._model.parametric import Parametric, Place
from skmixed._model.structures import STRUCTURES
from skmixed._model.terms import Term
from skmixed._sums.design import Design
from skmixed._sums.source import Chunk, InMemory, Moments, Sample
from skmixed.datasets import make_mixed_regression
from skmixed.inference import icc, profile
from skmixed.inference._coefficients.dof import Constant
from skmixed.inference._coefficients.rules import DEGREES_OF_FREEDOM, Degrees, model_covariance
from tests.helpers import dense

pytestmark = pytest.mark.smoke


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
class Autoregressive(Parametric):
    """Correlations ``rho^|i - j|`` of ordered effects with one variance, ``rho = tanh x_2``."""

    n_parameters = 2

    def __init__(self, size):
        self.size = size
        self.lags = np.abs(np.subtract.outer(np.arange(size), np.arange(size)))

    def at(self, x):
        s, rho = x[0], np.tanh(x[1])
        slope = self.lags * rho ** np.maximum(self.lags - 1, 0)
        bend = self.lags * (self.lags - 1) * rho ** np.maximum(self.lags - 2, 0)
        R = rho**self.lags
        R1 = slope * (1.0 - rho**2)
        R2 = bend * (1.0 - rho**2) ** 2 - 2.0 * rho * R1
        second = [[2.0 * R, 2.0 * s * R1], [2.0 * s * R1, s**2 * R2]]
        return Place(s**2 * R, np.array([2.0 * s * R, s**2 * R1]), np.array(second))

    def parameters_of(self, T):
        variance = np.mean(np.diag(T))
        rho = np.mean(np.diag(T, 1)) / variance if variance > 0 else 0.0
        return np.array([np.sqrt(variance), np.arctanh(np.clip(rho, -0.999, 0.999))])


# end: structure


# start: rule
def containment(fit):
    """As many degrees of freedom as the coarsest factor has levels beyond the coefficients."""
    levels = min((len(b) for b in fit.effects), default=int(fit.n))
    return Constant(model_covariance(fit), max(levels - fit.rank, 1))


CONTAINMENT = Degrees(containment, "Degrees of freedom: levels less coefficients.")
# end: rule


# start: display
class EffectsDisplay:
    """Conditional modes of one factor with their limits, sorted: a caterpillar."""

    def __init__(self, table):
        self.table = table

    @classmethod
    def from_estimator(cls, estimator, factor, effect="Intercept", ax=None):
        table = estimator.random_effects_
        chosen = table[(table["factor"] == factor) & (table["effect"] == effect)]
        return cls(chosen.sort_values("estimate")).plot(ax)

    def plot(self, ax=None):
        from matplotlib import pyplot

        self.ax_ = pyplot.subplots()[1] if ax is None else ax
        estimates = self.table["estimate"]
        half = estimates - self.table["ci_low"]
        self.errorbar_ = self.ax_.errorbar(estimates, range(len(half)), xerr=half, fmt="o", ms=3)
        self.ax_.set(xlabel=self.table["effect"].iloc[0], ylabel=self.table["factor"].iloc[0])
        return self


# end: display


# start: source
class Parts:
    """Rows in parts, each of which is read when it is needed: ``read(k)`` gives X, y and codes."""

    def __init__(self, read, count, n_levels):
        self.read = read
        self.count = count
        self.n_levels = n_levels

    @property
    def n_rows(self):
        return sum(len(self.read(k)[1]) for k in range(self.count))

    @property
    def n(self):
        return float(self.n_rows)

    def chunks(self, rows=None):
        for k in range(self.count):
            X, y, codes = self.read(k)
            yield Chunk(X, y, None, codes)

    def moments(self):
        mean = sum(chunk.X.sum(axis=0) for chunk in self.chunks()) / self.n
        variance = sum(((chunk.X - mean) ** 2).sum(axis=0) for chunk in self.chunks()) / self.n
        return Moments(mean, np.sqrt(variance), np.sqrt(variance + mean**2))

    def sample(self, most, *, response):
        step = -(-self.n_rows // most)
        X = np.concatenate([chunk.X[::step] for chunk in self.chunks()])[:most]
        y = np.concatenate([chunk.y[::step] for chunk in self.chunks()])[:most]
        return Sample(X, y if response else None, np.ones(len(X)))


# end: source


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
    chart = structure.chart(structure.at(np.array([0.8, 0.4])).T)
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
        T = Autoregressive(3).at(parameters).T
        return dense.dense_deviance(y, fixed, [Z], [T])

    best = Autoregressive(3).parameters_of(model.covariances_[0] / model.scale_)
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
    variance = table[table["parameter"] == "variance"].iloc[0]
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
    errors = np.sqrt(2.0 * np.diag(np.linalg.inv(approx_hess(best.x, deviance))))[:3]
    np.testing.assert_allclose(model.results_.bse, errors, rtol=1e-4)


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


def test_rule_end_to_end(monkeypatch):
    monkeypatch.setitem(DEGREES_OF_FREEDOM, "containment", CONTAINMENT)
    X, y = make_mixed_regression(n_groups=12, rows_per_group=5, random_state=0)
    model = MixedLinearRegressor(groups="group").fit(X, y)
    table = model.results_.coef_table(df="containment")
    assert table["df"].to_list() == [9.0] * 3
    np.testing.assert_allclose(table["std_err"], model.results_.bse, rtol=1e-12)
    assert "Degrees of freedom: levels less coefficients." in str(model.summary(df="containment"))
    assert model.results_.wald_test("x0 = 0", df="containment").df_denom == 9.0


def test_display_end_to_end():
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    X, y = make_mixed_regression(random_state=0)
    model = MixedLinearRegressor(random_effects="(1 + x0 | group)").fit(X, y)
    display = EffectsDisplay.from_estimator(model, "group", "x0")
    drawn = display.errorbar_.lines[0].get_xdata(orig=False)
    np.testing.assert_allclose(np.sort(model.results_.random_effects["group"]["x0"]), drawn)
    assert display.ax_.get_ylabel() == "group"


def test_source_end_to_end():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(900, 2))
    codes = np.sort(rng.integers(0, 60, 900))
    y = X @ [1.0, -1.0] + rng.normal(size=60)[codes] + rng.normal(size=900)
    ends = np.array([0, 250, 600, 900])

    def read(k):
        rows = slice(ends[k], ends[k + 1])
        return X[rows], y[rows], [codes[rows]]

    terms = [Term(0, (0,), True, "unstructured")]
    fits = [
        fit_linear(
            Design.of(source, terms, n_fixed=2, fit_intercept=True),
            reml=True,
            tol=1e-12,
            max_iter=100,
        )
        for source in (Parts(read, 3, [60]), InMemory(X, y, None, [codes], [60]))
    ]
    assert fits[0].loglik == pytest.approx(fits[1].loglik, rel=1e-12)
    np.testing.assert_allclose(fits[0].coefficients, fits[1].coefficients, rtol=1e-8)
    np.testing.assert_allclose(fits[0].covariances[0], fits[1].covariances[0], rtol=1e-6)
    np.testing.assert_allclose(fits[0].effects[0], fits[1].effects[0], rtol=1e-5, atol=1e-8)
