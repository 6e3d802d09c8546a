"""Algebra of a small matrix per level, with and without AVX2, against that in numpy."""

import numpy as np
import pytest

from skmixed._algebra import levels
from skmixed._algebra.kernels import compiled
from skmixed._algebra.packed import lower_triangle

SEEDS = range(16)


def problem(seed):
    """Blocks of some levels, some of them empty, a root that may be singular, counts."""
    rng = np.random.default_rng(seed)
    q, m = int(rng.integers(1, 5)), int(rng.integers(0, 14))
    half = rng.normal(size=(m, q, q + 1)) * (rng.random((m, 1, 1)) < 0.8)
    rows, cols = lower_triangle(q)
    A = (half @ half.transpose(0, 2, 1))[:, rows, cols].T
    root = rng.normal(size=(q, q)) * rng.integers(0, 2, q) * 10.0 ** float(rng.integers(-3, 4))
    counts = rng.integers(1, 4, m) if rng.integers(2) else None
    return A, root, counts


def close(ours, theirs):
    np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("seed", SEEDS)
def test_invert_levels(seed, native):
    A, root, counts = problem(seed)
    M, log_determinant = compiled.invert_levels(A, root, counts)
    if not A.size:
        assert (M.shape, log_determinant) == (A.shape, 0.0)
        return
    wanted, total = levels.invert_levels(A, root, counts)
    close(M, wanted)
    close(log_determinant, total)
