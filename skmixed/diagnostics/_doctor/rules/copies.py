"""Rows that are equal: copies, and counts of equal rows that vary too much."""

from __future__ import annotations

import numpy as np

from ..examination import Examination
from ..signs import PROBLEM, Sign, Signs, level_name, place

MANY = 0.03  # share of rows that are copies
ALIKE = 0.95  # share of equal rows with the same outcome, of outcomes that have few values
FEWEST_COPIES = 10
FREQUENT = 0.05  # share of the rows that have a frequent response
CHANCE = 1.5  # times as many as by chance
CERTAIN = 5.0  # standard errors
DISPERSED = 1.3
FEWEST_CELLS = 20
ROUNDING = 1e-9  # of the range of the responses
IN_FEW = 0.8  # share of the copies that are in a few levels
FEW = 3


def duplicated_rows(exam: Examination) -> Signs:
    """More exact copies than coarse columns would give."""
    key = _key(exam)
    _, counts = _cells(key)
    cells, repeats = _cells(np.column_stack([key, exam.y]))
    copies = np.sum(repeats - 1.0)
    if copies < max(MANY * exam.n, FEWEST_COPIES):
        return
    pairs, copied = _pairs(counts), _pairs(repeats)
    if copied < ALIKE * pairs and (not exam.is_linear or _is_chance(exam, cells, repeats, pairs)):
        return
    yield Sign(
        place("rows", *_levels(exam, repeats[cells] > 1)),
        f"{copies:,.0f} rows ({100 * copies / exam.n:.0f} %) are exact copies of others.",
        PROBLEM,
    )


def _pairs(counts):
    return float(np.sum(counts * (counts - 1.0) / 2.0))


def _is_chance(exam, cells, repeats, pairs):
    """Whether so many rows with the same columns have the same response, but for frequent ones."""
    values, counts = np.unique(exam.y, return_inverse=True, return_counts=True)[1:]
    is_rare = np.zeros(len(repeats), dtype=bool)
    is_rare[cells] = counts[values] < FREQUENT * exam.n
    expected = _chance(exam) * pairs
    return _pairs(repeats[is_rare]) < CHANCE * expected + CERTAIN * np.sqrt(expected)


def _key(exam):
    return np.column_stack([exam.X, *exam.codes])


def _cells(key):
    """Cell of every row, and rows per cell."""
    if not key.shape[1]:
        return np.zeros(len(key), dtype=int), np.array([len(key)])
    columns = [np.unique(column, return_inverse=True)[1] for column in key.T]
    codes = np.zeros(len(key), dtype=np.int64)
    for column in columns:
        mixed = codes * (int(column.max()) + 1) + column
        codes = np.unique(mixed, return_inverse=True)[1].ravel()
    return codes, np.bincount(codes)


def _chance(exam):
    """Probability that two rows with the same columns have the same response.

    Of rounded values by the step between them, and not below what values that are frequent say.
    """
    values, counts = np.unique(exam.y, return_counts=True)
    steps = np.diff(values)
    step = np.min(steps[steps > ROUNDING * np.ptp(values)], initial=np.inf)
    deviation = max(np.sqrt(exam.fit.sigma2), step / 4.0)
    rounded = step / (2.0 * np.sqrt(np.pi) * deviation)
    frequent = np.sum(counts * (counts - 1.0)) / (exam.n * (exam.n - 1.0))
    return float(min(max(rounded, frequent * np.std(exam.y) / deviation), 1.0))


def _levels(exam, is_copied):
    """The levels that most copies are in, if they are few."""
    for factor in exam.factors:
        counts = factor.sums(is_copied.astype(float))
        largest = np.argsort(-counts)[:FEW]
        largest = largest[counts[largest] > 0.1 * counts.sum()]
        if factor.n_levels > 2 * FEW and counts[largest].sum() > IN_FEW * counts.sum():
            return [level_name(factor.name, factor.labels[k]) for k in largest]
    return []


def overdispersed_rows(exam: Examination) -> Signs:
    """Counts of rows with equal values that vary more than binomial ones."""
    if exam.is_linear or not exam.has_rows:
        return
    cells, _ = _cells(_key(exam))
    trials = np.bincount(cells, exam.weights)
    used = trials > 1.5
    if used.sum() < FEWEST_CELLS:
        return
    p = exam.means
    binomial = exam.weights * p * (1.0 - p)
    sums = np.bincount(cells, exam.weights * (exam.y - p))[used]
    variances = np.bincount(cells, binomial * (1.0 - exam.leverage))[used]
    thin = np.bincount(cells, binomial * (1.0 - 6.0 * p * (1.0 - p)))[used]
    spread = 2.0 * variances**2 + np.maximum(thin, 0.0)
    z = np.sum(sums**2 - variances) / np.sqrt(np.sum(spread))
    ratio = np.sum(sums**2) / np.sum(variances)
    if z > CERTAIN and ratio > DISPERSED:
        yield Sign(
            place("residual", "rows"),
            f"Counts of the {used.sum():,} sets of equal rows vary {ratio:.2g} times as much as "
            "binomial ones.",
        )
