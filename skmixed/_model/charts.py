"""Charts: smooth coordinates of covariances around a point."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np


class Chart(NamedTuple):
    """A local map ``s -> T(s)`` with ``T(0) = T``, in which the optimiser moves.

    Attributes
    ----------
    derivatives : (k, ...) the derivatives ``dT / ds_a`` at 0
    second : D -> (k, k), the second derivatives contracted: ``sum_ij D_ij d2T_ij / ds_a ds_b``
    move : s -> T(s)
    radius : size of the current point in these coordinates
    """

    derivatives: np.ndarray
    second: Callable[[np.ndarray], np.ndarray]
    move: Callable[[np.ndarray], Any]
    radius: float


class Parameter(NamedTuple):
    """One coordinate of a covariance.

    Attributes
    ----------
    matrix : the derivative dT
    move : step -> T
    reach : size of a step that changes T by its own order
    """

    matrix: np.ndarray
    move: Callable[[float], np.ndarray]
    reach: float


def moving(chart: Chart) -> np.ndarray:
    """Coordinates of a chart that change the covariance to first order."""
    size = np.max(np.abs(chart.derivatives), axis=(1, 2), initial=0.0)
    return np.flatnonzero(size > 1e-12 * np.max(size, initial=0.0))
