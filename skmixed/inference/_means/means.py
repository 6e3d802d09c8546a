"""Marginal means: what the model says of a balanced population."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import replace
from typing import Any, Literal

import numpy as np

from ..._data.checks import check_choice, check_level
from ..._fit.kinds import KINDS, Kind
from .._arguments import fitted_model
from .._contrasts.columns import alone, tested_columns
from .._contrasts.errors import chosen_errors, errors_of
from .._contrasts.quantities import (
    PLAIN,
    PROBABILITY,
    Quantities,
    same,
)
from .._contrasts.table import Content, Margins, table_of
from .._margins.estimability import warn_of_undetermined
from .._margins.tables import known_columns, listed
from .data import Data
from .predictions import Averager
from .variables import grid_of
from .weights import WEIGHTS
from .words import empty_cells, notes_of

Degrees = Literal["normal", "residual", "satterthwaite", "kenward-roger"]
Covariance = Literal["model", "CR0", "CR1", "CR2", "CR3"]
Weights = Literal["equal", "proportional", "outer", "cells"]
Scale = Literal["response", "link"]
SCALES = ("response", "link")


def marginal_means(
    est: Any,
    specs: Hashable | list,
    by: Hashable | list | None = None,
    at: dict | None = None,
    weights: Weights = "equal",
    df: Degrees | None = None,
    cov: Covariance = "model",
    scale: Scale = "response",
    *,
    slopes: Hashable | None = None,
    terms: dict | None = None,
    kind: Kind = "marginal",
    clusters: Any = None,
    level: float = 0.95,
    X: Any = None,
) -> Margins:
    """Means of the levels of factors, all else being equal, and slopes there: estimated marginal
    means, which SAS calls least-squares means.

    The model is asked about a *reference grid*: all combinations of the levels of its factors, with
    numbers at their means.  A mean is the average of the linear predictor over the combinations
    that have a level, ``sum_j w_j eta_j``.  :func:`average_predictions` instead averages over the
    rows as they are.

    Parameters
    ----------
    est : MixedLinearRegressor or MixedLogisticClassifier
        Fitted.
    specs : column or list of columns
        A mean for every combination of their levels; an empty list for one mean of all.  Factors
        are text, categories, booleans, columns of zeros and ones, what a formula codes as
        categories, and the names of ``terms``.  A column of numbers that is named has the values of
        ``at``, or all of its values where these are at most ten.
    by : column or list of columns, default=None
        The same; means are then compared within the levels of these.
    at : dict, default=None
        Column -> value or list of values, in the place of its mean or of all of its levels.
    weights : {"equal", "proportional", "outer", "cells"}, default="equal"
        Of the combinations that a mean averages over: all alike; their frequencies in the rows; the
        products of the frequencies of the single levels; their frequencies among the rows of the
        mean.  ``sample_weight`` counts rows.
    df : {"satterthwaite", "kenward-roger", "residual", "normal"}, default=None
        Degrees of freedom, as in ``results_.coef_table``.  None: Satterthwaite's for a linear model
        (where its variances have no standard errors, those of the residuals), "normal" for a
        classifier, and where ``kind="conditional"`` has levels.
    cov : {"model", "CR0", "CR1", "CR2", "CR3"}, default="model"
        Covariance of the fixed effects, as there.
    scale : {"response", "link"}, default="response"
        For a classifier, probabilities of the second class or log-odds.
    slopes : column, default=None
        Means of the slope of this column of numbers in the place of means.
    terms : dict, default=None
        Columns of zeros and ones that are one variable together: ``{"race": ["race_2", "race_3"]}``
        with a level "(reference)" where all are zero, or ``{"race": {"white": None, "black":
        "race_2", "other": "race_3"}}``.  The columns of ``"race:age"`` are products of those of
        "race" and "age", and follow them.
    kind : {"marginal", "population", "conditional"}, default="marginal"
        Random effects are integrated over, zero, or those of known levels that the grid names, as
        in :func:`average_predictions`.  For a linear model the first two are the same.
    clusters : str or array-like of shape (n_rows,), default=None
        Of a robust ``cov``.
    level : float, default=0.95
        Of the limits.
    X : table or array, default=None
        Rows whose levels, frequencies and means make the grid.  None: those of the fit.

    Returns
    -------
    Margins
        A DataFrame: the columns of ``specs`` and ``by``, the first varying fastest, then
        ``estimate, std_error, df, t, p_value, ci_low, ci_high``; with infinite ``df`` column t is
        z.  ``pairs()``, ``contrasts()`` and ``letters()`` compare the rows.  Means that the data do
        not determine are NaN, and a column ``note`` says why.

    Raises
    ------
    ValueError
        For unknown columns and levels, numbers without values, a grid of more than a million rows,
        methods that the model has not, and a pickled model without ``X``.

    Warns
    -----
    EstimabilityWarning
        For means that the data do not determine.

    See Also
    --------
    average_predictions : Averages over the rows.

    Notes
    -----
    On the scale of the response a probability is that of the averaged linear predictor, integrated
    over the random effects there: ``E logit^-1(eta + u)``, or with ``kind="population"``
    ``logit^-1(eta)``.  Its test (of one half) and its limits are those of its log-odds; differences
    of probabilities have errors by the delta method; ``pairs(odds_ratios=True)`` are ratios of the
    odds of these probabilities.  On the link scale they are ratios for one and the same level.

    A product that was computed before the fit is a number like others to the grid, which puts it at
    its mean, unless ``terms`` says what it is of; in a formula ``a * b`` it follows.  Columns of
    zeros and ones of which no row has two ones look like levels of one variable: without ``terms``
    they are put at their shares.

    Without X the rows of a model of chunks are read again: once for what the columns hold, which is
    remembered, and once for frequencies and means.

    References
    ----------
    Searle, Speed and Milliken (1980), Population marginal means in the linear model: an alternative
    to least squares means, The American Statistician 34.  Lenth (2016), Least-squares means: the R
    package lsmeans, Journal of Statistical Software 69.

    Examples
    --------
    >>> from skmixed import MixedLinearRegressor
    >>> from skmixed.datasets import make_mixed_regression
    >>> from skmixed.inference import marginal_means
    >>> X, y = make_mixed_regression(n_groups=12, rows_per_group=6, random_state=0)
    >>> data = X.assign(y=y, arm=["abc"[k % 3] for k in range(len(X))])
    >>> model = MixedLinearRegressor.from_formula("y ~ arm + x1 + (1 | group)", data)
    >>> means = marginal_means(model, "arm", df="kenward-roger")
    >>> means[["arm", "estimate", "std_error", "df"]].round(2)
      arm  estimate  std_error     df
    0   a      0.52       0.45  32.60
    1   b      0.34       0.44  32.42
    2   c      0.61       0.45  32.86
    >>> means.pairs(adjust="tukey")[["contrast", "p_value"]].round(2)
      contrast  p_value
    0    a - b     0.93
    1    a - c     0.98
    2    b - c     0.86
    """
    model = fitted_model(est)
    check_choice("scale", scale, SCALES)
    check_choice("kind", kind, KINDS)
    check_choice("weights", weights, WEIGHTS)
    check_level(level)
    named = [*listed(specs), *listed(by), *(at if isinstance(at, dict) else ())]
    data = Data.of(model, X, named)
    slopes = None if slopes is None else _number(data, slopes)
    grid = grid_of(data, specs, by, at, terms, () if slopes is None else (slopes,))
    _check_slopes(grid, slopes)
    _check_groups(grid, kind)
    shares = WEIGHTS[weights].of(grid)
    averager = Averager.of(grid, shares, kind)
    on_link = scale == "link" or not model.fit.family.is_curved
    quantities = _quantities(averager, slopes, on_link, df, cov, clusters)
    reasons = empty_cells(grid, shares, averager.broken(averager.read()[0]), quantities)
    quantities = _without(quantities, ~np.any(shares, axis=1), reasons)
    warn_of_undetermined(quantities, "means" if slopes is None else "slopes")
    notes = notes_of(grid, weights, quantities, slopes, kind, on_link)
    names = tuple(factor.name for factor in grid.by)
    content = Content(grid.which(), quantities, names, level, notes)
    return table_of(content, tested_columns(quantities, level, "none", alone(len(quantities))))


def _number(data, slopes):
    """A column of numbers that the model uses."""
    (name,) = known_columns("slopes", [slopes], data.table)
    if name not in data.used or not data.is_number(name) or name in data.categorical:
        raise ValueError(
            f"slopes: {name!r} is no number that the model uses.\n"
            "Contrasts of its levels: marginal_means(...).contrasts()."
        )
    return name


def _check_slopes(grid, slopes):
    """A slope is one at every mean."""
    if slopes is not None and slopes in [factor.name for factor in grid.averaged]:
        raise ValueError(
            f"at: several values of {slopes!r}, whose slope is asked for.\nName it in by as well."
        )


def _check_groups(grid, kind):
    """Levels of grouping factors differ by their effects alone."""
    names = [f.name for f in grid.shown if f.name in grid.data.grouping or f.is_label]
    if names and kind != "conditional":
        raise ValueError(
            f"specs: {names[0]!r} is a grouping factor, whose effects kind={kind!r} leaves out.\n"
            "Ask for kind='conditional', or name a fixed effect."
        )


def _quantities(averager, slopes, on_link, df, cov, clusters):
    """Means or slopes with their errors."""
    model = averager.model
    if slopes is not None:
        estimates = averager.slope(slopes, on_link)
    else:
        rows, codes = averager.read()
        estimates = averager.link(rows, codes) if on_link else averager.response(rows, codes)
    has_levels = estimates.effects.nnz > 0
    if df is None and cov == "model":
        errors = chosen_errors(model, has_levels=has_levels)
    else:
        errors = errors_of(model, df or _usual(model), cov, clusters, has_levels=has_levels)
    is_mean = slopes is None
    return Quantities(
        model,
        estimates,
        errors,
        view=PROBABILITY if is_mean and not on_link else PLAIN,
        log_odds=same if is_mean and model.fit.family.is_curved else None,
    )


def _usual(model):
    return "satterthwaite" if model.fit.family.has_residual else "normal"


def _without(quantities, empty, reasons):
    """NaN for means of no rows, and for what the data do not determine."""
    estimates = quantities.estimates
    lost = empty if quantities.view is PLAIN else empty | ~quantities.determined
    values = np.where(lost, np.nan, estimates.values)
    found = replace(estimates, values=values)
    return replace(quantities, estimates=found, reasons=tuple(reasons))
