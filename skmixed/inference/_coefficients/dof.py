"""Small-sample distributions of contrasts of the fixed effects in a linear mixed model.

A *rule* knows the covariance of the coefficients and how contrasts divided by their standard errors
are distributed:

    t = l'b / sqrt(l'Vl) ~ t(df(l)),        scale (Lb)'(LVL')^-1 (Lb) / q ~ F(q, df(L)).

Everything is in the frame's units; nothing here sees rows.  ``docs/maths.md`` has the derivations.
"""

from __future__ import annotations

import numpy as np

from ..._algebra.levels import inner_products
from ..._algebra.packed import (
    crossed_directions,
    direction_traces,
    packed_index,
    packed_size,
    pair_traces,
)
from ..._fit.base import inverse_information
from ..._fit.information import packed_directions, variance_information

ENTRIES_PER_CHUNK = 1 << 22  # of the blocks of right-hand sides
NO_INFORMATION = (
    "the likelihood is flat or its curvature not positive definite, so that the variances have no standard errors.\n"
    "Use df='residual' or 'normal', or a simpler random-effects structure."
)


class Constant:
    """The same degrees of freedom for every contrast: infinitely many, or those of the
    residuals."""

    def __init__(self, covariance, df):
        self.covariance = covariance
        self._df = df

    def df(self, L):
        """Degrees of freedom of every row of L."""
        return np.full(len(L), float(self._df))

    def joint(self, L):
        """Scale and denominator degrees of freedom of the F statistic of all rows together."""
        return 1.0, float(self._df)


class Satterthwaite:
    """``df = 2 v^2 / Var(v)`` for the variance v of a contrast (Giesbrecht and Burns 1985; Fai and
    Cornelius 1996).

    With ``C* = sigma^2 C`` its derivatives are ``sigma^2 C Phi_a C`` along the covariances, ``Phi_a
    = X'V^-1V_aV^-1X``, and ``2 sigma C`` along sigma.
    """

    def __init__(self, fit):
        information = variance_information(fit)
        if information is None:
            raise ValueError(f"df='satterthwaite': {NO_INFORMATION}")
        state = fit.state
        sigma = np.sqrt(fit.state.sigma2)
        C = state.fixed.covariance
        directions = packed_directions(fit, [(p.term, p.matrix) for p in information.parameters])
        Phi = _sandwiches(state, directions)
        self.covariance = sigma**2 * C
        self._slopes = np.concatenate([sigma**2 * C @ Phi @ C, 2.0 * sigma * C[None]])
        self._parameter_covariance = information.covariance

    def df(self, L):
        variance = np.einsum("lp,pr,lr->l", L, self.covariance, L)
        slope = np.einsum("lp,kpr,lr->lk", L, self._slopes, L)
        return (
            2.0 * variance**2 / np.einsum("lk,km,lm->l", slope, self._parameter_covariance, slope)
        )

    def joint(self, L):
        """Independent contrasts by the eigenvectors of ``LC*L'``, each with its own degrees of
        freedom.
        """
        _, vectors = np.linalg.eigh(L @ self.covariance @ L.T)
        df = self.df(vectors.T @ L)
        if len(df) == 1:
            return 1.0, float(df[0])
        expected = np.sum(df[df > 2.0] / (df[df > 2.0] - 2.0))
        return 1.0, float(2.0 * expected / (expected - len(df))) if expected > len(df) else 0.0


def _sandwiches(state, directions):
    """``Phi_a = sum_l F_l'E_a F_l`` along packed directions, (k, p, p)."""
    p = len(state.fixed.beta)
    packed = (
        np.concatenate([part.sandwiches for part in state.parts])
        if state.parts
        else np.zeros((0, p, p))
    )
    return np.einsum("ka,apr->kpr", directions, packed)


class KenwardRoger:
    """The adjusted covariance and scaled F distribution of Kenward and Roger (1997).

    The covariance of y is linear in components: ``G_a = Z E_a Z'`` for the natural parameters of
    every term, and ``G_0 = W^-1`` for the residual.  With ``P_r = -X'V^-1 G_r V^-1 X``, ``Q_rs =
    X'V^-1 G_r V^-1 G_s V^-1 X`` and the expected information ``tr(P G_r P G_s) / 2 = W^-1``

        Phi_A = C* + 2 C* {sum_rs W_rs (Q_rs - P_r C* P_s)} C*.

    Sums for the residual component follow from ``W^-1 = V - sum_a tau_a G_a``.
    """

    def __init__(self, fit):
        state = fit.state
        sigma2 = fit.state.sigma2
        with np.errstate(all="ignore"):
            P, Q, traces = _with_residual(fit, *_components(fit))
            inverse = inverse_information(traces)
        if inverse is None or sigma2 <= 0:
            raise ValueError(f"df='kenward-roger': {NO_INFORMATION}")
        self._weights = inverse * sigma2**2
        self._model = sigma2 * state.fixed.covariance
        self._P = P / sigma2**2
        Phi = self._model
        Q = Q / sigma2**3
        crossed = np.einsum("rpi,ij,sjq->rspq", self._P, Phi, self._P)
        bias = np.einsum("rs,rspq->pq", self._weights, Q - crossed)
        adjusted = Phi + 2.0 * Phi @ bias @ Phi
        self.covariance = (adjusted + adjusted.T) / 2

    def df(self, L):
        return np.array([self.joint(row[None])[1] for row in L])

    def joint(self, L):
        """The moments of the F statistic matched to those of a scaled F distribution."""
        Phi = self._model
        rows = len(L)
        Theta = L.T @ np.linalg.solve(L @ Phi @ L.T, L)
        tilted = Theta @ Phi @ self._P @ Phi
        traces = np.trace(tilted, axis1=1, axis2=2)
        A1 = traces @ self._weights @ traces
        A2 = np.sum(self._weights * np.einsum("rpq,sqp->rs", tilted, tilted))
        return (1.0, float(2.0 / A2)) if rows == 1 else _matched(rows, A1, A2)


def _matched(l, A1, A2):
    """Scale and denominator degrees of freedom (Kenward and Roger 1997, section 3).

    For one row 1 and ``2 / A2``.
    """
    B = (A1 + 6.0 * A2) / (2.0 * l)
    g = ((l + 1) * A1 - (l + 4) * A2) / ((l + 2) * A2)
    c1, c2, c3 = np.array([g, l - g, l + 2 - g]) / (3.0 * l + 2.0 * (1.0 - g))
    V0 = 1.0 + c1 * B
    V1 = 1.0 - c2 * B
    V2 = 1.0 - c3 * B
    V0 = 0.0 if abs(V0) < 1e-10 else V0
    with np.errstate(all="ignore"):
        rho = ((1.0 - A2 / l) / V1) ** 2 * V0 / V2 / l
        df = 4.0 + (l + 2.0) / (l * rho - 1.0)
        return float(df * (1.0 - A2 / l) / (df - 2.0)), float(df)


def _components(fit):
    """``Phi_a``, ``Q_ab`` and ``tr(P V_a P V_b)``, ``tr(P V_a)`` along the natural parameters, and
    their values.
    """
    natural = [(k, B) for k, block in enumerate(fit.model.blocks) for B in block.structure.basis]
    J = packed_directions(fit, natural)
    state = fit.state
    C = fit.state.fixed.covariance
    Phi = _sandwiches(state, J)
    Q = _double_sandwiches(state, J)
    crossed = np.einsum("pr,abrp->ab", C, Q)
    squares = np.einsum("apr,brp->ab", C @ Phi, C @ Phi)
    traces = J @ _trace_products(state) @ J.T - crossed - crossed.T + squares
    single = J @ _precision_traces(state) - np.einsum("pr,arp->a", C, Phi)
    return Phi, Q, traces, single, _natural_values(fit)


def _natural_values(fit):
    """Coefficients of every term's covariance in the basis of its structure."""
    values = [
        np.linalg.lstsq(
            block.structure.basis.reshape(len(block.structure.basis), -1).T, T.ravel(), rcond=None
        )[0]
        for block, T in zip(fit.model.blocks, fit.optimum.point, strict=True)
        if len(block.structure.basis)
    ]
    return np.concatenate(values) if values else np.zeros(0)


def _with_residual(fit, Phi, Q, traces, single, tau):
    """The same sums with the residual component last, ``P_r = -Phi_r``."""
    S = fit.state.fixed.S[:-1, :-1]
    nu = fit.objective.n - fit.rank
    Phi_tau = np.einsum("a,apr->pr", tau, Phi)
    Q_tau = np.einsum("a,abpr->bpr", tau, Q)
    last = Phi - Q_tau
    corner = S - 2.0 * Phi_tau + np.einsum("a,apr->pr", tau, Q_tau)
    k = len(tau)
    p = len(S)
    out = np.zeros((k + 1, k + 1, p, p))
    out[:k, :k] = Q
    out[k, :k] = last
    out[:k, k] = last.transpose(0, 2, 1)
    out[k, k] = corner
    mixed = single - traces @ tau
    corner = nu - 2.0 * tau @ single + tau @ traces @ tau
    table = np.block([[traces, mixed[:, None]], [mixed, np.array([[corner]])]])
    return -np.concatenate([Phi, (S - Phi_tau)[None]]), out, table


def _marginal_products(state, H):
    """``Z'V^-1 Z H`` for effects H, a list over factors of (q, k, m)."""
    return state.elimination.solve(state.objective.plan.multiply(H))[1]


def _double_sandwiches(state, J):
    """``Q_ab = sum F'E_a N E_b F`` along packed directions, (k, k, p, p)."""
    p = len(state.fixed.beta)
    k = len(J)
    if not k:
        return np.zeros((0, 0, p, p))
    H = _tilted([F[:, :-1] for F in state.F], J)
    NH = _marginal_products(state, H)
    products = sum(inner_products(h, nh) for h, nh in zip(H, NH, strict=True))
    return products.reshape(k, p, k, p).transpose(0, 2, 1, 3)


def _tilted(F, J):
    """``E_a F`` for every direction, per factor (q, k p, m)."""
    sizes = [len(f) for f in F]
    out = []
    start = 0
    for q, f in zip(sizes, F, strict=True):
        E = J[:, start : start + packed_size(q)][:, packed_index(q)]
        out.append(np.einsum("krc,cpm->rkpm", E, f).reshape(q, -1, f.shape[2]))
        start += packed_size(q)
    return out


def _precision_traces(state):
    """``tr(V^-1 V_a)`` in packed directions of all factors."""
    precisions = state.precisions[0] if state.F else []
    return np.concatenate([np.zeros(0), *(direction_traces(N.sum(axis=1)) for N in precisions)])


def _trace_products(state):
    """``tr(V^-1 V_a V^-1 V_b)`` in packed directions of all factors."""
    if not state.F:
        return np.zeros((0, 0))
    if len(state.F) == 1:
        (N,) = state.precisions[0]
        return pair_traces(N @ N.T)
    return np.hstack([_trace_columns(state, g) for g in range(len(state.F))])


def _trace_columns(state, g):
    """The columns of factor g: ``N`` between every level of g and all others, some levels of g at
    a time.
    """
    sizes = [len(F) for F in state.F]
    levels = [F.shape[2] for F in state.F]
    q, width = sizes[g], sum(q * m for q, m in zip(sizes, levels, strict=True))
    products = [np.zeros((s * q, s * q)) for s in sizes]
    step = max(1, ENTRIES_PER_CHUNK // (width * q))
    for lo in range(0, levels[g], step):
        own = np.arange(lo, min(lo + step, levels[g]))
        H = [np.zeros((s, q * len(own), m)) for s, m in zip(sizes, levels, strict=True)]
        for r in range(q):
            H[g][r, r * len(own) + np.arange(len(own)), own] = 1.0
        for f, N in enumerate(_marginal_products(state, H)):
            flat = N.reshape(sizes[f] * q, -1)  # rows: effect of f, effect of g
            products[f] += flat @ flat.T
    tables = [table.reshape(s, q, s, q) for s, table in zip(sizes, products, strict=True)]
    return np.vstack([crossed_directions(table) for table in tables])
