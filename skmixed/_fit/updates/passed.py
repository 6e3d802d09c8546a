"""The rows of a fit of outcomes, of which nothing is kept but references to what was passed."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from ..._data.class_weights import weighted_classes
from ..._data.outcomes import read_outcomes
from ..._data.rows import Given
from ..._reader import Reader
from ..._sums.source import InMemory
from ..training import Training, read_again


class Passed:
    """What was passed to ``fit``; while somebody holds what was read last, others share it.

    Parameters
    ----------
    reader : of the fit
    given : X, groups and weights as they were passed
    y : outcomes, as they were passed
    classes : both labels
    factors : what their observations are multiplied by; None for nothing
    n_rows : number of rows that count
    """

    is_in_memory = True

    def __init__(
        self,
        reader: Reader,
        given: Given,
        y: Any,
        classes: np.ndarray,
        factors: np.ndarray | None,
        n_rows: int,
    ) -> None:
        self.reader = reader
        self.given = given
        self.y = y
        self.classes = classes
        self.factors = factors
        self.n_rows = n_rows
        self._last: weakref.ref[Training] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"_last": None}

    @property
    def training(self) -> Training:
        """The rows that count."""
        found = self._last and self._last()
        if not found:
            found = read_outcomes_again(
                self.reader, self.y, *self.given, self.classes, self.factors
            )
            self._last = weakref.ref(found)
        return found

    @property
    def index(self) -> pd.Index | None:
        """Labels of the rows where X is a pandas table, else None."""
        return self.training.index

    def source(self) -> InMemory:
        """The rows as a design asks for them."""
        return self.training.source()

    def parts(self) -> Iterator[Training]:
        """All rows at once."""
        yield self.training


def read_outcomes_again(
    reader: Reader,
    y: Any,
    X: Any,
    groups: Any,
    sample_weight: Any,
    classes: np.ndarray,
    factors: np.ndarray | None,
) -> Training:
    """Rows with outcomes for a classifier that is fitted, as if they had been passed to ``fit``."""
    outcomes = read_outcomes(y)
    weights = outcomes.weights(X, sample_weight)
    coded: Callable = partial(outcomes.coded_as, classes=classes)
    weighted = partial(weighted_classes, factors)
    return read_again(reader, X, outcomes.y, groups, weights, coded, weighted)[0]
