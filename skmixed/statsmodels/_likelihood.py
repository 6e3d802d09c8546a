"""The log-likelihood at any parameters, and its profile in one variance."""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize

from .._algebra.machine import computing
from ._fitting import Assembled
from ._params import MixedLMParams

PROFILE_TOL = 1e-10  # of the log-likelihood at a point of the profile


def loglike(found: Assembled, params: MixedLMParams, *, profile_fe: bool) -> float:
    """With the residual variance profiled out; the fixed effects as well, or as they are given.

    With ``b`` the best fixed effects, nu the degrees of freedom and C their covariance, others
    lower it by ``nu / 2 log(1 + (beta - b)'C^-1(beta - b) / nu)``.
    """
    fit = found.fitted.fit
    state = _state(found, params)
    nu = fit.objective.nu
    best = -0.5 * float(state.value + fit.units.deviance(nu, fit.objective.reml))
    if profile_fe or not len(found.fixed):
        return best
    kept = fit.units.independent
    given = np.empty(len(found.fixed))
    given[found.fixed] = params.fe_params
    away = (given - fit.units.coefficients(state.fixed.beta))[kept]
    C = fit.units.covariance(state.fixed.covariance, state.sigma2)
    return best - 0.5 * nu * float(np.log1p(away @ np.linalg.solve(C, away) / nu))


def _state(found, params):
    fit = found.fitted.fit
    with computing(fit.dense_order):
        return fit.objective(fit.covariance_model.assemble(_relative(found, params)))


def _relative(found, params):
    """Relative covariances of the terms in the frame, where ``cov_re`` is one term."""
    bases = found.fitted.fit.design.frame.bases
    has_effects = len(params.cov_re) > 0
    given = [params.cov_re] * has_effects
    sizes = [len(R) for R in bases[has_effects:]]
    given += [v * np.eye(size) for v, size in zip(params.vcomp, sizes, strict=True)]
    out = []
    for R, place, C in zip(bases, found.places, given, strict=True):
        order = np.argsort(place.within)
        half = np.linalg.solve(R, np.asarray(C, dtype=float)[np.ix_(order, order)])
        out.append(np.linalg.solve(R, half.T))
    return out


def profiled(
    found: Assembled, params: MixedLMParams, which: int, value: float
) -> tuple[float, float]:
    """The largest log-likelihood where one variance, in units of the residual one, has a value; and
    that variance itself.

    ``which`` counts the variances of ``cov_re``, then ``vcomp``.
    """
    k_re = len(params.cov_re)
    order = np.arange(k_re)
    if which < k_re:  # the first row of a root holds the root of the first variance alone
        order[[0, which]] = which, 0
    start = _coordinates(params, order)
    fixed = 0 if which < k_re else len(start) - len(params.vcomp) + which - k_re
    others = np.delete(np.arange(len(start)), fixed)
    start[fixed] = np.sqrt(value)

    def point(x):
        at = start.copy()
        at[others] = x
        return _at(at, order, params)

    def fall(x):
        return -loglike(found, point(x), profile_fe=True)

    x = start[others]
    if len(others):
        x = minimize(fall, x, method="BFGS", options={"gtol": 1e-6}).x
        x = minimize(fall, x, method="Nelder-Mead", options={"fatol": PROFILE_TOL}).x
    scale = float(_state(found, point(x)).sigma2 * found.fitted.fit.units.variance)
    return value * scale, -fall(x)


def _coordinates(params, order):
    """A lower triangular root of the permuted matrix, then roots of the components."""
    C = np.asarray(params.cov_re)[np.ix_(order, order)]
    size = np.trace(C) / max(len(C), 1)
    root = np.linalg.cholesky(C + 1e-10 * (size or 1.0) * np.eye(len(C))) if len(C) else C
    return np.concatenate([root[np.tril_indices(len(C))], np.sqrt(params.vcomp)])


def _at(x, order, params):
    k_re = len(order)
    root = np.zeros((k_re, k_re))
    corner = np.tril_indices(k_re)
    root[corner] = x[: len(corner[0])]
    back = np.argsort(order)
    C = (root @ root.T)[np.ix_(back, back)]
    return MixedLMParams.from_components(cov_re=C, vcomp=x[len(corner[0]) :] ** 2)
