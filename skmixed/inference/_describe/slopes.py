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
from ..._fit.model import FittedModel
from ..._report.tables import WholeTable
from ..._report.words import percent
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
    return slopes_of(model, level, thresholds)


def slopes_of(
    model: FittedModel, level: float, thresholds=(), *, has_errors: bool = True
) -> Slopes:
    """The same, without standard errors where these are not wanted."""
    slopes = [slope for k in range(len(model.reader.terms)) for slope in _slopes(model, k)]
    for threshold in thresholds:
        threshold.check([slope.effect for slope in slopes])
    asked = [name for threshold in thresholds for name in threshold.columns]
    fit = model.fit if has_errors else None
    found = [_row(fit, slope, level, thresholds) for slope in slopes]
    return Slopes(found, columns=[*COLUMNS, *asked])


class Slopes(WholeTable):
    """A table with sentences, which are printed below it rather than cut.

    Slices and copies of it are plain DataFrames.
    """

    def __repr__(self):
        if not len(self):
            return "No random slopes: every level has the same."
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
    def way(self):
        """The sign of what is beyond."""
        return 1.0 if self.side == "above" else -1.0

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


class Slope(NamedTuple):
    """A random slope, and what the fixed effects say of its mean.

    Attributes
    ----------
    factor, effect : names
    place : its term, and its position there
    along : derivatives of the mean in the coefficients
    is_known : whether the fixed effects say anything of it
    mean, sd : of the slopes of the levels
    """

    factor: str
    effect: str
    place: tuple[int, int]
    along: np.ndarray
    is_known: bool
    mean: float
    sd: float


def _slopes(model, k):
    """Every effect of a term that is not its intercept."""
    fit = model.fit
    positions = [r for r, source in enumerate(model.reader.terms[k].sources) if source >= 0]
    if not positions:
        return
    along, known = fit.units.effect_means(k)
    means = fit.units.means_of(along, fit.beta)
    deviations = np.sqrt(np.diag(fit.covariances[k]))
    for r in positions:
        factor, effect, _ = model.names.entry(k, r, r)
        mean, sd = float(means[r]), float(deviations[r])
        yield Slope(factor, effect, (k, r), along[r], bool(known[r]), mean, sd)


def _row(fit, slope, level, thresholds):
    """Figures of a slope and its sentences."""
    half = stats.norm.ppf(0.5 + level / 2.0) * slope.sd
    share, error = _beyond(fit, slope, Threshold("above", 0.0))
    words = _slope_words(slope, share, level, half)
    asked = []
    for threshold in thresholds:
        found = _beyond(fit, slope, threshold)
        asked += found
        words += _threshold_words(slope, threshold, found[0])
    limits = (slope.mean - half, slope.mean + half)
    return (slope.factor, slope.effect, slope.mean, slope.sd, *limits, share, error, words, *asked)


def _beyond(fit, slope, threshold):
    """Share of the slopes beyond a number with its standard error; NaN where none is asked."""
    number = threshold.of(slope.effect)
    if number is None:
        return np.nan, np.nan
    far = slope.mean - number
    if slope.sd == 0:
        return float(threshold.way * far > 0), np.nan
    share = float(stats.norm.cdf(threshold.way * far / slope.sd))
    return share, _share_error(fit, slope, far)


def _threshold_words(slope, threshold, share):
    number = threshold.of(slope.effect)
    if number is None:
        return ""
    return f"  {percent(share)} have a slope {threshold.side} {number:g}."


def _slope_words(slope, share, level, half):
    unknown = f"  No fixed effect says {slope.effect}: its mean is taken to be 0."
    more = "" if slope.is_known else unknown
    if slope.sd == 0:
        words = f"All levels of {slope.factor} have the same slope of {slope.effect}, "
        return f"{words}{slope.mean:.3g}.{more}"
    low, high = rounded_alike(slope.mean - half, slope.mean + half)
    return (
        f"{percent(share)} of the levels of {slope.factor} have a slope of {slope.effect} above "
        f"zero; {percent(level)} of the slopes lie between {low} and {high}.{more}"
    )


def rounded_alike(low, high):
    """Two limits with as many decimals as tell them apart by three digits."""
    apart = high - low or max(abs(low), 1.0)  # a spread below the rounding of the mean
    decimals = int(np.clip(2 - np.floor(np.log10(apart)), 0, 12))
    return f"{low:.{decimals}f}", f"{high:.{decimals}f}"


def _share_error(fit: Fit | None, slope, far):
    """By the delta method from the covariance of the mean, which is so far from the number, and
    the variance of the slopes.

    NaN where nothing is known of that variance, and without a fit.
    """
    if fit is None:
        return np.nan
    joint = _covariance(fit, *slope.place, slope.along)
    change = np.array([1.0 / slope.sd, -far / (2.0 * slope.sd**3)])
    return float(stats.norm.pdf(far / slope.sd) * np.sqrt(max(change @ joint @ change, 0.0)))


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
