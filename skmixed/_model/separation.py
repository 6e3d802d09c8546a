"""Separation: a direction of the fixed effects along which the likelihood rises for ever.

Some combination of the columns is never negative where the outcome is one and never positive where
it is zero; following it, every prediction improves and no finite estimate is best (Albert and
Anderson 1984).  A linear program finds such a direction or proves that there is none (Konis 2007).
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import linprog

SAMPLE = 2000  # rows that the first linear program sees
ROUNDS = 20
MOST_SETS = 100  # of columns that are named
NEGLIGIBLE = 1e-6  # coefficients below are not part of a direction


def separating_columns(X, y, intercept):
    """Positions of the columns that separate zeros and ones; empty if no combination of them does.

    All that do so alone, or else a smallest set that does so together; and the same again among
    the rows that these do not predict, until nothing is left to separate.
    """
    rows = np.unique(np.column_stack([X, y]), axis=0)
    X, y = rows[:, :-1], rows[:, -1]
    X = X - X.mean(axis=0) if intercept else X
    constant = np.ones((len(X), int(intercept)))
    found: set[int] = set()
    for _ in range(MOST_SETS):
        rest, sets = _first_sets(X, y, constant)
        found = found.union(*sets)
        if not sets or not np.any(rest):
            break
        X, y, constant = X[rest], y[rest], constant[rest]
    return sorted(found)


def _first_sets(X, y, constant):
    """Which rows are left, and sets of columns that separate: those that do so alone, or one."""

    def direction(columns):
        return separating_direction(np.hstack([constant, X[:, columns]]), y)

    chosen = list(range(X.shape[1]))
    left = np.ones(len(X), dtype=bool)
    if direction([]) is not None or direction(chosen) is None:
        return left, []
    alone = [[k] for k in chosen if direction([k]) is not None]
    sets = alone or [_smallest(chosen, direction)]
    for columns in sets:
        left &= _unpredicted(np.hstack([constant, X[:, columns]]), y)
    return left, sets


def _smallest(chosen, direction):
    """Columns of which none can be left out."""
    for k in list(chosen):
        rest = [j for j in chosen if j != k]
        chosen = rest if direction(rest) is not None else chosen
    return chosen


def _unpredicted(X, y):
    """Rows that no direction of the columns predicts; one may leave some for the next."""
    left = np.ones(len(X), dtype=bool)
    for _ in range(MOST_SETS):
        direction = separating_direction(X[left], y[left])
        if direction is None:
            break
        sides = np.abs(X @ direction)
        left &= sides <= NEGLIGIBLE * np.max(sides[left])
        if not np.any(left):
            break
    return left


def separating_direction(X, y):
    """Coefficients of the columns of X (n, p) that separate y, zeros and ones; None if there are
    none.

    Constraints that a direction violates are added to a sample of the rows until none is left.
    """
    if not X.shape[1]:
        return None
    scale = np.max(np.abs(X), axis=0, initial=0.0)
    signed = (X / np.where(scale > 0, scale, 1.0)) * np.where(y > 0, 1.0, -1.0)[:, None]
    chosen = np.zeros(len(signed), dtype=bool)
    chosen[:: max(1, len(signed) // SAMPLE)] = True
    for _ in range(ROUNDS):
        direction = _best_direction(signed[chosen])
        if direction is None:
            return None
        sides = signed @ direction
        wrong = np.flatnonzero(sides < -NEGLIGIBLE)
        if len(wrong) == 0:
            return (
                direction / np.where(scale > 0, scale, np.inf)
                if np.max(sides) > NEGLIGIBLE
                else None
            )
        chosen[wrong[np.argsort(sides[wrong])[:SAMPLE]]] = True
    return None


def _best_direction(signed):
    """The direction within the unit box that has all rows on the right side, and them farthest
    away in sum.
    """
    found = linprog(
        -signed.sum(axis=0),
        A_ub=-signed,
        b_ub=np.zeros(len(signed)),
        bounds=(-1.0, 1.0),
        method="highs",
    )
    if not found.success or -found.fun <= NEGLIGIBLE:
        return None
    return np.where(np.abs(found.x) > NEGLIGIBLE, found.x, 0.0)
