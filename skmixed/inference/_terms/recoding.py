"""The model of a formula in another coding: its columns as combinations of those of the fit.

With sums to zero a coefficient of a term says what the term does on average over the levels of the
factors that it interacts with, whatever coding the fit has.  Columns of a product of factors are
functions of the cells of its categories, times columns of numbers; the new ones are found among the
old ones cell by cell.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import product
from typing import Any, NamedTuple

import numpy as np

from ..._data.recipes import Categories, Product
from ..._fit.model import FittedModel

ROUNDING = 1e-8  # of what a combination leaves of a column that is one


class Placed(NamedTuple):
    """A product of factors with the positions of its columns among the fixed effects."""

    product: Product
    columns: list[int]


def zero_sums(levels: int) -> np.ndarray:
    """Columns that sum to zero over the levels."""
    return np.vstack([np.eye(levels - 1), -np.ones(levels - 1)])


def differences(levels: int) -> np.ndarray:
    """Columns of ones at a level, zero at the first: coefficients are differences from it."""
    return np.eye(levels)[:, 1:]


def recoded(model: FittedModel, coding: Callable[[int], np.ndarray]) -> np.ndarray | None:
    """A with ``X_c = X A`` for the columns X of all fixed effects; None where their coding is not
    known.
    """
    formula = getattr(model.reader.door, "formula", None)
    if formula is None or any(term.products is None for term in formula.fixed.terms):
        return None
    found = _Coding(formula.fixed, coding)
    placed = found.placed()
    if placed is None:
        return None
    A = np.eye(len(model.names.fixed))
    for own in placed:
        if found.is_recoded(own.product):
            found.recode(own, placed, A)
    return A


class _Coding:
    """The categories and numbers of a formula's fixed part, and another coding of categories."""

    def __init__(self, recipe: Any, coding: Callable[[int], np.ndarray]):
        self.recipe = recipe
        self.coding = coding

    def placed(self) -> list[Placed] | None:
        """All products, the intercept first; None where columns cannot be told apart."""
        terms = sorted(self.recipe.terms, key=lambda term: bool(term.factors))
        found = []
        start = 0
        for term in terms:
            for own in term.products:
                count = int(np.prod([self.width(f) for f in own.factors]))
                found.append(Placed(own, list(range(start, start + count))))
                start += count
        return found if start == sum(len(term.columns) for term in terms) else None

    def width(self, factor: tuple[str, bool]) -> int:
        """Number of columns of a factor."""
        coded = self.matrix(factor)
        return self.recipe.widths.get(factor[0], 1) if coded is None else coded.shape[1]

    def matrix(self, factor: tuple[str, bool]) -> np.ndarray | None:
        """What a factor is at its levels; None for numbers."""
        name, is_reduced = factor
        found = self.recipe.factors[name]
        if not isinstance(found, Categories):
            return None
        return found.reduced if is_reduced else found.full

    def wanted(self, factor: tuple[str, bool]) -> np.ndarray | None:
        """The same in the other coding, where the rank is reduced."""
        found = self.matrix(factor)
        return found if found is None or not factor[1] else self.coding(len(found))

    def is_recoded(self, own: Product) -> bool:
        """Whether the columns of a product are others in the other coding."""
        pairs = ((self.matrix(factor), self.wanted(factor)) for factor in own.factors)
        return any(old is not None and not np.array_equal(old, new) for old, new in pairs)

    def recode(self, own: Placed, placed: Sequence[Placed], A: np.ndarray) -> None:
        """Fill the columns of A that belong to a product."""
        levels, numbers = self.split(own.product)
        within = [p for p in placed if self.is_within(p.product, levels, numbers)]
        old: dict[tuple, list] = {}
        for p in within:
            for key, cells, column in self.cells(p, levels, self.matrix):
                old.setdefault(key, []).append((column, cells))
        for key, cells, column in self.cells(own, levels, self.wanted):
            columns, functions = zip(*old[key], strict=True)
            shares, *_ = np.linalg.lstsq(np.column_stack(functions), cells, rcond=None)
            left = np.column_stack(functions) @ shares - cells
            if np.max(np.abs(left)) <= ROUNDING * np.max(np.abs(cells)):
                A[:, column] = 0.0
                A[list(columns), column] = shares

    def split(self, own: Product) -> tuple[dict[str, int], frozenset[str]]:
        """Its categorical factors with their numbers of levels, and those that are numbers."""
        coded = {f[0]: self.matrix(f) for f in own.factors}
        levels = {name: len(m) for name, m in coded.items() if m is not None}
        return levels, frozenset(coded) - frozenset(levels)

    def is_within(self, own: Product, levels: dict[str, int], numbers: frozenset[str]) -> bool:
        """Whether a product has the same numbers, and no other categories than these."""
        own_levels, own_numbers = self.split(own)
        return own_numbers == numbers and set(own_levels) <= set(levels)

    def cells(self, own: Placed, levels: dict[str, int], coding: Any) -> Any:
        """Every column: which numbers it multiplies, its value in every cell, its position."""
        for column, place in zip(own.columns, self.places(own.product), strict=True):
            values = {f[0]: coding(f)[:, k] for f, k in place if coding(f) is not None}
            key = tuple(sorted((f[0], k) for f, k in place if coding(f) is None))
            cells = np.full(1, float(own.product.scale))
            for name, count in levels.items():
                cells = np.kron(cells, values.get(name, np.ones(count)))
            yield key, cells, column

    def places(self, own: Product) -> Iterator[list[tuple[tuple[str, bool], int]]]:
        """Of every column, which column of each factor it has: those of several vary fastest."""
        ordered = sorted(own.factors, key=lambda factor: self.width(factor) == 1)
        for place in product(*(range(self.width(f)) for f in reversed(ordered))):
            yield list(zip(ordered, reversed(place), strict=True))
