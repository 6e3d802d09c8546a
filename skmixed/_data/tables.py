"""Columns and labels of tables of any kind: pandas, polars, pyarrow, or plain arrays.

No data-frame library is imported to be recognised; only names, single columns and the rest are ever
asked for.  A plain array is a table whose columns are called x0, x1, ...
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from itertools import pairwise
from numbers import Integral
from typing import Any

import narwhals
import numpy as np
import pandas as pd
from numpy.lib.stride_tricks import as_strided
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import check_array

from .checks import first_line, nearest
from .columns import is_missing, labels, numbers

FLOAT = np.dtype(np.float64)
FEW_ROWS = 1000  # of a table that are copied without looking where they are
FEW_COLUMNS = 32  # of a table that are read one by one


def column_names(X: Any) -> list | None:
    """Names of the columns of a table, None for arrays."""
    if isinstance(X, np.ndarray | pd.Series):
        return None
    names = getattr(X, "column_names", None)  # pyarrow first: there, .columns is a list of arrays
    if names is None:
        names = getattr(X, "columns", None)
    if names is None or not hasattr(X, "__getitem__"):
        return None
    names = list(names)
    if len(set(names)) < len(names):
        repeated = next(name for name in names if names.count(name) > 1)
        raise ValueError(
            f"X: {names.count(repeated)} columns are called {repeated!r}.\n"
            "Give every column a name of its own."
        )
    return names


def some_rows(values: Any, places: np.ndarray) -> Any:
    """Some rows of a table, an array, a list or a column of any kind; anything else as it is."""
    if isinstance(values, dict) or not hasattr(values, "__len__"):
        return values
    if type(values).__module__.startswith("pyarrow"):
        return values.take(places)
    return _safe_indexing(values, places)


def check_at_hand(role: str, values: Any) -> None:
    """Raise for a column whose values are in partitions."""
    if hasattr(values, "__dask_graph__"):
        raise TypeError(
            f"{role}: values of a {type(values).__name__} of Dask are not in memory.\n"
            "Collect them first: .compute()."
        )


def check_in_memory(X: Any) -> None:
    """Raise for tables whose rows are not here: lazy frames, relations, distributed frames."""
    if isinstance(X, np.ndarray | pd.DataFrame | list):
        return
    if hasattr(X, "pieces"):
        raise TypeError(
            "X: chunks(...) are for fit(chunks(...), 'y').\n"
            "Give their tables one by one: for rows in chunks(...)."
        )
    is_dask = hasattr(X, "__dask_graph__")
    if is_dask or isinstance(narwhals.from_native(X, pass_through=True), narwhals.LazyFrame):
        kind = f"{type(X).__module__.partition('.')[0]}.{type(X).__name__}"
        raise TypeError(
            f"X: rows of a {kind} are not in memory.\n"
            "Collect them into a table first: .collect(), .compute(), .df() or .toPandas()."
        )


def with_index_levels(X: Any, wanted: Callable[[Hashable], bool]) -> Any:
    """A pandas table with the levels of its index that are wanted, and are no columns, as columns
    at the end.
    """
    if not isinstance(X, pd.DataFrame) or X.index.names == [None]:
        return X
    named = [name for name in X.index.names if name is not None and name not in X.columns]
    levels = [name for name in named if wanted(name)]
    return X.assign(**{name: X.index.get_level_values(name) for name in levels})


class Table:
    """A table with names of its own."""

    is_array = False

    def __init__(self, X: Any, names: list):
        self.X = X
        self.names = names

    def __len__(self):
        return len(self.X)

    def column(self, name: Hashable) -> Any:
        """One column, as the table holds it."""
        return self.X[name]

    def labels(self, name: Hashable) -> Any:
        """One column as labels."""
        return labels(self.X[name])

    def matrix(self, names: Sequence[Hashable]) -> np.ndarray:
        """Some columns as floats; text, missing and infinite values are errors that name theirs."""
        if not names:
            return np.empty((len(self), 0))
        if len(names) <= FEW_COLUMNS and isinstance(self.X, pd.DataFrame):
            found = _column_by_column(self.X, names)
            if found is not None:
                return found
        if len(names) == len(self.names):
            return numeric_matrix(self.X)
        return numeric_matrix(self.X[names] if hasattr(self.X, "iloc") else self.X.select(names))

    def changed(self, changes: dict) -> Table:
        """A pandas table with other values in some columns."""
        out = self.X.copy(deep=False)
        for name, values in changes.items():
            out[name] = values
        return Table(out, self.names)


class Array:
    """An array, whose columns have numbers for names."""

    is_array = True

    def __init__(self, X: np.ndarray):
        self.X = X
        self.names = [f"x{k}" for k in range(X.shape[1])]

    def __len__(self):
        return len(self.X)

    def column(self, name: Hashable) -> np.ndarray:
        """One column."""
        return self.X[:, self.names.index(str(name))]

    def labels(self, name: Hashable) -> np.ndarray:
        """One column as labels."""
        return labels(self.column(name))

    def matrix(self, names: Sequence[str]) -> np.ndarray:
        """Some columns as floats."""
        columns = [self.names.index(name) for name in names]
        try:
            return check_array(
                self.X[:, columns], dtype=np.float64, ensure_min_features=0, input_name="X"
            )
        except (OverflowError, TypeError, ValueError) as error:
            kind = TypeError if isinstance(error, TypeError) else ValueError
            raise kind(
                f"{first_line(error)}.\n"
                "X must hold finite numbers: convert its columns, or drop or impute their rows."
            ) from error

    def changed(self, changes: dict) -> Array:
        """A copy with other values in some columns."""
        kind = np.float64 if self.X.dtype.kind == "f" else object  # labels are not for rounding
        out = self.X.astype(kind)
        for name, values in changes.items():
            out[:, self.names.index(name)] = values
        return Array(out)


def unknown_column(role, name, names):
    """The error for a column that is not there, with the nearest names."""
    if not names:
        return ValueError(
            f"{role}: no column {name!r}, for there are none at all.\nLeave {role} out."
        )
    shown = ", ".join(map(repr, names[:20])) + (", ..." if len(names) > 20 else "")
    return ValueError(f"{role}: no column {name!r} among {shown}.\n{_advice(name, names)}")


def _advice(name, names):
    renamed = [n for n in names if str(n).endswith(f"__{name}")]
    if renamed:
        return (
            f"Did you mean {renamed[0]!r}?  ColumnTransformer renamed it; with "
            "verbose_feature_names_out=False it keeps its name."
        )
    meant = nearest(str(name), map(str, names))
    return f"Did you mean {meant!r}?" if meant else "Give the name of one of these columns."


def name_at(role: str, wanted: Any, names: Sequence[Hashable]) -> Hashable:
    """The column name for a name, or for a position, negative ones from the end."""
    if not isinstance(wanted, Integral):
        if wanted not in names:
            raise unknown_column(role, wanted, list(names))
        return wanted
    width = len(names)
    if not -width <= wanted < width:
        raise ValueError(
            f"{role}={wanted!r}: X has only {width} features (n_features = {width}).\n"
            "Count columns from 0, or from -1 backwards."
        )
    return names[wanted % width]


def numeric_matrix(X: Any) -> np.ndarray:
    """The columns of a table as floats; text, missing and infinite values are errors that name
    the column.
    """
    if isinstance(X, pd.DataFrame) and all(
        getattr(dtype, "kind", "O") in "biuf" for dtype in X.dtypes.array
    ):
        matrix = X.to_numpy(dtype=np.float64, na_value=np.nan)
        if _are_finite(matrix):
            return matrix
    columns = [numbers(name, X[name]) for name in column_names(X)]
    matrix = np.column_stack(columns) if columns else np.empty((len(X), 0))
    return check_array(matrix, dtype=np.float64, input_name="X")


def _column_by_column(X, names):
    """The same of few columns of numpy's types, without a table between; None where they hold
    anything else.
    """
    columns = []
    for name in names:
        column = X[name]
        if not is_plain(column.dtype):
            return None
        columns.append(column.to_numpy())
    out = side_by_side(columns) if len(X) > FEW_ROWS else None
    if out is None:
        out = np.empty((len(names), len(X))).T
        for k, column in enumerate(columns):
            out[:, k] = column
    return out if _are_finite(out) else None


def side_by_side(columns: Sequence[np.ndarray]) -> np.ndarray | None:
    """Columns of floats of one array as a matrix that is a view of it; None where they are not
    equally far apart in memory.
    """
    first = columns[0]
    if first.base is None or any(own.base is not first.base for own in columns):
        return None
    places = [own.__array_interface__["data"][0] for own in columns]
    steps = {b - a for a, b in pairwise(places)} or {first.itemsize}
    if len(steps) > 1 or {(own.strides, own.dtype) for own in columns} != {(first.strides, FLOAT)}:
        return None
    shape = len(first), len(columns)
    return as_strided(first, shape, (*first.strides, *steps), writeable=False)


def is_plain(dtype: Any) -> bool:
    """Whether a type is one of numpy's for numbers and truth values."""
    return isinstance(dtype, np.dtype) and dtype.kind in "biuf"


def _are_finite(matrix):
    return np.isfinite(np.sum(matrix)) or np.all(np.isfinite(matrix))


def without_nullable(values):
    """A column of a nullable type without missing values as the numpy type it stands for.

    Anything else as it is.
    """
    plain = getattr(getattr(values, "dtype", None), "numpy_dtype", None)
    if plain is None or is_missing(np.asarray(values, dtype=object)).any():
        return values
    return np.asarray(values).astype(plain)
