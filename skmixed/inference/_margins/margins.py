"""Average predictions, and what a change of one column does to them.

Everything here is a weighted sum of predictions m of changed tables:

    averages            sum_i w_i m_i
    contrasts           sum_i w_i m_i(x = b)  -  sum_i w_i m_i(x = a)
    average slopes      sum_i w_i dm_i/dx,   dm/dx = (4 m(x + h) - m(x + 2h) - 3 m(x)) / 2h + O(h^2)

Changes go through the table, so that formulas, interactions and random slopes follow.  The steps h
point to the middle of the column: a spline or a logarithm is not asked for values beyond its range.
Standard errors are the delta method's (:mod:`skmixed._fit.uncertainty`).
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import stats

from ..._data.checks import check_level
from ..._fit.kinds import Kind
from ..._fit.uncertainty import stacked
from ..._report.tables import WholeTable
from .._arguments import fitted_model
from .estimability import determined_by
from .sample import compared, read_sample


class Margins(WholeTable):
    """A table of averages that knows their covariance matrix.

    Made by :func:`average_predictions` and :func:`average_effects`, which say what its columns
    are: ``estimate, std_error, ci_low, ci_high`` and what each row is about.  Slices and copies of
    it are plain DataFrames.

    Parameters
    ----------
    data, index, columns, dtype, copy
        As of a DataFrame.

    Examples
    --------
    >>> from skmixed import MixedLinearRegressor
    >>> from skmixed.datasets import make_mixed_regression
    >>> from skmixed.inference import average_effects
    >>> X, y = make_mixed_regression(random_state=0)
    >>> average_effects(MixedLinearRegressor(groups="group").fit(X, y))["term"].to_list()
    ['x0', 'x1']
    """

    _metadata = ["_covariance"]

    def cov_params(self) -> pd.DataFrame:
        """Covariance matrix of the estimates, row by row of the table.

        ``L @ table.estimate`` has covariance ``L @ table.cov_params() @ L.T``.

        Returns
        -------
        DataFrame

        Examples
        --------
        >>> from skmixed import MixedLinearRegressor
        >>> from skmixed.datasets import make_mixed_regression
        >>> from skmixed.inference import average_predictions
        >>> X, y = make_mixed_regression(random_state=0)
        >>> model = MixedLinearRegressor(groups="group").fit(X, y)
        >>> average_predictions(model, at={"x0": [0, 1]}).cov_params().shape
        (2, 2)
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
    """Average predictions: means of a linear model, probabilities of the second class of a logistic
    one.

    ``sum_i w_i m_i / sum_i w_i`` over the rows, with standard errors by the delta method that keep
    the covariance between rows.  The rows themselves count as fixed.

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
        Column -> value or list of values that every row is given; one average for each combination.
        Columns of arrays are called "x0", "x1", ... as in ``results_.params``, or given by
        position.
    by : column or list of columns, default=None
        One average for each combination of their values; also the names of factors that were passed
        as ``groups``.
    kind : {"marginal", "population", "conditional"}, default="marginal"
        "marginal" integrates over all random effects: the average over levels; "population" sets
        them to zero: a typical level; "conditional" takes the estimated effects of known levels and
        integrates over those of new ones. For a linear model the first two are the same.
    level : float, default=0.95
        Of the confidence limits, which are normal.

    Returns
    -------
    Margins
        A DataFrame: the columns of ``at`` and ``by``, then ``estimate, std_error, ci_low,
        ci_high``. ``cov_params()`` is the covariance matrix of the estimates.  Averages that the
        data do not determine, because they break a linear dependency among the columns of the fit
        (a cell that no row has), are NaN, and a column ``note`` says so.

    Raises
    ------
    ValueError
        For unknown columns, kinds and levels, weights that are all zero, or a pickled model without
        ``X``.

    Warns
    -----
    EstimabilityWarning
        For averages that the data do not determine.

    See Also
    --------
    average_effects : Slopes and contrasts of these averages.

    Notes
    -----
    The standard error is that of the average given what new levels average to; ``predict(...,
    return_std=True)`` of a linear model instead adds the whole variance of a new level.  For known
    levels both hold the posterior variance of their effects.  Covariances at the boundary of their
    space count as known.

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
    model = fitted_model(est)
    sample, settings = read_sample(model, X, groups, sample_weight, at, by, kind)
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

    A slope is ``sum_i w_i dm_i/dx_i / sum_i w_i``, a contrast ``sum_i w_i (m_i(b) - m_i(a)) / sum_i
    w_i``, with m the prediction of :func:`average_predictions`.  The column is changed in the
    table, so that everything computed from it follows: powers, interactions, random slopes.
    Columns of zeros and ones, booleans, text, categories and what a formula codes as categories get
    contrasts, other columns slopes.

    Parameters
    ----------
    est : MixedLinearRegressor or MixedLogisticClassifier
        Fitted.
    X : table or array of shape (n_rows, n_columns), default=None
        As for ``est.predict``.  None: the rows of the fit with their groups and weights.
    variables : column, list of columns, or dict, default=None
        Columns to change.  None: all that the model uses but the grouping factors; a column that is
        a grouping factor and a fixed effect of a formula as well is among them.  A dict maps
        columns to lists of values whose contrasts with the first one are wanted, such as ``{"age":
        [30, 40]}``.
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
        A DataFrame: ``term, contrast``, the columns of ``at`` and ``by``, then ``estimate,
        std_error, z, p_value, ci_low, ci_high``.  ``contrast`` is "dy/dx", or the two values that
        are compared.  ``cov_params()`` is the covariance matrix of the estimates.  What the data do
        not determine is NaN, as in :func:`average_predictions`.

    Raises
    ------
    ValueError
        As :func:`average_predictions`, and for columns that hold neither numbers nor categories.

    Warns
    -----
    EstimabilityWarning
        For effects that the data do not determine.

    References
    ----------
    Williams (2012), Using the margins command to estimate and interpret adjusted predictions and
    marginal effects, The Stata Journal 12.

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
    1   x1    dy/dx     0.264      0.004
    """
    model = fitted_model(est)
    sample, settings = read_sample(model, X, groups, sample_weight, at, by, kind)
    found = [
        ({"term": name, "contrast": contrast} | setting, estimates)
        for name, values in compared(sample, variables).items()
        for setting in settings
        for contrast, estimates in sample.effects(name, values, setting)
    ]
    return _answer(sample, found, level, tested=True)


def _answer(sample, found, level, *, tested):
    """Identifying columns, estimates, standard errors, tests and limits; NaN for what the data do
    not determine.
    """
    identified, parts = zip(*found, strict=True)
    estimates = stacked(parts)
    determined = determined_by(sample.model, estimates)
    values = np.where(determined, estimates.values, np.nan)
    covariance = sample.uncertainty.covariances(estimates)
    covariance[~determined] = covariance[:, ~determined] = np.nan
    std_errors = np.sqrt(np.maximum(np.diag(covariance), 0.0))
    columns = {"estimate": values, "std_error": std_errors}
    if tested:
        z = values / np.where(std_errors > 0, std_errors, np.nan)
        columns |= {"z": z, "p_value": 2.0 * stats.norm.sf(np.abs(z))}
    half = stats.norm.ppf(0.5 + check_level(level) / 2.0) * std_errors
    columns |= {"ci_low": values - half, "ci_high": values + half}
    if not np.all(determined):
        columns["note"] = np.where(determined, "", "not estimable")
    which = _identifying(identified, sample.cells)
    out = Margins(pd.concat([*which, pd.DataFrame(columns)], axis=1))
    out._covariance = covariance
    return out


def _identifying(identified, cells):
    """What every row is of: a setting, and within it a cell."""
    repeated = np.repeat(np.arange(len(identified)), len(cells))
    settings = pd.DataFrame(list(identified)).iloc[repeated].reset_index(drop=True)
    return settings, pd.concat([cells] * len(identified), ignore_index=True)
