"""Adaptive Gauss-Hermite quadrature over the effects of a single grouping factor.

The effects of a level are ``b = L u`` with ``T = LL'`` and u spherical.  With the mode u_0, ``H =
L'AL + I = CC'`` and nodes z_k with weights omega_k of the normal rule (a product rule for vectors),

    d = sum_l log|H| - 2 log sum_k omega_k exp(|z_k|^2 / 2 - h(u_k)),     u_k = u_0 + C'^-1 z_k,

h being minus the log of the joint density (Pinheiro and Bates 1995).  One point is the Laplace
approximation.  L is the Cholesky factor in the units of the data, so that the nodes are those of
lme4.

The gradient lets the nodes move with the parameters.  With the posterior weights pi_k of the nodes,
``h_k = u_k - L's_k``, ``e = sum pi_k h_k``, Y the symmetric matrix with the lower triangle of
``sum pi_k z_k (C^-1 h_k)'`` and ``G = C'^-1 (I - Y) C^-1`` in the place of H^-1,

    a = LH^-1 (L't + 2e),     dd / dbeta = X'(kappa - 2 sum pi_k r_k),
    dd / dL = -2 sum pi_k s_k u_k' + 2 ALG + (Z'kappa) u_0' + s (H^-1 (L't + 2e))'.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from ..._algebra.levels import (
    congruence,
    inverse_factors,
    lower_product,
    multiply_levels,
    solve_factored,
    solve_lower_transposed,
    upper_congruence,
)
from ..._algebra.packed import packed_index, packed_order, triangle_entries
from ..laplace import LaplacePart
from ..modes import Modes
from .agreeing import agreeing, agreeing_levels
from .integral import Integral, Nodes

EVALUATIONS_PER_BATCH = 1 << 15  # rows times nodes that are computed at once


class QuadraturePart(LaplacePart):
    """Contribution of one block of rows to the deviance by quadrature.

    Second derivatives are those of Laplace.
    """

    def __init__(self, modes: Modes, integration):
        super().__init__(modes)
        self.integration = integration
        (self.L,) = modes.roots
        (c,) = modes.c
        self.u = self.L.T @ c
        (self.A,) = self.elimination.plan.blocks
        self.half, self.log_determinants = inverse_factors(self.A, self.L)  # C^-1, packed

    @property
    def is_finite(self):
        return bool(np.isfinite(self.value))

    @property
    def value(self):
        logarithms = np.log(self.integral.total)
        return float(np.sum(self.log_determinants + self.modes.penalised - 2.0 * logarithms))

    @cached_property
    def integral(self):
        """Sums over the nodes, relative to the density at the mode."""
        found = Integral(*self.u.shape, self.rows)
        rule = self.integration.rule
        batch = max(1, EVALUATIONS_PER_BATCH // len(self.rows.y))
        for lo in range(0, len(rule.nodes), batch):
            nodes = slice(lo, lo + batch)
            found.add(self._visited(rule.nodes[nodes], rule.log_weights[nodes]))
        return found

    def _visited(self, z, log_weights):
        """Some nodes of every level."""
        (group,) = self.rows.groups
        shift = solve_lower_transposed(self.half, z)
        u = self.u[:, None] + shift
        b = self.modes.b[0][:, None] + np.einsum("rc,ckm->rkm", self.L, shift)
        point = self.modes.density.point([b])
        penalised = np.sum(u * u, axis=0) - 2.0 * group.sum_each(point.loglik)
        share = np.exp(log_weights[:, None] - 0.5 * (penalised - self.modes.penalised))
        s = self.rows.level_sums_each(point.score)
        h = u - np.einsum("rc,rkm->ckm", self.L, s)
        return Nodes(z, u, share, point.score, s, h, lower_product(self.half, h))

    @cached_property
    def _moved(self):
        """G packed and ``H^-1 (L't + 2e)``, with kappa: the log-determinant's part of the
        gradient.
        """
        G = upper_congruence(self.half, _identity_less(self.integral.Y))
        LGL = congruence(self.L, G)
        wv = self.point.skew * self.rows.quadratic_forms([LGL], {})
        (t,) = self.rows.level_sums(wv)
        a = solve_factored(self.half, self.L.T @ t + 2.0 * self.integral.e)
        kappa = wv - self.point.weight * self.rows.random_part([self.L @ a])
        return G, a, kappa

    def row_gradients(self):
        return self._moved[2] - 2.0 * self.integral.score

    @cached_property
    def gradient(self):
        """That of Laplace, changed so that it agrees with ``dd / dL`` along every change of L."""
        (laplace,) = self.laplace_gradient()
        wanted = np.sum(self._root_gradients, axis=2)
        return [agreeing(laplace, self.L, wanted, self.integration.axes)]

    def level_gradients(self):
        (laplace,) = super().level_gradients()
        axes = self.integration.axes
        return [agreeing_levels(laplace, self.L, self._root_gradients, axes)]

    @cached_property
    def _root_gradients(self):
        """``dd / dL`` for any change of L, of every level (q, q, m)."""
        G, a, kappa = self._moved
        (s,) = self.modes.scores
        (zk,) = self.rows.level_sums(kappa)
        LG = np.einsum("rk,kcm->rcm", self.L, G[packed_index(len(self.L))])
        ALG = multiply_levels(self.A, LG)
        return 2.0 * (ALG - self.integral.outer) + zk[:, None] * self.u + s[:, None] * a


def _identity_less(Y):
    """``I - Y``, packed."""
    diagonal = np.array([r == c for r, c in triangle_entries(packed_order(len(Y)))])
    return diagonal[:, None] - Y
