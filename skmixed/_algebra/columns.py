"""Columns that are independent of those before them."""

from __future__ import annotations

import numpy as np

ALIASED = (
    1e-7  # a column is dropped when this share of its norm, or less, is new: the rule of R's lm
)


def orthogonalised(P):
    """Upper triangular ``mixing`` that makes the columns orthonormal in order, and ``P mixing``.

    Gram-Schmidt, each projection done twice.  A column that adds less than ``ALIASED`` of its norm
    keeps its scale and counts as zero: the rows beyond the sample decide about it.
    """
    p = P.shape[1]
    mixing = np.eye(p)
    Q = np.zeros_like(P, order="F")
    adds = np.zeros(p, dtype=bool)
    for k in range(p):
        v = P[:, k].copy()
        combination = np.eye(p)[k]
        for _ in range(2):
            projection = np.where(adds[:k], Q[:, :k].T @ v, 0.0)
            v -= Q[:, :k] @ projection
            combination -= mixing[:, :k] @ projection
        rest = np.linalg.norm(v)
        adds[k] = rest > ALIASED * np.linalg.norm(P[:, k])
        mixing[:, k] = combination / (rest if adds[k] else 1.0)
        if adds[k]:
            Q[:, k] = v / rest
    return mixing, Q


def independent_columns(gram, least):
    """Columns whose squared norm beyond the columns before them exceeds ``least``, in order
    (Cholesky form).
    """
    G = np.array(gram, dtype=float)
    kept = []
    for k in range(len(G)):
        if G[k, k] > least[k]:
            kept.append(k)
            row = G[k] / np.sqrt(G[k, k])
            G -= np.outer(row, row)
    return np.array(kept, dtype=int)
