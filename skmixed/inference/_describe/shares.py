"""How the variation of the response is shared out: between levels, the fixed effects, what is left.

The variance that the effects of factor f give to a row z is ``z'G_f z``; its mean over the rows
(Johnson 2014),

    s_f = tr(G_f Z_f'WZ_f) / sum w,

takes the place of the intercept's variance where slopes are random, and needs cross-products only.
With the residual variance s_e, pi^2 / 3 on the scale of the log-odds,

    icc = s_f / (sum_f s_f + s_e).

Standard errors come from the covariance of the estimated covariances by the delta method.  For a
linear model ``s_f / s_e`` does not depend on sigma.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ..._algebra.layout import is_nested
from ..._algebra.packed import direction_traces, lower_triangle
from ..._data.checks import check_level
from ..._fit.base import Fit
from ..._fit.model import FittedModel
from .._arguments import fitted_model
from .share_limits import UNKNOWN, exact_limits, is_certain, is_clear, logit_limits, profile_limits


def icc(est: Any, level: float = 0.95) -> pd.DataFrame:
    """Intraclass correlations: the share of the variance that lies between the levels of a factor.

    ``(sum of s over the factor and those that contain it) / (sum of all s + s_e)``: for schools and
    the classes within, two pupils of one school, and two of one class, correlate by these shares
    (Stata's ``estat icc``).  Crossed factors count each on its own.  With random slopes s is the
    mean of ``z'Gz`` over the rows (Johnson 2014); s_e is sigma^2, or pi^2 / 3 for a classifier,
    whose shares are those of the latent log-odds.

    Parameters
    ----------
    est : MixedLinearRegressor or MixedLogisticClassifier
        Fitted; a classifier needs its training rows.
    level : float, default=0.95
        Of the confidence limits.

    Returns
    -------
    DataFrame
        ``icc, std_error, ci_low, ci_high`` by factor, the outermost first.  Standard errors by the
        delta method, NaN where a variance is zero.  Limits are those of the delta method on the
        logit scale, as Stata's; of a linear model with one variance, unless its levels are more
        than 100 and the share is more than five standard errors, exact ones; and else, of a share
        that is less than 0.75 standard errors, from the profile limits of its variance, which begin
        at 0.

    References
    ----------
    Harville and Fenech (1985), Confidence intervals for a variance ratio, or for heritability, in
    an unbalanced mixed linear model, Biometrics 41.

    Examples
    --------
    >>> from skmixed import MixedLinearRegressor
    >>> from skmixed.datasets import make_mixed_regression
    >>> from skmixed.inference import icc
    >>> X, y = make_mixed_regression(covariance=[[1.0]], random_state=0)
    >>> icc(MixedLinearRegressor(groups="group").fit(X, y)).round(2)
            icc  std_error  ci_low  ci_high
    group  0.53       0.04    0.46     0.62
    """
    model = fitted_model(est)
    check_level(level)
    found = shares(model.fit)
    table = _correlations(model, found)
    members = _containing(model.fit)[_outermost_first(model.fit)]
    limits = [
        _limits(model.fit, found, own, *row, level)
        for own, row in zip(members, table.to_numpy(), strict=True)
    ]
    low, high = np.array(limits).reshape(-1, 2).T
    return table.assign(ci_low=low, ci_high=high)


def correlations(model: FittedModel) -> pd.DataFrame:
    """:func:`icc` without limits."""
    return _correlations(model, shares(model.fit))


def _correlations(model, found):
    """Shares and their standard errors by factor, the outermost first."""
    order = _outermost_first(model.fit)
    members = _containing(model.fit)
    values = np.array([found.of(members[f]) for f in order]).reshape(-1, 2)
    names = [model.names.factors[f] for f in order]
    return pd.DataFrame(values, columns=["icc", "std_error"], index=names)


def _outermost_first(fit):
    return np.argsort(_containing(fit).sum(axis=1), kind="stable")


def _limits(fit, found, members, share, std_error, level):
    """Limits of the share of some factors."""
    if not is_certain(share, std_error, members @ [len(b) for b in fit.effects]):
        exact = exact_limits(fit, level)
        if not np.isnan(exact[0]):
            return exact
    limits = UNKNOWN
    is_simple = share == 0 or _has_one_variance(fit, members)
    has_profile = is_simple and not fit.is_penalised and fit.solver == "exact"
    if has_profile and not is_clear(share, std_error):
        others = found.total - float(members @ found.variances)
        limits = profile_limits(fit, np.flatnonzero(members), others, level)
    return logit_limits(share, std_error, level) if np.isnan(limits[0]) else limits


def _has_one_variance(fit, members):
    """Whether the factors have one effect in all."""
    return members @ np.array(fit.covariance_model.sizes) == 1


def _containing(fit):
    """(factors, factors) table of zeros and ones: whether a level of the first lies in one of the
    second.
    """
    cross = fit.sums.plan.cross
    m = len(fit.effects)
    table = [f == g or is_nested(cross, f, g) for f in range(m) for g in range(m)]
    return np.array(table, dtype=int).reshape(m, m)


def design_effect(est: Any) -> pd.DataFrame:
    """How much less the rows tell about a mean because those of one level resemble each other.

    ``1 + (n~ - 1) icc`` (Kish 1965) with the size of the level that a typical row is in, ``n~ = sum
    n_j^2 / sum n_j``, and the correlation of two rows of one level from :func:`icc`; the mean of n
    rows is as exact as that of ``n / design_effect`` independent ones.

    Parameters
    ----------
    est : MixedLinearRegressor or MixedLogisticClassifier
        Fitted, with random intercepts only.

    Returns
    -------
    DataFrame
        ``levels, size, icc, design_effect, effective_n`` by factor, the outermost first.

    Raises
    ------
    ValueError
        With random slopes: two rows of one level then have no one correlation.

    Examples
    --------
    >>> from skmixed import MixedLinearRegressor
    >>> from skmixed.datasets import make_mixed_regression
    >>> from skmixed.inference import design_effect
    >>> X, y = make_mixed_regression(covariance=[[1.0]], random_state=0)
    >>> design_effect(MixedLinearRegressor(groups="group").fit(X, y)).round(1)
           levels  size  icc  design_effect  effective_n
    group     100  10.0  0.5            5.8        172.3
    """
    model = fitted_model(est)
    names = model.names
    _check_intercepts(names)
    table = _correlations(model, shares(model.fit))[["icc"]]
    sizes = [names.sizes[names.factors.index(name)] for name in table.index]
    typical = np.array([np.sum(size**2) / np.sum(size) for size in sizes])
    effect = 1.0 + (typical - 1.0) * table["icc"].to_numpy()
    table.insert(0, "levels", [len(size) for size in sizes])
    table.insert(1, "size", typical)
    return table.assign(design_effect=effect, effective_n=model.fit.n / effect)


def _check_intercepts(names):
    for factor, effects in zip(names.factors, names.effects, strict=True):
        if effects != ("Intercept",):
            raise ValueError(
                f"design_effect: {factor} has effects {', '.join(effects)}; the correlation of two "
                "rows of one level depends on them.\n"
                "Use random intercepts only, or icc for shares averaged over the rows."
            )


@dataclass(frozen=True)
class Shares:
    """Variances of the factors in units of sigma^2, or on the scale of the log-odds.

    Attributes
    ----------
    variances : (factors,) s_f
    residual : s_e
    directions : (parameters, factors) derivatives of s_f in the covariance parameters
    covariance : of the parameters; None where there is none
    """

    variances: np.ndarray
    residual: float
    directions: np.ndarray
    covariance: np.ndarray | None

    @property
    def total(self):
        return float(np.sum(self.variances)) + self.residual

    def of(self, members):
        """Share of the sum of some factors, a 0/1 vector, in the total, and its standard error."""
        share = members @ self.variances / self.total
        slope = self.directions @ (members - share) / self.total
        return share, self._std_error(slope)

    def _std_error(self, slope):
        """NaN where nothing is known, or nothing may vary."""
        if self.covariance is None or not np.any(slope):
            return np.nan
        return float(np.sqrt(max(slope @ self.covariance @ slope, 0.0)))


def shares(fit: Fit, *, has_errors: bool = True) -> Shares:
    """:class:`Shares` of a fit, without standard errors where these are not wanted."""
    weights = _moments(fit)
    information = fit.information if has_errors else None
    parameters = () if information is None else information.parameters
    directions = fit.covariance_model.directions(parameters)
    ends = np.cumsum([len(w) for w in weights])
    parts = np.split(directions, ends[:-1], axis=1)  # without factors there is an empty part
    by_factor = [part @ w for part, w in zip(parts, weights, strict=False)]
    slopes = np.array(by_factor).T.reshape(len(directions), len(weights))
    covariance = information.of_covariances if parameters else None
    variances = _mean_variances(fit, weights)
    return Shares(variances, fit.family.residual_variance(), slopes, covariance)


def _mean_variances(fit, weights):
    """``s_f`` per factor, in units of sigma^2 where there is one."""
    T = fit.covariance_model.assemble(fit.T)
    return np.array([t[lower_triangle(len(t))] @ w for t, w in zip(T, weights, strict=True)])


def _moments(fit):
    """Per factor the weights of the packed entries of T in ``s_f``: mean squares and products of z
    over the rows.
    """
    sums = [np.sum(A, axis=1) for A in fit.level_blocks]
    return [direction_traces(A) / fit.n for A in sums]
