"""What a target is, and what a factor does to one of its kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import check_array

from .._data.checks import first_line
from .._data.columns import is_missing, kind_of
from .._data.response import one_column
from .._data.sizes import check_sizes
from ._one_way import OneWay, one_way_linear
from ._one_way_logistic import one_way_logistic


class Target(NamedTuple):
    """A target that has been read.

    Attributes
    ----------
    kind : "continuous" or "binary"
    y : (n,) numbers, or zeros and ones
    classes : the two labels; None for numbers
    effects : the model of one factor
    """

    kind: str
    y: np.ndarray
    classes: np.ndarray | None
    effects: Callable[[np.ndarray, np.ndarray, int], OneWay]


def read_target(owner: str, y: Any, kind: str) -> Target:
    """Numbers or two labels; of which kind is read off where it is "auto"."""
    if y is None:
        raise ValueError(
            f"{owner} requires y to be passed, but the target y is None.\n"
            "Pass the response of every row."
        )
    values = one_column(y, warn=True)
    if missing := int(np.sum(is_missing(values))):
        raise ValueError(
            f"Input y contains NaN or infinity in {missing} rows.\nDrop these rows before fitting."
        )
    if kind == "auto":
        kind = "binary" if _has_two_values(values) else "continuous"
    return READERS[kind](values)


def _has_two_values(values):
    """Whether scikit-learn takes the values for labels of two classes."""
    if values.dtype.kind == "f" and np.any(values[:1000] % 1.0 != 0.0):
        return False  # without sorting a long column
    return type_of_target(values, input_name="y") == "binary"


def _numbers(values):
    try:
        y = check_array(values, dtype=np.float64, ensure_2d=False, input_name="y")
    except (TypeError, ValueError) as error:
        if values.dtype.kind in "biuf":
            raise
        raise ValueError(
            f"y: {first_line(error)}; it holds {kind_of(values)}.\n"
            "A target is a number, or one of two labels."
        ) from error
    check_sizes((), np.empty((len(y), 0)), y, None)
    return Target("continuous", y, None, one_way_linear)


def _labels(values):
    try:
        check_classification_targets(values)
    except ValueError as error:
        raise ValueError(
            f"Unknown label type: y holds {kind_of(values)}, and target_type='binary' is about two "
            "labels.\nUse target_type='continuous' for numbers."
        ) from error
    classes, y = np.unique(values, return_inverse=True)
    if len(classes) > 2:
        raise ValueError(
            f"y has {len(classes)} classes, and target_type='binary' is about two.\n"
            "Use target_type='continuous' for numbers, or encode one class against the others."
        )
    return Target("binary", y.astype(np.float64), classes, one_way_logistic)


READERS = {"continuous": _numbers, "binary": _labels}
