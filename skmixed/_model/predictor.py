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
            if np.any(known):
                b = np.where(known[:, None], self.effects[f][code], 0.0)
                eta += np.einsum("nq,nq->n", b, self.varying(rows, f))
        return eta

    def varying(self, rows: Rows, f: int) -> np.ndarray:
        """Columns of Z of one factor, (n, q)."""
        sources = [s for term in self.terms if term.factor == f for s in term.sources]
        columns = [np.ones(len(rows)) if s < 0 else rows.X[:, s] for s in sources]
        return np.column_stack(columns)
