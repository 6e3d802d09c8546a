"""Figures of a table as they are printed: as many decimals as their standard errors are worth."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import pandas as pd

UNITS = ("estimate", "std_error", "ci_low", "ci_high")  # in the units of what is estimated
MOST_DECIMALS = 10
SMALLEST_P = 1e-4  # that is printed in decimals


def formatters(table: pd.DataFrame) -> dict[str, Callable[[float], str]]:
    """What makes text of the figures, by column."""
    decimals = _decimals(table["std_error"].to_numpy(dtype=float))
    made: dict[str, Callable[[float], str]] = dict.fromkeys(UNITS, partial(_fixed, decimals))
    made |= {"df": partial(_fixed, 1), "t": partial(_fixed, 2), "z": partial(_fixed, 2)}
    made["p_value"] = _probability
    return {name: function for name, function in made.items() if name in table}


def _decimals(errors):
    """Three digits of the least standard error."""
    errors = errors[np.isfinite(errors) & (errors > 0)]
    if not len(errors):
        return 4
    return int(np.clip(2 - np.floor(np.log10(np.min(errors))), 0, MOST_DECIMALS))


def _fixed(decimals, value):
    return "NaN" if np.isnan(value) else f"{value:.{decimals}f}"


def _probability(value):
    if np.isnan(value):
        return "NaN"
    return f"{value:.4f}" if value >= SMALLEST_P or value == 0.0 else f"{value:.1e}"
