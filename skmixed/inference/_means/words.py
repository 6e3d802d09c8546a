"""What a table of means says of itself, and of the means that are not there."""

from __future__ import annotations

from collections.abc import Hashable

import numpy as np

from ..._fit.kinds import Kind
from .._contrasts.quantities import Quantities, dependency_words
from .grid import Grid
from .weights import WEIGHTS

MOST_NAMED = 5  # columns, or cells
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
    grid: Grid, shares: np.ndarray, counts: np.ndarray, quantities: Quantities
) -> list[str]:
    """Per mean why the data do not determine it: combinations that no row has, or else the
    dependencies that it breaks.
    """
    by_columns = dependency_words(quantities.model, quantities.estimates)
    reasons = []
    for k, determined in enumerate(quantities.determined):
        if not np.any(shares[k]):
            reasons.append(f"no row has {_cell(grid, k, None)}")
            continue
        empty = np.flatnonzero((shares[k] > 0) & (counts[k] == 0)) if not determined else []
        named = [_cell(grid, k, j) for j in empty[:MOST_NAMED]]
        more = [f"{len(empty) - MOST_NAMED} more"] if len(empty) > MOST_NAMED else []
        cells = f"no row has {'; '.join([*named, *more])}" if named else by_columns[k]
        reasons.append("" if determined else cells)
    return reasons


def _cell(grid, mean, combination):
    """The levels of the factors with frequencies at a place of the grid."""
    found = list(zip(grid.shown, grid.places(grid.shown, grid.n_means)[:, mean], strict=True))
    if combination is not None:
        places = grid.places(grid.averaged, grid.n_averaged)[:, combination]
        found += list(zip(grid.averaged, places, strict=True))
    return ", ".join(f"{f.name} = {f.levels[place]}" for f, place in found if f.is_counted)
