"""Levels that are recorded in another unit."""

from __future__ import annotations

import numpy as np

from ..examination import Examination, Factor
from ..signs import PROBLEM, Sign, Signs, level_name

FEWEST_LEVELS = 5
FEWEST_ROWS = 5
OTHER = np.log(1.5)  # of a factor between units
FAR = 6.0  # robust deviations of the mean from those of other levels
SPREAD_FAR = 2.0  # the same of the spread, which is known less well
ALONE = 2.3  # times as far as any level that is not odd
AGREE = 3.0  # standard errors by which the two factors may differ
FEW = 0.1  # share of the levels that may be in another unit
ROUNDED = 0.05  # and besides
UNITS = {
    "inches and centimetres": 2.54,
    "pounds and kilograms": 2.2046,
    "miles and kilometres": 1.6093,
    "feet and metres": 3.2808,
    "ten": 10.0,
    "a hundred": 100.0,
    "a thousand": 1000.0,
    "minutes and hours": 60.0,
    "months and years": 12.0,
    "weeks and days": 7.0,
    "days and hours": 24.0,
}


def wrong_unit_level(exam: Examination) -> Signs:
    """Levels whose mean and spread are off by the same factor."""
    columns = [(c.name, c.values) for c in exam.columns if not c.is_binary]
    if exam.is_linear:
        columns.append((exam.response, exam.y))
    for factor in exam.factors:
        for name, values in columns:
            for level, ratio in _odd(factor, values):
                yield Sign(
                    level_name(factor.name, factor.labels[level]),
                    f"Mean and standard deviation of {name} are {ratio:.3g} times those of other "
                    f"levels{_unit(ratio)}.",
                    PROBLEM,
                    f"Check the unit of {name} there, and convert it.",
                )


def _unit(ratio):
    """The conversion that it looks like, in brackets."""
    size = max(ratio, 1.0 / ratio)
    name, factor = min(UNITS.items(), key=lambda unit: abs(np.log(unit[1] / size)))
    return f" (as between {name})" if abs(np.log(factor / size)) < 0.08 else ""


def _odd(factor: Factor, values: np.ndarray) -> list[tuple[int, float]]:
    """Levels in another unit, and the ratio to the others."""
    values = values if np.median(values) > 0 else -values
    sizes = factor.sizes
    means = factor.means(values)
    deviations = np.sqrt(factor.sums(factor.within(values) ** 2) / np.maximum(sizes - 1, 1))
    own = np.flatnonzero((sizes >= FEWEST_ROWS) & (deviations > 0) & (means > 0))
    if np.min(values) < 0 or len(own) < max(FEWEST_LEVELS, 0.8 * factor.n_levels):
        return []
    ratios = _ratios(means[own], deviations[own], sizes[own])
    return [(int(own[k]), ratio) for k, ratio in ratios.items()]


def _ratios(means, deviations, sizes):
    """Levels whose means and deviations are off by the same factor, with it; none for many."""
    error = np.sqrt(0.5 / (sizes - 1.0))
    shift = _Distances(np.log(means), np.median(deviations / means) / np.sqrt(sizes))
    spread = _Distances(np.log(deviations), error)
    is_odd = shift.beyond(FAR, OTHER) & spread.beyond(SPREAD_FAR, OTHER / 2.0)
    is_odd &= np.abs(shift.sizes - spread.sizes) < AGREE * error + ROUNDED
    others = np.max(np.abs(shift.sizes[~is_odd]), initial=0.0)
    is_odd &= np.abs(shift.sizes) > ALONE * others
    are_few = is_odd.sum() <= max(1, FEW * len(means))
    return {k: float(np.exp(shift.sizes[k])) for k in np.flatnonzero(is_odd & are_few)}


class _Distances:
    """From the median, and the same in deviations: robust ones, and errors of each."""

    def __init__(self, values, errors):
        self.sizes = values - np.median(values)
        robust = 1.4826 * np.median(np.abs(self.sizes))
        own = max(robust**2 - np.median(errors**2), 0.0)  # beside the errors
        self.scaled = np.abs(self.sizes) / np.sqrt(own + errors**2)

    def beyond(self, far, large):
        """Which are large, and far from the others."""
        return (self.scaled > far) & (np.abs(self.sizes) > large)
