"""Effects of levels that borrow nothing from each other, and lines along a column."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from .._data.tables import some_rows
from .._fit.model import FittedModel
from ..inference._margins.tables import plain_table

MOST_ROWS = 200  # of a level that its line is averaged over
GRID = 25  # values along a line
MARGIN = 0.06  # of the range of all rows, by which a line is longer than its own
STEPS = 25  # of Newton's method
FARTHEST = 15.0  # log-odds from the population's, beyond which an estimate has none


class Lines(NamedTuple):
    """Rows of some levels, ``level, x, y``, and lines, ``level, line, x, y``.

    The line "typical" is of no level: the population's over the rows of all of them.
    """

    rows: pd.DataFrame
    lines: pd.DataFrame


def lines_of(model: FittedModel, f: int, column, x, levels) -> Lines:
    """Of levels by their positions, along a column whose values are x.

    A line is the mean of the predictions of the rows of its level with the column changed; effects
    of other factors stay.  It goes a little beyond the values of its rows.
    """
    rows, codes = model.training.read()
    names = model.names.levels[f]
    of_rows, of_lines = [], []
    for j in levels:
        own = np.flatnonzero(codes[f] == j)
        of_rows.append(_table(names[j], x[own], model.training.y[own]))
        grid = _grid(x, own)
        b = separate_effects(model, rows, codes, f, own)
        curves = _curves(model, f, column, own, grid, b)
        of_lines += [_table(names[j], grid, y, line=line) for line, y in curves.items()]
    own = np.flatnonzero(np.isin(codes[f], levels))
    y = _curves(model, f, column, own, grid := _grid(x, own), None)["population"]
    of_lines.append(_table(None, grid, y, line="typical"))
    return Lines(pd.concat(of_rows, ignore_index=True), pd.concat(of_lines, ignore_index=True))


def _table(level, x, y, **others):
    return pd.DataFrame({"level": level, **others, "x": x, "y": y})


def _grid(x, own):
    """Values along the column for some rows, within those of all."""
    low, high = np.min(x), np.max(x)
    beyond = MARGIN * (high - low)
    return np.linspace(max(low, x[own].min() - beyond), min(high, x[own].max() + beyond), GRID)


def _curves(model, f, column, own, grid, separate):
    """Means over the rows of one level."""
    some = own[np.unique(np.linspace(0, len(own) - 1, min(len(own), MOST_ROWS)).astype(int))]
    places = np.repeat(some, len(grid))
    given = model.training.given
    table = plain_table(some_rows(given.X, places)).changed({column: np.tile(grid, len(some))})
    groups = None if given.groups is None else some_rows(given.groups, places)
    rows = model.reader.read(table.X, groups)
    codes = model.reader.codes(rows)
    typical = model.predictor(rows, _typical(codes, f))
    etas = {"population": typical, "group": model.predictor(rows, codes)}
    if separate is not None:
        etas["separate"] = typical + model.predictor.varying(rows, f) @ separate
    mean = model.fit.family.mean
    return {line: mean(eta).reshape(len(some), -1).mean(axis=0) for line, eta in etas.items()}


def _typical(codes, f):
    """The levels of one factor count as new."""
    return [np.full(len(c), -1) if k == f else c for k, c in enumerate(codes)]


def separate_effects(model: FittedModel, rows, codes, f: int, own) -> np.ndarray | None:
    """Effects of one level from its own rows alone, fixed effects as estimated; None where the rows
    do not determine them.

    Maximum likelihood in b of the rows given the coefficients: what the conditional modes become as
    the variances of the effects grow.
    """
    Z = model.predictor.varying(rows, f)[own]
    if np.linalg.matrix_rank(Z) < Z.shape[1]:
        return None
    offset = model.predictor(rows, _typical(codes, f))[own]
    training = model.training
    weights = np.ones(len(own)) if training.weights is None else training.weights[own]
    maximise = MAXIMA[model.fit.family.has_residual]
    return maximise(model.fit.family, Z, training.y[own], offset, weights)


def _least_squares(family, Z, y, offset, weights):
    root = np.sqrt(weights)
    return np.linalg.lstsq(root[:, None] * Z, root * (y - offset), rcond=None)[0]


def _newton(family, Z, y, offset, weights):
    """None where the outcomes are separated, so that there is no finite estimate."""
    b = np.zeros(Z.shape[1])
    for _ in range(STEPS):
        at = family.at(offset + Z @ b, y, weights)
        information = Z.T @ (at.weight[:, None] * Z)
        step = np.linalg.lstsq(information, Z.T @ at.score, rcond=None)[0]
        b = b + step
        if np.max(np.abs(Z @ b)) > FARTHEST:
            return None
    return b


#: by whether there is a residual variance
MAXIMA = {True: _least_squares, False: _newton}
