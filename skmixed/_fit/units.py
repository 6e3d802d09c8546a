"""Units: estimates in the frame's units as those of the data.  Nothing else knows the frame.

With the frame's coefficients beta, the pilot regression b_0 and the scale s of the response, the
coefficients of the data are ``K (s beta + b_0)``; effects of a term are ``s R`` times those in the
frame, and their covariance ``s^2 R (.) R'``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from .._algebra.packed import packed_index
from .._algebra.roots import pivoted_root
from .._model.many_charts import pivoted_roots
from .._sums.counterparts import Means
from .._sums.dependencies import Dependencies
from .._sums.design import DesignBase


@dataclass(frozen=True, eq=False)
class Units:
    """The units of one design."""

    design: DesignBase

    @property
    def response(self) -> float:
        """The unit of the response, of effects and of deviations."""
        return self.design.frame.y_scale

    @property
    def variance(self) -> float:
        """The unit of variances."""
        return self.response**2

    @property
    def independent(self) -> np.ndarray:
        """Positions of the coefficients that are not aliased, among all candidates."""
        return self.design.independent

    @property
    def dependencies(self) -> Dependencies:
        """What holds among the columns of the fixed effects in all rows of the fit."""
        return self.design.dependencies

    @cached_property
    def _map(self):
        """K for the coefficients that are not aliased, (candidates, coefficients)."""
        return self.design.frame.coefficient_map[:, self.independent]

    @property
    def coefficient_rows(self) -> np.ndarray:
        """Derivatives of all candidates in the frame's coefficients."""
        return self.response * self._map

    @property
    def transform(self) -> np.ndarray:
        """The same of those that are not aliased: contrasts L are ``L transform`` in the frame."""
        return self.coefficient_rows[self.independent]

    def coefficients(self, beta):
        """Coefficients of all candidates, intercept first if there is one; 0 for aliased ones.

        A row each of several beta.
        """
        pilot = self.design.frame.pilot[self.independent]
        return (self.response * beta + pilot) @ self._map.T

    def effect_means(self, k: int) -> Means:
        """What the fixed effects say of the effects of term k, with derivatives in beta."""
        found = self.design.counterparts.means(k)
        return found._replace(rows=self.response * found.rows)

    def means_of(self, rows: np.ndarray, beta: np.ndarray) -> np.ndarray:
        """Combinations of the coefficients whose derivatives in beta are rows."""
        pilot = self.design.frame.pilot[self.independent]
        return rows @ (beta + pilot / self.response)

    def covariance(self, C, scale=1.0):
        """Covariance of the coefficients that are not aliased; in the frame it is ``scale C``."""
        B = self.transform
        with np.errstate(over="ignore", invalid="ignore"):  # infinite where floats end
            return scale * B @ C @ B.T

    def direction(self, k):
        """The coefficient at position k of those not aliased: ``a'beta`` times a unit, and a shift.

        Returns a, the unit and the shift.
        """
        a = self._map[self.independent[k]]
        return a, self.response, a @ self.design.frame.pilot[self.independent]

    def basis(self, f):
        """R of a factor."""
        return self.design.factor_basis(f)

    def effects(self, f, b):
        """Effects of the levels of a factor, (levels, q), from those of the frame (q, levels)."""
        return (self.response * self.basis(f) @ b).T

    def effect_covariances(self, f, packed, scale=1.0):
        """Covariances of the effects, (levels, q, q), ``scale`` times packed ones of the frame."""
        R = self.basis(f)
        M = packed[packed_index(len(R))].transpose(2, 0, 1)
        return scale * self.variance * R @ M @ R.T

    def covariances(self, point, scale=1.0):
        """Covariance of every term, as a square so that rounding leaves no negative variance."""
        roots = [
            np.sqrt(scale * self.variance) * R @ pivoted_root(T)[0]
            for R, T in zip(self.design.frame.bases, point, strict=True)
        ]
        return [root @ root.T for root in roots]

    def several_covariances(self, points, scales):
        """The same of (b, q, q) matrices per term and as many scales."""
        sizes = np.sqrt(scales * self.variance)[:, None, None]
        parts = zip(self.design.frame.bases, points, strict=True)
        roots = [sizes * (R @ pivoted_roots(T)[0]) for R, T in parts]
        return [root @ root.transpose(0, 2, 1) for root in roots]

    def entry(self, term, row, col, matrix):
        """An entry of ``R (.) R'`` for a matrix of the frame, in units of the response."""
        R = self.design.frame.bases[term]
        return R[row] @ matrix @ R[col]

    def effect_rows(self, term, *effects):
        """Effects of the data as combinations of those of the frame, in units of the response."""
        return self.design.frame.bases[term][list(effects)]

    @property
    def log_scale(self) -> float:
        """What the units of X add to ``log|X'V^-1X| / 2``."""
        scales = self._map[self.independent].diagonal()
        return -float(np.sum(np.log(scales)))

    def deviance(self, nu: float, reml: float) -> float:
        """What the units of X and y add to the deviance."""
        return 2.0 * reml * self.log_scale + 2.0 * nu * np.log(self.response)

    def columns(self, X):
        """Columns of the fixed effects (n, p) in the frame, and per factor those of its effects."""
        frame = self.design.frame
        pool = frame.pool(X)
        fixed = pool[:, frame.fixed[self.independent]]
        return fixed, [pool[:, list(effects)] for effects in frame.effects]

    def columns_and_response(self, X, y):
        """The same, with the response."""
        frame = self.design.frame
        pool = frame.pool(X, y)
        fixed = pool[:, frame.fixed[self.independent]]
        return fixed, [pool[:, list(effects)] for effects in frame.effects], pool[:, -1]

    @cached_property
    def root_of_columns(self) -> np.ndarray:
        """W with ``W'W = X'X`` for the columns of the fixed effects that are not aliased, X.

        Columns of the frame are nearly orthonormal, so that W keeps the digits that X'X loses.
        """
        own = self.dependencies.frame.fixed[self.independent]
        gram = self.dependencies.gram[np.ix_(own, own)]
        return np.linalg.solve(self._map[self.independent].T, np.linalg.cholesky(gram)).T

    @property
    def has_intercept(self) -> bool:
        """Whether the first coefficient is that of the constant."""
        return self.design.frame.fit_intercept

    @property
    def standard(self) -> Standard:
        """The columns of the fixed effects before they were made orthogonal."""
        frame = self.design.frame
        own = self.independent
        mixing = frame.mixing[np.ix_(own, own)]
        candidates = frame.candidates
        return Standard(mixing, frame.pilot[own], candidates.shifts[own], candidates.scales[own])


class Standard(NamedTuple):
    """Columns of the fixed effects, shifted and scaled, and how the frame mixes them.

    Attributes
    ----------
    mixing : the frame's columns are these times it
    pilot : coefficients of the pilot regression on the frame's columns
    shifts, scales : of the columns of the data
    """

    mixing: np.ndarray
    pilot: np.ndarray
    shifts: np.ndarray
    scales: np.ndarray
