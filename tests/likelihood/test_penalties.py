"""Derivatives of penalised deviances against differences: several correlated effects, weights, unbalanced groups."""

from dataclasses import replace

import numpy as np
import pytest

from skmixed._algebra.packed import pack
from skmixed._algebra.plan import Plan
from skmixed._likelihood.glmm import GlmmDeviance
from skmixed._likelihood.laplace import Laplace
from skmixed._likelihood.linear import ProfiledDeviance
from skmixed._likelihood.quadrature import AdaptiveQuadrature
from skmixed._model.covariances import Parameters
from skmixed._model.families import BernoulliLogit
from skmixed._model.priors import Weak, prior_of
from skmixed._model.structures import STRUCTURES
from skmixed._model.terms import Term
from skmixed._search.local import local_model
from skmixed._sums.design import Design, RowDesign
from skmixed._sums.source import InMemory
from tests.helpers import dense_penalised
from tests.likelihood.test_glmm import differences, flat, unflat

ALPHA = 5.0


def a_source(factors, binary):
    rng = np.random.default_rng(11)
    n = 90
    X = (
        rng.normal(size=(n, 3)) @ np.array([[1.0, 0.8, 0.0], [0.0, 0.5, 0.0], [0.0, 0.0, 30.0]])
        + 4.0
    )
    codes = [
        np.minimum(rng.integers(0, 9, n), rng.integers(0, 9, n)),
        np.sort(rng.integers(0, 4, n)),
    ]
    y = X[:, 0] + rng.normal(size=9)[codes[0]] + rng.normal(size=n)
    y = (y > np.median(y)) * 1.0 if binary else y
    codes = [np.unique(c, return_inverse=True)[1] for c in codes[:factors]]
    weights = rng.integers(1, 4, n).astype(float)
    return InMemory(X, y, weights, codes, [c.max() + 1 for c in codes])


def a_design(kind, factors, *, structure="unstructured", binary=False):
    source = a_source(factors, binary)
    terms = [Term(0, (0, 1), True, structure)]
    terms += [Term(1, (), True, "unstructured")] * (factors - 1)
    return kind.of(source, terms, n_fixed=3, fit_intercept=True, alpha=ALPHA)


def a_point(factors, structure="unstructured"):
    rng = np.random.default_rng(12)
    root = rng.normal(size=(3, 3))
    T = STRUCTURES[structure](3).start(0.3 * root @ root.T + 0.2 * np.eye(3), np.full(3, 0.01))
    return [T, np.array([[0.6]])][:factors]


@pytest.mark.parametrize("factors", [1, 2])
@pytest.mark.parametrize("reml", [True, False])
def test_derivatives_of_the_linear_deviance_with_a_ridge(factors, reml):
    design = a_design(Design, factors)
    objective = ProfiledDeviance.of(Plan(design.cross), reml, design.ridge)
    plain = ProfiledDeviance.of(Plan(design.cross), reml)
    T = a_point(factors)
    state, sizes = objective(T), [len(t) for t in T]
    x = flat(T, np.zeros(0))
    assert abs(state.value - plain(T).value) > 1.0

    def at(x):
        return objective(unflat(x, sizes)[:-1])

    np.testing.assert_allclose(
        state.slope, differences(lambda x: at(x).value, x, 1e-5), rtol=1e-6, atol=1e-5
    )
    if state.exact:
        bent = differences(lambda x: at(x).slope, x, 1e-5)
        np.testing.assert_allclose(state.hessian, bent, rtol=1e-6, atol=1e-5)


@pytest.mark.parametrize(("factors", "points"), [(1, 1), (2, 1), (1, 3)])
def test_derivatives_of_the_logistic_deviance_with_a_ridge(factors, points):
    design = a_design(RowDesign, factors, binary=True)
    integration = Laplace() if points == 1 else AdaptiveQuadrature(points, design.factor_basis(0))
    objective = GlmmDeviance.of(design.blocks, BernoulliLogit(), integration, design.ridge)
    T, beta = a_point(factors), np.array([0.3, 1.0, -0.5, 0.2])
    state, sizes = objective([*T, beta]), [len(t) for t in T]
    x = flat(T, beta)
    slope = differences(lambda x: objective(unflat(x, sizes)).value, x, 1e-5)
    np.testing.assert_allclose(state.slope, slope, rtol=1e-5, atol=1e-5)
    if state.exact:
        bent = differences(lambda x: objective(unflat(x, sizes)).slope, x, 1e-5)
        np.testing.assert_allclose(state.hessian, bent, rtol=1e-5, atol=2e-4)
    assert state.value - state.likelihood == pytest.approx(design.ridge.value(beta))
    coefficients = design.frame.coefficient_map[1:] @ beta
    expected = ALPHA * np.sum((coefficients * design.frame.candidates.scales[1:]) ** 2)
    assert design.ridge.value(beta) == pytest.approx(expected)


@pytest.mark.parametrize("factors", [1, 2])
@pytest.mark.parametrize("reml", [True, False])
@pytest.mark.parametrize("structure", ["unstructured", "diagonal", "identity", "exchangeable"])
def test_derivatives_of_the_linear_deviance_with_a_prior(factors, reml, structure):
    """In the coordinates of the structure, and in all entries where they are free."""
    design = a_design(Design, factors, structure=structure)
    covariances = design.covariances(prior="weak")
    objective = ProfiledDeviance.of(Plan(design.cross), reml, design.ridge, prior_of(covariances))
    plain = ProfiledDeviance.of(Plan(design.cross), reml, design.ridge)
    point = a_point(factors, structure)
    state = objective(covariances.assemble(point))
    chart, slope, bent = local_model(covariances, point, state)

    def along(s):
        return objective(covariances.assemble(chart.move(s))).value

    zero = np.zeros(len(slope))
    np.testing.assert_allclose(slope, differences(along, zero, 1e-4), rtol=1e-5, atol=1e-5)
    if factors == 1:
        second = differences(lambda s: differences(along, s, 1e-3), zero, 1e-3)
        np.testing.assert_allclose(bent, second, rtol=1e-4, atol=1e-3)
    if structure in ("unstructured", "diagonal"):
        added = state.value - plain(covariances.assemble(point)).value
        assert added == pytest.approx(dense_penalised.weak_prior(point), rel=1e-9)
    if structure == "unstructured":
        x, sizes = flat(point, np.zeros(0)), [len(T) for T in point]
        prior = Weak(covariances)
        found = differences(lambda x: prior.value(unflat(x, sizes)[:-1]), x, 1e-5)
        zeros = [np.zeros_like(T) for T in point]
        np.testing.assert_allclose(pack(prior.with_gradient(zeros, point)), found, atol=1e-7)

        def packed_slope(x):
            return pack(prior.with_gradient(zeros, unflat(x, sizes)[:-1]))

        second = prior.with_hessian(np.zeros((len(x), len(x))), point)
        np.testing.assert_allclose(second, differences(packed_slope, x, 1e-5), atol=1e-6)


@pytest.mark.parametrize(("factors", "points"), [(1, 1), (2, 1), (1, 3)])
def test_derivatives_of_the_logistic_deviance_with_a_prior(factors, points):
    design = a_design(RowDesign, factors, binary=True)
    integration = Laplace() if points == 1 else AdaptiveQuadrature(points, design.factor_basis(0))
    parameters = Parameters(design.covariances(prior="weak"), 4)
    objective = GlmmDeviance.of(design.blocks, BernoulliLogit(), integration, design.ridge)
    objective = replace(objective, prior=prior_of(parameters.covariances))
    T, beta = a_point(factors), np.array([0.3, 1.0, -0.5, 0.2])
    state, sizes = objective([*T, beta]), [len(t) for t in T]
    x = flat(T, beta)
    slope = differences(lambda x: objective(unflat(x, sizes)).value, x, 1e-5)
    np.testing.assert_allclose(state.slope, slope, rtol=1e-5, atol=1e-5)
    if state.exact:
        bent = differences(lambda x: objective(unflat(x, sizes)).slope, x, 1e-5)
        np.testing.assert_allclose(state.hessian, bent, rtol=1e-5, atol=2e-4)
    penalty = dense_penalised.weak_prior(T) + design.ridge.value(beta)
    assert state.value - state.likelihood == pytest.approx(penalty)


def test_a_singular_covariance_has_no_density():
    design = a_design(Design, 1)
    objective = ProfiledDeviance.of(
        Plan(design.cross), True, design.ridge, prior_of(design.covariances(prior="weak"))
    )
    root = np.array([[1.0], [0.5], [-0.2]])
    assert objective([root @ root.T]).value == np.inf
    assert objective([np.zeros((3, 3))]).value == np.inf
