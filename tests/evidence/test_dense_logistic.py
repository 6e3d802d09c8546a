"""The dense logistic twins against brute-force integration, repeated rows, each other, and the reference's figures."""

import functools

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import minimize
from scipy.special import expit
from scipy.stats import multivariate_normal, norm

from tests.helpers import dense, reference_glmm, reference_models
from tests.helpers import dense_glmm as twin

MODELS = {name: entry for name, (_, entry) in reference_glmm.models().items()}
NESTED = {"guImmun_nested_laplace", "guPrenat_nested_laplace"}  # 1,700 levels: seconds each
T1, T2 = np.array([[1.7]]), np.array([[0.8, -0.3], [-0.3, 0.5]])


# A made-up problem: an intercept and a slope, five levels, whole weights, some of them zero; a second, crossed factor.
@functools.cache
def small():
    random = np.random.default_rng(3)
    n = 36
    first, second, x = np.arange(n) % 5, random.integers(0, 3, n), random.normal(size=n)
    X = np.column_stack([np.ones(n), x])
    y = (random.random(n) < expit(X @ [-0.4, 0.8] + random.normal(size=5)[first])).astype(float)
    return y, X, first, second, np.array([-0.3, 0.7]), random.integers(0, 4, n).astype(float)


def likelihood_given(b, rows):
    """The probability of the rows of a level given its effects on (intercept, slope)."""
    y, X, _, _, beta, weights = small()
    eta = X[rows] @ beta + X[rows, : len(b)] @ b
    return np.prod(np.where(y[rows] == 1, expit(eta), expit(-eta)) ** weights[rows])


# One and several factors by brute force
def test_quadrature_of_one_effect_is_the_integral():
    y, X, first, _, beta, weights = small()
    exact = 0.0
    for level in range(5):
        rows = np.flatnonzero(first == level)
        integral, _ = quad(
            lambda b, rows=rows: likelihood_given([b], rows) * norm.pdf(b, scale=np.sqrt(T1[0, 0])),
            -15, 15, epsabs=0, epsrel=1e-11, points=[0],
        )  # fmt: skip
        exact -= 2 * np.log(integral)
    by_points = [
        twin.quadrature_deviance(y, X, first, X[:, :1], beta, T1, n, weights) - exact
        for n in (1, 3, 7, 15, 41)
    ]
    assert by_points[-1] == pytest.approx(0, abs=1e-7)
    assert np.all(np.abs(by_points) <= [1, 0.1, 1e-3, 1e-5, 1e-7])
    assert abs(by_points[0]) > 1e-3  # Laplace's approximation is one


def test_quadrature_of_two_effects_is_the_integral():
    """Against the sum over a fine grid, which for smooth integrands is exact."""
    y, X, first, _, beta, weights = small()
    axis = np.arange(-8, 8.01, 0.1)
    grid = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    density = multivariate_normal(cov=T2).pdf(grid) * 0.1**2
    exact = 0.0
    for level in range(5):
        rows = first == level
        eta = (X[rows] @ beta)[:, None] + X[rows] @ grid.T
        exact -= 2 * np.log(density @ np.exp(twin.log_density(y[rows], eta, weights[rows])))
    assert twin.quadrature_deviance(y, X, first, X, beta, T2, 25, weights) == pytest.approx(
        exact, abs=1e-8
    )
    assert twin.quadrature_deviance(y, X, first, X, beta, T2, 7, weights) == pytest.approx(
        exact, abs=1e-3
    )


def test_laplace_in_the_coordinates_of_the_effects():
    """2 g(b^) + log|Z'WZ + T^-1| + log|T| with g = -log p(y|b) + b'T^-1 b / 2: a general minimiser, crossed factors."""
    y, X, first, second, beta, weights = small()
    Zs = [dense.term_design(first, X), dense.term_design(second, np.ones(len(y)))]
    Z = np.hstack(Zs)
    inverse = np.linalg.inv(
        dense.block_diag(dense.per_level(Zs[0], T2), dense.per_level(Zs[1], T1))
    )

    def g(b):
        return b @ inverse @ b / 2 - twin.log_density(y, X @ beta + Z @ b, weights)

    def slope(b):
        return inverse @ b - Z.T @ (weights * (y - expit(X @ beta + Z @ b)))

    best = minimize(g, np.zeros(Z.shape[1]), jac=slope, method="BFGS", options={"gtol": 1e-9}).x
    p = expit(X @ beta + Z @ best)
    curvature = Z.T @ ((weights * p * (1 - p))[:, None] * Z) + inverse
    deviance = 2 * g(best) + np.linalg.slogdet(curvature)[1] - np.linalg.slogdet(inverse)[1]
    found = twin.conditional(y, X, Zs, beta, [T2, T1], weights)
    assert found.deviance == pytest.approx(deviance, rel=1e-10)
    np.testing.assert_allclose(np.concatenate([b.ravel() for b in found.b]), best, atol=1e-8)
    np.testing.assert_allclose(found.covariance, np.linalg.inv(curvature), rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(expit(found.eta), p, rtol=1e-7)


# Consistency
@pytest.mark.parametrize(("T", "q"), [(T1, 1), (T2, 2)])
def test_one_point_is_laplace(T, q):
    y, X, first, _, beta, weights = small()
    laplace = twin.laplace_deviance(y, X, [dense.term_design(first, X[:, :q])], beta, [T], weights)
    assert twin.quadrature_deviance(y, X, first, X[:, :q], beta, T, 1, weights) == pytest.approx(
        laplace, rel=1e-12
    )


@pytest.mark.parametrize("n", [1, 7])
def test_weights_are_repetitions(n):
    y, X, first, second, beta, weights = small()
    rows = np.repeat(np.arange(len(y)), weights.astype(int))
    weighted = twin.quadrature_deviance(y, X, first, X, beta, T2, n, weights)
    assert weighted == pytest.approx(
        twin.quadrature_deviance(y[rows], X[rows], first[rows], X[rows], beta, T2, n)
    )
    Zs = [dense.term_design(first, X), dense.term_design(second, np.ones(len(y)))]
    ours = twin.conditional(y, X, Zs, beta, [T2, T1], weights)
    theirs = twin.conditional(y[rows], X[rows], [Z[rows] for Z in Zs], beta, [T2, T1])
    assert ours.deviance == pytest.approx(theirs.deviance, rel=1e-12)
    np.testing.assert_allclose(ours.b[0], theirs.b[0], atol=1e-9)


@pytest.mark.parametrize("n", [1, 7])
def test_a_singular_covariance_is_a_smaller_model(n):
    y, X, first, _, beta, weights = small()
    both = twin.quadrature_deviance(y, X, first, X, beta, np.diag([T1[0, 0], 0.0]), n, weights)
    assert both == pytest.approx(
        twin.quadrature_deviance(y, X, first, X[:, :1], beta, T1, n, weights), rel=1e-10
    )
    none = twin.quadrature_deviance(y, X, first, X, beta, np.zeros((2, 2)), n, weights)
    assert none == pytest.approx(-2 * twin.log_density(y, X @ beta, weights), rel=1e-12)


def test_a_level_without_rows_has_its_prior():
    y, X, first, _, beta, _ = small()
    found = twin.conditional(y, X, [dense.term_design(first, X, levels=np.arange(6))], beta, [T2])
    np.testing.assert_array_equal(found.b[0][5], 0)
    np.testing.assert_allclose(found.covariance[10:, 10:], T2, rtol=1e-10)


@pytest.mark.parametrize("T", [T1, T2, np.array([[1.0, -2.0], [-2.0, 4.0]]), np.zeros((2, 2))])
def test_lower_root(T):
    L = twin.lower_root(T)
    np.testing.assert_allclose(L @ L.T, T, atol=1e-7)
    np.testing.assert_allclose(L, np.tril(L), atol=1e-12)
    assert np.all(np.diag(L) >= 0)


@pytest.mark.parametrize("eta", [-3.0, 0.0, 1.2])
@pytest.mark.parametrize("variance", [0.0, 0.3, 16.0])
def test_integrated_probability(eta, variance):
    exact, _ = quad(
        lambda z: expit(eta + np.sqrt(variance) * z) * norm.pdf(z),
        -12,
        12,
        epsrel=1e-12,
        points=[0],
    )
    assert twin.integrated_probability(eta, variance) == pytest.approx(exact, abs=1e-10)


# The same formulas at the estimates of the reference
def dense_problem(model, beta):
    """Arguments of `conditional` at the reference's estimates."""
    Zs = [dense.term_design(model.labels(term.group), model.columns[list(term.effects)], model.levels(term.group))
          for term in model.terms]  # fmt: skip
    Ts = [np.array(entry["cov"], dtype=float) for entry in model.varcomp()]
    return (
        model.y.to_numpy(float),
        model.columns[model.fixef_names].to_numpy(),
        Zs,
        beta,
        Ts,
        model.weights,
    )


def estimates(model):
    return np.array(list(model.reference["fixef"].values()))


@functools.cache
def reference_problem(name):
    model = reference_glmm.build_model(name)
    return model, twin.conditional(*dense_problem(model, estimates(model)))


@functools.cache
def one_factor_problem(name):
    """Arguments of `quadrature_deviance` without the parameters and the number of points."""
    model = reference_glmm.build_model(name)
    (term,) = model.terms
    codes = np.unique(model.labels(term.group), return_inverse=True)[1]
    X, Z = (model.columns[names].to_numpy() for names in (model.fixef_names, list(term.effects)))
    return (model.y.to_numpy(float), X, codes, Z), model.weights


def quadrature(name, beta, T, n):
    rows, weights = one_factor_problem(name)
    return twin.quadrature_deviance(*rows, beta, T, n, weights)


needs_reference = pytest.mark.skipif(not MODELS, reason=reference_models.MISSING)
NAMES = [pytest.param(name, marks=pytest.mark.slow if name in NESTED else []) for name in MODELS]


@pytest.mark.slow
@needs_reference
@pytest.mark.parametrize("name", NAMES)
def test_reference_log_likelihood(name):
    model, found = reference_problem(name)
    stored = model.reference.get("loglik_at_estimate_by_points", {})
    laplace = model.reference["loglik"] if model.n_quadrature == 1 else stored["1"]
    assert -found.deviance / 2 == pytest.approx(laplace, rel=1e-12)
    for points, loglik in stored.items() if len(model.terms) == 1 else ():
        deviance = quadrature(
            name, estimates(model), np.array(model.varcomp()[0]["cov"]), int(points)
        )
        assert -deviance / 2 == pytest.approx(loglik, rel=1e-12)
        if int(points) == model.n_quadrature:
            assert loglik == pytest.approx(model.reference["loglik"], rel=1e-12)


@pytest.mark.slow
@needs_reference
@pytest.mark.parametrize(
    "name", [name for name in MODELS if MODELS[name]["n"] < 900 or "null" in name]
)
def test_reference_errors_are_those_of_the_observed_information(name):
    """Of all parameters together: the slope is zero, and twice the inverse of the curvature is the covariance."""
    model = reference_glmm.build_model(name)
    reference, p = model.reference, len(model.fixef_names)
    point = np.append(estimates(model), model.varcomp()[0]["cov"][0][0])
    steps = 0.005 * np.append(list(reference["se"].values()), reference["varpar"]["se"])

    def deviance(moves):
        moved = point + moves * steps
        return quadrature(name, moved[:p], moved[p:, None], model.n_quadrature)

    unit = np.eye(p + 1)
    slope = [deviance(e) - deviance(-e) for e in unit]
    curvature = np.array([[deviance(a + b) - deviance(a - b) - deviance(b - a) + deviance(-a - b) for a in unit]
                          for b in unit]) / 4  # fmt: skip
    np.testing.assert_allclose(slope, 0, atol=1e-6)
    covariance = 2 * np.linalg.inv(curvature) * np.outer(steps, steps)
    np.testing.assert_allclose(covariance[:p, :p], reference["vcov"], rtol=1e-3)
    np.testing.assert_allclose(covariance[p, p], reference["varpar"]["se"][0] ** 2, rtol=1e-3)


def assert_checksum(values, stored, tolerance):
    """Agreement with what a checksum stores, relative to the size of the largest value."""
    size = tolerance * max(abs(stored["min"]), abs(stored["max"]))
    assert len(values) == stored["n"]
    np.testing.assert_allclose(values[:5], stored["first5"], rtol=0, atol=size)
    np.testing.assert_allclose(
        [values.min(), values.max()], [stored["min"], stored["max"]], rtol=0, atol=size
    )
    np.testing.assert_allclose(values.mean(), stored["sum"] / stored["n"], rtol=0, atol=size)


def random_variance(model):
    """Of the linear predictor of every row, z'Tz."""
    parts = [model.columns[list(term.effects)].to_numpy() for term in model.terms]
    return sum(
        np.sum(z @ entry["cov"] * z, axis=1)
        for z, entry in zip(parts, model.varcomp(), strict=True)
    )


@pytest.mark.slow
@needs_reference
@pytest.mark.parametrize(
    "name", [name for name in NAMES if "fitted_prob" in MODELS[name.values[0]]]
)
def test_reference_probabilities(name):
    model, found = reference_problem(name)
    rows, reference = model.listed_rows, model.reference
    eta = model.columns[model.fixef_names].to_numpy() @ estimates(model)
    assert_checksum(expit(found.eta)[rows], reference["fitted_prob"], 1e-9)
    assert_checksum(expit(eta)[rows], reference["population_prob_re0"], 1e-9)
    marginal = twin.integrated_probability(eta[rows], random_variance(model)[rows])
    assert_checksum(marginal, reference["population_prob_marginal"], 1e-9)


@pytest.mark.slow
@needs_reference
@pytest.mark.parametrize("name", [name for name in NAMES if "ranef" in MODELS[name.values[0]]])
def test_reference_random_effects(name):
    """The conditional modes, also where the likelihood was integrated by quadrature."""
    model, found = reference_problem(name)
    start = 0
    for term, entry, b in zip(model.terms, model.varcomp(), found.b, strict=True):
        stored, level, q = (
            model.reference["ranef"][term.group],
            model.levels(term.group),
            len(term.effects),
        )
        chosen = [stored["terms"].index(effect) for effect in term.effects]
        sd = np.sqrt(np.diag(entry["cov"]))
        for key, values in stored["first5"].items():
            np.testing.assert_allclose(
                b[level.index(key)] / sd, np.array(values)[chosen] / sd, atol=1e-8
            )
        np.testing.assert_allclose(
            (b.sum(axis=0) - np.array(stored["sum"])[chosen]) / sd, 0, atol=1e-6
        )
        for key, values in stored.get("cond_var_first3", {}).items():
            here = slice(start + q * level.index(key), start + q * level.index(key) + q)
            np.testing.assert_allclose(found.covariance[here, here], values, rtol=1e-7, atol=1e-9)
        for key, values in stored.get("cond_var_first3_diag_by_term", {}).items():
            here = start + q * level.index(key)
            assert found.covariance[here, here] == pytest.approx(values[chosen[0]], rel=1e-7)
        start += q * len(level)


@pytest.mark.slow
@needs_reference
@pytest.mark.parametrize("name", reference_glmm.predictions())
def test_reference_predictions(name):
    """At the estimates of the training rows: levels without rows there have effects of zero."""
    model, test_rows = reference_glmm.build_prediction(name)
    reference = model.reference
    y, X, Zs, beta, Ts, _ = dense_problem(model, estimates(model))
    train = ~test_rows
    found = twin.conditional(y[train], X[train], [Z[train] for Z in Zs], beta, Ts)
    if model.n_quadrature == 1:
        deviance = found.deviance
    else:
        labels, columns = (
            model.labels(model.terms[0].group),
            model.columns[list(model.terms[0].effects)].to_numpy(),
        )
        deviance = twin.quadrature_deviance(
            y[train], X[train], labels[train], columns[train], beta, Ts[0], model.n_quadrature
        )
    assert -deviance / 2 == pytest.approx(reference["loglik_train"], rel=1e-12)
    listed = np.array(reference["test_rows_1based"]) - 1
    assert np.array_equal(listed, np.flatnonzero(test_rows)[: len(listed)])
    conditional = X @ beta + sum(Z @ b.ravel() for Z, b in zip(Zs, found.b, strict=True))
    marginal = twin.integrated_probability(X @ beta, random_variance(model))
    np.testing.assert_allclose(conditional[listed], reference["conditional_link"], atol=1e-8)
    np.testing.assert_allclose(marginal[listed], reference["population_prob_marginal"], atol=1e-9)
    assert_checksum(expit(conditional)[test_rows], reference["conditional_prob_checksum"], 1e-9)
    assert_checksum(expit(X @ beta)[test_rows], reference["population_prob_re0_checksum"], 1e-9)
    assert_checksum(marginal[test_rows], reference["population_prob_marginal_checksum"], 1e-9)
