"""The rows of the fit, for what needs them afterwards."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from .._data.rows import Given, Rows
from .predictor import LinearPredictor, identity


@dataclass(frozen=True)
class Training:
    """The rows of the fit, for what needs them: fitted values, residuals, robust covariances,
    simulation.
    """

    rows: Rows
    codes: list  # per factor
    y: np.ndarray
    weights: np.ndarray | None
    given: Given
    predictor: LinearPredictor | None = None  # of the fit
    mean: Callable = identity

    def predicted(self):
        """The linear predictor at the conditional modes."""
        return self.predictor(self.rows, self.codes)

    def fitted(self):
        return self.mean(self.predicted())

    def sums(self):
        """Number of rows, and sums of weights and responses that depend on their order."""
        w = np.ones(len(self.y)) if self.weights is None else self.weights
        largest = np.max(np.abs(self.y))
        y = self.y / (largest or 1.0)  # whose squares do not overflow
        return len(y), largest, np.sum(w), w @ y, w @ y**2, np.linspace(0.0, 1.0, len(y)) @ (w * y)

    @property
    def index(self):
        """Labels of the rows where X is a pandas table, else None."""
        if not isinstance(self.given.X, pd.DataFrame):
            return None
        weights = self.given.sample_weight
        return (
            self.given.X.index if weights is None else self.given.X.index[np.asarray(weights) > 0]
        )
