"""The classifier as a user meets it: probabilities and their errors, simulation, tables, tests, warnings."""

import itertools
import re
import warnings

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import integrate, stats
from scipy.special import expit, logit
from sklearn.exceptions import NotFittedError
from sklearn.metrics import accuracy_score, log_loss

from skmixed import (
    ConvergenceWarning,
    GroupsWarning,
    LaplaceWarning,
    MixedLogisticClassifier,
    RankDeficiencyWarning,
    SeparationWarning,
    SingularFitWarning,
)
from skmixed._model.families import BernoulliLogit
from skmixed.datasets import make_mixed_classification
from skmixed.inference import likelihood_ratio_test
from tests.helpers import dense
from tests.helpers import dense_glmm as dense_logistic

KINDS = ("conditional", "population", "marginal")
SLOPES = "(1 + x0 | group)"
CROSSED = "(1 + x0 | group) + (1 | site)"


@pytest.fixture(scope="module")
def data():
    return make_mixed_classification(
        n_groups=40, rows_per_group=25, coef=(0.8, -0.5), random_state=1
    )


@pytest.fixture(scope="module")
def intercepts(data):
    return MixedLogisticClassifier(groups="group", n_quadrature=1).fit(*data)


@pytest.fixture(scope="module")
def sloping():
    """Groups that differ in the slope of x0 as well."""
    covariance = [[0.6, 0.1], [0.1, 0.3]]
    return make_mixed_classification(
        40, 40, coef=(0.8, -0.5), covariance=covariance, random_state=2
    )


@pytest.fixture(scope="module")
def slopes(sloping):
    return MixedLogisticClassifier(random_effects=SLOPES, n_quadrature=1).fit(*sloping)


@pytest.fixture(scope="module")
def two_factors():
    """Groups that differ in a slope, crossed with sites."""
    rng = np.random.default_rng(3)
    group, site = rng.integers(0, 20, 800), rng.integers(0, 8, 800)
    X = pd.DataFrame(
        {
            "x0": rng.normal(size=800),
            "x1": 5.0 + 3.0 * rng.normal(size=800),
            "group": group,
            "site": site,
        }
    )
    b = rng.multivariate_normal([0.0, 0.0], [[1.0, 0.3], [0.3, 0.6]], 20)[group]
    eta = (
        0.5 * X["x0"]
        + 0.2 * (X["x1"] - 5)
        + b[:, 0]
        + b[:, 1] * X["x0"]
        + 0.9 * rng.normal(size=8)[site]
    )
    return X, (rng.uniform(size=800) < expit(eta)).astype(int)


@pytest.fixture(scope="module")
def crossed(two_factors):
    return MixedLogisticClassifier(random_effects=CROSSED).fit(*two_factors)


LEVELS = {
    "known": {},
    "one of two known": {"group": -7},
    "other of two known": {"site": -7},
    "new": {"group": -7, "site": -7},
}

# ------------------------------------------------------------------------------------------------ four ways to say it


def numerical_average(eta, sd):
    """``E expit(eta + sd Z)`` by adaptive quadrature, the range cut where the logistic function turns."""
    if sd == 0:
        return expit(eta)
    cuts = np.clip(np.array([-eta - 40.0, -eta - 5.0, -eta, -eta + 5.0, -eta + 40.0]) / sd, -38, 38)
    cuts = np.unique([-38.0, -8.0, 0.0, 8.0, 38.0, *cuts])
    parts = [
        integrate.quad(
            lambda z: expit(eta + sd * z) * stats.norm.pdf(z),
            a,
            b,
            epsabs=1e-14,
            epsrel=1e-12,
            limit=200,
        )
        for a, b in itertools.pairwise(cuts)
    ]
    return sum(value for value, _ in parts)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("levels", LEVELS)
def test_four_methods_agree(two_factors, crossed, kind, levels):
    X = two_factors[0].assign(**LEVELS[levels])
    proba, log_proba = crossed.predict_proba(X, kind=kind), crossed.predict_log_proba(X, kind=kind)
    log_odds = crossed.decision_function(X, kind=kind)
    np.testing.assert_allclose(proba.sum(axis=1), 1.0, rtol=1e-12)
    np.testing.assert_allclose(np.log(proba), log_proba, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(logit(proba[:, 1]), log_odds, rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(
        crossed.predict(X, kind=kind), crossed.classes_[(log_odds > 0).astype(int)]
    )
    np.testing.assert_array_equal(
        crossed.predict(X, kind=kind), crossed.classes_[np.argmax(proba, axis=1)]
    )
    np.testing.assert_array_equal(crossed.predict_proba(X, kind=kind, return_std=True)[0], proba)


@pytest.mark.parametrize("levels", LEVELS)
def test_kinds_of_probability(two_factors, crossed, levels):
    """Known levels count with their modes, new ones with the variance of z'b; checked by hand."""
    X = two_factors[0].assign(**LEVELS[levels])
    fixed = crossed.intercept_ + X[["x0", "x1"]].to_numpy() @ crossed.coef_
    effects, (S, s) = crossed.results_.random_effects, crossed.covariances_
    group, site = (effects[f].reindex(X[f]).fillna(0.0).to_numpy() for f in ("group", "site"))
    z = np.column_stack([np.ones(len(X)), X["x0"]])
    eta = fixed + np.sum(z * group, axis=1) + site[:, 0]
    own, shared = np.einsum("ni,ij,nj->n", z, S, z), np.full(len(X), s[0, 0])
    left = own * ("group" in LEVELS[levels]) + shared * ("site" in LEVELS[levels])
    probability = dense_logistic.integrated_probability
    np.testing.assert_allclose(crossed.predict_proba(X)[:, 1], probability(eta, left), rtol=1e-10)
    np.testing.assert_allclose(
        crossed.predict_proba(X, kind="population")[:, 1], expit(fixed), rtol=1e-12
    )
    average = crossed.predict_proba(X, kind="marginal")[:, 1]
    np.testing.assert_allclose(average, probability(fixed, own + shared), rtol=1e-10)
    if levels == "new":
        np.testing.assert_array_equal(average, crossed.predict_proba(X)[:, 1])


def test_mixture_of_known_and_new_rows(two_factors, crossed):
    """Every row by itself: what stands beside it does not matter."""
    X = two_factors[0]
    mixed = X.assign(
        group=np.where(X["x0"] > 0, X["group"], 99), site=np.where(X["x1"] > 5, X["site"], -1)
    )
    together, errors = crossed.predict_proba(mixed, return_std=True)
    one_by_one = [
        crossed.predict_proba(mixed[i : i + 1], return_std=True) for i in range(0, 800, 50)
    ]
    np.testing.assert_allclose(together[::50], np.vstack([p for p, _ in one_by_one]), rtol=1e-12)
    np.testing.assert_allclose(errors[::50], np.vstack([s for _, s in one_by_one]), rtol=1e-12)


@pytest.mark.parametrize("sd", [0.01, 0.1, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 20.0])
def test_integrals_are_exact(sd):
    eta = np.array([-60.0, -30.0, -12.0, -5.0, -2.0, -0.7, 0.0, 0.3, 1.0, 4.0, 9.0, 25.0, 60.0])
    found = BernoulliLogit().averaged(eta, np.full(len(eta), sd))
    expected = np.array([numerical_average(e, sd) for e in eta])
    proba = found.both
    np.testing.assert_allclose(proba[:, 1], expected, rtol=0, atol=1e-9)
    np.testing.assert_allclose(
        proba[:, 0], [numerical_average(-e, sd) for e in eta], rtol=0, atol=1e-9
    )
    seen = expected > 1e-12  # further out the integral lies beyond 8.5 standard deviations
    logarithms = found.logarithms[seen, 1]
    np.testing.assert_allclose(logarithms, np.log(expected[seen]), rtol=0, atol=1e-3)


def test_far_tails_without_an_integral(intercepts, data):
    """Log-probabilities of known levels do not overflow or vanish."""
    X = data[0][:4].assign(x0=[-2000.0, -800.0, 800.0, 2000.0])
    for kind in ("conditional", "population"):
        log_odds = intercepts.decision_function(X, kind=kind)
        assert np.all(np.isfinite(log_odds)) and np.all(np.diff(log_odds) > 500)
        expected = np.column_stack([np.minimum(-log_odds, 0.0), np.minimum(log_odds, 0.0)])
        np.testing.assert_allclose(
            intercepts.predict_log_proba(X, kind=kind), expected, rtol=1e-12, atol=1e-200
        )


def test_far_tails_of_an_integral(intercepts, data):
    """The same for new levels, whose average is dominated by ``exp(eta + sd^2 / 2)``."""
    X = data[0][:4].assign(x0=[-60.0, -40.0, 40.0, 60.0], group=-1)
    eta = intercepts.intercept_ + X[["x0", "x1"]].to_numpy() @ intercepts.coef_
    expected = eta - np.sign(eta) * intercepts.covariances_[0][0, 0] / 2
    np.testing.assert_allclose(intercepts.decision_function(X), expected, rtol=1e-9)


@pytest.mark.parametrize("sd", [0.5, 1.0, 1.2, 1.5, 3.0, 5.0])
def test_probabilities_stay_within_zero_and_one(sd):
    """An average of ones is one, not one and a rounding error more: scikit-learn's metrics refuse that."""
    eta = np.linspace(-200.0, 200.0, 1000)
    y = np.arange(1000) % 2
    found = BernoulliLogit().averaged(eta, np.full(len(eta), sd))
    proba = found.both
    assert np.all(found.logarithms <= 0.0)
    assert proba.min() >= 0.0 and proba.max() <= 1.0
    assert np.isfinite(log_loss(y, proba))


# ------------------------------------------------------------------------------------------- errors of probabilities


def fixed_design(X):
    return np.column_stack([np.ones(len(X)), X[["x0", "x1"]]])


@pytest.mark.parametrize("fixture", ["slopes", "crossed"])
def test_errors_for_a_typical_level(request, fixture):
    """The delta method by hand."""
    model = request.getfixturevalue(fixture)
    X = request.getfixturevalue({"slopes": "sloping", "crossed": "two_factors"}[fixture])[0]
    x, p = fixed_design(X), model.predict_proba(X, kind="population")[:, 1]
    variance = np.einsum("ni,ij,nj->n", x, model.results_.cov_params().to_numpy(), x)
    _, std = model.predict_proba(X, kind="population", return_std=True)
    np.testing.assert_allclose(std[:, 1], p * (1 - p) * np.sqrt(variance), rtol=1e-8)
    np.testing.assert_array_equal(std[:, 0], std[:, 1])


class Numerically:
    """Standard errors by central differences, from dense textbook formulas.

    The probability is a function of (natural covariance parameters, beta in the frame's units).
    The covariances move what is integrated over; beta moves the linear predictor and, through their
    modes, the effects of known levels.  To that comes the posterior variance of the known effects
    given the parameters.
    """

    def __init__(self, model, X, y, factors):
        self.model, self.fit, self.X, self.y, self.factors = (
            model,
            model.results_.fitted.fit,
            X,
            np.asarray(y, float),
            factors,
        )
        self.bases = self.fit.design.frame.bases
        self.map = self.fit.units.coefficient_rows
        self.natural_parameters = self.fit.information.parameters
        self.Zs = [dense.term_design(X[f].to_numpy(), self.columns(X, f)) for f in factors]

    def columns(self, X, f):
        ones = np.ones(len(X))
        return np.column_stack([ones, X["x0"]]) if f == "group" else ones[:, None]

    def covariances(self, theta):
        """Covariances in the units of the data for natural parameters, at the fit for None."""
        T = [t.copy() for t in self.fit.T]
        if theta is not None:
            T = [np.zeros_like(t) for t in T]
            for value, (k, B) in zip(theta, self.natural_parameters, strict=True):
                T[k] += value * B
        return [R @ t @ R.T for R, t in zip(self.bases, T, strict=True)]

    @property
    def theta(self):
        found = []
        for k, T in enumerate(self.fit.T):
            B = [b.ravel() for owner, b in self.natural_parameters if owner == k]
            found.extend(np.linalg.lstsq(np.array(B).T, T.ravel(), rcond=None)[0])
        return np.array(found)

    def modes(self, coefficients):
        return dense_logistic.conditional(
            self.y, fixed_design(self.X), self.Zs, coefficients, self.covariances(None)
        )

    def parts(self, rows, theta, coefficients, modes, known):
        """Linear predictor and variance of what is integrated over."""
        eta, variance = fixed_design(rows) @ coefficients, np.zeros(len(rows))
        for f, b, S in zip(self.factors, modes.b, self.covariances(theta), strict=True):
            z = self.columns(rows, f)
            if f in known:
                eta += np.sum(z * b[np.searchsorted(np.unique(self.X[f]), rows[f])], axis=1)
            else:
                variance += np.einsum("ni,ij,nj->n", z, S, z)
        return eta, variance

    def probability(self, rows, theta, beta, known):
        coefficients = self.map @ beta
        parts = self.parts(rows, theta, coefficients, self.modes(coefficients), known)
        return dense_logistic.integrated_probability(*parts)

    def std(self, rows, known):
        point = np.append(self.theta, self.fit.beta)
        k = len(self.theta)
        steps = 1e-4 * np.sqrt(np.diag(self.fit.information.covariance)) * np.eye(len(point))
        at = [
            [
                self.probability(rows, moved[:k], moved[k:], known)
                for moved in (point + step, point - step)
            ]
            for step in steps
        ]
        g = np.array(
            [(up - down) / (2 * np.sum(step)) for (up, down), step in zip(at, steps, strict=True)]
        )
        variance = np.einsum("an,ab,bn->n", g, self.fit.information.covariance, g)
        return np.sqrt(variance + self.posterior(rows, known))

    def posterior(self, rows, known):
        """``E[w]^2 z'Mz`` with M the posterior covariance of the known effects."""
        coefficients = self.map @ self.fit.beta
        modes = self.modes(coefficients)
        h = 1e-4
        eta, variance = self.parts(rows, None, coefficients, modes, known)
        slope = [dense_logistic.integrated_probability(eta + s, variance) for s in (h, -h)]
        slope = (slope[0] - slope[1]) / (2 * h)
        designs = [
            dense.term_design(rows[f].to_numpy(), self.columns(rows, f), np.unique(self.X[f]))
            for f in self.factors
        ]
        Z = np.hstack([Z * (f in known) for f, Z in zip(self.factors, designs, strict=True)])
        return slope**2 * np.einsum("ni,ij,nj->n", Z, modes.covariance, Z)


@pytest.mark.parametrize("levels", LEVELS)
def test_errors_by_differences(two_factors, crossed, levels):
    """Known, new and partly known levels of crossed factors."""
    X, y = two_factors
    rows, known = X[:12].assign(**LEVELS[levels]), {"group", "site"} - set(LEVELS[levels])
    expected = Numerically(crossed, X, y, ["group", "site"]).std(rows, known)
    _, std = crossed.predict_proba(rows, return_std=True)
    np.testing.assert_allclose(std[:, 1], expected, rtol=2e-5)
    if levels == "known":
        marginal = Numerically(crossed, X, y, ["group", "site"]).std(rows, set())
        _, std = crossed.predict_proba(rows, kind="marginal", return_std=True)
        np.testing.assert_allclose(std[:, 1], marginal, rtol=2e-5)


SLOW = {("identity", 1), ("identity", 5), ("exchangeable", 1), ("diagonal", 5), ("unstructured", 1)}
COVARIANCES = [
    pytest.param(kind, points, marks=[pytest.mark.slow] * ((kind, points) in SLOW))
    for kind in ("unstructured", "diagonal", "identity", "exchangeable")
    for points in (1, 5)
]


@pytest.mark.parametrize(("covariance", "n_quadrature"), COVARIANCES)
def test_errors_of_averages_by_differences(sloping, covariance, n_quadrature):
    X, y = sloping
    model = MixedLogisticClassifier(
        random_effects=SLOPES, covariance=covariance, n_quadrature=n_quadrature
    ).fit(X, y)
    rows = X[:12]
    numerical = Numerically(model, X, y, ["group"])
    for kind, known in (("marginal", set()), ("conditional", {"group"})):
        _, std = model.predict_proba(rows, kind=kind, return_std=True)
        np.testing.assert_allclose(std[:, 1], numerical.std(rows, known), rtol=2e-5)


def test_errors_do_not_depend_on_units(sloping, slopes):
    """Nor on the origin of a column with a slope."""
    X, y = sloping
    moved = X.assign(x0=50.0 + 20.0 * X["x0"], x1=X["x1"] / 1000)
    model = MixedLogisticClassifier(random_effects=SLOPES, n_quadrature=1).fit(moved, y)
    for kind in KINDS:
        for found, expected in zip(
            model.predict_proba(moved, kind=kind, return_std=True),
            slopes.predict_proba(X, kind=kind, return_std=True),
            strict=True,
        ):
            np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::skmixed.SkmixedWarning")
def test_errors_by_bootstrap():
    """Spread over 200 refits to simulated outcomes, and the distance to the truth for known
    levels."""
    X, y = make_mixed_classification(80, 15, coef=(0.8, -0.5), random_state=4)
    model = MixedLogisticClassifier(groups="group", n_quadrature=5).fit(X, y)
    rng, rows = np.random.default_rng(0), np.arange(0, len(X), 7)
    fixed = model.decision_function(X, kind="population")
    spread, errors, stated = {k: [] for k in ("population", "marginal")}, [], []
    for _ in range(200):
        b = np.sqrt(model.covariances_[0][0, 0]) * rng.normal(size=80)
        truth = expit(fixed + b[X["group"]])
        again = MixedLogisticClassifier(groups="group", n_quadrature=5).fit(
            X, (rng.uniform(size=len(X)) < truth) * 1
        )
        for kind, found in spread.items():
            found.append(again.predict_proba(X.iloc[rows], kind=kind)[:, 1])
        proba, std = again.predict_proba(X.iloc[rows], return_std=True)
        errors.append((proba[:, 1] - truth[rows]) ** 2)
        stated.append(std[:, 1] ** 2)
    for kind, found in spread.items():
        _, std = model.predict_proba(X.iloc[rows], kind=kind, return_std=True)
        ratio = std[:, 1] / np.std(found, axis=0)
        assert np.all(np.abs(ratio - 1) < 0.25) and abs(np.mean(ratio) - 1) < 0.15
    assert np.sqrt(np.mean(stated) / np.mean(errors)) == pytest.approx(1.0, abs=0.15)


# ------------------------------------------------------------------------------------------------------------- tables


@pytest.mark.parametrize("fixture", ["intercepts", "slopes", "crossed"])
def test_random_effects_table(request, fixture):
    """Against the modes and their covariance from dense matrices."""
    model = request.getfixturevalue(fixture)
    source = {"intercepts": "data", "slopes": "sloping", "crossed": "two_factors"}[fixture]
    X, y = request.getfixturevalue(source)
    columns = [np.column_stack([np.ones(len(X)), X["x0"]])[:, : len(S)] for S in model.covariances_]
    names = ["group", "site"][: len(columns)]
    Zs = [dense.term_design(X[f].to_numpy(), z) for f, z in zip(names, columns, strict=True)]
    beta = np.append(model.intercept_, model.coef_)
    twin = dense_logistic.conditional(
        np.asarray(y, float), fixed_design(X), Zs, beta, model.covariances_
    )
    table = model.random_effects_
    assert list(table.columns) == [
        "factor",
        "level",
        "effect",
        "estimate",
        "std_error",
        "ci_low",
        "ci_high",
    ]
    half = 1.959963984540054 * table["std_error"]
    np.testing.assert_allclose(table["ci_low"], table["estimate"] - half, rtol=1e-12)
    np.testing.assert_allclose(table["ci_high"], table["estimate"] + half, rtol=1e-12)
    assert table["level"].dtype == X["group"].dtype
    np.testing.assert_allclose(
        table["estimate"], np.concatenate([b.ravel() for b in twin.b]), rtol=1e-6, atol=1e-8
    )
    np.testing.assert_allclose(table["std_error"], np.sqrt(np.diag(twin.covariance)), rtol=1e-6)
    assert list(table["factor"]) == [
        f for f, b in zip(names, twin.b, strict=True) for _ in range(b.size)
    ]
    assert list(table["level"][:2]) == ([0, 0] if fixture != "intercepts" else [0, 1])
    for f, b in zip(names, twin.b, strict=True):
        np.testing.assert_allclose(model.results_.random_effects[f], b, rtol=1e-6, atol=1e-8)
        assert model.results_.random_effects_cov[f].shape == (len(b), b.shape[1], b.shape[1])
    assert -2 * model.loglik_ == pytest.approx(twin.deviance, rel=1e-10)


def test_variance_components_table(crossed):
    """No residual: its variance is fixed by the binomial distribution."""
    table = crossed.variance_components()
    columns = [
        "factor",
        "effect",
        "effect2",
        "estimate",
        "sd_or_corr",
        "std_error",
        "ci_low",
        "ci_high",
    ]
    assert list(table.columns) == columns
    assert list(table["factor"]) == ["group"] * 3 + ["site"]
    assert list(zip(table["effect"], table["effect2"], strict=True)) == [
        ("Intercept", "Intercept"), ("x0", "x0"), ("Intercept", "x0"), ("Intercept", "Intercept")
    ]  # fmt: skip
    S, s = crossed.covariances_
    np.testing.assert_allclose(table["estimate"], [S[0, 0], S[1, 1], S[1, 0], s[0, 0]])
    correlation = S[1, 0] / np.sqrt(S[0, 0] * S[1, 1])
    np.testing.assert_allclose(
        table["sd_or_corr"], [*np.sqrt(np.diag(S)), correlation, np.sqrt(s[0, 0])]
    )
    assert np.all(table["std_error"] > 0)
    width = np.exp(stats.norm.ppf(0.975) * table["std_error"] / table["estimate"])
    variances = [0, 1, 3]
    np.testing.assert_allclose(table["ci_low"][variances], (table["estimate"] / width)[variances])
    np.testing.assert_allclose(table["ci_high"][variances], (table["estimate"] * width)[variances])
    half = stats.norm.ppf(0.975) * table["std_error"][2]
    assert table["ci_high"][2] - table["estimate"][2] == pytest.approx(half)
    narrow = crossed.variance_components(level=0.5)
    assert np.all(narrow["ci_high"] < table["ci_high"]) and np.all(
        narrow["ci_low"] > table["ci_low"]
    )


def numerical_information(deviance, point, h=1e-3):
    """Second derivatives by central differences."""
    k, E = len(point), h * np.eye(len(point))
    H = np.empty((k, k))
    for i in range(k):
        for j in range(i + 1):
            signs = [(1, 1), (1, -1), (-1, 1), (-1, -1)]
            values = [a * b * deviance(point + a * E[i] + b * E[j]) for a, b in signs]
            H[i, j] = H[j, i] = sum(values) / (4 * h**2)
    return H


@pytest.mark.parametrize("n_quadrature", [1, 7])
def test_standard_errors_from_the_likelihood(n_quadrature):
    """Of coefficients and variances, from second differences of the dense deviance."""
    X, y = make_mixed_classification(25, 8, coef=(0.8, -0.5), random_state=5)
    model = MixedLogisticClassifier(groups="group", n_quadrature=n_quadrature).fit(X, y)
    x, ones, target = fixed_design(X), np.ones(len(X)), y.to_numpy(float)

    def deviance(point):
        T = point[3:].reshape(1, 1)
        return dense_logistic.quadrature_deviance(
            target, x, X["group"].to_numpy(), ones, point[:3], T, n_quadrature
        )

    point = np.array([model.intercept_, *model.coef_, model.covariances_[0][0, 0]])
    covariance = 2 * np.linalg.inv(numerical_information(deviance, point))
    assert deviance(point) == pytest.approx(-2 * model.loglik_, rel=1e-10)
    np.testing.assert_allclose(
        model.results_.cov_params(), covariance[:3, :3], rtol=1e-3, atol=1e-6
    )
    assert model.variance_components()["std_error"][0] == pytest.approx(
        np.sqrt(covariance[3, 3]), rel=1e-3
    )


def test_odds_ratios(slopes):
    res, table = slopes.results_, slopes.results_.odds_ratios(level=0.9)
    assert list(table.columns) == ["odds_ratio", "std_err", "z", "p_value", "ci_low", "ci_high"]
    assert list(table.index) == ["Intercept", "x0", "x1"]
    np.testing.assert_allclose(table["odds_ratio"], np.exp(res.params))
    np.testing.assert_allclose(table["std_err"], np.exp(res.params) * res.bse)
    np.testing.assert_allclose(table["z"], res.params / res.bse)
    np.testing.assert_allclose(table["p_value"], 2 * stats.norm.sf(np.abs(res.params / res.bse)))
    np.testing.assert_allclose(np.log(table[["ci_low", "ci_high"]]), res.conf_int(0.1))


def test_summary(slopes, crossed):
    text = slopes.summary().as_text()
    for part in (
        "Mixed-effects logistic regression",
        "Integration:",
        "Laplace",
        "No. of groups:",
        "coef",
        "P>|z|",
    ):
        assert part in text
    assert "cov(Intercept,x0)" in text and "LR test vs. logistic model" in text
    assert "Residual" not in text and "odds ratio" not in text
    assert f"{slopes.loglik_:.3f}" in text
    both = crossed.summary().as_text()
    assert "No. of grouping factors:" in both and "site" in both


def test_summary_of_odds_ratios(data):
    model = MixedLogisticClassifier(groups="group", n_quadrature=7).fit(*data)
    summary = model.summary(level=0.9, odds_ratios=True)
    text, html, latex = summary.as_text(), summary.as_html(), summary.as_latex()
    for shown in (text, html, latex):
        assert "odds ratio" in shown and "7-point quadrature" in shown
        for value in model.results_.odds_ratios()["odds_ratio"]:
            assert f"{value}"[:6] in shown
    assert "[90% conf." in text and "<table" in html and "tabular" in latex
    assert "odds ratio of the intercept is the odds" in text
    assert str(model.summary(0.9, True)) == text
    without = MixedLogisticClassifier(groups="group", fit_intercept=False).fit(*data)
    assert "odds ratio of the intercept" not in without.summary(odds_ratios=True).as_text()


def test_results_are_finite(crossed, slopes, intercepts):
    for model in (crossed, slopes, intercepts):
        res = model.results_
        for name in ("llf", "aic", "bic", "nobs", "df_resid", "scale", "n_params"):
            assert np.isfinite(getattr(res, name)), name
        for name in (
            "params",
            "bse",
            "tvalues",
            "pvalues",
            "fe_params",
            "bse_fe",
            "fittedvalues",
            "resid",
        ):
            assert np.all(np.isfinite(getattr(res, name))), name
        for table in (
            res.conf_int(),
            res.cov_params(),
            *res.cov_re.values(),
            *res.random_effects.values(),
        ):
            assert np.all(np.isfinite(table))
        assert all(np.all(np.isfinite(v)) for v in res.random_effects_cov.values())
        assert res.converged and not res.reml and res.scale == 1.0
        k = len(res.params) + len(model.variance_components())
        assert res.n_params == k and res.aic == pytest.approx(2 * k - 2 * res.llf)
        assert res.bic == pytest.approx(np.log(res.nobs) * k - 2 * res.llf)
        assert np.isfinite(res.wald_chi2.statistic) and res.wald_chi2.df == 2
        assert f"{res.nobs:g} observations" in repr(res)


def test_fitted_values_and_residuals(two_factors, crossed):
    X, y = two_factors
    np.testing.assert_allclose(
        crossed.results_.fittedvalues, crossed.predict_proba(X)[:, 1], rtol=1e-12
    )
    np.testing.assert_allclose(
        crossed.results_.resid, y - crossed.predict_proba(X)[:, 1], rtol=1e-10
    )


# ------------------------------------------------------------------------------------------- plain logistic regression


def test_likelihood_ratio_test(two_factors, crossed, data, intercepts):
    """Against statsmodels' likelihood of the same columns."""
    for (X, y), model, df, distribution in (
        (two_factors, crossed, 4, "chibar2(0:4)"),
        (data, intercepts, 1, "chibar2(01)"),
    ):
        plain = sm.Logit(np.asarray(y), fixed_design(X)).fit(disp=0, tol=1e-12)
        assert model.results_.fitted.fit.loglik_without_effects == pytest.approx(
            plain.llf, rel=1e-10, abs=1e-8
        )
        test = model.results_.random_effects_test()
        statistic = 2 * (model.loglik_ - plain.llf)
        assert test.statistic == pytest.approx(statistic, abs=1e-7)
        assert (test.df, test.distribution) == (df, distribution)
        assert test.pvalue_chi2 == pytest.approx(stats.chi2.sf(statistic, df), rel=1e-6)
        mixture = sum(w * stats.chi2.sf(statistic, k) for k, w in enumerate(test.weights) if k)
        assert test.pvalue == pytest.approx(mixture, rel=1e-6)


def test_likelihood_ratio_test_of_weighted_rows(data):
    X, y = data
    weights = np.random.default_rng(0).integers(0, 4, len(X))
    model = MixedLogisticClassifier("group").fit(X, y, sample_weight=weights)
    glm = sm.GLM(y, fixed_design(X), family=sm.families.Binomial(), freq_weights=weights).fit(
        tol=1e-14
    )
    assert model.results_.fitted.fit.loglik_without_effects == pytest.approx(glm.llf, abs=1e-8)


@pytest.mark.parametrize("n_quadrature", [1, 7])
def test_without_groups_it_is_logistic_regression(data, n_quadrature):
    X, y = data
    x = X[["x0", "x1"]]
    with pytest.warns(GroupsWarning, match="fixed effects only"):
        model = MixedLogisticClassifier(n_quadrature=n_quadrature).fit(x, y)
    plain = sm.Logit(y, sm.add_constant(x)).fit(disp=0, tol=1e-12)
    np.testing.assert_allclose(model.results_.params, plain.params, rtol=1e-6)
    np.testing.assert_allclose(model.results_.bse, plain.bse, rtol=1e-6)
    np.testing.assert_allclose(model.results_.conf_int(), plain.conf_int(), rtol=1e-6)
    assert model.loglik_ == pytest.approx(plain.llf, rel=1e-6) and model.converged_
    assert model.results_.aic == pytest.approx(plain.aic) and model.results_.bic == pytest.approx(
        plain.bic
    )
    for kind in KINDS:
        np.testing.assert_allclose(
            model.predict_proba(x, kind=kind)[:, 1], plain.predict(), rtol=1e-6
        )
    text = model.summary().as_text()
    assert "Logistic regression" in text and "LR test" not in text and "Integration" not in text
    assert len(model.random_effects_) == len(model.variance_components()) == 0
    assert model.results_.cov_re == model.results_.random_effects == {}


@pytest.mark.filterwarnings("ignore::skmixed.GroupsWarning")
@pytest.mark.parametrize("kind", KINDS)
def test_errors_without_groups(data, kind):
    X, y = data
    x = X[["x0", "x1"]]
    model, plain = (
        MixedLogisticClassifier().fit(x, y),
        sm.Logit(y, sm.add_constant(x)).fit(disp=0, tol=1e-12),
    )
    _, std = model.predict_proba(x, kind=kind, return_std=True)
    np.testing.assert_allclose(std[:, 1], plain.get_prediction().summary_frame()["se"], rtol=1e-5)


def test_intercept_only(data):
    X, y = data
    model = MixedLogisticClassifier("group").fit(X[["group"]], y)
    assert model.coef_.shape == (0,) and list(model.results_.params.index) == ["Intercept"]
    assert model.predict_proba(X[["group"]]).shape == (len(X), 2)
    assert model.results_.wald_chi2.df == 0 and "Wald" not in model.summary().as_text()


# --------------------------------------------------------------------------------------------------------- simulation


def test_simulate_shapes_and_labels(two_factors, crossed):
    X, y = two_factors
    words = MixedLogisticClassifier(random_effects=CROSSED).fit(X, np.where(y == 1, "yes", "no"))
    for kind in KINDS:
        draws = words.simulate(X, n_samples=3, random_state=0, kind=kind)
        assert draws.shape == (800, 3) and set(np.unique(draws)) == {"no", "yes"}
        np.testing.assert_array_equal(
            draws, words.simulate(X, n_samples=3, random_state=0, kind=kind)
        )
        np.testing.assert_array_equal(
            draws == "yes", crossed.simulate(X, n_samples=3, random_state=0, kind=kind) == 1
        )
        assert np.any(draws != words.simulate(X, n_samples=3, random_state=1, kind=kind))
    assert crossed.simulate(X).shape == (800, 1)
    stream = np.random.RandomState(0)
    assert np.any(
        crossed.simulate(X, random_state=stream) != crossed.simulate(X, random_state=stream)
    )
    with pytest.raises(ValueError, match="kind='best' is not known"):
        crossed.simulate(X, kind="best")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("levels", LEVELS)
def test_simulated_frequencies(two_factors, crossed, kind, levels):
    rows = two_factors[0][:8].assign(**LEVELS[levels])
    draws = crossed.simulate(rows, n_samples=20_000, random_state=0, kind=kind)
    np.testing.assert_allclose(
        draws.mean(axis=1), crossed.predict_proba(rows, kind=kind)[:, 1], atol=0.015
    )


def test_simulated_rows_of_a_level_go_together(intercepts, data):
    """Two rows of a level share their effect: the probability that both are ones is larger than the square."""
    rows = data[0][:2].assign(x0=0.0, x1=0.0)
    draws = intercepts.simulate(rows, n_samples=40_000, random_state=0)
    sd, eta = np.sqrt(intercepts.covariances_[0][0, 0]), intercepts.intercept_
    both = integrate.quad(lambda z: expit(eta + sd * z) ** 2 * stats.norm.pdf(z), -10, 10)[0]
    assert np.mean(draws.min(axis=0)) == pytest.approx(both, abs=0.01)
    apart = intercepts.simulate(rows.assign(group=[-1, -2]), n_samples=40_000, random_state=0)
    assert np.mean(apart.min(axis=0)) == pytest.approx(np.mean(apart) ** 2, abs=0.01)


# --------------------------------------------------------------------------------------------------- formulas, labels


def test_formula_is_the_same_model(two_factors, crossed):
    X, y = two_factors
    formula = MixedLogisticClassifier(formula="x0 + x1 + " + CROSSED).fit(X, y)
    assert formula.loglik_ == pytest.approx(crossed.loglik_, rel=1e-12)
    array = MixedLogisticClassifier(groups=[2, 3]).fit(X.to_numpy(), y)
    table = MixedLogisticClassifier(groups=["group", "site"]).fit(X, y)
    assert array.loglik_ == pytest.approx(table.loglik_, rel=1e-12)
    for kind in KINDS:
        for first, second, other in ((formula, crossed, X), (array, table, X.to_numpy())):
            for found, expected in zip(
                first.predict_proba(other, kind=kind, return_std=True),
                second.predict_proba(X, kind=kind, return_std=True),
                strict=True,
            ):
                np.testing.assert_allclose(found, expected, rtol=1e-7)


def test_from_formula_with_words_as_response(sloping, slopes):
    X, y = sloping
    table = X.assign(outcome=np.where(y == 1, "yes", "no"), site=np.where(X["x1"] > 0, "a", "b"))
    model = MixedLogisticClassifier.from_formula(
        "outcome ~ x0 + x1 + (1 + x0 | group)", table, n_quadrature=1
    )
    assert list(model.classes_) == ["no", "yes"]
    np.testing.assert_allclose(model.predict_proba(X), slopes.predict_proba(X), rtol=1e-8)
    assert set(model.predict(X)) == {"no", "yes"} and model.score(
        X, table["outcome"]
    ) == slopes.score(X, y)
    assert "outcome" in model.summary().as_text()
    other = MixedLogisticClassifier.from_formula(
        "outcome ~ np.exp(x0 / 5) + C(site) + (1 | group)", table
    )
    assert list(other.results_.params.index)[1:] == ["np.exp(x0 / 5)", "C(site)[T.b]"]


@pytest.mark.parametrize("labels", [(0, 1), (1, 2), (-1, 1), (False, True), ("a", "b"), (0.0, 1.0)])
def test_labels_of_any_kind(data, intercepts, labels):
    X, y = data
    given = np.array(labels)[y]
    model = MixedLogisticClassifier("group", n_quadrature=1).fit(X, given)
    assert model.loglik_ == intercepts.loglik_
    np.testing.assert_array_equal(model.classes_, np.array(labels))
    np.testing.assert_array_equal(model.predict(X), np.array(labels)[intercepts.predict(X)])
    assert model.predict(X).dtype == given.dtype
    assert model.score(X, given) == accuracy_score(given, model.predict(X))


def test_classes_exchanged(sloping, slopes):
    """Signs of the coefficients and modes change, and nothing else."""
    X, y = sloping
    model = MixedLogisticClassifier(random_effects=SLOPES, n_quadrature=1).fit(X, 1 - y)
    assert model.loglik_ == pytest.approx(slopes.loglik_, rel=1e-12)
    np.testing.assert_allclose(model.coef_, -slopes.coef_, rtol=1e-6)
    np.testing.assert_allclose(model.covariances_[0], slopes.covariances_[0], rtol=1e-6)
    np.testing.assert_allclose(model.predict_proba(X), slopes.predict_proba(X)[:, ::-1], rtol=1e-6)


def test_categories_and_nullable_responses(data, intercepts):
    X, y = data
    for given in (
        pd.Series(np.where(y == 1, "yes", "no"), dtype="category"),
        y.astype("Int64"),
        y.astype(bool),
        y.to_list(),
    ):
        assert (
            MixedLogisticClassifier("group", n_quadrature=1).fit(X, given).loglik_
            == intercepts.loglik_
        )


def test_weights_are_repetitions(sloping):
    X, y = sloping
    weights = np.random.default_rng(0).integers(0, 4, len(X))
    weighted = MixedLogisticClassifier(random_effects=SLOPES).fit(X, y, sample_weight=weights)
    again = np.repeat(np.arange(len(X)), weights)
    repeated = MixedLogisticClassifier(random_effects=SLOPES).fit(X.iloc[again], y.iloc[again])
    assert weighted.loglik_ == pytest.approx(repeated.loglik_, rel=1e-11)
    np.testing.assert_allclose(weighted.covariances_[0], repeated.covariances_[0], rtol=1e-6)
    np.testing.assert_allclose(weighted.results_.bse, repeated.results_.bse, rtol=1e-6)
    for found, expected in zip(
        weighted.predict_proba(X, return_std=True),
        repeated.predict_proba(X, return_std=True),
        strict=True,
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert weighted.score(X, y, sample_weight=weights) == pytest.approx(
        repeated.score(X.iloc[again], y.iloc[again])
    )


def test_quadrature_of_more_points_settles(data):
    X, y = data
    values = [
        MixedLogisticClassifier("group", n_quadrature=n).fit(X, y).loglik_ for n in (5, 15, 25)
    ]
    assert values[1] == pytest.approx(values[2], abs=1e-6) and values[0] == pytest.approx(
        values[2], abs=0.05
    )


# ----------------------------------------------------------------------------------------------------------- warnings


def sparse_and_variable():
    """Three rows per group, whose log-odds have a standard deviation of three."""
    return make_mixed_classification(300, 3, coef=(0.5,), covariance=[[9.0]], random_state=0)


def test_laplace_warning():
    X, y = sparse_and_variable()
    with pytest.warns(LaplaceWarning, match="Use n_quadrature='auto'"):
        model = MixedLogisticClassifier("group", n_quadrature=1).fit(X, y)
    x = np.column_stack([np.ones(len(X)), X["x0"]])
    beta, arguments = (
        np.append(model.intercept_, model.coef_),
        (X["group"].to_numpy(), np.ones(len(X))),
    )
    seven = dense_logistic.quadrature_deviance(
        y.to_numpy(float), x, *arguments, beta, model.covariances_[0], 7
    )
    found = model.results_.fitted.fit.shortfall
    assert found.points == 7 and found.loglik == pytest.approx(-seven / 2 - model.loglik_, abs=1e-6)
    better = MixedLogisticClassifier("group").fit(X, y)  # and no warning
    assert abs(better.covariances_[0][0, 0] - 9.0) < abs(model.covariances_[0][0, 0] - 9.0)


def test_predicted_shift_is_the_shift():
    """The Newton step towards quadrature is about as long as the way there."""
    X, y = make_mixed_classification(400, 10, random_state=0)
    with pytest.warns(LaplaceWarning, match="too low"):
        laplace = MixedLogisticClassifier("group", n_quadrature=1).fit(X, y)
    seven = MixedLogisticClassifier("group", n_quadrature=7).fit(X, y)
    (row,) = seven.variance_components().itertuples()
    shift = abs(row.estimate - laplace.covariances_[0][0, 0]) / row.std_error
    found = laplace.results_.fitted.fit.shortfall
    assert shift > 0.1 and found.shift == pytest.approx(shift, rel=0.15)


def test_no_laplace_warning_for_large_groups():
    """Warnings are errors here."""
    for seed in range(3):
        X, y = make_mixed_classification(40, 100, covariance=[[0.5]], random_state=seed)
        model = MixedLogisticClassifier("group", n_quadrature=1).fit(X, y)
        found = model.results_.fitted.fit.shortfall
        assert abs(found.loglik) < 0.5 and found.shift < 0.1


def agrees_with(model, reference):
    """Log-likelihoods, coefficients and variances, these in standard errors."""
    shift = (model.results_.params - reference.results_.params) / reference.results_.bse
    own, other = model.variance_components(), reference.variance_components()
    moved = (own["estimate"] - other["estimate"]) / other["std_error"]
    assert abs(model.loglik_ - reference.loglik_) < 0.02
    assert np.max(np.abs(shift)) < 0.05 and np.max(np.abs(moved)) < 0.05


@pytest.mark.parametrize(
    ("data", "terms"),
    [
        (lambda: make_mixed_classification(200, 3, random_state=0), "(1 | group)"),
        (sparse_and_variable, "(1 | group)"),
        (
            lambda: make_mixed_classification(
                80, 8, covariance=[[1.0, 0.2], [0.2, 0.5]], random_state=0
            ),
            "(1 + x0 | group)",
        ),
    ],
    ids=["three rows per level", "large variance", "slopes"],
)
def test_as_many_points_as_it_takes(data, terms):
    """No warning, and what many more points say; fewer would not have been enough."""
    X, y = data()
    model = MixedLogisticClassifier(random_effects=terms).fit(X, y)
    agrees_with(model, MixedLogisticClassifier(random_effects=terms, n_quadrature=31).fit(X, y))
    assert model.n_quadrature_ > 1
    fewer = {3: 1, 5: 3, 7: 5, 9: 7, 15: 9, 25: 15, 51: 25}[model.n_quadrature_]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LaplaceWarning)
        worse = MixedLogisticClassifier(random_effects=terms, n_quadrature=fewer).fit(X, y)
    found = worse.results_.fitted.fit.shortfall
    assert abs(found.loglik) > 0.005 or found.shift > 0.05


def test_one_point_where_that_is_enough_or_all_there_is():
    X, y = make_mixed_classification(10, 500, covariance=[[0.3]], random_state=0)
    assert MixedLogisticClassifier("group").fit(X, y).n_quadrature_ == 1
    rng = np.random.default_rng(0)
    X = X.assign(site=rng.integers(0, 6, len(X)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SingularFitWarning)
        assert MixedLogisticClassifier(["group", "site"]).fit(X, y).n_quadrature_ == 1


def test_numbers_of_points_that_are_enough_may_differ():
    """Tests between models compare likelihoods that are right, by however many points."""
    X, y = sparse_and_variable()
    larger = MixedLogisticClassifier(formula="x0 + (1 | group)").fit(X, y)
    smaller = MixedLogisticClassifier(formula="(1 | group)").fit(X, y)
    found = likelihood_ratio_test(smaller, larger)
    assert found.statistic == pytest.approx(2 * (larger.loglik_ - smaller.loglik_))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LaplaceWarning)
        rough = MixedLogisticClassifier(formula="(1 | group)", n_quadrature=3).fit(X, y)
        other = MixedLogisticClassifier(formula="x0 + (1 | group)", n_quadrature=5).fit(X, y)
    with pytest.raises(ValueError, match="3 and 5 points give different"):
        likelihood_ratio_test(rough, other)


def test_variance_of_zero_is_an_answer():
    """Groups more alike than chance: the estimate is exactly zero, and said so once."""
    X = pd.DataFrame(
        {"x": np.tile([0.0, 1.0, 1.0, 0.0, 2.0, 2.0], 20), "group": np.repeat(np.arange(20), 6)}
    )
    y = np.tile([0, 1, 0, 1, 0, 1], 20)
    with pytest.warns(
        SingularFitWarning, match="group: a variance of .Intercept. is zero"
    ) as record:
        model = MixedLogisticClassifier("group").fit(X, y)
    assert len(record) == 1 and model.covariances_[0][0, 0] == 0.0 and model.converged_
    assert np.isnan(model.variance_components()["std_error"][0])
    assert model.results_.random_effects_test().pvalue == 1.0
    assert not np.any(model.random_effects_["estimate"]) and not np.any(
        model.random_effects_["std_error"]
    )
    assert "no standard errors" in model.summary().as_text()
    plain = sm.Logit(y, sm.add_constant(X["x"])).fit(disp=0, tol=1e-12)
    np.testing.assert_allclose(model.results_.bse, plain.bse, rtol=1e-6)
    expected = plain.get_prediction().summary_frame()
    for kind in KINDS:
        proba, std = model.predict_proba(X, kind=kind, return_std=True)
        np.testing.assert_allclose(proba[:, 1], expected["predicted"], rtol=1e-6)
        np.testing.assert_allclose(std[:, 1], expected["se"], rtol=1e-5)


def test_perfectly_correlated_effects():
    X, y = make_mixed_classification(60, 30, covariance=[[1.0, 0.5], [0.5, 0.25]], random_state=4)
    with pytest.warns(SingularFitWarning, match="correlation is 1 or -1"):
        model = MixedLogisticClassifier(random_effects=SLOPES).fit(X, y)
    S = model.covariances_[0]
    assert S[0, 1] ** 2 == pytest.approx(S[0, 0] * S[1, 1], rel=1e-8) and model.converged_
    for kind in KINDS:
        assert np.all(np.isfinite(model.predict_proba(X, kind=kind, return_std=True)))


def test_separation_names_the_column(data):
    X, y = data
    more = X.assign(flag=((y == 1) & (X["x0"] > 1)).astype(float))
    with pytest.warns(SeparationWarning, match="'flag' predicts the outcome perfectly"):
        model = MixedLogisticClassifier("group", n_quadrature=1).fit(more, y)
    assert not model.converged_ and np.all(np.isfinite(model.coef_))
    assert np.all(np.isfinite(model.predict_proba(more)))


def test_levels_of_one_outcome():
    X = pd.DataFrame(
        {"x": np.random.default_rng(0).normal(size=200), "group": np.repeat(np.arange(20), 10)}
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LaplaceWarning)
        with pytest.warns(SeparationWarning, match="each of its levels has one outcome only"):
            model = MixedLogisticClassifier("group").fit(X, X["group"] % 2)
    assert model.score(X, X["group"] % 2) == 1.0
    assert np.all(np.isfinite(model.decision_function(X)))


def test_one_row_per_level(data):
    X, y = data
    with pytest.warns(SingularFitWarning, match="row: its 1000 levels cannot be told from chance"):
        model = MixedLogisticClassifier("row").fit(X[["x0"]].assign(row=np.arange(len(X))), y)
    assert model.covariances_[0][0, 0] == 0.0


def test_dependent_columns_are_dropped_in_order(data, intercepts):
    X, y = data
    more = X.assign(one=3.0, sum=X["x0"] - X["x1"])
    with pytest.warns(RankDeficiencyWarning, match="'one', 'sum' depend linearly"):
        model = MixedLogisticClassifier("group", n_quadrature=1).fit(more, y)
    np.testing.assert_allclose(model.coef_, [*intercepts.coef_, 0.0, 0.0], rtol=1e-6)
    assert list(model.results_.odds_ratios().index) == ["Intercept", "x0", "x1"]
    for kind in KINDS:
        for found, expected in zip(
            model.predict_proba(more, kind=kind, return_std=True),
            intercepts.predict_proba(X, kind=kind, return_std=True),
            strict=True,
        ):
            np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_stopped_early_is_not_converged(data):
    with pytest.warns(ConvergenceWarning, match="max_iter reached"):
        model = MixedLogisticClassifier(random_effects=SLOPES, max_iter=1).fit(*data)
    assert not model.converged_ and np.isfinite(model.loglik_)
    assert "Converged:                               no" in model.summary().as_text()


def test_verbose_logs_the_iterations(data, caplog):
    caplog.set_level("INFO", "skmixed")
    MixedLogisticClassifier("group", verbose=1).fit(*data)
    assert caplog.text.count("deviance") >= 2


def test_new_rows_without_their_groups(data, intercepts):
    """A table without the grouping column: every level is new, and a warning says so."""
    X, _ = data
    with pytest.warns(GroupsWarning, match="every level counts as new"):
        proba = intercepts.predict_proba(X[["x0", "x1"]])
    np.testing.assert_array_equal(proba, intercepts.predict_proba(X, kind="marginal"))
    with pytest.warns(GroupsWarning, match="they were numbers at fit and are text now"):
        assert np.all(intercepts.predict_proba(X.assign(group=X["group"].astype(str))) == proba)


# ------------------------------------------------------------------------------------------------------- wrong input


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.arange(1000) % 3, "Only binary classification is supported.*\ny has 3 classes"),
        (np.zeros(1000), "the data contains only one class: .*0"),
        (np.linspace(0.0, 1.0, 1000), "Unknown label type: continuous.*\nUse MixedLinearRegressor"),
        (np.where(np.arange(1000) == 7, np.nan, 1.0), "Input y contains NaN in 1 rows"),
        (np.where(np.arange(1000) == 7, None, "a"), "Input y contains NaN in 1 rows"),
    ],
)
def test_wrong_responses(data, y, message):
    with pytest.raises(ValueError, match=message):
        MixedLogisticClassifier("group").fit(data[0], y)


def test_one_class_after_weights_of_zero(data):
    X, y = data
    with pytest.raises(
        ValueError, match=r"only one class: .*1.*\n.*rows of weight zero do not count"
    ):
        MixedLogisticClassifier("group").fit(X, y, sample_weight=y)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"random_effects": CROSSED, "n_quadrature": 3},
            "needs a single grouping factor, the model has 2",
        ),
        (
            {"random_effects": "(1 + x0 + x1 + x2 | group)", "n_quadrature": 3},
            "group has 4 effects per level",
        ),
        ({"groups": "group", "n_quadrature": 0}, "n_quadrature"),
        ({"groups": "group", "covariance": "full"}, "covariance"),
    ],
)
def test_wrong_options(two_factors, options, message):
    X, y = two_factors
    with pytest.raises(ValueError, match=message):
        MixedLogisticClassifier(**options).fit(X.assign(x2=X["x0"] ** 2), y)


@pytest.mark.parametrize(
    "method", ["predict", "predict_proba", "predict_log_proba", "decision_function"]
)
def test_wrong_kinds(data, intercepts, method):
    with pytest.raises(ValueError, match="kind='best' is not known"):
        getattr(intercepts, method)(data[0], kind="best")
    with pytest.raises(NotFittedError):
        getattr(MixedLogisticClassifier("group"), method)(data[0])


@pytest.mark.parametrize("level", [95, 0, -0.5])
def test_levels_are_probabilities(intercepts, level):
    for method in (
        intercepts.summary,
        intercepts.variance_components,
        intercepts.results_.odds_ratios,
    ):
        with pytest.raises(ValueError, match="is not a probability"):
            method(level=level)


def test_rare_counts():
    """Two weighted rows per county, one case in ten million: few deviances per person are not a perfect fit."""
    rng = np.random.default_rng(0)
    rates = 1e-7 * np.exp(0.7 * rng.standard_normal(200))
    cases, people = rng.poisson(5e7 * rates), 5e7
    X = pd.DataFrame({"county": np.repeat(np.arange(200), 2)})
    y, weights = np.tile([1, 0], 200), np.column_stack([cases, people - cases]).ravel()
    model = MixedLogisticClassifier("county").fit(X, y, sample_weight=weights)
    assert model.converged_
    assert model.intercept_ == pytest.approx(np.log(1e-7), abs=0.2)
    assert model.covariances_[0][0, 0] == pytest.approx(0.49, abs=0.2)


def test_results_belong_to_their_fit():
    """A second fit of the same estimator leaves the first results alone."""
    X, y = make_mixed_classification(30, 20, random_state=0)
    model = MixedLogisticClassifier("group").fit(X, y)
    results, fitted = model.results_, model.results_.fittedvalues
    model.fit(X[["x0", "group"]], 1 - y)
    np.testing.assert_array_equal(results.fittedvalues, fitted)
    assert not np.allclose(model.results_.fittedvalues, fitted)


def test_one_verdict_about_convergence():
    """No optimum is claimed where the likelihood has none: by a column, or by levels with one outcome each."""
    X, y = make_mixed_classification(30, 20, random_state=0)
    for table, outcome in ((X.assign(leak=y + 0.0), y), (X, X["group"] % 2)):
        for points in (1, 7):
            with pytest.warns(SeparationWarning):
                model = MixedLogisticClassifier("group", n_quadrature=points).fit(table, outcome)
            assert not model.converged_ and not model.results_.converged
            assert "Converged:" in model.summary().as_text() and " no " in model.summary().as_text()


def test_rows_of_weight_zero_say_nothing():
    """Neither a third class nor a missing label matters in rows that are removed."""
    X, y = make_mixed_classification(30, 20, random_state=0)
    expected = MixedLogisticClassifier("group").fit(X.iloc[10:], y[10:])
    for label in (2.0, np.nan):
        labels, weights = y.astype(float), np.ones(len(y))
        labels[:10], weights[:10] = label, 0.0
        model = MixedLogisticClassifier("group").fit(X, labels, sample_weight=weights)
        assert model.loglik_ == pytest.approx(expected.loglik_, rel=1e-12)
        assert list(model.classes_) == [0, 1]


@pytest.mark.parametrize("kind", [bool, int, str])
def test_score_reads_the_labels_that_fit_reads(kind):
    X, y = make_mixed_classification(30, 20, random_state=0)
    labels = y.map({0: kind(0), 1: kind(1)}).astype(object)
    model = MixedLogisticClassifier("group").fit(X, labels)
    assert model.score(X, labels) == MixedLogisticClassifier("group").fit(X, y).score(X, y)


def test_identical_factors_are_not_identified():
    X, y = make_mixed_classification(30, 20, random_state=0)
    with pytest.warns(SingularFitWarning, match="not identified"):
        MixedLogisticClassifier(["group", "copy"]).fit(X.assign(copy=X["group"].astype(str)), y)


def test_exact_curvature_needs_few_evaluations():
    for seed in range(5):
        X, y = make_mixed_classification(
            200, 10, covariance=[[1.0, 0.3], [0.3, 0.5]], random_state=seed
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", LaplaceWarning)
            model = MixedLogisticClassifier(random_effects="(1 + x0 | group)", n_quadrature=1)
            model.fit(X, y)
        assert model.converged_ and model.n_iter_ <= 9


def test_the_modelled_class_is_printed():
    X, y = make_mixed_classification(30, 20, random_state=0)
    model = MixedLogisticClassifier("group").fit(X, y.map({0: "stays", 1: "leaves"}))
    assert model.results_.event == "stays"
    assert re.search(r"Odds of: +stays", model.summary().as_text())


def test_a_failed_fit_leaves_an_unfitted_estimator():
    X, y = make_mixed_classification(30, 20, random_state=0)
    model = MixedLogisticClassifier("group")
    with pytest.raises(ValueError, match="only one class"):
        model.fit(X, np.ones(len(y)))
    with pytest.raises(NotFittedError):
        model.predict(X)
