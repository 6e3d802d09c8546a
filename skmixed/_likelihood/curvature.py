"""Second derivatives of the Laplace deviance."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from .._algebra.levels import (
    complement,
    congruence,
    inner_products,
    multiply_levels,
    symmetric_congruence,
)
from .._algebra.packed import halves, pair_traces
from .linear import working_variates


class AverageInformation:
    """Half the sum of expected and observed second derivatives of the working linear model,
    sigma^2 being one.

    With the working variates ``f_a = Z E_a s`` they are ``[f X]'V^-1[f X]``, twice that for beta;
    and the scores of the levels, which are ``T^-1 b``, change by ``-Z'V^-1[f X]``.
    """

    def __init__(self, part):
        w = part.point.weight
        WX, gram = part.rows.fixed_sums(w)
        H = working_variates(part.modes.scores)
        AH = part.elimination.plan.multiply(H)
        columns = [np.hstack(pair) for pair in zip(AH, WX, strict=True)]
        _, F, explained = part.elimination.solve(columns)
        own = sum(inner_products(h, ah) for h, ah in zip(H, AH, strict=True))
        crossed = sum(inner_products(h, wx) for h, wx in zip(H, WX, strict=True))
        table = np.block([[own, crossed], [crossed.T, gram]])
        self._information = table - explained
        self._n_packed = len(own)
        self.s_dot = [-f for f in F]

    def total(self):
        """The matrix of all parameters."""
        H = self._information.copy()
        H[self._n_packed :, self._n_packed :] *= 2.0
        return H


class ExactHessian:
    """Second derivatives of the Laplace deviance where levels do not meet.

    For directions i, j over (T packed, beta), with ``E_i = dT``, ``e_i`` the explicit change of eta
    (columns of X) and ``eta_i = e_i + Z b_i`` the total one,

        b_i = K'E_i s - MZ'W e_i,    s_i = -Z'W eta_i,    A_i = sum w' eta_i zz',

        d_ij = 2 e_i'W eta_j - 2 s'E_i s_j + sum (w''v - w' z'a) eta_i eta_j
               + tr(K A_j K'E_i) + tr(K A_i K'E_j) - tr(N E_i N E_j) - tr(M A_i M A_j)
               + tau'(E_i s_j + E_j s_i).
    """

    def __init__(self, part):
        self.rows = part.rows
        self.point = part.point
        (self.s,) = part.modes.scores
        (self.a,), (self.tau,) = part.response
        (self.N,) = part.posterior.precisions
        (self.M,) = part.posterior.covariances
        (self.A,) = part.elimination.plan.blocks
        self.v = part.skewed.forms
        self.n_packed = len(self.A)
        self.w = self.point.weight
        (self.U,) = self.rows.level_fixed(self.w)
        self._differentiate()

    def _differentiate(self):
        """``E_i s`` and the derivatives of the modes and scores in every direction.

        All are (q, directions, m).
        """
        (self.Es,) = working_variates([self.s])
        moved = self.Es - multiply_levels(self.M, multiply_levels(self.A, self.Es))
        self.b = np.concatenate([moved, -multiply_levels(self.M, self.U)], axis=1)
        self.s_dot = [-(self._padded(self.U) + multiply_levels(self.A, self.b))]

    def _padded(self, columns):
        """Zero columns for the directions of T before those of beta."""
        zeros = np.zeros((len(columns), self.n_packed, columns.shape[2]))
        return np.concatenate([zeros, columns], axis=1)

    def total(self):
        """The matrix of all parameters."""
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
        through_modes = sum(with_z[:, r, None] * b for r, b in enumerate(self.b))
        return self._padded(with_x) + through_modes

    def _along_T(self):
        """``tr(K A_j K'E_i) + tau'E_i s_j``: rows are directions of T, columns all."""
        changed = congruence(complement(self.A, self.M), self._A_dot)
        sums = changed.sum(axis=-1) * (2.0 * halves(len(self.s)))[:, None]
        return sums + inner_products(*working_variates([self.tau]), self.s_dot[0])

    def _changed_precision(self):
        """``tr(M A_i M A_j)``."""
        changed = symmetric_congruence(self.M, self._A_dot)
        weights = 2.0 * halves(len(self.s))
        parts = zip(weights, self._A_dot, changed, strict=True)
        return sum(w * left @ right.T for w, left, right in parts)
