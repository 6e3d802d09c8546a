"""Many effects per level: one matrix per level against one loop per entry."""

import numpy as np
import pytest

from skmixed._algebra import levels
from skmixed._algebra.packed import lower_triangle


def packed(rng, q, m, rank=None):
    half = rng.normal(size=(m, q, rank or q + 2))
    rows, cols = lower_triangle(q)
    return (half @ half.transpose(0, 2, 1))[:, rows, cols].T


@pytest.mark.parametrize("counts", [None, np.arange(1.0, 8.0)])
@pytest.mark.parametrize("q", [2, 9])
def test_wide_levels_are_those_of_the_loops(q, counts, monkeypatch):
    """A singular root included; in one chunk or in several."""
    rng = np.random.default_rng(q)
    A, Q = packed(rng, q, 7, rank=3), packed(rng, q, 7)
    root = np.tril(rng.normal(size=(q, q)))
    root[:, -1] = 0.0
    found = {}
    for name, wide, size in (("loops", 99, 1), ("wide", 1, 1 << 18), ("chunks", 1, 2 * q**2)):
        monkeypatch.setattr(levels, "WIDE", wide)
        monkeypatch.setattr(levels, "ENTRIES_PER_CHUNK", size)
        M, log_determinant = levels.invert_levels(A, root, counts)
        marginal = [levels.marginal_precision(A, M), levels.marginal_precision(A, M, Q)]
        found[name] = [M, np.array(log_determinant), *marginal]
    for name in ("wide", "chunks"):
        for loop, matrix in zip(found["loops"], found[name], strict=True):
            np.testing.assert_allclose(matrix, loop, rtol=1e-9, atol=1e-9 * np.abs(loop).max())
