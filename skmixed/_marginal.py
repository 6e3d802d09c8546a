"""Probabilities averaged over effects that are not known.

The linear predictor of a row is normal around x'beta, so whatever the number of effects the average is an integral over
one dimension.  The trapezoidal rule converges exponentially there (the integrand is analytic up to the poles of the
logistic function, at a distance of pi / sd): with the step below the error is rounding, whatever the variance.
"""

from __future__ import annotations

import numpy as np

LIMIT = 8.5  # standard deviations beyond which the normal density is nothing
STEP = 0.55  # of the rule, in standard deviations, for an sd of one or less
ROWS_PER_CHUNK = 1 << 13


def normal_average(function, eta, sd):
    """``E f(eta + sd Z)`` per row with Z standard normal, for a vectorised function."""
    out = function(eta)
    uncertain = np.flatnonzero(sd > 0)
    for lo in range(0, len(uncertain), ROWS_PER_CHUNK):
        rows = uncertain[lo : lo + ROWS_PER_CHUNK]
        out[rows] = _trapezoidal(function, eta[rows], sd[rows])
    return out


def _trapezoidal(function, eta, sd):
    step = STEP / max(1.0, np.max(sd))
    z = step * np.arange(-np.ceil(LIMIT / step), np.ceil(LIMIT / step) + 1)
    weights = step * np.exp(-0.5 * z**2) / np.sqrt(2.0 * np.pi)
    return sum(w * function(eta + sd * x) for w, x in zip(weights, z, strict=True))
