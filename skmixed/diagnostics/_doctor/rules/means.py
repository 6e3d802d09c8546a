"""What is missing among the fixed effects: curves, effects between levels, numbers of rows."""

from __future__ import annotations

import numpy as np

from ..added import NOTHING, Added, added
from ..examination import Examination
from ..signs import Sign, Signs

CERTAIN = 1e-5
ROBUST = 1e-4  # the same by the scatter between levels, which knows less
CURVED = 0.008  # share of what is left that a curve explains
KNOTS = (0.25, 0.5, 0.75)
FEWEST_VALUES = 5
FEWEST_LEVELS = 20
RELATED = 0.05  # share of the differences of levels that their number of rows explains


def nonlinear(exam: Examination) -> Signs:
    """Columns that act as curves."""
    if not exam.has_rows:
        return
    columns = [c for c in exam.columns if len(c.distinct) >= FEWEST_VALUES]
    found = [(_curve(exam, c.values), c) for c in columns]
    for test, column in sorted(found, key=lambda pair: -pair[0].effect):
        if _is_certain(test, len(columns)) and test.effect > CURVED:
            yield Sign(
                column.name,
                f"A line that bends at three points explains {100 * test.effect:.2g} % of what is "
                f"left (p = {test.p_value:.1g}).",
            )


def _is_certain(test: Added, tests: int) -> bool:
    return test.p_value * tests < CERTAIN and test.robust * tests < ROBUST


def _curve(exam, x):
    """A line that bends at the quartiles."""
    knots = np.unique(np.quantile(x, KNOTS))
    bends = np.maximum(x[:, None] - knots, 0.0)
    bends = bends[:, np.ptp(bends, axis=0) > 0]
    outer = exam.outer(x)
    units = exam.n if outer is None else outer.n_levels
    return added(exam, bends, units) if bends.shape[1] and units > 3 * len(KNOTS) else NOTHING


def omitted_between(exam: Examination) -> Signs:
    """Columns whose effects within and between levels differ."""
    if not exam.has_rows:
        return
    pairs = [(f, c) for f in exam.factors for c in exam.columns if _varies_in_both(f, c.values)]
    for factor, column in pairs:
        test = added(exam, factor.means(column.values)[factor.codes][:, None], factor.n_levels)
        if _is_certain(test, len(pairs)):
            yield Sign(
                column.name,
                f"The effect of {column.name} between levels of {factor.name} is not the one within"
                f" them (p = {test.p_value:.1g}).",
                advice=f"Add the mean of {column.name} by {factor.name} as a column.",
            )


def _varies_in_both(factor, x):
    return not (factor.is_constant(x) or np.ptp(factor.means(x)) <= 1e-9 * np.ptp(x))


def missing_not_at_random(exam: Examination) -> Signs:
    """Factors whose levels have more rows where their effects are larger, or smaller."""
    if not exam.has_rows:
        return
    for factor in exam.factors:
        if np.ptp(factor.sizes) == 0 or factor.n_levels < FEWEST_LEVELS:
            continue
        sizes = np.log(factor.sizes)[factor.codes]
        test = added(exam, sizes[:, None], factor.n_levels)
        if _is_certain(test, len(exam.factors)) and test.effect > RELATED:
            word = "more" if test.direction[0] > 0 else "less"
            yield Sign(
                factor.name,
                f"Levels with many rows have {word} {exam.response} than the columns say "
                f"(p = {test.p_value:.1g}).",
            )
