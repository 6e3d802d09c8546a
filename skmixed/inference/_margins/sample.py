"""The rows that are averaged over, and how their columns are changed."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from ..._data import tables
from ..._fit.uncertainty import Uncertainty
from .._arguments import check_estimator
from .columns import (
    changed,
    column_of,
    known_columns,
    known_keys,
    listed,
    name_of,
    names_of,
    plain_table,
)

STEP = 2.0**-17  # relative to the scale: truncation and rounding both stay below 1e-8
NARROWEST = 2.0**-7  # least scale of a row, as a share of the column's


@dataclass(frozen=True)
class Sample:
    """Rows to average over, and the weights (cells, rows) of the averages.

    ``fitted`` is the table of the fit.
    """

    est: Any
    kind: str
    table: Any
    groups: Any
    fitted: Any
    cells: pd.DataFrame
    weights: sparse.csr_matrix
    uncertainty: Uncertainty

    def column(self, name):
        """A column that says what it holds: that of the fit, where it is kept."""
        return column_of(self.fitted if name in names_of(self.fitted) else self.table, name)

    def average(self, changes):
        """Averages of the predictions of the changed table."""
        return self.uncertainty.combined(self.weights, self._predictions(changes))

    def _predictions(self, changes):
        return self._predicted(*self._read(changes))

    def _read(self, changes):
        """Rows of the changed table and their levels."""
        return self.est._read_for_prediction(changed(self.table, changes), self.groups, self.kind)

    def _predicted(self, rows, codes):
        return self.est._linearised(rows, codes, self.kind)

    def effects(self, name, values, setting):
        """Pairs of a contrast in words and its estimates; slopes where no values are given."""
        if values is None:
            return [("dy/dx", self._slope(name, setting))]
        first, *others = [self.average(setting | {name: value}) for value in values]
        return [
            (f"{b} - {values[0]}", other - first)
            for b, other in zip(values[1:], others, strict=True)
        ]

    def _slope(self, name, setting):
        """The levels stay where the column is a grouping factor too."""
        x = np.asarray(column_of(changed(self.table, setting), name), dtype=np.float64)
        steps = _steps(x, np.asarray(self.column(name), dtype=np.float64))
        _, codes = self._read(setting)
        moved = [
            self._predicted(self._read(setting | {name: x + k * steps})[0], codes) for k in range(3)
        ]
        return self.uncertainty.combined(
            self.weights.multiply(0.5 / steps).tocsr(), *moved, combination=_rise
        )


def _rise(here, near, far):
    """``2h dm/dx``: differences first, so that it is zero where nothing moves."""
    return 4.0 * (near - here) - (far - here)


def _steps(x, column):
    """Steps of the derivative, towards the middle of the column.

    X moves by powers of two without rounding.
    """
    quartiles = np.subtract(*np.percentile(column, [75, 25]))
    scale = quartiles or np.std(column) or abs(column[0]) or 1.0
    sizes = np.where(x == 0, scale, np.clip(np.abs(x), NARROWEST * scale, scale))
    middle = (np.min(column) + np.max(column)) / 2.0
    return np.where(x > middle, -1.0, 1.0) * STEP * 2.0 ** np.round(np.log2(sizes))


# ----------------------------------------------------------------------------------------------- reading the arguments


def read_sample(est, X, groups, sample_weight, at, by, kind):
    """The sample, and the settings of ``at``."""
    check_estimator(est)
    if X is None:
        X, groups, sample_weight = _training(est, groups, sample_weight)
    table = plain_table(X)
    rows = est.results_._rows
    at = _settings(table, at)
    by = _by_values(est, table, groups, listed(by))
    if both := [name for name in by if name in at[0]]:
        raise ValueError(
            f"at and by both name {both[0]!r}.\nAverage at given values of it, or within its values."
        )
    fitted = table if rows is None else plain_table(rows.given.X)
    cells, weights = _cells(by, _row_weights(sample_weight, len(table)))
    return Sample(est, kind, table, groups, fitted, cells, weights, est._uncertainty), at


def _training(est, groups, sample_weight):
    """What was passed to ``fit``."""
    if groups is not None:
        raise ValueError(
            "groups was passed without X.\nPass both, or neither for the rows of the fit."
        )
    if est.results_._rows is None:
        raise ValueError(
            "X: the rows of the fit are not kept in a copied or pickled model.\nPass X."
        )
    given = est.results_._rows.given
    return given.X, given.groups, given.sample_weight if sample_weight is None else sample_weight


def _settings(table, at):
    """All combinations of the values of ``at``, one dict each."""
    if at is not None and not isinstance(at, dict):
        raise TypeError(f"at={at!r}: expected a dict.\nWrite at={{'age': [30, 40]}}.")
    at = known_keys("at", at or {}, table)
    if empty := [name for name, values in at.items() if not values]:
        raise ValueError(f"at: no values for {empty[0]!r}.\nGive a value or a list of values.")
    return [dict(zip(at, values, strict=True)) for values in product(*at.values())]


def _row_weights(sample_weight, n):
    weights = np.ones(n) if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
    if (
        weights.shape != (n,)
        or not np.all(np.isfinite(weights) & (weights >= 0))
        or not np.any(weights)
    ):
        raise ValueError(
            f"sample_weight: expected {n} numbers that are not negative and not all zero, got shape {weights.shape}.\n"
            "Give one for every row of X."
        )
    return weights


def _by_values(est, table, groups, by):
    """Values of the columns ``by``: those of the table, or labels that came as ``groups``."""
    passed = (
        {}
        if not by or groups is None
        else est._read_for_prediction(table, groups, "population")[0].labels
    )
    passed = {est._label(key): labels for key, labels in passed.items()}
    columns = {}
    for column in by:
        name = name_of(column, table)
        if name not in names_of(table) and name not in passed:
            raise tables.unknown_column("by", name, [*names_of(table), *passed])
        columns[name] = (
            tables.labels(column_of(table, name)) if name in names_of(table) else passed[name]
        )
    return columns


def _cells(by, row_weights):
    """Values of the columns ``by`` that occur, and per combination the weights of the rows, which
    sum to one.
    """
    used = np.flatnonzero(row_weights)
    columns = pd.DataFrame(by, index=range(len(row_weights))).iloc[used].reset_index(drop=True)
    by = list(by)
    codes = (
        columns.groupby(by, sort=True, observed=True, dropna=False).ngroup()
        if by
        else np.zeros(len(used), int)
    )
    _, first, codes = np.unique(codes, return_index=True, return_inverse=True)
    shares = row_weights[used] / np.bincount(codes, row_weights[used])[codes]
    weights = sparse.csr_matrix((shares, (codes, used)), shape=(len(first), len(row_weights)))
    return columns.iloc[first].reset_index(drop=True), weights


def _compared(est, sample, variables):
    """Columns to change, with the values to compare; None for slopes."""
    if isinstance(variables, dict):
        given = known_keys("variables", variables, sample.table)
        if short := [name for name, values in given.items() if len(values) < 2]:
            raise ValueError(
                f"variables: one value of {short[0]!r} has no contrast.\nGive two or more."
            )
        return given
    grouping, categorical = _roles(est, sample.table)
    names = _used(est, sample.table, grouping) if variables is None else listed(variables)
    names = known_columns("variables", names, sample.table)
    if not names and variables is None:
        raise ValueError(
            "variables: X has no columns besides the grouping factors.\nThere is nothing to change."
        )
    if not names:
        raise ValueError(
            "variables: no columns are named.\nName at least one, or leave variables out for all."
        )
    return {
        name: _values(sample.column(name), name, name in grouping | categorical) for name in names
    }


def _roles(est, table):
    """Columns that are grouping factors and no fixed effects, and columns that a formula codes as
    categories.
    """
    if est.formula is not None:
        return set(est._formula.groups) - est._formula.fixed_columns, est._formula.categorical
    if (
        est._argument_style or len(names_of(table)) < est.n_features_in_
    ):  # the factors are no columns of this table
        return set(), set()
    return {name_of(c, table) for c in est._group_columns()}, set()


def _used(est, table, grouping):
    """Columns that the model uses besides the grouping factors."""
    names = names_of(table) if est.formula is None else est._formula.columns
    return [name for name in names if name not in grouping]


def _values(column, name, categorical):
    """Values whose contrasts describe a column, None for numbers."""
    column = tables.labels(column)
    if isinstance(column, pd.Categorical):
        return list(column.categories)
    column = np.asarray(pd.Series(column).infer_objects())
    if column.dtype.kind in "mM":
        raise ValueError(
            f"variables: column {name!r} holds dates.\nGive the values to compare: {{{name!r}: [a, b]}}."
        )
    if column.dtype.kind == "b":
        return [False, True]
    if column.dtype.kind in "iuf" and not categorical:
        return [0, 1] if np.all((column == 0) | (column == 1)) else None
    return list(pd.Categorical(column).categories)
