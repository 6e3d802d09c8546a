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
from ..._algebra.machine import computing
from ..._algebra.packed import lower_triangle, pack
from ..._fit.base import Fit, needs_exact
from ..._fit.glmm import GlmmFit
from ..._fit.linear import LinearFit
from ..._likelihood.linear import working_variates
from ..._report.words import html_of_text
from .._arguments import fitted_model


class ConditionalAIC(NamedTuple):
    """Akaike's criterion for predictions about the levels in the data.

    Attributes
    ----------
    caic : float
    loglik : float
        Given the predicted effects.
    df : float
        Effective number of parameters of the fitted values.
    df_given : float
        The same with the covariances known.
    """

    caic: float
    loglik: float
    df: float
    df_given: float

    _repr_html_ = html_of_text

    def __repr__(self):
        return (
            f"Conditional AIC: {self.caic:.6g}\n"
            f"log-likelihood given the effects {self.loglik:.6g}, effective parameters "
            f"{self.df:.4g} ({self.df_given:.4g} with the covariances known)"
        )


def conditional_aic(est: Any) -> ConditionalAIC:
    """Conditional AIC: for choosing the model that predicts new rows of the same levels best.

    For a linear model ``-2 log f(y | beta, b, sigma^2) + 2 (df + 1)``, where df is the sum of the
    derivatives of the fitted values in their own responses, covariances estimated anew (Greven and
    Kneib 2010): counting them as known, ``df_given``, favours the larger model too often.  With V_a
    the derivative of V in parameter a of the covariances, H the Hessian of the profiled deviance
    and P as in REML,

        df_given = p + sum_a tau_a tr(P V_a),
        df - df_given = 2 nu / r^2 sum_ab (H^-1)_ab c_ab,
        c_ab = y'P V_a P W^-1 P V_b P y - s_a y'P W^-1 P V_b P y / r^2.

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
    >>> plain = MixedLinearRegressor(random_effects="(1 | group)").fit(X, y)
    >>> slopes = MixedLinearRegressor(random_effects="(1 + x0 | group)").fit(X, y)
    >>> conditional_aic(plain).caic > conditional_aic(slopes).caic
    True
    """
    fit: Fit = fitted_model(est).fit
    needs_exact(fit, "conditional_aic")
    if not fit.is_identified:
        raise ValueError(
            "conditional_aic: no residual variance is left.\nDrop columns or random effects."
        )
    return (_of_linear if fit.family.has_residual else _of_generalised)(fit)


def _of_linear(fit: LinearFit) -> ConditionalAIC:
    with computing():
        given = _hat_trace(fit.state, fit.effective_rank)
        df = given + _moving_covariances(fit)
    loglik = _conditional_loglik(fit)
    return ConditionalAIC(-2.0 * loglik + 2.0 * (df + 1.0), loglik, df, given)


def _of_generalised(fit: GlmmFit) -> ConditionalAIC:
    loglik = fit.conditional_loglik
    rank = fit.effective_rank
    df = _hat_trace(fit.linear, rank) if fit.design.terms else float(rank)
    return ConditionalAIC(-2.0 * loglik + 2.0 * df, loglik, df, df)


def _tau(state):
    """The covariances of all factors, packed."""
    return np.concatenate([T[lower_triangle(len(T))] for T in state.elimination.T])


def _hat_trace(state, rank):
    """``p + sum_a tau_a tr(P V_a)``: the trace of ``I - W^-1 P``; p is effective with a ridge."""
    if not state.parts:
        return float(rank)
    C = state.fixed.covariance
    traces = [part.N_sum - part.along(C) for part in state.parts]
    return float(rank + _tau(state) @ pack(traces))


def _conditional_loglik(fit):
    """Normal density at the fitted values: ``e'We = y'P W^-1 P y`` with ``W^-1 = V - sum_a tau_a
    V_a``.
    """
    state = fit.state
    explained = _tau(state) @ state.tilt if state.parts else 0.0
    penalty = state.objective.ridge.value(state.fixed.beta)
    share = (state.fixed.r2 - explained - penalty) / state.sigma2
    return float(-0.5 * (fit.n * np.log(2.0 * np.pi * fit.sigma2) + share))


def _moving_covariances(fit):
    """What the covariances add to the derivatives of the fitted values, because they follow the
    responses.
    """
    if not fit.optimum.converged:
        return np.nan  # they follow the responses in this way from a minimum of the deviance only
    information = fit.information
    if information is None or not information.parameters:
        return np.nan if any(np.any(T) for T in fit.T) else 0.0
    J = fit.covariance_model.directions(information.parameters)
    squares, tilt = residual_products(fit.state)
    moved = squares - np.outer(fit.state.tilt, tilt) / fit.state.r2
    twice_inverse = information.of_covariances
    return float(fit.state.precision * np.sum(twice_inverse * (J @ moved @ J.T)))


def residual_products(state):
    """``y'P V_a P W^-1 P V_b P y`` and ``y'P W^-1 P V_a P y`` for all packed directions.

    With the working variates ``f_a = V_a P y`` and ``W^-1 = V - sum_f Z_f T_f Z_f'`` they are
    ``f_a'P f_b - sum_l u_la'T u_lb`` and ``s_a - sum_l g_l'T u_la`` where ``u_a = Z'P f_a``.  The
    rows of a ridge, in which ``P f_a`` is ``-X_0 C X'V^-1 f_a``, do not count.
    """
    H = working_variates(state.scores)
    T = state.elimination.T
    AH = state.elimination.plan.multiply(H)
    along_x = np.hstack([part.along_x for part in state.parts])
    _, F, explained = state.elimination.solve(AH)
    quadratic = sum(inner_products(h, ah) for h, ah in zip(H, AH, strict=True)) - explained
    shift = state.fixed.covariance @ along_x
    ridge = state.objective.ridge
    squares = ridge.without(quadratic - along_x.T @ shift, shift)
    tilt = state.tilt + ridge.with_slope(np.zeros(len(shift)), state.fixed.beta) @ shift / -2.0
    for f, (own, t) in enumerate(zip(F, T, strict=True)):
        u = own - np.einsum("qpm,pk->qkm", state.F[f][:, :-1], shift)
        tu = np.einsum("rc,ckm->rkm", t, u)
        squares = squares - inner_products(u, tu)
        tilt -= np.einsum("qm,qkm->k", state.scores[f], tu)
    return squares, tilt
