"""The alternation of a fixed part with a mixed model, to a fixed point.

A step takes the random part ``u = Zb`` of all rows to that of the mixed model of what the fixed
part, fitted to what u leaves, leaves in turn.  Steps alone are those of an EM algorithm, slow where
groups are large; Anderson's acceleration combines the last few, which for a linear fixed part ends
about as soon as there are coefficients (Walker and Ni 2011, Anderson acceleration for fixed-point
iterations, SIAM J. Numerical Analysis 49).  A change that is no smaller than before and points
elsewhere is followed by a plain step; several of them are the jumps of a fixed part that has no
derivative.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

MEMORY = 6  # steps that are combined
SHRINKS = 0.9  # share of the smallest change so far that counts as smaller
TURNS = 0.5  # cosine of two changes, one after the other, below which they have no direction
PATIENCE = 3  # changes that are no smaller and have no direction
JUMPS = 0.1  # change, in residual standard deviations, that is taken for a fixed part's jumps


class Step(NamedTuple):
    """One step.

    Attributes
    ----------
    model : what the mixed model found, with the fixed part that it was given
    random : the random part of all rows
    scale : standard deviation that a change of it is measured by
    """

    model: object
    random: np.ndarray
    scale: float


class Alternated(NamedTuple):
    """Where it ended.

    Attributes
    ----------
    step : the last one
    n_iter : number of steps
    change : of the random part in it: root mean square, in residual standard deviations
    converged : whether the change was below the tolerance, or as small as the jumps of a fixed part
    """

    step: Step
    n_iter: int
    change: float
    converged: bool


def alternate(
    step: Callable[[np.ndarray], Step],
    start: np.ndarray,
    *,
    tol: float,
    max_iter: int,
    report: Callable[[int, float], None] | None = None,
) -> Alternated:
    """Steps until the random part no longer changes, or changes no less than before."""
    u = start
    trail = Trail()
    for k in range(1, max_iter + 1):
        found = step(u)
        move = found.random - u
        change = float(np.sqrt(np.mean(move**2))) / found.scale
        if report:
            report(k, change)
        if change <= tol:
            return Alternated(found, k, change, True)
        u = trail.next(u, move, change)
        if trail.jumps >= PATIENCE:
            return Alternated(found, k, change, trail.best <= JUMPS)
    return Alternated(found, k, change, False)


class Trail:
    """The last places, their moves, and whether these lead anywhere.

    Attributes
    ----------
    best : the smallest change
    jumps : number of changes since that were no smaller and had no direction
    """

    def __init__(self) -> None:
        self.points: list[tuple[np.ndarray, np.ndarray]] = []
        self.best = np.inf
        self.jumps = 0

    def next(self, u: np.ndarray, move: np.ndarray, change: float) -> np.ndarray:
        """Where to go from a place."""
        if change < SHRINKS * self.best:
            self.jumps = 0
        elif self._turns(move):
            self.jumps += 1
            self.points = []
        self.best = min(self.best, change)
        self.points = [*self.points[-MEMORY:], (u, move)]
        return accelerated(self.points)

    def _turns(self, move):
        last = self.points[-1][1]
        return move @ last < TURNS * np.linalg.norm(move) * np.linalg.norm(last)


def accelerated(points: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """Where the last steps together lead: their combination with the least change, moved by it."""
    (u, move), *before = reversed(points)
    if not before:
        return u + move
    moves = np.column_stack([move - other for _, other in before])
    places = np.column_stack([u - other for other, _ in before])
    share = np.linalg.lstsq(moves, move, rcond=1e-10)[0]
    return u + move - (places + moves) @ share
