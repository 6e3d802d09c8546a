"""The kernels in numpy: what the compiled ones have to give."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from scipy import sparse

from ..packed import halves, packed_size, triangle_entries

PAIRS_PER_CHUNK = 1 << 16
MOST_EMPTY = 4  # levels per row that are summed whether they occur or not
MAX_PAIRS_PER_ENTRY = 16  # pair products per dense entry beyond which a dense product is cheaper


def is_dense_product(products, order):
    """Whether so many products of pairs cost more than those of dense matrices."""
    return products > MAX_PAIRS_PER_ENTRY * order**2


def slot_pairs(indptr):
    """All pairs of entries (i >= j) of every level, level after level in the order returned first.

    Levels come in groups with equally many entries.  Returns that order, the number of pairs of
    each, and the pairs.
    """
    counts = np.diff(indptr)
    levels = []
    first = []
    second = []
    for count in np.flatnonzero(np.bincount(counts)):
        own = np.flatnonzero(counts == count)
        i, j = (index.astype(np.int32) for index in np.tril_indices(count))
        levels.append(own)
        first.append((indptr[own][:, None] + i).ravel())
        second.append((indptr[own][:, None] + j).ravel())
    order = np.concatenate(levels)
    n_pairs = counts[order] * (counts[order] + 1) // 2
    return order, n_pairs, np.concatenate(first), np.concatenate(second)


class PairOperator:
    """The linear map from packed ``M`` of a stage to the entries of ``C' M C``, and its transpose.

    Its pattern is fixed; :meth:`at` fills in the products of given values of C, which later stages
    change with T.
    """

    def __init__(self, pattern, f):
        coupling = pattern.couplings[f]
        self.q = pattern.sizes[f]
        self.levels = pattern.levels[f]
        self._level_order, n_pairs, self._first, self._second = slot_pairs(coupling.indptr)
        high = coupling.columns[self._first]
        low = coupling.columns[self._second]
        self.targets, self._compact = _compressed(pattern.positions(high, low), pattern.length)
        self._weights = np.ones(len(self.targets))
        self._weights[self._compact] = np.where(high == low, 1.0, 2.0)
        self._halves = 0.5 / halves(self.q)[:, None]
        packed = packed_size(self.q)
        self._indices = np.tile(self._compact, packed)
        self._indptr = np.concatenate([[0], np.cumsum(np.tile(n_pairs, packed))]).astype(np.int32)
        self._shape = (len(self.targets), packed * self.levels)

    def at(self, data):
        """The operator for these values of C (q, entries)."""
        products = np.empty((packed_size(self.q), len(self._first)))
        for lo in range(0, len(self._first), PAIRS_PER_CHUNK):
            pairs = slice(lo, lo + PAIRS_PER_CHUNK)
            left = [row[self._first[pairs]] for row in data]
            right = [row[self._second[pairs]] for row in data]
            for k, (r, c) in enumerate(triangle_entries(self.q)):
                np.multiply(left[r], right[c], out=products[k, pairs])
                if r != c:
                    products[k, pairs] += left[c] * right[r]
        return sparse.csc_matrix(
            (products.ravel(), self._indices, self._indptr), shape=self._shape, copy=False
        )

    def subtract(self, P, M, entries):
        """``entries -= C' M C`` in the entries concerned."""
        entries[self.targets] -= P @ M[:, self._level_order].ravel()

    def gather(self, P, entries):
        """Packed ``C S C'`` of every level, from the entries of S in ``entries``."""
        out = np.empty((packed_size(self.q), self.levels))
        flat = P.T @ (self._weights * entries[self.targets])
        out[:, self._level_order] = flat.reshape(-1, self.levels) * self._halves
        return out

    def spread(self, P, data, entries):
        """``C S`` on the pattern of C, (q, entries).

        The pairs of an entry with those before it follow each other, itself last.
        """
        i = self._first
        j = self._second
        last = self._last
        S = entries[self.targets][self._compact]
        out = np.array([np.bincount(j, row[i] * S, data.shape[1]) for row in data])
        out[:, i[last]] += np.array(
            [np.add.reduceat(row[j] * S, np.append(0, last[:-1] + 1)) for row in data]
        )
        out[:, i[last]] -= data[:, i[last]] * S[last]
        return out

    @cached_property
    def _last(self):
        """Position of every entry's pair with itself."""
        return np.append(np.flatnonzero(np.diff(self._first)), len(self._first) - 1)


def _compressed(targets, length):
    """Distinct targets in increasing order, and the index of every target among them."""
    seen = np.zeros(length, dtype=bool)
    seen[targets] = True
    distinct = np.flatnonzero(seen)
    index = np.zeros(length, dtype=np.int32)
    index[distinct] = np.arange(len(distinct))
    return distinct, index[targets]


def level_sums(codes, values, columns, out):
    """Add ``sum_{i in l} values_i columns_i`` to ``out`` (levels, columns), one level per code.

    A sparse matrix with one entry per row does this without sorting and as fast as a compiled loop.
    Only the span of levels that occur in the chunk is touched, and where they are few in it, no
    others than these.
    """
    if not len(codes):
        return
    low = int(codes.min())
    high = int(codes.max()) + 1
    rows = np.arange(len(codes) + 1)
    shape = (high - low, len(codes))
    if high - low <= MOST_EMPTY * len(codes):
        Z = sparse.csc_matrix((values, codes - low, rows), shape=shape, copy=False)
        out[low:high] += Z @ columns
        return
    Z = sparse.csr_matrix((values, (codes - low, rows[:-1])), shape=shape)
    there = np.flatnonzero(np.diff(Z.indptr))
    ends = np.append(0, Z.indptr[there + 1])
    Z = sparse.csr_matrix((Z.data, Z.indices, ends), shape=(len(there), len(codes)), copy=False)
    out[low + there] += Z @ columns
