"""What the model says of the rows of a grid, averaged.

A mean is the linear predictor averaged over the grid, ``sum_j w_j eta_j``.  On the scale of the
response it is the mean response there: with ``v`` the variance of the averaged random effects that
are integrated over, ``E logit^-1(eta + sqrt(v) Z)`` for a probability.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from ..._data.rows import Rows
from ..._fit.kinds import Kind
from ..._fit.model import FittedModel
from ..._fit.predictions import factor_covariances, linear_predictors
from ..._fit.uncertainty import Estimates
from .._contrasts.quantities import PROBABILITY, changed
from .._margins.sample import rise, steps_of
from .grid import Grid


@dataclass(frozen=True, eq=False)
class Averager:
    """Means over one grid.

    Attributes
    ----------
    grid : its rows
    weights : sparse (means, rows of the grid)
    kind : of predictions
    """

    grid: Grid
    weights: sparse.csr_matrix
    kind: Kind

    @classmethod
    def of(cls, grid: Grid, weights: np.ndarray, kind: Kind) -> Averager:
        """With weights (means, combinations)."""
        n, m = weights.shape
        indptr = m * np.arange(n + 1)
        matrix = sparse.csr_matrix((weights.ravel(), np.arange(n * m), indptr), shape=(n, n * m))
        return cls(grid, matrix, kind)

    @property
    def model(self) -> FittedModel:
        """That predicts."""
        return self.grid.data.model

    def read(self, changes: dict | None = None) -> tuple[Rows, list[np.ndarray]]:
        """Rows of the grid with other values in some columns, and codes per factor."""
        table, labels = self.grid.table(changes)
        reader = self.model.reader
        given = self._passed(labels, len(table)) if labels else None
        rows = reader.read(table.X, given)
        if self.kind != "conditional":
            return rows, reader.unknown(rows)
        known = self._named_groups()
        codes = reader.codes(rows) if known else reader.unknown(rows)
        pairs = zip(reader.groups, codes, strict=True)
        return rows, [c if known.issuperset(g) else np.full(len(rows), -1) for g, c in pairs]

    def _passed(self, labels, n):
        """Labels of all factors that are passed beside X; those that are not named are new."""
        own = self.grid.data.labels
        found = {name: labels.get(name, np.repeat(np.asarray(own[name])[:1], n)) for name in own}
        return pd.DataFrame(found)

    def _named_groups(self):
        """Variables whose levels the grid has."""
        return {c for f in self.grid.factors for c in f.columns} | set(self.grid.fixed)

    def broken(self, rows: Rows) -> np.ndarray:
        """Which rows break a dependency of the fit, (means, combinations)."""
        shape = self.grid.n_means, self.grid.n_averaged
        if self.model.dependencies is None:
            return np.zeros(shape, dtype=bool)
        return np.any(self.model.dependencies.broken_by(rows.X), axis=1).reshape(shape)

    def link(self, rows: Rows, codes: list[np.ndarray]) -> Estimates:
        """Averaged linear predictors."""
        found = linear_predictors(self.model, rows, codes, self.kind)
        return self.model.fit.uncertainty.combined(self.weights, found)

    def response(self, rows: Rows, codes: list[np.ndarray]) -> Estimates:
        """Log-odds of the probabilities at the averaged linear predictors."""
        eta = self.link(rows, codes)
        variance, along = self._integrated(rows, codes)
        found = self.model.fit.family.averaged(eta.values, np.sqrt(np.maximum(variance, 0.0)))
        complement = getattr(found, "complement", 1.0 - found.mean)
        odds = 1.0 / (found.mean * complement)
        slope, bend = odds * found.slope, 0.5 * odds * found.bend
        parameters = slope[:, None] * eta.parameters
        parameters[:, : along.shape[1]] += bend[:, None] * along
        effects = (sparse.diags(slope) @ eta.effects).tocsr()
        return Estimates(np.log(found.mean / complement), effects, parameters, eta.standard)

    def _integrated(self, rows, codes):
        """Variance of what is integrated over, and its derivatives in the covariances."""
        n = self.weights.shape[0]
        uncertainty = self.model.fit.uncertainty
        if self.kind == "population" or not codes:
            return np.zeros(n), np.zeros((n, 0))
        predictor = self.model.predictor
        variance = np.zeros(n)
        for f, (S, code) in enumerate(zip(factor_covariances(self.model), codes, strict=True)):
            z = self._new(predictor.varying(rows, f), code)
            variance += np.einsum("ni,ij,nj->n", z, S, z)
        columns = self.model.fit.units.columns(rows.X)[1]
        pool = [self._new(z, code) for z, code in zip(columns, codes, strict=True)]
        return variance, uncertainty.prior_derivatives(pool, n)

    def _new(self, z, code):
        return self.weights @ np.where((code < 0)[:, None], z, 0.0)

    def slope(self, name: Any, on_link: bool) -> Estimates:
        """Derivatives along a column of numbers."""
        table, _ = self.grid.table()
        x = np.asarray(table.column(name), dtype=np.float64)
        column = np.asarray(self.grid.data.column(name), dtype=np.float64)
        h = steps_of(x, column)
        first = self.weights.indptr[:-1]
        each = np.repeat(h[first], self.grid.n_averaged)
        _, codes = self.read()
        moved = [self._at(self.read({name: x + k * each})[0], codes, on_link) for k in range(3)]
        risen = rise(*moved)
        scale = sparse.diags(0.5 / h[first])
        return Estimates(*(scale @ part for part in risen.parts))

    def _at(self, rows, codes, on_link):
        if on_link:
            return self.link(rows, codes)
        found = self.response(rows, codes)
        return replace(changed(found, *PROBABILITY), standard=found.standard)
