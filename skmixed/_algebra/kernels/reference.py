"""The kernels in numpy: what the compiled ones have to give."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from scipy import sparse

try:  # private, but the only product of scipy's that adds to what is there
    from scipy.sparse._sparsetools import csc_matvecs
except ImportError:
    csc_matvecs = None

from ..packed import halves, packed_size, triangle_entries

PAIRS_PER_CHUNK = 1 << 16
LABELS_PER_CHUNK = 1 << 15
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

    by_root = False  # a sparse matrix times a dense one takes more than ``S^-1`` and ``gather``

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


def quadratic(indptr, columns, data, inverse_root):
    """Packed ``C S^-1 C'`` of every level, from the lower triangle of ``L^-1`` with ``S = LL'``.

    C (q, entries) has its pattern in ``indptr`` and ``columns``, which increase within a level.
    """
    shape = (len(indptr) - 1, len(inverse_root))
    turned = np.tril(inverse_root).T
    rows = [sparse.csr_matrix((row, columns, indptr), shape=shape) @ turned for row in data]
    return np.array([np.sum(rows[r] * rows[c], axis=1) for r, c in triangle_entries(len(data))])


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
    """
    if csc_matvecs is None or not out.flags.c_contiguous:
        _touched_level_sums(codes, values, columns, out)
        return
    ends = np.arange(len(codes) + 1, dtype=codes.dtype)
    shape = (len(out), len(codes), out.shape[1], ends, codes)
    csc_matvecs(*shape, values, np.ascontiguousarray(columns).ravel(), out.ravel())


def _touched_level_sums(codes, values, columns, out):
    """The same with a product of its own of those levels that occur."""
    if not len(codes):
        return
    levels, places = np.unique(codes, return_inverse=True)
    shape = (len(levels), len(codes))
    Z = sparse.csc_matrix((values, places, np.arange(len(codes) + 1)), shape=shape, copy=False)
    out[levels] += Z @ columns


def follow(inner, outer, parents):
    """Whether some rows leave every level of one factor in one level of another.

    ``parents`` are these, -1 where none was met so far; if so those of these rows are noted.
    """
    before = parents[inner]
    parents[inner] = outer
    is_one = np.array_equal(parents[inner], outer)
    if is_one and np.all((before == outer) | (before < 0)):
        return True
    parents[inner] = before
    return False


def mark_labels(values, low, seen):
    """``seen[value - low] = True`` of every row, some rows at a time."""
    for lo in range(0, len(values), LABELS_PER_CHUNK):
        seen[values[lo : lo + LABELS_PER_CHUNK].astype(np.int64) - low] = True


def place_labels(values, low, places, codes):
    """``codes = places[value - low]`` of every row, some rows at a time."""
    for lo in range(0, len(values), LABELS_PER_CHUNK):
        rows = slice(lo, lo + LABELS_PER_CHUNK)
        codes[rows] = places[values[rows].astype(np.int64) - low]


def floats(values):
    """An array of floats, as any function of numpy takes it."""
    return np.asarray(values, dtype=np.float64)
