"""The linear predictor of new rows."""

from __future__ import annotations

import numpy as np


class LinearPredictor:
    """``X beta + Z b`` in the units of the data, with b = 0 for new levels."""

    def __init__(self, coefficients, intercept, effects, terms):
        self.coefficients = coefficients
        self.intercept = intercept
        self.effects = effects
        self.terms = terms  # per factor (levels, q); the terms they belong to

    def __call__(self, rows, codes):
        eta = rows.X[:, : rows.n_fixed] @ self.coefficients + self.intercept
        for f, code in enumerate(codes):
            known = code >= 0
            if np.any(known):
                b = np.where(known[:, None], self.effects[f][code], 0.0)
                eta += np.einsum("nq,nq->n", b, self.varying(rows, f))
        return eta

    def varying(self, rows, f):
        """Columns of Z of one factor."""
        parts = [
            np.ones(len(rows)) if s < 0 else rows.X[:, s]
            for t in self.terms
            if t.factor == f
            for s in t.sources
        ]
        return np.column_stack(parts)


def identity(eta):
    """The mean of a linear model at its linear predictor."""
    return eta
