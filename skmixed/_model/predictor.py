"""The linear predictor of new rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .._data.rows import Rows
from .terms import Term


@dataclass(frozen=True, eq=False)
class LinearPredictor:
    """``X beta + Z b``, with the offset, in the units of the data; b = 0 for new levels.

    Attributes
    ----------
    coefficients, intercept : beta
    effects : per factor (levels, q)
    terms : which columns they belong to
    """

    coefficients: np.ndarray
    intercept: float
    effects: list[np.ndarray]
    terms: tuple[Term, ...]

    def __call__(self, rows: Rows, codes) -> np.ndarray:
        eta = rows.X[:, : len(self.coefficients)] @ self.coefficients + self.intercept
        if rows.offset is not None:
            eta += rows.offset
        for f, code in enumerate(codes):
            known = code >= 0
            if known.any():
                b = self.effects[f][code]
                own = b if known.all() else np.where(known[:, None], b, 0.0)
                for effect, source in zip(own.T, self._sources(f), strict=True):
                    eta += effect if source < 0 else effect * rows.X[:, source]
        return eta

    def _sources(self, f):
        return [s for term in self.terms if term.factor == f for s in term.sources]

    def varying(self, rows: Rows, f: int) -> np.ndarray:
        """Columns of Z of one factor, (n, q)."""
        columns = [np.ones(len(rows)) if s < 0 else rows.X[:, s] for s in self._sources(f)]
        return np.column_stack(columns)
