"""What a likelihood without a maximum would send to infinity."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .._model.separation import separating_columns

SUSPICIOUS = 12.0  # log-odds beyond which separation is looked for
DIVERGED = (
    225.0  # variance of the log-odds: typical levels differ by a factor of e^15 in their odds
)


class Unbounded(NamedTuple):
    """What a likelihood without a maximum would send to infinity."""

    columns: list  # positions of the fixed effects that separate the outcomes
    homogeneous: list  # factors each of whose levels has one outcome only
    diverged: list  # other factors with a variance beyond belief


def infinite_estimates(fit, X, y, intercept, codes):
    """Look for what has no finite estimate.

    For a separating direction only where predictions are extreme.
    """
    extreme = max(np.max(np.abs(block.point.eta)) for block in fit.state.blocks) > SUSPICIOUS
    columns = separating_columns(X, y, intercept) if extreme or not fit.optimum.converged else []
    homogeneous = [f for f, code in enumerate(codes) if _is_homogeneous(code, y, fit.n)]
    large = {
        b.factor
        for b, T in zip(fit.model.blocks, fit.T, strict=True)
        if np.max(np.diag(T)) > DIVERGED
    }
    return Unbounded(columns, homogeneous, sorted(large - set(homogeneous)))


def _is_homogeneous(codes, y, n):
    """Whether every level has one outcome only, and some level more than one of the n
    observations."""
    counts = np.bincount(codes)
    ones = np.bincount(codes, y)
    return bool(1 < len(counts) < n and np.all((ones == 0) | (ones == counts)))
