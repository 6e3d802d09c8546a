"""Rows by the levels of a grouping factor: their order, and sums over those of every level."""

from __future__ import annotations

from functools import cache, cached_property

import numpy as np
from scipy import sparse

SHARED = 1 << 17  # rows up to which the tables of sums of runs share what they have in common


def level_order(codes, n_levels):
    """Rows in the order of their levels, and where each level begins and ends: (n,) and (levels +
    1,).

    By counting: turning a sparse matrix with one entry per row over does no more than that.
    """
    entries = (np.ones(len(codes), dtype=np.int8), codes, np.arange(len(codes) + 1))
    turned = sparse.csc_matrix(entries, shape=(n_levels, len(codes))).tocsr()
    return turned.indices, turned.indptr


class Grouping:
    """Sums of rows by level: a sparse matrix of ones, one row per level.

    Attributes
    ----------
    codes : (n,) the level of every row
    n_levels : number of levels
    """

    def __init__(self, codes, n_levels):
        self.codes = codes
        self.n_levels = n_levels

    @property
    def n_rows(self):
        """Number of rows."""
        return len(self.codes)

    @cached_property
    def _sum(self):
        order, indptr = level_order(self.codes, self.n_levels)
        shape = (self.n_levels, len(order))
        return sparse.csr_matrix((np.ones(len(order)), order, indptr), shape=shape)

    def sum(self, values):
        """Sum (rows,) or (rows, columns) by level."""
        return self._sum @ values

    def sum_each(self, values):
        """Sum each of (k, rows) by level: (k, levels)."""
        return (self._sum @ values.T).T

    def first(self, n):
        """The rows of the first levels, which come first."""
        return Grouping(self.codes[: int(np.searchsorted(self.codes, n))], n)


class Runs(Grouping):
    """The same of rows in the order of their levels.

    Attributes
    ----------
    indptr : (levels + 1,) where each level begins and ends
    """

    def __init__(self, indptr):
        self.indptr = indptr
        self.n_levels = len(indptr) - 1

    @property
    def n_rows(self):
        return int(self.indptr[-1])

    @cached_property
    def codes(self):
        return np.repeat(np.arange(self.n_levels), np.diff(self.indptr))

    @cached_property
    def _sum(self):
        n = self.n_rows
        entries = _in_order() if n <= SHARED else _counted(n)
        ones, rows = (part[:n] for part in entries)
        return sparse.csr_matrix((ones, rows, self.indptr), shape=(self.n_levels, n))

    def first(self, n):
        """The rows of the first levels."""
        return Runs(self.indptr[: n + 1])


def grouping_of(codes, n_levels) -> Grouping:
    """Of rows as they come: runs where they are in the order of their levels."""
    if np.any(codes[1:] < codes[:-1]):
        return Grouping(codes, n_levels)
    counts = np.bincount(codes, minlength=n_levels)
    return Runs(np.concatenate([[0], np.cumsum(counts)]).astype(np.int32))


@cache
def _in_order():
    """What the matrices of short runs have in common."""
    return _counted(SHARED)


def _counted(n):
    return np.ones(n), np.arange(n, dtype=np.int32)
