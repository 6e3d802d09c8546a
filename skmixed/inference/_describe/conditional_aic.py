"""Akaike's criterion for predictions about the levels in the data: degrees of freedom of the fitted
values.

The fitted values are ``(I - W^-1 P) y`` at known covariances, whose trace is a sum over packed
directions of these; the covariances follow the responses, by the inverse of the Hessian of the
deviance, which adds a second sum.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..._algebra.levels import inner_products
from ..._algebra.packed import lower_triangle, pack, packed_index
from ..._algebra.threads import blas_threads
from ..._fit.information import covariance_uncertainty
from ..._likelihood.linear import working_variates
from .._arguments import check_estimator


class ConditionalAIC(NamedTuple):
    """Akaike's criterion for predictions about the levels in the data."""

    caic: float
    loglik: float  # given the predicted effects
    df: float  # effective number of parameters of the fitted values
    df_given: float  # the same with the covariances known


def conditional_aic(est: Any) -> ConditionalAIC:
    """Conditional AIC: for choosing the model that predicts new rows of the same levels best.

    For a linear model ``-2 log f(y | beta, b, sigma^2) + 2 (df + 1)``, where df is the sum of the
    derivatives of the fitted values in their own responses, covariances estimated anew (Greven and
    Kneib 2010): counting them as known, ``df_given``, favours the larger model too often.  With V_a
    the derivative of V in parameter a of the covariances, H the Hessian of the profiled deviance
    and P as in REML,

        df_given = p + sum_a tau_a tr(P V_a),
        df - df_given = 2 nu / r^2 sum_ab (H^-1)_ab [y'P V_a P W^-1 P V_b P y - s_a y'P W^-1 P V_b P
        y / r^2].

    Variances at zero are taken to stay there.  For a classifier ``-2 l(y | beta, b) + 2 df`` with
    df the trace of the hat matrix of the working linear model, the covariances known.

    Parameters
    ----------
    est : MixedLinearRegressor or MixedLogisticClassifier
        Fitted; a classifier needs its training rows.

    Returns
    -------
    ConditionalAIC
        ``caic, loglik, df, df_given``.  For a linear model df and caic are NaN where the likelihood
        is flat along some variance, or the search did not converge: the covariances of such a fit
        do not follow the responses in any known way.

    Raises
    ------
    ValueError
        Where no residual variance is left.

    Notes
    -----
    R's cAIC4 (1.0, ``analytic = TRUE``) halves the last term, so that its df, which counts sigma^2
    as well, differs by some hundredths.  The df here is what fitting again to changed responses
    gives.

    References
    ----------
    Vaida and Blanchard (2005), Conditional Akaike information for mixed-effects models, Biometrika
    92. Greven and Kneib (2010), On the behaviour of marginal and conditional AIC in linear mixed
    models, Biometrika 97.

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
    fit = check_estimator(est)._fit
    if fit.sigma2 is None:
        est.results_._training()
        return _logistic_caic(fit)
    if fit.sigma2 <= 0 or fit.state.degenerate or fit.is_degenerate:
        raise ValueError(
            "conditional_aic: no residual variance is left.\nDrop columns or random effects."
        )
    with blas_threads(), np.errstate(all="ignore"):
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
    return np.concatenate([T[lower_triangle(len(T))] for T in state.elimination.T])


def _hat_trace(state, rank):
    """``p + sum_a tau_a tr(P V_a)``: the trace of ``I - W^-1 P``."""
    if not state.parts:
        return float(rank)
    C = state.fixed.covariance
    traces = [
        part.N_counted.sum(axis=1)[packed_index(part.q)]
        - np.einsum("apbr,pr->ab", part.outer[:, :-1, :, :-1], C)
        for part in state.parts
    ]
    return float(rank + _tau(state) @ pack(traces))


def _conditional_loglik(fit):
    """Normal density at the fitted values: ``e'We = y'P W^-1 P y`` with ``W^-1 = V - sum_a tau_a
    V_a``.
    """
    state = fit.state
    explained = _tau(state) @ state.tilt if state.parts else 0.0
    share = (state.fixed.r2 - explained) / state.sigma2
    return float(-0.5 * (fit.n * np.log(2.0 * np.pi * fit.sigma2) + share))


def _moving_covariances(fit):
    """What the covariances add to the derivatives of the fitted values, because they follow the
    responses.
    """
    if not fit.optimum.converged:
        return np.nan  # they follow the responses in this way from a minimum of the deviance only
    J, covariance = covariance_uncertainty(fit)
    if not len(J):
        return 0.0 if _all_zero(fit) else np.nan
    squares, tilt = residual_products(fit.state)
    moved = squares - np.outer(fit.state.tilt, tilt) / fit.state.r2
    return float(
        fit.objective.precision(fit.state.r2) * np.sum(covariance * (J @ moved @ J.T))
    )  # 2 H^-1


def _all_zero(fit):
    return not any(np.any(T) for T in fit.optimum.point)


def residual_products(state):
    """``y'P V_a P W^-1 P V_b P y`` and ``y'P W^-1 P V_a P y`` for all packed directions.

    With the working variates ``f_a = V_a P y`` and ``W^-1 = V - sum_f Z_f T_f Z_f'`` they are
    ``f_a'P f_b - sum_l u_la'T u_lb`` and ``s_a - sum_l g_l'T u_la`` where ``u_a = Z'P f_a``.
    """
    H = working_variates(state.scores)
    T = state.elimination.T
    AH = state.elimination.plan.multiply(H)
    along_x = np.hstack([part.along_x for part in state.parts])
    _, F, explained = state.elimination.solve(AH)
    quadratic = sum(inner_products(h, ah) for h, ah in zip(H, AH, strict=True)) - explained
    shift = state.fixed.covariance @ along_x
    squares = quadratic - along_x.T @ shift
    tilt = state.tilt.copy()
    for f, (own, t) in enumerate(zip(F, T, strict=True)):
        u = own - np.einsum("qpm,pk->qkm", state.F[f][:, :-1], shift)
        tu = np.einsum("rc,ckm->rkm", t, u)
        squares = squares - inner_products(u, tu)
        tilt -= np.einsum("qm,qkm->k", state.scores[f], tu)
    return squares, tilt
