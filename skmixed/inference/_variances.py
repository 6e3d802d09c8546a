"""Variances and covariances of the random effects with their standard errors.

Deviances are -2 log-likelihoods throughout.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy import special

from .._data.checks import check_level
from .._fit.base import Fit
from .._fit.joint import Joint, joint


@dataclass(frozen=True, eq=False)
class VarianceEstimates:
    """Entries of the covariance matrices with the covariance of their estimates.

    Attributes
    ----------
    entries : (term, row, column) with row >= column; a residual variance, which comes last, has
        none
    estimates : their values
    covariance : of ``estimates / unit``, which does not overflow; what has no standard error has
        NaN in its row and column
    unit : of the estimates
    """

    entries: tuple[tuple[int, int, int], ...]
    estimates: np.ndarray
    covariance: np.ndarray
    unit: float = 1.0

    @classmethod
    def of(cls, fit: Fit) -> Self:
        """With Wald standard errors, from the observed information of all parameters.

        For a linear model that is the information of (covariances, sigma) with the fixed effects
        profiled out, which is the same.  At the boundary (a variance at zero, a correlation at plus
        or minus one) there is no standard error and it is NaN.
        """
        found: Joint = joint(fit)
        return cls(found.entries, found.variances, found.of_variances, found.unit)

    @property
    def std_errors(self):
        return self.unit * _roots(np.diag(self.covariance))

    @property
    def on_diagonal(self):
        """Which are variances rather than covariances."""
        found = np.ones(len(self.estimates), dtype=bool)
        found[: len(self.entries)] = [row == col for _, row, col in self.entries]
        return found

    def intervals(self, level=0.95):
        """Confidence limits: on the log scale for variances, symmetric for covariances."""
        half = _normal_quantile(level) * self.std_errors
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            width = np.exp(half / self.estimates)
            low = np.where(self.on_diagonal, self.estimates / width, self.estimates - half)
            return low, np.where(self.on_diagonal, self.estimates * width, self.estimates + half)

    def deviations(self):
        """Standard deviations and correlations with their standard errors by the delta method."""
        v = self.estimates / self.unit
        with np.errstate(invalid="ignore", divide="ignore"):
            J = np.diag(np.where(self.on_diagonal, 0.5 / np.sqrt(v), 0.0))
            values = as_deviations(self.entries, v)
            for e, pair in _correlated(self.entries):
                J[e, e] = 1.0 / np.sqrt(np.prod(v[pair]))
                J[e, pair] = -0.5 * values[e] / v[pair]
            units = np.where(self.on_diagonal, np.sqrt(self.unit), 1.0)
            return units * values, units * _roots(_delta_variances(J, self.covariance))

    def deviation_intervals(self, level=0.95):
        """The same limits: on the log scale for deviations, by Fisher's z for correlations."""
        values, std_errors = self.deviations()
        half = _normal_quantile(level) * std_errors
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            width = np.exp(half / values)
            z = np.arctanh(values)
            spread = half / (1.0 - values**2)
            low = np.where(self.on_diagonal, values / width, np.tanh(z - spread))
            return low, np.where(self.on_diagonal, values * width, np.tanh(z + spread))


def as_deviations(entries, variances):
    """Standard deviations, and correlations; NaN where a variance is zero."""
    with np.errstate(invalid="ignore", divide="ignore"):
        values = np.sqrt(np.maximum(variances, 0.0))
        for e, pair in _correlated(entries):
            values[e] = variances[e] / np.sqrt(np.prod(variances[pair]))
    return values


def _correlated(entries):
    """Places of covariances, each with those of its two variances."""
    for e, (term, row, col) in enumerate(entries):
        if row != col:
            yield e, [entries.index((term, k, k)) for k in (row, col)]


def _normal_quantile(level):
    return special.ndtri(0.5 + check_level(level) / 2.0)


def _roots(variances):
    """Standard errors; NaN where there is no variance."""
    return np.sqrt(np.where(variances > 0, variances, np.nan))


def _delta_variances(J, covariance):
    """``diag(J Cov J')``, where entries that a row does not involve may be NaN."""
    return np.array(
        [row[row != 0] @ covariance[np.ix_(row != 0, row != 0)] @ row[row != 0] for row in J]
    )
