"""Deviances of the logistic model against dense formulas, and every derivative against
differences."""

import numpy as np
import pytest
from scipy.linalg import block_diag

from skmixed._algebra.elimination import Elimination
from skmixed._algebra.operators import DenseOperator
from skmixed._algebra.packed import lower_triangle, packed_index, packed_size
from skmixed._algebra.plan import Plan
from skmixed._algebra.posterior import Posterior
from skmixed._algebra.roots import semidefinite_cholesky
from skmixed._likelihood.glmm import GlmmDeviance
from skmixed._likelihood.laplace import Laplace
from skmixed._likelihood.quadrature import AdaptiveQuadrature
from skmixed._model.families import BernoulliLogit
from tests.helpers import dense_glmm as dense
from tests.helpers.designs import LAYOUTS, logistic_example

SINGLE = [name for name, (factors, *_) in LAYOUTS.items() if len(factors) == 1]
CROSSED = [name for name in LAYOUTS if name not in SINGLE]
layouts = pytest.mark.parametrize("name", LAYOUTS)


def flat(T, beta):
    return np.concatenate([t[lower_triangle(len(t))] for t in T] + [beta])


def unflat(x, sizes):
    factors, start = [], 0
    for q in sizes:
        stop = start + packed_size(q)
        factors.append(x[start:stop][packed_index(q)])
        start = stop
    return [*factors, x[start:]]


def differences(function, x, step):
    return np.array(
        [(function(x + h) - function(x - h)) / (2 * step) for h in step * np.eye(len(x))]
    )


def slopes(objective, T, beta, step=1e-5):
    """The gradient of the deviance by central differences."""
    sizes = [len(t) for t in T]
    return differences(lambda x: objective(unflat(x, sizes)).value, flat(T, beta), step)


@pytest.mark.parametrize("eta", [-800.0, -40.0, -3.0, 0.0, 0.7, 40.0, 800.0])
@pytest.mark.parametrize("y", [0.0, 1.0])
def test_family_derivatives(eta, y):
    """Each derivative is that of the one before; nothing overflows."""
    family, h = BernoulliLogit(), 1e-5

    def at(shift):
        return family.at(np.array([eta + shift]), np.array([y]), 2.5)

    point, above, below = at(0.0), at(h), at(-h)
    assert point.loglik == pytest.approx(
        -2.5 * np.logaddexp(0, eta * (1 - 2 * y)), rel=1e-12, abs=1e-15
    )
    for name, derivative, sign in (
        ("loglik", "score", 1),
        ("score", "weight", -1),
        ("weight", "skew", 1),
    ):
        difference = sign * (getattr(above, name) - getattr(below, name)) / (2 * h)
        assert getattr(point, derivative) == pytest.approx(difference, rel=1e-5, abs=1e-8)
    assert point.curvature == pytest.approx((above.skew - below.skew) / (2 * h), rel=1e-5, abs=1e-8)


@layouts
@pytest.mark.parametrize("weighted", [True, False])
def test_laplace_value(name, weighted):
    e = logistic_example(name, weighted=weighted)
    state = e.objective([*e.T, e.beta])
    expected = dense.laplace_deviance(e.y, e.X, e.Zs, e.beta, e.T, e.weights)
    assert state.value == pytest.approx(expected, rel=1e-12)


@layouts
def test_laplace_gradient(name):
    e = logistic_example(name)
    state = e.objective([*e.T, e.beta])
    np.testing.assert_allclose(state.slope, slopes(e.objective, e.T, e.beta), rtol=1e-6, atol=1e-6)


@layouts
def test_laplace_curvature(name):
    """Exact for a single factor (one to three effects); a positive definite approximation otherwise."""
    e = logistic_example(name)
    state, sizes = e.objective([*e.T, e.beta]), [len(t) for t in e.T]
    assert state.exact == (len(e.T) == 1)
    np.testing.assert_allclose(
        state.hessian, state.hessian.T, atol=1e-9 * np.abs(state.hessian).max()
    )
    if state.exact:
        expected = differences(
            lambda x: e.objective(unflat(x, sizes)).slope, flat(e.T, e.beta), 1e-5
        )
        np.testing.assert_allclose(
            state.hessian, expected, rtol=1e-6, atol=1e-6 * np.abs(expected).max()
        )
    else:
        assert np.linalg.eigvalsh(state.hessian)[0] > 0


@pytest.mark.parametrize("name", ["three effects", "crossed vectors", "nested and two crossed"])
def test_laplace_at_a_singular_covariance(name):
    """Value and gradient exist where a covariance has a null direction: compared along the way into the cone."""
    e = logistic_example(name)
    for f, t in enumerate(e.T):
        T = list(e.T)
        T[f] = np.outer(t[:, 0], t[:, 0]) / t[0, 0]
        state = e.objective([*T, e.beta])
        expected = dense.laplace_deviance(e.y, e.X, e.Zs, e.beta, T, e.weights)
        assert state.value == pytest.approx(expected, rel=1e-10)
        inwards, h = t - T[f] + 0.1 * np.eye(len(t)), 1e-5

        def deviance(step, T=T, f=f, inwards=inwards):
            return e.objective([*T[:f], T[f] + step * inwards, *T[f + 1 :], e.beta]).value

        slope = (-3 * state.value + 4 * deviance(h) - deviance(2 * h)) / (2 * h)
        assert np.sum(state.gradient[f] * inwards) == pytest.approx(slope, rel=1e-5)


@pytest.mark.parametrize("name", SINGLE)
@pytest.mark.parametrize("points", [2, 3, 7])
def test_quadrature_value_and_gradient(name, points):
    """The rule placed by the Cholesky factor in the user's columns; gradients let the nodes
    move."""
    e = logistic_example(name)
    basis, (T,) = e.design.factor_basis(0), e.T
    objective = GlmmDeviance.of(
        e.design.blocks, BernoulliLogit(), AdaptiveQuadrature(points, basis)
    )
    state = objective([T, e.beta])
    columns = np.column_stack(
        [np.ones(len(e.y)) if s < 0 else e.raw[:, s] for t in e.design.terms for s in t.sources]
    )
    expected = dense.quadrature_deviance(
        e.y, e.X, e.codes[0], columns, e.beta, basis @ T @ basis.T, points, e.weights
    )
    assert state.value == pytest.approx(expected, rel=1e-11)
    np.testing.assert_allclose(state.slope, slopes(objective, [T], e.beta), rtol=2e-6, atol=2e-6)


def test_more_points_than_laplace_agree_with_each_other():
    e = logistic_example("intercept")
    values = [
        GlmmDeviance.of(e.design.blocks, BernoulliLogit(), AdaptiveQuadrature(k, np.eye(1)))(
            [*e.T, e.beta]
        ).value
        for k in (15, 25)
    ]
    laplace, one = (
        GlmmDeviance.of(e.design.blocks, BernoulliLogit(), rule)([*e.T, e.beta]).value
        for rule in (Laplace(), AdaptiveQuadrature(1, np.eye(1)))
    )
    assert values[0] == pytest.approx(values[1], abs=1e-7)
    assert laplace == pytest.approx(one, rel=1e-13)
    assert abs(laplace - values[0]) > 1e-3


@pytest.mark.parametrize("name", SINGLE)
@pytest.mark.parametrize("points", [1, 3])
def test_blocks_of_rows_add(name, points, monkeypatch):
    whole = logistic_example(name)
    monkeypatch.setattr("skmixed._sums.laying.ROWS_PER_BLOCK", 50)
    cut = logistic_example(name)
    assert len(cut.design.blocks) > 3 and len(whole.design.blocks) == 1

    def state(e):
        rule = Laplace() if points == 1 else AdaptiveQuadrature(points, e.design.factor_basis(0))
        return GlmmDeviance.of(e.design.blocks, BernoulliLogit(), rule)([*e.T, e.beta])

    ours, theirs = state(cut), state(whole)
    assert ours.value == pytest.approx(theirs.value, rel=1e-11)
    np.testing.assert_allclose(ours.slope, theirs.slope, rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(ours.hessian, theirs.hessian, rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(ours.effects[0], theirs.effects[0], rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("name", CROSSED)
@pytest.mark.parametrize("dense_products", [False, True])
def test_covariances_of_levels_that_meet(name, dense_products, monkeypatch):
    """Entries of ``(T^-1 + A)^-1`` on the pairs of levels, through either operator, after a change of weights."""
    if dense_products:
        monkeypatch.setattr("skmixed._algebra.plan.is_dense_product", lambda *_: True)
    e = logistic_example(name)
    (block,), w = e.design.blocks, np.random.default_rng(1).uniform(0.1, 0.3, len(e.y))
    plan = Plan(block.pattern)
    elimination = Elimination(plan.reweighted(block.level_blocks(w), block.pair_values(w)), e.T)
    if dense_products and len(plan.layout.stages) == 1 and plan.couplings:
        assert isinstance(plan.operators[plan.layout.stages[0]], DenseOperator)
    Z = np.hstack(list(_dense_z(block)))
    prior = block_diag(
        *[
            np.kron(np.eye(g.n_levels), np.linalg.inv(t))
            for g, t in zip(block.groups, e.T, strict=True)
        ]
    )
    M = np.linalg.inv(prior + Z.T @ (w[:, None] * Z))
    starts = np.cumsum(
        [0] + [g.n_levels * len(z) for g, z in zip(block.groups, block.z, strict=True)]
    )
    for (f, g), values in Posterior(elimination).pairs().items():
        _, rows, cols = block.pairs[f, g]
        for r in range(values.shape[0]):
            for c in range(values.shape[1]):
                expected = M[
                    starts[f] + rows * values.shape[0] + r, starts[g] + cols * values.shape[1] + c
                ]
                np.testing.assert_allclose(values[r, c], expected, rtol=1e-8, atol=1e-11)


def _dense_z(block):
    for z, group in zip(block.z, block.groups, strict=True):
        Z = np.zeros((len(block.y), group.n_levels * len(z)))
        for r, column in enumerate(z):
            Z[np.arange(len(Z)), group.codes * len(z) + r] = 1.0 if column is None else column
        yield Z


@layouts
def test_a_search_from_nearby_ends_at_the_same_modes(name):
    e = logistic_example(name)
    near = e.objective([*[1.2 * t for t in e.T], e.beta + 0.05]).at([*e.T, e.beta])
    assert near.value == pytest.approx(e.objective([*e.T, e.beta]).value, rel=1e-11)


@pytest.mark.parametrize("name", ["three effects", "nested and two crossed"])
def test_modes_solve_their_equation(name):
    """``b = T Z'r``, and the covariances given the parameters are those of the dense model."""
    e = logistic_example(name)
    state = e.objective([*e.T, e.beta])
    for part in state.parts:
        for b, s, t in zip(part.modes.b, part.modes.scores, e.T, strict=True):
            np.testing.assert_allclose(b, t @ s, rtol=1e-7, atol=1e-9)
    found = dense.conditional(e.y, e.X, e.Zs, e.beta, e.T, e.weights)
    for ours, theirs in zip(state.effects, found.b, strict=True):
        np.testing.assert_allclose(ours.T, theirs, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("rank", [0, 1, 2, 3])
def test_semidefinite_cholesky(rank):
    root = np.random.default_rng(rank).normal(size=(3, rank))
    L = semidefinite_cholesky(root @ root.T)
    np.testing.assert_allclose(L @ L.T, root @ root.T, atol=1e-12)
    assert np.all(np.triu(L, 1) == 0)


def test_a_variance_beyond_all_bounds_is_not_attainable():
    e = logistic_example("intercept")
    assert e.objective([1e9 * t for t in e.T] + [e.beta]).value == np.inf
    assert e.objective([*e.T, np.full(4, np.nan)]).value == np.inf
