"""Lines of groups, shrunken towards the population's."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from numbers import Integral
from typing import Any, Self

import numpy as np
import pandas as pd

from .._data.checks import nearest
from .._data.columns import numbers
from .._fit.model import FittedModel
from .._fit.parts import in_memory, kept
from ..inference._arguments import fitted_model
from ..inference._margins.tables import known_columns, plain_table
from ._base import (
    BLUE,
    GREY,
    ORANGE,
    Display,
    as_drawn,
    factor_of,
    label_of,
    panels,
    response_label,
    short,
    thinned,
)
from ._separate import lines_of

__all__ = ["GroupLinesDisplay"]

MOST_PANELS = 12
FEW_ROWS = 100  # that show which columns there are
WORDS = {"population": "population", "separate": "no pooling", "group": "mixed model"}
STYLES = {
    "population": {"color": GREY, "ls": "--", "lw": 1.4},
    "separate": {"color": ORANGE, "ls": "-.", "lw": 1.4},
    "group": {"color": BLUE, "ls": "-", "lw": 2.0},
}
THIN = {"lw": 0.8, "alpha": 0.6, "ls": "-"}


class GroupLinesDisplay(Display):
    """Rows of some levels, their lines by the mixed model, those of their own rows alone, and the
    population's.

    The line of the mixed model lies between the other two, the nearer to the population's the less
    the rows of the level tell.  Each is the mean of the predictions of the rows of the level with
    the column changed.  "no pooling" estimates the random effects of the level from its own rows,
    without their distribution; levels whose rows do not determine them, for a classifier also those
    with separated outcomes, have no such line.

    Up to 12 levels have a panel each, in the order of their effects; more share one panel per line.

    Parameters
    ----------
    rows : DataFrame
        ``level, x, y``.
    lines : DataFrame
        ``level, line, x, y`` with line "group", "population" or "separate"; "typical" is the
        population's over the rows of all levels.
    labels : pair of str
        Of the horizontal and of the vertical axis.

    Attributes
    ----------
    ax_ : Axes, or ndarray of Axes
    figure_ : Figure
    artists_ : dict
        "rows", "group", "population" and "separate", a list each.

    Examples
    --------
    >>> from skmixed import MixedLinearRegressor
    >>> from skmixed.datasets import make_mixed_regression
    >>> from skmixed.displays import GroupLinesDisplay
    >>> X, y = make_mixed_regression(random_state=0)
    >>> model = MixedLinearRegressor(random_effects="(1 + x0 | group)").fit(X, y)
    >>> len(GroupLinesDisplay.from_estimator(model, "x0").ax_)
    12
    """

    def __init__(self, rows: pd.DataFrame, lines: pd.DataFrame, *, labels: tuple[str, str]):
        self.rows = rows
        self.lines = lines
        self.labels = labels

    @classmethod
    def from_estimator(
        cls,
        est: Any,
        column: Hashable,
        factor: str | None = None,
        levels: int | Sequence | None = None,
        *,
        ax: Any = None,
        **kwargs: Any,
    ) -> Self:
        """Draw the lines of levels along a column.

        Parameters
        ----------
        est : MixedLinearRegressor or MixedLogisticClassifier
            Fitted: its training rows are needed, or chunks that can be read again.
        column : column
            Of numbers.
        factor : str, default=None
            Grouping factor; the first one by default.
        levels : int or sequence, default=None
            Which levels, or how many, evenly spread in the order of their effects of the column
            (of the intercept, where there are none).  None: up to 12.
        ax : matplotlib Axes, default=None
            Where to draw.
        **kwargs
            Properties of the lines of the levels.

        Returns
        -------
        GroupLinesDisplay

        Raises
        ------
        ValueError
            For a model without random effects, and unknown columns, factors and levels.
        AttributeError
            Where the training rows are not kept, as in a pickled model.

        Notes
        -----
        The rows of a model of chunks are read again; those of the levels that are drawn are kept.

        Examples
        --------
        >>> from skmixed import MixedLinearRegressor
        >>> from skmixed.datasets import make_mixed_regression
        >>> from skmixed.displays import GroupLinesDisplay
        >>> X, y = make_mixed_regression(random_state=0)
        >>> model = MixedLinearRegressor(groups="group").fit(X, y)
        >>> display = GroupLinesDisplay.from_estimator(model, "x1", levels=[3, 5])
        >>> [ax.get_title() for ax in display.ax_]
        ['3', '5']
        """
        model = fitted_model(est)
        f = factor_of(model, cls.__name__, factor)
        model, chosen, name = _rows_and_levels(model, f, column, levels)
        x = plain_table(model.training.given.X).column(name)
        found = lines_of(model, f, name, np.asarray(numbers(name, x), dtype=np.float64), chosen)
        labels = (label_of(name), response_label(model))
        return cls(found.rows, found.lines, labels=labels).plot(ax, **kwargs)

    @property
    def levels(self) -> list:
        """Levels that are drawn."""
        return list(pd.unique(self.rows["level"]))

    @property
    def _columns(self):
        return min(len(self.levels), 4 if len(self.levels) > 6 else 3)

    @property
    def _size(self):
        if len(self.levels) > MOST_PANELS:
            return 9.6, 4.6
        rows = -(-len(self.levels) // self._columns)
        return max(2.4 * self._columns, 4.8), max(2.3 * rows + 0.7, 3.2)

    def _draw(self, ax, **kwargs):
        draw = self._draw_each if len(self.levels) <= MOST_PANELS else self._draw_together
        return draw(ax, kwargs)

    def _draw_each(self, ax, kwargs):
        """A panel per level."""
        axes = panels(ax, len(self.levels), self._columns, sharex=True, sharey=True)
        artists: dict[str, list] = {"rows": [], **{line: [] for line in STYLES}}
        for panel, level in zip(axes, self.levels, strict=True):
            artists["rows"].append(_scatter(panel, self.rows[self.rows["level"] == level], 12, 0.5))
            panel.set_title(short(level), fontsize=10)
            lines = self.lines[self.lines["level"] == level]
            for line, part in lines.groupby("line", sort=False):
                artists[line] += _plot(panel, part, line, kwargs if line == "group" else {})
        self._label(axes)
        _legend(axes, artists)
        return as_drawn(axes), artists

    def _label(self, axes):
        """The outer panels, those above an empty place too."""
        for panel in axes[:: self._columns]:
            panel.set_ylabel(self.labels[1])
        for panel in axes[-self._columns :]:
            panel.tick_params(labelbottom=True)
            panel.set_xlabel(self.labels[0])
        axes[0].locator_params(axis="x", nbins=5, steps=[1, 2, 5, 10])

    def _draw_together(self, ax, kwargs):
        """All levels on one panel per line, beside each other."""
        axes = panels(ax, 2, 2, sharex=True, sharey=True)
        artists: dict[str, list] = {"rows": [], **{line: [] for line in STYLES}}
        for panel, line in zip(axes, ("separate", "group"), strict=True):
            artists["rows"].append(_scatter(panel, self.rows, 6, 0.25))
            for _, part in self.lines[self.lines["line"] == line].groupby("level", sort=False):
                artists[line] += _plot(
                    panel, part, line, THIN | (kwargs if line == "group" else {})
                )
            typical = self.lines[self.lines["line"] == "typical"]
            artists["population"] += _plot(panel, typical, "population", {"color": "black"})
            panel.set(title=f"{len(self.levels)} levels, {WORDS[line]}", xlabel=self.labels[0])
        axes[0].set_ylabel(self.labels[1])
        axes[1].legend([artists["population"][-1]], [WORDS["population"]], loc="best")
        return as_drawn(axes), artists


def _scatter(ax, rows, size, alpha):
    return ax.scatter(rows["x"], rows["y"], color="black", s=size, alpha=alpha, linewidths=0)


def _plot(ax, part, line, style):
    return ax.plot(part["x"], part["y"], label=WORDS[line], **STYLES[line] | style)


def _legend(axes, artists):
    """Above all panels, where they have a figure that makes room; else in the first one."""
    shown = [artists[line][0] for line in STYLES if artists[line]]
    words = [artist.get_label() for artist in shown]
    figure = axes[0].figure
    if figure.get_constrained_layout() and len(figure.axes) <= len(axes) + 1:
        figure.legend(shown, words, loc="outside upper center", ncols=len(shown), frameon=False)
    else:
        axes[0].legend(shown, words, loc="best", fontsize=7)


def _rows_and_levels(model, f, column, levels):
    """The model with the rows that are drawn in memory, positions of levels, and the column."""
    is_whole = model.has_rows_in_memory
    known = model if is_whole else in_memory(model, FEW_ROWS)
    (name,) = known_columns("column", [column], plain_table(known.training.given.X))
    chosen = _chosen(model, f, name, levels)
    if not is_whole:
        known = kept(model, lambda part, _: np.flatnonzero(np.isin(part.read()[1][f], chosen)))
    return known, chosen, name


def _chosen(model: FittedModel, f: int, column: Hashable, levels: Any) -> list[int]:
    """Positions of levels."""
    if levels is None or isinstance(levels, Integral):
        return _spread(model, f, column, levels or MOST_PANELS)
    known = {str(level): j for j, level in enumerate(model.names.levels[f])}
    wanted = map(str, [levels] if isinstance(levels, str) else levels)
    return [_position(level, known, model.names.factors[f]) for level in wanted]


def _spread(model, f, column, most):
    """Evenly spread from the largest effect to the smallest."""
    effects = model.names.effects[f]
    k = effects.index(column) if column in effects else 0
    order = np.argsort(-model.fit.effects[f][:, k], kind="stable")
    return [int(order[i]) for i in thinned(len(order), most)]


def _position(level, known, factor):
    if level not in known:
        meant = nearest(level, known)
        advice = f"Did you mean {meant!r}?" if meant else "Give some of its levels."
        raise ValueError(f"levels: {level!r} is no level of {factor}.\n{advice}")
    return known[level]
