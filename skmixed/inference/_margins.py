"""Average predictions, and what a change of one column does to them.

Everything here is a weighted sum of predictions m of changed tables:

    averages            sum_i w_i m_i
    contrasts           sum_i w_i m_i(x = b)  -  sum_i w_i m_i(x = a)
    average slopes      sum_i w_i dm_i/dx,      dm/dx = (4 m(x + h) - m(x + 2h) - 3 m(x)) / 2h + O(h^2)

Changes go through the table, so that formulas, interactions and random slopes follow.  The steps h point to the middle
of the column: a spline or a logarithm is not asked for values beyond its range.  Standard errors are the delta method's
(:mod:`skmixed._prediction`).
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from itertools import product
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import sparse, stats

from .. import _tables as tables
from .._prediction import Kind, Uncertainty, stacked
from ._arguments import check_estimator
from ._contrasts import check_level

__all__ = ["Margins", "average_effects", "average_predictions"]

STEP = 2.0**-17  # relative to the scale: truncation and rounding both stay below 1e-8
NARROWEST = 2.0**-7  # least scale of a row, as a share of the column's


class Margins(pd.DataFrame):
    """A table of averages that knows their covariance matrix; slices and copies of it are plain DataFrames."""

    _metadata = ["_covariance"]

    @property
    def _constructor(self):
        return pd.DataFrame

    def cov_params(self) -> pd.DataFrame:
        """Covariance matrix of the estimates, row by row of the table.

        ``L @ table.estimate`` has covariance ``L @ table.cov_params() @ L.T``.
        """
        return pd.DataFrame(self._covariance, self.index, self.index)


def average_predictions(
    est: Any,
    X: Any = None,
    *,
    groups: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    at: dict | None = None,
    by: Hashable | list | None = None,
    kind: Kind = "marginal",
    level: float = 0.95,
) -> Margins:
    """Average predictions: means of a linear model, probabilities of the second class of a logistic one.

    ``sum_i w_i m_i / sum_i w_i`` over the rows, with standard errors by the delta method that keep the covariance
    between rows.  The rows themselves count as fixed.

    Parameters
    ----------
    est : MixedLinearRegressor or MixedLogisticClassifier
        Fitted.
    X : table or array of shape (n_rows, n_columns), default=None
        As for ``est.predict``.  None: the rows of the fit with their groups and weights.
    groups : array-like, default=None
        Labels, where they were passed to ``fit`` as well.
    sample_weight : array-like of shape (n_rows,), default=None
        Weights of the rows in the averages.  None: those of the fit with its rows, else all equal.
    at : dict, default=None
        Column -> value or list of values that every row is given; one average for each combination.  Columns of arrays
        are called "x0", "x1", ... as in ``results_.params``, or given by position.
    by : column or list of columns, default=None
        One average for each combination of their values; also the names of factors that were passed as ``groups``.
    kind : {"marginal", "population", "conditional"}, default="marginal"
        "marginal" integrates over all random effects: the average over levels; "population" sets them to zero: a
        typical level; "conditional" takes the estimated effects of known levels and integrates over those of new ones.
        For a linear model the first two are the same.
    level : float, default=0.95
        Of the confidence limits, which are normal.

    Returns
    -------
    Margins
        A DataFrame: the columns of ``at`` and ``by``, then ``estimate, std_error, ci_low, ci_high``.
        ``cov_params()`` is the covariance matrix of the estimates.

    Raises
    ------
    ValueError
        For unknown columns, kinds and levels, weights that are all zero, or a pickled model without ``X``.

    Notes
    -----
    The standard error is that of the average given what new levels average to; ``predict(..., return_std=True)`` of a
    linear model instead adds the whole variance of a new level.  For known levels both hold the posterior variance of
    their effects.  Covariances at the boundary of their space count as known.

    See Also
    --------
    average_effects : Slopes and contrasts of these averages.

    Examples
    --------
    >>> from skmixed import MixedLogisticClassifier
    >>> from skmixed.inference import average_predictions
    >>> from skmixed.datasets import make_mixed_classification
    >>> X, y = make_mixed_classification(n_groups=300, rows_per_group=20, random_state=0)
    >>> model = MixedLogisticClassifier(groups="group").fit(X, y)
    >>> average_predictions(model, at={"x1": [-1, 1]}).round(2)
       x1  estimate  std_error  ci_low  ci_high
    0  -1      0.18       0.01    0.16     0.20
    1   1      0.80       0.01    0.78     0.82
    """
    sample, settings = _read(est, X, groups, sample_weight, at, by, kind)
    found = [(setting, sample.average(setting)) for setting in settings]
    return _answer(sample, found, level, tested=False)


def average_effects(
    est: Any,
    X: Any = None,
    variables: Hashable | list | dict | None = None,
    *,
    groups: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    at: dict | None = None,
    by: Hashable | list | None = None,
    kind: Kind = "marginal",
    level: float = 0.95,
) -> Margins:
    """Average marginal effects: slopes for numbers, contrasts with the first level for categories.

    A slope is ``sum_i w_i dm_i/dx_i / sum_i w_i``, a contrast ``sum_i w_i (m_i(b) - m_i(a)) / sum_i w_i``, with m the
    prediction of :func:`average_predictions`.  The column is changed in the table, so that everything computed from it
    follows: powers, interactions, random slopes.  Columns of zeros and ones, booleans, text, categories and what a
    formula codes as categories get contrasts, other columns slopes.

    Parameters
    ----------
    est : MixedLinearRegressor or MixedLogisticClassifier
        Fitted.
    X : table or array of shape (n_rows, n_columns), default=None
        As for ``est.predict``.  None: the rows of the fit with their groups and weights.
    variables : column, list of columns, or dict, default=None
        Columns to change.  None: all that the model uses but the grouping factors; a column that is a grouping factor
        and a fixed effect of a formula as well is among them.  A dict maps columns to lists of values whose contrasts
        with the first one are wanted, such as ``{"age": [30, 40]}``.
    groups : array-like, default=None
        Labels, where they were passed to ``fit`` as well.
    sample_weight : array-like of shape (n_rows,), default=None
        Weights of the rows in the averages.  None: those of the fit with its rows, else all equal.
    at : dict, default=None
        Column -> value or list of values that every row is given; effects for each combination.
    by : column or list of columns, default=None
        Effects for each combination of their values.
    kind : {"marginal", "population", "conditional"}, default="marginal"
        As in :func:`average_predictions`.
    level : float, default=0.95
        Of the confidence limits, which are normal.

    Returns
    -------
    Margins
        A DataFrame: ``term, contrast``, the columns of ``at`` and ``by``, then ``estimate, std_error, z, p_value,
        ci_low, ci_high``.  ``contrast`` is "dy/dx", or the two values that are compared.  ``cov_params()`` is the
        covariance matrix of the estimates.

    Raises
    ------
    ValueError
        As :func:`average_predictions`, and for columns that hold neither numbers nor categories.

    References
    ----------
    Williams (2012), Using the margins command to estimate and interpret adjusted predictions and marginal effects, The
    Stata Journal 12.

    Examples
    --------
    >>> from skmixed import MixedLogisticClassifier
    >>> from skmixed.inference import average_effects
    >>> from skmixed.datasets import make_mixed_classification
    >>> X, y = make_mixed_classification(n_groups=300, rows_per_group=20, random_state=0)
    >>> model = MixedLogisticClassifier(groups="group").fit(X, y)
    >>> average_effects(model)[["term", "contrast", "estimate", "std_error"]].round(3)
      term contrast  estimate  std_error
    0   x0    dy/dx     0.137      0.005
    1   x1    dy/dx     0.265      0.004
    """
    sample, settings = _read(est, X, groups, sample_weight, at, by, kind)
    found = [
        ({"term": name, "contrast": contrast} | setting, estimates)
        for name, values in _compared(est, sample, variables).items()
        for setting in settings
        for contrast, estimates in sample.effects(name, values, setting)
    ]
    return _answer(sample, found, level, tested=True)


@dataclass(frozen=True)
class _Sample:
    """Rows to average over, and the weights (cells, rows) of the averages; ``fitted`` is the table of the fit."""

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
        return _column(self.fitted if name in _names(self.fitted) else self.table, name)

    def average(self, changes):
        """Averages of the predictions of the changed table."""
        return self.uncertainty.combined(self.weights, self._predictions(changes))

    def _predictions(self, changes):
        return self._predicted(*self._read(changes))

    def _read(self, changes):
        """Rows of the changed table and their levels."""
        return self.est._read_for_prediction(_changed(self.table, changes), self.groups, self.kind)

    def _predicted(self, rows, codes):
        return self.est._linearised(rows, codes, self.kind)

    def effects(self, name, values, setting):
        """Pairs of a contrast in words and its estimates; slopes where no values are given."""
        if values is None:
            return [("dy/dx", self._slope(name, setting))]
        first, *others = [self.average(setting | {name: value}) for value in values]
        return [(f"{b} - {values[0]}", other - first) for b, other in zip(values[1:], others, strict=True)]

    def _slope(self, name, setting):
        """The levels stay where the column is a grouping factor too."""
        x = np.asarray(_column(_changed(self.table, setting), name), dtype=np.float64)
        steps = _steps(x, np.asarray(self.column(name), dtype=np.float64))
        _, codes = self._read(setting)
        moved = [self._predicted(self._read(setting | {name: x + k * steps})[0], codes) for k in range(3)]
        return self.uncertainty.combined(self.weights.multiply(0.5 / steps).tocsr(), *moved, combination=_rise)


def _rise(here, near, far):
    """``2h dm/dx``: differences first, so that it is zero where nothing moves."""
    return 4.0 * (near - here) - (far - here)


def _steps(x, column):
    """Steps of the derivative, towards the middle of the column; x moves by powers of two without rounding."""
    quartiles = np.subtract(*np.percentile(column, [75, 25]))
    scale = quartiles or np.std(column) or abs(column[0]) or 1.0
    sizes = np.where(x == 0, scale, np.clip(np.abs(x), NARROWEST * scale, scale))
    middle = (np.min(column) + np.max(column)) / 2.0
    return np.where(x > middle, -1.0, 1.0) * STEP * 2.0 ** np.round(np.log2(sizes))


# ----------------------------------------------------------------------------------------------- reading the arguments


def _read(est, X, groups, sample_weight, at, by, kind):
    """The sample, and the settings of ``at``."""
    check_estimator(est)
    if X is None:
        X, groups, sample_weight = _training(est, groups, sample_weight)
    table, rows = _plain(X), est.results_._rows
    at, by = _settings(table, at), _by_values(est, table, groups, _listed(by))
    if both := [name for name in by if name in at[0]]:
        raise ValueError(f"at and by both name {both[0]!r}.\nAverage at given values of it, or within its values.")
    fitted = table if rows is None else _plain(rows.given.X)
    cells, weights = _cells(by, _row_weights(sample_weight, len(table)))
    return _Sample(est, kind, table, groups, fitted, cells, weights, est._uncertainty), at


def _training(est, groups, sample_weight):
    """What was passed to ``fit``."""
    if groups is not None:
        raise ValueError("groups was passed without X.\nPass both, or neither for the rows of the fit.")
    if est.results_._rows is None:
        raise ValueError("X: the rows of the fit are not kept in a copied or pickled model.\nPass X.")
    given = est.results_._rows.given
    return given.X, given.groups, given.sample_weight if sample_weight is None else sample_weight


def _settings(table, at):
    """All combinations of the values of ``at``, one dict each."""
    if at is not None and not isinstance(at, dict):
        raise TypeError(f"at={at!r}: expected a dict.\nWrite at={{'age': [30, 40]}}.")
    at = _known_keys("at", at or {}, table)
    if empty := [name for name, values in at.items() if not values]:
        raise ValueError(f"at: no values for {empty[0]!r}.\nGive a value or a list of values.")
    return [dict(zip(at, values, strict=True)) for values in product(*at.values())]


def _listed(values):
    """A list, of one thing or of several."""
    if values is None:
        return []
    several = isinstance(values, list | tuple | range | np.ndarray | pd.Series | pd.Index)
    return list(values) if several else [values]


def _row_weights(sample_weight, n):
    weights = np.ones(n) if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
    if weights.shape != (n,) or not np.all(np.isfinite(weights) & (weights >= 0)) or not np.any(weights):
        raise ValueError(
            f"sample_weight: expected {n} numbers that are not negative and not all zero, got shape {weights.shape}.\n"
            "Give one for every row of X."
        )
    return weights


def _by_values(est, table, groups, by):
    """Values of the columns ``by``: those of the table, or labels that came as ``groups``."""
    passed = {} if not by or groups is None else est._read_for_prediction(table, groups, "population")[0].labels
    passed = {est._label(key): labels for key, labels in passed.items()}
    columns = {}
    for column in by:
        name = _name(column, table)
        if name not in _names(table) and name not in passed:
            raise tables.unknown_column("by", name, [*_names(table), *passed])
        columns[name] = tables.labels(_column(table, name)) if name in _names(table) else passed[name]
    return columns


def _cells(by, row_weights):
    """Values of the columns ``by`` that occur, and per combination the weights of the rows, which sum to one."""
    used = np.flatnonzero(row_weights)
    columns = pd.DataFrame(by, index=range(len(row_weights))).iloc[used].reset_index(drop=True)
    by = list(by)
    codes = columns.groupby(by, sort=True, observed=True, dropna=False).ngroup() if by else np.zeros(len(used), int)
    _, first, codes = np.unique(codes, return_index=True, return_inverse=True)
    shares = row_weights[used] / np.bincount(codes, row_weights[used])[codes]
    weights = sparse.csr_matrix((shares, (codes, used)), shape=(len(first), len(row_weights)))
    return columns.iloc[first].reset_index(drop=True), weights


def _compared(est, sample, variables):
    """Columns to change, with the values to compare; None for slopes."""
    if isinstance(variables, dict):
        given = _known_keys("variables", variables, sample.table)
        if short := [name for name, values in given.items() if len(values) < 2]:
            raise ValueError(f"variables: one value of {short[0]!r} has no contrast.\nGive two or more.")
        return given
    grouping, categorical = _roles(est, sample.table)
    names = _used(est, sample.table, grouping) if variables is None else _listed(variables)
    names = _known_columns("variables", names, sample.table)
    if not names and variables is None:
        raise ValueError("variables: X has no columns besides the grouping factors.\nThere is nothing to change.")
    if not names:
        raise ValueError("variables: no columns are named.\nName at least one, or leave variables out for all.")
    return {name: _values(sample.column(name), name, name in grouping | categorical) for name in names}


def _roles(est, table):
    """Columns that are grouping factors and no fixed effects, and columns that a formula codes as categories."""
    if est.formula is not None:
        return set(est._formula.groups) - est._formula.fixed_columns, est._formula.categorical
    if est._argument_style or len(_names(table)) < est.n_features_in_:  # the factors are no columns of this table
        return set(), set()
    return {_name(c, table) for c in est._group_columns()}, set()


def _used(est, table, grouping):
    """Columns that the model uses besides the grouping factors."""
    names = _names(table) if est.formula is None else est._formula.columns
    return [name for name in names if name not in grouping]


def _values(column, name, categorical):
    """Values whose contrasts describe a column, None for numbers."""
    column = tables.labels(column)
    if isinstance(column, pd.Categorical):
        return list(column.categories)
    column = np.asarray(pd.Series(column).infer_objects())
    if column.dtype.kind in "mM":
        raise ValueError(f"variables: column {name!r} holds dates.\nGive the values to compare: {{{name!r}: [a, b]}}.")
    if column.dtype.kind == "b":
        return [False, True]
    if column.dtype.kind in "iuf" and not categorical:
        return [0, 1] if np.all((column == 0) | (column == 1)) else None
    return list(pd.Categorical(column).categories)


# ---------------------------------------------------------------------------------------- tables: pandas, or an array


def _plain(X):
    """X as a pandas DataFrame, or as an array where columns have no names."""
    names = tables.column_names(X)
    if names is None:
        table = np.asarray(X)
    else:
        table = X if isinstance(X, pd.DataFrame) else pd.DataFrame({name: tables.column(X, name) for name in names})
    if table.ndim != 2 or len(table) == 0:
        raise ValueError(
            f"X: expected a table or 2-D array with at least one row, got {type(X).__name__} of shape {table.shape}.\n"
            "Name the columns of interest by keyword: variables=, at=, by=."
        )
    return table


def _names(table):
    """Names of the columns; those of an array are called as its coefficients are."""
    return list(table.columns) if isinstance(table, pd.DataFrame) else [f"x{j}" for j in range(table.shape[1])]


def _name(column, table):
    """The name of a column that may be given by its position in an array or in a table without such a name."""
    names = _names(table)
    is_position = isinstance(column, Integral) and column not in names and -len(names) <= column < len(names)
    return names[column] if is_position else column


def _column(table, name):
    return table[name] if isinstance(table, pd.DataFrame) else table[:, _names(table).index(name)]


def _changed(table, changes):
    """A copy with other values in some columns."""
    if isinstance(table, pd.DataFrame):
        out = table.copy(deep=False)
        for name, values in changes.items():
            out[name] = values
        return out
    out = table.astype(np.float64 if table.dtype.kind == "f" else object)  # labels are not for rounding
    for name, values in changes.items():
        out[:, _names(table).index(name)] = values
    return out


def _known_columns(role, wanted, table):
    """The names of columns, which all exist."""
    names, found = _names(table), [_name(column, table) for column in wanted]
    for name in found:
        if name not in names:
            raise tables.unknown_column(role, name, names)
    return found


def _known_keys(role, wanted, table):
    """The same for the keys of a dict of values."""
    return {
        name: _listed(values) for name, values in zip(_known_columns(role, wanted, table), wanted.values(), strict=True)
    }


# ------------------------------------------------------------------------------------------------------- the answer


def _answer(sample, found, level, *, tested):
    """Identifying columns, estimates, standard errors, tests and limits."""
    identified, parts = zip(*found, strict=True)
    estimates, k = stacked(parts), len(sample.cells)
    covariance = sample.uncertainty.covariances(estimates)
    std_errors = np.sqrt(np.maximum(np.diag(covariance), 0.0))
    columns = {"estimate": estimates.values, "std_error": std_errors}
    if tested:
        z = estimates.values / np.where(std_errors > 0, std_errors, np.nan)
        columns |= {"z": z, "p_value": 2.0 * stats.norm.sf(np.abs(z))}
    half = stats.norm.ppf(0.5 + check_level(level) / 2.0) * std_errors
    columns |= {"ci_low": estimates.values - half, "ci_high": estimates.values + half}
    settings = pd.DataFrame(list(identified)).iloc[np.repeat(np.arange(len(parts)), k)].reset_index(drop=True)
    cells = pd.concat([sample.cells] * len(parts), ignore_index=True)
    out = Margins(pd.concat([settings, cells, pd.DataFrame(columns)], axis=1))
    out._covariance = covariance
    return out
