"""Small blocks of large sparse matrices: one q x q matrix per level, levels below each other."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from ..packed import lower_triangle, packed_index


def as_matrices(packed, q):
    """Packed symmetric matrices as (levels, q, q)."""
    return packed[packed_index(q)].transpose(2, 0, 1)


def as_packed(matrices):
    """The inverse, of the symmetric part."""
    rows, cols = lower_triangle(matrices.shape[1])
    return 0.5 * (matrices[:, rows, cols] + matrices[:, cols, rows]).T


def diagonal_matrix(values):
    """A sparse matrix with a diagonal."""
    return sparse.dia_array((values[None], [0]), shape=(len(values),) * 2).tocsr()


def block_diagonal(matrices):
    """(levels, q, q) as one sparse matrix."""
    levels, q, _ = matrices.shape
    if q == 1:
        return diagonal_matrix(matrices[:, 0, 0])
    entries = (np.ascontiguousarray(matrices), np.arange(levels), np.arange(levels + 1))
    return sparse.bsr_array(entries, shape=(q * levels, q * levels)).tocsr()


def multiply_blocks(matrices, rows):
    """Multiply the rows of every level by its matrix, (levels, q, q) or the same (q, q) for all."""
    q = matrices.shape[-1]
    if q == 1:
        return matrices.reshape(-1, 1) * rows
    by_level = rows.reshape(-1, q, rows.shape[1])
    return np.matmul(matrices, by_level).reshape(rows.shape)


def diagonal_blocks(left, right, q):
    """``left_l right_l'`` of every level, (levels, q, q), for (levels q, columns)."""
    left, right = (a.reshape(-1, q, a.shape[1]) for a in (left, right))
    return np.einsum("lrk,lck->lrc", left, right)
