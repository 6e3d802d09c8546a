"""Descriptions of a fit: how much of the variation lies between levels, how well it predicts, what slopes look like.

The variance that the effects of factor f give to a row z is ``z'G_f z``; its mean over the rows (Johnson 2014),

    s_f = tr(G_f Z_f'WZ_f) / sum w,

takes the place of the intercept's variance where slopes are random, and needs cross-products only.  With the residual
variance s_e (pi^2 / 3 on the scale of the log-odds) and s_x, the variance of ``x'beta`` over the rows,

    icc = s_f / (sum_f s_f + s_e),        R^2 = s_x or s_x + sum_f s_f, over s_x + sum_f s_f + s_e.

Standard errors come from the covariance of the estimated covariances by the delta method.  For a linear model
``s_f / s_e`` does not depend on sigma.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
from scipy import stats
from scipy.special import expit, logit

from .. import _kernels as kernels
from .._lmm import working_variates
from .._optimize import pack
from ._contrasts import check_level
from ._variances import entry_jacobian, linear_entry_jacobian, packed_directions, variance_information

RESIDUALS = ("theoretical", "delta")
LOGISTIC_VARIANCE = np.pi**2 / 3.0  # of the logistic distribution


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


def shares(est):
    """:class:`Shares` of a fitted estimator."""
    fit, moments = est._fit, _moments(est)
    directions, covariance = _uncertainty(fit)
    ends = np.cumsum([len(w) for w in moments])
    parts = np.split(directions, ends[:-1], axis=1)
    by_factor = [part @ w for part, w in zip(parts, moments, strict=False)]  # without factors there is an empty part
    slopes = np.array(by_factor).T.reshape(len(directions), len(moments))
    return Shares(_mean_variances(fit, moments), _unit_residual(fit), slopes, covariance)


def _unit_residual(fit):
    return LOGISTIC_VARIANCE if fit.sigma2 is None else 1.0


def _mean_variances(fit, moments):
    """``s_f`` per factor, in units of sigma^2 where there is one."""
    T = fit.model.assemble(fit.optimum.point[: len(fit.model.blocks)])
    return np.array([t[kernels.lower_triangle(len(t))] @ w for t, w in zip(T, moments, strict=True)])


def _moments(est):
    """Per factor the weights of the packed entries of T in ``s_f``: mean squares and products of z over the rows."""
    sums = [np.sum(A, axis=1) for A in _level_blocks(est)]
    return [2.0 * kernels.halves(kernels.order(len(A))) * A / est._fit.n for A in sums]


def _level_blocks(est):
    """Packed ``Z_f'WZ_f`` of the levels of every factor, in the frame's units."""
    fit = est._fit
    if fit.sigma2 is not None:
        return fit.objective.plan.blocks
    est.results_._training()  # says that the rows are missing where they are
    if not fit.design.terms:
        return []
    blocks = [block.level_blocks(block.m * np.ones(len(block.y))) for block in fit.objective.blocks]
    return [np.concatenate(parts, axis=1) for parts in zip(*blocks, strict=True)]


def _uncertainty(fit):
    """Directions of the covariance parameters in packed coordinates, and their covariance; none where none is known."""
    if fit.sigma2 is None:
        return _logistic_uncertainty(fit)
    information = variance_information(fit)
    if information is None or not information.parameters:
        return packed_directions(fit, []), None
    directions = packed_directions(fit, [(p.term, p.matrix) for p in information.parameters])
    return directions, information.covariance[:-1, :-1]


def _logistic_uncertainty(fit):
    joint, natural = fit.parameter_covariance, fit.natural_parameters
    if joint is None or not natural:
        return packed_directions(fit, []), None
    return packed_directions(fit, natural), joint[: len(natural), : len(natural)]


def _containing(fit):
    """(factors, factors) table of zeros and ones: whether a level of the first lies in one of the second."""
    plan = fit.objective.plan if fit.sigma2 is not None else fit.objective.plans[0]
    table = np.eye(len(fit.effects), dtype=int)
    for (f, g), pair in plan.cross.pairs.items():
        table[f, g], table[g, f] = (len(pair.rows) == levels for levels in pair.shape)
    return table


def icc(est: Any, level: float = 0.95) -> pd.DataFrame:
    """Intraclass correlations: the share of the variance that lies between the levels of a factor.

    ``(sum of s over the factor and those that contain it) / (sum of all s + s_e)``: for schools and the classes within,
    two pupils of one school, and two of one class, correlate by these shares (Stata's ``estat icc``).  Crossed factors
    count each on its own.  With random slopes s is the mean of ``z'Gz`` over the rows (Johnson 2014); s_e is sigma^2,
    or pi^2 / 3 for a classifier, whose shares are those of the latent log-odds.

    Parameters
    ----------
    est : MixedLinearRegressor or MixedLogisticClassifier
        Fitted; a classifier needs its training rows.
    level : float, default=0.95
        Of the confidence limits.

    Returns
    -------
    DataFrame
        ``icc, std_error, ci_low, ci_high`` by factor, the outermost first.  Standard errors by the delta method, limits
        on the logit scale; NaN where a variance is zero.

    Examples
    --------
    >>> from skmixed import MixedLinearRegressor
    >>> from skmixed.datasets import make_mixed_regression
    >>> from skmixed.inference import icc
    >>> X, y = make_mixed_regression(covariance=[[1.0]], random_state=0)
    >>> icc(MixedLinearRegressor(groups="group").fit(X, y)).round(2)
            icc  std_error  ci_low  ci_high
    group  0.53       0.04    0.45     0.61
    """
    check_level(level)
    fit, found = est._fit, shares(est)
    members = _containing(fit)
    order = np.argsort(members.sum(axis=1), kind="stable")
    values = np.array([found.of(members[f]) for f in order]).reshape(-1, 2)
    names = [est.results_._labels.factors[f] for f in order]
    low, high = _logit_limits(*values.T, level)
    columns = {"icc": values[:, 0], "std_error": values[:, 1], "ci_low": low, "ci_high": high}
    return pd.DataFrame(columns, index=names)


def _logit_limits(share, std_error, level):
    with np.errstate(divide="ignore", invalid="ignore"):
        half = stats.norm.ppf(0.5 + level / 2.0) * std_error / (share * (1.0 - share))
        return expit(logit(share) - half), expit(logit(share) + half)


class RSquared(NamedTuple):
    """Shares of the variance that a model explains, and the variances they are made of."""

    marginal: float
    conditional: float
    icc_adjusted: float
    icc_unadjusted: float
    var_fixed: float
    var_random: float
    var_residual: float


def r_squared(est: Any, residual: Literal["theoretical", "delta"] = "theoretical") -> RSquared:
    """Marginal and conditional R squared (Nakagawa and Schielzeth 2013, with slopes by Johnson 2014).

    ``marginal = s_x / (s_x + s_r + s_e)`` is what the fixed effects explain, ``conditional`` adds s_r, the random
    effects; ``icc_adjusted = s_r / (s_r + s_e)`` and ``icc_unadjusted = s_r / (s_x + s_r + s_e)``.  s_x is the sample
    variance of ``x'beta`` over the rows, s_r the mean of ``z'Gz`` over them.

    Parameters
    ----------
    est : MixedLinearRegressor or MixedLogisticClassifier
        Fitted; a classifier, and a linear model without an intercept, need their training rows.
    residual : {"theoretical", "delta"}, default="theoretical"
        s_e of a classifier: pi^2 / 3, the variance of the latent log-odds, or ``1 / (p (1 - p))`` with the share p of
        ones, that of observed ones on this scale (Nakagawa, Johnson and Schielzeth 2017).  A linear model has sigma^2.

    Returns
    -------
    RSquared
        ``marginal, conditional, icc_adjusted, icc_unadjusted, var_fixed, var_random, var_residual``.

    Examples
    --------
    >>> from skmixed import MixedLinearRegressor
    >>> from skmixed.datasets import make_mixed_regression
    >>> from skmixed.inference import r_squared
    >>> X, y = make_mixed_regression(random_state=0)
    >>> found = r_squared(MixedLinearRegressor(random_effects="(1 + x0 | group)").fit(X, y))
    >>> round(found.marginal, 2), round(found.conditional, 2)
    (0.66, 0.87)
    """
    if residual not in RESIDUALS:
        raise ValueError(f"residual={residual!r} is not known.\nUse 'theoretical' or 'delta'.")
    fit = est._fit
    random = float(np.sum(_mean_variances(fit, _moments(est))))
    if fit.sigma2 is None:
        return _r_squared(_fixed_variance(est), random, _residual_variance(est, residual))
    return _r_squared(_fixed_variance(est), float(fit.sigma2) * random, float(fit.sigma2))


def _r_squared(fixed, random, residual):
    total = fixed + random + residual
    with np.errstate(invalid="ignore", divide="ignore"):
        found = np.divide([fixed, fixed + random, random], total)
        adjusted = np.divide(random, random + residual)
    marginal, conditional, unadjusted = found.tolist()
    return RSquared(marginal, conditional, float(adjusted), unadjusted, fixed, random, residual)


def _residual_variance(est, residual):
    """Of the outcomes of a classifier on the scale of the log-odds."""
    if residual == "theoretical":
        return LOGISTIC_VARIANCE
    training = est.results_._training()
    mean = np.average(training.y, weights=training.weights)
    return float(1.0 / (mean * (1.0 - mean)))


def _fixed_variance(est):
    """Sample variance of ``x'beta`` over the rows, weights counting repetitions."""
    fit = est._fit
    if fit.sigma2 is not None and fit.design.frame.fit_intercept:
        return _fixed_variance_from_sums(fit)
    training = est.results_._training()
    rows = training.rows
    eta = rows.X[:, : rows.n_fixed] @ training.predictor.coefficients
    w = np.ones(len(eta)) if training.weights is None else training.weights
    centred = eta - np.average(eta, weights=w)
    return float(w @ centred**2 / (fit.n - 1.0))


def _fixed_variance_from_sums(fit):
    """``b'(X'WX / n - m m')b``: the intercept, the first column, adds nothing, and knows the means m of the others."""
    frame, p = fit.design.frame, fit.rank
    gram = fit.objective.gram[:p, :p] / fit.n
    b = fit.y_scale * fit.state.fixed.beta[1:] + frame.pilot[fit.design.kept[1:]]
    means = gram[0, 1:] / frame.mixing[0, 0]
    return float(max(b @ gram[1:, 1:] @ b - (means @ b) ** 2, 0.0) * fit.n / (fit.n - 1.0))


class ConditionalAIC(NamedTuple):
    """Akaike's criterion for predictions about the levels in the data."""

    caic: float
    loglik: float  # given the predicted effects
    df: float  # effective number of parameters of the fitted values
    df_given: float  # the same with the covariances known


def conditional_aic(est: Any) -> ConditionalAIC:
    """Conditional AIC: for choosing the model that predicts new rows of the same levels best.

    For a linear model ``-2 log f(y | beta, b, sigma^2) + 2 (df + 1)``, where df is the sum of the derivatives of the
    fitted values in their own responses, covariances estimated anew (Greven and Kneib 2010): counting them as known,
    ``df_given``, favours the larger model too often.  With V_a the derivative of V in parameter a of the covariances,
    H the Hessian of the profiled deviance and P as in REML,

        df_given = p + sum_a tau_a tr(P V_a),
        df - df_given = 2 nu / r^2 sum_ab (H^-1)_ab [y'P V_a P W^-1 P V_b P y - s_a y'P W^-1 P V_b P y / r^2].

    Variances at zero are taken to stay there.  For a classifier ``-2 l(y | beta, b) + 2 df`` with df the trace of the
    hat matrix of the working linear model, the covariances known.

    Parameters
    ----------
    est : MixedLinearRegressor or MixedLogisticClassifier
        Fitted; a classifier needs its training rows.

    Returns
    -------
    ConditionalAIC
        ``caic, loglik, df, df_given``; NaN where the likelihood is flat along some variance.

    Raises
    ------
    ValueError
        Where no residual variance is left.

    Notes
    -----
    R's cAIC4 (1.0, ``analytic = TRUE``) halves the last term, so that its df, which counts sigma^2 as well, differs by
    some hundredths.  The df here is what fitting again to changed responses gives.

    References
    ----------
    Vaida and Blanchard (2005), Conditional Akaike information for mixed-effects models, Biometrika 92.
    Greven and Kneib (2010), On the behaviour of marginal and conditional AIC in linear mixed models, Biometrika 97.

    Examples
    --------
    >>> from skmixed import MixedLinearRegressor
    >>> from skmixed.datasets import make_mixed_regression
    >>> from skmixed.inference import conditional_aic
    >>> X, y = make_mixed_regression(n_groups=20, random_state=0)
    >>> plain, slopes = (MixedLinearRegressor(random_effects=r).fit(X, y) for r in ("(1 | group)", "(1 + x0 | group)"))
    >>> conditional_aic(plain).caic > conditional_aic(slopes).caic
    True
    """
    fit = est._fit
    if fit.sigma2 is None:
        est.results_._training()
        return _logistic_caic(fit)
    if fit.sigma2 <= 0 or fit.state.degenerate:
        raise ValueError("conditional_aic: no residual variance is left.\nDrop columns or random effects.")
    with kernels.blas_threads(), np.errstate(all="ignore"):
        given = _hat_trace(fit.state, fit.rank)
        df = given + _moving_covariances(fit)
    loglik = _conditional_loglik(fit)
    return ConditionalAIC(-2.0 * loglik + 2.0 * (df + 1.0), loglik, df, given)


def _logistic_caic(fit):
    loglik = float(sum(np.sum(block.point.loglik) for block in fit.state.blocks))
    df = _hat_trace(fit.working, fit.rank) if fit.design.terms else float(fit.rank)
    return ConditionalAIC(-2.0 * loglik + 2.0 * df, loglik, df, df)


def _tau(state):
    """The covariances of all factors, packed."""
    return np.concatenate([T[kernels.lower_triangle(len(T))] for T in state.elimination.T])


def _hat_trace(state, rank):
    """``p + sum_a tau_a tr(P V_a)``: the trace of ``I - W^-1 P``."""
    if not state.parts:
        return float(rank)
    C = state.fixed.covariance
    traces = [
        part.N_counted.sum(axis=1)[kernels.packed_index(part.q)]
        - np.einsum("apbr,pr->ab", part.outer[:, :-1, :, :-1], C)
        for part in state.parts
    ]
    return float(rank + _tau(state) @ pack(traces))


def _conditional_loglik(fit):
    """Normal density at the fitted values: ``e'We = y'P W^-1 P y`` with ``W^-1 = V - sum_a tau_a V_a``."""
    state = fit.state
    explained = _tau(state) @ state.tilt if state.parts else 0.0
    share = (state.fixed.r2 - explained) / state.sigma2
    return float(-0.5 * (fit.n * np.log(2.0 * np.pi * fit.sigma2) + share))


def _moving_covariances(fit):
    """What the covariances add to the derivatives of the fitted values, because they follow the responses."""
    J, covariance = _uncertainty(fit)
    if not len(J):
        return 0.0 if _all_zero(fit) else np.nan
    squares, tilt = _residual_products(fit.state)
    moved = squares - np.outer(fit.state.tilt, tilt) / fit.state.r2
    return float(fit.objective.precision(fit.state.r2) * np.sum(covariance * (J @ moved @ J.T)))  # 2 H^-1


def _all_zero(fit):
    return not any(np.any(T) for T in fit.optimum.point)


def _residual_products(state):
    """``y'P V_a P W^-1 P V_b P y`` and ``y'P W^-1 P V_a P y`` for all packed directions.

    With the working variates ``f_a = V_a P y`` and ``W^-1 = V - sum_f Z_f T_f Z_f'`` they are
    ``f_a'P f_b - sum_l u_la'T u_lb`` and ``s_a - sum_l g_l'T u_la`` where ``u_a = Z'P f_a``.
    """
    H, T = working_variates(state.scores), state.elimination.T
    AH, along_x = state.elimination.plan.multiply(H), np.hstack([part.along_x for part in state.parts])
    _, F, explained = state.elimination.solve(AH)
    quadratic = sum(kernels.inner_products(h, ah) for h, ah in zip(H, AH, strict=True)) - explained
    shift = state.fixed.covariance @ along_x
    squares, tilt = quadratic - along_x.T @ shift, state.tilt.copy()
    for f, (own, t) in enumerate(zip(F, T, strict=True)):
        u = own - np.einsum("qpm,pk->qkm", state.F[f][:, :-1], shift)
        tu = np.einsum("rc,ckm->rkm", t, u)
        squares = squares - kernels.inner_products(u, tu)
        tilt -= np.einsum("qm,qkm->k", state.scores[f], tu)
    return squares, tilt


def design_effect(est: Any) -> pd.DataFrame:
    """How much less the rows tell about a mean because those of one level resemble each other.

    ``1 + (n~ - 1) icc`` (Kish 1965) with the size of the level that a typical row is in, ``n~ = sum n_j^2 / sum n_j``,
    and the correlation of two rows of one level from :func:`icc`; the mean of n rows is as exact as that of
    ``n / design_effect`` independent ones.

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
    labels = est.results_._labels
    for factor, effects in zip(labels.factors, labels.effects, strict=True):
        if tuple(effects) != ("Intercept",):
            raise ValueError(
                f"design_effect: {factor} has effects {', '.join(effects)}; the correlation of two rows of one level "
                "depends on them.\nUse random intercepts only, or icc for shares averaged over the rows."
            )
    table = icc(est)[["icc"]]
    sizes = [labels.sizes[labels.factors.index(name)] for name in table.index]
    typical = np.array([np.sum(size**2) / np.sum(size) for size in sizes])
    effect = 1.0 + (typical - 1.0) * table["icc"].to_numpy()
    table.insert(0, "levels", [len(size) for size in sizes])
    table.insert(1, "size", typical)
    return table.assign(design_effect=effect, effective_n=est._fit.n / effect)


def slope_distribution(est: Any, level: float = 0.95) -> pd.DataFrame:
    """How the slopes of the levels are distributed, in numbers and in words.

    The slope of a column in a level is ``beta + b`` with b normal of variance ``sd^2``: between ``mean -+ z sd`` in a
    share ``level`` of all levels, above zero in a share ``Phi(mean / sd)``.  Both are about the population of levels
    at the estimates, not about the estimated slopes of those in the data.

    Parameters
    ----------
    est : MixedLinearRegressor or MixedLogisticClassifier
        Fitted.
    level : float, default=0.95
        Share of the levels whose slopes lie between ``low`` and ``high``.

    Returns
    -------
    DataFrame
        ``factor, effect, mean, sd, low, high, share_above_zero, std_error, in_words``, a row per random slope; empty
        without any.  ``mean`` is the fixed effect of the column, 0 where it has none; ``std_error`` is that of the
        share, by the delta method, NaN where the variance is zero.

    Examples
    --------
    >>> from skmixed import MixedLinearRegressor
    >>> from skmixed.datasets import make_mixed_regression
    >>> from skmixed.inference import slope_distribution
    >>> X, y = make_mixed_regression(random_state=0)
    >>> print(slope_distribution(MixedLinearRegressor(random_effects="(1 + x0 | group)").fit(X, y))["in_words"][0])
    96 % of the levels of group have a slope of x0 above zero; 95 % of the slopes lie between -0.15 and 2.34.
    """
    check_level(level)
    fit, slopes = est._fit, [(k, r) for k, term in enumerate(est._terms) for r in _slopes(term)]
    information = variance_information(fit) if slopes and fit.sigma2 is not None else None
    columns = ["factor", "effect", "mean", "sd", "low", "high", "share_above_zero", "std_error", "in_words"]
    return pd.DataFrame([_slope_row(est, information, k, r, level) for k, r in slopes], columns=columns)


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
    low, high = _rounded_alike(mean - half, mean + half)
    return (
        f"{_percent(share)} of the levels of {factor} have a slope of {effect} above zero; "
        f"{_percent(level)} of the slopes lie between {low} and {high}."
    )


def _rounded_alike(low, high):
    """Two limits with as many decimals as tell them apart by three digits."""
    decimals = int(np.clip(2 - np.floor(np.log10(high - low)), 0, 12))
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
    joint, count = fit.parameter_covariance, len(fit.natural_parameters)
    if joint is None or not fit.interior[k]:
        return None
    J = np.zeros((2, len(joint)))
    J[0, count:] = _coefficient_row(fit, candidate)
    J[1, :count] = entry_jacobian(fit, [(k, r, r)])[0]
    return J @ joint @ J.T


def _coefficient_row(fit, candidate):
    """What a coefficient is made of in the frame's units; a column that is no fixed effect has the coefficient zero."""
    rows = fit.design.frame.coefficient_map[:, fit.design.kept]
    return rows[candidate] if candidate < len(rows) else np.zeros(rows.shape[1])
