"""The Laplace deviance of a block of rows in one compiled visit.

Where levels do not meet and the rows are logistic, the modes, the deviance, its gradient and its
second derivatives are found level by level while the rows of a level are near.  What is kept is
sums, and of the levels their modes and how these move.
"""

from __future__ import annotations

import numpy as np

from .._algebra.kernels import CHOICE, MOST_EFFECTS
from .._algebra.packed import packed_size, pair_traces
from .._model.families import BernoulliLogit, Family
from .._sums.blocks import RowBlock
from .._sums.grouping import Runs
from .modes import (
    LEAST_ROUNDING,
    MAX_HALVINGS,
    MAX_MODE_STEPS,
    MODE_TOLERANCE,
    ROUNDING,
    Density,
    Guess,
)

MOST_COLUMNS = 64  # beyond which products of large matrices are faster
RULES = np.array([MODE_TOLERANCE, ROUNDING, LEAST_ROUNDING, MAX_MODE_STEPS, MAX_HALVINGS], float)
ABSENT = np.zeros(0)  # a column of ones, no offset


class Sweep:
    """What one visit of the rows finds.

    Attributes
    ----------
    c : (q, m) ``T^-1 b`` at the modes
    is_found : whether these are; nothing else means anything if not
    value, loglik, reach : deviance, log-likelihood of the rows and largest linear predictor there
    gradient : (q, q) ``dd / dT``
    slope : (p,) ``dd / dbeta``
    hessian : in (packed T, beta)
    changes : (m, q, parameters) derivatives of ``T^-1 b``
    """

    def __init__(self, density: Density, guess: Guess):
        self._place = (density.rows, density.T[0], density.beta)
        self.c = np.array(guess.c[0], dtype=float, order="C")
        q, levels = self.c.shape
        p = len(density.beta)
        packed = packed_size(q)
        totals = np.empty(4)
        precisions = np.empty((packed, packed))
        self.gradient = np.empty((q, q))
        self.slope = np.empty(p)
        self.hessian = np.empty((packed + p, packed + p))
        self.changes = np.empty((levels, q, packed + p))
        out = (totals, self.gradient, self.slope, self.hessian, precisions, self.changes)
        place = arguments(density)
        self.is_found = CHOICE.native.laplace_sweep(*place, self.c, RULES, *out)
        if self.is_found:
            penalised, log_determinant, self.loglik, self.reach = totals.tolist()
            self.value = penalised + log_determinant
            self.hessian[:packed, :packed] -= pair_traces(precisions)

    def is_of(self, density: Density) -> bool:
        """Whether a density has the same rows, T and beta."""
        rows, T, beta = self._place
        is_same = rows is density.rows and np.array_equal(T, density.T[0])
        return is_same and np.array_equal(beta, density.beta)


def sweep(density: Density, guess: Guess) -> Sweep | None:
    """A block of rows at its modes; None where the ordinary search has to find them."""
    if not is_swept(density.rows, density.family):
        return None
    if guess.swept is not None and guess.swept.is_of(density):
        return guess.swept
    found = Sweep(density, guess)
    return found if found.is_found else None


def is_swept(rows: RowBlock, family: Family) -> bool:
    """Whether there is a compiled sweep for such rows."""
    return (
        CHOICE.native is not None
        and type(rows) is RowBlock
        and type(family) is BernoulliLogit
        and rows.is_separable
        and len(rows.z[0]) <= MOST_EFFECTS
        and rows.x.shape[1] <= MOST_COLUMNS
        and isinstance(rows.groups[0], Runs)
    )


def arguments(density: Density) -> tuple:
    """What all sweeps ask of a density: its rows, beta, T and its root."""
    rows = density.rows
    z = [ABSENT if column is None else _numbers(column) for column in rows.z[0]]
    return (
        _numbers(rows.x),
        *z,
        *[ABSENT] * (MOST_EFFECTS - len(z)),
        _numbers(rows.y),
        np.atleast_1d(_numbers(rows.m)),
        ABSENT if rows.offset is None else _numbers(rows.offset),
        np.ascontiguousarray(rows.groups[0].indptr, dtype=np.int32),
        _numbers(density.beta),
        _numbers(density.T[0]),
        _numbers(density.roots[0]),
    )


def _numbers(values):
    return np.ascontiguousarray(values, dtype=float)
