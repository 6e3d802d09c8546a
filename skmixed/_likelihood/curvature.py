"""Second derivatives of the Laplace deviance."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from .._algebra.levels import inner_products, multiply_levels, sandwich
from .._algebra.packed import halves, pair_traces, unpack
from .linear import working_variates


class AverageInformation:
    """Half the sum of expected and observed second derivatives of the working linear model, sigma^2
    = 1.

    With the working variates ``f_a = Z E_a s`` they are ``[f X]'V^-1[f X]``, twice that for beta;
    and the scores of the levels, which are ``T^-1 b``, change by ``-Z'V^-1[f X]``.
    """

    def __init__(self, block):
        rows = block.rows
        w = block.point.weight
        plan = block.elimination.plan
        H = working_variates(block.mode.scores)
        AH = plan.multiply(H)
        WX = rows.level_fixed(w)
        _, F, explained = block.elimination.solve(
            [np.hstack(pair) for pair in zip(AH, WX, strict=True)]
        )
        own = sum(inner_products(h, ah) for h, ah in zip(H, AH, strict=True))
        crossed = sum(inner_products(h, wx) for h, wx in zip(H, WX, strict=True))
        self._information = np.block([[own, crossed], [crossed.T, rows.fixed_gram(w)]]) - explained
        self._n_packed = len(own)
        self.s_dot = [-f for f in F]

    def total(self):
        H = self._information.copy()
        H[self._n_packed :, self._n_packed :] *= 2.0
        return H


class ExactHessian:
    """Second derivatives of the Laplace deviance where levels do not meet.

    For directions i, j over (T packed, beta), with ``E_i = dT``, ``e_i`` the explicit change of eta
    (columns of X) and ``eta_i = e_i + Z b_i`` the total one,

        b_i = K'E_i s - MZ'W e_i,    s_i = -Z'W eta_i,    A_i = sum w' eta_i zz',

        d_ij = 2 e_i'W eta_j - 2 s'E_i s_j + sum (w''v - w' z'a) eta_i eta_j + tr(K A_j K'E_i) +
        tr(K A_i K'E_j)
               - tr(N E_i N E_j) - tr(M A_i M A_j) + tau'(E_i s_j + E_j s_i).
    """

    def __init__(self, block):
        self.rows = block.rows
        self.point = block.point
        (self.s,), (self.a,), (self.tau,) = block.mode.scores, *block._response
        (self.N,), (self.M,) = block.elimination.precisions()
        (self.A,) = block.elimination.plan.blocks
        self.v = block._skewed[0]
        self.q = len(self.s)
        self.n_packed = len(self.A)
        self.p = self.rows.x.shape[1]
        self.w = self.point.weight
        (self.U,) = self.rows.level_fixed(self.w)
        self._differentiate()

    def _differentiate(self):
        """``E_i s`` and the derivatives of the modes and scores in every direction, (q,
        directions, m).
        """
        (self.Es,) = working_variates([self.s])
        moved = self.Es - multiply_levels(self.M, multiply_levels(self.A, self.Es))
        self.b = np.concatenate([moved, -multiply_levels(self.M, self.U)], axis=1)
        self.s_dot = [-(self._padded(self.U) + multiply_levels(self.A, self.b))]

    def _padded(self, columns):
        """Zero columns for the directions of T before those of beta."""
        return np.concatenate(
            [np.zeros((len(columns), self.n_packed, columns.shape[2])), columns], axis=1
        )

    def total(self):
        H = self._through_predictor()
        along_T = self._along_T()
        H[: self.n_packed] += along_T
        H[:, : self.n_packed] += along_T.T
        H[: self.n_packed] -= 2.0 * inner_products(self.Es, self.s_dot[0])
        H[: self.n_packed, : self.n_packed] -= pair_traces(self.N @ self.N.T)
        return H - self._changed_precision()

    def _through_predictor(self):
        """Terms in products of the changes of eta."""
        c = self.point.curvature * self.v - self.point.skew * self.rows.random_part([self.a])
        (Uc,) = self.rows.level_fixed(c)
        (Ac,) = self.rows.level_blocks(c)
        crossed = inner_products(self._padded(Uc), self.b)
        H = crossed + crossed.T + inner_products(self.b, multiply_levels(Ac, self.b))
        H[self.n_packed :] += 2.0 * inner_products(self.U, self.b)
        H[self.n_packed :, self.n_packed :] += self.rows.fixed_gram(2.0 * self.w + c)
        return H

    @cached_property
    def _A_dot(self):
        """Changes of A, packed (K, directions, m)."""
        with_x, with_z = self.rows.moments(self.point.skew)
        return self._padded(with_x) + sum(with_z[:, r, None] * self.b[r] for r in range(self.q))

    def _along_T(self):
        """``tr(K A_j K'E_i) + tau'E_i s_j``: rows are directions of T, columns all."""
        A = unpack(self.A, self.q)
        M = unpack(self.M, self.q)
        K = [
            [(r == c) - sum(A[r][k] * M[k][c] for k in range(self.q)) for c in range(self.q)]
            for r in range(self.q)
        ]
        changed = sandwich(K, unpack(self._A_dot, self.q), self.q)
        sums = np.array([entry.sum(axis=-1) for entry in changed]) * (2.0 * halves(self.q))[:, None]
        return sums + inner_products(*working_variates([self.tau]), self.s_dot[0])

    def _changed_precision(self):
        """``tr(M A_i M A_j)``."""
        M = unpack(self.M, self.q)
        inner = sandwich(M, unpack(self._A_dot, self.q), self.q)
        weights = 2.0 * halves(self.q)
        return sum(
            w * left @ right.T for w, left, right in zip(weights, self._A_dot, inner, strict=True)
        )
