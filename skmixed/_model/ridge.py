"""A ridge on the fixed effects, as rows that are added to those of the data.

``alpha sum_j (s_j beta_j)^2`` is the residual sum of squares of the rows ``sqrt(alpha) s_j e_j``
whose responses are zero.  No random effect belongs to them: with ``X_0`` and ``y_0`` these rows in
the frame,

    [X y]'V^-1[X y]    becomes    [X y]'V^-1[X y] + [X_0 y_0]'[X_0 y_0],

and all that follows from it (coefficients, deviance, derivatives in the covariances) is that of the
penalised likelihood.  Under a restricted likelihood the coefficients are integrated out with the
penalty as their prior; the factor that would make it a density is left out, so that the limit for
``alpha = 0`` is the likelihood without a penalty.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np


@dataclass(frozen=True, eq=False)
class Ridge:
    """What a ridge adds to sums of squares and to deviances.

    Attributes
    ----------
    rows : (k, p + 1) columns of the fixed effects and response of the added rows
    """

    rows: np.ndarray

    @property
    def is_none(self) -> bool:
        """Whether nothing is penalised."""
        return len(self.rows) == 0

    @cached_property
    def gram(self) -> np.ndarray:
        """``[X_0 y_0]'[X_0 y_0]``."""
        return self.rows.T @ self.rows

    @property
    def _curvature(self) -> np.ndarray:
        return self.gram[:-1, :-1]

    def joined(self, gram: np.ndarray) -> np.ndarray:
        """Cross-products of ``[X y]`` with those of the added rows."""
        return gram if self.is_none else gram + self.gram

    def among(self, gram: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """The same for the fixed effects among other columns."""
        if self.is_none:
            return gram
        out = gram.copy()
        out[np.ix_(columns, columns)] += self._curvature
        return out

    def value(self, beta: np.ndarray) -> float:
        """The penalty: ``alpha sum_j (s_j beta_j)^2``."""
        residuals = self.rows @ np.append(-beta, 1.0) if not self.is_none else np.zeros(0)
        return float(residuals @ residuals)

    def with_slope(self, slope: np.ndarray, beta: np.ndarray) -> np.ndarray:
        """A gradient in beta with that of the penalty."""
        return slope if self.is_none else slope - 2.0 * self.gram[:-1] @ np.append(-beta, 1.0)

    def with_hessian(self, hessian: np.ndarray) -> np.ndarray:
        """Second derivatives, those in beta last, with those of the penalty."""
        if self.is_none:
            return hessian
        out = hessian.copy()
        p = len(self._curvature)
        out[len(out) - p :, len(out) - p :] += 2.0 * self._curvature
        return out

    def without(self, products: np.ndarray, shift: np.ndarray) -> np.ndarray:
        """Products of columns less those of their parts ``X_0 shift`` in the added rows."""
        return products if self.is_none else products - shift.T @ self._curvature @ shift

    def taken(self, C: np.ndarray) -> float:
        """``tr(C X_0'X_0)``: by how much a ridge lowers the number of coefficients that the data
        decide, C being ``(X'V^-1X + X_0'X_0)^-1``.
        """
        return 0 if self.is_none else float(np.sum(C * self._curvature))


#: nothing is penalised
NO_RIDGE = Ridge(np.zeros((0, 1)))
