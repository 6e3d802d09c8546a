"""Which random effects are correlated, as ``fit(free=...)`` says it."""

from __future__ import annotations

from typing import Any

import numpy as np


def blocks_of(free: Any, k_fe: int, k_re: int, k_vc: int) -> list[list[int]]:
    """Columns of ``exog_re`` in blocks, covariances between which are zero.

    ``free`` is a MixedLMParams, ours or statsmodels', with ones for what is estimated.
    """
    if free is None:
        return [list(range(k_re))] if k_re else []
    given = {
        "fe_params": (free.fe_params, (k_fe,)),
        "cov_re": (free.cov_re, (k_re, k_re)),
        "vcomp": (free.vcomp, (k_vc,)),
    }
    for name, (values, shape) in given.items():
        if np.shape(values) != shape:
            raise ValueError(
                f"free.{name}: expected shape {shape}, got {np.shape(values)}.\n"
                "Make it by MixedLMParams.from_components with a one for every parameter."
            )
    pattern = np.asarray(free.cov_re) != 0
    blocks = _connected(pattern)
    is_whole = all(np.all(pattern[np.ix_(block, block)]) for block in blocks)
    if not (np.all(free.fe_params) and np.all(free.vcomp) and is_whole):
        raise NotImplementedError(
            "free: only covariances between blocks of random effects can be held, at zero.\n"
            "Give cov_re ones within blocks and zeros between them, ones on its diagonal, and ones "
            "for all fixed effects and variance components."
        )
    return blocks


def _connected(pattern):
    """Sets of columns that are joined by entries of a symmetric pattern."""
    joined = pattern | pattern.T | np.eye(len(pattern), dtype=bool)
    for _ in range(len(pattern)):
        joined = joined @ joined
    return [list(map(int, rows)) for rows in dict.fromkeys(map(tuple, map(np.flatnonzero, joined)))]
