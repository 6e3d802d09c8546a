"""Expected information of the covariances of a linear mixed model, all other parameters being
nuisances.

    I_ab = tr(P V_a P V_b) - tr(P V_a) tr(P V_b) / nu,

P being ``V^-1 - V^-1 X (X'V^-1X)^-1 X'V^-1`` under REML and ``V^-1`` under ML; the last term is
absent where sigma^2 is known.  Directions are the packed ones of the relative covariances of all
factors.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from ..._algebra.levels import packed_outer
from ..._algebra.packed import (
    cross_traces,
    direction_traces,
    pack,
    pair_traces,
    symmetric_directions,
)
from ..._likelihood.linear import FixedEffects


def expected_information(state):
    """At a state, for a single factor; the average information otherwise."""
    if not state.exact:
        return state.hessian
    (part,) = state.parts
    (gradient,) = state.gradient
    traces = pack([gradient + state.precision * part.gg_sum])
    return state.trace_products() - _known_scale(state.objective) * np.outer(traces, traces)


def _known_scale(objective):
    """``1 / nu`` where sigma^2 is estimated, else 0."""
    return objective.scale.profiled(objective.nu)


def information_without_effects(objective):
    """Where all covariances are zero, ``V = W^-1``, for any number of factors, from
    cross-products."""
    fixed = FixedEffects.from_sums(objective.gram)
    # columns of L^-1 X'WZ with X'WX = LL', so that WX (X'WX)^-1 X'W is theirs times their transpose
    half = objective.reml * fixed.half_inverse
    along = [np.einsum("pr,qrm->qpm", half, U[:, :-1]) for U in objective.U]
    sandwiches = np.concatenate([_sandwiches(b) for b in along])
    squares = np.einsum("aps,bsp->ab", sandwiches, sandwiches)
    table = _own_and_shared(objective.plan, along) + squares
    totals = [direction_traces(A.sum(axis=1)) for A in objective.plan.blocks]
    traces = np.concatenate(totals) - np.einsum("app->a", sandwiches)
    return table - _known_scale(objective) * np.outer(traces, traces)


def _sandwiches(along):
    """``sum_l b_l'E_a b_l`` for every packed direction a, (K, p, p)."""
    inner = np.einsum("qpm,rsm->psqr", along, along, optimize=True)
    return symmetric_directions(inner).transpose(2, 0, 1)


def _own_and_shared(plan, along):
    """``tr(W V_a W V_b) - 2 tr(W V_a H V_b)`` with H the part of W along X, over the levels that
    meet.
    """
    ends = np.cumsum([0] + [len(A) for A in plan.blocks])
    windows = [slice(lo, hi) for lo, hi in pairwise(ends)]
    table = np.zeros((ends[-1], ends[-1]))
    for window, A, b in zip(windows, plan.blocks, along, strict=True):
        crossed = pair_traces(packed_outer(b) @ A.T)
        table[window, window] = pair_traces(A @ A.T) - crossed - crossed.T
    for (f, g), pair in plan.cross.pairs.items():
        shared = np.einsum("qpi,rpi->qri", along[f][:, :, pair.rows], along[g][:, :, pair.cols])
        table[windows[f], windows[g]] = cross_traces(pair.values, pair.values - 2.0 * shared)
        table[windows[g], windows[f]] = table[windows[f], windows[g]].T
    return table
