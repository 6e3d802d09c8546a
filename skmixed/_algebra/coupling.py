"""The sums that a stage of the elimination shares with later columns."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse


@dataclass(frozen=True)
class Coupling:
    """``C``: the sums a stage shares with all later columns.

    Row ``r * m + l`` holds effect r of level l.

    Attributes
    ----------
    indptr, columns : pattern over the levels, columns in elimination order
    data : (q, entries)
    matrix : the same, sparse (q m, width)
    order : for every entry its place among the pair sums of the later factors, one factor after the
        other
    """

    indptr: np.ndarray
    columns: np.ndarray
    data: np.ndarray
    matrix: sparse.csr_matrix
    order: np.ndarray

    @property
    def entries(self):
        return len(self.columns)

    def with_data(self, data):
        """The same pattern with other sums."""
        matrix = self.matrix
        matrix = sparse.csr_matrix(
            (data.ravel(), matrix.indices, matrix.indptr), shape=matrix.shape
        )
        return replace(self, data=data, matrix=matrix)

    def in_pair_order(self, values):
        """Values of the entries (q, entries), back in the order of the pair sums."""
        out = np.empty_like(values)
        out[:, self.order] = values
        return out


def make_coupling(cross, layout, f):
    """Collect the pair sums of stage ``f`` with every later factor."""
    m = cross.levels[f]
    rows = []
    columns = []
    for g in layout.after(f):
        pair = cross.pairs[min(f, g), max(f, g)]
        width = cross.sizes[g]
        own, other = (pair.rows, pair.cols) if f < g else (pair.cols, pair.rows)
        rows.append(np.repeat(own, width))
        columns.append((layout.offsets[g] + other[:, None] * width + np.arange(width)).ravel())
    rows = np.concatenate(rows)
    columns = np.concatenate(columns)
    order = np.argsort(rows, kind="stable")  # later factors and their columns already increase
    indptr = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=m))]).astype(np.int32)
    columns = columns[order].astype(np.int32)
    data = coupled_sums(cross, layout, f, order)
    return Coupling(
        indptr,
        columns,
        data,
        _stacked(indptr, columns, data, len(data) * m, layout.width),
        order,
    )


def coupled_sums(cross, layout, f, order):
    """Pair sums of stage ``f`` with every later factor, (q, entries)."""
    data = []
    for g in layout.after(f):
        values = cross.pairs[min(f, g), max(f, g)].values
        values = values if f < g else values.transpose(1, 0, 2)
        data.append(values.transpose(0, 2, 1).reshape(len(values), -1))
    return np.ascontiguousarray(np.concatenate(data, axis=1)[:, order])


def _stacked(indptr, columns, data, height, width):
    q, entries = data.shape
    starts = np.concatenate([indptr[:-1] + r * entries for r in range(q)] + [[q * entries]])
    return sparse.csr_matrix((data.ravel(), np.tile(columns, q), starts), shape=(height, width))
