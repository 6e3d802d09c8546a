"""Columns that are independent of those before them.

Both functions work on blocks of columns, so that most of the arithmetic is in products of matrices.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

ALIASED = (
    1e-7  # a column is dropped when this share of its norm, or less, is new: the rule of R's lm
)
COLUMNS_PER_BLOCK = 64


def _blocks(p: int) -> Iterator[slice]:
    """Windows of the columns, one after the other."""
    for start in range(0, p, COLUMNS_PER_BLOCK):
        yield slice(start, min(start + COLUMNS_PER_BLOCK, p))


def orthogonalised(P):
    """Upper triangular ``mixing`` that makes the columns orthonormal in order, and ``P mixing``.

    Gram-Schmidt, each projection done twice.  A column that adds less than ``ALIASED`` of its norm
    keeps its scale and counts as zero: the rows beyond the sample decide about it.
    """
    p = P.shape[1]
    norms = np.linalg.norm(P, axis=0)
    mixing = np.eye(p)
    Q = np.array(P, dtype=float, order="F")
    for block in _blocks(p):
        before = slice(0, block.start)
        for _ in range(2):
            _project(Q, mixing, before, block)
        _orthogonalise_within(Q, mixing, block, norms)
    return mixing, Q


def _project(Q, mixing, before, columns):
    """Take from some columns what those before them say."""
    projection = Q[:, before].T @ Q[:, columns]
    Q[:, columns] -= Q[:, before] @ projection
    mixing[:, columns] -= mixing[:, before] @ projection


def _orthogonalise_within(Q, mixing, block, norms):
    """Gram-Schmidt within a block; columns that add nothing become zero."""
    for k in range(block.start, block.stop):
        for _ in range(2):
            _project(Q, mixing, slice(block.start, k), slice(k, k + 1))
        rest = np.linalg.norm(Q[:, k])
        if rest > ALIASED * norms[k]:
            Q[:, k] /= rest
            mixing[:, k] /= rest
        else:
            Q[:, k] = 0.0


def independent_columns(gram, least):
    """Columns whose squared norm beyond the columns before them exceeds ``least``, in order
    (Cholesky form).
    """
    G = np.array(gram, dtype=float)
    kept = []
    for block in _blocks(len(G)):
        rows = []
        for k in range(block.start, block.stop):
            if G[k, k] > least[k]:
                kept.append(k)
                rows.append(G[k] / np.sqrt(G[k, k]))
                G[block] -= np.outer(rows[-1][block], rows[-1])
        if rows:
            later = slice(block.stop, None)
            R = np.array(rows)[:, later]
            G[later, later] -= R.T @ R
    return np.array(kept, dtype=int)
