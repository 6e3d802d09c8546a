"""Columns and labels of tables of any kind: pandas, polars, pyarrow, or plain arrays.

No data-frame library is imported to be recognised; only names, single columns and the rest are ever
asked for.  A plain array is a table whose columns are called x0, x1, ...
"""

from __future__ import annotations

import difflib
from collections.abc import Hashable, Sequence
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import check_array


def column_names(X: Any) -> list | None:
    """Names of the columns of a table, None for arrays."""
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


def labels(values):
    """A column as an array, or as a pandas Categorical, whose codes are already there.

    A list of tuples is one column.
    """
    if isinstance(values, list) and values and isinstance(values[0], tuple):
        out = np.empty(len(values), dtype=object)
        out[:] = values
        return out
    if isinstance(values, pd.Series) and isinstance(values.dtype, pd.CategoricalDtype):
        return values.array.remove_unused_categories()
    return np.asarray(values)


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
        if len(names) == len(self.names):
            return numeric_matrix(self.X)
        if not names:
            return np.empty((len(self), 0))
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

    def column(self, name: str) -> np.ndarray:
        """One column."""
        return self.X[:, self.names.index(name)]

    labels = column

    def matrix(self, names: Sequence[str]) -> np.ndarray:
        """Some columns as floats."""
        columns = [self.names.index(name) for name in names]
        return check_array(
            self.X[:, columns], dtype=np.float64, ensure_min_features=0, input_name="X"
        )

    def changed(self, changes: dict) -> Array:
        """A copy with other values in some columns."""
        kind = np.float64 if self.X.dtype.kind == "f" else object  # labels are not for rounding
        out = self.X.astype(kind)
        for name, values in changes.items():
            out[:, self.names.index(name)] = values
        return Array(out)


def is_missing(values):
    """Which labels are missing or infinite."""
    values = np.asarray(values)
    if values.dtype.kind == "f":
        return ~np.isfinite(values)
    if values.dtype.kind in "OmMUT":
        return np.asarray(pd.isna(values))
    return np.zeros(len(values), dtype=bool)


KINDS = {
    "i": "numbers",
    "u": "numbers",
    "f": "numbers",
    "b": "booleans",
    "U": "text",
    "T": "text",
    "M": "dates",
}


def kind_of(values):
    """In words, what the labels are."""
    values = np.asarray(values)
    if values.dtype.kind != "O" or not len(values):
        return KINDS.get(values.dtype.kind, values.dtype.name)
    if isinstance(values[0], int | float | np.number):
        return "numbers"
    return type(values[0]).__name__.replace("str", "text")


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
            f"ColumnTransformer renamed it to {renamed[0]!r}: use verbose_feature_names_out=False."
        )
    near = difflib.get_close_matches(str(name), [str(n) for n in names], n=1)
    return f"Did you mean {near[0]!r}?" if near else "Give the name of one of these columns."


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


def numeric_matrix(X):
    """The columns of a table as floats; text, missing and infinite values are errors that name
    the column.
    """
    if isinstance(X, pd.DataFrame) and all(
        getattr(dtype, "kind", "O") in "biuf" for dtype in X.dtypes.array
    ):
        matrix = X.to_numpy(dtype=np.float64, na_value=np.nan)
        if np.isfinite(np.sum(matrix)) or np.all(np.isfinite(matrix)):
            return matrix
    check_numeric(X)
    return check_array(X, dtype=np.float64, input_name="X")


def check_numeric(X):
    """Raise for text columns and for missing values, naming the column."""
    for name in column_names(X):
        array = np.asarray(X[name])
        _check_complete(name, array)
        if array.dtype.kind in "mM" or (array.dtype.kind in "OUST" and not _is_numeric(array)):
            raise ValueError(
                f"X: column {name!r} holds {kind_of(array)}, such as {array[0]!r}; "
                "fixed effects must be numbers.\n"
                "Encode it (OneHotEncoder(drop='first') in a ColumnTransformer), or name it as a "
                "grouping factor."
            )


def _check_complete(name, array):
    if missing := int(np.sum(is_missing(array))):
        found = "NaN" if np.any(pd.isna(array)) else "infinity"
        raise ValueError(
            f"X: column {name!r} contains {found} in {missing} of {len(array)} rows.\n"
            "Drop these rows before fitting, or put an imputer before the model."
        )


def _is_numeric(array):
    try:
        array.astype(np.float64)
    except (TypeError, ValueError):
        return False
    return not any(isinstance(v, str) for v in array[:100])


def without_nullable(values):
    """A column of a nullable type without missing values as the numpy type it stands for.

    Anything else as it is.
    """
    plain = getattr(getattr(values, "dtype", None), "numpy_dtype", None)
    if plain is None or is_missing(np.asarray(values, dtype=object)).any():
        return values
    return np.asarray(values).astype(plain)
