"""Shares of the variance that a model explains, with limits.

With s_x the variance of ``x'beta`` over the rows, s_r the mean variance of the random effects and
s_e that of the residuals,

    R^2 = s_x or s_x + s_r, over s_x + s_r + s_e.

Their log-odds, ``log s_x - log(s_r + s_e)`` and ``log(s_x + s_r) - log s_e``, have standard errors
by the delta method from the information of all parameters.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
from scipy import stats
from scipy.special import expit

from ..._data.checks import check_choice, check_level
from ..._fit.model import FittedModel
from ..._report.words import html_of_text
from .._arguments import fitted_model, refuse_estimator
from .shares import Shares, shares

RESIDUALS = ("theoretical", "delta")


class _Parts(NamedTuple):
    """The numbers of :class:`RSquared`."""

    marginal: float
    conditional: float
    icc_adjusted: float
    icc_unadjusted: float
    var_fixed: float
    var_random: float
    var_residual: float


class RSquared(_Parts):
    """Shares of the variance that a model explains, and the variances they are made of.

    Attributes
    ----------
    marginal, conditional : float
        R squared of the fixed effects, and with the random ones.
    icc_adjusted, icc_unadjusted : float
        Share of the random effects, the fixed ones left out or not.
    var_fixed, var_random, var_residual : float
    table : DataFrame
        ``estimate, ci_low, ci_high`` of "marginal" and "conditional".
    level : float
        Of the limits.
    """

    table: pd.DataFrame
    level: float

    _repr_html_ = html_of_text

    def __repr__(self):
        limits = [
            f"{name} {row['estimate']:.4f} ({row['ci_low']:.4f} to {row['ci_high']:.4f})"
            for name, row in self.table.iterrows()
        ]
        return (
            f"R squared, with {100.0 * self.level:g} % limits: {', '.join(limits)}\n"
            f"Share of the random effects: {self.icc_adjusted:.4f} beside the residual, "
            f"{self.icc_unadjusted:.4f} of all\n"
            f"Variances: fixed {self.var_fixed:.4g}, random {self.var_random:.4g}, "
            f"residual {self.var_residual:.4g}"
        )


def r_squared(
    est: Any, residual: Literal["theoretical", "delta"] = "theoretical", *, level: float = 0.95
) -> RSquared:
    """Marginal and conditional R squared (Nakagawa and Schielzeth 2013, with slopes by Johnson
    2014).

    ``marginal = s_x / (s_x + s_r + s_e)`` is what the fixed effects explain, ``conditional`` adds
    s_r, the random effects; ``icc_adjusted = s_r / (s_r + s_e)`` and ``icc_unadjusted = s_r / (s_x
    + s_r + s_e)``.  s_x is the sample variance of ``x'beta`` over the rows, s_r the mean of
    ``z'Gz`` over them.  Limits are those of the log-odds of R squared by the delta method, for
    these rows of X.

    Parameters
    ----------
    est : MixedLinearRegressor or MixedLogisticClassifier
        Fitted; a classifier, and a linear model without an intercept, need their training rows.
    residual : {"theoretical", "delta"}, default="theoretical"
        s_e of a classifier: pi^2 / 3, the variance of the latent log-odds, or ``1 / (p (1 - p))``
        with the share p of ones, that of observed ones on this scale (Nakagawa, Johnson and
        Schielzeth 2017).  A linear model has sigma^2.
    level : float, default=0.95
        Of the confidence limits.

    Returns
    -------
    RSquared
        ``marginal, conditional, icc_adjusted, icc_unadjusted, var_fixed, var_random,
        var_residual``; ``table`` has the limits of the first two, NaN where the parameters have no
        standard errors.

    Raises
    ------
    ValueError
        For levels and residuals that do not exist, and models of ``skmixed.meta``, whose columns
        belong to another estimator.

    Examples
    --------
    >>> from skmixed import MixedLinearRegressor
    >>> from skmixed.datasets import make_mixed_regression
    >>> from skmixed.inference import r_squared
    >>> X, y = make_mixed_regression(random_state=0)
    >>> found = r_squared(MixedLinearRegressor(random_effects="(1 + x0 | group)").fit(X, y))
    >>> round(found.marginal, 2), round(found.conditional, 2)
    (0.66, 0.87)
    >>> found.table.round(2)
                 estimate  ci_low  ci_high
    marginal         0.66    0.62     0.70
    conditional      0.87    0.86     0.89
    """
    check_choice("residual", residual, RESIDUALS)
    check_level(level)
    model = fitted_model(est)
    refuse_estimator(model, "R squared", "Use score or cross_val_score, and icc for the levels.")
    random = shares(model.fit)
    explained = _Explained.of(model)
    s_r = float(model.fit.sigma2 * np.sum(random.variances))
    parts = _parts(explained.variance, s_r, _residual_variance(model, residual))
    errors = _std_errors(model, parts, explained.slope, random)
    half = stats.norm.ppf(0.5 + level / 2.0) * errors
    with np.errstate(divide="ignore", invalid="ignore"):
        odds = np.array(parts[:2]) / (1.0 - np.array(parts[:2]))
        low, high = expit(np.log(odds) - half), expit(np.log(odds) + half)
    return _with_limits(parts, low, high, level)


def explained_share(model: FittedModel) -> float:
    """Marginal R squared alone, which needs no second derivatives."""
    random = shares(model.fit, has_errors=False)
    s_r = model.fit.sigma2 * float(np.sum(random.variances))
    s_e = _residual_variance(model, RESIDUALS[0])
    return _parts(_Explained.of(model).variance, s_r, s_e).marginal


def _parts(fixed, random, residual):
    total = fixed + random + residual
    with np.errstate(invalid="ignore", divide="ignore"):
        found = np.divide([fixed, fixed + random, random], total)
        adjusted = np.divide(random, random + residual)
    marginal, conditional, unadjusted = found.tolist()
    return _Parts(marginal, conditional, float(adjusted), unadjusted, fixed, random, residual)


def _std_errors(model: FittedModel, parts: _Parts, slope: np.ndarray, random: Shares) -> np.ndarray:
    """Of the log-odds of both; zero for one that is zero whatever the parameters are."""
    fit = model.fit
    information = fit.information
    if information is None:
        return np.full(2, np.nan)
    s_x, s_r, s_e = parts[4:]
    k = information.n_parameters + information.has_scale
    of_x, of_r, of_e = np.zeros((3, k + fit.rank))
    of_x[k:] = slope
    of_r[: information.n_parameters] = fit.sigma2 * random.directions.sum(axis=1)
    if information.has_scale:
        sigma = np.sqrt(fit.scale)
        of_r[k - 1] = 2.0 * s_r / sigma
        of_e[k - 1] = 2.0 * s_e / sigma
    with np.errstate(divide="ignore", invalid="ignore"):
        marginal = of_x / s_x - (of_r + of_e) / (s_r + s_e)
        conditional = (of_x + of_r) / (s_x + s_r) - of_e / s_e
        slopes = np.array([marginal, conditional])
        found = np.sqrt(np.sum(slopes @ information.covariance * slopes, axis=1))
    return np.where([s_x > 0, s_x + s_r > 0], found, 0.0)


def _residual_variance(model: FittedModel, residual: str) -> float:
    """Of the response on the scale of the linear predictor."""
    fit = model.fit
    mean = None
    if residual == "delta" and not fit.family.has_residual:
        sums = [(p.known_weights @ p.y, np.sum(p.known_weights)) for p in model.parts()]
        total, n = np.sum(sums, axis=0)
        mean = total / n
    return float(fit.sigma2 * fit.family.residual_variance(mean))


class _Explained(NamedTuple):
    """The sample variance of ``x'beta`` over the rows, weights counting repetitions, and its
    derivative in the frame's coefficients.
    """

    variance: float
    slope: np.ndarray

    @classmethod
    def of(cls, model: FittedModel) -> _Explained:
        fit = model.fit
        if fit.family.has_residual and fit.units.has_intercept:
            return _explained_from_sums(fit)
        coefficients = model.predictor.coefficients

        def predictor(part):
            return part.read()[0].X[:, : len(coefficients)] @ coefficients

        sums = [(p.known_weights @ predictor(p), np.sum(p.known_weights)) for p in model.parts()]
        total, n = np.sum(sums, axis=0)
        squares, slope = 0.0, np.zeros(fit.rank)
        for part in model.parts():
            centred = predictor(part) - total / n
            columns, _ = fit.units.columns(part.read()[0].X)
            squares += part.known_weights @ centred**2
            slope += columns.T @ (part.known_weights * centred)
        scale = fit.n - 1.0
        return cls(float(squares / scale), 2.0 * fit.units.response / scale * slope)


def _explained_from_sums(fit):
    """``b'(X'WX / n - m m')b``: the intercept, the first column, adds nothing, and knows the means
    m of the others.
    """
    standard = fit.units.standard
    p = fit.rank
    gram = fit.sums.gram[:p, :p] / fit.n
    b = fit.units.response * fit.beta[1:] + standard.pilot[1:]
    means = gram[0, 1:] / standard.mixing[0, 0]
    along = gram[1:, 1:] @ b - means * (means @ b)
    correction = fit.n / (fit.n - 1.0)
    slope = np.append(0.0, 2.0 * fit.units.response * correction * along)
    return _Explained(float(max(b @ along, 0.0) * correction), slope)


def _with_limits(parts: _Parts, low: np.ndarray, high: np.ndarray, level: float) -> RSquared:
    """The numbers, with limits of the first two."""
    found = RSquared(*parts)
    columns = {"estimate": parts[:2], "ci_low": low, "ci_high": high}
    found.table = pd.DataFrame(columns, index=["marginal", "conditional"])
    found.level = level
    return found
