"""Every kernel, compiled with and without AVX2, against the one in numpy, which is tested against plain formulas."""

from types import SimpleNamespace

import numpy as np
import pytest

from skmixed._algebra.coupling import Coupling
from skmixed._algebra.kernels import compiled, reference
from skmixed._algebra.layout import Layout
from skmixed._algebra.packed import packed_size, unpack

SEEDS = range(12)


def close(ours, theirs, size=1.0):
    np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-12 * size)


def strided(rng, rows, width):
    """A table of any layout: rows, columns, slices of either."""
    kind = rng.integers(4)
    if kind == 0:
        return rng.normal(size=(rows, width))
    if kind == 1:
        return np.asfortranarray(rng.normal(size=(rows, width)))
    if kind == 2:
        return rng.normal(size=(2 * rows, width + 3))[::2, 1 : width + 1]
    return rng.normal(size=(rows, width))[::-1, ::-1]


@pytest.mark.parametrize("seed", SEEDS)
def test_level_sums_are_sums(seed):
    rng = np.random.default_rng(seed)
    rows, width, levels = rng.integers(0, 40), rng.integers(1, 12), rng.integers(1, 9)
    codes, values = rng.integers(0, levels, rows), rng.normal(size=rows)
    table = strided(rng, rows, width)
    expected = np.ones((levels, width))
    np.add.at(expected, codes, values[:, None] * table)
    out = np.ones((levels, width))
    reference.level_sums(codes, values, table, out)
    close(out, expected)


@pytest.mark.parametrize("seed", SEEDS)
def test_level_sums(seed, native):
    rng = np.random.default_rng(seed)
    rows = rng.integers(0, 60) if seed else 0
    width, levels = rng.integers(1, 12), rng.integers(1, 20) if seed != 1 else 1
    codes = rng.integers(0, levels, rows).astype(rng.choice([np.int32, np.int64, np.uint8]))
    values = rng.normal(size=2 * rows)[::2]
    table = strided(rng, rows, width)
    for array in (codes, values, table):
        array.flags.writeable = False
    ours, theirs = np.ones((levels, width)), np.ones((levels, width))
    compiled.level_sums(codes, values, table, ours)
    reference.level_sums(codes, values, table, theirs)
    close(ours, theirs, 10.0)
    wide = np.ones((levels, width + 3))
    compiled.level_sums(codes, values, table, wide[:, 1 : width + 1])
    close(wide[:, 1 : width + 1], theirs, 10.0)
    assert np.all(wide[:, [0, -2, -1]] == 1.0)


def pattern(rng, q, levels, side, nested):
    """What a stage shares with a dense block, some of it by way of a later stage where it is nested."""
    counts = rng.integers(0, min(side, 9) + 1, levels)
    columns = [np.sort(rng.choice(side, count, replace=False)) for count in counts]
    columns = np.concatenate([*columns, np.zeros(0)]).astype(np.int32)
    indptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    start = q * levels
    coupling = Coupling(indptr, start + columns, rng.normal(size=(q, len(columns))), None, None)
    layout = Layout((0,), (1,), {0: 0, 1: start}, start + side, start)
    places = rng.permutation(side * side).reshape(side, side) if nested else None

    def positions(high, low):
        i, j = high - start, low - start
        return (i.astype(np.int64) * side + j) if places is None else places[i, j]

    return SimpleNamespace(
        couplings={0: coupling},
        sizes=[q],
        levels=[levels],
        layout=layout,
        length=side**2,
        dense=slice(0, side**2),
        positions=positions,
    )


def operators(rng, nested):
    """The same stage twice, its C, M (some of it singular) and entries of S."""
    q, levels, side = (int(k) for k in rng.integers(1, [5, 12, 15]))
    shared = pattern(rng, q, levels, side, nested)
    ours, theirs = compiled.PairOperator(shared, 0), reference.PairOperator(shared, 0)
    if nested:
        ours._target = compiled.InPlaces(shared, shared.couplings[0])
    root = rng.normal(size=(levels, q, max(1, q - 1)))
    M = root @ root.transpose(0, 2, 1)
    M = np.array([M[:, r, c] for r in range(q) for c in range(r + 1)])
    M = np.asfortranarray(M) if rng.integers(2) else M
    return ours, theirs, shared.couplings[0].data, M, rng.normal(size=side**2)


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("seed", SEEDS)
def test_pairs(seed, nested, native):
    ours, theirs, data, M, entries = operators(np.random.default_rng(seed), nested)
    if not data.size:
        assert not ours.spread(ours.at(data), data, entries).size
        return
    C, P = ours.at(data), theirs.at(data)
    changed, expected = entries.copy(), entries.copy()
    ours.subtract(C, M, changed)
    theirs.subtract(P, M, expected)
    close(changed, expected, 100.0)
    for array in (data, entries):
        array.flags.writeable = False
    close(ours.gather(C, entries), theirs.gather(P, entries), 100.0)
    close(ours.spread(C, data, entries), theirs.spread(P, data, entries), 100.0)


def test_pairs_are_what_they_say(native):
    """``C'MC``, ``C S`` and ``C S C'`` with full matrices."""
    rng = np.random.default_rng(3)
    q, levels, side = 3, 7, 10
    shared = pattern(rng, q, levels, side, nested=False)
    coupling = shared.couplings[0]
    operator = compiled.PairOperator(shared, 0)
    C = np.zeros((q, levels, side))
    level = np.repeat(np.arange(levels), np.diff(coupling.indptr))
    C[:, level, coupling.columns - q * levels] = coupling.data
    M = rng.normal(size=(packed_size(q), levels))
    S = np.zeros(side**2)
    operator.subtract(coupling.data, M, S)
    full = -np.einsum("rms,rcm,cmt->st", C, np.array(unpack(M, q)), C)
    close(S.reshape(side, side), np.tril(full), 10.0)
    S = np.tril(rng.normal(size=(side, side)))
    full = np.einsum("rms,st->rmt", C, S + np.tril(S, -1).T)
    close(
        operator.spread(coupling.data, coupling.data, S.ravel()),
        full[:, level, coupling.columns - q * levels],
        10.0,
    )
    whole = np.einsum("rmt,cmt->rcm", full, C)
    close(operator.gather(coupling.data, S.ravel()), whole[np.tril_indices(q)], 10.0)
