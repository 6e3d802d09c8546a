"""Rows of a source become blocks in files.

The first pass over the source writes the rows as they are; what their columns, levels and classes
are is known when it ends.  Then the rows are sorted, a bucket of them at a time, into the columns
of the frame and into blocks.  No file holds rows of a component that another one holds, so memory
holds one bucket.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .._algebra.machine import blas_threads
from .._sums.blocks import ROWS_PER_BLOCK
from .._sums.crossed import row_block
from .._sums.frame import Frame
from .arrow import ArrowWriter
from .buckets import Buckets, below
from .cutting import Components, Rows, cut
from .protocol import Held
from .spilled import Filed, LongBlock, Pieces, Spilled, filed

BUCKETS = 64
LONG = 16 * ROWS_PER_BLOCK  # rows of a component that are too many to be read at once

#: responses and weights as the likelihood has them, of those that were spilled
Outcome = Callable[[np.ndarray, "np.ndarray | None"], tuple[np.ndarray, "np.ndarray | None"]]


class Incoming(NamedTuple):
    """Some rows of a source.

    Attributes
    ----------
    X, y : columns and responses
    weights, offset : (n,) or None, the same for all rows of a source
    codes : per factor, levels numbered as they come
    """

    X: np.ndarray
    y: np.ndarray
    weights: np.ndarray | None
    offset: np.ndarray | None
    codes: Sequence[np.ndarray]


@dataclass(frozen=True, eq=False)
class Sorted:
    """Rows in their place.

    Attributes
    ----------
    store : the blocks
    gram : cross-products of the pool's columns, those of the response left out
    n : number of observations
    independent : positions of the fixed effects that are not aliased
    levels : per factor, what is known of every level
    """

    store: Held | Spilled
    gram: np.ndarray
    n: float
    independent: np.ndarray
    levels: list[LevelSums]


@dataclass(frozen=True, eq=False)
class LevelSums:
    """Sums of the rows of every level of a factor: rows, observations, and events among these."""

    rows: np.ndarray
    n: np.ndarray
    events: np.ndarray

    @classmethod
    def nothing(cls, levels: int):
        """Before the first row."""
        return cls(*(np.zeros(levels) for _ in range(3)))

    def add(self, codes, y, weights) -> None:
        """Some rows."""
        levels = len(self.rows)
        w = np.ones(len(y)) if weights is None else weights
        for out, values in ((self.rows, None), (self.n, w), (self.events, w * y)):
            out += np.bincount(codes, values, levels)


class Spill:
    """Rows in files, as they came.

    Parameters
    ----------
    folder : where they are
    n_factors : number of grouping factors
    """

    def __init__(self, folder: Path, n_factors: int):
        self.folder = folder
        self.n_factors = n_factors
        self.n_parts = 0
        self._components = Components(n_factors)
        self._buckets = Buckets(folder, "rows", 1 if n_factors > 1 else BUCKETS)

    def add(self, part: Incoming) -> None:
        """Some rows, of which there is at least one."""
        X, y, weights, offset, codes = part
        n = len(y)
        keys = np.full(n, self.n_parts % len(self._buckets))
        if self.n_factors == 1:
            keys = codes[0] % BUCKETS
        elif self.n_factors:
            self._components.meet(codes)
        self.n_parts += 1
        arrays = {"X": X, "y": y, "weights": weights, "offset": offset}
        arrays |= {f"code{f}": c.astype(np.int32) for f, c in enumerate(codes)}
        self._buckets.add(arrays, keys)

    def sorted(self, frame: Frame, places: Sequence[np.ndarray], outcome: Outcome) -> Sorted:
        """The rows in blocks; ``places`` say where the levels stand among those of the model."""
        self._buckets.close()
        sorting = _Sorting(self.folder, frame, places, outcome)
        with blas_threads():
            for group in self._groups():
                sorting.take(group)
        return sorting.done()

    def _groups(self):
        """Buckets whose rows share no component with others."""
        buckets = self._buckets
        if self.n_factors < 2:
            yield from _together(buckets, range(BUCKETS), None)
            return
        component = self._components.of_levels()[0]
        sizes = np.zeros(int(component.max()) + 1, dtype=np.int64)
        for batch in buckets.batches(0):
            sizes += np.bincount(component[batch["code0"]], minlength=len(sizes))
        long = np.flatnonzero(sizes > LONG)
        if len(sizes) == 1:
            yield _Group(buckets, [0], component, len(long) > 0)
            return
        key = np.arange(len(sizes)) % BUCKETS
        key[long] = BUCKETS + np.arange(len(long))
        found = Buckets(self.folder, "sorted", BUCKETS + len(long))
        for batch in buckets.batches(0):
            found.add(batch, key[component[batch["code0"]]])
        found.close()
        buckets.drop(0)
        yield from _together(found, range(BUCKETS), component)
        for k in range(BUCKETS, len(found)):
            yield _Group(found, [k], component, True)


def _together(buckets, ks, component):
    """Buckets one by one, or several where they hold few rows."""
    chosen = []
    for k in ks:
        chosen.append(k)
        if np.sum(buckets.counts[chosen]) >= ROWS_PER_BLOCK or k == ks[-1]:
            yield _Group(buckets, chosen, component, False)
            chosen = []


class _Group(NamedTuple):
    """Rows of some buckets.

    Attributes
    ----------
    buckets, ks : where they are
    component : of the levels of the first factor, where there are others
    is_long : whether they are one component, too long to be read at once
    """

    buckets: Buckets
    ks: list[int]
    component: np.ndarray | None
    is_long: bool

    def parts(self):
        """The rows, all at once or some at a time."""
        batches = [batch for k in self.ks for batch in self.buckets.batches(k)]
        if self.is_long:
            yield from batches
        elif batches:
            yield below(batches)

    def drop(self):
        """Remove them."""
        for k in self.ks:
            self.buckets.drop(k)


@dataclass(eq=False)
class _Sorting:
    """Buckets become blocks, one after the other."""

    folder: Path
    frame: Frame
    places: Sequence[np.ndarray]
    outcome: Outcome
    entries: list = field(default_factory=list)
    in_blocks: list = field(default_factory=list)  # levels of the model, per block and factor
    gram: np.ndarray | float = 0.0
    n: float = 0.0
    n_pseudo: int = 0

    def __post_init__(self):
        self.levels = [LevelSums.nothing(len(place)) for place in self.places]

    def take(self, group):
        """The rows of some buckets, which are removed."""
        if group.is_long:
            self._take_long(group)
        else:
            for arrays in group.parts():
                rows = self._framed(arrays)
                if not self.places:
                    rows = self._without_factors(rows)
                is_single = group.component is None
                component = rows.codes[0] if is_single else group.component[arrays["code0"]]
                for found in cut(rows, component, ROWS_PER_BLOCK):
                    path = self.folder / f"block-{len(self.entries)}.arrow"
                    self.entries.append(filed(found.rows, path))
                    self.in_blocks.append(found.levels)
        group.drop()

    def _without_factors(self, rows):
        """Blocks of rows are levels of a factor that has no variance."""
        codes = self.n_pseudo + np.arange(len(rows.y)) // ROWS_PER_BLOCK
        self.n_pseudo = int(codes[-1]) + 1
        return rows._replace(codes=[codes], z=[np.ones((1, len(codes)))])

    def _framed(self, arrays):
        """Rows in the columns of the frame; sums are noted."""
        X = arrays.get("X", np.zeros((len(arrays["y"]), 0)))
        pool = self.frame.pool(X)
        y, weights = self.outcome(arrays["y"], arrays.get("weights"))
        self.gram = self.gram + pool.T @ (pool if weights is None else weights[:, None] * pool)
        self.n += len(y) if weights is None else np.sum(weights)
        codes = [place[arrays[f"code{f}"]] for f, place in enumerate(self.places)]
        for sums, code in zip(self.levels, codes, strict=True):
            sums.add(code, y, weights)
        z = [np.ascontiguousarray(pool[:, list(own)].T) for own in self.frame.effects]
        m = 1.0 if weights is None else weights
        return Rows(pool[:, self.frame.fixed], z, y, m, codes, arrays.get("offset"))

    def _take_long(self, group):
        """One block of all rows, in the order in which they came."""
        path = self.folder / f"long-{len(self.entries)}.arrow"
        writer = ArrowWriter(path)
        parts = []
        for arrays in group.parts():
            rows = self._framed(arrays)
            writer.write({"x": rows.x})
            parts.append(rows._replace(x=np.zeros((len(rows.y), 0))))
        writer.close()
        rows = _below(parts)
        found = [np.unique(codes, return_inverse=True) for codes in rows.codes]
        levels = [labels for labels, _ in found]
        codes = [inverse for _, inverse in found]
        block = row_block(*rows[:4], codes, [len(labels) for labels in levels], rows.offset)
        self.entries.append(LongBlock(**(vars(block) | {"x": path})))
        self.in_blocks.append(levels)

    def done(self):
        """The store of all blocks."""
        frame = self.frame
        independent = frame.independent(self.gram[np.ix_(frame.fixed, frame.fixed)], self.n)
        entries = [_with_columns(entry, independent) for entry in self.entries]
        places = [np.concatenate(own) for own in zip(*self.in_blocks, strict=True)]
        store = Spilled(entries, independent, places if self.places else None)
        if len(entries) == 1:
            store = store.first(1)
        return Sorted(store, self.gram, self.n, independent, self.levels)


def _with_columns(entry, columns):
    if isinstance(entry, Filed):
        return entry
    return LongBlock(**(vars(entry) | {"x": Pieces(entry.x, columns, len(entry.y))}))


def _below(parts):
    """Rows below each other."""
    x, z, y, m, codes, offset = zip(*parts, strict=True)
    return Rows(
        np.concatenate(x),
        [np.concatenate(own, axis=1) for own in zip(*z, strict=True)],
        np.concatenate(y),
        _whole(m),
        [np.concatenate(own) for own in zip(*codes, strict=True)],
        _whole(offset),
    )


def _whole(values):
    """One array of those of all parts; what is no array is the same in all."""
    return np.concatenate(values) if np.ndim(values[0]) else values[0]
