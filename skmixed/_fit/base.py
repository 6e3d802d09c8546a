"""What every fitted mixed model is: a design, an objective, and where its search ended."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .._search.boundary import flat_terms
from .._search.minimize import Optimum


def inverse_information(hessian):
    """``2 H^-1`` for the second derivatives H of a deviance.

    None where they are not those of a proper minimum.
    """
    scale = 1.0 / np.sqrt(np.abs(np.diag(hessian)) + np.finfo(float).tiny)
    standardised = hessian * np.outer(scale, scale)
    if not np.all(np.isfinite(standardised)) or np.linalg.eigvalsh(standardised)[0] < 1e-12:
        return None
    return 2.0 * np.linalg.inv(standardised) * np.outer(scale, scale)


@dataclass(frozen=True)
class Fitted:
    """The small value that inference, prediction and printing are functions of."""

    design: object
    objective: object
    model: object  # the covariances of the terms
    optimum: Optimum
    absent: tuple  # factors whose variance is not identified

    @property
    def n(self):
        """Number of observations: the sum of the weights."""
        return self.objective.n

    @property
    def rank(self):
        """Number of fixed effects that are not aliased."""
        return len(self.design.kept)

    @property
    def df_resid(self):
        return self.n - self.rank

    @property
    def flat_terms(self):
        """Terms whose covariances are not identified: along some direction the likelihood does not
        change.
        """
        return flat_terms(self.model, self.optimum)

    @property
    def n_variance_parameters(self):
        return sum(len(block.structure.basis) for block in self.model.blocks)
