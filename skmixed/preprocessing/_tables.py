"""How a transformer reads a table, and the columns that it is told of."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from sklearn.utils.validation import validate_data

from .._data import tables
from .._data.grouping import named
from .._data.tables import Array, Table


def opened(transformer: Any, X: Any, *, reset: bool) -> Table | Array:
    """X with names, its columns compared with those of the fit unless they are to be learned."""
    tables.check_in_memory(X)
    names = tables.column_names(X)
    if names is None:
        array = validate_data(transformer, X, dtype=None, ensure_all_finite=False, reset=reset)
        return Array(array)
    validate_data(transformer, X, reset=reset, skip_check_array=True)
    if not len(X):
        owner = type(transformer).__name__
        raise ValueError(
            f"X: found 0 sample(s) while a minimum of 1 is required by {owner}.\n"
            "Pass a table with rows."
        )
    return Table(X, names)


def chosen(role: str, wanted: Any, table: Table | Array) -> list[Hashable]:
    """Names of the columns of a table for names and positions; all of them for None."""
    return list(table.names) if wanted is None else named(role, wanted, table)
