"""Rows cut into blocks that share no level.

Levels that meet in a row belong together, and so do those that they meet elsewhere: the connected
components of the graph of levels.  Those of a single factor are its levels, nested factors have one
for every level of the outermost.  Blocks are whole components with about as many rows as fit the
cache; crossed factors mostly are one component, and one block.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from scipy import sparse
from scipy.sparse import csgraph

from .._sums.blocks import RowBlock
from .._sums.crossed import row_block
from .._sums.grouping import level_order

EDGES = 1 << 20  # pairs of levels that are kept before they are summed up as components


class Rows(NamedTuple):
    """Rows in the columns of a frame.

    Attributes
    ----------
    x : (n, p) columns of the fixed effects
    z : per factor (q_f, n) columns of the random effects
    y, m : (n,) responses and weights; weights may be the number one
    codes : per factor, levels among those of the model
    offset : (n,), or None
    """

    x: np.ndarray
    z: Sequence[np.ndarray]
    y: np.ndarray
    m: object
    codes: Sequence[np.ndarray]
    offset: np.ndarray | None

    def take(self, rows) -> Rows:
        """Some of them, in some order."""
        return Rows(
            self.x[rows],
            [columns[:, rows] for columns in self.z],
            self.y[rows],
            self.m[rows] if np.ndim(self.m) else self.m,
            [codes[rows] for codes in self.codes],
            None if self.offset is None else self.offset[rows],
        )


class Cut(NamedTuple):
    """A block of rows, and per factor which levels of the model are in it."""

    rows: RowBlock
    levels: list[np.ndarray]


def cut(rows: Rows, component: np.ndarray, most: int) -> Iterator[Cut]:
    """Blocks of whole components, each with about ``most`` rows or a single one that has more;
    ``component`` is that of every row.
    """
    order = _order(rows.codes, component)
    rows = rows.take(order)
    component = component[order]
    starts = np.flatnonzero(np.append(True, component[1:] != component[:-1]))
    ends = np.append(starts[1:], len(component))
    last = np.searchsorted(ends, np.arange(most, len(component), most), side="left")
    borders = np.unique(np.concatenate([[0], ends[last], [len(component)]]))
    for lo, hi in pairwise(borders):
        yield _block(rows.take(slice(lo, hi)))


def _order(codes, component):
    """By component, and in it by the levels of the factor with most of them."""
    if len(codes) == 1:
        return _sorting(component)
    finest = codes[int(np.argmax([c.max(initial=0) for c in codes]))]
    order = _sorting(finest)
    return order[_sorting(component[order])]


def _sorting(codes):
    return level_order(codes, int(codes.max(initial=0)) + 1)[0]


def _block(rows):
    found = [np.unique(codes, return_inverse=True) for codes in rows.codes]
    levels = [labels for labels, _ in found]
    codes = [inverse.astype(np.int64) for _, inverse in found]
    n_levels = [len(labels) for labels in levels]
    return Cut(row_block(rows.x, rows.z, rows.y, rows.m, codes, n_levels, rows.offset), levels)


class Components:
    """The connected components of the levels of several factors, rows being met one after the
    other.

    Levels are numbered as they come, factor by factor.
    """

    def __init__(self, n_factors: int):
        self._labels = [np.zeros(0, dtype=np.int64)] * n_factors
        self._n = 0
        self._edges: list[np.ndarray] = []
        self._waiting = 0

    def meet(self, codes: Sequence[np.ndarray]) -> None:
        """Levels that meet in some rows."""
        for f, c in enumerate(codes):
            self._number(f, int(c.max(initial=-1)) + 1)
        first, *others = [own[c] for own, c in zip(self._labels, codes, strict=True)]
        for other in others:
            edges = np.unique(np.array([first, other]), axis=1)
            self._edges.append(edges)
            self._waiting += edges.shape[1]
        if self._waiting > max(EDGES, self._n):
            self._merge()

    def _number(self, f, count):
        known = self._labels[f]
        if count > len(known):
            new = self._n + np.arange(count - len(known))
            self._labels[f] = np.append(known, new)
            self._n += len(new)

    def _merge(self):
        if not self._edges:
            return
        rows, cols = np.concatenate(self._edges, axis=1)
        table = sparse.coo_matrix((np.ones(len(rows), dtype=bool), (rows, cols)), (self._n,) * 2)
        count, component = csgraph.connected_components(table, directed=False)
        self._labels = [component[own].astype(np.int64) for own in self._labels]
        self._n = count
        self._edges = []
        self._waiting = 0

    def of_levels(self) -> list[np.ndarray]:
        """Per factor, the component of every level."""
        self._merge()
        return self._labels
