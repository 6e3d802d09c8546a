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

from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import NamedTuple

import numpy as np

from .._algebra.levels import (
    congruence,
    inverse_factors,
    lower_product,
    multiply_levels,
    solve_factored,
    solve_lower_transposed,
    upper_congruence,
)
from .._algebra.packed import (
    lower_triangle,
    packed_index,
    packed_order,
    packed_size,
    triangle_entries,
)
from .._algebra.roots import semidefinite_cholesky
from .laplace import LaplacePart
from .modes import Modes

MAX_DIMENSION = 3
EVALUATIONS_PER_BATCH = 1 << 15  # rows times nodes that are computed at once


@dataclass(frozen=True)
class Rule:
    """Nodes (k, q) of the product rule and ``log omega_k + |z_k|^2 / 2``."""

    nodes: np.ndarray
    log_weights: np.ndarray

    @classmethod
    def product(cls, points, q):
        """Gauss-Hermite rule for the standard normal distribution in q dimensions."""
        x, w = np.polynomial.hermite_e.hermegauss(points)
        logs = np.log(w) - 0.5 * np.log(2.0 * np.pi) + 0.5 * x**2
        nodes = np.array(list(product(x, repeat=q)))
        return cls(nodes, np.array([sum(t) for t in product(logs, repeat=q)]))


class AdaptiveQuadrature:
    """How the effects are integrated out: by a rule around the mode.

    ``basis`` is the matrix R from effects here to those in the units of the data, where the
    Cholesky factor is taken. With ``R' = QU``, U upper triangular, that factor is ``R Q`` times the
    one of ``Q'TQ``: all that matters is the orthonormal Q, whatever the units.
    """

    exact = False

    def __init__(self, points, basis):
        self.points = points
        self.axes = np.linalg.qr(basis.T)[0]
        self.rule = Rule.product(points, len(basis))

    def root(self, f, T):
        """``Q chol(Q'TQ)``."""
        return self.axes @ semidefinite_cholesky(self.axes.T @ T @ self.axes)

    def swept(self, density, guess):
        """There is no such visit."""

    def part(self, modes):
        """Value and derivatives of a block of rows at its modes."""
        return QuadraturePart(modes, self)


class QuadraturePart(LaplacePart):
    """Contribution of one block of rows to the deviance by quadrature.

    Second derivatives are those of Laplace.
    """

    def __init__(self, modes: Modes, integration: AdaptiveQuadrature):
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
        return [_agreeing(laplace, self.L, wanted, self.integration.axes)]

    def level_gradients(self):
        (laplace,) = super().level_gradients()
        stacks = (table.transpose(2, 0, 1) for table in (laplace, self._root_gradients))
        axes = self.integration.axes
        levels = [_agreeing(D, self.L, wanted, axes) for D, wanted in zip(*stacks, strict=True)]
        return [np.stack(levels, axis=2)]

    @cached_property
    def _root_gradients(self):
        """``dd / dL`` for any change of L, of every level (q, q, m)."""
        G, a, kappa = self._moved
        (s,) = self.modes.scores
        (zk,) = self.rows.level_sums(kappa)
        LG = np.einsum("rk,kcm->rcm", self.L, G[packed_index(len(self.L))])
        ALG = multiply_levels(self.A, LG)
        return 2.0 * (ALG - self.integral.outer) + zk[:, None] * self.u + s[:, None] * a


class Nodes(NamedTuple):
    """Some nodes of every level.

    Attributes
    ----------
    z : (k, q) the nodes of the rule
    u : (q, k, m) spherical effects
    share : (k, m) weights, relative to the density at the mode
    score : (k, n) of the rows
    s : (q, k, m) of the levels, ``Z'r``
    h : (q, k, m) ``u - L's``
    v : (q, k, m) ``C^-1 h``
    """

    z: np.ndarray
    u: np.ndarray
    share: np.ndarray
    score: np.ndarray
    s: np.ndarray
    h: np.ndarray
    v: np.ndarray


class Integral:
    """What is summed over the nodes of every level; averages are those of the posterior weights."""

    def __init__(self, q, m, rows):
        self._codes = rows.groups[0].codes
        self.total = np.zeros(m)
        self._score = np.zeros(len(self._codes))
        self._e = np.zeros((q, m))
        self._outer = np.zeros((q, q, m))
        self._Y = np.zeros((packed_size(q), m))

    def add(self, nodes: Nodes):
        """Some more nodes."""
        share = nodes.share
        self.total += np.sum(share, axis=0)
        self._score += np.einsum("kn,kn->n", share[:, self._codes], nodes.score)
        self._e += np.einsum("km,qkm->qm", share, nodes.h)
        self._outer += np.einsum("km,rkm,ckm->rcm", share, nodes.s, nodes.u)
        scaled = share * nodes.v
        for k, (r, c) in enumerate(triangle_entries(len(nodes.u))):
            self._Y[k] += nodes.z[:, r] @ scaled[c]

    @cached_property
    def score(self):
        """``sum_k pi_k r_k`` per row."""
        return self._score / self.total[self._codes]

    @cached_property
    def e(self):
        """``sum_k pi_k h_k``."""
        return self._e / self.total

    @cached_property
    def outer(self):
        """``sum_k pi_k s_k u_k'`` of every level, (q, q, m)."""
        return self._outer / self.total

    @cached_property
    def Y(self):
        """Packed: the lower triangle of ``sum_k pi_k z_k (C^-1 h_k)'``."""
        return self._Y / self.total


def _identity_less(Y):
    """``I - Y``, packed."""
    diagonal = np.array([r == c for r, c in triangle_entries(packed_order(len(Y)))])
    return diagonal[:, None] - Y


def _agreeing(D, L, root_gradient, axes):
    """The symmetric matrix nearest to D whose ``2 D L`` is the gradient in the root, on the entries
    a root has.

    In the coordinates of the axes the root is lower triangular; columns that vanish with T say
    nothing, so there D stays.
    """
    q = len(L)
    rows, cols = lower_triangle(q)
    lower = axes.T @ L
    wanted = axes.T @ root_gradient
    D = axes.T @ D @ axes
    units = np.zeros((len(rows), q, q))
    units[np.arange(len(rows)), rows, cols] = units[np.arange(len(rows)), cols, rows] = 1.0
    system = 2.0 * np.einsum("aij,jk->ika", units, lower)[rows, cols]
    change = np.linalg.lstsq(system, (wanted - 2.0 * D @ lower)[rows, cols], rcond=1e-10)[0]
    return axes @ (D + np.einsum("a,aij->ij", change, units)) @ axes.T
