"""Symmetric matrices of all levels in packed form, and what linear algebra means there.

A symmetric q x q matrix per level is *packed*: an array (q (q + 1) / 2, levels) holding the lower
triangle row by row, so that each entry is one contiguous vector over levels and the algebra of tiny
matrices becomes a handful of vectorised operations.  Vectors per level are arrays (q, columns,
levels).
"""

from __future__ import annotations

from functools import cache

import numpy as np


@cache
def lower_triangle(q):
    """Rows and columns of the lower triangle, row by row: the order of every packed symmetric
    matrix here.
    """
    return np.tril_indices(q)


@cache
def triangle_entries(q):
    """The same as a tuple of pairs."""
    return tuple(zip(*(index.tolist() for index in lower_triangle(q)), strict=True))


def packed_size(q):
    return q * (q + 1) // 2


@cache
def packed_index(q):
    """(q, q) table of positions in the packed form."""
    table = np.zeros((q, q), dtype=int)
    rows, cols = lower_triangle(q)
    table[rows, cols] = table[cols, rows] = np.arange(len(rows))
    return table


def unpack(packed, q):
    """Nested lists of vectors: ``unpack(A, q)[r][c]`` is entry (r, c) over the levels."""
    table = packed_index(q)
    return [[packed[table[r, c]] for c in range(q)] for r in range(q)]


@cache
def packed_order(packed):
    """q of a packed form with that many entries."""
    return int((np.sqrt(8 * packed + 1) - 1) // 2)


@cache
def halves(q):
    """One half on the diagonal, one elsewhere, packed: the weight of ``e_r e_c' + e_c e_r'`` in a
    direction.
    """
    rows, cols = lower_triangle(q)
    return np.where(rows == cols, 0.5, 1.0)


def symmetric_directions(S):
    """Contract the last two axes of ``S`` (..., q, q) with the packed directions: (..., K).

    Directions are ``E_a = e_r e_c' + e_c e_r'``, or ``e_r e_r'`` on the diagonal.
    """
    rows, cols = lower_triangle(S.shape[-1])
    return halves(S.shape[-1]) * (S[..., rows, cols] + S[..., cols, rows])


def direction_traces(S):
    """``tr(S E_a)`` for all packed directions of a packed symmetric matrix: off-diagonal entries
    count twice.
    """
    return 2.0 * halves(packed_order(len(S))) * S


@cache
def _pair_entries(q):
    """Entries (4, K, K) of ``X N'`` that make up :func:`pair_traces`: ``tr(X e_r e_s' N e_t e_u')
    = X_ur N_st``.
    """
    table = packed_index(q)
    (r, s) = lower_triangle(q)
    orders = [(a, b, t, u) for a, b in ((r, s), (s, r)) for t, u in ((r, s), (s, r))]
    left = np.array([table[u, a[:, None]] for a, _, _, u in orders])
    right = np.array([table[b[:, None], t] for _, b, t, _ in orders])
    return left, right, np.outer(halves(q), halves(q))


def pair_traces(S):
    """``sum_l tr(X_l E_a N_l E_b)`` for all packed directions from ``S = X N'``, X and N packed
    symmetric (K, m).  S may have axes before.
    """
    left, right, weights = _pair_entries(packed_order(S.shape[-1]))
    return S[..., left, right].sum(axis=-3) * weights


def crossed_directions(products):
    """``sum tr(E_a C E_b D')`` for packed directions of two factors, from the sums of ``C_st
    D_ru`` (s, t, r, u).
    """
    inner = symmetric_directions(products.transpose(2, 0, 1, 3))
    return symmetric_directions(inner.transpose(2, 0, 1)).T


def cross_traces(C, D):
    """The same from C and D of every pair of levels, (q_f, q_g, pairs)."""
    return crossed_directions(np.einsum("sti,rui->stru", C, D))


def pack(matrices):
    """Packed gradient of symmetric matrices: off-diagonal entries count twice."""
    return np.concatenate([2.0 * halves(len(D)) * D[lower_triangle(len(D))] for D in matrices])
