"""The compiled sweeps of adaptive quadrature against the ordinary evaluation."""

from dataclasses import replace

import numpy as np
import pytest

from skmixed._likelihood.discrepancy import discrepancy
from skmixed._likelihood.glmm import GlmmDeviance
from skmixed._likelihood.laplace import Laplace
from skmixed._likelihood.quadrature import AdaptiveQuadrature, adaptive
from skmixed._likelihood.quadrature.part import QuadraturePart
from skmixed._likelihood.quadrature.swept import NodeSums, SweptQuadrature
from skmixed._model.families import BernoulliLogit

from .test_laplace import block_of, close, covariance, laid

POINTS = {1: [2, 3, 4, 7, 9, 12, 25], 2: [2, 3, 5, 7], 3: [2, 3, 4]}


def ordinary(monkeypatch, objective, point):
    """The same without the sweeps."""
    with monkeypatch.context() as patch:
        patch.setattr(adaptive, "sweep", lambda density, guess: None)
        found = objective(point)
    assert all(type(part) is QuadraturePart for part in found.parts)
    return found


def check(ours, theirs):
    assert all(type(part) is SweptQuadrature for part in ours.parts)
    for name in ("value", "slope", "hessian"):
        close(getattr(ours, name), getattr(theirs, name))
    for part, other in zip(ours.parts, theirs.parts, strict=True):
        close(part.loglik, other.loglik)
        close(part.reach, other.reach)
        close(part.row_gradients(), other.row_gradients())
        close(part.level_gradients()[0], other.level_gradients()[0])
        nodes = NodeSums.of(part.density, part.c[0], part.integration.rule)
        deviances = other.log_determinants + other.modes.penalised
        close(nodes.deviances, deviances - 2.0 * np.log(other.integral.total))
        root_gradients = other._root_gradients  # zero where T is, but for rounding
        size = 1e-12 * max(1.0, np.max(np.abs(root_gradients)))
        np.testing.assert_allclose(nodes.root_gradients, root_gradients, rtol=0, atol=size)


@pytest.mark.parametrize("q", [1, 2, 3])
@pytest.mark.parametrize("seed", range(6))
def test_everything(seed, q, native, tight, monkeypatch):
    rng = np.random.default_rng([q, seed])
    n, levels, p = int(rng.integers(1, 700)), int(rng.integers(1, 60)), int(rng.integers(0, 6))
    integration = AdaptiveQuadrature(int(rng.choice(POINTS[q])), rng.normal(size=(q, q)))
    blocks = [block_of(rng, q, n, levels, p)]
    objective = GlmmDeviance.of(blocks, BernoulliLogit(), integration)
    T = covariance(rng, q, max(1, q - 1) if seed % 2 else q)
    point = [np.zeros_like(T) if seed == 4 else T, 0.5 * rng.normal(size=p)]
    check(objective(point), ordinary(monkeypatch, objective, point))


@pytest.mark.parametrize("seed", range(4))
def test_intercepts_without_weights(seed, native, tight, monkeypatch):
    """Whose rows share what they have in common at all nodes: short and long levels, near and far."""
    rng = np.random.default_rng(seed)
    codes = np.concatenate([np.repeat(3, 1500), rng.integers(0, 90, 400)])
    y = (rng.random(1900) < [0.4, 0.02, 0.999, 0.5][seed]).astype(float)
    offset = [None, None, None, 200.0 * rng.normal(size=1900)][seed]
    ones = np.ones((1, 1900))
    block = laid(rng.normal(size=(1900, 3)), ones, y, 1.0, codes, 95, offset)
    integration = AdaptiveQuadrature([7, 15, 30, 5][seed], np.eye(1))
    objective = GlmmDeviance.of([block], BernoulliLogit(), integration)
    point = [np.array([[[0.5, 4.0, 9.0, 100.0][seed]]]), rng.normal(size=3)]
    check(objective(point), ordinary(monkeypatch, objective, point))


def test_long_levels(native, tight, monkeypatch):
    """Longer than what is visited at a time, among short ones, with and without weights."""
    rng = np.random.default_rng(0)
    codes = np.concatenate([np.repeat(3, 1500), rng.integers(0, 30, 100)])
    z = np.vstack([np.ones(1600), rng.normal(size=1600)])
    y = (rng.random(1600) < 0.4).astype(float)
    for m in (1.0, 2.0, rng.uniform(0.5, 2.0, 1600)):
        block = laid(rng.normal(size=(1600, 2)), z, y, m, codes, 31)
        integration = AdaptiveQuadrature(5, np.eye(2))
        objective = GlmmDeviance.of([block], BernoulliLogit(), integration)
        point = [covariance(rng, 2, 2), rng.normal(size=2)]
        check(objective(point), ordinary(monkeypatch, objective, point))


def test_no_rows(native):
    """Levels without rows add nothing."""
    rows = (np.zeros((0, 1)), *[np.zeros(0)] * 4, np.zeros(0), np.ones(1), np.zeros(0))
    indptr = np.zeros(4, dtype=np.int32)
    T, c = np.ones((1, 1)), np.zeros((1, 3))
    rule = AdaptiveQuadrature(3, np.eye(1)).rule
    found = (np.ones(3), np.ones(0), np.ones((1, 1, 3)))
    native.quadrature_sweep(
        *rows, indptr, np.ones(1), T, T, c, rule.nodes, rule.log_weights, *found
    )
    for sums in found:
        np.testing.assert_allclose(sums, 0.0, atol=1e-15)


def test_what_is_no_number_is_none(native):
    """The ordinary evaluation has the last word where a level has no deviance."""
    rng = np.random.default_rng(5)
    block = block_of(rng, 1, 50, 4, 1)
    state = GlmmDeviance.of([block], BernoulliLogit(), AdaptiveQuadrature(3, np.eye(1)))
    part = state([np.eye(1), np.ones(1)]).parts[0]
    wild = replace(part.density, beta=np.array([np.inf]))
    assert np.any(np.isnan(NodeSums.of(wild, part.c[0], part.integration.rule).deviances))
    assert part.integration.swept(wild, part.near()) is None


def test_the_same_modes_are_looked_for_once(native):
    """More points at the same parameters need no second search; other parameters do."""
    rng = np.random.default_rng(7)
    block = block_of(rng, 1, 200, 15, 2)
    objective = GlmmDeviance.of([block], BernoulliLogit(), Laplace())
    point = [np.eye(1), rng.normal(size=2)]
    state = objective(point)
    finer = replace(objective, integration=AdaptiveQuadrature(5, np.eye(1)))
    again = finer(point, state.near())
    assert again.parts[0].found is state.parts[0].found
    assert again.value == pytest.approx(finer(point).value, rel=1e-13)
    for other in ([2.0 * point[0], point[1]], [point[0], point[1] + 0.1]):
        there = finer(other, state.near())
        assert there.parts[0].found is not state.parts[0].found
        assert there.value == pytest.approx(finer(other).value, rel=1e-12)


@pytest.mark.parametrize("points", [1, 3])
def test_discrepancies(points, native, tight, monkeypatch):
    rng = np.random.default_rng(points)
    block = block_of(rng, 2, 500, 40, 3)
    basis = np.array([[1.0, 0.5], [0.0, 2.0]])
    own = Laplace() if points == 1 else AdaptiveQuadrature(points, basis)
    objective = GlmmDeviance.of([block], BernoulliLogit(), own)
    state = objective([covariance(rng, 2, 2), rng.normal(size=3)])
    finer = AdaptiveQuadrature(7, basis)
    ours = discrepancy(state, finer)
    monkeypatch.setattr(adaptive, "sweep", lambda density, guess: None)
    theirs = discrepancy(state, finer)
    assert ours.loglik == pytest.approx(theirs.loglik, abs=1e-11 * abs(state.value))
    np.testing.assert_allclose(ours.slope, theirs.slope, atol=1e-11 * abs(state.value))
