"""How effects are integrated out by a rule around their mode."""

from __future__ import annotations

import numpy as np

from ..._algebra.roots import semidefinite_cholesky
from ..sweep import sweep
from .part import QuadraturePart
from .rule import Rule
from .swept import SweptQuadrature


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
        """The same in compiled visits; None where there are none for such rows, or they fail."""
        modes = sweep(density, guess)
        if modes is None:
            return None
        found = SweptQuadrature(density, modes, self)
        return found if found.is_finite else None

    def part(self, modes):
        """Value and derivatives of a block of rows at its modes."""
        return QuadraturePart(modes, self)
