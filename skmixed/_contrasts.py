"""Linear hypotheses about the fixed effects: coefficients, contrasts, joint tests."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import stats


class WaldTest(NamedTuple):
    """A joint test that some coefficients are zero."""

    statistic: float
    df: int
    pvalue: float


def check_level(level):
    """A confidence level between 0 and 1."""
    if not 0 < level < 1:
        raise ValueError(f"level={level!r} is not a probability.\nUse a number between 0 and 1, such as 0.95.")
    return level


def wald_chi2(coefficients, covariance):
    """``b' Cov(b)^-1 b``, chi-squared with as many degrees of freedom as coefficients."""
    if len(coefficients) == 0:
        return WaldTest(0.0, 0, np.nan)
    if not np.all(np.isfinite(covariance)):
        return WaldTest(np.nan, len(coefficients), np.nan)
    if not np.all(np.diag(covariance) > 0):
        return WaldTest(np.inf, len(coefficients), 0.0)
    scale = 1.0 / np.sqrt(np.diag(covariance))
    z = coefficients * scale
    statistic = float(z @ np.linalg.lstsq(scale[:, None] * covariance * scale, z, rcond=1e-13)[0])
    return WaldTest(statistic, len(coefficients), float(stats.chi2.sf(statistic, len(coefficients))))
