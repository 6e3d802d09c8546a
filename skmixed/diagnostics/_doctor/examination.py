"""Quantities of a fit that the rules share, each computed once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from ..._data.rows import Rows
from ..._fit.base import Fit
from ..._fit.model import FittedModel
from ...inference._influence.deletions import WhitenedRows, rows_of
from .columns import Block, Column, blocks_of, columns_of

ALMOST = 1.0 - 1e-8  # leverage that leaves no residual


@dataclass(frozen=True, eq=False)
class Factor:
    """A grouping factor of the model.

    Attributes
    ----------
    position, name, labels : of the factor
    codes : level of every row
    effects : names of its random effects
    """

    position: int
    name: str
    labels: np.ndarray
    codes: np.ndarray
    effects: tuple[str, ...]

    @property
    def n_levels(self) -> int:
        """Number of levels."""
        return len(self.labels)

    @cached_property
    def sizes(self) -> np.ndarray:
        """Rows per level."""
        return np.bincount(self.codes, minlength=self.n_levels)

    def sums(self, values: np.ndarray) -> np.ndarray:
        """Sums over the rows of every level."""
        return np.bincount(self.codes, values, self.n_levels)

    def means(self, values: np.ndarray) -> np.ndarray:
        """Means of the rows of every level."""
        return self.sums(values) / np.maximum(self.sizes, 1)

    def within(self, values: np.ndarray) -> np.ndarray:
        """Deviations from the means of the levels."""
        return values - self.means(values)[self.codes]

    def is_constant(self, values: np.ndarray) -> bool:
        """Whether values do not vary within the levels."""
        total = np.sum((values - values.mean()) ** 2)
        return bool(np.sum(self.within(values) ** 2) <= 1e-12 * total)


@dataclass(frozen=True, eq=False)
class Examination:
    """A fitted model with its rows, and what follows from them.

    Attributes
    ----------
    model : the fitted model
    """

    model: FittedModel

    @property
    def fit(self) -> Fit:
        """The estimates."""
        return self.model.fit

    @property
    def is_linear(self) -> bool:
        """Whether there is a residual variance."""
        return self.fit.family.has_residual

    @property
    def has_rows(self) -> bool:
        """Whether residuals can be judged: estimates are finite and leave some."""
        return self.fit.is_identified and self.fit.n > self.fit.rank

    @cached_property
    def _read(self) -> tuple[Rows, list[np.ndarray]]:
        return self.model.training.read()

    @property
    def X(self) -> np.ndarray:
        """Columns of the reader, (n, k)."""
        return self._read[0].X

    @property
    def codes(self) -> list[np.ndarray]:
        """Levels of every row, per factor."""
        return self._read[1]

    @property
    def y(self) -> np.ndarray:
        """Responses."""
        return self.model.training.y

    @property
    def response(self) -> str:
        """Name of y."""
        return self.model.names.response

    @property
    def n(self) -> int:
        """Number of rows."""
        return len(self.y)

    @cached_property
    def weights(self) -> np.ndarray:
        """Prior weights."""
        weights = self.model.training.weights
        return np.ones(self.n) if weights is None else weights

    @cached_property
    def labels(self) -> pd.Index:
        """Labels of the rows."""
        index = self.model.training.index
        return pd.RangeIndex(self.n) if index is None else index

    @cached_property
    def columns(self) -> list[Column]:
        """Columns of the fixed effects."""
        return columns_of(self.model, self.X)

    @cached_property
    def blocks(self) -> list[Block]:
        """The same, those that belong together as one."""
        return blocks_of(self.columns)

    @cached_property
    def factors(self) -> list[Factor]:
        """Grouping factors."""
        names = self.model.names
        found = zip(names.factors, names.levels, self.codes, names.effects, strict=True)
        return [
            Factor(f, name, np.asarray(labels, dtype=object), code, effects)
            for f, (name, labels, code, effects) in enumerate(found)
        ]

    @cached_property
    def rows(self) -> WhitenedRows:
        """The rows of the linear model, or of the working one."""
        return rows_of(self.model, self.model.training)

    @property
    def scale(self) -> float:
        """Residual variance in the units of these rows."""
        return self.fit.scale

    @cached_property
    def leverage(self) -> np.ndarray:
        """How much a fitted value moves with its own response."""
        return np.clip(self.rows.leverage, 0.0, ALMOST)

    @cached_property
    def standardised(self) -> np.ndarray:
        """Conditional residuals in their own standard deviations."""
        rows = self.rows
        return np.sqrt(rows.weights / self.scale / (1.0 - self.leverage)) * rows.residuals

    @cached_property
    def predictor(self) -> np.ndarray:
        """Linear predictor with the effects of the levels."""
        return self.model.predictor(*self._read)

    @cached_property
    def means(self) -> np.ndarray:
        """Fitted values: means or probabilities."""
        return self.fit.family.mean(self.predictor)

    def outer(self, values: np.ndarray) -> Factor | None:
        """The factor with the fewest levels within which values do not vary."""
        found = [factor for factor in self.factors if factor.is_constant(values)]
        return min(found, key=lambda factor: factor.n_levels, default=None)
