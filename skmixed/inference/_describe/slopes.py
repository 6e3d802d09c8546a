"""How the slopes of the levels are distributed: ``beta + b`` with b normal, in numbers and in
words.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from ..._data.checks import check_level
from ..._fit.base import Fit
from ..._fit.joint import variance_jacobian
from ..._fit.model import FittedModel
from .._arguments import fitted_model

COLUMNS = [
    "factor",
    "effect",
    "mean",
    "sd",
    "low",
    "high",
    "share_above_zero",
    "std_error",
    "in_words",
]


def slope_distribution(est: Any, level: float = 0.95) -> pd.DataFrame:
    """How the slopes of the levels are distributed, in numbers and in words.

    The slope of a column in a level is ``beta + b`` with b normal of variance ``sd^2``: between
    ``mean -+ z sd`` in a share ``level`` of all levels, above zero in a share ``Phi(mean / sd)``.
    Both are about the population of levels at the estimates, not about the estimated slopes of
    those in the data.

    Parameters
    ----------
    est : MixedLinearRegressor or MixedLogisticClassifier
        Fitted.
    level : float, default=0.95
        Share of the levels whose slopes lie between ``low`` and ``high``.

    Returns
    -------
    DataFrame
        ``factor, effect, mean, sd, low, high, share_above_zero, std_error, in_words``, a row per
        random slope; empty without any.  ``mean`` is the fixed effect of the column, 0 where it has
        none; ``std_error`` is that of the share, by the delta method, NaN where the variance is
        zero.

    Examples
    --------
    >>> from skmixed import MixedLinearRegressor
    >>> from skmixed.datasets import make_mixed_regression
    >>> from skmixed.inference import slope_distribution
    >>> X, y = make_mixed_regression(random_state=0)
    >>> model = MixedLinearRegressor(random_effects="(1 + x0 | group)").fit(X, y)
    >>> for sentence in slope_distribution(model)["in_words"]:
    ...     print(sentence.replace("; ", ";\\n"))
    96 % of the levels of group have a slope of x0 above zero;
    95 % of the slopes lie between -0.15 and 2.34.
    """
    model = fitted_model(est)
    check_level(level)
    terms = enumerate(model.reader.terms)
    rows = [_slope_row(model, k, r, level) for k, term in terms for r in _slopes(term)]
    return pd.DataFrame(rows, columns=COLUMNS)


def _slopes(term):
    """Positions of the effects of a term that are not its intercept."""
    return [r for r, source in enumerate(term.sources) if source >= 0]


def _slope_row(model, k, r, level):
    factor, effect, _ = model.names.entry(k, r, r)
    source = model.reader.terms[k].sources[r]
    coefficients = model.predictor.coefficients
    mean = float(coefficients[source]) if source < len(coefficients) else 0.0
    sd = float(np.sqrt(model.fit.covariances[k][r, r]))
    half = stats.norm.ppf(0.5 + level / 2.0) * sd
    share = float(stats.norm.cdf(mean / sd)) if sd > 0 else float(mean > 0)
    error = _share_error(model, k, r, mean, sd) if sd > 0 else np.nan
    words = _slope_words(factor, effect, mean, sd, share, level, half)
    return factor, effect, mean, sd, mean - half, mean + half, share, error, words


def _slope_words(factor, effect, mean, sd, share, level, half):
    if sd == 0:
        return f"All levels of {factor} have the same slope of {effect}, {mean:.3g}."
    low, high = rounded_alike(mean - half, mean + half)
    return (
        f"{_percent(share)} of the levels of {factor} have a slope of {effect} above zero; "
        f"{_percent(level)} of the slopes lie between {low} and {high}."
    )


def rounded_alike(low, high):
    """Two limits with as many decimals as tell them apart by three digits."""
    apart = high - low or max(abs(low), 1.0)  # a spread below the rounding of the mean
    decimals = int(np.clip(2 - np.floor(np.log10(apart)), 0, 12))
    return f"{low:.{decimals}f}", f"{high:.{decimals}f}"


def _percent(share):
    """A share in words; never all or nothing where it is not quite that."""
    percent = 100.0 * share
    if 0.0 < percent < 0.5:
        return "less than 1 %"
    if 99.5 < percent < 100.0:
        return "more than 99 %"
    return f"{percent:.0f} %"


def _share_error(model: FittedModel, k, r, mean, sd):
    """By the delta method from the covariance of the fixed effect and the variance of the slope.

    NaN where nothing is known of that variance.
    """
    candidate = model.reader.terms[k].sources[r] + model.reader.intercept
    joint = _covariance(model.fit, k, r, candidate)
    slope = np.array([1.0 / sd, -mean / (2.0 * sd**3)])
    return float(stats.norm.pdf(mean / sd) * np.sqrt(max(slope @ joint @ slope, 0.0)))


def _covariance(fit: Fit, k, r, candidate):
    """Covariance of a coefficient and a variance."""
    information = fit.information
    if information is None or all(owner != k for owner, _ in information.parameters):
        return np.full((2, 2), np.nan)
    J = np.zeros((2, len(information.covariance)))
    J[0, len(J[0]) - fit.rank :] = _coefficient_row(fit, candidate)
    along = variance_jacobian(fit, information.parameters, [(k, r, r)])[0]
    J[1, : len(along)] = fit.units.variance * along
    return J @ information.covariance @ J.T


def _coefficient_row(fit, candidate):
    """What a coefficient is made of in the frame's units.

    A column that is no fixed effect has the coefficient zero.
    """
    rows = fit.units.coefficient_rows
    return rows[candidate] if candidate < len(rows) else np.zeros(rows.shape[1])
