"""Roots of matrices that may be singular."""

from __future__ import annotations

import numpy as np


def pivoted_root(T, tol=1e-14):
    """Root ``R`` with ``T = R R'`` and the order of its pivots.

    Columns beyond the rank are exactly zero.
    """
    size = len(T)
    rest = np.array(T, dtype=float)
    root = np.zeros((size, size))
    order = []
    remaining = list(range(size))
    cutoff = tol * max(np.trace(T), np.finfo(float).tiny)
    for k in range(size):
        pivot = max(remaining, key=lambda i: rest[i, i])
        remaining.remove(pivot)
        order.append(pivot)
        if rest[pivot, pivot] > cutoff:
            column = rest[:, pivot] / np.sqrt(rest[pivot, pivot])
            column[order[:-1]] = 0.0
            root[:, k] = column
            rest -= column[:, None] * column
    return root, np.array(order)


def semidefinite_cholesky(S, tol=1e-14):
    """Lower factor in the given order, with zero columns where a pivot vanishes."""
    L = np.zeros_like(S)
    cutoff = tol * max(np.max(np.diag(S)), np.finfo(float).tiny)
    for k in range(len(S)):
        rest = S[k:, k] - L[k:, :k] @ L[k, :k]
        if rest[0] > cutoff:
            L[k:, k] = rest / np.sqrt(rest[0])
    return L
