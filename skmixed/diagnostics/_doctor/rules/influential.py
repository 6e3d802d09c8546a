"""Single rows and levels on which a coefficient hangs."""

from __future__ import annotations

import numpy as np

from ....inference._influence.deletions import is_outermost, without_levels
from ..examination import Examination
from ..signs import Sign, Signs, level_name

LARGE = 1.4  # standard errors by which a coefficient moves
NEXT = 0.65  # share of that by which any other moves it, at most
MOST_LEVELS = 1_000  # of a crossed factor, each of which is a system of equations
FEWEST_LEVELS = 5


def influential_row(exam: Examination) -> Signs:
    """A row that moves a coefficient."""
    if not exam.has_rows:
        return
    rows = exam.rows
    left = rows.weights * (1.0 - exam.leverage)
    moved = rows.whitened[:, :-1] @ rows.state.fixed.covariance * (rows.u / left)[:, None]
    row, words = _one(exam, moved)
    if words:
        yield Sign(f"row {exam.labels[row]}", words)


def influential_group(exam: Examination) -> Signs:
    """A level that moves a coefficient."""
    if not exam.has_rows:
        return
    rows = exam.rows
    for factor in exam.factors:
        f = factor.position
        is_crossed = not is_outermost(rows.codes, rows.n_levels, f)
        if factor.n_levels < FEWEST_LEVELS or (is_crossed and factor.n_levels > MOST_LEVELS):
            continue
        level, words = _one(exam, rows.state.fixed.beta - without_levels(rows, f).beta)
        if words:
            yield Sign(level_name(factor.name, factor.labels[level]), words)


def _one(exam, moved):
    """The unit that moves a coefficient, if no other moves it nearly as much, and words for it."""
    transform = exam.fit.units.transform
    errors = np.sqrt(np.diag(transform @ exam.rows.state.fixed.covariance @ transform.T))
    shifts = np.nan_to_num(np.abs(moved @ transform.T) / errors / np.sqrt(exam.scale))
    ordered = np.sort(shifts, axis=0)[::-1]
    is_alone = (ordered[0] > LARGE) & (ordered[1] < NEXT * ordered[0])
    if not np.any(is_alone):
        return 0, ""
    column = int(np.argmax(np.where(is_alone, ordered[0], 0.0)))
    name = exam.model.coefficient_names[column]
    words = (
        f"Without it the coefficient of {name} moves by {ordered[0, column]:.2g} standard errors"
    )
    return int(np.argmax(shifts[:, column])), f"{words} (the next: {ordered[1, column]:.2g})."
