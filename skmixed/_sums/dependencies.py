"""Dependencies among the fixed effects, from cross-products alone.

With F the frame's columns that are kept and d one that was dropped, ``d = F c`` in all rows; in
standardised columns S this reads ``S N = 0``.  A row s lies in the space that the rows of the fit
span, so that they determine ``s'beta``, if and only if ``s'N = 0``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.linalg import solve_triangular

from .frame import Frame

BROKEN = 1e-6  # a dependency is broken by more than this share of what it adds up
ROUNDING = 1e-13  # of a column of the data, relative to its mean
CANCELLED = 1e-4  # of the largest column of a combination: what rounding leaves where others cancel
NEGLIGIBLE = 1e-8  # the same where all of them do
NOTHING = 1e-9  # coefficients below this share of the largest play no part


@dataclass(frozen=True, eq=False)
class Dependencies:
    """What holds among the fixed effects in all rows of a fit.

    Attributes
    ----------
    frame : units of the columns
    kept : positions of the fixed effects that are not aliased, among the candidates
    gram : cross-products of the pool's columns
    """

    frame: Frame
    kept: np.ndarray
    gram: np.ndarray

    @cached_property
    def dropped(self) -> np.ndarray:
        """Positions of the fixed effects that are aliased."""
        return np.setdiff1d(np.arange(len(self.frame.candidates)), self.kept)

    @cached_property
    def null(self) -> np.ndarray:
        """N, (candidates, dropped): combinations of the standardised columns that are zero."""
        mixing = self.frame.mixing
        c = regression(self.gram, self.frame.fixed[self.kept], self.frame.fixed[self.dropped])
        N = mixing[:, self.dropped] - mixing[:, self.kept] @ c
        largest = np.max(np.abs(N), axis=0, initial=0.0)
        return np.where(np.abs(N) > NOTHING * largest, N, 0.0)

    @cached_property
    def sizes(self) -> np.ndarray:
        """Size of every standardised column in the rows of the fit, and of the rounding in it."""
        frame = self.frame
        fixed = self.gram[np.ix_(frame.fixed, frame.fixed)]
        back = solve_triangular(frame.mixing, np.eye(len(fixed)))
        squares = np.einsum("ij,ik,kj->j", back, fixed, back, optimize=True)
        largest = np.max(squares, initial=0.0)  # of columns that vary, the number of rows
        spread = np.sqrt(np.maximum(squares, 0.0) / (largest or 1.0))
        shifts = np.abs(frame.candidates.shifts / frame.candidates.scales)
        return spread + ROUNDING / BROKEN * shifts

    def broken_by(self, X: np.ndarray) -> np.ndarray:
        """Which dependencies do not hold in rows of the data, (n, dropped)."""
        rows = self.frame.standardised(X)
        return self._broken(rows, np.abs(rows) + self.sizes)

    def broken_in(self, combinations: np.ndarray) -> np.ndarray:
        """Which do not hold in linear combinations of standardised rows, (k, dropped)."""
        sizes = np.abs(combinations)
        largest = np.max(sizes, axis=1, keepdims=True, initial=0.0)
        return self._broken(combinations, sizes + CANCELLED * largest + NEGLIGIBLE)

    def _broken(self, rows, sizes):
        allowed = BROKEN * (sizes @ np.abs(self.null))
        return np.abs(rows @ self.null) > allowed

    def takes_part(self, j: int) -> np.ndarray:
        """Positions of the candidates in the dependency of the dropped column at position j."""
        return np.flatnonzero(self.null[:, j])


def regression(gram: np.ndarray, own: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Coefficients of some pool columns on others, which are independent."""
    return np.linalg.solve(gram[np.ix_(own, own)], gram[np.ix_(own, columns)])
