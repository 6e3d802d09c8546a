"""Residuals of neighbouring rows of a level."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..columns import extra_columns
from ..examination import Examination, Factor
from ..signs import Sign, Signs, place
from .coefficients import CALENDAR

CERTAIN = 5.0  # standard errors
CORRELATED = 0.15
FEWEST_PAIRS = 40
FEWEST_ROWS = 5  # of a level
DISTINCT = 0.9  # share of rows with a time of their own within their level
REGULAR = 0.6  # share of steps that are equal where a column counts time


class Times(NamedTuple):
    """Rows by level and time, those of short levels left out."""

    order: np.ndarray
    levels: np.ndarray
    is_next: np.ndarray
    time: np.ndarray


def autocorrelated(exam: Examination) -> Signs:
    """Residuals that go with those of the rows before."""
    if not exam.has_rows:
        return
    found = [(*_correlation(exam, t), f, name) for f, name, t in _orders(exam)]
    z, r, factor, name = max(found, default=(0.0, 0.0, "", ""), key=lambda entry: abs(entry[0]))
    if abs(z) > CERTAIN and abs(r) > CORRELATED:
        yield Sign(
            place("residual", *filter(None, (name, factor))),
            f"Residuals of neighbouring rows of a level in the order of {name or 'the table'} are "
            f"correlated by {r:.2f}.",
        )


def _orders(exam):
    """Factor, column and rows in its order; the order of the table where no column tells time."""
    whole = Factor(0, "", np.array(["all"]), np.zeros(exam.n, dtype=int), ())
    columns = {c.name: c.values for c in exam.columns if not c.is_binary}
    columns |= extra_columns(exam.model)
    for factor in exam.factors or [whole]:
        times = {name: t for name, x in columns.items() if (t := _times(factor, x, name))}
        if not times and exam.is_linear:
            times = {"": _sorted(factor, np.arange(exam.n, dtype=float))}
        yield from ((factor.name, name, t) for name, t in times.items())


def _times(factor, x, name):
    """The rows by a column, where it tells time; else None."""
    found = _sorted(factor, x)
    steps = np.diff(found.time)[found.is_next]
    if len(steps) < FEWEST_PAIRS or np.mean(steps > 0) < DISTINCT:
        return None
    is_regular = np.mean(np.isclose(steps, np.median(steps))) > REGULAR
    return found if CALENDAR.search(name) or is_regular else None


def _sorted(factor, x):
    order = np.lexsort((x, factor.codes))
    order = order[factor.sizes[factor.codes[order]] >= FEWEST_ROWS]
    levels = factor.codes[order]
    return Times(order, levels, np.diff(levels) == 0, x[order])


def _correlation(exam, times: Times):
    """Standard errors and size of the correlation, once lines over time are taken off the levels.

    The projection M that takes them off correlates neighbours of independent rows by ``M_ik``.
    """
    if times.is_next.sum() < FEWEST_PAIRS:
        return 0.0, 0.0
    codes = np.unique(times.levels, return_inverse=True)[1]
    n = np.bincount(codes)
    t = _centred(times.time, codes, n)
    squares = np.bincount(codes, t**2)
    t = t / np.sqrt(np.where(squares > 0, squares, 1.0))[codes]
    e = _centred(exam.standardised[times.order], codes, n)
    e = e - t * np.bincount(codes, t * e)[codes]
    first = np.flatnonzero(times.is_next)
    expected = -1.0 / n[codes[first]] - t[first] * t[first + 1]
    variance = np.sum(e**2) / np.sum(1.0 - 1.0 / n[codes] - t**2)
    products = e[first] * e[first + 1] / variance - expected
    spread = np.sqrt(np.sum((products - products.mean()) ** 2))
    return float(products.sum() / spread), float(products.mean())


def _centred(values, codes, n):
    return values - (np.bincount(codes, values) / n)[codes]
