"""How the slopes of the levels are distributed: ``beta + b`` with b normal, in numbers and in
words.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from ..._data.checks import check_level
from ..._fit.information import entry_jacobian, linear_entry_jacobian, variance_information
from .._arguments import check_estimator


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
    >>> print(slope_distribution(MixedLinearRegressor(random_effects="(1 + x0 | group)").fit(X, y))["in_words"][0])
    96 % of the levels of group have a slope of x0 above zero; 95 % of the slopes lie between -0.15
    and 2.34.
    """
    check_estimator(est)
    check_level(level)
    fit = est._fit
    slopes = [(k, r) for k, term in enumerate(est._terms) for r in _slopes(term)]
    information = variance_information(fit) if slopes and fit.sigma2 is not None else None
    columns = [
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
    return pd.DataFrame(
        [_slope_row(est, information, k, r, level) for k, r in slopes], columns=columns
    )


def _slopes(term):
    """Positions of the effects of a term that are not its intercept."""
    return [r for r, source in enumerate(term.sources) if source >= 0]


def _slope_row(est, information, k, r, level):
    factor, effect, _ = est.results_._labels.entry(k, r, r)
    source = est._terms[k].sources[r]
    mean = float(est.coef_[source]) if source < len(est.coef_) else 0.0
    sd = float(np.sqrt(est._fit.covariances[k][r, r]))
    half = stats.norm.ppf(0.5 + level / 2.0) * sd
    share = float(stats.norm.cdf(mean / sd)) if sd > 0 else float(mean > 0)
    joint = _joint_covariance(est._fit, information, k, r, source + int(est._intercept))
    error = _share_error(joint, mean, sd) if sd > 0 and joint is not None else np.nan
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


def _share_error(joint, mean, sd):
    """By the delta method from the covariance of the fixed effect and the variance of the slope."""
    slope = np.array([1.0 / sd, -mean / (2.0 * sd**3)])
    return float(stats.norm.pdf(mean / sd) * np.sqrt(max(slope @ joint @ slope, 0.0)))


def _joint_covariance(fit, information, k, r, candidate):
    """Covariance of a coefficient and a variance; None where it is not known."""
    if fit.sigma2 is None:
        return _logistic_covariance(fit, k, r, candidate)
    return None if information is None else _linear_covariance(fit, information, k, r, candidate)


def _linear_covariance(fit, information, k, r, candidate):
    """In a linear model they are independent."""
    along = linear_entry_jacobian(fit, information.parameters, [(k, r, r)])[0]
    back = fit.y_scale * _coefficient_row(fit, candidate)
    variance = fit.state.sigma2 * back @ fit.state.fixed.covariance @ back
    return np.diag([variance, along @ information.covariance @ along])


def _logistic_covariance(fit, k, r, candidate):
    joint = fit.parameter_covariance
    count = len(fit.natural_parameters)
    if joint is None or not fit.interior[k]:
        return None
    J = np.zeros((2, len(joint)))
    J[0, count:] = _coefficient_row(fit, candidate)
    J[1, :count] = entry_jacobian(fit, [(k, r, r)])[0]
    return J @ joint @ J.T


def _coefficient_row(fit, candidate):
    """What a coefficient is made of in the frame's units.

    A column that is no fixed effect has the coefficient zero.
    """
    rows = fit.design.frame.coefficient_map[:, fit.design.kept]
    return rows[candidate] if candidate < len(rows) else np.zeros(rows.shape[1])
