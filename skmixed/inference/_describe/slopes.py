"""How the slopes of the levels are distributed: ``beta + b`` with b normal, in numbers and in
words.
"""

from __future__ import annotations

from numbers import Real
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from ..._data.checks import check_level
from ..._fit.base import Fit
from ..._fit.joint import variance_jacobian
from ..._report.tables import WholeTable
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


def slope_distribution(
    est: Any,
    level: float = 0.95,
    *,
    above: float | dict[str, float] | None = None,
    below: float | dict[str, float] | None = None,
) -> pd.DataFrame:
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
    above, below : float or dict, default=None
        Also ask for the share of the levels whose slopes are above, or below, this number; a dict
        has a number for each effect of interest, ``{"Days": 5}``.

    Returns
    -------
    DataFrame
        Prints its sentences in full below the numbers.  Columns ``factor, effect, mean, sd, low,
        high, share_above_zero, std_error, in_words``, a row per random slope; empty without any.
        ``mean`` is what the fixed effects say of the column, however they are coded (see Notes), 0
        where they say nothing; ``std_error`` is that of the share, by the delta method, NaN where
        the variance is zero.  With ``above`` follow ``share_above, std_error_above``, with
        ``below`` ``share_below, std_error_below``, NaN for effects that a dict does not name.

    Raises
    ------
    TypeError, ValueError
        For a level, a threshold or an effect that does not exist.

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
    >>> slope_distribution(model, above=2)["share_above"].round(2).to_list()
    [0.08]
    """
    model = fitted_model(est)
    check_level(level)
    thresholds = [t for t in (Threshold("above", above), Threshold("below", below)) if t.is_given]
    found = [
        row
        for k in range(len(model.reader.terms))
        for row in _slope_rows(model, k, level, thresholds)
    ]
    asked = [name for threshold in thresholds for name in threshold.columns]
    table = Slopes(found, columns=[*COLUMNS, *asked])
    for threshold in thresholds:
        threshold.check(table["effect"])
    return table


class Slopes(WholeTable):
    """A table with sentences, which are printed below it rather than cut.

    Slices and copies of it are plain DataFrames.
    """

    def __repr__(self):
        numbers = self.drop(columns="in_words").to_string(float_format="{:.4g}".format)
        return "\n".join([numbers, *self["in_words"]])

    def _repr_html_(self):
        with pd.option_context("display.max_colwidth", None):
            return pd.DataFrame(self)._repr_html_()


class Threshold(NamedTuple):
    """A number that slopes are compared with, or one for each of some effects.

    Attributes
    ----------
    side : "above" or "below"
    given : the number, a dict of them, or None
    """

    side: str
    given: Any

    @property
    def is_given(self):
        """Whether anything was asked."""
        return self.given is not None

    @property
    def columns(self):
        """What it adds to a table."""
        return [f"share_{self.side}", f"std_error_{self.side}"]

    def check(self, effects):
        """Whether the effects exist and the numbers are some."""
        given = self.given if isinstance(self.given, dict) else {None: self.given}
        if unknown := [name for name in given if name is not None and name not in set(effects)]:
            raise ValueError(
                f"{self.side}: {unknown[0]!r} has no random slope.\nName one of {sorted(effects)}."
            )
        for value in given.values():
            if not isinstance(value, Real) or not np.isfinite(value):
                raise TypeError(
                    f"{self.side}={self.given!r}: expected a number, or a dict of numbers.\n"
                    f"Write {self.side}=1.1, or {self.side}={{'age': 1.1}}."
                )

    def of(self, effect):
        """The number for an effect; None where nothing is asked of it."""
        return self.given.get(effect) if isinstance(self.given, dict) else self.given


def _slope_rows(model, k, level, thresholds):
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
        more = []
        for threshold in thresholds:
            shared, sentence = _beyond(fit, (k, r), along[r], mean, sd, threshold, effect)
            more += shared
            words += sentence
        row = (factor, effect, mean, sd, mean - half, mean + half, share, error, words)
        found.append((*row, *more))
    return found


def _beyond(fit, place, along, mean, sd, threshold, effect):
    """Share of the slopes beyond a number with its standard error, and a sentence."""
    number = threshold.of(effect)
    if not isinstance(number, Real):
        return [np.nan, np.nan], ""
    way = 1.0 if threshold.side == "above" else -1.0
    far = way * (mean - number)
    share = float(stats.norm.cdf(far / sd)) if sd > 0 else float(far > 0)
    error = _share_error(fit, *place, along, mean - number, sd) if sd > 0 else np.nan
    return [share, error], f"  {_percent(share)} have a slope {threshold.side} {number:g}."


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
