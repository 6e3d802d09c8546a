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

import numpy as np

from .._algebra.levels import inverse_factors, sandwich
from .._algebra.packed import lower_triangle, packed_index, unpack
from .._algebra.roots import semidefinite_cholesky
from .laplace import LaplacePart

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
        return cls(
            np.array(list(product(x, repeat=q))),
            np.array([sum(t) for t in product(logs, repeat=q)]),
        )


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

    def block(self, mode):
        """Value and derivatives of a block of rows at its mode."""
        return QuadraturePart(mode, self)


class QuadraturePart(LaplacePart):
    """Contribution of one block of rows to the deviance by quadrature.

    Second derivatives are those of Laplace.
    """

    def __init__(self, mode, integration):
        super().__init__(mode)
        self.integration = integration
        (self.L,) = mode.roots
        (self.c,) = mode.c
        self.q = len(self.L)
        self.u = self.L.T @ self.c
        (A,) = self.elimination.plan.blocks
        self.half, self.log_determinants = inverse_factors(A, self.L)  # C^-1, nested lists

    @property
    def value(self):
        return float(
            np.sum(self.log_determinants + self.mode.penalised - 2.0 * np.log(self.integral.total))
        )

    @cached_property
    def integral(self):
        """Sums over the nodes, relative to the density at the mode."""
        found = _Integral(self)
        rule = self.integration.rule
        batch = max(1, EVALUATIONS_PER_BATCH // len(self.point.eta))
        for lo in range(0, len(rule.nodes), batch):
            found.add(rule.nodes[lo : lo + batch], rule.log_weights[lo : lo + batch])
        return found

    @cached_property
    def _moved(self):
        """G and ``H^-1 (L't + 2e)``, with kappa: the log-determinant's part of the gradient."""
        G = _scaled_identity_less(self.half, self.integral.Y, self.q)
        LGL = sandwich([list(row) for row in self.L], G, self.q)
        wv = self.point.skew * self.rows.quadratic_forms([np.array(LGL)], {})
        (t,) = self.rows.level_sums(wv)
        a = _solve(self.half, self.L.T @ t + 2.0 * self.integral.e, self.q)
        kappa = wv - self.point.weight * self.rows.random_part([self.L @ a])
        return G, a, kappa

    def row_gradients(self):
        return self._moved[2] - 2.0 * self.integral.score

    @cached_property
    def gradient(self):
        """That of Laplace, changed so that it agrees with ``dd / dL`` along every change of L."""
        wanted = np.sum(self._root_gradients, axis=2)
        return [_agreeing(self._laplace_gradient()[0], self.L, wanted, self.integration.axes)]

    def level_gradients(self):
        (laplace,) = super().level_gradients()
        stacks = (table.transpose(2, 0, 1) for table in (laplace, self._root_gradients))
        levels = [
            _agreeing(D, self.L, wanted, self.integration.axes)
            for D, wanted in zip(*stacks, strict=True)
        ]
        return [np.stack(levels, axis=2)]

    @cached_property
    def _root_gradients(self):
        """``dd / dL`` for any change of L, of every level (q, q, m)."""
        G, a, kappa = self._moved
        (A,) = self.elimination.plan.blocks
        (s,) = self.mode.scores
        (zk,) = self.rows.level_sums(kappa)
        A = unpack(A, self.q)
        LG = [
            [sum(self.L[r, k] * G[k][c] for k in range(self.q)) for c in range(self.q)]
            for r in range(self.q)
        ]
        ALG = [
            [sum(A[r][k] * LG[k][c] for k in range(self.q)) for c in range(self.q)]
            for r in range(self.q)
        ]
        return 2.0 * (np.array(ALG) - self.integral.outer) + zk[:, None] * self.u + s[:, None] * a


class _Integral:
    """What is summed over the nodes of every level."""

    def __init__(self, block):
        self.block = block
        q = block.q
        m = block.u.shape[1]
        self._codes = block.rows.groups[0].codes
        self.total = np.zeros(m)
        self._score = np.zeros(len(self._codes))
        self._e = np.zeros((q, m))
        self._outer = np.zeros((q, q, m))
        self._Y = [[np.zeros(m) for _ in range(r + 1)] for r in range(q)]

    def add(self, z, log_weights):
        """Some nodes (k, q) of every level."""
        block = self.block
        q = self.block.q
        (group,) = self.block.rows.groups
        shift = np.array(
            [
                sum(np.multiply.outer(z[:, r], block.half[r][c]) for r in range(c, q))
                for c in range(q)
            ]
        )
        u = block.u[:, None] + shift
        point = block.mode.at([block.mode.b[0][:, None] + np.einsum("rc,ckm->rkm", block.L, shift)])
        penalised = np.sum(u * u, axis=0) - 2.0 * group.sum_each(point.loglik)
        share = np.exp(log_weights[:, None] - 0.5 * (penalised - block.mode.penalised))
        s = block.rows.level_sums_each(point.score)
        h = u - np.einsum("rc,rkm->ckm", block.L, s)
        self.total += np.sum(share, axis=0)
        self._score += np.einsum("kn,kn->n", share[:, self._codes], point.score)
        self._e += np.einsum("km,qkm->qm", share, h)
        self._outer += np.einsum("km,rkm,ckm->rcm", share, s, u)
        for c in range(q):
            scaled = share * sum(block.half[c][k] * h[k] for k in range(c + 1))
            for r in range(c, q):
                self._Y[r][c] += z[:, r] @ scaled

    @cached_property
    def score(self):
        """``sum_k pi_k r_k`` per row."""
        return self._score / self.total[self._codes]

    @cached_property
    def e(self):
        return self._e / self.total

    @cached_property
    def outer(self):
        """``sum_k pi_k s_k u_k'`` of every level, (q, q, m)."""
        return self._outer / self.total

    @cached_property
    def Y(self):
        """Full symmetric nested lists."""
        q = self.block.q
        return [[self._Y[max(r, c)][min(r, c)] / self.total for c in range(q)] for r in range(q)]


def _scaled_identity_less(half, Y, q):
    """``C'^-1 (I - Y) C^-1`` from nested lists."""
    rest = [[(r == c) - Y[r][c] for c in range(q)] for r in range(q)]
    upper = [[half[c][r] if c >= r else 0.0 for c in range(q)] for r in range(q)]
    packed = sandwich(upper, rest, q)
    return [[packed[packed_index(q)[r, c]] for c in range(q)] for r in range(q)]


def _solve(half, rhs, q):
    """``H^-1 rhs`` from C^-1."""
    y = [sum(half[r][c] * rhs[c] for c in range(r + 1)) for r in range(q)]
    return np.array([sum(half[r][c] * y[r] for r in range(c, q)) for c in range(q)])


def _agreeing(D, L, root_gradient, axes):
    """The symmetric matrix nearest to D whose ``2 D L`` is the gradient in the root, on the entries
    a root has.

    In the coordinates of the axes the root is lower triangular; columns that vanish with T say
    nothing, so there D stays.
    """
    q = len(L)
    (rows, cols) = lower_triangle(len(L))
    lower = axes.T @ L
    wanted = axes.T @ root_gradient
    D = axes.T @ D @ axes
    units = np.zeros((len(rows), q, q))
    units[np.arange(len(rows)), rows, cols] = units[np.arange(len(rows)), cols, rows] = 1.0
    system = 2.0 * np.einsum("aij,jk->ika", units, lower)[rows, cols]
    change = np.linalg.lstsq(system, (wanted - 2.0 * D @ lower)[rows, cols], rcond=1e-10)[0]
    return axes @ (D + np.einsum("a,aij->ij", change, units)) @ axes.T
