"""Tables whose columns are changed: pandas, or an array."""

from __future__ import annotations

from numbers import Integral

import numpy as np
import pandas as pd

from ..._data import tables


def listed(values):
    """A list, of one thing or of several."""
    if values is None:
        return []
    several = isinstance(values, list | tuple | range | np.ndarray | pd.Series | pd.Index)
    return list(values) if several else [values]


# ---------------------------------------------------------------------------------------- tables: pandas, or an array


def plain_table(X):
    """X as a pandas DataFrame, or as an array where columns have no names."""
    names = tables.column_names(X)
    if names is None:
        table = np.asarray(X)
    else:
        table = (
            X
            if isinstance(X, pd.DataFrame)
            else pd.DataFrame({name: tables.column(X, name) for name in names})
        )
    if table.ndim != 2 or len(table) == 0:
        raise ValueError(
            f"X: expected a table or 2-D array with at least one row, got {type(X).__name__} of shape {table.shape}.\n"
            "Name the columns of interest by keyword: variables=, at=, by=."
        )
    return table


def names_of(table):
    """Names of the columns; those of an array are called as its coefficients are."""
    return (
        list(table.columns)
        if isinstance(table, pd.DataFrame)
        else [f"x{j}" for j in range(table.shape[1])]
    )


def name_of(column, table):
    """The name of a column that may be given by its position in an array or in a table without
    such a name.
    """
    names = names_of(table)
    is_position = (
        isinstance(column, Integral) and column not in names and -len(names) <= column < len(names)
    )
    return names[column] if is_position else column


def column_of(table, name):
    return table[name] if isinstance(table, pd.DataFrame) else table[:, names_of(table).index(name)]


def changed(table, changes):
    """A copy with other values in some columns."""
    if isinstance(table, pd.DataFrame):
        out = table.copy(deep=False)
        for name, values in changes.items():
            out[name] = values
        return out
    out = table.astype(
        np.float64 if table.dtype.kind == "f" else object
    )  # labels are not for rounding
    for name, values in changes.items():
        out[:, names_of(table).index(name)] = values
    return out


def known_columns(role, wanted, table):
    """The names of columns, which all exist."""
    names = names_of(table)
    found = [name_of(column, table) for column in wanted]
    for name in found:
        if name not in names:
            raise tables.unknown_column(role, name, names)
    return found


def known_keys(role, wanted, table):
    """The same for the keys of a dict of values."""
    return {
        name: listed(values)
        for name, values in zip(known_columns(role, wanted, table), wanted.values(), strict=True)
    }
