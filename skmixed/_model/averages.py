"""Probabilities averaged over effects that are not known.

The linear predictor of a row is normal around x'beta, so whatever the number of effects the average
is an integral over one dimension.  The trapezoidal rule converges exponentially there, because the
integrand is analytic up to the poles of the logistic function: at a distance of pi / sd along the
normal variable, at pi along the log-odds.  Narrow distributions are integrated over the first, wide
ones over the second, where the normal distribution is the smooth part: in both cases the error of a
probability is rounding (that of its logarithm is not, beyond odds of e^40).
"""

from __future__ import annotations

import numpy as np
from scipy.special import ndtr

LIMIT = 8.5  # standard deviations beyond which the normal density is nothing
STEP = 0.55  # of the rule along the normal variable, for an sd of one or less
WIDE = 4.0  # sd from which the rule runs along the log-odds
LOGISTIC = 0.6 * np.arange(-66, 67)  # its nodes
ROWS_PER_CHUNK = 1 << 13


def average_mean(family, eta, sd):
    """``E mu(eta + sd Z)`` per row, Z standard normal."""

    def wide(eta, sd):
        weights = 0.6 * family.at(LOGISTIC, 0.0, 1.0).weight
        return sum(w * ndtr((eta - v) / sd) for w, v in zip(weights, LOGISTIC, strict=True))

    return _averaged(family.mean, wide, eta, sd)


def average_slope(family, eta, sd):
    """``E mu'(eta + sd Z)``, the derivative in eta."""
    return _averaged_derivative(lambda v: family.at(v, 0.0, 1.0).weight, eta, sd)


def average_bend(family, eta, sd):
    """``E mu''(eta + sd Z)``, twice the derivative in sd^2."""
    return _averaged_derivative(lambda v: family.at(v, 0.0, 1.0).skew, eta, sd)


def _averaged_derivative(function, eta, sd):
    def wide(eta, sd):
        weights = 0.6 * function(LOGISTIC)
        return sum(
            w * _density((eta - v) / sd) / sd for w, v in zip(weights, LOGISTIC, strict=True)
        )

    return _averaged(function, wide, eta, sd)


def _averaged(function, wide, eta, sd):
    """Rows in the order of their sd, so that those of one chunk need about as many nodes."""
    out = np.empty(len(eta))
    order = np.argsort(sd)
    borders = np.searchsorted(sd[order], [0.0, WIDE], side="right")
    certain, narrow, broad = np.split(order, borders)
    out[certain] = function(eta[certain])
    for rows in _chunks(narrow):
        out[rows] = _along_normal(function, eta[rows], sd[rows])
    for rows in _chunks(broad):
        out[rows] = wide(eta[rows], sd[rows])
    return out


def _chunks(rows):
    return [rows[lo : lo + ROWS_PER_CHUNK] for lo in range(0, len(rows), ROWS_PER_CHUNK)]


def _along_normal(function, eta, sd):
    step = STEP / max(1.0, np.max(sd))
    z = step * np.arange(-np.ceil(LIMIT / step), np.ceil(LIMIT / step) + 1)
    return sum(w * function(eta + sd * x) for w, x in zip(step * _density(z), z, strict=True))


def _density(z):
    return np.exp(-0.5 * z**2) / np.sqrt(2.0 * np.pi)
