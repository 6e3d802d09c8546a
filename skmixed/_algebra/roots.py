"""Roots of matrices that may be singular."""

from __future__ import annotations

from math import sqrt

import numpy as np

FEW = 4  # effects whose matrices take less time number by number
TINY = float(np.finfo(float).tiny)


def pivoted_root(T, tol=1e-14):
    """Root ``R`` with ``T = R R'`` and the order of its pivots.

    Columns beyond the rank are exactly zero.
    """
    return (_root_by_numbers if len(T) <= FEW else _root_by_columns)(T, tol)


def _root_by_numbers(T, tol):
    size = len(T)
    rest = np.asarray(T, dtype=float).tolist()
    root = np.zeros((size, size))
    order = []
    remaining = list(range(size))
    cutoff = tol * max(sum([rest[i][i] for i in remaining]), TINY)
    for k in range(size):
        pivot = max(remaining, key=lambda i: rest[i][i])
        remaining.remove(pivot)
        if rest[pivot][pivot] > cutoff:
            length = sqrt(rest[pivot][pivot])
            column = [0.0 if i in order else row[pivot] / length for i, row in enumerate(rest)]
            root[:, k] = column
            rest = [
                [entry - c * d for entry, d in zip(row, column, strict=True)]
                for row, c in zip(rest, column, strict=True)
            ]
        order.append(pivot)
    return root, np.array(order)


def _root_by_columns(T, tol):
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
