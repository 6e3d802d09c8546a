"""Effects of levels that borrow nothing from each other, and lines along a column."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from .._data.tables import some_rows
from .._fit.model import FittedModel
from ..inference._margins.tables import plain_table

MOST_ROWS = 200  # of a level that its line is averaged over
MOST_PLACES = 200_000  # rows that are predicted for all lines
FEWEST_ROWS = 10  # of a level, of many
GRID = 25  # values along a line
COARSE_GRID = 13  # of many
FEW = 12  # levels that have a fine one
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
    own = [np.flatnonzero(codes[f] == j) for j in levels]
    levels_alone = Separate(model, rows, codes, f)
    found = Curves(model, f, column, own, [_grid(x, rows_of, len(own)) for rows_of in own])
    curves = found.of([levels_alone.effects(rows_of) for rows_of in own])
    drawn = [
        (names[j], line, grid, values[k])
        for k, (j, grid) in enumerate(zip(levels, found.grids, strict=True))
        for line, values in curves.items()
        if np.all(np.isfinite(values[k]))
    ]
    every = np.sort(np.concatenate(own))
    typical = Curves(model, f, column, [every], [_grid(x, every, 1)])
    drawn.append((None, "typical", typical.grids[0], typical.of([None])["population"][0]))
    return Lines(_rows(names, levels, own, x, model.training.y), _lines(drawn))


def _rows(names, levels, own, x, y):
    places = np.concatenate(own)
    labels = _repeated([names[j] for j in levels], [len(rows_of) for rows_of in own])
    return pd.DataFrame({"level": labels, "x": x[places], "y": y[places]})


def _lines(drawn):
    """Tuples of a level, a line, x and y as a table."""
    levels, lines, x, y = zip(*drawn, strict=True)
    sizes = [len(grid) for grid in x]
    return pd.DataFrame(
        {
            "level": _repeated(levels, sizes),
            "line": np.repeat(np.array(lines, dtype=object), sizes),
            "x": np.concatenate(x),
            "y": np.concatenate(y),
        }
    )


def _repeated(labels, sizes):
    """Labels of any type, each so often."""
    found = np.empty(len(labels), dtype=object)
    found[:] = labels
    return pd.Series(np.repeat(found, sizes)).infer_objects()


def _grid(x, own, n_levels):
    """Values along the column for some rows, within those of all."""
    low, high = np.min(x), np.max(x)
    beyond = MARGIN * (high - low)
    ends = max(low, x[own].min() - beyond), min(high, x[own].max() + beyond)
    return np.linspace(*ends, GRID if n_levels <= FEW else COARSE_GRID)


class Curves:
    """Means of the predictions of the rows of each level with a column changed, all in one table.

    Attributes
    ----------
    grids : per level the values of the column
    """

    def __init__(self, model: FittedModel, f: int, column, own, grids):
        self.model = model
        self.f = f
        self.grids = grids
        most = MOST_PLACES // (len(own) * len(grids[0]))
        some = [_spread(rows, int(np.clip(most, FEWEST_ROWS, MOST_ROWS))) for rows in own]
        pairs = list(zip(some, grids, strict=True))
        places = np.concatenate([np.repeat(rows, len(grid)) for rows, grid in pairs])
        values = np.concatenate([np.tile(grid, len(rows)) for rows, grid in pairs])
        self.ends = np.cumsum([len(rows) * len(grid) for rows, grid in pairs])
        given = model.training.given
        table = plain_table(some_rows(given.X, places)).changed({column: values})
        groups = None if given.groups is None else some_rows(given.groups, places)
        self.rows = model.reader.read(table.X, groups)
        self.codes = model.reader.codes(self.rows)

    def of(self, separate) -> dict[str, list]:
        """By line a curve per level; NaN where the level has no effects of its own."""
        typical = self.model.predictor(self.rows, _typical(self.codes, self.f))
        Z = self.model.predictor.varying(self.rows, self.f)
        unknown = np.full(Z.shape[1], np.nan)
        b = np.array([unknown if effects is None else effects for effects in separate])
        sizes = np.diff(self.ends, prepend=0)
        etas = {
            "population": typical,
            "group": self.model.predictor(self.rows, self.codes),
            "separate": typical + np.sum(Z * np.repeat(b, sizes, axis=0), axis=1),
        }
        return {line: self._means(self.model.fit.family.mean(eta)) for line, eta in etas.items()}

    def _means(self, values):
        parts = np.split(values, self.ends[:-1])
        return [
            part.reshape(-1, len(grid)).mean(axis=0)
            for part, grid in zip(parts, self.grids, strict=True)
        ]


def _spread(rows, most):
    return rows[np.unique(np.linspace(0, len(rows) - 1, min(len(rows), most)).astype(int))]


def _typical(codes, f):
    """The levels of one factor count as new."""
    return [np.full(len(c), -1) if k == f else c for k, c in enumerate(codes)]


class Separate:
    """Effects of single levels from their own rows alone, fixed effects as estimated.

    Maximum likelihood in b of the rows given the coefficients: what the conditional modes become as
    the variances of the effects grow.
    """

    def __init__(self, model: FittedModel, rows, codes, f: int):
        self.training = model.training
        self.family = model.fit.family
        self.Z = model.predictor.varying(rows, f)
        self.offset = model.predictor(rows, _typical(codes, f))

    def effects(self, own) -> np.ndarray | None:
        """Of a level by its rows; None where these do not determine them."""
        Z = self.Z[own]
        if np.linalg.matrix_rank(Z) < Z.shape[1]:
            return None
        weights = self.training.weights
        weights = np.ones(len(own)) if weights is None else weights[own]
        maximise = MAXIMA[self.family.has_residual]
        return maximise(self.family, Z, self.training.y[own], self.offset[own], weights)


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
