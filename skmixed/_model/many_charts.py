"""Charts around several covariances at a time: those of :mod:`skmixed._model.structures` in one
array each.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from .._algebra.packed import lower_triangle

TINY = np.finfo(float).tiny
RANK = 1e-14  # of the trace, below which a pivot is none


class Charts(NamedTuple):
    """As :class:`~skmixed._model.charts.Chart`, of b points.

    Attributes
    ----------
    derivatives : (b, k, q, q)
    second : (b, q, q) -> (b, k, k)
    move : (b, k) -> (b, q, q)
    radius : (b,)
    """

    derivatives: np.ndarray
    second: Callable[[np.ndarray], np.ndarray]
    move: Callable[[np.ndarray], np.ndarray]
    radius: np.ndarray


def root_charts(T: np.ndarray) -> Charts:
    """In the entries of the pivoted roots of (b, q, q) matrices."""
    root, order = pivoted_roots(T)
    a, cols = lower_triangle(T.shape[1])
    rows = order[:, a]
    sizes = np.sqrt(np.maximum(np.einsum("bii->bi", T), 1.0))
    units = np.take_along_axis(sizes, rows, axis=1)
    own = np.arange(len(T))[:, None]
    half = np.zeros((*rows.shape, *T.shape[1:]))
    half[own, np.arange(len(cols)), rows] = units[:, :, None] * root.transpose(0, 2, 1)[:, cols]

    def second(D):
        shared = D[own[:, :, None], rows[:, :, None], rows[:, None]] * (cols[:, None] == cols)
        return 2.0 * units[:, :, None] * units[:, None] * shared

    def move(step):
        moved = root.copy()
        moved[own, rows, cols] += units * step
        return moved @ moved.transpose(0, 2, 1)

    radius = np.linalg.norm((root / sizes[:, :, None]).reshape(len(T), -1), axis=1)
    return Charts(half + half.transpose(0, 1, 3, 2), second, move, radius)


def pivoted_roots(T: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """:func:`~skmixed._algebra.roots.pivoted_root` of (b, q, q) matrices: roots, and orders."""
    count, q, _ = T.shape
    own = np.arange(count)
    rest = T.copy()
    left = np.einsum("bii->bi", T).copy()
    cutoff = RANK * np.maximum(left.sum(axis=1), TINY)
    root = np.zeros_like(T)
    order = np.empty((count, q), dtype=int)
    for k in range(q):
        pivot = np.argmax(left, axis=1)
        order[:, k] = pivot
        size = left[own, pivot]
        used = size > cutoff
        column = rest[own, :, pivot] / np.sqrt(np.where(used, size, 1.0))[:, None]
        column[own[:, None], order[:, :k]] = 0.0
        column[~used] = 0.0
        root[:, :, k] = column
        rest -= column[:, :, None] * column[:, None]
        left = np.einsum("bii->bi", rest).copy()
        left[own[:, None], order[:, : k + 1]] = -np.inf
    return root, order


def spectral_charts(T: np.ndarray, projections: np.ndarray) -> Charts:
    """In the roots of the variances of orthogonal projections."""
    ranks = np.einsum("kii->k", projections)
    variances = np.einsum("kij,bij->bk", projections, T) / ranks
    root = np.sqrt(np.maximum(variances, 0.0))
    units = np.maximum(root, 1.0)

    def second(D):
        bend = 2.0 * units**2 * np.einsum("kij,bij->bk", projections, D)
        return bend[:, :, None] * np.eye(bend.shape[1])

    def move(step):
        return np.einsum("bk,kij->bij", (root + units * step) ** 2, projections)

    derivatives = 2.0 * (units * root)[:, :, None, None] * projections
    return Charts(derivatives, second, move, np.linalg.norm(root / units, axis=1))


def joined_charts(windows: Sequence[slice], charts: Sequence[Charts], shape: tuple) -> Charts:
    """Of blocks on the diagonal of matrices of a shape (b, q, q)."""
    ends = np.cumsum([0] + [own.derivatives.shape[1] for own in charts])
    parts = [slice(lo, hi) for lo, hi in pairwise(ends)]
    derivatives = np.zeros((shape[0], ends[-1], *shape[1:]))
    for window, part, own in zip(windows, parts, charts, strict=True):
        derivatives[:, part, window, window] = own.derivatives

    def second(D):
        out = np.zeros((shape[0], ends[-1], ends[-1]))
        for window, part, own in zip(windows, parts, charts, strict=True):
            out[:, part, part] = own.second(D[:, window, window])
        return out

    def move(step):
        out = np.zeros(shape)
        for window, part, own in zip(windows, parts, charts, strict=True):
            out[:, window, window] = own.move(step[:, part])
        return out

    radius = np.linalg.norm([own.radius for own in charts], axis=0)
    return Charts(derivatives, second, move, radius)
