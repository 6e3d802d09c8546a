"""``C' M C`` as a linear map of ``M``: the forward update of an elimination, and its transpose for
the derivatives.

The *pair operator* ``P`` is a sparse matrix from packed ``M`` to the entries it changes; its
transpose gathers ``C S C'``.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
from scipy import sparse

from .packed import halves, packed_size, triangle_entries, unpack

PAIRS_PER_CHUNK = 1 << 16
#: pair products per dense entry beyond which a dense product is cheaper
MAX_PAIRS_PER_ENTRY = 16


def is_dense_product(products, order):
    """Whether so many products of pairs cost more than those of dense matrices."""
    return products > MAX_PAIRS_PER_ENTRY * order**2


def _slot_pairs(indptr):
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
        self._level_order, n_pairs, self._first, self._second = _slot_pairs(coupling.indptr)
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


class DenseOperator:
    """The same two maps by dense products, for a stage that shares rows with most of the dense
    block.
    """

    def __init__(self, pattern, f):
        coupling = pattern.couplings[f]
        self.q = pattern.sizes[f]
        self.levels = pattern.levels[f]
        self._dense = pattern.dense
        self._side = pattern.layout.dense_order
        self._columns = coupling.columns - pattern.layout.dense_start
        self._level = np.repeat(np.arange(self.levels), np.diff(coupling.indptr))

    def at(self, data):
        """``C`` as dense blocks, (q, levels, columns)."""
        blocks = np.zeros((self.q, self.levels, self._side))
        blocks[:, self._level, self._columns] = data
        return blocks

    def subtract(self, blocks, M, entries):
        m = unpack(M, self.q)
        side = blocks.shape[2]
        update = entries[self._dense].reshape(side, side)
        for r in range(self.q):
            MC = sum(m[r][c][:, None] * blocks[c] for c in range(self.q))
            update -= blocks[r].T @ MC

    def gather(self, blocks, entries):
        side = blocks.shape[2]
        S = mirrored(entries[self._dense].reshape(side, side))
        SC = [block @ S for block in blocks]
        return np.array(
            [np.einsum("ms,ms->m", SC[r], blocks[c]) for r, c in triangle_entries(self.q)]
        )

    def spread(self, blocks, data, entries):
        """``C S`` on the pattern of C, (q, entries)."""
        S = mirrored(entries[self._dense].reshape(self._side, self._side))
        return np.array([(block @ S)[self._level, self._columns] for block in blocks])


def mirrored(lower):
    """Full symmetric matrix from its lower triangle."""
    full = np.tril(lower)
    full += np.tril(full, -1).T
    return full


def _compressed(targets, length):
    """Distinct targets in increasing order, and the index of every target among them."""
    seen = np.zeros(length, dtype=bool)
    seen[targets] = True
    distinct = np.flatnonzero(seen)
    index = np.zeros(length, dtype=np.int32)
    index[distinct] = np.arange(len(distinct))
    return distinct, index[targets]
