"""Starting values of a logistic kind of model with a single factor from two looks at its rows.

One weighted regression around the common mean of all rows gives coefficients beta: with weights w =
mu (1 - mu) its responses are ``eta + (y - mu) / w``.  There the scores s = Z'r of a level have

    E ss' = A + ATA,      A = Z'WZ,

whence T by the sums over the levels.  Coefficients given the effects are larger than those of
the mean, by about ``sqrt(1 + 0.346 t)`` for logits and a variance t of the linear predictor (Zeger,
Liang and Albert 1988).

Penalised quasi-likelihood ends nearer to the optimum, but takes as long as some compiled
evaluations.
"""

from __future__ import annotations

from functools import reduce
from operator import add
from typing import NamedTuple

import numpy as np

from .._algebra.packed import direction_traces, packed_index, pair_traces, symmetric_directions
from .._model.covariances import Covariances
from .._search.boundary import NothingAttainable
from .._search.start import mean_floors
from .._sums.source import less
from .glmm import GlmmDeviance
from .pql import LARGEST_PREDICTOR, bounded
from .rounds import near_modes

SHRUNKEN = 0.346  # (16 sqrt(3) / (15 pi))^2
LARGEST_GROWTH = 2.0  # of the coefficients


def regression_start(objective: GlmmDeviance, covariances: Covariances):
    """As :func:`~skmixed._likelihood.pql.pql_start`."""
    blocks = objective.store.blocks
    beta = _regression(objective)
    moments = reduce(add, [Moments.of(block, objective.family, beta) for block in blocks])
    T = bounded(moments.covariance)
    floors = [moments.floors]
    spread = float(np.maximum(np.diag(T), 0.0) @ moments.squares) / objective.n
    beta = beta * min(np.sqrt(1.0 + SHRUNKEN * spread), LARGEST_GROWTH)
    start = [bounded(T) for T in covariances.start([T], floors)]
    nothing = [[np.zeros((len(T), block.groups[0].n_levels))] for block in blocks]
    return [*start, beta], near_modes(objective.store, nothing), floors


def _regression(objective):
    """Coefficients of one weighted regression, none of whose predictions is beyond reason."""
    blocks = objective.store.blocks
    total = sum(float(np.sum(block.m * block.y)) for block in blocks)
    mean = (total + 0.5) / (objective.n + 1.0)
    weight = mean * (1.0 - mean)
    eta = objective.family.link(mean)
    gram = sum(_gram(block, eta + (block.y - mean) / weight) for block in blocks)
    gram = objective.ridge.joined(weight * gram)
    if not np.all(np.isfinite(gram)):
        raise NothingAttainable
    beta = np.linalg.lstsq(gram[:-1, :-1], gram[:-1, -1], rcond=None)[0]
    reach = max(np.max(np.abs(block.x @ beta), initial=0.0) for block in blocks)
    return beta * min(1.0, LARGEST_PREDICTOR / max(reach, 1.0))


def _gram(block, response):
    """Cross-products of the fixed effects and a response."""
    columns = np.column_stack([block.x, less(response, block.offset)])
    return columns.T @ (block.m[:, None] * columns if np.ndim(block.m) else columns)


class Moments(NamedTuple):
    """Sums over levels.

    Attributes
    ----------
    products : of ``ss' - A`` along packed directions
    table : of the products of A in them
    totals : of A, packed
    levels : number of levels
    squares : of ``m z^2`` per effect
    """

    products: np.ndarray
    table: np.ndarray
    totals: np.ndarray
    levels: int
    squares: np.ndarray

    @classmethod
    def of(cls, block, family, beta):
        """Of a block at some coefficients."""
        point = family.at(block.fixed_part(beta), block.y, block.m)
        (s,) = block.level_sums(point.score)
        (A,) = block.level_blocks(point.weight)
        totals = A.sum(axis=1)
        products = symmetric_directions(s @ s.T) - direction_traces(totals)
        squares = [block.n if z is None else np.sum(block.m * z**2) for z in block.z[0]]
        return cls(products, pair_traces(A @ A.T), totals, A.shape[1], np.array(squares))

    def __add__(self, other):
        return Moments(*(a + b for a, b in zip(self, other, strict=True)))

    @property
    def covariance(self):
        """T by these."""
        scale = 1.0 / np.sqrt(np.maximum(np.diag(self.table), np.finfo(float).tiny))
        table = self.table * np.outer(scale, scale)
        found = scale * np.linalg.lstsq(table, scale * self.products, rcond=1e-12)[0]
        return found[packed_index(len(self.squares))]

    @property
    def floors(self):
        """Variances that count as close to zero."""
        return mean_floors(self.totals / self.levels)
