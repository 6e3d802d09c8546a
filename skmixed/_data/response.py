"""The response: one column, in whatever it comes."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np
from sklearn.utils.validation import column_or_1d

from . import tables
from .columns import check_unmasked, kind_of


def response_name(y: Any) -> Hashable | None:
    """What a series, or the only column of a table, is called; None for arrays."""
    names = tables.column_names(y)
    return getattr(y, "name", None) if names is None else names[0]


def one_column(y: Any) -> np.ndarray:
    """The values of y as numpy holds them; a table or a matrix may have one column only.

    Raises
    ------
    ValueError
        For more columns, masked values, dates and complex numbers.
    """
    check_unmasked(None, y, "y")
    names = tables.column_names(y)
    if names is not None and len(names) == 1:
        y = y[names[0]]
    values = np.asarray(tables.without_nullable(y))
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.dtype.kind in "mM" or kind_of(values) == "dates":
        raise ValueError(
            f"y holds {kind_of(values)}; a response is a number or a label.\n"
            "Make numbers of it, such as days since the first."
        )
    return column_or_1d(values)
