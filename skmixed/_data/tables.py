"""Columns and labels of tables of any kind: pandas, polars, pyarrow, or plain arrays.

No data-frame library is imported to be recognised; only names, single columns and the rest are ever
asked for.
"""

from __future__ import annotations

import difflib

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_array


def column_names(X):
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
            f"X: {names.count(repeated)} columns are called {repeated!r}.\nGive every column a name of its own."
        )
    return names


def column(X, name):
    """One column as an array, or as a pandas Categorical, whose codes are already there."""
    return labels(X[name])


def labels(values):
    """The same for a column on its own; a list of tuples is one column."""
    if isinstance(values, list) and values and isinstance(values[0], tuple):
        out = np.empty(len(values), dtype=object)
        out[:] = values
        return out
    if isinstance(values, pd.Series) and isinstance(values.dtype, pd.CategoricalDtype):
        return values.array.remove_unused_categories()
    return np.asarray(values)


def without(X, names):
    """The table without some columns."""
    rest = [n for n in column_names(X) if n not in names]
    return X[rest] if hasattr(X, "iloc") else X.select(rest)


def is_missing(values):
    """Which labels are missing or infinite."""
    values = np.asarray(values)
    if values.dtype.kind == "f":
        return ~np.isfinite(values)
    return (
        np.asarray(pd.isna(values))
        if values.dtype.kind in "OmMUT"
        else np.zeros(len(values), dtype=bool)
    )


def kind_of(values):
    """In words, what the labels are."""
    values = np.asarray(values)
    if values.dtype.kind == "O" and len(values):
        return (
            "numbers"
            if isinstance(values[0], int | float | np.number)
            else type(values[0]).__name__.replace("str", "text")
        )
    return {
        "i": "numbers",
        "u": "numbers",
        "f": "numbers",
        "b": "booleans",
        "U": "text",
        "T": "text",
        "M": "dates",
    }.get(values.dtype.kind, values.dtype.name)


def unknown_column(role, name, names):
    """The error for a column that is not there, with the nearest names."""
    renamed = [n for n in names if str(n).endswith("__" + str(name))]
    if renamed:
        advice = (
            f"ColumnTransformer renamed it to {renamed[0]!r}: use verbose_feature_names_out=False."
        )
    else:
        near = difflib.get_close_matches(str(name), [str(n) for n in names], n=1)
        advice = f"Did you mean {near[0]!r}?" if near else "Give the name of one of these columns."
    if not names:
        return ValueError(
            f"{role}: no column {name!r}, for there are none at all.\nLeave {role} out."
        )
    shown = ", ".join(map(repr, names[:20])) + (", ..." if len(names) > 20 else "")
    return ValueError(f"{role}: no column {name!r} among {shown}.\n{advice}")


def numeric_matrix(X):
    """The columns of a table as floats.

    Text, missing and infinite values are errors that name the column.
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
        values = X[name]
        array = np.asarray(values)
        if missing := int(np.sum(is_missing(array))):
            found = "NaN" if np.any(pd.isna(array)) else "infinity"
            raise ValueError(
                f"X: column {name!r} contains {found} in {missing} of {len(array)} rows.\n"
                "Drop these rows before fitting, or put an imputer before the model."
            )
        if array.dtype.kind in "mM" or (array.dtype.kind in "OUST" and not _is_numeric(array)):
            raise ValueError(
                f"X: column {name!r} holds {kind_of(array)}, such as {array[0]!r}; fixed effects must be numbers.\n"
                "Encode it (OneHotEncoder(drop='first') in a ColumnTransformer), or name it as a grouping factor."
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
