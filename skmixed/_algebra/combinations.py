"""Linear combinations of the random effects, and the part of their covariance an elimination sees.

A combination is a sparse row over all effects, in the order of a plan's columns.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse

from .packed import packed_index


def sparse_rows(plan, z, codes):
    """Rows z over all effects, in the order of the plan; unseen levels are left out."""
    rows = []
    columns = []
    values = []
    for f, (v, code) in enumerate(zip(z, codes, strict=True)):
        known = np.flatnonzero(code >= 0)
        for r in range(v.shape[1]):
            rows.append(known)
            columns.append(plan.offsets[f] + code[known] * v.shape[1] + r)
            values.append(v[known, r])
    entries = (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns)))
    return sparse.csr_matrix(entries, shape=(len(z[0]), plan.width))


def taken_pairs(elimination, Z):
    """Pairs (left, right) with ``ZMZ'`` the sum of ``left right'``, for sparse rows Z, by forward
    elimination.
    """
    plan = elimination.plan
    for f in plan.layout.stages:
        q = plan.cross.sizes[f]
        m = plan.cross.levels[f]
        start = plan.layout.offsets[f]
        own = Z[:, start : start + q * m]
        taken = own @ _block_diagonal(elimination.M[f], q)
        yield taken, own
        if f in elimination.C:
            level_major = (np.arange(m)[:, None] + m * np.arange(q)).ravel()
            Z = Z - taken @ elimination.C[f][level_major]
    if elimination.dense is not None:
        half = elimination.dense.whiten(Z[:, plan.layout.dense_start :].toarray().T).T
        yield half, half


def _block_diagonal(packed, q):
    blocks = packed[packed_index(q)].transpose(2, 0, 1)
    levels = len(blocks)
    return sparse.bsr_matrix(
        (blocks, np.arange(levels), np.arange(levels + 1)), shape=(q * levels, q * levels)
    ).tocsr()
