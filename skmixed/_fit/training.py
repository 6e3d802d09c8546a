"""The rows of the fit, for what needs them afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Protocol

import numpy as np
import pandas as pd
from sklearn.utils.validation import _check_sample_weight

from .._data.checks import check_length, first_line
from .._data.columns import check_unmasked
from .._data.outcomes import width
from .._data.response import one_column
from .._data.rows import Given, Rows
from .._data.sizes import check_sizes
from .._reader import Reader, Spec, learn_reader, open_door
from .._sums.source import InMemory

OFFSET_SUMS = 2  # of a fingerprint, its last entries


class RowsOfFit(Protocol):
    """The rows of a fit, in memory or where they came from.

    Attributes
    ----------
    n_rows : number of rows that count
    index : labels of the rows; None where they have none
    """

    @property
    def n_rows(self) -> int: ...

    @property
    def index(self) -> pd.Index | None: ...

    @property
    def is_in_memory(self) -> bool:
        """Whether all rows are at hand."""

    @property
    def training(self) -> Training | None:
        """All rows in memory; None where they are read part by part."""

    def parts(self) -> Iterator[Training]:
        """All rows, some at a time, in their order."""


@dataclass(frozen=True, eq=False)
class Training:
    """What was passed to ``fit``, and how it is read again when somebody needs it.

    Attributes
    ----------
    reader : of the fit
    given : X, groups and weights as they were passed, without the rows of weight zero
    y, weights : of the rows that count; weights are None where all are one
    keep : which of the rows that were passed count; None for all
    offset : known part of the linear predictor of the rows that count; None for none
    start : number of rows that were passed before these, where they are a part of several
    """

    reader: Reader
    given: Given
    y: np.ndarray
    weights: np.ndarray | None
    keep: np.ndarray | None
    offset: np.ndarray | None = None
    start: int = 0

    is_in_memory: ClassVar[bool] = True

    def read(self) -> tuple[Rows, list[np.ndarray]]:
        """The rows that count, and their codes per factor."""
        rows = self.reader.read(self.given.X, self.given.groups)
        return replace(rows, offset=self.offset), self.reader.codes(rows)

    def parts(self) -> Iterator[Training]:
        """All rows at once."""
        yield self

    @property
    def training(self) -> Training:
        """The rows themselves."""
        return self

    @property
    def n_rows(self) -> int:
        """Number of rows that count."""
        return len(self.y)

    @property
    def n_passed(self) -> int:
        """Number of rows, with those that do not count."""
        return len(self.y) if self.keep is None else len(self.keep)

    def passed(self, values: np.ndarray) -> np.ndarray:
        """Of values of all rows that were passed, before and after these, those of the rows that
        count.
        """
        own = values[self.start : self.start + self.n_passed]
        return own if self.keep is None else own[self.keep]

    @property
    def known_weights(self) -> np.ndarray:
        """Weights, ones where there are none."""
        return np.ones(len(self.y)) if self.weights is None else self.weights

    def source(self) -> InMemory:
        """The same as a design asks for them."""
        return source_of(self, *self.read())

    def with_response(self, y: np.ndarray) -> Training:
        """The same rows with other responses."""
        return replace(self, y=y)

    @property
    def n(self) -> float:
        """Number of observations: the sum of the weights."""
        return float(len(self.y) if self.weights is None else np.sum(self.weights))

    @property
    def fingerprint(self) -> tuple:
        """Number of rows, and sums of weights, responses and offsets that depend on their order."""
        w = np.ones(len(self.y)) if self.weights is None else self.weights
        largest = np.max(np.abs(self.y))
        y = self.y / (largest or 1.0)  # whose squares do not overflow
        place = np.linspace(0.0, 1.0, len(y))
        sums = np.sum(w), w @ y, w @ y**2, place @ (w * y)
        known = np.zeros(len(y)) if self.offset is None else self.offset
        return len(y), largest, *sums, w @ known, place @ (w * known)

    @property
    def index(self) -> pd.Index | None:
        """Labels of the rows where X is a pandas table, else None."""
        if not isinstance(self.given.X, pd.DataFrame):
            return None
        return self.given.X.index


def source_of(training: Training, rows: Rows, codes: Sequence[np.ndarray]) -> InMemory:
    """Rows with their responses and weights."""
    n_levels = [factor.n_levels for factor in training.reader.factors]
    return InMemory(rows.X, training.y, training.weights, codes, n_levels, rows.offset)


Weighted = tuple[np.ndarray, np.ndarray | None]  # responses, and weights, which are None for ones


def as_they_are(y: np.ndarray, weights: np.ndarray | None) -> Weighted:
    """Responses and weights that nothing changes."""
    return y, weights


def read_training(
    spec: Spec,
    X: Any,
    y: Any,
    groups: Any,
    sample_weight: Any,
    coded: Callable[[np.ndarray], np.ndarray],
    weighted: Callable[[np.ndarray, np.ndarray | None], Weighted] = as_they_are,
) -> tuple[Training, Rows, list[np.ndarray]]:
    """Rows, responses and weights of a fit, without the rows of weight zero.

    ``coded`` makes numbers of the responses that count, ``weighted`` has the last word on them and
    their weights.
    """
    weights, keep = weights_of(sample_weight, X)
    given = Given(X, groups, sample_weight).take(keep)
    opened = open_door(spec, given.X, given.groups)
    training, codes = training_of(spec, opened, given.now(), y, (weights, keep), coded, weighted)
    return training, opened[2], codes


def training_of(
    spec: Spec,
    opened: Sequence[Any],
    given: Given,
    y: Any,
    counted: tuple[np.ndarray | None, np.ndarray | None],
    coded: Callable[[np.ndarray], np.ndarray],
    weighted: Callable[[np.ndarray, np.ndarray | None], Weighted] = as_they_are,
) -> tuple[Training, list[np.ndarray]]:
    """The rows behind an opened door, and their codes per factor; ``counted`` is what
    :func:`weights_of` says.
    """
    door, features, rows, layout = opened
    weights, keep = counted
    target = response_of(spec.owner, y, len(rows), keep)
    _check_two(rows)
    target, weights = weighted(coded(target), weights)
    check_sizes(layout.names, rows.X, target, weights)
    reader, codes = learn_reader(spec, door, features, layout, rows)
    return Training(reader, given, target, weights, keep, rows.offset), codes


def read_again(
    reader: Reader,
    X: Any,
    y: Any,
    groups: Any,
    sample_weight: Any,
    coded: Callable[[np.ndarray], np.ndarray],
    weighted: Callable[[np.ndarray, np.ndarray | None], Weighted] = as_they_are,
) -> tuple[Training, Rows]:
    """Rows for a model that is fitted, as if they had been passed to ``fit``."""
    weights, keep = weights_of(sample_weight, X)
    given = Given(X, groups, sample_weight).take(keep)
    rows = reader.read(given.X, given.groups)
    target = response_of(reader.owner, y, len(rows), keep)
    target, weights = weighted(coded(target), weights)
    return Training(reader, given.now(), target, weights, keep, rows.offset), rows


def response_of(owner: str, y: Any, n: int, keep: np.ndarray | None) -> np.ndarray:
    """The response of the n rows that count; ``keep`` says which, None for all."""
    if y is None:
        raise ValueError(
            f"This {owner} estimator requires y to be passed, but the target y is None.\n"
            "Pass the response as the second argument of fit."
        )
    if (columns := width(y)) > 1:
        raise ValueError(
            f"y: {columns} columns, but {owner} explains one response.\n"
            "Pass one column; counts of two outcomes are for MixedLogisticClassifier."
        )
    y = one_column(y, warn=True)
    check_length("y", y, n if keep is None else len(keep))
    return y if keep is None else y[keep]


def _check_two(rows):
    if len(rows) < 2:
        raise ValueError(
            f"Found array with {len(rows)} sample(s) (n_samples = {len(rows)}) while a minimum of "
            "2 is required.\nPass rows that have a response, and weights above zero."
        )


def weights_of(sample_weight: Any, X: Any) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Positive weights of the rows that stay, None where all are one; and which stay, None for
    all.
    """
    if sample_weight is None:
        return None, None
    check_unmasked(None, sample_weight, "sample_weight")
    try:
        w = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"sample_weight: {first_line(error)}.\n"
            "Give every row a finite number, zero or more, and at least two a positive one."
        ) from error
    keep = w > 0
    if not keep.any():
        raise ValueError(
            "sample_weight is zero in every row.\nGive at least two rows a positive weight."
        )
    keep = None if keep.all() else keep
    w = w if keep is None else w[keep]
    return (None if np.all(w == 1.0) else w), keep
