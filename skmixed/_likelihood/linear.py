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

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol, Self

import numpy as np
from scipy.linalg import lapack

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
from .._algebra.plans import plan_of
from .._model.priors import FLAT, Prior
from .._model.ridge import NO_RIDGE, Ridge
from .._sums.crossprod import CrossProducts, condensed

#: the residual sum of squares is taken as zero below this share of the one without random effects
ZERO_RESIDUAL = 1e-10
LEAST_SHARE = 1e-3  # of that, below which its logarithm is not taken


@dataclass(frozen=True, eq=False)
class FixedEffects:
    """Generalised least squares at one T.

    Attributes
    ----------
    S : ``[X y]'V^-1[X y]``
    chol : lower factor of S_XX
    beta : coefficients
    r2 : residual sum of squares
    """

    S: np.ndarray
    chol: np.ndarray
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


class Scale(Protocol):
    """What sigma^2 is: how the residual sum of squares r2 enters the deviance."""

    def criterion(self, r2: float, nu: float) -> float:
        """What it adds to the deviance."""

    def precision(self, r2: float, nu: float) -> float:
        """``1 / sigma^2``, the derivative of the criterion."""

    def profiled(self, r2: float) -> float:
        """Share of the outer product of the tilts in the second derivatives."""


class Profiled:
    """Its best value for every T."""

    def criterion(self, r2, nu):
        return nu * (1.0 + np.log(2.0 * np.pi * r2 / nu))

    def precision(self, r2, nu):
        return nu / r2

    def profiled(self, r2):
        return 1.0 / r2


@dataclass(frozen=True)
class Known:
    """A given value."""

    sigma2: float

    def criterion(self, r2, nu):
        return nu * np.log(2.0 * np.pi * self.sigma2) + r2 / self.sigma2

    def precision(self, r2, nu):
        return 1.0 / self.sigma2

    def profiled(self, r2):
        return 0.0


class Working:
    """One, up to a constant: in the working model of a generalised linear mixed model."""

    def criterion(self, r2, nu):
        return r2

    def precision(self, r2, nu):
        return 1.0

    def profiled(self, r2):
        return 0.0


@dataclass(frozen=True, eq=False)
class ProfiledDeviance:
    """``-2 log L`` of the linear mixed model with beta profiled out, as a function of T.

    Attributes
    ----------
    plan : of the elimination
    gram : ``[X y]'W[X y]``
    U : per factor ``Z_f'W[X y]``, (q_f, p + 1, m_f); empty without random effects
    n : number of observations
    reml : 1 for the restricted likelihood and 0 for the full one: a weight
    nu : ``n - p`` or n
    least_r2 : residual sum of squares that counts as zero
    scale : what sigma^2 is
    ridge : penalty on the fixed effects
    prior : of the covariances
    """

    plan: Plan
    gram: np.ndarray
    U: tuple[np.ndarray, ...]
    n: float
    reml: float
    nu: float
    least_r2: float
    scale: Scale
    ridge: Ridge = NO_RIDGE
    prior: Prior = FLAT

    @classmethod
    def of(cls, plan: Plan, reml: bool, ridge: Ridge = NO_RIDGE, prior: Prior = FLAT) -> Self:
        """The likelihood of the plan's cross-products, with penalties."""
        cross = plan.cross
        gram = cross.fixed_gram()
        return cls(
            plan=plan,
            gram=gram,
            U=_right_hand_sides(cross),
            n=cross.n,
            reml=float(reml),
            nu=max(cross.n - reml * cross.n_fixed, np.finfo(float).eps),
            least_r2=float(least_r2(gram[-1, -1], cross.n)),
            scale=Profiled(),
            ridge=ridge,
            prior=prior,
        )

    @classmethod
    def working(
        cls, plan: Plan, cross: CrossProducts, ridge: Ridge = NO_RIDGE, prior: Prior = FLAT
    ) -> Self:
        """The likelihood of working cross-products, sigma^2 being one."""
        return cls(
            plan=plan,
            gram=cross.fixed_gram(),
            U=_right_hand_sides(cross),
            n=cross.n,
            reml=0.0,
            nu=cross.n,
            least_r2=0.0,
            scale=Working(),
            ridge=ridge,
            prior=prior,
        )

    def at_scale(self, sigma2: float) -> Self:
        """The same with sigma^2 known."""
        return replace(self, scale=Known(sigma2))

    def without_effects(self) -> Self:
        """The same fixed effects alone."""
        return replace(self, U=(), prior=FLAT)

    def unrestricted(self) -> Self:
        """The full likelihood of the same sums."""
        return replace(self, reml=0.0, nu=self.n)

    def pinned(self, columns: np.ndarray) -> Self:
        """The full likelihood of other columns and another response: combinations of ``[X y]``."""
        U = (np.einsum("qcm,cd->qdm", U, columns) for U in self.U)
        return replace(
            self,
            gram=columns.T @ self.gram @ columns,
            U=tuple(map(np.ascontiguousarray, U)),
            reml=0.0,
            nu=self.n,
        )

    def condensed(self) -> Self:
        """The same function of T from as few levels as it takes.

        The very same where that is all of them.
        """
        fewer = condensed(self.plan.cross)
        return self if fewer is None else self._of_plan(plan_of(fewer, solver=self.plan.solver))

    def _of_plan(self, plan):
        """The same likelihood of other sums."""
        return ProfiledDeviance.of(plan, bool(self.reml), self.ridge, self.prior)

    def __call__(self, T):
        """The model at T (one matrix per factor): its deviance, and derivatives when asked for.

        Where T is so large that rounding or overflow spoils the factorisation the deviance is
        infinite.
        """
        try:
            return LinearState(self, T)
        except np.linalg.LinAlgError:
            return Unattainable()


def least_r2(squares, n):
    """Residual sums of squares that count as zero, from those of the responses."""
    return ZERO_RESIDUAL * np.maximum(squares, ZERO_RESIDUAL * n)


def _right_hand_sides(cross):
    return tuple(cross.x_sums(f) for f in range(len(cross.sizes)))


class Unattainable:
    """A point the optimiser should turn back from."""

    value = np.inf
    attainable = False


class LinearState:
    """The model at one T: solves, fixed effects, effects, and the derivatives of the deviance.

    Derivatives are computed when they are first asked for, so that a rejected step costs a value
    only.  Fixed effects that are given are kept; sums of squares and the deviance then say nothing.
    """

    attainable = True

    def __init__(self, objective: ProfiledDeviance, T, fixed: FixedEffects | None = None):
        self.objective = objective
        self.T = T
        self.elimination = objective.plan.eliminate(T) if objective.U else None
        self.B, self.F, explained = self._solution()
        self.fixed = self._estimated(explained) if fixed is None else fixed

    def _estimated(self, explained):
        o = self.objective
        S = o.ridge.joined(o.gram) - explained
        if not np.all(np.isfinite(S)):
            raise np.linalg.LinAlgError("sums of squares overflow")
        return FixedEffects.from_sums((S + S.T) / 2)

    def _solution(self):
        if self.elimination is None:
            return [], [], 0.0
        return self.elimination.solve(self.objective.U)

    @property
    def r2(self):
        return max(self.fixed.r2, LEAST_SHARE * self.objective.least_r2)

    @property
    def log_determinant(self):
        return self.elimination.log_determinant if self.elimination else 0.0

    @cached_property
    def value(self):
        """The deviance."""
        o = self.objective
        criterion = o.scale.criterion(self.r2, o.nu)
        likelihood = self.log_determinant + o.reml * self.fixed.log_determinant + criterion
        return likelihood + o.prior.value(self.T)

    @property
    def sigma2(self):
        return max(self.fixed.r2, 0.0) / self.objective.nu

    @cached_property
    def posterior(self):
        """Packed ``N_l`` and posterior covariance blocks per factor."""
        return self.elimination.posterior()

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
        counts = self.objective.plan.cross.counts
        contrast = self.fixed.contrast
        precisions = self.posterior.precisions if self.F else []
        return [FactorSums(N, F, contrast, counts) for N, F in zip(precisions, self.F, strict=True)]

    @property
    def precision(self):
        """``1 / sigma^2``."""
        return self.objective.scale.precision(self.r2, self.objective.nu)

    @cached_property
    def gradient(self):
        """``D_f``, one symmetric q_f x q_f matrix per factor."""
        reml = self.objective.reml
        C = self.fixed.covariance
        gradient = [
            part.N_sum - reml * part.along(C) - self.precision * part.gg_sum for part in self.parts
        ]
        return self.objective.prior.with_gradient(gradient, self.T)

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
        """Rounding error to expect in ``value``: r^2 is a difference of sums of squares."""
        o = self.objective
        lost = 4.0 * o.scale.precision(self.r2, o.nu) * o.gram[-1, -1]
        return 4.0 * np.finfo(float).eps * (abs(self.value) + o.n + lost)

    @cached_property
    def tilt(self):
        """``s_a = y'P V_a P y`` in packed directions of all factors."""
        return np.concatenate([part.tilt for part in self.parts])

    @cached_property
    def hessian(self):
        """Second derivatives in packed coordinates."""
        return self.objective.prior.with_hessian(self._of_likelihood(), self.T)

    def _of_likelihood(self):
        outer = self.objective.scale.profiled(self.r2) * np.outer(self.tilt, self.tilt)
        if not self.exact:
            return self.precision * (self._quadratic() - outer)
        return self.precision * (2.0 * self._quadratic_single() - outer) - self.trace_products()

    def _quadratic_single(self):
        """``y'P V_a P V_b P y`` for a single factor: ``sum_l g'E_a N E_b g`` less the part along
        X.
        """
        (part,) = self.parts
        shared = part.along_x.T @ self.fixed.covariance @ part.along_x
        return pair_traces(packed_outer(self.scores[0][:, None, :]) @ part.N.T) - shared

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
        FCF = packed_outer(self.fixed.half_inverse @ self.F[0][:, :-1])
        crossed = pair_traces(FCF @ part.N.T)
        CPhi = self.fixed.covariance @ part.sandwiches
        return traces - crossed - crossed.T + np.einsum("kps,lsp->kl", CPhi, CPhi)


def average_information(elimination, scores):
    """``f_a'V^-1 f_b`` of the working variates ``f_a = Z E_a g`` for the packed directions a of
    all factors.
    """
    H = working_variates(scores)
    AH = elimination.plan.multiply(H)
    explained = elimination.reduce(AH).explained
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
    """Sums over the levels of one factor that the derivatives are made of.

    ``N`` is packed, ``F = Z'V^-1[X y]`` (q, p + 1, m), and residuals are ``[X y] contrast``.
    """

    def __init__(self, N, F, contrast, counts):
        self.N = N
        self.N_counted = N if counts is None else N * counts
        self.contrast = contrast
        self.q, columns, levels = F.shape
        flat = F.reshape(-1, levels)
        self.outer = (flat @ flat.T).reshape(self.q, columns, self.q, columns)

    @property
    def N_sum(self):
        """``sum_l N_l``."""
        return self.N_counted.sum(axis=1)[packed_index(self.q)]

    def along(self, C):
        """``sum_l F_l C F_l'`` over the columns of X."""
        return np.einsum("apbr,pr->ab", self.outer[:, :-1, :, :-1], C)

    @cached_property
    def gg_sum(self):
        """``sum_l g_l g_l'``."""
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
