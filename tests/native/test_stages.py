"""What a stage does with right-hand sides, compiled and in numpy."""

import numpy as np
import pytest
from scipy import sparse

from skmixed._algebra.coupling import Coupling
from skmixed._algebra.packed import packed_size
from skmixed._algebra.stages import Compiled, InNumpy

from .test_kernels import SEEDS, close


def stage(seed):
    """A coupling or none, packed matrices, vectors and rows."""
    rng = np.random.default_rng(seed)
    q, k, m, width = 1 + seed % 4, int(rng.integers(1, 9)), int(rng.integers(1, 700)), 40
    m = 1 if seed == 1 else m
    M, A = (rng.normal(size=(packed_size(q), m)) for _ in range(2))
    U = rng.normal(size=(q, k, m))
    U = np.asfortranarray(U) if seed % 2 else U
    if seed % 5 == 2:
        return None, None, M, A, U, None
    counts = rng.integers(0, 4, m) * (seed != 4)
    columns = [np.sort(rng.choice(width, count, replace=False)) for count in counts]
    columns = np.concatenate([*columns, np.zeros(0)]).astype(np.int32)
    indptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    data = rng.normal(size=(q, len(columns)))
    level = np.repeat(np.arange(m), counts)
    entries = ((np.arange(q)[:, None] * m + level).ravel(), np.tile(columns, q))
    C = sparse.csr_matrix((data.ravel(), entries), shape=(q * m, width))
    coupling = Coupling(indptr, columns, data, C, None)
    for array in (M, A, U):
        array.flags.writeable = False
    return coupling, C, M, A, U, rng.normal(size=(width, k))


@pytest.mark.parametrize("seed", SEEDS)
def test_stages(seed, native):
    coupling, C, M, A, U, rows = stage(seed)
    found = []
    for kind in (Compiled, InNumpy):
        later, other = (None if rows is None else rows.copy() for _ in range(2))
        taken, explained = kind.reduce(coupling, C, M, U, later)
        B, F = kind.solve(coupling, C, M, A, U, rows)
        own = kind.multiply(coupling, C, A, U, rows, other)
        found.append([taken, explained, later, B, F, own, other])
    for ours, theirs in zip(*found, strict=True):
        assert (ours is None) == (theirs is None)
        if ours is not None:
            close(ours, theirs, 1000.0)
