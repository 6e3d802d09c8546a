"""One pass over the rows: everything a linear model asks of them.

What is summed is a list of accumulators; each sees every chunk of rows as pool columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from typing import Protocol

import numpy as np

from .._algebra.levels import level_sums
from .._algebra.machine import check_memory
from .crossprod import CrossProducts, PairSums
from .frame import Frame
from .source import Chunk, Source

COPIES = 8  # of the sums of levels that a fit holds at a time


class Accumulator(Protocol):
    """A sum over the rows."""

    def add(self, pool: np.ndarray, chunk: Chunk) -> None:
        """Some rows, in pool columns."""


class Gram:
    """``pool' W pool`` and the number of observations."""

    def __init__(self, width):
        self.value = np.zeros((width, width))
        self.n = 0.0

    def add(self, pool, chunk):
        self.value += pool.T @ chunk.weighted(pool)
        self.n += chunk.n


class LevelSums:
    """``columns' W pool`` of every level of factor f, for some pool columns.

    ``known`` are the sums of earlier rows, whose levels are the first ones.
    """

    def __init__(
        self,
        f: int,
        columns: Sequence[int],
        n_levels: int,
        width: int,
        known: np.ndarray | None = None,
    ):
        self.f = f
        self.columns = columns
        self._sums = np.zeros((len(columns), n_levels, width))
        if known is not None:
            self._sums[:, : known.shape[2]] = known.transpose(0, 2, 1)

    def add(self, pool, chunk):
        for r, column in enumerate(self.columns):
            values = np.ascontiguousarray(chunk.weighted(pool[:, column]))
            level_sums(chunk.codes[self.f], values, pool, self._sums[r])

    @property
    def value(self):
        """(columns, width, levels), not in this order in memory."""
        return self._sums.transpose(0, 2, 1)

    def of_levels(self, levels, columns):
        """Sums of some levels with some pool columns, (own columns, columns, levels)."""
        chosen = self._sums[:, :, columns]
        chosen = chosen if len(levels) == chosen.shape[1] else chosen[:, levels]
        return chosen.transpose(0, 2, 1)


class Pairs:
    """``Z_f' W Z_g`` on the pairs of levels that meet, f before g.

    As long as every level of the factor with more levels has been met in one level of the other
    only, its sums hold those of the pairs.  From the first level that is met in two, pairs are
    collected row by row.  ``known`` are those of earlier rows, whose level sums are known too.
    """

    def __init__(
        self,
        f: LevelSums,
        g: LevelSums,
        n_levels: Sequence[int],
        known: PairSums | None = None,
    ):
        self.key = (f.f, g.f)
        self.left = list(f.columns)
        self.right = list(g.columns)
        self.shape = (n_levels[f.f], n_levels[g.f])
        self.first_is_inner = self.shape[0] >= self.shape[1]
        self.inner, self.outer = (f, g) if self.first_is_inner else (g, f)
        self.parent = np.full(n_levels[self.inner.f], -1, dtype=np.int32)
        self.parts: list | None = None  # of (levels, levels, values), once levels cross
        self.known = None
        if known is not None and not self._has_parents(known):
            self.known = replace(known, shape=self.shape)
            self.parts = []

    def _has_parents(self, known):
        """Whether the levels of earlier rows were nested; if so, in which, is noted."""
        levels, parents = known.rows, known.cols
        if not self.first_is_inner:
            levels, parents = parents, levels
        self.parent[levels] = parents
        return np.array_equal(self.parent[levels], parents)

    def add(self, pool, chunk):
        """Before the sums of the levels see these rows."""
        if self.parts is None and not self._follows(chunk):
            self.parts = [self._so_far()]
        if self.parts is not None:
            f, g = self.key
            left = chunk.weighted(pool[:, self.left]).T
            values = left[:, None, :] * pool[:, self.right].T[None]
            self.parts.append((chunk.codes[f], chunk.codes[g], values))

    def _follows(self, chunk):
        """Whether these rows leave every inner level in one outer level; if so, which is noted."""
        inner = chunk.codes[self.inner.f]
        outer = chunk.codes[self.outer.f]
        span = self.parent[inner.min() : inner.max() + 1]
        before = span.copy()
        self.parent[inner] = outer
        is_one = np.array_equal(self.parent[inner], outer)
        if is_one and not np.any((span != before) & (before >= 0)):
            return True
        span[:] = before
        return False

    def _so_far(self):
        """The pairs while levels were nested, from the sums of the inner factor."""
        levels = np.flatnonzero(self.parent >= 0).astype(np.int32)
        parents = self.parent[levels]
        values = self.inner.of_levels(levels, list(self.outer.columns))
        if self.first_is_inner:
            return levels, parents, np.ascontiguousarray(values)
        return parents, levels, np.ascontiguousarray(values.transpose(1, 0, 2))

    @property
    def value(self):
        if self.parts is None:
            return PairSums(*self._so_far(), self.shape)
        rows, cols, values = zip(*self.parts, strict=True)
        found = PairSums.from_entries(
            np.concatenate(rows), np.concatenate(cols), np.concatenate(values, axis=2), self.shape
        )
        return found if self.known is None else self.known + found


def accumulate(frame: Frame, source: Source, sums: Sequence[Accumulator]) -> None:
    """The pass itself."""
    for chunk in source.chunks():
        pool = frame.pool(chunk.X, chunk.response)
        for each in sums:
            each.add(pool, chunk)


def cross_products(frame: Frame, source: Source) -> CrossProducts:
    """All sums of a linear model; the fixed effects are all candidates of the frame."""
    return _summed(frame, source, None).contiguous()


def with_products(cross: CrossProducts, frame: Frame, source: Source) -> CrossProducts:
    """The same sums with those of further rows, whose new levels follow those that are known."""
    return _summed(frame, source, cross)


def _summed(frame, source, known):
    width = frame.response + 1
    n_levels = source.n_levels
    _check_sums(frame, n_levels)
    gram = Gram(width)
    sums = [None] * len(n_levels) if known is None else known.sums
    levels = [
        LevelSums(f, columns, m, width, before)
        for f, (columns, m, before) in enumerate(zip(frame.effects, n_levels, sums, strict=True))
    ]
    pairs = [
        Pairs(f, g, n_levels, None if known is None else known.pairs[f.f, g.f])
        for f, g in combinations(levels, 2)
    ]
    accumulate(frame, source, [gram, *pairs, *levels])
    return CrossProducts(
        gram.n + (0.0 if known is None else known.n),
        gram.value + (0.0 if known is None else known.gram),
        tuple(each.value for each in levels),
        {each.key: each.value for each in pairs},
        frame.fixed,
        frame.response,
        frame.effects,
    )


def _check_sums(frame, n_levels):
    """Raise where the sums of all levels are beyond memory."""
    effects = sum(len(e) * m for e, m in zip(frame.effects, n_levels, strict=True))
    width = frame.response + 1
    check_memory(
        COPIES * effects * width,
        f"random_effects: {effects:,} effects and {width:,} columns need",
        "Drop columns of X, or random effects.",
    )
