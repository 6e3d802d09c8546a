"""The compiled sweep of a logistic model with one factor against the ordinary evaluation."""

from dataclasses import replace

import numpy as np
import pytest

from skmixed._likelihood import laplace, modes, sweep
from skmixed._likelihood.glmm import GlmmDeviance
from skmixed._likelihood.laplace import Laplace, LaplacePart, SweptPart
from skmixed._model.families import BernoulliLogit
from skmixed._sums.blocks import RowBlock
from skmixed._sums.crossed import row_block
from skmixed._sums.grouping import Grouping, Runs, level_order


def laid(x, z, y, m, codes, levels, offset=None):
    """Rows in the order of their levels."""
    order, indptr = level_order(codes, levels)
    columns = tuple(None if np.all(column == 1.0) else column[order] for column in z)
    m = m[order] if np.ndim(m) else m
    offset = None if offset is None else offset[order]
    every = (slice(0, levels),)
    return RowBlock(x[order], (columns,), y[order], m, (Runs(indptr),), {}, every, offset)


def block_of(rng, q, n, levels, p):
    """Rows with weights, offsets and columns of ones at random; some levels have no rows."""
    codes = rng.integers(0, levels, n)
    z = rng.normal(size=(q, n))
    if rng.integers(2):
        z[0] = 1.0
    y = rng.choice([0.0, 1.0, 0.3], n, p=[0.5, 0.4, 0.1])
    m = rng.integers(1, 4, n).astype(float) if rng.integers(2) else 1.0
    offset = rng.normal(size=n) if rng.integers(2) else None
    return laid(rng.normal(size=(n, p)), z, y, m, codes, levels, offset)


def covariance(rng, q, rank):
    root = 0.7 * rng.normal(size=(q, rank))
    return root @ root.T


def ordinary(monkeypatch, objective, point, near=None):
    """The same without the sweep."""
    with monkeypatch.context() as patch:
        patch.setattr(laplace, "sweep", lambda density, guess: None)
        found = objective(point, near)
    assert all(type(part) is LaplacePart for part in found.parts)
    return found


def close(ours, theirs):
    """To rounding, of the largest."""
    theirs = np.asarray(theirs)
    size = np.max(np.abs(theirs), initial=1e-3)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-12 * size)


def check(ours, theirs):
    assert all(type(part) is SweptPart for part in ours.parts)
    for name in ("value", "slope", "hessian"):
        close(getattr(ours, name), getattr(theirs, name))
    for part, other in zip(ours.parts, theirs.parts, strict=True):
        (c,), (b,), (s_dot,) = part.c, part.b, part.s_dot
        close(c, other.c[0])
        close(b, other.b[0])
        close(s_dot, other.s_dot[0])
        close(part.loglik, other.loglik)
        close(part.reach, other.reach)
        close(part.level_gradients()[0], other.level_gradients()[0])


@pytest.mark.parametrize("q", [1, 2, 3, 4])
@pytest.mark.parametrize("seed", range(6))
def test_everything(seed, q, native, tight, monkeypatch):
    rng = np.random.default_rng([q, seed])
    n, levels, p = int(rng.integers(1, 900)), int(rng.integers(1, 60)), int(rng.integers(0, 12))
    blocks = [block_of(rng, q, n, levels, p)]
    objective = GlmmDeviance.of(blocks, BernoulliLogit(), Laplace())
    T = covariance(rng, q, max(1, q - 1) if seed % 2 else q)
    T = np.zeros_like(T) if seed == 4 else T
    point = [T, 0.5 * rng.normal(size=p)]
    ours = objective(point)
    check(ours, ordinary(monkeypatch, objective, point))
    moved = [point[0] + 0.01 * np.eye(q), point[1] + 0.01]
    check(ours.at(moved), ordinary(monkeypatch, objective, moved))


def test_long_levels(native, tight, monkeypatch):
    """Longer than what is visited at a time, among short ones."""
    rng = np.random.default_rng(0)
    codes = np.concatenate([np.repeat(3, 1500), rng.integers(0, 300, 400)])
    z = np.vstack([np.ones(1900), rng.normal(size=1900)])
    y = (rng.random(1900) < 0.4).astype(float)
    blocks = [laid(rng.normal(size=(1900, 4)), z, y, 1.0, codes, 310)]
    objective = GlmmDeviance.of(blocks, BernoulliLogit(), Laplace())
    point = [covariance(rng, 2, 2), rng.normal(size=4)]
    check(objective(point), ordinary(monkeypatch, objective, point))


def test_steps_that_are_halved(native, tight, monkeypatch):
    """Far from the modes, where a whole step goes too far."""
    rng = np.random.default_rng(1)
    blocks = [block_of(rng, 1, 300, 20, 2)]
    objective = GlmmDeviance.of(blocks, BernoulliLogit(), Laplace())
    point = [np.array([[30.0]]), rng.normal(size=2)]
    near = [modes.Guess([np.full((1, 20), 3.0)])]
    check(objective(point, near), ordinary(monkeypatch, objective, point, near))


def test_no_rows(native):
    """Levels without rows have modes of zero and add nothing."""
    rows = (np.zeros((0, 1)), *[np.zeros(0)] * 4, np.zeros(0), np.ones(1), np.zeros(0))
    indptr = np.zeros(4, dtype=np.int32)
    c, totals, s_dot = np.ones((1, 3)), np.ones(4), np.ones((3, 1, 2))
    T = np.ones((1, 1))
    out = (totals, np.ones((1, 1)), np.ones(1), np.ones((2, 2)), np.ones((1, 1)), s_dot)
    assert native.laplace_sweep(*rows, indptr, np.ones(1), T, T, c, sweep.RULES, *out)
    for found in (c, *out):
        assert not np.any(found)


def test_only_the_modes(native):
    rng = np.random.default_rng(2)
    block = block_of(rng, 2, 200, 15, 3)
    objective = GlmmDeviance.of([block], BernoulliLogit(), Laplace())
    state = objective([covariance(rng, 2, 2), rng.normal(size=3)])
    part = state.parts[0]
    c, totals = np.zeros((2, 15)), np.zeros(4)
    assert native.laplace_modes(*sweep.arguments(part.density), c, sweep.RULES, totals)
    np.testing.assert_array_equal(c, part.c[0])
    assert totals[0] + totals[1] == part.value


def test_who_is_not_swept(monkeypatch):
    """Other families, many effects or columns, rows in no order; and a sweep that fails."""

    class Other(BernoulliLogit):
        pass

    rng = np.random.default_rng(3)
    block = block_of(rng, 1, 200, 15, 3)

    def kind(block, family=None, q=1):
        objective = GlmmDeviance.of([block], family or BernoulliLogit(), Laplace())
        return type(objective([np.eye(q), np.zeros(block.x.shape[1])]).parts[0])

    expected = LaplacePart if sweep.CHOICE.native is None else SweptPart
    assert kind(block) is expected
    indptr = block.groups[0].indptr
    codes = np.repeat(np.arange(15), np.diff(indptr))
    again = row_block(block.x, [np.ones((1, 200))], block.y, 1.0, [codes], [15])
    np.testing.assert_array_equal(again.groups[0].indptr, indptr)
    assert kind(again) is expected
    assert kind(block, Other()) is LaplacePart
    assert kind(replace(block, z=(block.z[0] * 5,)), q=5) is LaplacePart
    assert kind(replace(block, x=rng.normal(size=(200, 65)))) is LaplacePart
    wild = replace(block, groups=(Grouping(np.arange(200) % 15, 15),))
    assert kind(wild) is LaplacePart
    rules = sweep.RULES.copy()
    rules[3] = 0
    monkeypatch.setattr(sweep, "RULES", rules)
    assert kind(block) is LaplacePart
