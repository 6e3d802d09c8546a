"""Rubin's rules: estimates of several completed data sets as one.

With m estimates, their mean covariance U and the covariance B between them,

    T = U + (1 + 1/m) B

is the covariance of their mean.  Degrees of freedom are Barnard and Rubin's (1999): those of Rubin
(1987), ``(m - 1) / lambda^2`` with lambda the share of the variance that is due to what is missing,
and those of the complete data less that share, together.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import stats


@dataclass(frozen=True, eq=False)
class Rubin:
    """Estimates of some parameters in several data sets.

    Attributes
    ----------
    estimates : (data sets, parameters)
    covariances : (data sets, parameters, parameters)
    complete : (parameters,) degrees of freedom if nothing were missing
    """

    estimates: np.ndarray
    covariances: np.ndarray
    complete: np.ndarray

    @property
    def m(self) -> int:
        """Number of data sets."""
        return len(self.estimates)

    @cached_property
    def mean(self) -> np.ndarray:
        """Of the estimates."""
        return np.mean(self.estimates, axis=0)

    @cached_property
    def within(self) -> np.ndarray:
        """U."""
        return np.mean(self.covariances, axis=0)

    @cached_property
    def between(self) -> np.ndarray:
        """``(1 + 1/m) B``."""
        deviations = self.estimates - self.mean
        return (1.0 + 1.0 / self.m) * deviations.T @ deviations / (self.m - 1.0)

    @property
    def total(self) -> np.ndarray:
        """T."""
        return self.within + self.between

    @property
    def share(self) -> np.ndarray:
        """Lambda."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.diag(self.between) / np.diag(self.total)

    @property
    def increase(self) -> np.ndarray:
        """Relative increase of the variance, ``(1 + 1/m) B / U``."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.diag(self.between) / np.diag(self.within)

    @property
    def df(self) -> np.ndarray:
        """Barnard and Rubin's degrees of freedom."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return _with_complete((self.m - 1.0) / self.share**2, self.complete, self.share)

    @property
    def missing_information(self) -> np.ndarray:
        """Fraction of the information that is missing, ``(r + 2 / (df + 3)) / (1 + r)``."""
        r = self.increase
        return (r + 2.0 / (self.df + 3.0)) / (1.0 + r)

    def joint(
        self, L: np.ndarray, c: np.ndarray, complete: float
    ) -> tuple[float, int, float, float]:
        """F, its degrees of freedom and p of ``L b = c`` (Li, Raghunathan and Rubin 1991).

        The increase of the variance is taken to be the same in all directions.  Their degrees of
        freedom are for large samples; ``complete`` are those if nothing were missing, which count
        as in Barnard and Rubin's.
        """
        k = len(L)
        U = L @ self.within @ L.T
        d = L @ self.mean - c
        r = float(np.trace(np.linalg.solve(U, L @ self.between @ L.T)) / k)
        F = float(d @ np.linalg.solve(U, d) / k / (1.0 + r))
        large = _large_sample_df(k, k * (self.m - 1.0), r)
        df = float(_with_complete(large, complete, r / (1.0 + r)))
        return F, k, df, float(stats.f.sf(F, k, df))


def _with_complete(large, complete, share):
    """Degrees of freedom by those for large samples, those of the complete data, and the share of
    the variance that is due to what is missing.
    """
    large, complete = np.asarray(large, dtype=float), np.asarray(complete, dtype=float)
    with np.errstate(divide="ignore", invalid="ignore"):
        observed = (1.0 - 2.0 / (complete + 3.0)) * complete * (1.0 - share)
        observed = np.where(np.isinf(complete), np.inf, observed)
        return 1.0 / (1.0 / large + 1.0 / observed)


def _large_sample_df(k, t, r):
    if r <= 0.0:
        return np.inf
    if t > 4.0:
        return 4.0 + (t - 4.0) * (1.0 + (1.0 - 2.0 / t) / r) ** 2
    return t * (1.0 + 1.0 / k) * (1.0 + 1.0 / r) ** 2 / 2.0
