"""The sums that a stage of the elimination shares with later columns, and where its results go."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse

from .packed import packed_size


@dataclass(frozen=True)
class Coupling:
    """``C``: the sums a stage shares with all later columns.

    Row ``r * m + l`` holds effect r of level l.
    """

    indptr: np.ndarray  # pattern over levels
    columns: np.ndarray  # later columns, elimination order
    data: np.ndarray  # (q, entries)
    matrix: sparse.csr_matrix  # (q * m, width), sharing the pattern
    order: (
        np.ndarray
    )  # entry of the later factors' pair sums, one factor after the other, for every entry here

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


def make_coupling(cross, make_layout, f):
    """Collect the pair sums of stage ``f`` with every later factor."""
    m = cross.levels[f]
    rows = []
    columns = []
    for g in make_layout.after(f):
        pair = cross.pairs[min(f, g), max(f, g)]
        width = cross.sizes[g]
        own, other = (pair.rows, pair.cols) if f < g else (pair.cols, pair.rows)
        rows.append(np.repeat(own, width))
        columns.append((make_layout.offsets[g] + other[:, None] * width + np.arange(width)).ravel())
    rows = np.concatenate(rows)
    columns = np.concatenate(columns)
    order = np.argsort(rows, kind="stable")  # later factors and their columns already increase
    indptr = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=m))]).astype(np.int32)
    columns = columns[order].astype(np.int32)
    data = coupled_sums(cross, make_layout, f, order)
    return Coupling(
        indptr,
        columns,
        data,
        _stacked(indptr, columns, data, len(data) * m, make_layout.width),
        order,
    )


def coupled_sums(cross, make_layout, f, order):
    """Pair sums of stage ``f`` with every later factor, (q, entries)."""
    data = []
    for g in make_layout.after(f):
        values = cross.pairs[min(f, g), max(f, g)].values
        values = values if f < g else values.transpose(1, 0, 2)
        data.append(values.transpose(0, 2, 1).reshape(len(values), -1))
    return np.ascontiguousarray(np.concatenate(data, axis=1)[:, order])


def _stacked(indptr, columns, data, height, width):
    q, entries = data.shape
    starts = np.concatenate([indptr[:-1] + r * entries for r in range(q)] + [[q * entries]])
    return sparse.csr_matrix((data.ravel(), np.tile(columns, q), starts), shape=(height, width))


@dataclass(frozen=True)
class Segments:
    """Positions, in one flat vector, of every matrix entry that elimination changes.

    Per later stage its packed diagonal blocks and the entries of its coupling, then the dense
    block.
    """

    blocks: dict  # stage -> slice
    couplings: dict  # stage -> slice
    dense: slice
    length: int


def make_segments(cross, make_layout, couplings):
    blocks = {}
    shared = {}
    position = 0
    for f in make_layout.stages[1:]:
        size = packed_size(cross.sizes[f]) * cross.levels[f]
        blocks[f] = slice(position, position + size)
        position += size
        entries = couplings[f].data.size if f in couplings else 0
        shared[f] = slice(position, position + entries)
        position += entries
    side = make_layout.width - make_layout.dense_start
    return Segments(blocks, shared, slice(position, position + side * side), position + side * side)
