"""Responses drawn from a model at given parameters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ._params import MixedLMParams


@dataclass(frozen=True, eq=False)
class Drawn:
    """The distribution of the responses.

    Attributes
    ----------
    model : its matrices
    params : variances are in units of the residual variance
    scale : residual variance
    exog : (n, k_fe)
    """

    model: Any
    params: MixedLMParams
    scale: float
    exog: np.ndarray

    def rvs(self, n: Any = None, rng: Any = None) -> np.ndarray:
        """One response a row; ``n`` is ignored."""
        draw = rng if hasattr(rng, "normal") else np.random.default_rng(rng)
        y = self.exog @ self.params.fe_params + self._correlated(draw)
        for component, variance in zip(self.model.components, self.params.vcomp, strict=True):
            for group, rows in enumerate(self.model.grouping.rows):
                columns = component.matrix(group, rows)
                u = draw.normal(size=columns.shape[1])
                y[rows] += np.sqrt(self.scale * variance) * (columns @ u)
        return y + np.sqrt(self.scale) * draw.normal(size=len(y))

    def _correlated(self, draw: Any) -> np.ndarray | float:
        """What the correlated random effects add."""
        k_re = self.model.k_re
        if not k_re:
            return 0.0
        u = draw.normal(size=(self.model.n_groups, k_re))
        effects = u @ np.linalg.cholesky(self.scale * self.params.cov_re).T
        return np.sum(effects[self.model.grouping.codes] * self.model.exog_re, axis=1)
