"""Single rows and levels on which a coefficient hangs."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ....inference._influence.deletions import is_outermost, without_levels
from ..examination import Examination
from ..signs import Sign, Signs, level_name

LARGE = 1.6  # standard errors by which a coefficient moves
NEXT = 0.65  # share of that by which any other moves it, at most
MOST_LEVELS = 1_000  # of a crossed factor, each of which is a system of equations
FEWEST_LEVELS = 5


def influential_row(exam: Examination) -> Signs:
    """A row that moves a coefficient, and not as one of a level that does."""
    if not exam.has_rows:
        return
    rows = exam.rows
    left = rows.weights * (1.0 - exam.leverage)
    moved = rows.whitened[:, :-1] @ rows.state.fixed.covariance * (rows.u / left)[:, None]
    found = _alone(exam, moved)
    if found is None:
        return
    by_rest = [_by_the_rest(exam, factor, found) for factor in exam.factors]
    if max(by_rest, default=0.0) < found.shift:
        yield Sign(f"row {exam.labels[found.unit]}", found.words(exam))


def influential_group(exam: Examination) -> Signs:
    """A level that moves a coefficient."""
    if not exam.has_rows:
        return
    for factor in exam.factors:
        moved = _by_levels(exam, factor)
        found = None if moved is None else _alone(exam, moved)
        if found is not None:
            yield Sign(level_name(factor.name, factor.labels[found.unit]), found.words(exam))


class Alone(NamedTuple):
    """A unit that moves a coefficient by ``shift`` standard errors, all others by ``next``."""

    unit: int
    column: int
    shift: float
    next: float

    def words(self, exam: Examination) -> str:
        """Evidence."""
        name = exam.model.coefficient_names[self.column]
        return (
            f"Without it the coefficient of {name} moves by {self.shift:.2g} standard errors (the "
            f"next: {self.next:.2g})."
        )


def _by_levels(exam, factor):
    """By how much each level moves the coefficients of the frame; None where it is not known."""
    rows = exam.rows
    is_crossed = not is_outermost(rows.codes, rows.n_levels, factor.position)
    most = MOST_LEVELS if exam.fit.solver == "exact" else 0
    if factor.n_levels < FEWEST_LEVELS or (is_crossed and factor.n_levels > most):
        return None
    return rows.state.fixed.beta - without_levels(rows, factor.position).beta


def _by_the_rest(exam, factor, found):
    """By how much the other rows of its level move the coefficient that a row moves."""
    moved = _by_levels(exam, factor)
    if moved is None:
        return 0.0
    level = factor.codes[found.unit]
    return _shifts(exam, moved)[level, found.column] - found.shift


def _shifts(exam, moved):
    """In standard errors of the coefficients."""
    transform = exam.fit.units.transform
    errors = np.sqrt(np.diag(transform @ exam.rows.state.fixed.covariance @ transform.T))
    return np.nan_to_num(np.abs(moved @ transform.T) / errors / np.sqrt(exam.scale))


def _alone(exam, moved):
    """The unit that moves a coefficient, if no other moves it nearly as much."""
    shifts = _shifts(exam, moved)
    ordered = np.sort(shifts, axis=0)[::-1]
    is_alone = (ordered[0] > LARGE) & (ordered[1] < NEXT * ordered[0])
    if not np.any(is_alone):
        return None
    column = int(np.argmax(np.where(is_alone, ordered[0], 0.0)))
    unit = int(np.argmax(shifts[:, column]))
    return Alone(unit, column, float(ordered[0, column]), float(ordered[1, column]))
