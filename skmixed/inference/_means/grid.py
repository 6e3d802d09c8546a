"""The reference grid: all combinations of the levels of a model's factors, numbers at their means
or at given values (Lenth's emmeans; Searle, Speed and Milliken 1980).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from .blocks import Products, product_of
from .data import Data
from .factors import Factor

LARGEST = 1_000_000  # combinations


@dataclass(frozen=True, eq=False)
class Grid:
    """All combinations, those of the averaged factors varying fastest.

    Attributes
    ----------
    data : the rows that it is made of
    specs, by : factors that have a mean at each level
    averaged : those that are averaged over
    fixed : column -> value in all of it
    means : columns of numbers that are at their mean
    shares : columns of zeros and ones that are at their mean unless they are named
    products : columns that are products of others
    """

    data: Data
    specs: tuple[Factor, ...]
    by: tuple[Factor, ...]
    averaged: tuple[Factor, ...]
    fixed: dict
    means: tuple
    shares: tuple
    products: Products

    @property
    def shown(self) -> list[Factor]:
        """Factors that tell the means apart, the last varying fastest."""
        return [*reversed(self.by), *reversed(self.specs)]

    @property
    def factors(self) -> list[Factor]:
        """All, the last varying fastest."""
        return [*self.shown, *self.averaged]

    @property
    def n_means(self) -> int:
        """Number of the means."""
        return int(np.prod([len(f.levels) for f in self.shown], dtype=float))

    @property
    def n_averaged(self) -> int:
        """Number of combinations that each averages over."""
        return int(np.prod([len(f.levels) for f in self.averaged], dtype=float))

    def places(self, factors: Sequence[Factor], n: int) -> np.ndarray:
        """Level of each of some factors, (factors, combinations)."""
        sizes = tuple(len(f.levels) for f in factors)
        return np.indices(sizes).reshape(len(factors), n)

    def which(self) -> pd.DataFrame:
        """What every mean is of: the factors of specs, and those of by."""
        places = dict(zip(self.shown, self.places(self.shown, self.n_means), strict=True))
        columns = {f.name: pd.Index(f.levels)[places[f]] for f in (*self.specs, *self.by)}
        return pd.DataFrame(columns, index=range(self.n_means))

    def table(self, others: dict | None = None) -> Any:
        """The rows of the grid with other values in some columns, and the labels of grouping
        factors that are passed beside X.
        """
        n = self.n_means * self.n_averaged
        if n > LARGEST:
            raise ValueError(
                f"specs: the grid has {n} combinations of {len(self.factors)} factors.\n"
                "Fix some of them: at={'column': value}."
            )
        changes = {name: np.full(n, value) for name, value in self.fixed.items()}
        labels = {}
        for factor, places in zip(self.factors, self.places(self.factors, n), strict=True):
            found = {c: _taken(v, places) for c, v in factor.columns.items()}
            (labels if factor.is_label else changes).update(found)
        changes = {name: self._as_it_was(name, values) for name, values in changes.items()}
        table = self.data.repeated(n).changed(changes | (others or {}))
        return self._with_products(table), labels

    def _with_products(self, table):
        """A table whose products follow their columns."""
        if not self.products:
            return table
        return table.changed({c: product_of(table, own) for c, own in self.products.items()})

    def _as_it_was(self, name, values):
        """Categories where the column holds categories."""
        dtype = getattr(self.data.column(name), "dtype", None)
        return pd.Categorical(values, dtype=dtype) if hasattr(dtype, "categories") else values


def _taken(values, places):
    return pd.Index(values).take(places).to_numpy()
