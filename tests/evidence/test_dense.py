"""The dense twins against finite differences, repeated rows, each other, and the small reference models."""

import functools

import numpy as np
import pytest

from tests.helpers import dense, reference_models

SMALL = [name for name, (_, entry) in reference_models.models().items() if entry["n"] <= 900]
REGULAR = [name for name in SMALL if not reference_models.models()[name][1]["singular"]]


# A made-up crossed problem: two terms, one with a slope, fractional weights.
@functools.cache
def crossed_problem():
    random = np.random.default_rng(7)
    n = 40
    first, second, x = random.integers(0, 6, n), random.integers(0, 4, n), random.normal(size=n)
    X = np.column_stack([np.ones(n), x, random.normal(size=n)])
    Zs = [dense.term_design(first, X[:, :2]), dense.term_design(second, np.ones(n))]
    y = X @ [1.0, 2.0, -1.0] + Zs[0] @ random.normal(size=12) + random.normal(size=n)
    Ts = [np.array([[0.8, 0.2], [0.2, 0.5]]), np.array([[0.3]])]
    return y, X, Zs, Ts, random.integers(0, 4, n).astype(float)


def repeated(y, X, Zs, Ts, weights):
    rows = np.repeat(np.arange(len(y)), weights.astype(int))
    return y[rows], X[rows], [Z[rows] for Z in Zs], Ts


def lower_triangles(Ts):
    """The entries that `dense.directions` moves, as (term, i, j)."""
    return [
        (t, i, j) for t, T in enumerate(Ts) for j, i in zip(*np.triu_indices(len(T)), strict=True)
    ]


def moved(Ts, place, step):
    """Ts with one symmetric entry changed."""
    changed = [T.copy() for T in Ts]
    t, i, j = place
    changed[t][i, j] += step
    changed[t][j, i] = changed[t][i, j]
    return changed


def flat(value):
    """A number, an array or a list of arrays as one vector."""
    return (
        np.concatenate([np.ravel(part) for part in value])
        if np.iterable(value)
        else np.array([value])
    )


def central(function, Ts, place, step=1e-5):
    return (function(moved(Ts, place, step)) - function(moved(Ts, place, -step))) / (2 * step)


def along(Ds):
    """Gradient matrices as derivatives along the directions: off-diagonal entries count twice."""
    return np.array([Ds[t][i, j] * (1 if i == j else 2) for t, i, j in lower_triangles(Ds)])


@pytest.fixture(params=["REML", "ML"])
def reml(request):
    return request.param == "REML"


@pytest.fixture(params=["plain", "weighted"])
def problem(request):
    y, X, Zs, Ts, weights = crossed_problem()
    return (y, X, Zs, Ts, weights if request.param == "weighted" else np.ones(len(y)))


def test_deviance_is_the_normal_density(reml):
    """ML: the density itself. REML: of the residuals' contrasts, which lacks log|X'X| of lme4's constants."""
    from scipy.stats import multivariate_normal

    y, X, Zs, Ts, _ = crossed_problem()
    g = dense.gls(y, X, Zs, Ts, reml=reml)
    V = g.sigma2 * np.linalg.inv(dense.gls(y, X, Zs, Ts, reml=False).M)
    if reml:
        Q = np.linalg.qr(X, mode="complete")[0][:, X.shape[1] :]
        density = multivariate_normal(cov=Q.T @ V @ Q).logpdf(Q.T @ y)
        density -= np.linalg.slogdet(X.T @ X)[1] / 2
    else:
        density = multivariate_normal(X @ g.beta, V).logpdf(y)
    assert dense.dense_deviance(y, X, Zs, Ts, reml=reml) == pytest.approx(-2 * density, rel=1e-12)


def test_gradient_is_the_slope_of_the_deviance(problem, reml):
    y, X, Zs, Ts, weights = problem
    slopes = [
        central(lambda Ts: dense.dense_deviance(y, X, Zs, Ts, weights, reml), Ts, place)
        for place in lower_triangles(Ts)
    ]
    gradient = dense.dense_gradient(y, X, Zs, Ts, weights, reml)
    np.testing.assert_allclose(along(gradient), slopes, rtol=1e-6, atol=1e-7)


def test_observed_hessian_is_the_slope_of_the_gradient(problem, reml):
    y, X, Zs, Ts, weights = problem
    slopes = [
        central(lambda Ts: along(dense.dense_gradient(y, X, Zs, Ts, weights, reml)), Ts, place)
        for place in lower_triangles(Ts)
    ]
    observed, average, expected = dense.dense_hessian(y, X, Zs, Ts, weights, reml)
    np.testing.assert_allclose(observed, slopes, rtol=1e-6, atol=1e-6)
    assert np.linalg.eigvalsh(average).min() > 0
    assert np.linalg.eigvalsh(expected).min() > 0


def test_information_is_the_curvature_of_the_unprofiled_deviance(problem, reml):
    y, X, Zs, Ts, weights = problem
    count = weights.sum()

    def deviance(parameters):
        *Gs, sigma2 = parameters
        g = dense.gls(y, X, Zs, [G / sigma2 for G in Gs], weights, reml)
        quadratic = g.sigma2 * g.dof
        return (
            g.logdet + (count - reml * X.shape[1]) * np.log(2 * np.pi * sigma2) + quadratic / sigma2
        )

    start = [0.7 * T for T in Ts] + [np.array([[0.7]])]

    def slope(parameters, place):
        return central(lambda Gs: deviance([*Gs[:-1], Gs[-1][0, 0]]), parameters, place, 1e-4)

    places = lower_triangles(start)
    curvature = [
        [central(lambda Gs, b=b: slope(Gs, b), start, a, 1e-4) for b in places] for a in places
    ]
    information = dense.dense_information(y, X, Zs, start[:-1], 0.7, weights, reml)
    np.testing.assert_allclose(2 * information, curvature, rtol=2e-5, atol=2e-4)


def test_weights_are_repetitions(reml):
    y, X, Zs, Ts, weights = crossed_problem()
    long = repeated(y, X, Zs, Ts, weights)
    weighted, plain = dense.gls(y, X, Zs, Ts, weights, reml), dense.gls(*long, reml=reml)
    for name in ("beta", "cov_beta", "sigma2", "dof", "logdet"):
        np.testing.assert_allclose(
            getattr(weighted, name), getattr(plain, name), rtol=1e-10, err_msg=name
        )
    for function in (dense.dense_deviance, dense.dense_gradient, dense.dense_hessian):
        expected = flat(function(*long, reml=reml))
        np.testing.assert_allclose(
            flat(function(y, X, Zs, Ts, weights, reml)), expected, rtol=1e-8, atol=1e-9
        )
    np.testing.assert_allclose(
        dense.dense_information(y, X, Zs, Ts, 0.9, weights, reml),
        dense.dense_information(*long[:3], Ts, 0.9, reml=reml),
        rtol=1e-8, atol=1e-9,
    )  # fmt: skip
    ours, theirs = dense.henderson(y, X, Zs, Ts, weights, reml), dense.henderson(*long, reml=reml)
    np.testing.assert_allclose(ours.joint, theirs.joint, rtol=1e-9, atol=1e-12)


def test_henderson_agrees_with_gls(problem, reml):
    """b = T Z'V^-1 (y - X beta), and its error variances by the formulas of the marginal model."""
    y, X, Zs, Ts, weights = problem
    g, h = dense.gls(y, X, Zs, Ts, weights, reml), dense.henderson(y, X, Zs, Ts, weights, reml)
    Z = np.hstack(g.Zs)
    T = dense.block_diag(*[dense.per_level(Z, T) for Z, T in zip(Zs, Ts, strict=True)])
    np.testing.assert_allclose(h.beta, g.beta, rtol=1e-9)
    np.testing.assert_allclose(
        np.concatenate([b.ravel() for b in h.b]), T @ Z.T @ g.P @ g.y, rtol=1e-8
    )
    p = X.shape[1]
    np.testing.assert_allclose(h.joint[:p, :p], g.cov_beta, rtol=1e-9)
    np.testing.assert_allclose(h.joint[p:, p:], g.sigma2 * (T - T @ Z.T @ g.P @ Z @ T), atol=1e-10)
    Vinv = dense.gls(y, X, Zs, Ts, weights, reml=False).M
    np.testing.assert_allclose(h.conditional, g.sigma2 * (T - T @ Z.T @ Vinv @ Z @ T), atol=1e-10)


def test_a_new_level_adds_its_whole_variance():
    y, X, Zs, Ts, _ = crossed_problem()
    extended = [np.hstack([Zs[0], np.zeros((len(y), 2))]), Zs[1]]
    h = dense.henderson(y, X, extended, Ts)
    x, z = np.array([1.0, 0.5, 0.0]), np.array([1.0, 0.5])
    row = np.zeros(extended[0].shape[1] + Zs[1].shape[1])
    row[Zs[0].shape[1] : extended[0].shape[1]] = z
    cov_beta = dense.gls(y, X, Zs, Ts).cov_beta
    assert dense.row_variance(h, x, row)[0] == pytest.approx(
        x @ cov_beta @ x + h.sigma2 * z @ Ts[0] @ z
    )


def test_a_zero_covariance_is_least_squares():
    y, X, Zs, Ts, _ = crossed_problem()
    zero = [0 * T for T in Ts]
    h = dense.henderson(y, X, Zs, zero)
    np.testing.assert_allclose(h.beta, np.linalg.lstsq(X, y)[0])
    assert not np.any(h.conditional)


# The same formulas at the estimates of the reference
def dense_problem(model):
    """y, X, Zs, relative Ts and whether REML, at the reference's estimates."""
    Zs = [dense.term_design(model.labels(term.group), model.columns[list(term.effects)], model.levels(term.group))
          for term in model.terms]  # fmt: skip
    Ts = [
        np.array(entry["cov"], dtype=float) / model.reference["sigma2"] for entry in model.varcomp()
    ]
    return (
        model.y.to_numpy(),
        model.columns[model.fixef_names].to_numpy(),
        Zs,
        Ts,
        None,
        model.method == "reml",
    )


@functools.cache
def reference_problem(name):
    model = reference_models.build_model(name)
    return model, dense_problem(model)


needs_reference = pytest.mark.skipif(not SMALL, reason=reference_models.MISSING)


@pytest.mark.slow
@needs_reference
@pytest.mark.parametrize("name", SMALL)
def test_reference_log_likelihood_and_fixed_effects(name):
    model, problem = reference_problem(name)
    reference = model.reference
    g = dense.gls(*problem)
    loglik = -dense.dense_deviance(*problem) / 2 + model.loglik_shift
    assert loglik == pytest.approx(reference["loglik"], rel=1e-11)
    np.testing.assert_allclose(g.beta, list(reference["fixef"].values()), rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(g.cov_beta, reference["vcov"], rtol=1e-7, atol=1e-10)
    assert g.sigma2 == pytest.approx(reference["sigma2"], rel=1e-9)


@pytest.mark.slow
@needs_reference
@pytest.mark.parametrize("name", REGULAR)
def test_reference_is_the_optimum(name):
    """Gradient zero: no entry of T can move by a standard error's 1e-5 of deviance; curvature positive."""
    _, problem = reference_problem(name)
    observed, average, expected = dense.dense_hessian(*problem)
    step = np.linalg.solve(observed, along(dense.dense_gradient(*problem)))
    assert np.linalg.eigvalsh(observed).min() > 0
    assert step @ observed @ step < 1e-10
    np.testing.assert_allclose(
        average, (observed + expected) / 2, rtol=1e-4, atol=1e-6 * np.abs(average).max()
    )


@pytest.mark.slow
@needs_reference
@pytest.mark.parametrize("name", REGULAR)
def test_reference_errors_of_variances(name):
    """`varpar` of the reference is the inverse of the observed information."""
    model, (y, X, Zs, Ts, weights, reml) = reference_problem(name)
    sigma2 = model.reference["sigma2"]
    information = dense.dense_information(y, X, Zs, [sigma2 * T for T in Ts], sigma2, weights, reml)
    errors = np.sqrt(np.diag(np.linalg.inv(information)))
    names = [
        f"{term.group}|"
        + (f"var({term.effects[i]})" if i == j else f"cov({term.effects[j]},{term.effects[i]})")
        for term in model.terms
        for j, i in zip(*np.triu_indices(len(term.effects)), strict=True)
    ]
    stored = dict(
        zip(model.reference["varpar"]["names"], model.reference["varpar"]["se"], strict=True)
    )
    np.testing.assert_allclose(
        errors, [stored[name] for name in [*names, "Residual|var"]], rtol=1e-5
    )


@pytest.mark.slow
@needs_reference
@pytest.mark.parametrize("name", SMALL)
def test_reference_random_effects(name):
    model, problem = reference_problem(name)
    h = dense.henderson(*problem)
    start = 0
    for term, b in zip(model.terms, h.b, strict=True):
        stored = model.reference["ranef"][term.group]
        chosen = [stored["terms"].index(effect) for effect in term.effects]
        level, q = model.levels(term.group), len(term.effects)
        scale = np.sqrt(np.diag(problem[3][model.terms.index(term)]) * h.sigma2)
        for key, values in stored["first5"].items():
            error = b[level.index(key)] - np.array(values)[chosen]
            assert np.all(np.abs(error) <= 1e-8 * scale + 1e-12)
        for key, values in stored.get("cond_var_first3", {}).items():
            here = slice(start + q * level.index(key), start + q * level.index(key) + q)
            np.testing.assert_allclose(h.conditional[here, here], values, rtol=1e-7, atol=1e-9)
        for key, values in stored.get("cond_var_first3_diag_by_term", {}).items():
            here = start + q * level.index(key)
            assert h.conditional[here, here] == pytest.approx(values[chosen[0]], rel=1e-7)
        start += q * len(level)
