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
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from ..._data.checks import check_level
from ..._fit.kinds import Kind
from ..._fit.uncertainty import stacked
from .._arguments import fitted_model
from .._contrasts.columns import alone, tested_columns
from .._contrasts.errors import errors_of
from .._contrasts.quantities import Quantities, dependency_words, logit
from .._contrasts.table import Content, Margins, table_of
from .estimability import warn_of_undetermined
from .sample import compared
from .samples import read_samples

Degrees = Literal["normal", "residual", "satterthwaite", "kenward-roger"]
Covariance = Literal["model", "CR0", "CR1", "CR2", "CR3"]


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
    df: Degrees = "normal",
    cov: Covariance = "model",
    clusters: Any = None,
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
        Of the confidence limits.
    df, cov, clusters
        Degrees of freedom and covariance of the fixed effects, as in ``results_.coef_table``.  With
        ``kind="conditional"`` and known levels df is "normal" or "residual", cov the model's.

    Returns
    -------
    Margins
        A DataFrame: the columns of ``at`` and ``by``, then ``estimate, std_error, ci_low,
        ci_high``, and ``df`` where it is not normal. ``cov_params()`` is the covariance matrix of
        the estimates, ``pairs()`` and ``contrasts()`` compare them.  Averages that the data do not
        determine, because they break a linear dependency among the columns of the fit (a cell that
        no row has), are NaN, and a column ``note`` says why.

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

    Without X the rows of a model of chunks are read again, part by part: once for what the columns
    hold, which is remembered, once more for the values of ``by``, and once for the averages.

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
    samples, settings = read_samples(model, X, groups, sample_weight, at, by, kind)
    found = samples.asked(lambda part: [(each, part.average(each)) for each in settings])
    left_out = {"z", "t", "p_value"}
    return _answer(samples, found, (), level, (df, cov, clusters), left_out)


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
    df: Degrees = "normal",
    cov: Covariance = "model",
    clusters: Any = None,
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
        Of the confidence limits.
    df, cov, clusters
        Degrees of freedom and covariance of the fixed effects, as in ``results_.coef_table``.  With
        ``kind="conditional"`` and known levels df is "normal" or "residual", cov the model's.

    Returns
    -------
    Margins
        A DataFrame: ``term, contrast``, the columns of ``at`` and ``by``, then ``estimate,
        std_error, z, p_value, ci_low, ci_high``, with ``df, t`` in the place of z where df is not
        normal.  ``contrast`` is "dy/dx", or the two values that are compared.  ``cov_params()`` is
        the covariance matrix of the estimates, ``pairs()`` and ``contrasts()`` compare those of a
        term.  What the data do not determine is NaN, as in :func:`average_predictions`.

    Raises
    ------
    ValueError
        As :func:`average_predictions`, and for columns that hold neither numbers nor categories.

    Warns
    -----
    EstimabilityWarning
        For effects that the data do not determine.

    Notes
    -----
    Without X the rows of a model of chunks are read again, as by :func:`average_predictions`.

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
    samples, settings = read_samples(model, X, groups, sample_weight, at, by, kind)
    columns = compared(samples.described, variables)
    found = samples.asked(
        lambda part: [
            ({"term": name, "contrast": contrast} | setting, estimates)
            for name, values in columns.items()
            for setting in settings
            for contrast, estimates in part.effects(name, values, setting)
        ]
    )
    has_cells = bool(settings[0]) or len(samples.cells.columns) > 0
    within = ("term", "contrast") if has_cells else ("term",)
    return _answer(samples, found, within, level, (df, cov, clusters), set())


def _answer(samples, found, by, level, options, left_out):
    """Identifying columns, estimates, standard errors, tests and limits; NaN for what the data do
    not determine.
    """
    identified, parts = zip(*found, strict=True)
    estimates = stacked(parts)
    model = samples.described.model
    errors = errors_of(model, *options, has_levels=estimates.effects.nnz > 0)
    is_averaged_probability = model.fit.family.is_curved and not by
    quantities = Quantities(
        model,
        estimates,
        errors,
        log_odds=logit if is_averaged_probability else None,
        reasons=tuple(dependency_words(model, estimates)),
    )
    warn_of_undetermined(quantities, "averages")
    which = pd.concat(_identifying(identified, samples.cells), axis=1)
    notes = (errors.words,) if errors.words else ()
    content = Content(which, quantities, by, check_level(level), notes)
    columns = tested_columns(quantities, level, "none", alone(len(quantities)))
    if options[0] == "normal":
        columns = {"z" if name == "t" else name: v for name, v in columns.items() if name != "df"}
    kept = {name: v for name, v in columns.items() if name not in left_out}
    return table_of(content, kept)


def _identifying(identified, cells):
    """What every row is of: a setting, and within it a cell."""
    repeated = np.repeat(np.arange(len(identified)), len(cells))
    settings = pd.DataFrame(list(identified)).iloc[repeated].reset_index(drop=True)
    return settings, pd.concat([cells] * len(identified), ignore_index=True)
