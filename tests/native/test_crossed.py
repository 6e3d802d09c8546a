"""Compiled sums over rows whose levels meet against those in numpy."""

import copy
import pickle

import numpy as np
import pytest

from skmixed._algebra.kernels import CHOICE
from skmixed._likelihood import modes
from skmixed._likelihood.chords import FOUND, UPHILL, along_chords
from skmixed._likelihood.glmm import GlmmDeviance
from skmixed._likelihood.laplace import Laplace
from skmixed._model.families import BernoulliLogit
from skmixed._sums.blocks import RowBlock
from skmixed._sums.crossed import CrossedRows, row_block

SEEDS = range(8)


def rows_of(rng, factors, n, p=2):
    """Rows of several factors, some columns ones, some levels empty; the same without kernels."""
    levels = rng.integers(1, 9, factors)
    codes = [rng.integers(0, m, n) for m in levels]
    z = [rng.normal(size=(q, n)) for q in rng.integers(1, 4, factors)]
    for columns in z:
        columns[rng.integers(0, 2, len(columns)) == 0] = 1.0
    y = rng.choice([0.0, 1.0, 0.3], n)
    m = rng.integers(1, 4, n).astype(float) if rng.integers(2) else 1.0
    offset = rng.normal(size=n) if rng.integers(2) else None
    fast = row_block(rng.normal(size=(n, p)), z, y, m, codes, levels, offset)
    assert type(fast) is CrossedRows
    names = ("x", "z", "y", "m", "groups", "pairs", "levels", "offset")
    return fast, RowBlock(*(getattr(fast, name) for name in names))


def some(rng):
    """Several factors and rows, or none."""
    return rows_of(rng, int(rng.integers(2, 5)), int(rng.choice([0, 1, 40, 1100])))


def close(ours, theirs):
    np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-10)


def all_close(ours, theirs):
    assert len(ours) == len(theirs)
    for own, other in zip(ours, theirs, strict=True):
        close(own, other)


@pytest.mark.parametrize("seed", SEEDS)
def test_rows_at_effects(seed, native):
    rng = np.random.default_rng(seed)
    fast, plain = some(rng)
    b = [
        3.0 * rng.normal(size=(len(z), g.n_levels))
        for z, g in zip(fast.z, fast.groups, strict=True)
    ]
    fixed = 10.0 * rng.normal(size=len(fast.y))
    ours, theirs = (rows.sweep(BernoulliLogit(), fixed, b) for rows in (fast, plain))
    close(np.sum(ours.loglik), np.sum(theirs.loglik))
    all_close(ours.scores, theirs.scores)
    for name in ("eta", "mean", "weight", "score", "skew", "curvature", "loglik"):
        close(getattr(ours.point, name), getattr(theirs.point, name))
    close(fast.random_part(b), plain.random_part(b))
    effects = [
        rng.normal(size=(len(z), 3, g.n_levels)) for z, g in zip(fast.z, fast.groups, strict=True)
    ]
    close(fast.random_part(effects), plain.random_part(effects))


@pytest.mark.parametrize("seed", SEEDS)
def test_sums(seed, native):
    rng = np.random.default_rng(seed)
    fast, plain = some(rng)
    w = rng.random(2 * len(fast.y))[::2]
    w.flags.writeable = False
    all_close(fast.level_sums(w), plain.level_sums(w))
    for ours, theirs in zip(fast.weighed(w), plain.weighed(w), strict=True):
        all_close(*(x.values() if isinstance(x, dict) else x for x in (ours, theirs)))
    assert fast.pair_values(w).keys() == plain.pair_values(w).keys()
    (U, gram), (expected, expected_gram) = fast.fixed_sums(w), plain.fixed_sums(w)
    all_close(U, expected)
    close(gram, expected_gram)


@pytest.mark.parametrize("seed", SEEDS)
def test_derivatives_of_a_log_determinant(seed, native):
    rng = np.random.default_rng(seed)
    fast, plain = some(rng)
    M = [np.asfortranarray(rng.normal(size=block.shape)) for block in fast.level_blocks(fast.y)]
    shared = {
        key: rng.normal(size=values.shape) for key, values in fast.pair_values(fast.y).items()
    }
    eta = rng.normal(size=len(fast.y))
    point = BernoulliLogit().at(eta, fast.y, fast.m)
    ours, theirs = (rows.skewed(point, M, shared) for rows in (fast, plain))
    close(ours.values, theirs.values)
    all_close(ours.sums, theirs.sums)


@pytest.mark.skipif(CHOICE.native is None, reason="no compiled kernels")
def test_wide_columns_and_copies():
    rng = np.random.default_rng(0)
    fast, plain = rows_of(rng, 2, 30, p=65)
    w = rng.random(30)
    all_close(fast.fixed_sums(w)[0], plain.fixed_sums(w)[0])
    for other in (copy.copy(fast), pickle.loads(pickle.dumps(fast))):
        assert "described" not in vars(other)
        all_close(other.level_sums(w), plain.level_sums(w))
    alone = fast.without_effects()
    assert type(alone) is RowBlock
    assert alone.is_separable


@pytest.mark.parametrize("singular", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_deviances(seed, singular, native):
    rng = np.random.default_rng(seed)
    fast, plain = rows_of(rng, 2 + seed % 2, 120)
    T = []
    for z in fast.z:
        root = rng.normal(size=(len(z), len(z)))
        T.append(0.3 * root @ root.T * (0.0 if singular and not T else 1.0))
    point = [*T, np.array([0.3, -0.5])]
    ours, theirs = (
        GlmmDeviance.of([rows], BernoulliLogit(), Laplace())(point) for rows in (fast, plain)
    )
    np.testing.assert_allclose(ours.value, theirs.value, rtol=1e-11)
    np.testing.assert_allclose(ours.slope, theirs.slope, rtol=1e-7, atol=1e-7)
    np.testing.assert_allclose(ours.hessian, theirs.hessian, rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("seed", range(6))
def test_steps_towards_the_modes(seed, native, monkeypatch):
    """The modes are those that steps one by one end at, whatever the guess."""
    rng = np.random.default_rng(seed)
    fast, _ = rows_of(rng, 2 + seed % 2, 150)
    T = [0.5 * root @ root.T for root in (rng.normal(size=(len(z), len(z) + 1)) for z in fast.z)]
    objective = GlmmDeviance.of([fast], BernoulliLogit(), Laplace())
    points = [[*(share * t for t in T), np.array([0.3, share])] for share in (1.0, 1.3)]
    endings = []

    def noted(*arguments):
        ending, there = along_chords(*arguments)
        endings.append(ending)
        return ending, there

    monkeypatch.setattr(modes, "along_chords", noted)
    first = objective(points[0])
    ours = objective(points[1], first.near())
    is_compiled = len(objective.store.plans[0].layout.stages) == 1
    assert (FOUND in endings) == is_compiled
    monkeypatch.setattr(modes, "along_chords", lambda found, *_: (UPHILL, found))
    theirs = objective(points[1], objective(points[0]).near())
    np.testing.assert_allclose(ours.value, theirs.value, rtol=1e-12)
    np.testing.assert_allclose(ours.slope, theirs.slope, rtol=1e-7, atol=1e-7)
    for own, other in zip(ours.effects, theirs.effects, strict=True):
        np.testing.assert_allclose(own, other, atol=1e-8)
