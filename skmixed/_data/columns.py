"""One column of a table, whatever it holds: numbers, truth values, text, or labels.

Both doors to a model, columns and formulas, read what a user gives through here, so that they agree
about it.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Hashable, Iterable
from decimal import Decimal
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd

EXACT = 2**53  # integers beyond are not all floats
SIMPLE = ("i", "b")  # kinds of types that labels may have without a question

DATES = (datetime.date, datetime.time, datetime.timedelta, pd.Period, np.datetime64, np.timedelta64)


def is_missing(values: Any) -> np.ndarray:
    """Which values are missing or infinite."""
    if isinstance(values, pd.Categorical):
        return np.append(is_missing(values.categories), True)[values.codes]
    values = np.asarray(values)
    if values.dtype.kind in "fc":
        return ~np.isfinite(values)
    if values.dtype.kind == "O":
        infinite = [isinstance(v, Real) and abs(v) == np.inf for v in values.ravel()]
        return np.asarray(pd.isna(values)) | np.reshape(infinite, values.shape).astype(bool)
    if values.dtype.kind in "mMUT":
        return np.asarray(pd.isna(values))
    return np.zeros(values.shape, dtype=bool)


def plain(name: Hashable, values: Any) -> np.ndarray | pd.Categorical:
    """A column as numbers, truth values or text of numpy, or as categories that occur.

    Numbers may come as objects of any kind, Decimals and Fractions among them; missing ones are
    NaN. Of dates, complex numbers and the like nothing is known.
    """
    check_unmasked(name, values)
    if isinstance(getattr(values, "dtype", None), pd.CategoricalDtype):
        return pd.Categorical(values).remove_unused_categories()
    array = np.asarray(values)
    if array.ndim > 1:  # lists and records of polars and pyarrow
        return _refused(name, array)
    return PLAIN.get(array.dtype.kind, _refused)(name, array)


def numbers(name: Hashable, values: Any) -> np.ndarray:
    """A column as floats; what is no number is an error that names it."""
    found = plain(name, values)
    array = np.asarray(found)
    check_complete(name, array)
    if array.dtype.kind not in "biuf":
        raise ValueError(
            f"X: column {name!r} holds {kind_of(array)}, such as {array[0]!r}; fixed effects must "
            "be numbers.\n"
            "Name it in a formula=, encode it (OneHotEncoder(drop='first') in a "
            "ColumnTransformer), or name it as a grouping factor."
        )
    return array.astype(np.float64)


def check_complete(name: Hashable, array: np.ndarray) -> None:
    """Raise for missing and infinite values."""
    if missing := int(np.sum(is_missing(array))):
        found = "NaN" if np.any(pd.isna(array)) else "infinity"
        raise ValueError(
            f"X: column {name!r} contains {found} in {missing} of {len(array)} rows.\n"
            "Drop these rows, or put an imputer before the model."
        )


def check_unmasked(name: Hashable, values: Any, role: str = "X") -> None:
    """Raise for masked arrays whose masks hide something: numpy forgets them in silence."""
    if isinstance(values, np.ma.MaskedArray) and np.any(np.ma.getmaskarray(values)):
        what = f"{role}: column {name!r}" if name is not None else role
        raise ValueError(
            f"{what} has {int(np.sum(np.ma.getmaskarray(values)))} masked values.\n"
            "Drop these rows, or fill the values by filled(...)."
        )


def _as_it_is(name, array):
    return array.astype(np.float64) if array.dtype == np.float16 else array


def _text(name, array):
    return array.astype(object)


def _refused(name, array):
    raise ValueError(
        f"X: column {name!r} holds {kind_of(array)}; that is neither a number nor a category.\n"
        "Make numbers of it before fitting (of dates, days since the first)."
    )


def _objects(name, array):
    """What the objects of a column have in common."""
    missing = np.asarray(pd.isna(array))
    kinds = {type(value) for value in array[~missing]}
    if all(issubclass(kind, bool | np.bool_) for kind in kinds) and not np.any(missing):
        return array.astype(bool)
    if all(issubclass(kind, Real | Decimal) for kind in kinds):
        return _floats(array, missing)
    if all(issubclass(kind, str) for kind in kinds):
        return array
    return _refused(name, array)


def _floats(array, missing):
    out = np.full(array.shape, np.nan)
    out[~missing] = [_float(value) for value in array[~missing]]
    return out


def _float(value):
    try:
        return float(value)
    except OverflowError:  # an integer beyond
        return np.inf


#: by numpy's kinds of types
PLAIN: dict[str, Callable] = {
    **dict.fromkeys("biuf", _as_it_is),
    **dict.fromkeys("UT", _text),
    "O": _objects,
}


def labels(values: Any, role: str = "groups") -> Any:
    """A column of labels as an array, or as a pandas Categorical, whose codes are already there.

    Lists are read value by value, so that 1 and "1" stay two labels; a list of tuples is one
    column.
    """
    if isinstance(values, pd.Series) and values.dtype.kind in SIMPLE:
        return np.asarray(values)
    check_unmasked(None, values, role)
    if hasattr(values, "type") and hasattr(values.type, "index_type"):
        values = values.to_pandas()  # of a dictionary of pyarrow numpy would lose what is missing
    if isinstance(getattr(values, "dtype", None), pd.CategoricalDtype):
        return pd.Categorical(values)
    if (isinstance(values, list | tuple) and np.ndim(values[:1]) < 2) or _is_of_tuples(values):
        return _from_list(values)
    array = np.asarray(_zoned(values))
    return array.astype(LABEL_TYPES[array.dtype.char]) if array.dtype.char in LABEL_TYPES else array


#: types that labels are not looked up by, and what holds them exactly
LABEL_TYPES = {"e": np.float64, "T": object}


def _zoned(values):
    """Times as pandas holds them: polars and pyarrow forget their zone on the way to numpy."""
    kind = getattr(values, "type", getattr(values, "dtype", None))
    zone = getattr(kind, "time_zone", None)
    if zone is None and type(values).__module__.startswith("pyarrow"):
        zone = getattr(kind, "tz", None)
    if zone is None:
        return values
    return pd.Series(np.asarray(values)).dt.tz_localize("UTC").dt.tz_convert(zone)


def _is_of_tuples(values):
    return isinstance(values, list) and bool(values) and isinstance(values[0], tuple)


def _from_list(values):
    out = np.empty(len(values), dtype=object)
    out[:] = values
    kinds = {type(value) for value in values}
    if len(kinds) == 1 and not _is_of_tuples(values):
        return np.asarray(values)
    large = any(isinstance(v, int) and abs(v) > EXACT for v in values)
    is_real = all(issubclass(kind, float | int) and kind is not bool for kind in kinds)
    return np.asarray(values) if is_real and not large else out


def check_known(name: Hashable, values: Any) -> None:
    """Raise for missing and infinite labels."""
    missing = is_missing(values)
    if np.any(missing):
        raise ValueError(
            f"groups: factor {name!r} contains NaN or inf in {int(np.sum(missing))} rows.\n"
            "Give these rows a level of their own, or drop them."
        )


def check_label_kinds(columns: dict[str, Any], role: str = "groups") -> None:
    """Raise for what can't be told apart as labels: lists, truth values among numbers."""
    what = "factor" if role == "groups" else "column"
    for name, values in columns.items():
        array = np.asarray(getattr(values, "categories", values))
        if array.ndim > 1:  # lists and records of polars and pyarrow
            _check_kinds(f"{role}: {what} {name!r}", {list})
        elif array.dtype.kind == "O":
            _check_kinds(f"{role}: {what} {name!r}", {type(value) for value in array})
        elif array.dtype.kind == "c":
            _check_kinds(f"{role}: {what} {name!r}", {array.dtype.type})


def _check_kinds(what, kinds: Iterable[type]):
    for kind in kinds:
        if kind.__hash__ is None or issubclass(kind, complex | np.complexfloating):
            raise ValueError(
                f"{what} holds values of type {kind.__name__}, which can't be "
                "labels.\nUse numbers, text or tuples."
            )
    if _mix_truth_with_numbers(kinds):
        raise ValueError(
            f"{what} mixes truth values and numbers, and True is 1.\nMake text of them."
        )


def _mix_truth_with_numbers(kinds):
    are_true = [issubclass(kind, bool | np.bool_) for kind in kinds]
    are_numbers = [issubclass(kind, Real | np.number) for kind in kinds]
    return any(are_true) and any(n and not t for t, n in zip(are_true, are_numbers, strict=True))


KINDS = {
    "i": "numbers",
    "u": "numbers",
    "f": "numbers",
    "b": "booleans",
    "U": "text",
    "T": "text",
    "S": "bytes",
    "M": "dates",
    "m": "durations",
    "c": "complex numbers",
}


def kind_of(values: Any) -> str:
    """In words, what a column holds."""
    array = np.asarray(values)
    if array.dtype.kind != "O" or not len(array):
        return KINDS.get(array.dtype.kind, array.dtype.name)
    return " and ".join(dict.fromkeys(map(_kind_of_value, array[:1000]))) or "nothing"


def _kind_of_value(value):
    if isinstance(value, bool | np.bool_):
        return "booleans"
    if isinstance(value, Real | np.number):
        return "numbers"
    if isinstance(value, DATES):
        return "dates"
    return "text" if isinstance(value, str) else f"values of type {type(value).__name__}"
