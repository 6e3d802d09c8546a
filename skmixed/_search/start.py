"""Starting values: one method-of-moments step (MINQUE(0)) for any number of factors.

With e the residual of ordinary least squares and V_a the derivative of V in entry a of the
covariances,

    e'V_a e = sum_b tr(V_a V_b) tau_b + sigma^2 tr(V_a W^-1),
    e'We    = sum_b tr(V_b) tau_b     + sigma^2 (n - p)

is linear in the covariances tau and sigma^2.  Large groups dominate it, which a start may accept.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.linalg import lapack

from .._algebra.packed import (
    cross_traces,
    direction_traces,
    packed_index,
    packed_order,
    packed_size,
    pair_traces,
    symmetric_directions,
)

LARGEST = 1e30  # moment estimates beyond are overflow
SHRINKAGE_FLOOR = 0.05  # no start is closer to zero than what shrinks a typical level by 5 %
INDEPENDENT = 1e-6  # least pivot of columns that are, as a share of the largest
LEAST_RESIDUAL = 0.05  # share of the variance around ordinary least squares


def moment_start(objective, covariances):
    """A point near the moment estimates, away from the boundary."""
    tau, sigma2 = MomentEquations.of(objective).solution()
    sigma2 = max(sigma2, objective.least_r2 / objective.n)
    ends = np.cumsum([0] + [len(A) for A in objective.plan.blocks])
    relative = np.clip(tau / sigma2, -LARGEST, LARGEST)
    relative[np.isnan(relative)] = 0.0
    T = [packed_covariance(relative[lo:hi]) for lo, hi in pairwise(ends)]
    return covariances.start(T, typical_floors(objective.plan))


def typical_floors(plan):
    """Per factor and effect, the variance (relative to sigma^2) that counts as close to zero."""
    counts = plan.cross.counts
    totals = plan.cross.levels if counts is None else [counts.sum()]
    sums = [A.sum(axis=1) for A in plan.counted_blocks]
    return [mean_floors(A / m) for A, m in zip(sums, totals, strict=True)]


def mean_floors(means):
    """The same of one factor, from the mean of its packed blocks."""
    q = packed_order(len(means))
    diagonal = means[[packed_size(r + 1) - 1 for r in range(q)]]
    return np.where(diagonal > 1e-12, SHRINKAGE_FLOOR / np.maximum(diagonal, 1e-12), 0.0)


@dataclass(frozen=True)
class MomentEquations:
    """The equations above.

    Attributes
    ----------
    squares : ``e'V_a e`` for all packed directions of all factors
    rss : ``e'We``
    table : ``tr(V_a V_b)``
    traces : ``tr(V_a W^-1)``
    n, df : number of observations, and that less the number of fixed effects
    """

    squares: np.ndarray
    rss: float
    table: np.ndarray
    traces: np.ndarray
    n: float
    df: float

    @classmethod
    def of(cls, objective):
        """From the sums of a linear model."""
        G = objective.gram
        p = len(G) - 1
        contrast = np.append(-_least_squares(G[:p, :p], G[:p, p]), 1.0)
        residuals = [np.einsum("qpm,p->qm", U, contrast) for U in objective.U]
        totals = [A.sum(axis=1) for A in objective.plan.counted_blocks]
        return cls(
            squares=np.concatenate([symmetric_directions(e @ e.T) for e in residuals]),
            rss=float(contrast @ G @ contrast),
            table=trace_table(objective.plan),
            traces=np.concatenate([direction_traces(A) for A in totals]),
            n=objective.n,
            df=max(objective.n - p, 1.0),
        )

    def solution(self):
        """The covariances tau, packed, and sigma^2."""
        traces = self.traces
        k = len(traces)
        system = np.empty((k + 1, k + 1))
        system[:k, :k] = self.table
        system[k, :k] = system[:k, k] = traces
        system[k, k] = self.df
        scale = 1.0 / np.sqrt(np.maximum(np.diag(system), np.finfo(float).tiny))
        standardised = system * np.outer(scale, scale)
        right = scale * np.append(self.squares, self.rss)
        found = scale * np.linalg.lstsq(standardised, right, rcond=1e-12)[0]
        return found[:-1], max(found[-1], LEAST_RESIDUAL * self.rss / self.n)

    def at_scale(self, sigma2):
        """The covariances tau, packed, where sigma^2 is known."""
        scale = 1.0 / np.sqrt(np.maximum(np.diag(self.table), np.finfo(float).tiny))
        standardised = self.table * np.outer(scale, scale)
        right = scale * (self.squares - sigma2 * self.traces)
        return scale * np.linalg.lstsq(standardised, right, rcond=1e-12)[0]


def _least_squares(gram, products):
    """Coefficients, the smallest ones where the columns are nearly dependent."""
    if not len(gram):
        return products
    chol, failed = lapack.dpotrf(gram, lower=1)
    pivots = chol.diagonal()
    if failed or not pivots.min() > INDEPENDENT * pivots.max():
        return np.linalg.lstsq(gram, products, rcond=None)[0]
    return lapack.dpotrs(chol, products, lower=1)[0]


def packed_covariance(packed):
    """The symmetric matrix of packed entries."""
    return packed[packed_index(packed_order(len(packed)))]


def trace_table(plan):
    """``tr(V_a V_b)`` at V = W^-1 for all packed directions of all factors."""
    ends = np.cumsum([0] + [len(A) for A in plan.blocks])
    windows = [slice(lo, hi) for lo, hi in pairwise(ends)]
    table = np.zeros((ends[-1], ends[-1]))
    for own, A, counted in zip(windows, plan.blocks, plan.counted_blocks, strict=True):
        table[own, own] = pair_traces(counted @ A.T)
    for (f, g), pair in plan.cross.pairs.items():
        shared = cross_traces(pair.values, pair.values)
        table[windows[f], windows[g]] = shared
        table[windows[g], windows[f]] = shared.T
    return table
