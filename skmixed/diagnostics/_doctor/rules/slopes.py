"""Slopes that vary between levels where the model says that they do not.

With x the part of a column that the effects of its factor do not explain within a level, and e the
residuals, the sum over pairs of rows of a level of ``x_i e_i x_k e_k`` has mean zero unless slopes
vary, whatever the variances of the rows.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import stats

from ..examination import Examination, Factor
from ..signs import Sign, Signs

CERTAIN = 1e-4
NOT_BY_ONE = 0.01  # p-value without the level that says most
VARIES = 0.01  # variance due to slopes in residual variances
FEWEST_LEVELS = 5


class Excess(NamedTuple):
    """How much slopes vary.

    Attributes
    ----------
    p_value, without : by all levels, and without the one that says most
    size : variance that it causes, in residual variances
    """

    p_value: float
    without: float
    size: float

    def is_certain(self, tests: int) -> bool:
        """Whether it is, among so many tests, and not by one level."""
        return self.p_value * tests < CERTAIN and self.without < NOT_BY_ONE and self.size > VARIES


def omitted_slope(exam: Examination) -> Signs:
    """Columns whose slopes vary between levels of a factor that has none of them."""
    if not exam.has_rows:
        return
    pairs = [(f, c) for f in exam.factors for c in exam.columns if _is_omitted(exam, f, c)]
    found = [(_excess(exam, f, c.values), f, c) for f, c in pairs]
    for excess, factor, column in sorted(found, key=lambda entry: -entry[0].size):
        if excess.is_certain(len(pairs)):
            yield Sign(
                column.name,
                f"The slope of {column.name} differs between levels of {factor.name}, worth "
                f"{100 * excess.size:.2g} % of the residual variance (p = {excess.p_value:.1g}).",
                advice=f"Let it vary: (1 + {column.name} | {factor.name}).",
            )


def _is_omitted(exam, factor, column):
    return (
        factor.n_levels >= FEWEST_LEVELS
        and column.name not in factor.effects
        and not factor.is_constant(column.values)
    )


def _excess(exam: Examination, factor: Factor, values: np.ndarray) -> Excess:
    rows = exam.rows
    x = left_within(factor, rows.z[factor.position], rows.weights, values)
    squares = rows.weights * x**2
    v = factor.sums(squares)
    if not v.any():
        return Excess(1.0, 1.0, 0.0)
    parts = x * rows.u
    sums = _sums(exam, factor, parts, v)
    rest = np.arange(len(v)) != np.argmax(sums[:, 0] - sums[:, 1])
    shift = factor.sums(parts)[rest].sum() / max(v[rest].sum(), np.finfo(float).tiny)
    others = _sums(exam, factor, parts - shift * squares, v)[rest]  # about the slope of their own
    tau2 = (others[:, 0] - others[:, 1]).sum() / np.sum(v[rest] ** 2)
    size = float(tau2 * v.sum() / exam.n / exam.scale)
    return Excess(_p_value(sums), _p_value(others), size)


def _sums(exam, factor, parts, v):
    """Per level the square of the sum of parts, its mean and its variance."""
    expected = factor.sums(parts**2 / (1.0 - exam.leverage)) * (1.0 - v / v.sum())
    variances = 2.0 * np.maximum(expected**2 - factor.sums(parts**4), 0.0)
    return np.column_stack([factor.sums(parts) ** 2, expected, variances])


def _p_value(sums):
    """Of squares, by a chi-squared distribution with their mean and variance."""
    squares, mean, variance = sums.sum(axis=0)
    freedom = 2.0 * mean**2 / variance
    return float(stats.chi2.sf(freedom * squares / mean, freedom))


def left_within(
    factor: Factor, z: np.ndarray, weights: np.ndarray, values: np.ndarray
) -> np.ndarray:
    """What the effects of a factor do not explain of values within its levels."""
    root = np.sqrt(weights)
    A = np.zeros((factor.n_levels, z.shape[1], z.shape[1]))
    b = np.zeros((factor.n_levels, z.shape[1]))
    x = (values - values.mean()) / values.std()
    for i, one in enumerate(z.T):
        b[:, i] = factor.sums(weights * one * x)
        for j, other in enumerate(z.T):
            A[:, i, j] = factor.sums(weights * one * other)
    coefficients = np.einsum("lij,lj->li", np.linalg.pinv(A, rcond=1e-10, hermitian=True), b)
    left = x - np.sum(z * coefficients[factor.codes], axis=1)
    return np.where(np.abs(left) * root > 1e-9 * np.max(root), left, 0.0)
