"""Estimates, tests and limits as columns."""

from __future__ import annotations

import numpy as np

from .adjustments import ADJUSTMENTS, Family
from .quantities import Quantities

Families = list[tuple[np.ndarray, Family]]  # places of the rows of each


def alone(n: int) -> Families:
    """One family of rows that are not corrected for each other."""
    return [(np.arange(n), Family(n, n, False))]


def tested_columns(
    q: Quantities, level: float, adjust: str, families: Families
) -> dict[str, np.ndarray]:
    """By name; NaN for what the data do not determine."""
    known = q.determined
    values = np.where(known, q.estimates.values, np.nan)
    errors = np.where(known, q.errors.std_errors(q.estimates), np.nan)
    df = np.where(known, q.errors.df(q.estimates), np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.where(errors > 0, values / errors, np.nan)
    p, critical = _adjusted(t, df, level, adjust, families)
    half = np.where(errors > 0, critical * errors, errors)
    return {
        "estimate": q.view.value(values),
        "std_error": np.abs(q.view.slope(values)) * errors,
        "df": df,
        "t": t,
        "p_value": p,
        "ci_low": q.view.value(values - half),
        "ci_high": q.view.value(values + half),
    }


def _adjusted(t, df, level, adjust, families):
    """p-values, and how many standard errors the limits are away."""
    p, critical = np.full((2, len(t)), np.nan)
    rule = ADJUSTMENTS[adjust]
    for places, family in families:
        own = places[np.isfinite(t[places])]
        if len(own):
            p[own] = rule.p_values(t[own], df[own], family)
            critical[own] = rule.critical(level, df[own], family)
    return p, critical
