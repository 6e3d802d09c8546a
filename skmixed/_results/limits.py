"""Ways to confidence limits of variances, by the scale they are on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from .._data.checks import check_choice
from ..inference._bootstrap.bootstrap import bootstrap_limits
from ..inference._profile.profile import profile_limits


class Limited(NamedTuple):
    """Estimates with their limits, in the order of the variance parameters.

    Attributes
    ----------
    estimates, std_errors, low, high : of variances and covariances, or of standard deviations and
        correlations
    """

    estimates: np.ndarray
    std_errors: np.ndarray
    low: np.ndarray
    high: np.ndarray


def _wald(results: Any, scale: str, level: float, **_: Any) -> Limited:
    found = results._variances
    if scale == "sd":
        return Limited(*found.deviations(), *found.deviation_intervals(level))
    return Limited(found.estimates, found.std_errors, *found.intervals(level))


def _profile(results: Any, scale: str, level: float, **_: Any) -> Limited:
    known = _wald(results, scale, level)
    return Limited(*known[:2], *profile_limits(results.fitted.fit, level, scale))


def _bootstrap(results: Any, scale: str, level: float, **options: Any) -> Limited:
    estimates = _wald(results, scale, level).estimates
    low, high, std_errors = bootstrap_limits(results.fitted, level, scale=scale, **options)
    return Limited(estimates, std_errors, low, high)


METHODS: dict[str, Callable[..., Limited]] = {
    "wald": _wald,
    "profile": _profile,
    "bootstrap": _bootstrap,
}
SCALES = ("variance", "sd")


def limited(results: Any, method: str, scale: str, level: float, **options: Any) -> Limited:
    """Estimates on a scale, and their limits by a method."""
    check_choice("method", method, METHODS)
    check_choice("scale", scale, SCALES)
    return METHODS[method](results, scale, level, **options)
