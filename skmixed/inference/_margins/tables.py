"""Tables whose columns are changed, and columns as a user names them."""

from __future__ import annotations

from collections.abc import Hashable
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd

from ..._data import tables
from ..._data.tables import Array, Table


def listed(values: Any) -> list:
    """A list, of one thing or of several."""
    if values is None:
        return []
    several = isinstance(values, list | tuple | range | np.ndarray | pd.Series | pd.Index)
    return list(values) if several else [values]


def plain_table(X: Any) -> Table | Array:
    """X as a pandas table, or as an array where columns have no names."""
    names = tables.column_names(X)
    if names is None:
        found = np.asarray(X)
    elif isinstance(X, pd.DataFrame):
        found = X
    else:
        found = pd.DataFrame({name: X[name] for name in names})
    if found.ndim != 2 or len(found) == 0:
        raise ValueError(
            "X: expected a table or 2-D array with at least one row, got "
            f"{type(X).__name__} of shape {found.shape}.\n"
            "Name the columns of interest by keyword: variables=, at=, by=."
        )
    return Array(found) if names is None else Table(found, names)


def name_of(column: Hashable, table: Table | Array) -> Hashable:
    """The name of a column that may be given by its position in an array or in a table without
    such a name.
    """
    if isinstance(column, pd.DataFrame | np.ndarray):
        kind = type(column).__name__
        raise TypeError(f"a column is named, not given: got {kind}.\nPass tables as X=.")
    names = table.names
    is_number = isinstance(column, Integral) and column not in names
    return names[column] if is_number and -len(names) <= column < len(names) else column


def known_columns(role: str, wanted: Any, table: Table | Array) -> list:
    """The names of columns, which all exist."""
    found = [name_of(column, table) for column in wanted]
    for name in found:
        if name not in table.names:
            raise tables.unknown_column(role, name, table.names)
    return found


def known_keys(role: str, wanted: dict, table: Table | Array) -> dict:
    """The same for the keys of a dict of values."""
    found = zip(known_columns(role, wanted, table), wanted.values(), strict=True)
    return {name: listed(values) for name, values in found}
