"""The profiled deviance of the linear mixed model and its derivatives in the covariances.

With ``V = W^-1 + sum_f Z_f T_f Z_f'`` (in units of sigma^2), ``S = [X y]'V^-1[X y]``, ``C =
S_XX^-1`` and ``r^2 = S_yy - S_yX C S_Xy`` the deviance is, with nu = n - p for REML and n for ML,

    d(T) = log|H| + [REML] log|S_XX| + nu (1 + log(2 pi r^2 / nu)).

With ``F_l = Z_l'V^-1X``, ``g_l = Z_l'V^-1(y - X beta)`` and ``N_l = Z_l'V^-1Z_l`` for level l of
factor f,

    dd / dT_f = D_f = sum_l N_l - [REML] sum_l F_l C F_l' - (nu / r^2) sum_l g_l g_l'.

Second derivatives are exact for a single factor and the average information otherwise.
``docs/maths.md`` has the derivation; nothing here sees rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.linalg import lapack

from .._algebra.elimination import Elimination
from .._algebra.levels import inner_products, packed_outer
from .._algebra.packed import (
    halves,
    lower_triangle,
    pack,
    packed_index,
    packed_size,
    pair_traces,
    symmetric_directions,
    triangle_entries,
)
from .._algebra.plan import Plan
from .._sums.crossprod import condensed

#: the residual sum of squares is taken as zero below this share of the one without random effects
ZERO_RESIDUAL = 1e-10


@dataclass(frozen=True)
class FixedEffects:
    """Generalised least squares at one T."""

    S: np.ndarray  # [X y]'V^-1[X y]
    chol: np.ndarray  # lower factor of S_XX
    beta: np.ndarray
    r2: float

    @classmethod
    def from_sums(cls, S):
        """Raises LinAlgError where the columns of X are not independent under V."""
        p = len(S) - 1
        chol, failed = lapack.dpotrf(S[:p, :p], lower=1, clean=1) if p else (np.zeros((0, 0)), 0)
        if failed:
            raise np.linalg.LinAlgError("the fixed effects are not independent under V")
        beta = lapack.dpotrs(chol, S[:p, p], lower=1)[0] if p else np.zeros(0)
        return cls(S, chol, beta, float(S[p, p] - S[:p, p] @ beta))

    @cached_property
    def contrast(self):
        """Residuals are ``[X y] contrast``."""
        return np.append(-self.beta, 1.0)

    @cached_property
    def half_inverse(self):
        """``L^-1`` with ``S_XX = LL'``."""
        p = len(self.beta)
        return lapack.dtrtri(self.chol, lower=1)[0] if p else np.zeros((0, 0))

    @cached_property
    def covariance(self):
        """``C = S_XX^-1``: covariance of the coefficients in units of sigma^2."""
        return self.half_inverse.T @ self.half_inverse

    @property
    def log_determinant(self):
        return 2.0 * float(np.sum(np.log(np.diag(self.chol))))


class ProfiledDeviance:
    """``-2 log L`` of the linear mixed model with beta and sigma^2 profiled out, as a function of
    T.

    ``reml`` is 1 for the restricted likelihood and 0 for the full one; it enters as a weight.
    """

    def __init__(self, plan, reml):
        cross = plan.cross
        self.plan = plan
        self.reml = float(reml)
        self.n = cross.n
        self.nu = max(cross.n - self.reml * cross.n_fixed, np.finfo(float).eps)
        self.gram = cross.fixed_gram()
        self.U = [cross.fixed_sums(f) for f in range(len(cross.sizes))]
        self.least_r2 = ZERO_RESIDUAL * max(self.gram[-1, -1], ZERO_RESIDUAL * cross.n)

    def criterion(self, r2):
        """What the residual sum of squares adds to the deviance."""
        return self.nu * (1.0 + np.log(2.0 * np.pi * r2 / self.nu))

    def precision(self, r2):
        """``1 / sigma^2``, the derivative of the criterion."""
        return self.nu / r2

    def profiled(self, r2):
        """Share of the outer product of the tilts in the second derivatives: sigma^2 moves with
        T."""
        return 1.0 / r2

    def __call__(self, T):
        """The model at T (one matrix per factor): its deviance, and derivatives when asked for.

        Where T is so large that rounding or overflow spoils the factorisation the deviance is
        infinite.
        """
        try:
            return LinearState(self, T)
        except np.linalg.LinAlgError:
            return Unattainable()

    def condensed(self):
        """The same function of T from as few levels as it takes.

        The very same where that is all of them.
        """
        fewer = condensed(self.plan.cross)
        return self if fewer is None else ProfiledDeviance(Plan(fewer), self.reml)


class WorkingDeviance(ProfiledDeviance):
    """The same with sigma^2 = 1 known, up to a constant: the working model of a generalised linear
    mixed model.
    """

    def __init__(self, plan, cross):
        self.plan = plan
        self.reml = 0.0
        self.nu = cross.n
        self.gram = cross.fixed_gram()
        self.U = [cross.fixed_sums(f) for f in range(len(cross.sizes))]
        self.n = cross.n
        self.least_r2 = 0.0

    def criterion(self, r2):
        return r2

    def precision(self, r2):
        return 1.0

    def profiled(self, r2):
        return 0.0


class Unattainable:
    """A point the optimiser should turn back from."""

    value = np.inf


class LinearState:
    """The model at one T: solves, fixed effects, effects, and the derivatives of the deviance.

    Derivatives are computed when they are first asked for, so that a rejected step costs a value
    only.
    """

    def __init__(self, objective, T):
        self.objective = objective
        self.elimination = Elimination(objective.plan, T) if objective.U else None
        self.B, self.F, explained = (
            self.elimination.solve(objective.U) if objective.U else ([], [], 0.0)
        )
        S = objective.gram - explained
        if not np.all(np.isfinite(S)):
            raise np.linalg.LinAlgError("sums of squares overflow")
        self.fixed = FixedEffects.from_sums((S + S.T) / 2)

    @property
    def r2(self):
        return max(self.fixed.r2, 1e-3 * self.objective.least_r2)

    @property
    def log_determinant(self):
        return self.elimination.log_determinant if self.elimination else 0.0

    @cached_property
    def value(self):
        """The deviance."""
        o = self.objective
        return self.log_determinant + o.reml * self.fixed.log_determinant + o.criterion(self.r2)

    @property
    def sigma2(self):
        return max(self.fixed.r2, 0.0) / self.objective.nu

    @cached_property
    def precisions(self):
        """Packed ``N_l`` and posterior covariance blocks per factor."""
        return self.elimination.precisions()

    @cached_property
    def effects(self):
        """Conditional modes ``b_f`` (q_f, m_f)."""
        return [self.fixed.contrast @ b for b in self.B]

    @cached_property
    def scores(self):
        """``g_f = Z_f'V^-1(y - X beta)``, (q_f, m_f)."""
        return [self.fixed.contrast @ F for F in self.F]

    @cached_property
    def parts(self):
        """Per factor, the sums over levels that the derivatives are made of."""
        return [FactorSums(self, f) for f in range(len(self.F))]

    @property
    def gradient(self):
        """``D_f``, one symmetric q_f x q_f matrix per factor."""
        return tuple(part.gradient for part in self.parts)

    @property
    def slope(self):
        """The gradient in packed coordinates."""
        return pack(self.gradient)

    def at(self, T):
        """The same model at another T."""
        return self.objective(T)

    @property
    def exact(self):
        """Whether ``hessian`` is exact; with several factors it is the average information."""
        return len(self.F) == 1

    @property
    def degenerate(self):
        """Whether no residual variation is left."""
        return self.fixed.r2 < self.objective.least_r2

    @property
    def noise(self):
        """Rounding error to expect in ``value``."""
        return 4.0 * np.finfo(float).eps * (abs(self.value) + self.objective.n)

    @cached_property
    def tilt(self):
        """``s_a = y'P V_a P y`` in packed directions of all factors."""
        return np.concatenate([part.tilt for part in self.parts])

    @cached_property
    def hessian(self):
        """Second derivatives in packed coordinates."""
        ratio = self.objective.precision(self.r2)
        outer = self.objective.profiled(self.r2) * np.outer(self.tilt, self.tilt)
        quadratic = self._quadratic_single() if self.exact else self._quadratic()
        if self.exact:
            return ratio * (2.0 * quadratic - outer) - self.trace_products()
        return ratio * (quadratic - outer)

    def _quadratic_single(self):
        """``y'P V_a P V_b P y`` for a single factor: ``sum_l g'E_a N E_b g`` less the part along
        X."""
        (part,) = self.parts
        return (
            pair_traces(part.gg @ part.N.T) - part.along_x.T @ self.fixed.covariance @ part.along_x
        )

    def _quadratic(self):
        """The same for several factors: the working variates ``f_a = Z E_a g`` go through one more
        elimination.
        """
        along_x = np.hstack([part.along_x for part in self.parts])
        information = average_information(self.elimination, self.scores)
        return information - along_x.T @ self.fixed.covariance @ along_x

    def trace_products(self):
        """``tr(P V_a P V_b)`` (REML) or ``tr(V^-1 V_a V^-1 V_b)`` (ML) for a single factor."""
        (part,) = self.parts
        traces = pair_traces(part.N_counted @ part.N.T)
        if not self.objective.reml or not len(self.fixed.beta):
            return traces
        crossed = pair_traces(part.along_c @ part.N.T)
        Phi = part.sandwiches
        CPhi = np.einsum("pr,krs->kps", self.fixed.covariance, Phi)
        return traces - crossed - crossed.T + np.einsum("kps,lsp->kl", CPhi, CPhi)


def average_information(elimination, scores):
    """``f_a'V^-1 f_b`` of the working variates ``f_a = Z E_a g`` for the packed directions a of
    all factors.
    """
    H = working_variates(scores)
    AH = elimination.plan.multiply(H)
    _, _, explained = elimination.reduce(AH)
    return sum(inner_products(h, ah) for h, ah in zip(H, AH, strict=True)) - explained


def working_variates(scores):
    """Columns ``E_a g`` for every packed direction a of every factor, zero in the other factors."""
    starts = np.cumsum([0] + [packed_size(len(g)) for g in scores])
    out = []
    for f, g in enumerate(scores):
        h = np.zeros((len(g), starts[-1], g.shape[1]))
        for k, (r, c) in enumerate(triangle_entries(len(g))):
            h[r, starts[f] + k] = g[c]
            h[c, starts[f] + k] = g[r]
        out.append(h)
    return out


class FactorSums:
    """Sums over the levels of one factor that the derivatives are made of."""

    def __init__(self, state, f):
        self.state = state
        self.N = state.precisions[0][f]
        counts = state.objective.plan.cross.counts
        self.N_counted = self.N if counts is None else self.N * counts
        self.F = state.F[f]
        self.q, columns, levels = self.F.shape
        flat = self.F.reshape(-1, levels)
        self.outer = (flat @ flat.T).reshape(self.q, columns, self.q, columns)
        self.contrast = state.fixed.contrast
        self.scores = state.scores[f]

    @cached_property
    def gradient(self):
        o = self.state.objective
        C = self.state.fixed.covariance
        N = self.N_counted.sum(axis=1)[packed_index(self.q)]
        fixed = np.einsum("apbr,pr->ab", self.outer[:, :-1, :, :-1], C)
        return N - o.reml * fixed - o.precision(self.state.r2) * self.gg_sum

    @cached_property
    def gg_sum(self):
        return np.einsum("apbr,p,r->ab", self.outer, self.contrast, self.contrast)

    @cached_property
    def tilt(self):
        """``s_a = y'P V_a P y`` in packed directions."""
        return 2.0 * halves(self.q) * self.gg_sum[lower_triangle(self.q)]

    @cached_property
    def along_x(self):
        """``t_a = sum_l F_l'E_a g_l``, (p, K)."""
        Fg = np.einsum("apbr,r->pab", self.outer[:, :-1], self.contrast)
        return symmetric_directions(Fg)

    @cached_property
    def sandwiches(self):
        """``Phi_a = sum_l F_l'E_a F_l``, (K, p, p)."""
        inner = self.outer[:, :-1, :, :-1].transpose(1, 3, 0, 2)
        return symmetric_directions(inner).transpose(2, 0, 1)

    @cached_property
    def gg(self):
        """Packed ``g_l g_l'``."""
        return packed_outer(self.scores[:, None, :])

    @cached_property
    def along_c(self):
        """Packed ``F_l C F_l'``."""
        return packed_outer(self.state.fixed.half_inverse @ self.F[:, :-1])
