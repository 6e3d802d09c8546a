"""Steps towards the conditional modes with one factorisation, as many as it is good for, in one
compiled call.

For rows whose levels meet, with one factor eliminated level by level and all others in a dense
block.
"""

from __future__ import annotations

import numpy as np

from .._algebra.elimination import Elimination
from .._algebra.kernels import CHOICE
from .._model.families import BernoulliLogit
from .._sums.crossed import CrossedRows

FOUND, TOO_OLD, UPHILL = range(3)  # how such steps end


class Chords:
    """A factorisation in the shape that the compiled steps take."""

    def __init__(self, elimination: Elimination):
        plan = elimination.plan
        (stage,) = plan.layout.stages
        coupling = plan.couplings[stage]
        start = plan.layout.dense_start
        first = [plan.layout.offsets[f] - start for f in range(len(elimination.T))]
        self.factorisation = (
            int(stage),
            coupling.indptr,
            coupling.columns - np.int32(start),
            np.ascontiguousarray(elimination.coupled(stage)),
            np.ascontiguousarray(elimination.M[stage]),
            np.ascontiguousarray(elimination.blocks(stage)),
            elimination.dense.lower,
            np.array(first, dtype=np.int32),
            _flat(elimination.roots),
            _flat([_inverse(root) for root in elimination.roots]),
        )

    def steps(self, modes, rules, is_fresh: bool):
        """How steps from some place ended, and where."""
        density = modes.density
        rows = density.rows
        c, scores = (np.concatenate([p.ravel() for p in each]) for each in (modes.c, modes.scores))
        eta, mean, weight = np.empty((3, len(rows.y)))
        totals = np.array([modes.penalised[0], 0.0])
        ending = CHOICE.native.chords(
            *rows.described,
            *rows.outcomes(density.fixed),
            *self.factorisation,
            _flat(density.T),
            np.array(rules, dtype=float),
            is_fresh,
            *(c, scores, eta, mean, weight, totals),
        )
        if not totals[1]:
            return ending, modes
        if ending == UPHILL:
            return ending, density.at(rows.split(c))
        point = density.family.at(eta, rows.y, rows.m)
        vars(point).update(mean=mean, weight=weight)
        return ending, density.placed(rows.split(c), point, totals[:1], rows.split(scores))


def along_chords(modes, elimination, rules, is_fresh: bool):
    """How steps with a factorisation ended, and where; uphill at once where there are none."""
    if not _are_compiled(modes.density, elimination):
        return UPHILL, modes
    return Chords(elimination).steps(modes, rules, is_fresh)


def _are_compiled(density, elimination) -> bool:
    if type(density.rows) is not CrossedRows or type(density.family) is not BernoulliLogit:
        return False
    if type(elimination) is not Elimination or len(elimination.plan.layout.stages) != 1:
        return False
    return elimination.dense is not None and elimination.dense.is_conditioned


def _inverse(root):
    """Of the root of a factor in the dense block; nobody asks for that of the stage."""
    try:
        return np.linalg.inv(root)
    except np.linalg.LinAlgError:
        return np.zeros_like(root)


def _flat(matrices):
    return np.concatenate([np.asarray(matrix, dtype=float).ravel() for matrix in matrices])
