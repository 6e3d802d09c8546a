"""What an elimination needs that does not change with the covariances."""

from __future__ import annotations

from copy import copy
from dataclasses import replace

import numpy as np
from scipy import sparse

from .coupling import coupled_sums, make_coupling, make_segments
from .layout import check_dense_size, is_nested, make_layout
from .levels import multiply_levels
from .operators import DenseOperator, PairOperator
from .packed import triangle_entries

MAX_PAIRS_PER_ENTRY = (
    16  # beyond this many pair products per dense entry a dense product is cheaper
)


class Plan:
    """What does not change with the covariances: order, patterns, operators and the unreduced
    sums."""

    def __init__(self, cross):
        self.cross = cross
        sizes = cross.sizes
        levels = cross.levels
        factors = range(len(sizes))
        self.layout = make_layout(
            sizes, levels, [[f == g or is_nested(cross, f, g) for g in factors] for f in factors]
        )
        check_dense_size(self.layout)
        stages = self.layout.stages
        self.blocks = [cross.level_blocks(f) for f in range(len(sizes))]
        self.couplings = {
            f: make_coupling(cross, self.layout, f) for f in stages if f != self.layout.order[-1]
        }
        self.segments = make_segments(cross, self.layout, self.couplings)
        self.operators = {f: self._operator(f) for f in self.couplings}
        self._fill()

    def _fill(self):
        """What depends on the values of the sums."""
        self.state = self._initial_state()
        changing = self.segments.couplings
        self.filled = {
            f: P.at(self.couplings[f].data) for f, P in self.operators.items() if f not in changing
        }

    def reweighted(self, blocks, pair_values):
        """The same plan for other weights: packed diagonal blocks per factor, sums per pair of
        factors.
        """
        other = copy(self)
        other.blocks = blocks
        if not pair_values:
            return other
        pairs = {
            key: replace(pair, values=pair_values[key]) for key, pair in self.cross.pairs.items()
        }
        other.cross = replace(self.cross, pairs=pairs)
        other.couplings = {
            f: c.with_data(coupled_sums(other.cross, self.layout, f, c.order))
            for f, c in self.couplings.items()
        }
        other._fill()
        return other

    @property
    def counted_blocks(self):
        """Diagonal blocks times the number of levels each one stands for."""
        counts = self.cross.counts
        return self.blocks if counts is None else [A * counts for A in self.blocks]

    def _operator(self, f):
        counts = np.diff(self.couplings[f].indptr).astype(float)
        side = self.dense_order
        first_of_crossed = f == self.layout.stages[0] and len(self.layout.stages) == 1
        many = np.sum(counts**2) / 2 > MAX_PAIRS_PER_ENTRY * side**2
        kind = DenseOperator if first_of_crossed and many else PairOperator
        return kind(self.cross, self.layout, self.segments, self.couplings, f)

    def _initial_state(self):
        state = np.zeros(self.segments.length)
        for f in self.layout.stages[1:]:
            state[self.segments.blocks[f]] = self.blocks[f].ravel()
            if f in self.couplings:
                state[self.segments.couplings[f]] = self.couplings[f].data.ravel()
        if self.layout.dense:
            state[self.segments.dense] = self._dense_block().ravel()
        return state

    def _dense_block(self):
        """Lower triangle of the cross-products of the factors in the dense block."""
        start = self.layout.dense_start
        side = self.layout.width - self.layout.dense_start
        block = np.zeros((side, side))
        for f in self.layout.dense:
            self._fill_diagonal(block, f, self.layout.offsets[f] - start)
        for (f, g), pair in self.cross.pairs.items():
            if f in self.layout.dense and g in self.layout.dense:
                self._fill_pair(block, f, g, pair, start)
        return block

    def _fill_diagonal(self, block, f, offset):
        q = self.cross.sizes[f]
        m = self.cross.levels[f]
        first = offset + np.arange(m) * q
        for k, (r, c) in enumerate(triangle_entries(q)):
            block[first + r, first + c] = self.blocks[f][k]

    def _fill_pair(self, block, f, g, pair, start):
        rows = self.layout.offsets[f] - start + pair.rows * self.cross.sizes[f]
        cols = self.layout.offsets[g] - start + pair.cols * self.cross.sizes[g]
        for r in range(self.cross.sizes[f]):
            for c in range(self.cross.sizes[g]):
                i = rows + r
                j = cols + c
                block[np.maximum(i, j), np.minimum(i, j)] = pair.values[r, c]

    @property
    def dense_order(self):
        """Order of the dense matrix that crossed factors leave."""
        return self.layout.width - self.layout.dense_start

    def to_columns(self, f, values):
        """(q, k, m) of factor f as rows (m q, k) in elimination order."""
        q, k, m = values.shape
        return values.transpose(2, 0, 1).reshape(m * q, k)

    def to_levels(self, f, columns):
        """The inverse of :meth:`to_columns`, from all columns (width, k)."""
        start = self.layout.offsets[f]
        q = self.cross.sizes[f]
        m = self.cross.levels[f]
        return np.ascontiguousarray(
            columns[start : start + q * m].reshape(m, q, -1).transpose(1, 2, 0)
        )

    def to_rows(self, values):
        """All factors' (q, k, m) below each other, (width, k), in elimination order."""
        return np.concatenate([self.to_columns(f, values[f]) for f in self.layout.order])

    def multiply(self, H):
        """``A H`` for effects ``H``, a list over factors of (q, k, m): cross-products of fitted
        random parts.
        """
        own = [multiply_levels(self.blocks[f], h) for f, h in enumerate(H)]
        if self.couplings:
            self._add_coupled(H, own)
        for (f, g), pair in self.cross.pairs.items():
            if f in self.layout.dense and g in self.layout.dense:
                own[f] += _pair_product(pair.rows, pair.cols, pair.values, H[g], pair.shape)
                own[g] += _pair_product(
                    pair.cols, pair.rows, pair.values.transpose(1, 0, 2), H[f], pair.shape[::-1]
                )
        return own

    def _add_coupled(self, H, own):
        """Add what the stages and the factors after them share."""
        rows = self.to_rows(H)
        later = 0.0
        for f, coupling in self.couplings.items():
            q, k, m = H[f].shape
            own[f] += (coupling.matrix @ rows).reshape(q, m, k).transpose(0, 2, 1)
            later = later + coupling.matrix.T @ H[f].transpose(0, 2, 1).reshape(q * m, k)
        for f in range(len(own)):
            own[f] += self.to_levels(f, later)


def _pair_product(rows, cols, values, H, shape):
    """``sum_k C_lk H_k`` for every level l, (q, k, m)."""
    out = np.zeros((len(values), H.shape[1], shape[0]))
    for r in range(len(values)):
        for c in range(len(H)):
            out[r] += (sparse.csr_matrix((values[r, c], (rows, cols)), shape=shape) @ H[c].T).T
    return out
