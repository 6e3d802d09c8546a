"""How the combinations that a mean averages over are weighted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from typing import NamedTuple

import numpy as np

from .factors import Factor
from .grid import Grid


class Weighting(NamedTuple):
    """Weights (means, combinations), and what they are in words."""

    of: Callable[[Grid], np.ndarray]
    words: str


def _equal(grid):
    return np.full((grid.n_means, grid.n_averaged), 1.0 / grid.n_averaged)


def _proportional(grid):
    return _same_for_all(grid, _frequencies(grid, grid.averaged))


def _outer(grid):
    each = [_frequencies(grid, [factor]) for factor in grid.averaged]
    return _same_for_all(grid, reduce(np.multiply.outer, each, np.ones(())).ravel())


def _cells(grid):
    counts = cell_counts(grid)
    with np.errstate(invalid="ignore"):
        return np.nan_to_num(counts / counts.sum(axis=1, keepdims=True))


#: by the names that a user may give
WEIGHTS = {
    "equal": Weighting(_equal, "equally"),
    "proportional": Weighting(_proportional, "by the frequencies of their combinations"),
    "outer": Weighting(_outer, "by the products of their frequencies"),
    "cells": Weighting(_cells, "by the frequencies within each mean"),
}


def cell_counts(grid: Grid) -> np.ndarray:
    """Weights of the rows of every combination, (means, combinations).

    Values of numbers have no frequencies, and count all rows.
    """
    found = _frequencies(grid, grid.factors)
    return found.reshape(grid.n_means, grid.n_averaged)


def _same_for_all(grid, frequencies):
    total = np.sum(frequencies)
    shares = frequencies / total if total > 0 else np.zeros_like(frequencies)
    return np.tile(shares, (grid.n_means, 1))


def _frequencies(grid: Grid, factors: Sequence[Factor]) -> np.ndarray:
    """Of all combinations of some factors, the last varying fastest."""
    counted = [factor for factor in factors if factor.is_counted]
    sizes = tuple(len(factor.levels) for factor in counted)
    codes = np.array([factor.codes for factor in counted]).reshape(len(counted), len(grid.data))
    here = np.all(codes >= 0, axis=0)
    flat = (
        np.ravel_multi_index(tuple(codes[:, here]), sizes) if counted else np.zeros(here.sum(), int)
    )
    size = int(np.prod(sizes, dtype=float))
    found = np.bincount(flat, grid.data.weights[here], size).reshape(sizes)
    shape = [len(f.levels) if f.is_counted else 1 for f in factors]
    full = [len(f.levels) for f in factors]
    return np.broadcast_to(found.reshape(shape), full).ravel()
