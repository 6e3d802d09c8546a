"""The kernels of the compiled module.

Arrays are made here, and handed to it in the types that it wants.
"""

from __future__ import annotations

import numpy as np

from ..machine import threads
from ..packed import packed_size
from .choice import CHOICE
from .reference import slot_pairs

FLOAT = 8  # bytes
NOTHING = np.zeros(0)
MAX_PAIRS_PER_ENTRY = 64  # pairs per dense entry beyond which a dense product is cheaper


def is_dense_product(products, order):
    """Whether so many products of pairs cost more than those of dense matrices."""
    return products > MAX_PAIRS_PER_ENTRY * order**2


class PairOperator:
    """As that of the reference, without the products of the pairs: C itself does.

    Where all later columns are in the dense block their pairs need no table.
    """

    def __init__(self, pattern, f):
        coupling = pattern.couplings[f]
        start = pattern.layout.dense_start
        self.q = pattern.sizes[f]
        self.levels = pattern.levels[f]
        is_dense = not len(coupling.columns) or coupling.columns.min() >= start
        kind = InDense if is_dense else InPlaces
        self._target = kind(pattern, coupling)
        self.columns = coupling.columns - np.int32(start)

    @property
    def by_root(self):
        """Whether ``C S^-1 C'`` is to be had from the root of ``S^-1``, which takes less."""
        return isinstance(self._target, InDense)

    def at(self, data):
        """C itself."""
        return np.ascontiguousarray(data)

    def subtract(self, C, M, entries):
        """``entries -= C' M C`` in the entries concerned."""
        self._target.subtract(C, np.ascontiguousarray(M), entries)

    def gather(self, C, entries):
        """Packed ``C S C'`` of every level, from the entries of S in ``entries``."""
        out = np.empty((packed_size(self.q), self.levels))
        self._target.gather(C, entries, out)
        return out

    def quadratic(self, data, factor):
        """Packed ``C S^-1 C'`` of every level by the factor of S."""
        return quadratic(self._target.indptr, self.columns, data, factor.inverse_root)

    def spread(self, C, data, entries):
        """``C S`` on the pattern of C, (q, entries)."""
        out = np.empty(data.shape)
        self._target.spread(np.ascontiguousarray(data), entries, out)
        return out


class InDense:
    """Pairs of columns of the dense block."""

    def __init__(self, pattern, coupling):
        self._dense = pattern.dense
        self._side = pattern.layout.dense_order
        self.indptr = coupling.indptr
        columns = coupling.columns - np.int32(pattern.layout.dense_start)
        self._pattern = (self.indptr, columns)

    def _block(self, entries):
        return entries[self._dense].reshape(self._side, self._side)

    def subtract(self, C, M, entries):
        CHOICE.native.subtract_dense(*self._pattern, C, M, self._block(entries), threads())

    def gather(self, C, entries, out):
        CHOICE.native.gather_dense(*self._pattern, C, self._block(entries), out)

    def spread(self, C, entries, out):
        CHOICE.native.spread_dense(*self._pattern, C, self._block(entries), out)


class InPlaces:
    """Pairs of columns anywhere, some in the blocks of later stages."""

    def __init__(self, pattern, coupling):
        order, _, first, second = slot_pairs(coupling.indptr)
        columns = coupling.columns
        places = pattern.positions(columns[first], columns[second])
        self._pattern = (coupling.indptr, columns)
        self._places = (order.astype(np.int32), places)

    def subtract(self, C, M, entries):
        CHOICE.native.subtract_placed(*self._pattern, C, M, *self._places, entries)

    def gather(self, C, entries, out):
        CHOICE.native.gather_placed(*self._pattern, C, *self._places, entries, out)

    def spread(self, C, entries, out):
        CHOICE.native.spread_placed(*self._pattern, C, *self._places, entries, out)


def invert_levels(A, root, counts):
    """``M = R (R'AR + I)^-1 R'`` of every level, and the sum of the log-determinants."""
    M = np.empty(A.shape)
    log_determinant = CHOICE.native.invert_levels(
        np.ascontiguousarray(A),
        np.ascontiguousarray(root),
        NOTHING if counts is None else np.ascontiguousarray(counts, dtype=float),
        M,
    )
    return M, log_determinant


def level_sums(codes, values, columns, out):
    """Add ``sum_{i in l} values_i columns_i`` to ``out`` (levels, columns), one level per code."""
    if not out.flags.c_contiguous:
        own = np.zeros(out.shape)
        level_sums(codes, values, columns, own)
        out += own
        return
    CHOICE.native.level_sums(
        np.ascontiguousarray(codes, dtype=np.int32),
        np.ascontiguousarray(values, dtype=float),
        np.asarray(columns, dtype=float),
        out,
    )


def follow(inner, outer, parents):
    """As that of the reference."""
    codes = (np.ascontiguousarray(own, dtype=np.int32) for own in (inner, outer))
    return CHOICE.native.follow(*codes, parents)


def mark_labels(values, low, seen):
    """As that of the reference."""
    CHOICE.native.mark_labels(_whole(values), low, seen.view(np.uint8))


def place_labels(values, low, places, codes):
    """As that of the reference."""
    CHOICE.native.place_labels(_whole(values), low, places, codes)


def _whole(values):
    """Whole numbers in a type that the module reads, at strides of such."""
    is_plain = values.dtype.kind == "i" and values.dtype.isnative
    if is_plain and values.flags.aligned and not values.strides[0] % values.itemsize:
        return values
    return np.ascontiguousarray(values, dtype=np.int64)


def floats(values):
    """An array of floats as the module reads it, whose strides are numbers of them."""
    values = np.asarray(values, dtype=np.float64)
    is_readable = values.flags.aligned and not any(step % FLOAT for step in values.strides)
    return values if is_readable else values.copy()


def quadratic(indptr, columns, data, inverse_root):
    """Packed ``C S^-1 C'`` of every level, from the lower triangle of ``L^-1`` with ``S = LL'``.

    C (q, entries) has its pattern in ``indptr`` and ``columns``, which increase within a level.
    """
    out = np.empty((packed_size(len(data)), len(indptr) - 1))
    data = np.ascontiguousarray(data)
    CHOICE.native.quadratic_inverse(indptr, columns, data, inverse_root, out, threads())
    return out
