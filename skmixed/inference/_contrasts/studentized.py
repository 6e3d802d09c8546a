"""The studentised range: of k independent normal means, in units of an estimated standard error.

scipy's ``studentized_range``, whose quantiles take long enough to be asked for a few degrees of
freedom only: they are smooth in ``1 / df``, and of many interpolated at Chebyshev's nodes.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable

import numpy as np
from scipy.interpolate import BarycentricInterpolator
from scipy.stats import studentized_range

NODES = 10


def _quietly(function: Callable[..., np.ndarray]) -> Callable[..., np.ndarray]:
    """Without the warning of scipy before 1.12, which makes a number of an array of one."""

    @functools.wraps(function)
    def quiet(*arguments: object) -> np.ndarray:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            return function(*arguments)

    return quiet


@_quietly
def range_sf(q: np.ndarray, k: int, df: np.ndarray) -> np.ndarray:
    """``P(Q > q)``, element by element."""
    return studentized_range.sf(q, k, df)


@_quietly
def range_isf(p: float, k: int, df: np.ndarray) -> np.ndarray:
    """The q with ``P(Q > q) = p``, for every df."""
    found, places = np.unique(np.asarray(df, dtype=float), return_inverse=True)
    if len(found) <= NODES:
        return studentized_range.isf(p, k, found)[places]
    x = 1.0 / found
    angles = np.pi * (np.arange(NODES) + 0.5) / NODES
    nodes = (x[0] + x[-1]) / 2.0 + (x[0] - x[-1]) / 2.0 * np.cos(angles)
    at_nodes = studentized_range.isf(p, k, 1.0 / np.maximum(nodes, 1e-300))
    return BarycentricInterpolator(nodes, at_nodes)(x)[places]
