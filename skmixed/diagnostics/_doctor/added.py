"""Score tests of columns that are not in a model, its covariances kept.

With ``P = V^-1 - V^-1 X C X'V^-1`` and columns A, ``A'Py`` has mean zero and covariance ``sigma^2
A'PA`` where A has no effect.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import stats

from ...inference._influence.deletions import WhitenedRows
from .examination import Examination

ALIASED = 1e-7  # share of a column's sum of squares that is left where others explain it
FEWEST_LEVELS = 8  # from which sums over levels say how variable a score is


class Added(NamedTuple):
    """What columns would add to a model.

    Attributes
    ----------
    p_value : by the model
    robust : the largest by the scatter of the scores between the levels of a factor
    effect : share of what is left that the columns explain
    direction : coefficients of the columns
    """

    p_value: float
    robust: float
    effect: float
    direction: np.ndarray


NOTHING = Added(1.0, 1.0, 0.0, np.zeros(0))


def whitened(rows: WhitenedRows, A: np.ndarray) -> np.ndarray:
    """``V^-1 A``."""
    rest = A.astype(float)
    if rows.codes:
        sums = [
            np.array([[np.bincount(c, rows.weights * zq * a, m) for a in A.T] for zq in z.T])
            for z, c, m in zip(rows.z, rows.codes, rows.n_levels, strict=True)
        ]
        effects = rows.state.elimination.solve(sums)[0]
        for z, c, b in zip(rows.z, rows.codes, effects, strict=True):
            for column, per_level in zip(z.T, b, strict=True):
                rest -= column[:, None] * per_level[:, c].T
    return rows.weights[:, None] * rest


def added(exam: Examination, A: np.ndarray, units: float) -> Added:
    """Test columns; ``units`` is the number of independent values that they have."""
    rows = exam.rows
    A = (A - A.mean(axis=0)) / np.maximum(A.std(axis=0), np.finfo(float).tiny)
    solved = whitened(rows, A)
    mixed = rows.state.fixed.covariance @ (rows.x.T @ solved)
    projected = solved - rows.whitened[:, :-1] @ mixed  # PA
    half = _half_inverse(A.T @ projected, ALIASED * (rows.weights @ A**2).max())
    k = half.shape[1]
    if not k:
        return NOTHING
    scores = half.T @ (A.T @ rows.u) / np.sqrt(exam.scale)
    total = float(scores @ scores)
    direction = half @ scores * np.sqrt(exam.scale)
    return Added(
        float(stats.f.sf(total / k, k, max(units - k - 1.0, 1.0))),
        _robust(exam, projected @ direction),
        total / (total + units),
        direction,
    )


def _half_inverse(information, least):
    """H with ``HH'`` the inverse on the directions that say more than the least."""
    values, vectors = np.linalg.eigh((information + information.T) / 2)
    kept = values > least
    return vectors[:, kept] / np.sqrt(values[kept])


def _robust(exam, projected):
    """The largest p-value of a score, by its sums over the levels of the factors."""
    parts = projected * exam.rows.marginal_residuals
    found = [_clustered(f.sums(parts)) for f in exam.factors if f.n_levels >= FEWEST_LEVELS]
    return max(found, default=_clustered(parts))


def _clustered(sums):
    t = sums.sum() / np.sqrt(np.sum(sums**2))
    return float(2.0 * stats.t.sf(abs(t), len(sums) - 1))
