"""The Laplace deviance of a generalised linear mixed model and its derivatives in the covariances
and beta.

With ``eta = X beta + Z b`` and the log-likelihood l of the rows, the conditional mode b maximises
``l(eta) - b'T^-1 b / 2``; there ``b = T s`` with ``s = Z'r``.  With working weights w = -l'', ``A =
Z'WZ`` and ``M = (T^-1 + A)^-1``,

    d(T, beta) = -2 l + s'Ts + log|I + TA|.

Nothing needs ``T^-1``: ``M`` and ``K' = I - MA`` come from the elimination of the linear model,
with the working weights in place of the prior ones, and exist at a singular T.  With ``v_i =
z_i'Mz_i``, ``t = Z'(w'v)``, ``a = Mt``, ``tau = Kt``, ``kappa = w'v - w (Za)`` and ``N = KA``,

    dd / dT    = sum_l N - ss' + (tau s' + s tau') / 2,        dd / dbeta = X'(kappa - 2r).

Second derivatives are exact where levels do not meet (a single factor), and the average information
of the working linear model otherwise.  ``docs/maths.md`` has the derivation.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from .._algebra.packed import packed_index
from .._algebra.roots import pivoted_root
from .curvature import AverageInformation, ExactHessian


class Laplace:
    """How the effects are integrated out: by the curvature at their mode, any root of T will do."""

    points = 1
    exact = True

    def root(self, f, T):
        """A root of T."""
        return pivoted_root(T)[0]

    def block(self, mode):
        """Value and derivatives of a block of rows at its mode."""
        return LaplacePart(mode)


class LaplacePart:
    """Contribution of one block of rows to the Laplace deviance and its derivatives."""

    def __init__(self, mode):
        self.mode = mode
        self.rows = mode.rows
        self.point = mode.point
        self.elimination = mode.elimination

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
        a, tau, _ = self.elimination.solve(
            [t[:, None] for t in self.rows.level_sums(self._skewed[1])]
        )
        return [x[:, 0] for x in a], [x[:, 0] for x in tau]

    @cached_property
    def gradient(self):
        """``dd / dT_f``, one symmetric matrix per factor."""
        return self._laplace_gradient()

    def _laplace_gradient(self):
        found = []
        for N, s, tau in zip(
            self.elimination.precisions()[0], self.mode.scores, self._response[1], strict=True
        ):
            crossed = tau @ s.T
            found.append(N.sum(axis=1)[packed_index(len(s))] - s @ s.T + (crossed + crossed.T) / 2)
        return found

    def level_gradients(self):
        """The summands of :attr:`gradient`, (q_f, q_f, m_f) per factor."""
        parts = zip(
            self.elimination.precisions()[0], self.mode.scores, self._response[1], strict=True
        )
        return [level_gradient(N, s, tau) for N, s, tau in parts]

    @cached_property
    def beta_gradient(self):
        return self.rows.fixed_sums(self.row_gradients())

    def row_gradients(self):
        """``dd / d eta`` of every row as far as beta is concerned, (n,)."""
        a, _ = self._response
        return (
            self._skewed[1] - self.point.weight * self.rows.random_part(a) - 2.0 * self.point.score
        )

    @cached_property
    def _curvature(self):
        return ExactHessian(self) if self.rows.is_separable else AverageInformation(self)

    @cached_property
    def hessian(self):
        return self._curvature.total()

    def moved_modes(self, change):
        """``T^-1 b`` per factor after a change of the parameters, to first order.

        As they are if that is not known.
        """
        if "_curvature" not in vars(self):
            return self.mode.c
        return [
            c + np.einsum("qdm,d->qm", s_dot, change)
            for c, s_dot in zip(self.mode.c, self._curvature.s_dot, strict=True)
        ]


def level_gradient(N, s, tau):
    """``N - ss' + (tau s' + s tau') / 2`` of every level."""
    crossed = tau[:, None] * s
    return N[packed_index(len(s))] - s[:, None] * s + (crossed + crossed.transpose(1, 0, 2)) / 2
