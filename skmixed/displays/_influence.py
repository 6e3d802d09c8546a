"""What the estimates would be without a level or a row."""

from __future__ import annotations

from typing import Any, Literal, Self

import numpy as np
import pandas as pd

from .._data.checks import check_choice
from ..inference._influence.influence import influence
from ._base import BLUE, GREY, ORANGE, Display, as_drawn, panels, short

__all__ = ["InfluenceDisplay"]

STATISTICS = ("cooks_distance", "dfbetas")
COLUMNS = 2  # of panels
CHARACTER = 0.08  # width in inches
LINE = 0.16  # height
GAP = 0.07  # between a point and its name


class InfluenceDisplay(Display):
    """Cook's distances or DFBETAS of levels or rows, the largest with their names.

    The dashed lines are the usual first looks, ``4 / n`` and ``2 / sqrt(n)`` for n units.

    Parameters
    ----------
    table : DataFrame
        A row per unit, a column per panel.
    by : str
        The factor whose levels are left out, or "row".
    statistic : {"cooks_distance", "dfbetas"}, default="cooks_distance"
        What the numbers are.
    n_named : int, default=5
        How many of a panel are named.

    Attributes
    ----------
    ax_ : Axes, or ndarray of Axes
    figure_ : Figure
    artists_ : dict
        "stems", "points" and "names", a list with an entry per panel.

    Examples
    --------
    >>> from skmixed import MixedLinearRegressor
    >>> from skmixed.datasets import make_mixed_regression
    >>> from skmixed.displays import InfluenceDisplay
    >>> X, y = make_mixed_regression(random_state=0)
    >>> model = MixedLinearRegressor(groups="group").fit(X, y)
    >>> InfluenceDisplay.from_estimator(model, by="group").ax_.get_ylabel()
    "Cook's distance"
    """

    def __init__(
        self,
        table: pd.DataFrame,
        *,
        by: str,
        statistic: str = "cooks_distance",
        n_named: int = 5,
    ):
        self.table = table
        self.by = by
        self.statistic = statistic
        self.n_named = n_named

    @classmethod
    def from_estimator(
        cls,
        est: Any,
        by: str | None = None,
        statistic: Literal["cooks_distance", "dfbetas"] = "cooks_distance",
        *,
        refit: bool = False,
        n_named: int = 5,
        ax: Any = None,
        **kwargs: Any,
    ) -> Self:
        """Draw the influence of the units of a fitted model.

        Parameters
        ----------
        est : MixedLinearRegressor or MixedLogisticClassifier
            Fitted: its training rows are needed, or chunks that can be read again.
        by : str, default=None
            A grouping factor whose levels are left out; None or "row" for single rows.
        statistic : {"cooks_distance", "dfbetas"}, default="cooks_distance"
            One number for all coefficients, or a panel per coefficient.
        refit : bool, default=False
            Whether the model is fitted again without each unit.
        n_named : int, default=5
            How many units of a panel are named.
        ax : matplotlib Axes, default=None
            Where to draw.
        **kwargs
            Properties of the points.

        Returns
        -------
        InfluenceDisplay

        Raises
        ------
        ValueError
            For an unknown factor or statistic.
        AttributeError
            Where the training rows are not kept, as in a pickled model.

        Examples
        --------
        >>> from skmixed import MixedLinearRegressor
        >>> from skmixed.datasets import make_mixed_regression
        >>> from skmixed.displays import InfluenceDisplay
        >>> X, y = make_mixed_regression(random_state=0)
        >>> model = MixedLinearRegressor(groups="group").fit(X, y)
        >>> display = InfluenceDisplay.from_estimator(model, "group", "dfbetas", n_named=2)
        >>> [ax.get_title() for ax in display.ax_]
        ['Intercept', 'x0', 'x1']
        """
        check_choice("statistic", statistic, STATISTICS)
        found = influence(est, by, refit)
        table = getattr(found, statistic)
        table = table.to_frame() if table.ndim == 1 else table
        return cls(table.dropna(), by=found.by, statistic=statistic, n_named=n_named).plot(
            ax, **kwargs
        )

    @property
    def _size(self):
        n = self.table.shape[1]
        return (6.4, 4.2) if n == 1 else (9.6, 2.9 * -(-n // COLUMNS))

    def _draw(self, ax, **kwargs):
        axes = panels(ax, self.table.shape[1], COLUMNS, sharex=True)
        drawn = [self._draw_panel(p, n, kwargs) for p, n in zip(axes, self.table, strict=True)]
        is_cook = self.statistic == "cooks_distance"
        for k, panel in enumerate(axes):
            panel.set_title("" if is_cook else str(self.table.columns[k]))
            panel.set_ylabel("Cook's distance" if is_cook else "DFBETAS")
        for panel in axes[-COLUMNS:]:
            panel.set_xlabel(
                f"{self.by}s in the order of the data" if self.by == "row" else self.by
            )
        stems, points, names = zip(*drawn, strict=True)
        return as_drawn(axes), {"stems": list(stems), "points": list(points), "names": list(names)}

    def _draw_panel(self, ax, column, kwargs):
        values = self.table[column].to_numpy()
        places = np.arange(len(values))
        large = np.argsort(-np.abs(values), kind="stable")[: self.n_named]
        stems = ax.vlines(places, 0.0, values, color=BLUE, lw=0.8, alpha=0.6)
        style = {"color": ORANGE, "marker": "o", "ms": 4, "ls": ""} | kwargs
        (points,) = ax.plot(places[large], values[large], **style)
        ax.margins(x=0.04, y=0.14)
        self._draw_limits(ax, len(values))
        if self.statistic == "cooks_distance":
            ax.set_ylim(bottom=0.0)
        names = self._name(ax, large, values)
        if self.by != "row":
            ax.set_xticks([])
        return stems, points, names

    def _draw_limits(self, ax, n):
        ax.axhline(0.0, color=GREY, lw=0.8)
        limits = [4.0 / n]
        if self.statistic == "dfbetas":
            limits = [-2.0 / np.sqrt(n), 2.0 / np.sqrt(n)]
        for limit in limits:
            ax.axhline(limit, color=GREY, lw=0.8, ls="--", zorder=0)

    def _name(self, ax, large, values):
        """Names beside the points, where they meet the fewest stems and no other name."""
        width, height = 0.8 * np.array(self._size) / (1.0, 1.0)
        if self.table.shape[1] > 1:
            width, height = width / COLUMNS, 0.7 * 2.9
        room = _Room(ax, values, width, height)
        found = []
        for k in large:
            text = short(self.table.index[k])
            side = room.side(k, len(text))
            up = 1 if values[k] >= 0 else -1
            found.append(
                ax.annotate(
                    text,
                    (k, values[k]),
                    (5 * side, (2 if side else 5) * up),
                    textcoords="offset points",
                    ha=HORIZONTAL[side],
                    va="bottom" if up > 0 else "top",
                    fontsize=9,
                    bbox={"facecolor": "white", "alpha": 0.75, "lw": 0, "pad": 0.5},
                )
            )
        return found


class _Room:
    """Stems and names of a panel in inches, roughly."""

    def __init__(self, ax, values, width, height):
        left, right = ax.get_xlim()
        bottom, top = ax.get_ylim()
        self.width = width
        self.x = (np.arange(len(values)) - left) / (right - left) * width
        self.y = (values - bottom) / (top - bottom) * height
        self.zero = -bottom / (top - bottom) * height
        self.boxes: list[tuple] = []

    def side(self, k, n_characters):
        """-1, 0 or 1: where a name has most room."""
        found = [(self._meets(k, side, n_characters), order, side) for order, side in SIDES]
        side = min(found)[2]
        self.boxes.append(self._box(k, side, n_characters))
        return side

    def _box(self, k, side, n_characters):
        """Ends of a name along the axis, and its height."""
        length = CHARACTER * n_characters
        left = self.x[k] + side * GAP - length * (1 - side) / 2.0
        y = self.y[k] + (LINE / 2.0 + (0.0 if side else GAP)) * np.sign(self.y[k] - self.zero)
        return left, left + length, y

    def _meets(self, k, side, n_characters):
        left, right, y = self._box(k, side, n_characters)
        outside = left < 0 or right > self.width
        names = sum(a < right and b > left and abs(c - y) < LINE for a, b, c in self.boxes)
        is_near = (self.x > left) & (self.x < right) & (np.arange(len(self.x)) != k)
        reach = np.abs(self.y - self.zero) > abs(y - self.zero) - LINE / 2.0
        stems = np.sum(is_near & reach & ((self.y > self.zero) == (y > self.zero)))
        return 1_000 * outside + 100 * names + min(int(stems), 99)


SIDES = ((0, 1), (1, -1), (2, 0))
HORIZONTAL = {-1: "right", 0: "center", 1: "left"}
