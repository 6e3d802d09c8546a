"""Numbers so large or so small that their squares leave the floating-point range."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

LARGEST = 1e152  # squares, a few hundred times larger still, are numbers
SMALLEST = 1e-290  # mean square of a column in which some number is large enough
MOST_OBSERVATIONS = 1e100
LOOKED_AT = 100_000  # rows at most


@np.errstate(over="ignore")
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
    for name, column in zip(names, X[rows].T, strict=True):
        if not _is_moderate(column):
            _check(f"X: column {name!r}", column)
    if not _is_moderate(y[rows]):
        _check("y", y[rows])
    if weights is not None and not np.sum(weights) < MOST_OBSERVATIONS:
        raise ValueError(
            f"sample_weight: its sum is {np.sum(weights):.3g}, which is no number of "
            "observations.\nWeights count repetitions of rows; divide them by a constant."
        )


def _is_moderate(column):
    """Whether the sum of its squares says that a column is neither too large nor too small."""
    squares = column @ column
    return len(column) * SMALLEST < squares < LARGEST


def _check(what, column):
    size = np.max(np.abs(column), initial=0.0)
    if size > LARGEST or 0 < size < 1.0 / LARGEST:
        raise ValueError(
            f"{what} holds numbers of the size of {size:.3g}, whose variance is beyond "
            "floating-point numbers.\nMeasure it in another unit: multiply it by a power of ten."
        )
