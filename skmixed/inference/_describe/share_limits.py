"""Confidence limits of shares of variance, near zero too.

One variance of a linear model has limits that cover exactly, which few levels need.  With lambda
its ratio to sigma^2, r^2(lambda) the residual sum of squares at it, and S, with m degrees of
freedom, the one where the levels have effects of their own,

    F(lambda) = (r^2(lambda) - S) / k / (S / m)  ~  F(k, m),

k being what the levels' own effects add to the rank of X.  It falls with lambda, so that limits
are where it has the quantiles of F (Wald 1940; Harville and Fenech 1985).

Other shares have limits by the delta method on the logit scale where their variances are clear of
zero, and otherwise the profile limits of these variances, all others at their estimates.
"""

from __future__ import annotations

import numpy as np
from scipy import optimize, stats
from scipy.special import expit, logit

from ..._algebra.machine import computing
from ..._algebra.packed import packed_index
from ..._fit.base import Fit
from ..._fit.linear import LinearFit
from .._comparison.hausman import Within
from .._profile.profilers import profiler_of

CLEAR = 0.75  # standard errors from zero
FAR = 5.0  # the same from which a share may be said to be known
MANY = 100  # levels from which it is, too
FARTHEST = 30.0  # of the logarithm of a ratio of variances
UNKNOWN = (np.nan, np.nan)


class VarianceRatio:
    """The ratio of the only variance of a linear model to sigma^2.

    Attributes
    ----------
    unit : share of the rows' variance at a ratio of one
    rows, df : degrees of freedom of F
    """

    def __init__(self, fit: LinearFit, unit: float):
        within = Within.of(fit)
        self.fit = fit
        self.unit = unit
        self.df = within.df
        self.rows = fit.n - fit.rank - within.df
        self.objective = fit.objective.condensed()
        self._mean_square = within.sigma2 / fit.units.variance
        (term,) = fit.covariance_model.terms
        self._direction = term.structure.hull[0]

    @property
    def is_known(self) -> bool:
        """Whether both sums of squares have degrees of freedom."""
        return self.rows > 0 and self.df > 0 and self._mean_square > 0

    def _state(self, ratio):
        T = self.fit.covariance_model.assemble([ratio * self._direction])
        return self.objective(T)

    def pivot(self, ratio: float) -> float:
        """F at a ratio; zero where floats end."""
        state = self._state(ratio)
        if not np.isfinite(state.value):
            return 0.0
        return (state.fixed.r2 / self._mean_square - self.df) / self.rows

    def rise(self, ratio: float) -> float:
        """Of the deviance above that without the variance."""
        return self._state(ratio).value - self._state(0.0).value

    def limits(self, level: float) -> tuple[float, float]:
        """Limits of the share; where levels are so alike that no ratio has an F as small, the upper
        one is that of the profile likelihood.
        """
        tail = (1.0 - level) / 2.0
        least, most = stats.f.ppf([tail, 1.0 - tail], self.rows, self.df)
        low = self._crossing(lambda ratio: self.pivot(ratio) - most)
        high = self._crossing(lambda ratio: self.pivot(ratio) - least)
        if high == 0:
            target = stats.chi2.ppf(level, 1)
            high = self._crossing(lambda ratio: target - self.rise(ratio))
        shares = np.array([low, high]) * self.unit
        return tuple((shares / (1.0 + shares)).tolist())

    def _crossing(self, function):
        """Where a function falls through zero; zero where it does so from the start."""
        if function(0.0) <= 0:
            return 0.0
        middle = -np.log(self.unit)
        ends = middle - FARTHEST, middle + FARTHEST
        values = [function(np.exp(end)) for end in ends]
        if values[0] <= 0 or values[1] >= 0:
            return np.exp(ends[int(values[1] >= 0)])
        return np.exp(optimize.brentq(lambda x: function(np.exp(x)), *ends, xtol=1e-9))


def exact_limits(fit: Fit, level: float) -> tuple[float, float]:
    """Of the share of the only variance of a linear model; NaN where there is another kind."""
    covariances = fit.covariance_model
    is_single = covariances.n_parameters == len(covariances.terms) == len(covariances.sizes) == 1
    is_single &= not fit.is_penalised
    if not (is_single and fit.family.has_residual and fit.is_identified):
        return UNKNOWN
    hull = covariances.terms[0].structure.hull
    if len(hull) != 1:
        return UNKNOWN
    moments = _mean_products(fit, 0)
    with computing(fit.dense_order):
        ratio = VarianceRatio(fit, float(np.sum(moments * hull[0])))
        return ratio.limits(level) if ratio.is_known else UNKNOWN


def logit_limits(share: float, std_error: float, level: float) -> tuple[float, float]:
    """By the delta method on the logit scale."""
    with np.errstate(divide="ignore", invalid="ignore"):
        half = stats.norm.ppf(0.5 + level / 2.0) * std_error / (share * (1.0 - share))
        return float(expit(logit(share) - half)), float(expit(logit(share) + half))


def profile_limits(
    fit: Fit, factors: np.ndarray, others: float, level: float
) -> tuple[float, float]:
    """Of the share of some factors beside the variance of all others, by the profile limits of
    their variances.

    NaN where these are not known.
    """
    profiler = profiler_of(fit, level)
    total = np.zeros(2)
    with computing(fit.dense_order):
        for k, term in enumerate(fit.covariance_model.terms):
            if term.factor in factors and term.structure.n_parameters:
                squares = np.diag(_mean_products_of_term(fit, k))
                limits = [profiler.variance(k, r, r) for r in range(len(squares))]
                total += squares @ np.array(limits) / fit.sigma2
    if np.any(np.isnan(total)) or not total[1] > 0:
        return UNKNOWN
    low, high = (1.0 - others / (total + others)).tolist()
    return low, high if np.isfinite(high) else 1.0


def is_clear(share: float, std_error: float) -> bool:
    """Whether a share is so many standard errors from zero that the delta method says something."""
    return share > CLEAR * std_error  # False where there is no standard error


def is_certain(share: float, std_error: float, n_levels: int) -> bool:
    """Whether a large sample makes the delta method as good as exact limits.

    These are as good, but about another estimate: that where F is one, which differs from that of
    the likelihood where the model does not quite hold.
    """
    return n_levels > MANY and share > FAR * std_error


def _mean_products(fit, f):
    """Mean of ``zz'`` over the rows, in the frame's units."""
    sums = np.sum(fit.level_blocks[f], axis=1)
    return sums[packed_index(fit.covariance_model.sizes[f])] / fit.n


def _mean_products_of_term(fit, k):
    """The same of the effects of a term, in the units of the data."""
    term = fit.covariance_model.terms[k]
    products = _mean_products(fit, term.factor)[term.window, term.window]
    inverse = np.linalg.inv(fit.units.design.frame.bases[k])
    return inverse.T @ products @ inverse
