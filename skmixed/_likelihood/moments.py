"""Starting values of crossed generalised linear mixed models by moments.

Where factorisations are expensive a start must not need any.  Around a regression on the fixed
effects alone the rows look like those of a linear mixed model with sigma^2 = 1, whose moment
equations are sums over levels and pairs of levels.  Averaged over effects of variance tau, the mean
is a flatter function of the linear predictor: its slope w is ``w + w'' tau / 2`` to second order,
and by as much, relatively, coefficients are too small, and by its square variances.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from .._model.covariances import Covariances
from .._search.boundary import NothingAttainable
from .._search.start import MomentEquations, packed_covariance, typical_floors
from .._sums.crossprod import CrossProducts
from .._sums.source import less
from .glmm import GlmmDeviance
from .pql import LARGEST_PREDICTOR, bounded
from .working import LEAST_WEIGHT, working_cross_products

ROUNDS = 4  # of the regression
CLOSE_ENOUGH = 0.1  # decrease of its deviance that ends them
LARGEST_SHARE = 0.8  # of the squared slope that is lost


def moment_point(objective: GlmmDeviance, covariances: Covariances):
    """A point near the optimum away from the boundary, no guess at the modes there, and the floors
    of T.
    """
    beta = regression(objective)
    eta = [block.fixed_part(beta) for block in objective.store.blocks]
    eta = [np.clip(part, -LARGEST_PREDICTOR, LARGEST_PREDICTOR) for part in eta]
    working = Working(working_cross_products(objective, eta))
    equations = MomentEquations.of(working)
    tau = np.nan_to_num(equations.at_scale(1.0))
    share = _bending(objective, eta) * (equations.traces @ tau)
    stretch = 1.0 / (1.0 - np.clip(share, 0.0, LARGEST_SHARE))
    ends = np.cumsum([0] + [len(A) for A in working.blocks])
    T = [packed_covariance(stretch * tau[lo:hi]) for lo, hi in pairwise(ends)]
    floors = typical_floors(working)
    point = [bounded(T) for T in covariances.start(T, floors)]
    return [*point, np.sqrt(stretch) * beta], None, floors


def regression(objective: GlmmDeviance):
    """Coefficients of the fixed effects alone, nearly: as far as every step lowers the deviance."""
    blocks = objective.store.blocks
    eta = [objective.family.start(block.y) for block in blocks]
    beta, least = np.zeros(blocks[0].x.shape[1]), np.inf
    for _ in range(ROUNDS if len(beta) else 0):
        found = _weighted_regression(objective, eta)
        eta = [block.fixed_part(found) for block in blocks]
        deviance = _deviance(objective, eta)
        if not deviance < least:
            break
        beta, gain, least = found, least - deviance, deviance
        if gain < CLOSE_ENOUGH:
            break
    return beta


def _weighted_regression(objective, eta):
    """Coefficients from the working responses at a linear predictor."""
    parts = zip(objective.store.blocks, eta, strict=True)
    gram = objective.ridge.joined(sum(_gram(objective, *part) for part in parts))
    if not np.all(np.isfinite(gram)):
        raise NothingAttainable
    return np.linalg.lstsq(gram[:-1, :-1], gram[:-1, -1], rcond=None)[0]


def _deviance(objective, eta):
    """Of the rows."""
    parts = zip(objective.store.blocks, eta, strict=True)
    return sum(-2.0 * np.sum(objective.family.at(e, b.y, b.m).loglik) for b, e in parts)


def _gram(objective, block, eta):
    """``[X y]'W[X y]`` of the working responses less the offset; its last entry is none."""
    eta = np.clip(eta, -LARGEST_PREDICTOR, LARGEST_PREDICTOR)
    point = objective.family.at(eta, block.y, block.m)
    own = less(eta, block.offset)
    sums = block.x_sums(point.weight * own + point.score)
    gram = block.fixed_gram(point.weight)
    return np.block([[gram, sums[:, None]], [sums, np.zeros(1)]])


def _bending(objective, eta):
    """``-sum w''`` over the square of the sum of all working weights."""
    points = [
        objective.family.at(part, block.y, block.m)
        for block, part in zip(objective.store.blocks, eta, strict=True)
    ]
    weight = max(float(sum(np.sum(point.weight) for point in points)), LEAST_WEIGHT)
    return -sum(np.sum(point.curvature) for point in points) / weight**2


@dataclass(frozen=True, eq=False)
class Working:
    """What moment equations ask of a linear model and of its plan."""

    cross: CrossProducts

    @property
    def plan(self):
        """The same sums."""
        return self

    @property
    def n(self):
        """Number of observations."""
        return self.cross.n

    @property
    def gram(self):
        """``[X y]'W[X y]``."""
        return self.cross.fixed_gram()

    @property
    def U(self):
        """``Z'W[X y]`` per factor."""
        return [self.cross.x_sums(f) for f in range(len(self.cross.sizes))]

    @property
    def blocks(self):
        """Packed diagonal blocks per factor."""
        return [self.cross.level_blocks(f) for f in range(len(self.cross.sizes))]

    @property
    def counted_blocks(self):
        """The same: levels stand for themselves."""
        return self.blocks
