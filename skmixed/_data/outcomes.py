"""Outcomes of two classes: labels of rows, or counts of both.

Either is read as the share of the second class in every row, and the number of times that the row
counts.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import pandas as pd
from sklearn.metrics import accuracy_score
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import _check_sample_weight, check_consistent_length

from . import tables
from .columns import EXACT, is_missing
from .response import one_column, response_name

WHOLE = ("b", "i", "u")  # kinds of types of whole numbers


class Outcomes(Protocol):
    """What was passed as y.

    Attributes
    ----------
    labels : of both classes, the event last; of labelled rows known once they were coded
    y : one value per row, to be coded
    name : of the response; None for none
    """

    labels: np.ndarray
    y: Any
    name: Any

    def weights(self, X: Any, sample_weight: Any) -> Any:
        """How often every row of X counts."""

    def coded(self, y: np.ndarray) -> np.ndarray:
        """The share of the event in the rows that count."""

    def coded_as(self, y: np.ndarray, classes: np.ndarray) -> np.ndarray:
        """The same where the classes are known: of some rows, not all of which need be there."""

    def accuracy(self, predicted: np.ndarray, classes: np.ndarray, sample_weight: Any) -> float:
        """Share of the observations that were predicted, of which there are two classes."""


def read_outcomes(y: Any) -> Outcomes:
    """Counts where y has two columns, else labels."""
    columns = width(y)
    if columns > 2:
        raise ValueError(
            f"y: {columns} columns are more than an outcome of two classes has.\n"
            "Give one column of labels, or the counts of both outcomes in two."
        )
    return Counts(y) if columns == 2 else Labels(y)


class Labels:
    """A label in every row."""

    labels: np.ndarray

    def __init__(self, y: Any) -> None:
        self.y = y
        self.name = response_name(y)

    def weights(self, X: Any, sample_weight: Any) -> Any:
        return sample_weight

    def coded(self, y: np.ndarray) -> np.ndarray:
        """Zeros and ones for the two labels."""
        y = plain(y)
        if (found := _two_numbers(y)) is not None:
            self.labels = found
            return (y == found[1]).astype(np.float64)
        kind = _kind(y)
        self.labels, codes = np.unique(y, return_inverse=True)
        _check_two(self.labels, kind)
        return codes.astype(np.float64)

    def coded_as(self, y: np.ndarray, classes: np.ndarray) -> np.ndarray:
        y = plain(y)
        is_event = y == classes[1]
        strange = ~(is_event | (y == classes[0]))
        if np.any(strange):
            raise ValueError(
                f"y: {y[np.argmax(strange)]!r} is not one of the classes {classes.tolist()}.\n"
                "Give the labels of the fit."
            )
        return is_event.astype(np.float64)

    def accuracy(self, predicted: np.ndarray, classes: np.ndarray, sample_weight: Any) -> float:
        y = plain(one_column(self.y))
        is_plain = y.dtype.kind in WHOLE and predicted.dtype.kind in WHOLE
        if is_plain and sample_weight is None and len(y) == len(predicted) > 0:
            return float(np.mean(y == predicted))
        return float(accuracy_score(y, predicted, sample_weight=sample_weight))


class LabelsInParts:
    """Labels of rows that come in parts.

    Attributes
    ----------
    seen : the labels so far, in the order in which they came
    """

    def __init__(self) -> None:
        self.seen: np.ndarray | None = None

    def coded(self, y: np.ndarray) -> np.ndarray:
        """Zeros for the label that came first and ones for the other one."""
        y = plain(y)
        _kind(y)
        found = np.unique(y)
        if self.seen is None:
            self.seen = found
        new = found[~np.isin(found, self.seen)]
        if len(new):
            self.seen = np.concatenate([self.seen, new])
        if len(self.seen) > 2:
            _check_two(self.seen, "multiclass")
        return (y != self.seen[0]).astype(np.uint8)

    def labels(self) -> np.ndarray:
        """Both labels, the event last."""
        seen = np.unique(self.seen) if self.seen is not None else np.zeros(0)
        _check_two(seen, "binary")
        return seen

    def is_first_event(self) -> bool:
        """Whether the label that came first is the event."""
        return bool(self.seen is not None and self.seen[0] == self.labels()[1])


class Counts:
    """How often either class occurred in every row: the event in the first column, the other class
    in the second.

    Attributes
    ----------
    labels : names of the second column and of the first; zero and one where they have none
    named : whether they have names
    events, others : (n,) whole numbers
    y : share of the event in every row
    """

    name = None

    def __init__(self, y: Any) -> None:
        names = tables.column_names(y)
        columns = np.ma.asarray(y).T if names is None else [y[name] for name in names]
        self.named = names is not None
        self.labels = np.array([0, 1]) if names is None else _label_array(names[::-1])
        called = (0, 1) if names is None else names
        self.events, self.others = map(_whole_numbers, called, columns)
        self.total = self.events + self.others
        self.y = self.events / np.where(self.total > 0, self.total, 1.0)

    def weights(self, X: Any, sample_weight: Any) -> Any:
        """Observations; rows without any do not count."""
        check_consistent_length(X, self.total)
        if not np.any(self.total):
            raise ValueError(
                "y: the counts are zero in every row.\n"
                "Give the numbers of both outcomes, such as successes and failures."
            )
        if sample_weight is None:
            return self.total
        return self.total * _check_sample_weight(sample_weight, self.total, dtype=np.float64)

    def coded(self, y: np.ndarray) -> np.ndarray:
        present = np.array([np.any(y < 1), np.any(y > 0)])
        _check_two(self.labels[present], "counts")
        return y

    def coded_as(self, y: np.ndarray, classes: np.ndarray) -> np.ndarray:
        return y if self._called(classes)[1] == classes[1] else 1.0 - y

    def _called(self, classes):
        """The classes in the order of the columns, the event last."""
        labels = self.labels if self.named else classes
        if set(labels.tolist()) != set(classes.tolist()):
            raise ValueError(
                f"y: its columns {labels[::-1].tolist()} are not the classes {classes.tolist()}.\n"
                "Name the columns of counts as at fit."
            )
        return labels

    def accuracy(self, predicted: np.ndarray, classes: np.ndarray, sample_weight: Any) -> float:
        """Share of the observations whose class is the one that was predicted for their row."""
        labels = self._called(classes)
        w = self.weights(predicted, sample_weight)
        is_event = np.array([label == labels[1] for label in predicted], dtype=bool)
        share = np.where(is_event, self.y, 1.0 - self.y)
        return float(w @ share / np.sum(w))


def _two_numbers(y):
    """Both of two whole numbers or truth values; None for any other labels."""
    if not (len(y) and y.dtype.kind in (*WHOLE, "f")):
        return None
    low, high = np.min(y), np.max(y)
    is_whole = y.dtype.kind in WHOLE or (
        -EXACT < low == np.rint(low) and np.rint(high) == high < EXACT
    )
    if not (is_whole and low != high and np.all((y == low) | (y == high))):
        return None
    return np.array([low, high], dtype=y.dtype)


def _kind(y):
    """What scikit-learn says of labels that are none missing."""
    missing = is_missing(y)
    if np.any(missing):
        raise ValueError(
            f"Input y contains NaN in {int(np.sum(missing))} rows.\nDrop these rows before fitting."
        )
    kind = type_of_target(y, input_name="y", raise_unknown=True)
    if kind not in ("binary", "multiclass"):
        raise ValueError(
            f"Unknown label type: {kind}. y must hold the labels of two classes.\n" + _instead(y)
        )
    return kind


def width(y: Any) -> int:
    """Number of columns of a table or an array; one where there are no columns."""
    names = tables.column_names(y)
    if names is not None:
        return len(names)
    shape = getattr(y, "shape", None)
    shape = _shape_of(y) if shape is None else shape
    return shape[1] if len(shape) == 2 else 1


def _shape_of(values):
    try:
        return np.asarray(values).shape
    except ValueError:  # lists of different lengths
        return (len(values),)


def _label_array(names):
    """Names of columns as an array, which does not make text of numbers."""
    if len({type(name) for name in names}) == 1 and np.isscalar(names[0]):
        return np.array(names)
    found = np.empty(len(names), dtype=object)
    for k, name in enumerate(names):
        found[k] = name
    return found


def _whole_numbers(name, column):
    """A column of counts."""
    try:
        counts = np.ma.filled(np.ma.asarray(column, dtype=np.float64), np.nan)
    except (TypeError, ValueError):
        counts = np.full(len(column), np.nan)
    wrong = ~(np.isfinite(counts) & (counts >= 0) & (counts == np.rint(counts)))
    if np.any(wrong):
        row = int(np.argmax(wrong))
        raise ValueError(
            f"y: column {name!r} of its two holds {np.ma.asarray(column)[row]} in row {row}, which "
            "is no count of outcomes.\n"
            "Give the numbers of successes and failures, whole and not negative; of a share, times "
            "its trials."
        )
    return counts


def _check_two(labels: np.ndarray, kind: str) -> None:
    if len(labels) > 2:
        raise ValueError(
            f"Only binary classification is supported. The type of the target is {kind}.\n"
            f"y has {len(labels)} classes; fit one class against the rest."
        )
    if len(labels) < 2:
        raise ValueError(
            f"y: samples of 2 classes are needed, but the data contains only one class: "
            f"{labels.tolist()[0]!r}.\n"
            "A constant response has no probabilities (rows of weight zero do not count)."
        )


def _instead(y: np.ndarray) -> str:
    """What to do with a response that is no label."""
    advice = "Use MixedLinearRegressor for a continuous response"
    if y.dtype.kind == "f" and np.all((y >= 0) & (y <= 1)):
        advice += (
            "; for shares of trials give the counts of successes and failures as y of shape (n, 2),"
            " or a row for each of both outcomes with the counts as sample_weight"
        )
    return f"{advice}."


def plain(y: np.ndarray) -> np.ndarray:
    """Labels as numpy types.

    Booleans and numbers may come as objects, left by dropping missing rows.
    """
    return np.asarray(pd.Series(y).infer_objects()) if y.dtype == object else y
