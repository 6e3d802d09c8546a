"""What a stage of the elimination does with right-hand sides: vectors (q, k, m) of its levels, and
rows (columns, k) of the columns after it.

``coupling`` has the pattern of C, ``C`` its values, both None for a stage that shares nothing.
"""

from __future__ import annotations

import numpy as np

from .kernels import CHOICE
from .levels import inner_products, multiply_levels

NO_INDICES = np.zeros(0, dtype=np.int32)


class InNumpy:
    """Products with sparse matrices."""

    @staticmethod
    def reduce(coupling, C, M, U, later):
        """``M U``, ``U' M U`` summed over the levels; ``later -= C' M U``."""
        taken = multiply_levels(M, U)
        if C is not None:
            later -= C.T @ _rows(taken)
        return taken, inner_products(U, taken)

    @staticmethod
    def solve(coupling, C, M, A, U, known):
        """``B = M (U - C known)`` and ``U - C known - A B``."""
        rest = U if C is None else U - _levels(C @ known, U.shape)
        B = multiply_levels(M, rest)
        return B, rest - multiply_levels(A, B)

    @staticmethod
    def multiply(coupling, C, A, H, rows, later):
        """``A H + C rows``; ``later += C' H``."""
        own = multiply_levels(A, H)
        if C is not None:
            own += _levels(C @ rows, H.shape)
            later += C.T @ _rows(H)
        return own


class Compiled:
    """One visit of the levels."""

    @staticmethod
    def reduce(coupling, C, M, U, later):
        """As that in numpy."""
        U = _plain(U)
        taken, explained = np.empty(U.shape), np.zeros((U.shape[1], U.shape[1]))
        later = _later(later, U)
        CHOICE.native.reduce_stage(
            *_pattern(coupling, C, len(U)), _plain(M), U, later, taken, explained
        )
        return taken, explained

    @staticmethod
    def solve(coupling, C, M, A, U, known):
        """As that in numpy."""
        U = _plain(U)
        B, F = np.empty(U.shape), np.empty(U.shape)
        matrices = (_plain(M), _plain(A))
        CHOICE.native.solve_stage(
            *_pattern(coupling, C, len(U)), *matrices, U, _later(known, U), B, F
        )
        return B, F

    @staticmethod
    def multiply(coupling, C, A, H, rows, later):
        """As that in numpy."""
        H = _plain(H)
        out = np.empty(H.shape)
        rows, later = _later(rows, H), _later(later, H)
        CHOICE.native.multiply_stage(*_pattern(coupling, C, len(H)), _plain(A), H, rows, later, out)
        return out


def _rows(vectors):
    """(q, k, m) as rows (q m, k)."""
    q, k, m = vectors.shape
    return vectors.transpose(0, 2, 1).reshape(q * m, k)


def _levels(rows, shape):
    """The inverse."""
    q, k, m = shape
    return rows.reshape(q, m, k).transpose(0, 2, 1)


def _plain(values):
    return np.ascontiguousarray(values, dtype=np.float64)


def _later(rows, U):
    return np.zeros((0, U.shape[1])) if rows is None else rows


def _pattern(coupling, C, q):
    """Pattern and values (q, entries) of C; empty where nothing is shared."""
    if C is None:
        return NO_INDICES, NO_INDICES, np.zeros((0, 0))
    return coupling.indptr, coupling.columns, C.data.reshape(q, coupling.entries)


STAGE = InNumpy if CHOICE.native is None else Compiled
