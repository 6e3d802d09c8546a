"""The response: one column, in whatever it comes."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import r2_score
from sklearn.utils.validation import column_or_1d

from . import tables
from .checks import first_line
from .columns import check_unmasked, kind_of


def response_name(y: Any) -> Hashable | None:
    """What a series, or the only column of a table, is called; None for arrays."""
    names = tables.column_names(y)
    return getattr(y, "name", None) if names is None else names[0]


def one_column(y: Any, *, warn: bool = False) -> np.ndarray:
    """The values of y as numpy holds them; a table or a matrix may have one column only.

    ``warn`` of a matrix, as scikit-learn does.

    Raises
    ------
    ValueError
        For more columns, masked values, dates and complex numbers.
    """
    if _is_column(y):
        return np.asarray(y)
    check_unmasked(None, y, "y")
    tables.check_at_hand("y", y)
    names = tables.column_names(y)
    if names is not None and len(names) == 1:
        y = y[names[0]]
    try:
        values = np.asarray(tables.without_nullable(y))
    except (TypeError, ValueError) as error:
        raise _no_column(error) from error
    _check_kind(values)
    try:
        return column_or_1d(values, warn=warn)
    except ValueError as error:
        raise _no_column(error) from error


def _check_kind(values):
    """A response is no date and no complex number."""
    if values.dtype.kind in "mM" or kind_of(values.ravel()) == "dates":
        raise ValueError(
            f"y holds {kind_of(values.ravel())}; a response is a number or a label.\n"
            "Make numbers of it, such as days since the first."
        )
    if values.dtype.kind == "c":
        raise ValueError(
            "Complex data not supported: y holds complex numbers.\n"
            "Take their real parts, or model the parts one by one."
        )


def finite_response(y: np.ndarray) -> np.ndarray:
    """The response of a regression as finite floats."""
    try:
        y = np.asarray(y, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"y: the response must be numbers, got {str(y[0])!r}.\n"
            "Convert it before fitting; labels of two classes are for MixedLogisticClassifier."
        ) from error
    with np.errstate(over="ignore", invalid="ignore"):
        is_finite = np.isfinite(np.sum(y)) or np.all(np.isfinite(y))
    if not is_finite:
        raise ValueError(
            f"Input y contains NaN or infinity in {int(np.sum(~np.isfinite(y)))} rows.\n"
            "Drop these rows before fitting."
        )
    return y


def explained(y: Any, predicted: np.ndarray, sample_weight: Any) -> float:
    """The coefficient of determination, as scikit-learn defines it and words what is wrong."""
    if sample_weight is None and _is_column(y) and len(y) == len(predicted) > 1:
        y = np.asarray(y, dtype=np.float64)
        with np.errstate(all="ignore"):  # of what is not finite scikit-learn has something to say
            rest, total = np.sum((y - predicted) ** 2), np.sum((y - np.mean(y)) ** 2)
        if np.isfinite(rest) and 0.0 < total < np.inf:
            return float(1.0 - rest / total)
    return float(r2_score(y, predicted, sample_weight=sample_weight))


def _is_column(y):
    """Whether y is a column of numpy's numbers."""
    return type(y) in (np.ndarray, pd.Series) and y.ndim == 1 and tables.is_plain(y.dtype)


def _no_column(error):
    return ValueError(f"y: {first_line(error)}.\nPass one number or label for every row of X.")
