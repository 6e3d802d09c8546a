"""Starting values: one method-of-moments step (MINQUE(0)) for any number of factors.

With e the residual of ordinary least squares and V_a the derivative of V in entry a of the
covariances,

    e'V_a e = sum_b tr(V_a V_b) tau_b + sigma^2 tr(V_a W^-1),        e'We = sum_b tr(V_b) tau_b + sigma^2 (n - p)

is linear in the covariances tau and sigma^2.  Large groups dominate it, which a start may accept.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

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
SHRINKAGE_FLOOR = (
    0.05  # start no closer to zero than a variance that shrinks a typical level by 5 %
)


def moment_start(objective, model):
    """A point of ``model`` near the moment estimates, away from the boundary."""
    blocks = objective.plan.blocks
    tau, sigma2 = _moment_estimates(objective)
    ends = np.cumsum([0] + [len(A) for A in blocks])
    relative = np.clip(np.nan_to_num(tau / sigma2), -LARGEST, LARGEST)
    T = [_unpacked(relative[lo:hi]) for lo, hi in pairwise(ends)]
    return model.start(T, typical_floors(objective.plan))


def typical_floors(plan):
    """Per factor and effect, the variance (relative to sigma^2) that counts as close to zero."""
    counts = plan.cross.counts
    totals = plan.cross.levels if counts is None else [counts.sum()]
    return [_floors(A.sum(axis=1) / m) for A, m in zip(plan.counted_blocks, totals, strict=True)]


def _floors(means):
    q = packed_order(len(means))
    diagonal = means[[packed_size(r + 1) - 1 for r in range(q)]]
    return np.where(diagonal > 1e-12, SHRINKAGE_FLOOR / np.maximum(diagonal, 1e-12), 0.0)


def _moment_estimates(objective):
    G = objective.gram
    p = len(objective.gram) - 1
    beta = np.linalg.lstsq(G[:p, :p], G[:p, p], rcond=None)[0]
    contrast = np.append(-beta, 1.0)
    rss = float(contrast @ G @ contrast)
    residual_sums = [np.einsum("qpm,p->qm", U, contrast) for U in objective.U]
    left = np.concatenate([symmetric_directions(e @ e.T) for e in residual_sums])
    traces = np.concatenate(
        [direction_traces(A.sum(axis=1)) for A in objective.plan.counted_blocks]
    )
    table = _trace_table(objective.plan)
    system = np.block([[table, traces[:, None]], [traces, np.array([[max(objective.n - p, 1.0)]])]])
    scale = 1.0 / np.sqrt(np.maximum(np.diag(system), np.finfo(float).tiny))
    solution = (
        scale
        * np.linalg.lstsq(
            system * np.outer(scale, scale), scale * np.append(left, rss), rcond=1e-12
        )[0]
    )
    return solution[:-1], max(
        solution[-1], 0.05 * rss / objective.n, objective.least_r2 / objective.n
    )


def _unpacked(packed):
    return packed[packed_index(packed_order(len(packed)))]


def _trace_table(plan):
    """``tr(V_a V_b)`` at V = W^-1 for all packed directions of all factors."""
    counts = [len(A) for A in plan.blocks]
    starts = np.cumsum([0, *counts])
    table = np.zeros((starts[-1], starts[-1]))
    for f, (A, counted) in enumerate(zip(plan.blocks, plan.counted_blocks, strict=True)):
        table[starts[f] : starts[f + 1], starts[f] : starts[f + 1]] = pair_traces(counted @ A.T)
    for (f, g), pair in plan.cross.pairs.items():
        block = cross_traces(pair.values, pair.values)
        table[starts[f] : starts[f + 1], starts[g] : starts[g + 1]] = block
        table[starts[g] : starts[g + 1], starts[f] : starts[f + 1]] = block.T
    return table
