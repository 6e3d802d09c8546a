"""Numbers so large or so small that their squares leave the floating-point range."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

LARGEST = 1e152  # squares, a few hundred times larger still, are numbers
MOST_OBSERVATIONS = 1e100
LOOKED_AT = 100_000  # rows at most


def check_sizes(
    names: Sequence[str], X: np.ndarray, y: np.ndarray, weights: np.ndarray | None
) -> None:
    """Raise for columns, responses and weights of which variances can't be computed.

    Raises
    ------
    ValueError
        With the name of the column.
    """
    rows = slice(None, None, -(-len(X) // LOOKED_AT) or 1)
    for name, size in zip(names, _sizes(X[rows]), strict=True):
        _check(f"X: column {name!r}", size)
    _check("y", _sizes(y[rows, None])[0])
    if weights is not None and not np.sum(weights) < MOST_OBSERVATIONS:
        raise ValueError(
            f"sample_weight: its sum is {np.sum(weights):.3g}, which is no number of "
            "observations.\nWeights count repetitions of rows; divide them by a constant."
        )


def _sizes(X):
    if X.shape[0] == 0:
        return np.zeros(X.shape[1])
    return np.maximum(np.max(X, axis=0), -np.min(X, axis=0))


def _check(what, size):
    if size > LARGEST or 0 < size < 1.0 / LARGEST:
        raise ValueError(
            f"{what} holds numbers of the size of {size:.3g}, whose variance is beyond "
            "floating-point numbers.\nMeasure it in another unit: multiply it by a power of ten."
        )
