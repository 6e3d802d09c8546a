"""Means averaged over effects that are not known.

The linear predictor of a row is normal around x'beta, so whatever the number of effects the average
is an integral over one dimension.  The trapezoidal rule converges exponentially there, because the
integrand is analytic up to the poles of its function: those of the logistic function are at a
distance of pi / sd along the normal variable, and of pi along the log-odds.  Narrow distributions
are integrated over the first, wide ones over the second, where the normal distribution is the
smooth part: in both cases the error of a probability is rounding (that of its logarithm is not,
beyond odds of e^40).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Protocol

import numpy as np
from scipy.special import expit, log_expit, ndtr

Of = Callable[[np.ndarray], np.ndarray]  # a linear predictor
Wide = Callable[[np.ndarray, np.ndarray], np.ndarray]  # and a standard deviation

LIMIT = 8.5  # standard deviations beyond which the normal density is nothing
STEP = 0.55  # of the rule along the normal variable, for an sd of one or less
WIDE = 4.0  # sd from which the rule runs along the log-odds
LOGISTIC_STEP = 0.6
LOGISTIC = LOGISTIC_STEP * np.arange(-66, 67)  # its nodes
ROWS_PER_CHUNK = 1 << 13


class Averages(Protocol):
    """A mean function averaged over normal linear predictors, each figure made when asked for."""

    @property
    def mean(self) -> np.ndarray:
        """``E mu(eta + sd Z)`` per row, Z standard normal."""

    @property
    def slope(self) -> np.ndarray:
        """``E mu'(eta + sd Z)``, the derivative in eta."""

    @property
    def bend(self) -> np.ndarray:
        """``E mu''(eta + sd Z)``, twice the derivative in sd^2."""


class Complemented(Averages, Protocol):
    """Averages that are probabilities."""

    @property
    def complement(self) -> np.ndarray:
        """``1 - mean`` with digits of its own."""

    @property
    def both(self) -> np.ndarray:
        """Of both classes, in rows that sum to one."""

    @property
    def logarithms(self) -> np.ndarray:
        """Their logarithms."""


class Probabilities:
    """What follows for the two classes: a base of classes that are :class:`Complemented`."""

    @property
    def both(self: Complemented) -> np.ndarray:
        """Of both classes, in rows that sum to one."""
        both = np.column_stack([self.complement, self.mean])
        return both / both.sum(axis=1, keepdims=True)

    @property
    def logarithms(self: Complemented) -> np.ndarray:
        """Their logarithms."""
        return np.log(np.maximum(self.both, np.finfo(float).tiny))


class LogisticAverages(Probabilities):
    """Of the logistic function."""

    def __init__(self, eta: np.ndarray, sd: np.ndarray) -> None:
        self.eta = eta
        self.sd = sd

    @cached_property
    def mean(self) -> np.ndarray:
        return _averaged(expit, _wide_mean, self.eta, self.sd)

    @cached_property
    def complement(self) -> np.ndarray:
        return _averaged(expit, _wide_mean, -self.eta, self.sd)

    @cached_property
    def slope(self) -> np.ndarray:
        return _averaged(logistic_density, _wide_slope, self.eta, self.sd)

    @cached_property
    def bend(self) -> np.ndarray:
        return _averaged(_logistic_bend, _wide_bend, self.eta, self.sd)

    @property
    def logarithms(self) -> np.ndarray:
        """With all their digits where nothing is averaged."""
        exact = np.column_stack([log_expit(-self.eta), log_expit(self.eta)])
        return np.where(self.sd[:, None] > 0, super().logarithms, exact)


class Certain:
    """Of a mean that is its linear predictor: the distribution around it averages out."""

    def __init__(self, eta: np.ndarray, sd: np.ndarray) -> None:
        self.mean = eta
        self.slope = np.ones(len(eta))
        self.bend = np.zeros(len(eta))


def logistic_density(eta: np.ndarray) -> np.ndarray:
    """``mu (1 - mu)``."""
    t = np.exp(-np.abs(eta))
    larger = 1.0 / (1.0 + t)
    return t * larger * larger


def _logistic_bend(eta: np.ndarray) -> np.ndarray:
    """``mu (1 - mu) (1 - 2 mu)``."""
    larger = 1.0 / (1.0 + np.exp(-np.abs(eta)))
    return logistic_density(eta) * (1.0 - 2.0 * (np.copysign(larger - 0.5, eta) + 0.5))


def _wide_mean(eta: np.ndarray, sd: np.ndarray) -> np.ndarray:
    weights = LOGISTIC_STEP * logistic_density(LOGISTIC)
    return sum(w * ndtr((eta - v) / sd) for w, v in zip(weights, LOGISTIC, strict=True))


def _wide_slope(eta: np.ndarray, sd: np.ndarray) -> np.ndarray:
    return _along_log_odds(logistic_density, eta, sd)


def _wide_bend(eta: np.ndarray, sd: np.ndarray) -> np.ndarray:
    return _along_log_odds(_logistic_bend, eta, sd)


def _along_log_odds(function: Of, eta: np.ndarray, sd: np.ndarray) -> np.ndarray:
    weights = LOGISTIC_STEP * function(LOGISTIC)
    nodes = zip(weights, LOGISTIC, strict=True)
    return sum(w * normal_density((eta - v) / sd) / sd for w, v in nodes)


def _averaged(function: Of, wide: Wide, eta: np.ndarray, sd: np.ndarray) -> np.ndarray:
    """Rows in the order of their sd, so that those of one chunk need about as many nodes."""
    out = np.empty(len(eta))
    order = np.argsort(sd)
    borders = np.searchsorted(sd[order], [0.0, WIDE], side="right")
    certain, narrow, broad = np.split(order, borders)
    out[certain] = function(eta[certain])
    for rows in _chunks(narrow):
        out[rows] = along_normal(function, eta[rows], sd[rows])
    for rows in _chunks(broad):
        out[rows] = wide(eta[rows], sd[rows])
    return out


def _chunks(rows: np.ndarray) -> list[np.ndarray]:
    return [rows[lo : lo + ROWS_PER_CHUNK] for lo in range(0, len(rows), ROWS_PER_CHUNK)]


def along_normal(function: Of, eta: np.ndarray, sd: np.ndarray) -> np.ndarray:
    """``E function(eta + sd Z)`` by the rule along Z."""
    step = STEP / max(1.0, np.max(sd))
    z = step * np.arange(-np.ceil(LIMIT / step), np.ceil(LIMIT / step) + 1)
    nodes = zip(step * normal_density(z), z, strict=True)
    return sum(w * function(eta + sd * x) for w, x in nodes)


def normal_density(z: np.ndarray) -> np.ndarray:
    """Of the standard normal distribution."""
    return np.exp(-0.5 * z**2) / np.sqrt(2.0 * np.pi)
