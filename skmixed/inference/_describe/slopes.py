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
        random slope; empty without any.  ``mean`` is what the fixed effects say of the column,
        however they are coded (see Notes), 0 where they say nothing; ``std_error`` is that of the
        share, by the delta method, NaN where the variance is zero.

    Notes
    -----
    Columns are compared by their values, not by their names: where the columns Z of a term are
    combinations ``X C`` of the fixed effects, the means m of its effects solve ``Z m = X_S beta_S``
    with S the fixed effects that take part in C, by least squares where these say more than Z can.
    So the slope of Days has the same mean beside ``Days``, ``scale(Days)`` or ``0 + f``.

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
    rows = [row for k in range(len(model.reader.terms)) for row in _slope_rows(model, k, level)]
    return pd.DataFrame(rows, columns=COLUMNS)


def _slope_rows(model, k, level):
    """A row for every effect of a term that is not its intercept."""
    fit = model.fit
    slopes = [r for r, source in enumerate(model.reader.terms[k].sources) if source >= 0]
    if not slopes:
        return []
    along, known = fit.units.effect_means(k)
    means = fit.units.means_of(along, fit.beta)
    variances = np.diag(fit.covariances[k])
    found = []
    for r in slopes:
        mean, sd = float(means[r]), float(np.sqrt(variances[r]))
        half = stats.norm.ppf(0.5 + level / 2.0) * sd
        share = float(stats.norm.cdf(mean / sd)) if sd > 0 else float(mean > 0)
        error = _share_error(fit, k, r, along[r], mean, sd) if sd > 0 else np.nan
        factor, effect, _ = model.names.entry(k, r, r)
        words = _slope_words(factor, effect, mean, sd, share, level, half)
        words += "" if known[r] else f"  No fixed effect says {effect}: its mean is taken to be 0."
        found.append((factor, effect, mean, sd, mean - half, mean + half, share, error, words))
    return found


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


def _share_error(fit: Fit, k, r, along, mean, sd):
    """By the delta method from the covariance of the mean, whose derivatives in beta are
    ``along``, and the variance of the slope.

    NaN where nothing is known of that variance.
    """
    joint = _covariance(fit, k, r, along)
    slope = np.array([1.0 / sd, -mean / (2.0 * sd**3)])
    return float(stats.norm.pdf(mean / sd) * np.sqrt(max(slope @ joint @ slope, 0.0)))


def _covariance(fit: Fit, k, r, along):
    """Covariance of a mean and a variance."""
    information = fit.information
    if information is None or all(owner != k for owner, _ in information.parameters):
        return np.full((2, 2), np.nan)
    J = np.zeros((2, len(information.covariance)))
    J[0, len(J[0]) - fit.rank :] = along
    along_variances = variance_jacobian(fit, information.parameters, [(k, r, r)])[0]
    J[1, : len(along_variances)] = fit.units.variance * along_variances
    return J @ information.covariance @ J.T
