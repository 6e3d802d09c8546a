"""Rows that are equal: copies, and counts of equal rows that vary too much."""

from __future__ import annotations

import numpy as np

from ..examination import Examination
from ..signs import PROBLEM, Sign, Signs, level_name, place

MANY = 0.03  # share of rows that are copies
ALIKE = 0.95  # share of equal rows with the same outcome, of outcomes that have few values
CHANCE = 1.5  # times as many as by chance
CERTAIN = 5.0  # standard errors
DISPERSED = 1.3
FEWEST_CELLS = 20
IN_FEW = 0.8  # share of the copies that are in a few levels
FEW = 3


def duplicated_rows(exam: Examination) -> Signs:
    """More exact copies than coarse columns would give."""
    key = _key(exam)
    _, counts = _cells(key)
    alike, repeats = _cells(np.column_stack([key, exam.y]))
    pairs = float(np.sum(counts * (counts - 1.0) / 2.0))
    copied = float(np.sum(repeats * (repeats - 1.0) / 2.0))
    share = float(np.sum(repeats - 1.0)) / exam.n
    chance = _chance(exam) * pairs
    limit = CHANCE * chance + CERTAIN * np.sqrt(chance)
    if share < MANY or copied < max(limit, 0.0 if exam.is_linear else ALIKE * pairs):
        return
    names = _levels(exam, repeats[alike] > 1)
    yield Sign(
        place("rows", *names),
        f"{int(np.sum(repeats - 1)):,} rows ({100 * share:.0f} %) are exact copies of others.",
        PROBLEM,
    )


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
    """Probability that two rows with the same columns have the same response."""
    if exam.is_linear:
        step = np.min(np.diff(np.unique(exam.y)), initial=np.inf)
        deviation = np.sqrt(exam.fit.sigma2)
        return min(step / (2.0 * np.sqrt(np.pi) * max(deviation, step / 4.0)), 1.0)
    return float(np.mean(exam.means**2 + (1.0 - exam.means) ** 2))


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
