"""The Laplace deviance of a generalised linear mixed model and its derivatives in the covariances and beta.

With ``eta = X beta + Z b`` and the log-likelihood l of the rows, the conditional mode b maximises
``l(eta) - b'T^-1 b / 2``; there ``b = T s`` with ``s = Z'r``.  With working weights w = -l'', ``A = Z'WZ`` and
``M = (T^-1 + A)^-1``,

    d(T, beta) = -2 l + s'Ts + log|I + TA|.

Nothing needs ``T^-1``: ``M`` and ``K' = I - MA`` come from the elimination of the linear model, with the working
weights in place of the prior ones, and exist at a singular T.  With ``v_i = z_i'Mz_i``, ``t = Z'(w'v)``, ``a = Mt``,
``tau = Kt``, ``kappa = w'v - w (Za)`` and ``N = KA``,

    dd / dT    = sum_l N - ss' + (tau s' + s tau') / 2,        dd / dbeta = X'(kappa - 2r).

Second derivatives are exact where levels do not meet (a single factor), and the average information of the working
linear model otherwise.  ``docs/maths.md`` has the derivation.
"""

from __future__ import annotations

from copy import copy
from dataclasses import replace
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from . import _kernels as kernels
from ._cholesky import Elimination, Plan
from ._covariance import flat, pivoted_root
from ._lmm import Unattainable, working_variates
from ._optimize import pack

LARGEST_VARIANCE = 1e4  # on the scale of the linear predictor: odds differ by e^100 between typical levels
MODE_TOLERANCE = 1e-9  # decrement before a last Newton step; its square before one that is not quadratic
MAX_MODE_STEPS = 200
MAX_HALVINGS = 30
PERFECT = 1e-5  # share of the deviance of a constant mean below which nothing is left to predict
REUSE = 0.05  # a factorisation is kept while it reduces the decrement to this share


class Laplace:
    """How the effects are integrated out: by the curvature at their mode, any root of T will do."""

    points = 1
    exact = True

    def root(self, f, T):
        """A root of T."""
        return pivoted_root(T)[0]

    def block(self, mode):
        """Value and derivatives of a block of rows at its mode."""
        return LaplaceBlock(mode)


class GlmmDeviance:
    """``-2 log L`` of a generalised linear mixed model as a function of T (one matrix per factor) and beta."""

    def __init__(self, blocks, family, integration):
        self.blocks, self.family, self.integration = blocks, family, integration
        self.plans = [Plan(block.pattern) for block in blocks]
        self.n = sum(block.n for block in blocks)
        self.null_deviance = _null_deviance(blocks, family, self.n)

    @property
    def levels(self):
        """Number of levels of every factor."""
        return [sum(parts) for parts in zip(*(plan.cross.levels for plan in self.plans), strict=True)]

    def __call__(self, point, near=None):
        """The model at ``point``; ``near`` holds per block a :class:`Guess` to start from.

        Where the variances leave all bounds or a mode is out of reach, the deviance is infinite.
        """
        *T, beta = point
        if not all(np.all(np.abs(t) <= LARGEST_VARIANCE) for t in T) or not np.all(np.isfinite(beta)):
            return Unattainable()
        try:
            return State(self, T, beta, near)
        except np.linalg.LinAlgError:
            return Unattainable()

    def with_response(self, y):
        """The deviance of other responses, block after block."""
        other, ends = copy(self), np.cumsum([0] + [len(block.y) for block in self.blocks])
        other.blocks = [replace(b, y=y[lo:hi]) for b, (lo, hi) in zip(self.blocks, pairwise(ends), strict=True)]
        other.null_deviance = _null_deviance(other.blocks, other.family, other.n)
        return other


def _null_deviance(blocks, family, n):
    """``-2 l`` at the common mean of all rows."""
    eta = family.link(sum(np.sum(block.m * block.y) for block in blocks) / n)
    return sum(-2.0 * np.sum(family.at(np.full(len(block.y), eta), block.y, block.m).loglik) for block in blocks)


class State:
    """The model at one point: the modes, the deviance, and derivatives when asked for.

    Parameters are ordered as (packed T of all factors, beta).
    """

    def __init__(self, objective, T, beta, near=None):
        self.objective, self.T, self.beta = objective, T, beta
        integration = objective.integration
        self.roots = [integration.root(f, t) for f, t in enumerate(T)]
        near = near or [Guess.zero(plan) for plan in objective.plans]
        parts = zip(objective.blocks, objective.plans, near, strict=True)
        modes = [Mode(rows, plan, objective.family, T, self.roots, beta, guess) for rows, plan, guess in parts]
        self.blocks = [integration.block(mode) for mode in modes]
        if not np.isfinite(self.value):
            raise np.linalg.LinAlgError("the deviance overflows")

    def at(self, point):
        """The same model at another point, its modes searched for from where their derivatives lead."""
        change = flat(point) - flat([*self.T, self.beta])
        return self.objective(point, [Guess(block.moved_modes(change), block.elimination) for block in self.blocks])

    @property
    def exact(self):
        """Whether ``hessian`` is exact."""
        return self.objective.integration.exact and all(block.mode.rows.is_separable for block in self.blocks)

    @property
    def degenerate(self):
        """Whether the rows are predicted perfectly, so that the search would go on for ever."""
        left = -2.0 * sum(np.sum(block.point.loglik) for block in self.blocks)
        return left < PERFECT * self.objective.null_deviance

    @cached_property
    def value(self):
        """The deviance."""
        return float(sum(block.value for block in self.blocks))

    @property
    def noise(self):
        """Rounding error to expect in ``value``."""
        return 4.0 * np.finfo(float).eps * (abs(self.value) + self.objective.n)

    @cached_property
    def gradient(self):
        """``dd / dT_f``, one symmetric matrix per factor."""
        return tuple(sum(parts) for parts in zip(*(block.gradient for block in self.blocks), strict=True))

    @cached_property
    def slope(self):
        """The gradient in all parameters, that of T packed."""
        return np.concatenate([pack(self.gradient), sum(block.beta_gradient for block in self.blocks)])

    @cached_property
    def hessian(self):
        """Second derivatives, or the average information of the working model."""
        return sum(block.hessian for block in self.blocks)

    @property
    def effects(self):
        """Conditional modes per factor, (q_f, m_f)."""
        return [np.concatenate(parts, axis=1) for parts in zip(*(block.mode.b for block in self.blocks), strict=True)]


class Guess(NamedTuple):
    """Where the search for the modes of a block starts."""

    c: list  # T^-1 b per factor
    elimination: Elimination | None = None  # a factorisation nearby, for the first steps

    @classmethod
    def zero(cls, plan):
        """No effects at all."""
        return cls([np.zeros(shape) for shape in zip(plan.cross.sizes, plan.cross.levels, strict=True)])


class Mode:
    """The conditional modes of one block of rows, and the rows there.

    The modes are kept as ``b`` and as ``c = T^-1 b``, which is finite for a singular T; the penalty ``b'T^-1 b`` is
    ``b'c``.
    """

    def __init__(self, rows, plan, family, T, roots, beta, guess):
        self.rows, self.plan, self.family, self.T, self.roots = rows, plan, family, T, roots
        self.fixed = rows.x @ beta
        self._move(guess.c)
        self._climb(None if rows.is_separable else guess.elimination)
        self.elimination = self._factored()

    def _move(self, c):
        self.c, self.b = c, [t @ part for t, part in zip(self.T, c, strict=True)]
        self._evaluate()

    def _evaluate(self):
        """The family at the current effects, and the penalised deviance of every part that is maximised on its own."""
        self.point = self.at(self.b)
        self.penalised = self.rows.by_part(
            -2.0 * self.point.loglik, [b * c for b, c in zip(self.b, self.c, strict=True)]
        )
        self.scores = self.rows.level_sums(self.point.score)

    def at(self, b):
        """The family at some effects."""
        return self.family.at(self.fixed + self.rows.random_part(b), self.rows.y, self.rows.m)

    def _factored(self):
        w = self.point.weight
        plan = self.plan.reweighted(self.rows.level_blocks(w), self.rows.pair_values(w))
        return Elimination(plan, self.T, self.roots, once=True)

    def _climb(self, elimination):
        """Newton steps until the decrement is negligible, and one more: the log-determinant is linear in the error.

        Where factorising is expensive, a factorisation is used as long as it takes the decrement down quickly.
        """
        last, is_fresh = np.inf, False
        for _ in range(MAX_MODE_STEPS):
            if elimination is None:
                elimination, is_fresh = self._factored(), True
            decrement, step = self._newton_step(elimination)
            if not is_fresh and not decrement <= REUSE * last:
                elimination = None
                continue
            if not self._step(step):
                if is_fresh:
                    raise np.linalg.LinAlgError("no step raises the conditional density")
                elimination = None
                continue
            if decrement < (MODE_TOLERANCE if is_fresh else MODE_TOLERANCE**2):
                return
            last, is_fresh = decrement, False
            if self.rows.is_separable:
                elimination = None
        raise np.linalg.LinAlgError("the conditional modes are out of reach")

    def _newton_step(self, elimination):
        """The largest decrement of a level, and the step of c."""
        gradient = [(s - c)[:, None] for s, c in zip(self.scores, self.c, strict=True)]
        _, steps, _ = elimination.solve(gradient)
        steps = [step[:, 0] for step in steps]
        decrements = [
            np.max(np.sum((t @ step) * g[:, 0], axis=0)) for t, step, g in zip(self.T, steps, gradient, strict=True)
        ]
        return max(decrements), steps

    def _step(self, steps):
        """Take the step, halved where the penalised deviance of a part would rise; False if no fraction will do."""
        start, before = self.c, self.penalised
        allowed, length = before + 1e-9 * np.abs(before) + 1e-12, np.ones_like(before)
        for _ in range(MAX_HALVINGS):
            self._move([c + length * step for c, step in zip(start, steps, strict=True)])
            rises = ~(self.penalised <= allowed)
            if not np.any(rises):
                return True
            length[rises] *= 0.5
        self._move(start)
        return False


class LaplaceBlock:
    """Contribution of one block of rows to the Laplace deviance and its derivatives."""

    def __init__(self, mode):
        self.mode, self.rows, self.point, self.elimination = mode, mode.rows, mode.point, mode.elimination

    @property
    def value(self):
        return np.sum(self.mode.penalised) + self.elimination.log_determinant

    @cached_property
    def _shared(self):
        return self.elimination.pair_covariances() if self.rows.pairs else {}

    @cached_property
    def _skewed(self):
        """``v`` and ``w'v``."""
        v = self.rows.quadratic_forms(self.elimination.precisions()[1], self._shared)
        return v, self.point.skew * v

    @cached_property
    def _response(self):
        """``a = Mt`` and ``tau = Kt``: how the modes answer the log-determinant."""
        a, tau, _ = self.elimination.solve([t[:, None] for t in self.rows.level_sums(self._skewed[1])])
        return [x[:, 0] for x in a], [x[:, 0] for x in tau]

    @cached_property
    def gradient(self):
        """``dd / dT_f``, one symmetric matrix per factor."""
        return self._laplace_gradient()

    def _laplace_gradient(self):
        found = []
        for N, s, tau in zip(self.elimination.precisions()[0], self.mode.scores, self._response[1], strict=True):
            crossed = tau @ s.T
            found.append(N.sum(axis=1)[kernels.packed_index(len(s))] - s @ s.T + (crossed + crossed.T) / 2)
        return found

    def level_gradients(self):
        """The summands of :attr:`gradient`, (q_f, q_f, m_f) per factor."""
        parts = zip(self.elimination.precisions()[0], self.mode.scores, self._response[1], strict=True)
        return [_level_gradient(N, s, tau) for N, s, tau in parts]

    @cached_property
    def beta_gradient(self):
        return self.rows.fixed_sums(self.row_gradients())

    def row_gradients(self):
        """``dd / d eta`` of every row as far as beta is concerned, (n,)."""
        a, _ = self._response
        return self._skewed[1] - self.point.weight * self.rows.random_part(a) - 2.0 * self.point.score

    @cached_property
    def _curvature(self):
        return ExactHessian(self) if self.rows.is_separable else AverageInformation(self)

    @cached_property
    def hessian(self):
        return self._curvature.total()

    def moved_modes(self, change):
        """``T^-1 b`` per factor after a change of the parameters, to first order; as they are if that is not known."""
        if "_curvature" not in vars(self):
            return self.mode.c
        return [
            c + np.einsum("qdm,d->qm", s_dot, change)
            for c, s_dot in zip(self.mode.c, self._curvature.s_dot, strict=True)
        ]


def _level_gradient(N, s, tau):
    """``N - ss' + (tau s' + s tau') / 2`` of every level."""
    crossed = tau[:, None] * s
    return N[kernels.packed_index(len(s))] - s[:, None] * s + (crossed + crossed.transpose(1, 0, 2)) / 2


class AverageInformation:
    """Half the sum of expected and observed second derivatives of the working linear model, sigma^2 = 1.

    With the working variates ``f_a = Z E_a s`` they are ``[f X]'V^-1[f X]``, twice that for beta; and the scores of the
    levels, which are ``T^-1 b``, change by ``-Z'V^-1[f X]``.
    """

    def __init__(self, block):
        rows, w, plan = block.rows, block.point.weight, block.elimination.plan
        H = working_variates(block.mode.scores)
        AH, WX = plan.multiply(H), rows.level_fixed(w)
        _, F, explained = block.elimination.solve([np.hstack(pair) for pair in zip(AH, WX, strict=True)])
        own = sum(kernels.inner_products(h, ah) for h, ah in zip(H, AH, strict=True))
        crossed = sum(kernels.inner_products(h, wx) for h, wx in zip(H, WX, strict=True))
        self._information = np.block([[own, crossed], [crossed.T, rows.fixed_gram(w)]]) - explained
        self._n_packed = len(own)
        self.s_dot = [-f for f in F]

    def total(self):
        H = self._information.copy()
        H[self._n_packed :, self._n_packed :] *= 2.0
        return H


class ExactHessian:
    """Second derivatives of the Laplace deviance where levels do not meet.

    For directions i, j over (T packed, beta), with ``E_i = dT``, ``e_i`` the explicit change of eta (columns of X) and
    ``eta_i = e_i + Z b_i`` the total one,

        b_i = K'E_i s - MZ'W e_i,    s_i = -Z'W eta_i,    A_i = sum w' eta_i zz',

        d_ij = 2 e_i'W eta_j - 2 s'E_i s_j + sum (w''v - w' z'a) eta_i eta_j + tr(K A_j K'E_i) + tr(K A_i K'E_j)
               - tr(N E_i N E_j) - tr(M A_i M A_j) + tau'(E_i s_j + E_j s_i).
    """

    def __init__(self, block):
        self.rows, self.point = block.rows, block.point
        (self.s,), (self.a,), (self.tau,) = block.mode.scores, *block._response
        (self.N,), (self.M,) = block.elimination.precisions()
        (self.A,) = block.elimination.plan.blocks
        self.v = block._skewed[0]
        self.q, self.n_packed, self.p = len(self.s), len(self.A), self.rows.x.shape[1]
        self.w = self.point.weight
        (self.U,) = self.rows.level_fixed(self.w)
        self._differentiate()

    def _differentiate(self):
        """``E_i s`` and the derivatives of the modes and scores in every direction, (q, directions, m)."""
        (self.Es,) = working_variates([self.s])
        moved = self.Es - kernels.multiply_levels(self.M, kernels.multiply_levels(self.A, self.Es))
        self.b = np.concatenate([moved, -kernels.multiply_levels(self.M, self.U)], axis=1)
        self.s_dot = [-(self._padded(self.U) + kernels.multiply_levels(self.A, self.b))]

    def _padded(self, columns):
        """Zero columns for the directions of T before those of beta."""
        return np.concatenate([np.zeros((len(columns), self.n_packed, columns.shape[2])), columns], axis=1)

    def total(self):
        H = self._through_predictor()
        along_T = self._along_T()
        H[: self.n_packed] += along_T
        H[:, : self.n_packed] += along_T.T
        H[: self.n_packed] -= 2.0 * kernels.inner_products(self.Es, self.s_dot[0])
        H[: self.n_packed, : self.n_packed] -= kernels.pair_traces(self.N @ self.N.T)
        return H - self._changed_precision()

    def _through_predictor(self):
        """Terms in products of the changes of eta."""
        c = self.point.curvature * self.v - self.point.skew * self.rows.random_part([self.a])
        (Uc,), (Ac,) = self.rows.level_fixed(c), self.rows.level_blocks(c)
        crossed = kernels.inner_products(self._padded(Uc), self.b)
        H = crossed + crossed.T + kernels.inner_products(self.b, kernels.multiply_levels(Ac, self.b))
        H[self.n_packed :] += 2.0 * kernels.inner_products(self.U, self.b)
        H[self.n_packed :, self.n_packed :] += self.rows.fixed_gram(2.0 * self.w + c)
        return H

    @cached_property
    def _A_dot(self):
        """Changes of A, packed (K, directions, m)."""
        with_x, with_z = self.rows.moments(self.point.skew)
        return self._padded(with_x) + sum(with_z[:, r, None] * self.b[r] for r in range(self.q))

    def _along_T(self):
        """``tr(K A_j K'E_i) + tau'E_i s_j``: rows are directions of T, columns all."""
        A, M = kernels.unpack(self.A, self.q), kernels.unpack(self.M, self.q)
        K = [[(r == c) - sum(A[r][k] * M[k][c] for k in range(self.q)) for c in range(self.q)] for r in range(self.q)]
        changed = kernels.sandwich(K, kernels.unpack(self._A_dot, self.q), self.q)
        sums = np.array([entry.sum(axis=-1) for entry in changed]) * (2.0 * kernels.halves(self.q))[:, None]
        return sums + kernels.inner_products(*working_variates([self.tau]), self.s_dot[0])

    def _changed_precision(self):
        """``tr(M A_i M A_j)``."""
        M = kernels.unpack(self.M, self.q)
        inner = kernels.sandwich(M, kernels.unpack(self._A_dot, self.q), self.q)
        weights = 2.0 * kernels.halves(self.q)
        return sum(w * left @ right.T for w, left, right in zip(weights, self._A_dot, inner, strict=True))
