"""Small-sample distributions of contrasts of the fixed effects in a linear mixed model.

A *rule* knows the covariance of the coefficients and how contrasts divided by their standard errors
are distributed:

    t = l'b / sqrt(l'Vl) ~ t(df(l)),        scale (Lb)'(LVL')^-1 (Lb) / q ~ F(q, df(L)).

Everything is in the frame's units; nothing here sees rows.  ``docs/maths.md`` has the derivations.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np

from ..._fit.information import flat_inverse, inverse_information, linear_curvature
from ..._fit.linear import LinearFit
from ..._likelihood.traces import double_sandwiches, restricted_traces, sandwiches

ROUNDING = 1e-10  # of a difference that is zero
NO_INFORMATION = (
    "the likelihood is flat or its curvature not positive definite, so that the variances have no "
    "standard errors.\nUse df='residual' or 'normal', or a simpler random-effects structure."
)


class Rule(Protocol):
    """How contrasts of the coefficients are distributed, in the frame's units."""

    covariance: np.ndarray

    def df(self, L: np.ndarray) -> np.ndarray:
        """Degrees of freedom of every row of L."""

    def joint(self, L: np.ndarray) -> tuple[float, float]:
        """Scale and denominator degrees of freedom of the F statistic of all rows together."""


class Constant:
    """The same degrees of freedom for every contrast: infinitely many, or those of the
    residuals.
    """

    def __init__(self, covariance: np.ndarray, df: float):
        self.covariance = covariance
        self._df = df

    def df(self, L):
        """The same for every row."""
        return np.full(len(L), float(self._df))

    def joint(self, L):
        """And for all of them."""
        return 1.0, float(self._df)


def _inverse(rule, information, moves):
    """Covariance of the variances; where the likelihood is flat, along what moves the covariance of
    the coefficients.
    """
    inverse = inverse_information(information)
    inverse = flat_inverse(information, moves) if inverse is None else inverse
    if inverse is None:
        raise ValueError(f"df={rule!r}: {NO_INFORMATION}")
    return inverse


class Satterthwaite:
    """``df = 2 v^2 / Var(v)`` for the variance v of a contrast (Giesbrecht and Burns 1985; Fai and
    Cornelius 1996).

    With ``C* = sigma^2 C`` its derivatives are ``sigma^2 C Phi_a C`` along the covariances, ``Phi_a
    = X'V^-1V_aV^-1X``, and ``2 sigma C`` along sigma.
    """

    def __init__(self, fit: LinearFit):
        found = linear_curvature(fit)
        if found is None:
            raise ValueError(f"df='satterthwaite': {NO_INFORMATION}")
        parameters, curvature = found
        sigma = np.sqrt(fit.state.sigma2)
        C = fit.state.fixed.covariance
        Phi = sandwiches(fit.state, fit.covariance_model.directions(parameters))
        self.covariance = sigma**2 * C
        self._slopes = np.concatenate([sigma**2 * C @ Phi @ C, 2.0 * sigma * C[None]])
        self._of_variances = _inverse("satterthwaite", curvature, self._slopes)

    def df(self, L):
        """Of every row."""
        variance = np.sum(L @ self.covariance * L, axis=-1)
        slope = np.sum(L @ self._slopes * L, axis=-1).T
        return 2.0 * variance**2 / np.einsum("lk,km,lm->l", slope, self._of_variances, slope)

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


class Components(NamedTuple):
    """Sums along the components of the covariance of y, which is linear in them.

    Attributes
    ----------
    P : ``-X'V^-1 G_r V^-1 X``, (k, p, p)
    Q : ``X'V^-1 G_r V^-1 G_s V^-1 X``, (k, k, p, p)
    traces : ``tr(P G_r P G_s)``, (k, k)
    single : ``tr(P G_r)``, (k,)
    """

    P: np.ndarray
    Q: np.ndarray
    traces: np.ndarray
    single: np.ndarray

    @classmethod
    def of(cls, fit: LinearFit) -> Components:
        """Along the tangents of the terms."""
        terms = zip(fit.covariance_model.terms, fit.T, strict=True)
        natural = [(k, B) for k, (term, T) in enumerate(terms) for B in term.structure.tangent(T)]
        J = fit.covariance_model.directions(natural)
        state = fit.state
        Phi = sandwiches(state, J)
        Q = double_sandwiches(state, J)
        return cls(-Phi, Q, *restricted_traces(state, J, Phi, Q))

    def with_residual(self, tau: np.ndarray, S: np.ndarray, nu: float) -> Components:
        """The same sums with the residual component last.

        They follow from ``W^-1 = V - sum_a tau_a G_a``, with ``S = X'V^-1 X`` and ``tr(P V) = nu``.
        """
        k, p = self.P.shape[:2]
        P_tau = np.einsum("a,apr->pr", tau, self.P)
        Q_tau = np.einsum("a,abpr->bpr", tau, self.Q)
        last = -self.P - Q_tau
        Q = np.zeros((k + 1, k + 1, p, p))
        Q[:k, :k] = self.Q
        Q[k, :k] = last
        Q[:k, k] = last.transpose(0, 2, 1)
        Q[k, k] = S + 2.0 * P_tau + np.einsum("a,apr->pr", tau, Q_tau)
        mixed = self.single - self.traces @ tau
        corner = nu - 2.0 * tau @ self.single + tau @ self.traces @ tau
        traces = np.block([[self.traces, mixed[:, None]], [mixed, np.array([[corner]])]])
        single = np.append(self.single, nu - tau @ self.single)
        return Components(np.concatenate([self.P, -(S + P_tau)[None]]), Q, traces, single)


def natural_values(fit: LinearFit) -> np.ndarray:
    """Coefficients of every term's covariance along its tangent."""
    values = [np.zeros(0)]
    for term, T in zip(fit.covariance_model.terms, fit.T, strict=True):
        basis = term.structure.tangent(T)
        if len(basis):
            directions = basis.reshape(len(basis), -1).T
            values.append(np.linalg.lstsq(directions, T.ravel(), rcond=None)[0])
    return np.concatenate(values)


class KenwardRoger:
    """The adjusted covariance and scaled F distribution of Kenward and Roger (1997).

    The covariance of y is linear in components: ``G_a = Z E_a Z'`` for the natural parameters of
    every term, and ``G_0 = W^-1`` for the residual.  With ``P_r = -X'V^-1 G_r V^-1 X``, ``Q_rs =
    X'V^-1 G_r V^-1 G_s V^-1 X`` and the expected information ``tr(P G_r P G_s) / 2 = W^-1``

        Phi_A = C* + 2 C* {sum_rs W_rs (Q_rs - P_r C* P_s)} C*.
    """

    def __init__(self, fit: LinearFit):
        sigma2 = fit.state.sigma2
        S = fit.state.fixed.S[:-1, :-1]
        with np.errstate(all="ignore"):
            own = Components.of(fit)
            parts = own.with_residual(natural_values(fit), S, fit.n - fit.rank)
            inverse = _inverse("kenward-roger", parts.traces, parts.P)
        if sigma2 <= 0:
            raise ValueError(f"df='kenward-roger': {NO_INFORMATION}")
        self._weights = inverse * sigma2**2
        self._model = sigma2 * fit.state.fixed.covariance
        self._P = parts.P / sigma2**2
        self.covariance = self._adjusted(parts.Q / sigma2**3)

    def _adjusted(self, Q):
        """``Phi_A``."""
        Phi = self._model
        crossed = np.einsum("rpi,ij,sjq->rspq", self._P, Phi, self._P)
        bias = np.einsum("rs,rspq->pq", self._weights, Q - crossed)
        adjusted = Phi + 2.0 * Phi @ bias @ Phi
        return (adjusted + adjusted.T) / 2

    def df(self, L):
        """Of every row."""
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


def _matched(rows, A1, A2):
    """Scale and denominator degrees of freedom (Kenward and Roger 1997, section 3).

    For one row 1 and ``2 / A2``.
    """
    B = (A1 + 6.0 * A2) / (2.0 * rows)
    g = ((rows + 1) * A1 - (rows + 4) * A2) / ((rows + 2) * A2)
    c1, c2, c3 = np.array([g, rows - g, rows + 2 - g]) / (3.0 * rows + 2.0 * (1.0 - g))
    V0 = 1.0 + c1 * B
    V1 = 1.0 - c2 * B
    V2 = 1.0 - c3 * B
    V0 = 0.0 if abs(V0) < ROUNDING else V0
    with np.errstate(all="ignore"):
        rho = ((1.0 - A2 / rows) / V1) ** 2 * V0 / V2 / rows
        df = 4.0 + (rows + 2.0) / (rows * rho - 1.0)
        return float(df * (1.0 - A2 / rows) / (df - 2.0)), float(df)
