"""From one frame to another: how the pool's columns of a new frame follow from those of an old one.

With S the standardised fixed effects, ``S_new = S_old A`` where a row of A for the intercept holds
``(shift_old - shift_new) / scale_new``; differences of shifts are taken first, so that origins far
away cost no digits.  Then

    fixed_new    = fixed_old F,                   F = mixing_old^-1 A mixing_new
    response_new = (scale_old response_old + fixed_old (pilot_old - F pilot_new)) / scale_new

and the effects of factor f are ``Z_old T_f``, as A for every term.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.linalg import block_diag, solve_triangular

from .crossprod import CrossProducts, PairSums
from .frame import Frame


def reframed(cross: CrossProducts, old: Frame, new: Frame, terms) -> CrossProducts:
    """Cross-products in a frame as those in another frame of the same model."""
    T = [_effects_map(old, new, terms, f) for f in range(len(old.effects))]
    M = _pool_map(old, new, T)
    sums = (_both_sides(T_f, own, M) for T_f, own in zip(T, cross.sums, strict=True))
    pairs = {
        (f, g): PairSums(pair.rows, pair.cols, _both_sides(T[f], pair.values, T[g]), pair.shape)
        for (f, g), pair in cross.pairs.items()
    }
    return replace(
        cross,
        gram=M.T @ cross.gram @ M,
        sums=tuple(sums),
        pairs=pairs,
        fixed=new.fixed,
        response=new.response,
        effects=new.effects,
    )


def _both_sides(left, values, right):
    """``left' values right`` of (r, c, levels), with the levels before c in memory."""
    found = np.matmul(values.transpose(0, 2, 1), right)
    return np.tensordot(left.T, found, axes=1).transpose(0, 2, 1)


def _pool_map(old, new, T):
    """M, (old pool columns, new pool columns)."""
    M = np.zeros((old.response + 1, new.response + 1))
    is_there = set()
    for f, T_f in enumerate(T):
        for j, column in enumerate(new.effects[f]):
            if column not in is_there:
                np.add.at(M[:, column], list(old.effects[f]), T_f[:, j])
                is_there.add(column)
    A = _shifted(old.candidates, new.candidates, has_constant=new.fit_intercept)
    F = solve_triangular(old.mixing, A @ new.mixing) if len(A) else A
    M[np.ix_(old.fixed, new.fixed)] = F
    M[old.fixed, -1] = (old.pilot - F @ new.pilot) / new.y_scale
    M[-1, -1] = old.y_scale / new.y_scale
    return M


def _effects_map(old, new, terms, f):
    """T of a factor: effects' columns of the new frame from those of the old one."""
    blocks = []
    start = 0
    for term in (t for t in terms if t.factor == f):
        own = slice(start, start := start + term.size)
        before, after = (_some(frame.varying, frame.effects[f][own]) for frame in (old, new))
        blocks.append(_shifted(before, after, has_constant=term.intercept))
    return block_diag(*blocks)


def _some(columns, positions):
    places = list(positions)
    return replace(
        columns,
        sources=columns.sources[places],
        shifts=columns.shifts[places],
        scales=columns.scales[places],
    )


def _shifted(old, new, *, has_constant):
    """A, the constant coming first if there is one."""
    A = np.diag(old.scales / new.scales)
    if has_constant:
        A[0, 1:] = old.scales[0] * (old.shifts - new.shifts)[1:] / new.scales[1:]
    return A
