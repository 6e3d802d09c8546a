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
from .modes import Guess, Modes
from .sweep import Sweep, sweep


class Laplace:
    """How the effects are integrated out: by the curvature at their mode, any root of T will do."""

    points = 1
    exact = True

    def root(self, f, T):
        """A root of T."""
        return pivoted_root(T)[0]

    def part(self, modes):
        """Value and derivatives of a block of rows at its modes."""
        return LaplacePart(modes)

    def swept(self, density, guess):
        """The same in one compiled visit; None where there is none for such rows, or it fails."""
        found = sweep(density, guess)
        return None if found is None else SweptPart(density, found)


class LaplacePart:
    """Contribution of one block of rows to the Laplace deviance and its derivatives."""

    def __init__(self, modes: Modes):
        self.modes = modes
        self.rows = modes.rows
        self.point = modes.point
        self.elimination = modes.elimination

    @property
    def c(self):
        """``T^-1 b`` per factor, (q_f, m_f)."""
        return self.modes.c

    @property
    def b(self):
        """The modes per factor, (q_f, m_f)."""
        return self.modes.b

    @property
    def value(self):
        return np.sum(self.modes.penalised) + self.elimination.log_determinant

    @property
    def loglik(self):
        """The log-likelihood of the rows at the modes."""
        return np.sum(self.point.loglik)

    @property
    def reach(self):
        """The largest linear predictor."""
        return np.max(np.abs(self.point.eta))

    @property
    def is_finite(self):
        """Whether the value is, as far as is known without the log-determinant."""
        return bool(np.isfinite(np.sum(self.modes.penalised)))

    @cached_property
    def posterior(self):
        """Blocks of the covariance of the effects around their modes."""
        return self.elimination.posterior()

    @cached_property
    def skewed(self):
        """``v`` and ``w'v``, and the sums t of these."""
        shared = self.posterior.pairs() if self.rows.pairs else {}
        return self.rows.skewed(self.point, self.posterior.covariances, shared)

    @cached_property
    def response(self):
        """``a = Mt`` and ``tau = Kt``: how the modes answer the log-determinant."""
        a, tau, _ = self.elimination.solve([part[:, None] for part in self.skewed.sums])
        return [x[:, 0] for x in a], [x[:, 0] for x in tau]

    @property
    def _level_parts(self):
        """``N``, s and tau of every factor."""
        tau = self.response[1]
        return zip(self.posterior.precisions, self.modes.scores, tau, strict=True)

    @cached_property
    def gradient(self):
        """``dd / dT_f``, one symmetric matrix per factor."""
        return self.laplace_gradient()

    def laplace_gradient(self):
        """That of the Laplace deviance."""
        found = []
        for N, s, tau in self._level_parts:
            crossed = tau @ s.T
            found.append(N.sum(axis=1)[packed_index(len(s))] - s @ s.T + (crossed + crossed.T) / 2)
        return found

    def level_gradients(self):
        """The summands of :attr:`gradient`, (q_f, q_f, m_f) per factor."""
        return [_level_gradient(*part) for part in self._level_parts]

    @cached_property
    def beta_gradient(self):
        """``dd / dbeta``."""
        return self.rows.x_sums(self.row_gradients())

    def row_gradients(self):
        """``dd / d eta`` of every row as far as beta is concerned, (n,)."""
        a, _ = self.response
        moved = self.point.weight * self.rows.random_part(a)
        return self.skewed.values - moved - 2.0 * self.point.score

    @cached_property
    def curvature(self):
        """Second derivatives, and those of the modes."""
        return ExactHessian(self) if self.rows.is_separable else AverageInformation(self)

    @cached_property
    def hessian(self):
        """Second derivatives, or the average information of the working model."""
        return self.curvature.total()

    @property
    def s_dot(self):
        """Derivatives of ``T^-1 b`` at the modes per factor, (q_f, parameters, m_f)."""
        return self.curvature.s_dot

    def near(self):
        """From where the modes at a neighbour are searched for."""
        return Guess(self.c, self.elimination)

    def guess(self, change):
        """Where the modes are after a change of the parameters, to first order.

        Where they are now if that is not known.
        """
        if "curvature" not in vars(self):
            return self.near()
        parts = zip(self.c, self.s_dot, strict=True)
        moved = [c + np.einsum("qdm,d->qm", s_dot, change) for c, s_dot in parts]
        return Guess(moved, self.elimination)

    def forget_rows(self):
        """Drop what was computed row by row and can be computed again."""
        for holder in (self, self.point, self.modes.density):
            forget(holder)


class SweptPart(LaplacePart):
    """The same from one compiled visit of the rows.

    Whoever asks row by row is answered as elsewhere, at the same modes.
    """

    def __init__(self, density, found: Sweep):
        self.density = density
        self.rows = density.rows
        self.found = found

    @cached_property
    def modes(self):
        """With everything that is known row by row."""
        return self.density.at(self.c)

    @property
    def point(self):
        return self.modes.point

    @property
    def elimination(self):
        return self.modes.elimination

    @property
    def c(self):
        return [self.found.c]

    @property
    def b(self):
        return [t @ c for t, c in zip(self.density.T, self.c, strict=True)]

    @property
    def value(self):
        return self.found.value

    @property
    def is_finite(self):
        return bool(np.isfinite(self.value))

    @property
    def loglik(self):
        return self.found.loglik

    @property
    def reach(self):
        return self.found.reach

    @property
    def gradient(self):
        return [self.found.gradient]

    @property
    def beta_gradient(self):
        return self.found.slope

    @property
    def hessian(self):
        return self.found.hessian

    @property
    def s_dot(self):
        return [self.found.changes.transpose(1, 2, 0)]

    def near(self):
        return Guess(self.c, swept=self.found)

    def guess(self, change):
        return Guess([self.found.c + (self.found.changes @ change).T])

    def forget_rows(self):
        forget(self)
        forget(self.density)


def forget(holder: object) -> None:
    """Drop the values of cached properties."""
    for kind in type(holder).__mro__:
        for name, attribute in vars(kind).items():
            if isinstance(attribute, cached_property):
                vars(holder).pop(name, None)


def _level_gradient(N, s, tau):
    """``N - ss' + (tau s' + s tau') / 2`` of every level."""
    crossed = tau[:, None] * s
    return N[packed_index(len(s))] - s[:, None] * s + (crossed + crossed.transpose(1, 0, 2)) / 2
