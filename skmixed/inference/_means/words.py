"""What a table of means says of itself, and of the means that are not there."""

from __future__ import annotations

from collections.abc import Hashable

import numpy as np

from ..._fit.kinds import Kind
from .._contrasts.quantities import Quantities, dependency_words
from .grid import Grid
from .weights import WEIGHTS

MOST_NAMED = 5  # columns, or cells
MOST_LOOKED_AT = 50  # combinations
EFFECTS = {
    "marginal": "integrated over the random effects",
    "population": "at random effects of zero",
    "conditional": "at the effects of known levels, integrated over the others",
}


def notes_of(
    grid: Grid, weights: str, q: Quantities, slopes: Hashable | None, kind: Kind, on_link: bool
) -> tuple[str, ...]:
    """Sentences below the table."""
    found = []
    if slopes is not None:
        found.append(f"Slopes of {slopes}.")
    if q.model.fit.family.is_curved:
        found.append(_scale(q.model, kind, on_link, slopes))
    if grid.averaged:
        names = ", ".join(str(f.name) for f in grid.averaged)
        found.append(f"Averaged {WEIGHTS[weights].words} over {names}.")
    if held := _held(grid):
        found.append(f"At {held}.")
    if shares := [str(name) for name in grid.shares if name in grid.means]:
        found.append(
            f"{', '.join(shares)}: at their shares, no row has two ones; as levels "
            "of one variable they are terms={'name': [...]}."
        )
    if q.errors.words:
        found.append(q.errors.words)
    return tuple(found)


def _scale(model, kind, on_link, slopes):
    event = model.names.event or "the second class"
    what = f"{model.names.response} = {event}" if model.names.event else event
    if on_link:
        return f"Log-odds of {what}, {EFFECTS[kind if kind == 'conditional' else 'population']}."
    tests = "" if slopes is not None else "; tests of one half and limits on the log-odds"
    return f"Probabilities of {what}, {EFFECTS[kind]}{tests}."


def _held(grid):
    """Where the numbers are."""
    own = [name for name in grid.fixed if name in grid.data.used]
    shown = [name for name in own if name not in grid.shares]
    means = set(grid.means)
    words = [
        f"{name} = {_number(grid.fixed[name])}{' (mean)' if name in means else ''}"
        for name in shown[:MOST_NAMED]
    ]
    more = len(shown) - MOST_NAMED
    return ", ".join(words) + (f" and {more} more" if more > 0 else "")


def _number(value):
    return f"{value:.5g}" if isinstance(value, float | np.floating) else str(value)


def empty_cells(
    grid: Grid, shares: np.ndarray, broken: np.ndarray, quantities: Quantities
) -> list[str]:
    """Per mean why the data do not determine it: combinations that no row has, or else the
    dependencies that it breaks.

    ``broken`` says which rows of the grid break one, (means, combinations).
    """
    by_columns = dependency_words(quantities.model, quantities.estimates)
    reasons = []
    for k, determined in enumerate(quantities.determined):
        lost = np.flatnonzero((shares[k] > 0) & broken[k])
        if not np.any(shares[k]):
            lost = np.arange(grid.n_averaged)
        elif determined:
            lost = lost[:0]
        cells = dict.fromkeys(_cell(grid, k, j) for j in lost[:MOST_LOOKED_AT])
        named = [cell for cell in cells if cell][:MOST_NAMED]
        rest = "" if determined else by_columns[k]
        reasons.append(f"no row has {'; '.join(named)}" if named else rest)
    return reasons


def _cell(grid, mean, combination):
    """The levels of a place of the grid that no row has together, as few as possible; nothing where
    there are such rows.
    """
    own = zip(grid.shown, grid.places(grid.shown, grid.n_means)[:, mean], strict=True)
    places = grid.places(grid.averaged, grid.n_averaged)[:, combination]
    found = [*own, *zip(grid.averaged, places, strict=True)]
    counted = [(factor, place) for factor, place in found if factor.is_counted]
    if not counted or _has_rows(counted):
        return ""
    return ", ".join(f"{f.name} = {_number(f.levels[place])}" for f, place in _fewest(counted))


def _fewest(counted):
    """Without the levels that need not be told."""
    for pair in reversed(counted):
        fewer = [other for other in counted if other is not pair]
        if fewer and not _has_rows(fewer):
            counted = fewer
    return counted


def _has_rows(counted):
    """Whether a row has all of some levels."""
    return bool(np.any(np.all([f.codes == place for f, place in counted], axis=0)))
