"""Roots of matrices that may be singular."""

from __future__ import annotations

from math import sqrt
from operator import mul

import numpy as np

TINY = float(np.finfo(float).tiny)


def pivoted_root(T, tol=1e-14):
    """Root ``R`` with ``T = R R'`` and the order of its pivots.

    Columns beyond the rank are exactly zero.
    """
    rows = np.asarray(T, dtype=float).tolist()
    size = len(rows)
    left = [rows[i][i] for i in range(size)]
    root = [[0.0] * size for _ in range(size)]
    order = []
    remaining = list(range(size))
    cutoff = tol * max(sum(left), TINY)
    for k in range(size):
        pivot = max(remaining, key=left.__getitem__)
        remaining.remove(pivot)
        order.append(pivot)
        if left[pivot] > cutoff:
            own = root[pivot]
            own[k] = sqrt(left[pivot])
            for i in remaining:
                known = sum(map(mul, root[i][:k], own))
                entry = (rows[i][pivot] - known) / own[k]
                root[i][k] = entry
                left[i] -= entry * entry
    return np.array(root).reshape(size, size), np.array(order)


def semidefinite_cholesky(S, tol=1e-14):
    """Lower factor in the given order, with zero columns where a pivot vanishes."""
    L = np.zeros_like(S)
    cutoff = tol * max(np.max(np.diag(S)), np.finfo(float).tiny)
    for k in range(len(S)):
        rest = S[k:, k] - L[k:, :k] @ L[k, :k]
        if rest[0] > cutoff:
            L[k:, k] = rest / np.sqrt(rest[0])
    return L
