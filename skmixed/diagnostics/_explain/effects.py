"""What a change of one column goes with, on the scale of the linear predictor.

The response itself for a linear model, the log-odds for a classifier; averaged over the rows of the
fit, so that powers, interactions and codings of categories are one number per column and category.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from ..._data.tables import some_rows
from ..._fit.model import FittedModel
from ..._fit.parts import in_memory
from ..._fit.predictions import linear_predictors
from ...inference._margins.sample import Sample, compared, read_sample
from ...inference._margins.tables import plain_table

MOST_ROWS = 20_000  # that are averaged over
FEWEST_UNITS = 0.5  # standard deviations between these are told by one unit
MOST_UNITS = 20.0
LOW, HIGH = 0.1, 0.9  # quantiles that stand for low and high values of a column


class Effect(NamedTuple):
    """What goes with a change of one column.

    Attributes
    ----------
    column : its name
    start, end : the values compared; a step for numbers, which start nowhere
    is_sd : whether the step is one standard deviation
    strength : size per standard deviation, or of the contrast
    estimate, low, high : of the change
    """

    column: Hashable
    start: Any
    end: Any
    is_sd: bool
    strength: float
    estimate: float
    low: float
    high: float

    @property
    def is_estimated(self) -> bool:
        """Whether it is one: columns that only have random slopes add nothing on average."""
        return self.estimate != 0.0 or self.low < self.high

    @property
    def is_step(self) -> bool:
        """Whether the column holds numbers."""
        return self.start is None


def sample_of(model: FittedModel) -> Sample:
    """The rows of the fit."""
    if model.rows is not None:
        model = in_memory(model)
    return read_sample(model, None, None, None, None, None, "population")[0]


def columns_of(sample: Sample) -> dict[Hashable, list | None]:
    """The columns of the fixed effects, with the categories of those that hold some."""
    door = sample.model.reader.door
    grouping = door.grouping(sample.table)
    if all(name in grouping for name in door.used(sample.table)):
        return {}
    return compared(sample, None)


def effects_of(sample: Sample, columns: dict, level: float) -> list[Effect]:
    """Effects of all columns, the strongest first."""
    on_link = replace(_fewer(sample), linearise=linear_predictors)
    found = [
        effect
        for name, values in columns.items()
        for effect in _of_column(on_link, name, values, level)
        if np.isfinite(effect.estimate) and effect.is_estimated
    ]
    return sorted(found, key=lambda effect: -effect.strength)


def _fewer(sample):
    """The same, or rows that are spread evenly over very many."""
    n = len(sample.table)
    if n <= MOST_ROWS:
        return sample
    kept = np.linspace(0, n - 1, MOST_ROWS).round().astype(int)
    table = plain_table(some_rows(sample.table.X, kept))
    groups = None if sample.groups is None else some_rows(sample.groups, kept)
    weights = sample.weights[:, kept]
    weights = (weights / weights.sum()).tocsr()
    return replace(sample, table=table, fitted=table, groups=groups, weights=weights)


def _of_column(sample, name, values, level):
    estimates = [found for _, found in sample.effects(name, values, {})]
    rows = [_limits(sample, found, level) for found in estimates]
    if values is None:
        sd = spread(sample, name)
        step, is_sd = (1.0, False) if FEWEST_UNITS <= sd <= MOST_UNITS else (sd or 1.0, sd > 0)
        (slope,) = rows
        return [Effect(name, None, step, is_sd, sd * abs(slope[0]), *(step * slope))]
    pairs = zip(values[1:], rows, strict=True)
    return [Effect(name, values[0], end, False, abs(row[0]), *row) for end, row in pairs]


def _limits(sample, estimates, level):
    """Estimate and normal limits; NaN where the data do not determine it."""
    value = estimates.values[0]
    if estimates.standard.shape[1]:
        broken = sample.model.fit.units.dependencies.broken_in(estimates.standard)
        value = np.nan if np.any(broken) else value
    if sample.model.has_estimator:  # whose errors nobody knows
        return np.array([value, np.nan, np.nan])
    error = np.sqrt(max(sample.uncertainty.covariances(estimates)[0, 0], 0.0))
    half = stats.norm.ppf(0.5 + level / 2.0) * error
    return np.array([value, value - half, value + half])


def spread(sample: Sample, name: Hashable) -> float:
    """The standard deviation of a column over the rows, with their weights."""
    x, w = numbers(sample, name), sample.weights.toarray()[0]
    return float(np.sqrt(w @ (x - w @ x) ** 2))


def numbers(sample: Sample, name: Hashable) -> np.ndarray:
    """A column as floats."""
    return np.asarray(sample.column(name), dtype=np.float64)


def ends(sample: Sample, name: Hashable) -> list[float]:
    """A low and a high value of a column of numbers, both of which occur."""
    return np.quantile(numbers(sample, name), [LOW, HIGH], method="nearest").tolist()


def typical_row(sample: Sample, columns: dict) -> Any:
    """One row with means of the numbers and the most frequent categories; None without columns.

    Columns that the model does not use stay as they are in the first row.
    """
    w = sample.weights.toarray()[0]
    changes = {
        name: w @ numbers(sample, name) if values is None else _most_frequent(sample, name, w)
        for name, values in columns.items()
    }
    return sample.table.changed(changes)


def _most_frequent(sample, name, weights):
    column = pd.Series(np.asarray(sample.column(name), dtype=object))
    return pd.Series(weights).groupby(column.to_numpy()).sum().idxmax()
