"""Designs of other responses to the same rows: only what depends on y is made anew.

The cross-products of a linear model keep all sums but those with y, which are two products with
matrices that are made once; the rows of a generalised linear model keep their columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Self

import numpy as np
from scipy import sparse

from .design import Design, RowDesign
from .laying import Layout
from .source import InMemory


class SeveralSums:
    """Sums of several responses with the same columns.

    Attributes
    ----------
    base : a design whose columns these are
    products : (P, b) with the columns of the pool
    squares : (b,)
    by_level : per factor (q, m, b)
    """

    def __init__(
        self,
        base: Design,
        products: np.ndarray,
        squares: np.ndarray,
        by_level: list[np.ndarray],
    ):
        self.base = base
        self.products = products
        self.squares = squares
        self.by_level = by_level

    @classmethod
    def of_designs(cls, designs: Sequence[Design]) -> Self:
        """Of designs that differ by their responses."""
        crosses = [design.cross for design in designs]
        rows = np.array([cross.gram[-1] for cross in crosses]).T
        factors = range(len(crosses[0].sums))
        by_level = [np.stack([cross.sums[f][:, -1] for cross in crosses], -1) for f in factors]
        return cls(designs[0], rows[:-1], rows[-1], by_level)

    def __len__(self) -> int:
        return len(self.squares)

    def design(self, b: int) -> Design:
        """The design of one of the responses."""
        cross = self.base.cross
        gram = cross.gram.copy()
        gram[-1, :-1] = gram[:-1, -1] = self.products[:, b]
        gram[-1, -1] = self.squares[b]
        sums = [s.copy() for s in cross.sums]
        for s, own in zip(sums, self.by_level, strict=True):
            s[:, -1] = own[:, :, b]
        return replace(self.base, cross=replace(cross, gram=gram, sums=tuple(sums)))


class SumsOfResponses:
    """Cross-products of other responses.

    Attributes
    ----------
    design : whose sums are changed
    offset : what is taken off a response first; None for nothing
    pilot : what the frame takes off a response
    weighted_pool : (P, n) pool columns times the weights
    to_levels : per factor the matrix that sums rows times each effect's column by level
    """

    def __init__(self, design: Design, source: InMemory):
        n = source.n_rows
        self.design = design
        self.offset = source.offset
        self.weights = np.ones(n) if source.weights is None else source.weights
        pool = design.frame.pool(source.X, np.zeros(n))
        self.pilot = pool[:, -1].copy()
        self.weighted_pool = np.ascontiguousarray((self.weights[:, None] * pool[:, :-1]).T)
        parts = zip(source.codes, design.cross.effects, design.cross.levels, strict=True)
        self.to_levels = [
            _level_sums(code, self.weighted_pool[list(effects)], levels)
            for code, effects, levels in parts
        ]

    def design_of(self, y: np.ndarray, within: float = 0.0) -> Design:
        """The design of responses whose observations within rows add to the sum of squares."""
        return self.sums_of(y[:, None], np.array([within])).design(0)

    def sums_of(self, y: np.ndarray, within: np.ndarray) -> SeveralSums:
        """The sums of the columns of y."""
        scale = self.design.frame.y_scale
        offset = 0.0 if self.offset is None else self.offset[:, None]
        own = (y - offset) / scale + self.pilot[:, None]
        products = self.weighted_pool @ own
        squares = np.einsum("n,nb,nb->b", self.weights, own, own) + within / scale**2
        cross = self.design.cross
        parts = zip(self.to_levels, cross.sizes, cross.levels, strict=True)
        by_level = [(to_levels @ own).reshape(q, m, -1) for to_levels, q, m in parts]
        return SeveralSums(self.design, products, squares, by_level)


def _level_sums(codes, columns, levels):
    """The matrix that sums rows times each of the columns (q, n) by level: (q * levels, n)."""
    q, n = columns.shape
    rows = (np.arange(q)[:, None] * levels + codes).ravel()
    entries = (columns.ravel(), (rows, np.tile(np.arange(n), q)))
    return sparse.csr_matrix(entries, shape=(q * levels, n))


class RowsOfResponses:
    """Rows with other responses.

    Attributes
    ----------
    design : whose rows are changed
    layout : of the rows in its blocks
    """

    def __init__(self, design: RowDesign, source: InMemory):
        self.design = replace(design, blocks=design.blocks_of(source))
        self.layout = Layout.of(source)

    def design_of(self, y: np.ndarray, within: float = 0.0) -> RowDesign:
        """The design of responses; squares within rows play no part."""
        ordered = self.layout.ordered(y)
        blocks = self.design.blocks
        ends = pairwise(np.cumsum([0] + [len(block.y) for block in blocks]))
        changed = [replace(b, y=ordered[lo:hi]) for b, (lo, hi) in zip(blocks, ends, strict=True)]
        return replace(self.design, blocks=changed)


#: by the kind of design
RESPONSES = {Design: SumsOfResponses, RowDesign: RowsOfResponses}


def responses_of(design: Design | RowDesign, source: InMemory) -> SumsOfResponses | RowsOfResponses:
    """What makes designs of other responses to the rows of one."""
    return RESPONSES[type(design)](design, source)
