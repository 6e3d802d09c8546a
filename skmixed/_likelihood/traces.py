"""Traces and sandwiches of the derivatives of V at the optimum of a linear model, along packed
directions of the covariances.
"""

from __future__ import annotations

import numpy as np

from .._algebra.levels import inner_products
from .._algebra.packed import (
    crossed_directions,
    direction_traces,
    packed_index,
    packed_size,
    pair_traces,
)

ENTRIES_PER_CHUNK = 1 << 22  # of the blocks of right-hand sides


def restricted_traces(state, J, Phi, Q):
    """``tr(P V_a P V_b)`` and ``tr(P V_a)`` along packed directions, by their sandwiches Phi, Q."""
    C = state.fixed.covariance
    crossed = np.einsum("pr,abrp->ab", C, Q)
    squares = np.einsum("apr,brp->ab", C @ Phi, C @ Phi)
    traces = J @ trace_products(state) @ J.T - crossed - crossed.T + squares
    return traces, J @ precision_traces(state) - np.einsum("pr,arp->a", C, Phi)


def sandwiches(state, J):
    """``Phi_a = sum_l F_l'E_a F_l`` along packed directions, (k, p, p)."""
    p = len(state.fixed.beta)
    packed = np.concatenate([np.zeros((0, p, p)), *(part.sandwiches for part in state.parts)])
    return np.einsum("ka,apr->kpr", J, packed)


def double_sandwiches(state, J):
    """``Q_ab = sum F'E_a N E_b F`` along packed directions, (k, k, p, p)."""
    p = len(state.fixed.beta)
    k = len(J)
    if not k:
        return np.zeros((0, 0, p, p))
    H = _tilted([F[:, :-1] for F in state.F], J)
    NH = _marginal_products(state, H)
    products = sum(inner_products(h, nh) for h, nh in zip(H, NH, strict=True))
    return products.reshape(k, p, k, p).transpose(0, 2, 1, 3)


def _marginal_products(state, H):
    """``Z'V^-1 Z H`` for effects H, a list over factors of (q, k, m)."""
    return state.elimination.solve(state.objective.plan.multiply(H))[1]


def _tilted(F, J):
    """``E_a F`` for every direction, per factor (q, k p, m)."""
    out = []
    start = 0
    for f in F:
        q, p, m = f.shape
        E = J[:, start : start + packed_size(q)][:, packed_index(q)]
        out.append(np.einsum("krc,cpm->rkpm", E, f).reshape(q, len(J) * p, m))
        start += packed_size(q)
    return out


def precision_traces(state):
    """``tr(V^-1 V_a)`` in packed directions of all factors."""
    precisions = state.posterior.precisions if state.F else []
    return np.concatenate([np.zeros(0), *(direction_traces(N.sum(axis=1)) for N in precisions)])


def trace_products(state):
    """``tr(V^-1 V_a V^-1 V_b)`` in packed directions of all factors."""
    if not state.F:
        return np.zeros((0, 0))
    if len(state.F) == 1:
        (N,) = state.posterior.precisions
        return pair_traces(N @ N.T)
    return np.hstack([_trace_columns(state, g) for g in range(len(state.F))])


def _trace_columns(state, g):
    """The columns of factor g: ``N`` between every level of g and all others, some levels of g at
    a time.
    """
    sizes = [len(F) for F in state.F]
    levels = [F.shape[2] for F in state.F]
    q = sizes[g]
    width = sum(s * m for s, m in zip(sizes, levels, strict=True))
    products = [np.zeros((s * q, s * q)) for s in sizes]
    step = max(1, ENTRIES_PER_CHUNK // (width * q))
    for lo in range(0, levels[g], step):
        own = np.arange(lo, min(lo + step, levels[g]))
        for f, N in enumerate(_marginal_products(state, _units(state, g, own))):
            flat = N.reshape(sizes[f] * q, -1)  # rows: effect of f, effect of g
            products[f] += flat @ flat.T
    tables = [table.reshape(s, q, s, q) for s, table in zip(sizes, products, strict=True)]
    return np.vstack([crossed_directions(table) for table in tables])


def _units(state, g, own):
    """Unit vectors of the effects of some levels of factor g, per factor (q, k, m)."""
    q = len(state.F[g])
    H = [np.zeros((len(F), q * len(own), F.shape[2])) for F in state.F]
    for r in range(q):
        H[g][r, r * len(own) + np.arange(len(own)), own] = 1.0
    return H
