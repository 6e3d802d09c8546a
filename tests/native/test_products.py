"""Sums of a sweep over the rows, against those of numpy, chunk by chunk and in one piece."""

from math import fsum

import numpy as np
import pytest

from skmixed._algebra.kernels import compiled, reference
from skmixed._sums import products as sums
from skmixed._sums.source import Chunk, InMemory
from skmixed._sums.tally import Seen, Wanted
from tests.helpers.designs import term

from .test_kernels import SEEDS, close, strided

BOTH = [sums.ProductsInNumpy, sums.CompiledProducts]


def source_of(rng, n, levels, weighted, offset):
    """Rows whose arrays have any layout and cannot be written to; not every level occurs."""
    X = strided(rng, n, 3)
    y = rng.normal(size=2 * n)[::2]
    w = rng.uniform(0.5, 2.0, size=(n, 3))[:, 1] if weighted else None
    o = rng.normal(size=n)[::-1] if offset else None
    codes = [rng.integers(0, max(1, m - 1), n).astype(np.int32) for m in levels]
    for array in (X, y, *codes):
        array.flags.writeable = False
    return InMemory(X, y, w, codes, levels, o)


def terms_of(rng, factors):
    columns = ([], [0], [0, 2], [2, 1, 0])
    found = [term(f, columns[rng.integers(4)], rng.random() < 0.8) for f in range(factors)]
    return tuple(t if t.size else term(t.factor) for t in found)


def frame_of(source, terms, intercept, alpha=0.0):
    wanted = Wanted(terms, 3, intercept, alpha)
    return wanted.frame(Seen.of(source), len(source.n_levels))


def added(kind, frame, source, rows, known=None):
    found = kind(frame, source.n_levels, known)
    for chunk in source.chunks(rows):
        found.add(chunk)
    return found


def drawn(seed):
    rng = np.random.default_rng(seed)
    levels = [1, 7, 40, 5000][: 1 + seed % 4][::-1]
    n = int(rng.integers(20, 900)) if seed % 5 else 9000
    source = source_of(rng, n, levels, seed % 2, seed % 3)
    terms = terms_of(rng, len(levels))
    return rng, source, frame_of(source, terms, intercept=seed % 4 > 0)


@pytest.mark.parametrize("seed", SEEDS)
def test_sums(seed, native):
    _, source, frame = drawn(seed)
    theirs = added(BOTH[0], frame, source, 1000)
    for rows in (source.n_rows, 77):
        ours = added(BOTH[1], frame, source, rows)
        assert ours.n == pytest.approx(theirs.n, rel=1e-14)
        close(ours.gram, theirs.gram, source.n)
        np.testing.assert_array_equal(ours.gram, ours.gram.T)
        for f, m in enumerate(source.n_levels):
            close(ours.of_factor(f), theirs.of_factor(f), 100.0)
            some, columns = np.arange(0, m, 2), [frame.response, 0]
            close(ours.of_levels(f, some, columns), theirs.of_levels(f, some, columns), 100.0)


def test_sums_of_no_rows(native):
    _, source, frame = drawn(3)
    nothing = Chunk(source.X[:0], source.y[:0], None, [c[:0] for c in source.codes])
    for kind in BOTH:
        found = kind(frame, source.n_levels)
        found.add(nothing)
        assert found.n == 0.0
        assert not np.any(found.gram)
        assert not np.any(found.of_factor(0))


def test_types_that_are_none_of_the_module(native):
    """Other floats, other integers, foreign byte orders and odd strides."""
    _, source, frame = drawn(2)
    n = source.n_rows
    records = np.zeros(n, dtype=[("y", "f8"), ("odd", "i1")])
    records["y"] = source.y
    X = np.round(source.X, 3).astype(np.float32)
    plain = InMemory(X.astype(float), source.y, None, source.codes, source.n_levels)
    odd = InMemory(X, records["y"], None, [c.astype(">i8") for c in source.codes], source.n_levels)
    ours, theirs = (added(BOTH[1], frame, each, n) for each in (odd, plain))
    np.testing.assert_array_equal(ours.gram, theirs.gram)
    for f in range(len(source.n_levels)):
        np.testing.assert_array_equal(ours.of_factor(f), theirs.of_factor(f))


def test_further_rows(native):
    """New levels follow those that are known."""
    from skmixed._sums.onepass import cross_products

    _, source, frame = drawn(9)
    known = cross_products(frame, source)
    more = [m + 3 for m in source.n_levels]
    codes = [np.minimum(c + 3, m - 1) for c, m in zip(source.codes, more, strict=True)]
    further = InMemory(source.X, source.y, source.weights, codes, more, source.offset)
    ours, theirs = (added(kind, frame, further, 100, known) for kind in BOTH)
    close(ours.gram, theirs.gram, source.n)
    for f in range(len(more)):
        close(ours.of_factor(f), theirs.of_factor(f), 100.0)


@pytest.mark.parametrize("kind", BOTH)
def test_digits_of_many_rows(kind, native):
    """Against exact sums: one level, far origins, a first chunk that is constant."""
    n = 50_000
    rng = np.random.default_rng(0)
    X = np.column_stack([1e9 + rng.normal(size=n), rng.normal(size=n), np.arange(n) > 30_000])
    y = 1e6 + rng.normal(size=n)
    source = InMemory(X, y, None, [np.zeros(n, dtype=np.int32)], [1])
    frame = frame_of(source, (term(0, [0]),), intercept=True)
    found = added(kind, frame, source, kind.rows)
    pool = frame.pool(X, y)
    exact = np.array([fsum(column) for column in pool.T])
    off = np.abs(found.of_factor(0)[0, :, 0] - exact)
    assert np.all(off[:-1] <= 4e-15 * np.abs(pool[:, :-1]).sum(axis=0))
    assert off[-1] <= 1e-15 * np.sum(y) / frame.y_scale  # its rows are rounded already
    squares = np.array([fsum(column**2) for column in pool.T])
    np.testing.assert_allclose(np.diag(found.gram)[:-1], squares[:-1], rtol=1e-14)
    assert found.gram[-1, -1] == pytest.approx(squares[-1], rel=1e-12)
    assert found.of_factor(0)[0, 0, 0] == n


@pytest.mark.parametrize("seed", range(6))
def test_levels_follow(seed, native):
    """Which level of one factor all rows of a level of another one are in, part by part."""
    rng = np.random.default_rng(seed)
    inner = rng.integers(0, 12, 60)
    outer = np.where(np.arange(60) < 20 * (seed % 4), inner // 3, rng.integers(0, 4, 60))
    ours, theirs = (np.full(12, -1, dtype=np.int32) for _ in range(2))
    seen = {}
    for lo in range(0, 60, 10):
        rows = slice(lo, lo + 10)
        before = theirs.copy()
        is_one = all(
            seen.setdefault(i, o) == o for i, o in zip(inner[rows], outer[rows], strict=True)
        )
        assert compiled.follow(inner[rows], outer[rows], ours) == is_one
        assert reference.follow(inner[rows], outer[rows], theirs) == is_one
        np.testing.assert_array_equal(ours, theirs)
        if not is_one:
            np.testing.assert_array_equal(ours, before)
            break
        known = {level: parent for level, parent in enumerate(ours) if parent >= 0}
        assert known == seen


@pytest.mark.parametrize("intercept", [False, True])
def test_constants_are_summed_once(intercept):
    rng = np.random.default_rng(0)
    source = source_of(rng, 50, [4, 3], False, False)
    frame = frame_of(source, (term(0, [0]), term(1)), intercept)
    kept, places, times = sums.distinct(frame)
    pool = frame.pool(source.X, source.y)
    assert len(kept) == pool.shape[1] - intercept
    np.testing.assert_allclose(pool[:, kept][:, places] * times, pool, rtol=1e-14)
