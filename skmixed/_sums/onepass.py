"""One pass over the rows: everything a linear model asks of them.

What is summed is a list of accumulators; each sees every chunk of rows as pool columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from typing import Protocol

import numpy as np

from .._algebra.kernels import follow
from .._algebra.machine import check_memory
from .crossprod import CrossProducts, PairSums
from .frame import Frame
from .products import Products, products_of
from .source import Chunk, Source

COPIES = 8  # of the sums of levels that a fit holds at a time


class Accumulator(Protocol):
    """A sum over the rows."""

    def add(self, pool: np.ndarray, chunk: Chunk) -> None:
        """Some rows, in pool columns."""


class Pairs:
    """``Z_f' W Z_g`` on the pairs of levels that meet, f before g.

    As long as every level of the factor with more levels has been met in one level of the other
    only, its sums hold those of the pairs.  From the first level that is met in two, pairs are
    collected row by row.  ``known`` are those of earlier rows, whose level sums are known too.
    """

    def __init__(
        self,
        key: tuple[int, int],
        frame: Frame,
        products: Products,
        n_levels: Sequence[int],
        known: PairSums | None = None,
    ):
        self.key = key
        self.frame = frame
        self.products = products
        self.shape = tuple(n_levels[f] for f in key)
        self.first_is_inner = self.shape[0] >= self.shape[1]
        self.inner, self.outer = key if self.first_is_inner else key[::-1]
        self.parent = np.full(n_levels[self.inner], -1, dtype=np.int32)
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

    def add(self, chunk):
        """Before the sums of the levels see these rows."""
        if self.parts is None and not self._follows(chunk):
            self.parts = [self._so_far()]
        if self.parts is not None:
            f, g = self.key
            left, right = self._effects(chunk, f), self._effects(chunk, g)
            if chunk.weights is not None:
                left *= chunk.weights
            self.parts.append((chunk.codes[f], chunk.codes[g], left[:, None, :] * right[None]))

    def _follows(self, chunk):
        """Whether these rows leave every inner level in one outer level; if so, which is noted."""
        return follow(chunk.codes[self.inner], chunk.codes[self.outer], self.parent)

    def _effects(self, chunk, f):
        """The columns of a factor's effects, (effects, rows)."""
        columns = self.frame.varying.some(self.frame.effects[f])
        out = np.empty((len(columns), len(chunk.X)))
        columns.of(chunk.X, out.T)
        return out

    def _so_far(self):
        """The pairs while levels were nested, from the sums of the inner factor."""
        levels = np.flatnonzero(self.parent >= 0).astype(np.int32)
        parents = self.parent[levels]
        columns = self.frame.effects[self.outer]
        values = self.products.of_levels(self.inner, levels, columns)
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
    n_levels = source.n_levels
    _check_sums(frame, n_levels)
    products = products_of(frame, n_levels, known)
    pairs = [
        Pairs(key, frame, products, n_levels, None if known is None else known.pairs[key])
        for key in combinations(range(len(n_levels)), 2)
    ]
    for chunk in source.chunks(products.rows):
        for each in pairs:
            each.add(chunk)
        products.add(chunk)
    return CrossProducts(
        products.n + (0.0 if known is None else known.n),
        products.gram + (0.0 if known is None else known.gram),
        tuple(products.of_factor(f) for f in range(len(n_levels))),
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
