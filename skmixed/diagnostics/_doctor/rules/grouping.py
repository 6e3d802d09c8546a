"""Grouping factors: levels, rows per level, and labels that start anew."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from scipy import stats

from ..examination import Examination, Factor
from ..signs import PROBLEM, Sign, Signs

FEWEST = 5  # levels from which a variance is estimated
MOSTLY = 0.5  # share of levels that are most of them
VARYING = 0.05  # share of rows in levels where a column varies, below which it does not
CERTAIN = 1e-6
REPEATED = 1.5  # rows per cell of two factors, at least


def single_row_levels(exam: Examination) -> Signs:
    """Factors most of whose levels have one row; binomial counts count as many."""
    for factor in exam.factors:
        sizes = factor.sizes if exam.is_linear else exam.model.names.sizes[factor.position]
        single = int(np.sum(sizes <= 1))
        if single > MOSTLY * factor.n_levels:
            yield Sign(factor.name, f"{single:,} of {factor.n_levels:,} levels have one row.")


def few_levels(exam: Examination) -> Signs:
    """Factors with few levels."""
    for factor in exam.factors:
        if factor.n_levels < FEWEST:
            k = len(factor.effects)
            count = "a variance" if k == 1 else f"variances of {k} effects"
            yield Sign(factor.name, f"{factor.n_levels} levels, from which to tell {count}.")


def constant_slope(exam: Examination) -> Signs:
    """Random slopes of columns that do not vary within levels."""
    for term in exam.model.reader.terms:
        factor = exam.factors[term.factor]
        for k in term.columns:
            moving = factor.sums(factor.within(exam.X[:, k]) ** 2) > 1e-12 * np.var(exam.X[:, k])
            if np.sum(factor.sizes[moving]) < VARYING * exam.n:
                name = exam.model.reader.names[k]
                yield Sign(
                    name,
                    f"{name} varies within {int(moving.sum()):,} of {factor.n_levels:,} levels of "
                    f"{factor.name}.",
                    PROBLEM,
                )


def nested_ids_repeat(exam: Examination) -> Signs:
    """Pairs of crossed factors whose combinations are groups of their own."""
    for pair in combinations(exam.factors, 2):
        if any(":" in factor.name for factor in pair):
            continue
        inner, outer = sorted(pair, key=lambda factor: _rank(exam, factor))
        cells = np.unique(outer.codes * inner.n_levels + inner.codes, return_inverse=True)[1]
        count = int(cells.max()) + 1
        is_nested = count == max(inner.n_levels, outer.n_levels)
        if is_nested or exam.n < REPEATED * count or not exam.has_rows:
            continue
        ratio, p = _between(exam, cells, count)
        share = max(ratio - 1.0, 0.0) * count / exam.n
        if p < CERTAIN and share > 0.5 * _variance(exam, inner):
            yield Sign(
                inner.name,
                f"Rows of one {inner.name} agree within a level of {outer.name} (F = {ratio:.3g}), "
                f"not across them: {count:,} combinations, {inner.n_levels} labels.",
                PROBLEM,
                f"Make {inner.name} nested: (1 | {outer.name}/{inner.name}), or give every "
                f"{inner.name} a label of its own.",
            )


def _rank(exam, factor: Factor):
    """Factors whose labels start anew come first: running numbers, small variance."""
    return not _are_running(factor.labels), _variance(exam, factor)


def _are_running(labels):
    text = [str(label) for label in labels]
    if not all(label.isdigit() for label in text):
        return False
    numbers = np.array(text, dtype=float)
    return numbers.min() <= 1 and len(numbers) > 0.8 * (numbers.max() - numbers.min() + 1)


def _variance(exam, factor):
    """Largest variance of a factor's effects, in residual variances."""
    pairs = zip(exam.fit.covariance_model.terms, exam.fit.covariances, strict=True)
    own = [np.max(np.diag(S)) for term, S in pairs if term.factor == factor.position]
    return max(own, default=0.0) / exam.fit.sigma2


def _between(exam, cells, count):
    """F of the residuals between cells."""
    e = exam.standardised
    sizes = np.bincount(cells)
    means = np.bincount(cells, e) / sizes
    inside = np.sum((e - means[cells]) ** 2) / (exam.n - count)
    ratio = np.sum(sizes * means**2) / count / inside
    return float(ratio), float(stats.f.sf(ratio, count, exam.n - count))
