"""The error of a fixed part, told from the residual variance.

Out of fold the residual is ``e + delta`` with the error delta of the fixed part, so that its
variance is ``sigma^2 + E delta^2``.  Two fixed parts from halves of the other rows, which share
none, have independent errors around a common bias: with ``d = (f_1 - f_2) / 2``

    Var(y - Zb - (f_1 + f_2) / 2) - Var(d) = sigma^2 + E bias^2,

both variances being those within levels, from mixed models with the same terms.  What is left of
the error is the square of what halves of the rows lead astray on average.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .._fit.linear import LinearFit
from ._parts import FixedPart
from ._rows import FitRows


def residual_variance(
    data: FitRows,
    part: FixedPart,
    target: np.ndarray,
    fit: Callable[[np.ndarray, np.ndarray | None], LinearFit],
    rng: np.random.RandomState,
) -> float:
    """``sigma^2`` without the variance of the fixed part; ``fit`` is of an offset and responses."""
    first, second = part.of_halves(target, data.training.weights, rng)
    difference = (first - second) / 2.0
    of_mean = fit((first + second) / 2.0, None).sigma2
    if np.ptp(difference) <= np.finfo(float).eps * np.max(np.abs(first)):
        return float(of_mean)
    return float(of_mean - fit(np.zeros(len(difference)), difference).sigma2)
