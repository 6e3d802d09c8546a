"""Rows of pupils for linear and for logistic models: the same columns, a number or a label as response."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.special import expit

from skmixed import MixedLogisticClassifier


def response(kind, eta, rng):
    """Zeros and ones with log-odds ``eta``, or ``eta`` and noise of variance one."""
    if kind is MixedLogisticClassifier:
        return (rng.random(len(eta)) < expit(eta)).astype(int)
    return eta + rng.normal(0, 1, len(eta))


def schools_and_towns(kind):
    """Two crossed factors, one with text and one with whole numbers, and a slope."""
    rng = np.random.default_rng(1)
    n = 400 if kind is MixedLogisticClassifier else 240
    school, town = rng.integers(0, 20, n), rng.integers(0, 8, n)
    table = pd.DataFrame({"age": rng.uniform(6, 16, n), "hours": rng.exponential(2.0, n)})
    eta = 0.4 * (table["age"] - 11) + rng.normal(0, 1, 20)[school] + rng.normal(0, 0.7, 8)[town]
    eta += 0.3 * rng.normal(0, 1, 20)[school] * (table["age"] - 11)
    table["school"], table["town"] = [f"school {c}" for c in school], town
    return table, response(kind, eta.to_numpy(), rng)


def pupils(kind):
    """Thirty schools that differ in level and in the slope of age; one text column besides the school."""
    rng = np.random.default_rng(0)
    is_logistic = kind is MixedLogisticClassifier
    code = rng.permutation(np.repeat(np.arange(30), 24 if is_logistic else 12))
    n = len(code)
    table = pd.DataFrame(
        {
            "age": rng.uniform(6, 16, n),
            "hours": rng.exponential(2.0, n),
            "track": rng.choice(["arts", "science", "sports"], n),
            "school": [f"school {c}" for c in code],
        },
        index=rng.permutation(n) + 1000,
    )
    spread = (2.0, 0.5) if is_logistic else (3.0, 0.6)
    level, slope = rng.normal(0, spread[0], 30), rng.normal(0, spread[1], 30)
    eta = 0.4 * (table["hours"] - 2) + (table["track"] == "arts") + level[code]
    eta += ((0.2 if is_logistic else 0.5) + slope[code]) * (table["age"] - 11)
    y = response(kind, eta.to_numpy(), rng)
    if is_logistic:
        y = np.where(y == 1, "pass", "fail")
    return table, pd.Series(y, index=table.index, name="outcome" if is_logistic else "mark")
