"""What an iterative elimination needs that does not change with the covariances."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from scipy import sparse

from ..coupling import make_coupling
from ..layout import Layout
from ..plan import Plan
from .blocks import as_matrices, block_diagonal
from .elimination import IterativeElimination
from .probes import make_probes


class IterativePlan(Plan):
    """A plan that eliminates the largest factor only.

    Attributes
    ----------
    shared : C, sparse, rows of the eliminated factor, columns of all others
    unreduced : A of the others, sparse
    probes : per factor that is left its random vectors
    """

    solver = "iterative"

    def __init__(self, cross):
        self.cross = cross
        self.layout = _layout(cross)
        self.blocks = [cross.level_blocks(f) for f in range(len(cross.sizes))]
        first = self.layout.order[0]
        self.couplings = {first: make_coupling(cross, self.layout, first)}
        self.probes = [
            make_probes(window.start, q, (window.stop - window.start) // q)
            for window, q in self.windows
        ]
        self._fill()

    def _fill(self):
        """Sparse matrices of the sums."""
        first, *rest = self.layout.order
        self.shared = self._shared(first)
        own = [block_diagonal(as_matrices(self.blocks[f], self.cross.sizes[f])) for f in rest]
        self.unreduced = sparse.block_diag(own, format="csr")
        for f, g in self.layout.dense_pairs:
            pair = self._spread_pair(f, g)
            self.unreduced = self.unreduced + pair + pair.T
        self.unreduced = self.unreduced.tocsr()

    @property
    def windows(self):
        """Per factor that is left its columns among these, and the number of its effects."""
        start = self.layout.dense_start
        found = []
        for f in self.layout.order[1:]:
            first = self.layout.offsets[f] - start
            q = self.cross.sizes[f]
            found.append((slice(first, first + q * self.cross.levels[f]), q))
        return found

    @property
    def dense_order(self):
        """There is no dense matrix."""
        return 0

    def eliminate(self, T, roots=None, *, once=False):
        """The elimination at one T."""
        return IterativeElimination(self, T, roots)

    def _shared(self, first):
        """C with the effects of a level below each other."""
        coupling = self.couplings[first]
        q, entries = coupling.data.shape
        m = self.cross.levels[first]
        start = self.layout.dense_start
        shape = (q * m, self.layout.width - start)
        indptr = np.concatenate([coupling.indptr[:-1] + r * entries for r in range(q)])
        indptr = np.append(indptr, q * entries)
        columns = np.tile(coupling.columns - start, q)
        matrix = sparse.csr_array((coupling.data.ravel(), columns, indptr), shape=shape)
        return matrix if q == 1 else matrix[self._level_major]

    @cached_property
    def _level_major(self):
        first = self.layout.order[0]
        q, m = self.cross.sizes[first], self.cross.levels[first]
        return (np.arange(m)[:, None] + m * np.arange(q)).ravel()

    def _spread_pair(self, f, g):
        """``A_fg`` of two factors that are left, among all that is."""
        pair = self.cross.pairs[f, g]
        rows = self.dense_columns(f, pair.rows)
        cols = self.dense_columns(g, pair.cols)
        i, j, values = [], [], []
        for r in range(self.cross.sizes[f]):
            for c in range(self.cross.sizes[g]):
                i.append(rows + r)
                j.append(cols + c)
                values.append(pair.values[r, c])
        entries = (np.concatenate(values), (np.concatenate(i), np.concatenate(j)))
        return sparse.csr_array(entries, shape=self.unreduced.shape)


def _layout(cross):
    """The factor with the most effects first, and the others as they come."""
    widths = [q * m for q, m in zip(cross.sizes, cross.levels, strict=True)]
    order = sorted(range(len(widths)), key=lambda f: -widths[f])
    ends = np.cumsum([0] + [widths[f] for f in order])
    offsets = {f: int(start) for f, start in zip(order, ends[:-1], strict=True)}
    return Layout((order[0],), tuple(order[1:]), offsets, int(ends[-1]), int(ends[1]))
