"""What an elimination needs that does not change with the covariances."""

from __future__ import annotations

from copy import copy
from dataclasses import replace

import numpy as np
from scipy import sparse

from .coupling import coupled_sums, make_coupling
from .dense import windows
from .elimination import Elimination
from .layout import MATRICES, check_dense_size, layout_of
from .levels import multiply_levels
from .operators import DenseOperator, PairOperator, is_dense_product
from .packed import triangle_entries
from .pattern import Pattern
from .stages import STAGE


class Plan:
    """What does not change with the covariances: order, pattern, operators and the unreduced sums.

    ``matrices`` as large as the dense block have to fit into memory.

    Attributes
    ----------
    cross : the sums
    layout : order of elimination
    blocks : per factor its packed diagonal blocks
    couplings : stage -> what it shares with later columns
    pattern : where the entries are that elimination changes
    operators : stage -> its operator
    entries : these entries before anything is eliminated
    filled : stage -> its operator's values, where these never change
    """

    solver = "exact"

    def __init__(self, cross, matrices=MATRICES):
        self.cross = cross
        self.layout = layout_of(cross)
        check_dense_size([self.layout], cross.sizes, matrices)
        self.blocks = [cross.level_blocks(f) for f in range(len(cross.sizes))]
        stages = [f for f in self.layout.stages if f != self.layout.order[-1]]
        self.couplings = {f: make_coupling(cross, self.layout, f) for f in stages}
        self.pattern = Pattern.of(cross, self.layout, self.couplings)
        self.operators = {f: self._operator(f) for f in self.couplings}
        self._fill()

    def _fill(self):
        """What depends on the values of the sums."""
        self.entries = self._unreduced()
        fixed = [f for f in self.operators if f not in self.pattern.shared]
        self.filled = {f: self.operators[f].at(self.couplings[f].data) for f in fixed}

    def with_sums(self, cross):
        """The same plan for cross-products with another response."""
        other = copy(self)
        other.cross = cross
        return other

    def reweighted(self, blocks, pair_values):
        """The same plan for other weights: packed diagonal blocks per factor, sums per pair of
        factors.
        """
        other = copy(self)
        other.blocks = blocks
        if not pair_values:
            return other
        other.cross = with_pair_values(self.cross, pair_values)
        other.couplings = {
            f: c.with_data(coupled_sums(other.cross, self.layout, f, c.order))
            for f, c in self.couplings.items()
        }
        other._fill()
        return other

    def eliminate(self, T, roots=None, *, once=False):
        """The factorisation at one T, with ``once`` the last of this plan."""
        return Elimination(self, T, roots, once=once)

    @property
    def offsets(self):
        """Factor -> its first column in the order of the plan."""
        return self.layout.offsets

    @property
    def width(self):
        """Number of columns of all effects."""
        return self.layout.width

    @property
    def counted_blocks(self):
        """Diagonal blocks times the number of levels each one stands for."""
        counts = self.cross.counts
        return self.blocks if counts is None else [A * counts for A in self.blocks]

    @property
    def dense_order(self):
        """Order of the dense matrix that crossed factors leave."""
        return self.layout.dense_order

    def _operator(self, f):
        counts = np.diff(self.couplings[f].indptr).astype(float)
        first_of_crossed = f == self.layout.stages[0] and len(self.layout.stages) == 1
        many = is_dense_product(np.sum(counts**2) / 2, self.dense_order)
        kind = DenseOperator if first_of_crossed and many else PairOperator
        return kind(self.pattern, f)

    def _unreduced(self):
        entries = np.zeros(self.pattern.length)
        for f, window in self.pattern.blocks.items():
            entries[window] = self.blocks[f].ravel()
            if f in self.couplings:
                entries[self.pattern.shared[f]] = self.couplings[f].data.ravel()
        block = self.dense_part(entries)
        for f in self.layout.dense:
            self._fill_diagonal(block, f)
        for f, g in self.layout.dense_pairs:
            self._fill_pair(block, f, g)
        return entries

    def dense_part(self, entries):
        """The dense block among the entries, its lower triangle alone being meant."""
        return entries[self.pattern.dense].reshape(self.dense_order, self.dense_order)

    def copied_entries(self):
        """Entries that an elimination may change."""
        out = np.empty_like(self.entries)
        start = self.pattern.dense.start
        out[:start] = self.entries[:start]
        copied, block = self.dense_part(out), self.dense_part(self.entries)
        for rows in windows(self.dense_order):
            copied[rows, : rows.stop] = block[rows, : rows.stop]
        return out

    def dense_columns(self, f, levels):
        """First columns of levels of a factor within the dense block."""
        return self.layout.offsets[f] - self.layout.dense_start + levels * self.cross.sizes[f]

    def _fill_diagonal(self, block, f):
        first = self.dense_columns(f, np.arange(self.cross.levels[f]))
        for k, (r, c) in enumerate(triangle_entries(self.cross.sizes[f])):
            block[first + r, first + c] = self.blocks[f][k]

    def _fill_pair(self, block, f, g):
        pair = self.cross.pairs[f, g]
        rows = self.dense_columns(f, pair.rows)
        cols = self.dense_columns(g, pair.cols)
        for r in range(self.cross.sizes[f]):
            for c in range(self.cross.sizes[g]):
                i = rows + r
                j = cols + c
                block[np.maximum(i, j), np.minimum(i, j)] = pair.values[r, c]

    def to_columns(self, f, values):
        """(q, k, m) of factor f as rows (m q, k) in elimination order."""
        q, k, m = values.shape
        return values.transpose(2, 0, 1).reshape(m * q, k)

    def to_levels(self, f, columns):
        """The inverse of :meth:`to_columns`, from all columns (width, k)."""
        start = self.layout.offsets[f]
        q = self.cross.sizes[f]
        m = self.cross.levels[f]
        own = columns[start : start + q * m].reshape(m, q, -1)
        return np.ascontiguousarray(own.transpose(1, 2, 0))

    def to_rows(self, values):
        """All factors' (q, k, m) below each other, (width, k), in elimination order."""
        return np.concatenate([self.to_columns(f, values[f]) for f in self.layout.order])

    def later_rows(self, values):
        """The same, those of a first stage being anything."""
        first, *rest = self.layout.order
        if not self.layout.stages:
            return self.to_rows(values)
        out = np.empty((self.width, values[first].shape[1]))
        for f in rest:
            rows = self.to_columns(f, values[f])
            out[self.layout.offsets[f] : self.layout.offsets[f] + len(rows)] = rows
        return out

    def multiply(self, H):
        """``A H`` for effects ``H``, a list over factors of (q, k, m): cross-products of fitted
        random parts.
        """
        if not self.couplings:
            own = [multiply_levels(self.blocks[f], h) for f, h in enumerate(H)]
        else:
            own = self._multiplied(H)
        for f, g in self.layout.dense_pairs:
            pair = self.cross.pairs[f, g]
            own[f] += _pair_product(pair.rows, pair.cols, pair.values, H[g], pair.shape)
            turned = pair.values.transpose(1, 0, 2)
            own[g] += _pair_product(pair.cols, pair.rows, turned, H[f], pair.shape[::-1])
        return own

    def _multiplied(self, H):
        """The same without what the factors of the dense block share."""
        rows = self.later_rows(H)
        later = np.zeros_like(rows)
        own = []
        for f, h in enumerate(H):
            coupling = self.couplings.get(f)
            C = None if coupling is None else coupling.matrix
            own.append(STAGE.multiply(coupling, C, self.blocks[f], h, rows, later))
        for f in self.layout.order[1:]:
            own[f] += self.to_levels(f, later)
        return own


def with_pair_values(cross, pair_values):
    """Cross-products with other sums of the pairs of levels."""
    pairs = cross.pairs.items()
    return replace(
        cross, pairs={key: replace(pair, values=pair_values[key]) for key, pair in pairs}
    )


def _pair_product(rows, cols, values, H, shape):
    """``sum_k C_lk H_k`` for every level l, (q, k, m)."""
    out = np.zeros((len(values), H.shape[1], shape[0]))
    for r in range(len(values)):
        for c in range(len(H)):
            out[r] += (sparse.csr_matrix((values[r, c], (rows, cols)), shape=shape) @ H[c].T).T
    return out
