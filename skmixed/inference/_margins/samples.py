"""Averages over rows that come in parts: sums of those of the parts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ..._data.tables import Table
from ..._fit.kinds import Kind
from ..._fit.model import FittedModel
from ..._fit.training import Training
from ..._fit.uncertainty import Estimates
from .digest import digest_of
from .sample import (
    Sample,
    by_values,
    cells_of_rows,
    check_apart,
    read_sample,
    row_weights,
    settings_of,
)
from .tables import listed, plain_table

Asked = list[tuple[dict, Estimates]]  # what is estimated, and the estimates of all cells


@dataclass(frozen=True, eq=False)
class Samples:
    """Rows to average over, in parts.

    Attributes
    ----------
    described : rows that say what the columns hold
    cells : values of the columns by which averages are taken
    parts : the rows with their weights, which sum to one in every cell
    """

    described: Sample
    cells: pd.DataFrame
    parts: Callable[[], Iterator[Sample]]

    def asked(self, of_part: Callable[[Sample], Asked]) -> Asked:
        """What is asked of every part, summed."""
        found: Asked = []
        for part in self.parts():
            own = of_part(part)
            if found:
                pairs = zip(found, own, strict=True)
                own = [(name, total + estimates) for (name, total), (_, estimates) in pairs]
            found = own
        return found


def read_samples(
    model: FittedModel, X: Any, groups: Any, sample_weight: Any, at: Any, by: Any, kind: Kind
) -> tuple[Samples, list[dict]]:
    """The rows to average over, and the settings of ``at``; without X those of the fit."""
    if X is None and model.rows is not None and not model.has_rows_in_memory:
        return _rows_again(model, groups, sample_weight, at, by, kind)
    sample, settings = read_sample(model, X, groups, sample_weight, at, by, kind)
    return Samples(sample, sample.cells, lambda: iter([sample])), settings


def _rows_again(model, groups, sample_weight, at, by, kind):
    if groups is not None or sample_weight is not None:
        raise ValueError(
            "groups, sample_weight: of chunks these are columns.\n"
            "Name them where the model is fitted, or pass X."
        )
    table = plain_table(digest_of(model))
    settings = settings_of(table, at)
    names = list(by_values(model, table, None, listed(by)))
    check_apart(names, settings)
    cells = _Cells.of(model, names)
    uncertainty = model.fit.uncertainty

    def sample(table, weights):
        return Sample(model, kind, table, None, described, cells.values, weights, uncertainty)

    def parts():
        for part in model.parts():
            own = plain_table(part.given.X)
            yield sample(own, cells.weights(part, own))

    described = table
    return Samples(sample(table, None), cells.values, parts), settings


@dataclass(frozen=True, eq=False)
class _Cells:
    """Combinations of columns, with the weights of their rows.

    Attributes
    ----------
    names : of the columns
    values : of the combinations, sorted
    totals : weights of each
    """

    names: list
    values: pd.DataFrame
    totals: np.ndarray

    @classmethod
    def of(cls, model: FittedModel, names: list):
        """Of all rows of a fit."""
        if not names:
            total = sum(np.sum(_weights(part)) for part in model.parts())
            return cls(names, pd.DataFrame(index=range(1)), np.array([total]))
        found = pd.concat(
            [_totals(part, plain_table(part.given.X), names) for part in model.parts()],
            ignore_index=True,
        )
        found = found.groupby(names, sort=True, observed=True, dropna=False).sum().reset_index()
        return cls(names, found[names], found[_WEIGHT].to_numpy())

    def weights(self, part: Training, table: Table):
        """Of the rows of a part, (cells, rows)."""
        w = _weights(part)
        columns = by_values(None, table, None, self.names)
        return cells_of_rows(columns, w, self.values, self.totals)


_WEIGHT = "the weights of the rows"


def _weights(part):
    return row_weights(part.given.sample_weight, len(part.y))


def _totals(part, table, names):
    columns = by_values(None, table, None, names)
    rows = pd.DataFrame(columns).assign(**{_WEIGHT: _weights(part)})
    return rows.groupby(names, sort=False, observed=True, dropna=False).sum().reset_index()
