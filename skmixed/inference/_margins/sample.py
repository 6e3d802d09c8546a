"""The rows that are averaged over, and how their columns are changed."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from ..._data import tables
from ..._data.columns import labels as labels_of
from ..._data.tables import Array, Table
from ..._fit.kinds import Kind
from ..._fit.model import FittedModel
from ..._fit.predictions import linearised_if_determined, read_rows
from ..._fit.uncertainty import Linearised, Uncertainty
from .tables import known_columns, known_keys, listed, name_of, plain_table

STEP = 2.0**-17  # relative to the scale: truncation and rounding both stay below 1e-8
_CODE = "the number of the cell"
NARROWEST = 2.0**-7  # least scale of a row, as a share of the column's


@dataclass(frozen=True)
class Sample:
    """Rows to average over.

    Attributes
    ----------
    model : whose predictions are averaged
    kind : of predictions
    table, groups : the rows
    fitted : the table of the fit
    cells : values of the columns by which averages are taken
    weights : (cells, rows) of the averages
    uncertainty : of the model
    linearise : predictions of rows, or what else is to be averaged
    """

    model: FittedModel
    kind: Kind
    table: Table | Array
    groups: Any
    fitted: Table | Array
    cells: pd.DataFrame
    weights: sparse.csr_matrix
    uncertainty: Uncertainty
    linearise: Callable[..., Linearised] = linearised_if_determined

    def column(self, name):
        """A column that says what it holds: that of the fit, where it is kept."""
        return (self.fitted if name in self.fitted.names else self.table).column(name)

    def average(self, changes):
        """Averages of the predictions of the changed table."""
        return self.uncertainty.combined(self.weights, self._predicted(*self._read(changes)))

    def _read(self, changes):
        """Rows of the changed table and their levels."""
        table = self.table.changed(changes)
        return read_rows(self.model, table.X, self.groups, self.kind, warns=False)

    def _predicted(self, rows, codes):
        return self.linearise(self.model, rows, codes, self.kind)

    def effects(self, name, values, setting):
        """Pairs of a contrast in words and its estimates; slopes where no values are given."""
        if values is None:
            return [("dy/dx", self._slope(name, setting))]
        first, *others = [self.average(setting | {name: value}) for value in values]
        pairs = zip(values[1:], others, strict=True)
        return [(f"{value} - {values[0]}", other - first) for value, other in pairs]

    def _slope(self, name, setting):
        """The levels stay where the column is a grouping factor too."""
        x = np.asarray(self.table.changed(setting).column(name), dtype=np.float64)
        steps = steps_of(x, np.asarray(self.column(name), dtype=np.float64))
        _, codes = self._read(setting)
        moved = [
            self._predicted(self._read(setting | {name: x + k * steps})[0], codes) for k in range(3)
        ]
        weights = self.weights.multiply(0.5 / steps).tocsr()
        return self.uncertainty.combined(weights, *moved, combination=rise)


def rise(here: Any, near: Any, far: Any) -> Any:
    """``2h dm/dx``: differences first, so that it is zero where nothing moves."""
    return 4.0 * (near - here) - (far - here)


def steps_of(x: np.ndarray, column: np.ndarray) -> np.ndarray:
    """Steps of the derivative, towards the middle of the column.

    X moves by powers of two without rounding.
    """
    quartiles = np.subtract(*np.percentile(column, [75, 25]))
    spread = np.std(column) if np.ptp(column) > 0 else 0.0  # without rounding
    scale = quartiles or spread or abs(column[0]) or 1.0
    sizes = np.where(x == 0, scale, np.clip(np.abs(x), NARROWEST * scale, scale))
    middle = (np.min(column) + np.max(column)) / 2.0
    return np.where(x > middle, -1.0, 1.0) * STEP * 2.0 ** np.round(np.log2(sizes))


def read_sample(
    model: FittedModel, X: Any, groups: Any, sample_weight: Any, at: Any, by: Any, kind: Kind
) -> tuple[Sample, list[dict]]:
    """The sample, and the settings of ``at``."""
    if X is None:
        X, groups, sample_weight = training_rows(model, groups, sample_weight)
    table = plain_table(X)
    settings = settings_of(table, at)
    by = by_values(model, table, groups, listed(by))
    check_apart(by, settings)
    fitted = plain_table(model.training.given.X) if model.has_rows_in_memory else table
    cells, weights = _cells(by, row_weights(sample_weight, len(table)))
    uncertainty = model.fit.uncertainty
    return Sample(model, kind, table, groups, fitted, cells, weights, uncertainty), settings


def check_apart(by: Iterable[Hashable], settings: Sequence[dict]) -> None:
    """Whether no column is given a value and values to average within."""
    if both := [name for name in by if name in settings[0]]:
        raise ValueError(
            f"at and by both name {both[0]!r}.\n"
            "Average at given values of it, or within its values."
        )


def training_rows(model: FittedModel, groups: Any, sample_weight: Any) -> tuple[Any, Any, Any]:
    """What was passed to ``fit``: X, groups and weights."""
    if groups is not None:
        raise ValueError(
            "groups was passed without X.\nPass both, or neither for the rows of the fit."
        )
    if not model.has_rows_in_memory:
        raise ValueError(
            "X: the rows of the fit are not kept in a pickled model, nor in one of rows in parts.\n"
            "Pass X, or give them back by results_.attach(X, y), or attach(chunks(...), 'y')."
        )
    given = model.training.given
    return given.X, given.groups, given.sample_weight if sample_weight is None else sample_weight


def settings_of(table: Table | Array, at: Any) -> list[dict]:
    """All combinations of the values of ``at``, one dict each."""
    if at is not None and not isinstance(at, dict):
        raise TypeError(f"at={at!r}: expected a dict.\nWrite at={{'age': [30, 40]}}.")
    at = known_keys("at", at or {}, table)
    if empty := [name for name, values in at.items() if not values]:
        raise ValueError(f"at: no values for {empty[0]!r}.\nGive a value or a list of values.")
    return [dict(zip(at, values, strict=True)) for values in product(*at.values())]


def row_weights(sample_weight: Any, n: int) -> np.ndarray:
    """Weights of rows in averages."""
    weights = np.ones(n) if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
    are_weights = np.all(np.isfinite(weights) & (weights >= 0)) and np.any(weights)
    if weights.shape != (n,) or not are_weights:
        raise ValueError(
            f"sample_weight: expected {n} numbers that are not negative and not all zero, got "
            f"shape {weights.shape}.\nGive one for every row of X."
        )
    return weights


def by_values(model: FittedModel | None, table: Table | Array, groups: Any, by: list) -> dict:
    """Values of the columns ``by``: those of the table, or labels that came as ``groups``."""
    passed = {}
    if by and groups is not None:
        passed = model.reader.read(table.X, groups).labels
    columns = {}
    for column in by:
        name = name_of(column, table)
        if name not in table.names and name not in passed:
            raise tables.unknown_column("by", name, [*table.names, *passed])
        columns[name] = passed[name] if name not in table.names else table.labels(name)
    return columns


def cells_of_rows(
    by: dict, row_weights: np.ndarray, values: pd.DataFrame, totals: np.ndarray
) -> sparse.csr_matrix:
    """Weights (cells, rows) of rows whose cells are known, with the sums of the weights of all rows
    of the cells.
    """
    n = len(row_weights)
    codes = np.zeros(n, int)
    if by:
        known = values.assign(**{_CODE: np.arange(len(values))})
        rows = pd.DataFrame(by, index=range(n))
        codes = rows.merge(known, on=list(by), how="left")[_CODE].to_numpy()
    shares = row_weights / totals[codes]
    return sparse.csr_matrix((shares, (codes, np.arange(n))), shape=(len(totals), n))


def _cells(by, row_weights):
    """Values of the columns ``by`` that occur, and per combination the weights of the rows, which
    sum to one.
    """
    used = np.flatnonzero(row_weights)
    columns = pd.DataFrame(by, index=range(len(row_weights))).iloc[used].reset_index(drop=True)
    codes = np.zeros(len(used), int)
    if by:
        codes = columns.groupby(list(by), sort=True, observed=True, dropna=False).ngroup()
    _, first, codes = np.unique(codes, return_index=True, return_inverse=True)
    shares = row_weights[used] / np.bincount(codes, row_weights[used])[codes]
    weights = sparse.csr_matrix((shares, (codes, used)), shape=(len(first), len(row_weights)))
    return columns.iloc[first].reset_index(drop=True), weights


def compared(sample: Sample, variables: Any) -> dict:
    """Columns to change, with the values to compare; None for slopes."""
    if isinstance(variables, dict):
        return _given_values(variables, sample.table)
    door = sample.model.reader.door
    table = sample.table
    grouping = door.grouping(table)
    is_all = variables is None
    effects = [name for name in door.used(table) if name not in grouping]
    names = known_columns("variables", effects if is_all else listed(variables), table)
    if not names and is_all:
        raise ValueError(
            "variables: X has no columns besides the grouping factors.\nThere is nothing to change."
        )
    if not names:
        raise ValueError(
            "variables: no columns are named.\nName at least one, or leave variables out for all."
        )
    categorical = grouping | door.categorical
    return {name: values_of(sample.column(name), name, name in categorical) for name in names}


def _given_values(variables, table):
    given = known_keys("variables", variables, table)
    if short := [name for name, values in given.items() if len(values) < 2]:
        raise ValueError(
            f"variables: one value of {short[0]!r} has no contrast.\nGive two or more."
        )
    return given


def values_of(column: Any, name: Hashable, categorical: bool) -> list | None:
    """Values whose contrasts describe a column, None for numbers."""
    column = labels_of(column)
    if isinstance(column, pd.Categorical):
        return list(column.categories)
    column = np.asarray(pd.Series(column).infer_objects())
    if column.dtype.kind in "mM":
        raise ValueError(
            f"variables: column {name!r} holds dates.\n"
            f"Give the values to compare: {{{name!r}: [a, b]}}."
        )
    if column.dtype.kind == "b":
        return [False, True]
    if column.dtype.kind in "iuf" and not categorical:
        return [0, 1] if np.all((column == 0) | (column == 1)) else None
    return list(pd.Categorical(column).categories)
