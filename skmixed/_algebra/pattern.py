"""Where the elimination keeps what it changes: positions of matrix entries in one flat vector."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .coupling import Coupling
from .layout import Layout
from .packed import packed_index, packed_size


@dataclass(frozen=True, eq=False)
class Pattern:
    """Per later stage its packed diagonal blocks and its coupling, then the dense block.

    Attributes
    ----------
    layout : order of elimination
    sizes, levels : of the factors
    couplings : stage -> what it shares with later columns
    blocks, shared : stage -> slice of its diagonal blocks, and of the entries of its coupling
    dense : slice of the dense block
    """

    layout: Layout
    sizes: tuple
    levels: tuple
    couplings: dict[int, Coupling]
    blocks: dict[int, slice]
    shared: dict[int, slice]
    dense: slice

    @classmethod
    def of(cls, cross, layout, couplings):
        """The positions of one layout."""
        blocks = {}
        shared = {}
        position = 0
        for f in layout.stages[1:]:
            blocks[f] = slice(position, position + packed_size(cross.sizes[f]) * cross.levels[f])
            entries = couplings[f].data.size if f in couplings else 0
            shared[f] = slice(blocks[f].stop, blocks[f].stop + entries)
            position = shared[f].stop
        dense = slice(position, position + layout.dense_order**2)
        return cls(layout, cross.sizes, cross.levels, couplings, blocks, shared, dense)

    @property
    def length(self):
        """Length of the flat vector."""
        return self.dense.stop

    def positions(self, high, low):
        """Of the entries (high, low) of the later matrix.

        Columns in elimination order, high >= low.
        """
        out = np.empty(len(high), dtype=np.int64)
        start = self.layout.dense_start
        is_dense = low >= start
        rows = (high[is_dense] - start).astype(np.int64)
        out[is_dense] = self.dense.start + rows * self.layout.dense_order + low[is_dense] - start
        for f in self.layout.stages[1:]:
            self._place(f, high, low, out)
        return out

    def _place(self, f, high, low, out):
        """The positions of entries whose lower column belongs to a stage."""
        start = self.layout.offsets[f]
        q = self.sizes[f]
        m = self.levels[f]
        own = np.flatnonzero((low >= start) & (low < start + q * m))
        low, high = low[own] - start, high[own]
        level, effect = (low, np.zeros_like(low)) if q == 1 else np.divmod(low, q)
        is_within = high < start + q * m
        entry = packed_index(q)[(high[is_within] - start) % q, effect[is_within]]
        out[own[is_within]] = self.blocks[f].start + entry * m + level[is_within]
        is_shared = ~is_within
        if np.any(is_shared):
            coupling = self.couplings[f]
            slots = _slots(coupling, self.layout.width, level[is_shared], high[is_shared])
            slots += self.shared[f].start + effect[is_shared].astype(np.int64) * coupling.entries
            out[own[is_shared]] = slots


def _slots(coupling, width, levels, columns):
    """Positions of (level, column) in the pattern of a coupling.

    They exist because f is nested in its target.
    """
    counts = np.diff(coupling.indptr)
    if np.all(counts == 1):
        return levels.astype(np.int64)
    own = np.repeat(np.arange(len(counts)), counts)
    keys = own * width + coupling.columns
    return np.searchsorted(keys, levels.astype(np.int64) * width + columns)
