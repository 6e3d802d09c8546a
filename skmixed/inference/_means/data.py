"""The rows that levels, frequencies and means are taken from."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from ..._data import columns
from ..._data.tables import Array, Table, some_rows
from ..._fit.model import FittedModel
from .._margins.digest import cells_of
from .._margins.sample import row_weights, training_rows
from .._margins.tables import plain_table


@dataclass(frozen=True, eq=False)
class Data:
    """Rows of a model.

    Attributes
    ----------
    model : that reads them
    table : X
    labels : of grouping factors that were passed beside X
    weights : (rows,), how often each counts
    """

    model: FittedModel
    table: Table | Array
    labels: dict[str, Any]
    weights: np.ndarray

    @classmethod
    def of(cls, model: FittedModel, X: Any, named: Any = ()) -> Data:
        """The rows of the fit, or others; of chunks their cells, grouping columns that are named
        among them.
        """
        if X is None and model.rows is not None and not model.has_rows_in_memory:
            cells = cells_of(model, named)
            return cls(model, plain_table(cells.table), {}, cells.weights)
        groups = weight = None
        if X is None:
            X, groups, weight = training_rows(model, None, None)
        table = plain_table(X)
        labels = {} if groups is None else model.reader.read(table.X, groups).labels
        return cls(model, table, labels, row_weights(weight, len(table)))

    def __len__(self):
        return len(self.table)

    def column(self, name: Hashable) -> Any:
        """One column."""
        return self.table.column(name)

    @cached_property
    def categorical(self) -> set:
        """Columns that enter as categories, whatever they hold."""
        return self.model.reader.door.categorical

    @cached_property
    def grouping(self) -> set:
        """Grouping columns of the table that are no fixed effects."""
        return self.model.reader.door.grouping(self.table)

    @cached_property
    def used(self) -> list:
        """Columns of the table that the fixed effects may depend on."""
        door = self.model.reader.door
        return [name for name in door.used(self.table) if name not in self.grouping]

    def mean(self, name: Hashable) -> Any:
        """The mean of a column of numbers, or of dates."""
        if is_date(self.column(name)):
            return pd.Series(self.column(name)).mean()
        values = np.asarray(columns.numbers(name, self.column(name)), dtype=np.float64)
        return float(np.average(values, weights=self.weights))

    def is_number(self, name: Hashable) -> bool:
        """Whether a column plainly holds numbers, all of which are there."""
        try:
            return bool(np.all(np.isfinite(columns.numbers(name, self.column(name)))))
        except (TypeError, ValueError):
            return False

    def repeated(self, n: int) -> Table | Array:
        """Its first row n times."""
        X = some_rows(self.table.X, np.zeros(n, dtype=int))
        return Array(X) if self.table.is_array else Table(X, self.table.names)


def is_date(column: Any) -> bool:
    """Whether a column holds dates or times."""
    return getattr(getattr(column, "dtype", None), "kind", "") in ("M", "m")
