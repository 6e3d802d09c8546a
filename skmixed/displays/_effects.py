"""Average predictions and average effects."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, Literal, Self

import numpy as np
import pandas as pd

from .._data.checks import check_choice
from .._fit.kinds import Kind
from ..inference._arguments import fitted_model
from ..inference._margins.margins import average_effects, average_predictions
from ..inference._margins.sample import compared
from ..inference._margins.samples import read_samples
from ._base import COLOURS, GREY, Display, label_of, name_axis, response_label, short

__all__ = ["EffectsDisplay"]

GRID = 25  # values of a number
DODGE = 0.5  # width of the place that the cells of a category share
LIMITS = ["estimate", "ci_low", "ci_high"]


class EffectsDisplay(Display):
    """Average predictions along a column, or average effects of columns, with their limits.

    Predictions are a line with a band along a number, and points for categories; effects are
    points.

    Parameters
    ----------
    table : DataFrame
        ``x, cell, estimate, ci_low, ci_high``: where a prediction or which effect, and the cell of
        the columns ``by``.
    quantity : {"predictions", "effects"}
        What the estimates are.
    labels : pair of str
        Of the horizontal and of the vertical axis.

    Attributes
    ----------
    ax_ : Axes
    figure_ : Figure
    artists_ : dict
        "lines" and "bands", or "points" and "bars", a list with an entry per cell.

    Examples
    --------
    >>> from skmixed import MixedLinearRegressor
    >>> from skmixed.datasets import make_mixed_regression
    >>> from skmixed.displays import EffectsDisplay
    >>> X, y = make_mixed_regression(random_state=0)
    >>> model = MixedLinearRegressor(groups="group").fit(X, y)
    >>> EffectsDisplay.from_estimator(model).table["x"].to_list()
    ['x0', 'x1']
    """

    def __init__(self, table: pd.DataFrame, *, quantity: str, labels: tuple[str, str]):
        self.table = table
        self.quantity = quantity
        self.labels = labels

    @classmethod
    def from_estimator(
        cls,
        est: Any,
        column: Hashable | None = None,
        by: Hashable | list | None = None,
        quantity: Literal["predictions", "effects"] | None = None,
        *,
        X: Any = None,
        groups: Any = None,
        kind: Kind = "marginal",
        level: float = 0.95,
        ax: Any = None,
        **kwargs: Any,
    ) -> Self:
        """Draw averages of the predictions of a fitted model.

        Parameters
        ----------
        est : MixedLinearRegressor or MixedLogisticClassifier
            Fitted.
        column : column, default=None
            Along which predictions are drawn, or whose effects.  None: the effects of all.
        by : column or list of columns, default=None
            Averages for each combination of their values.
        quantity : {"predictions", "effects"}, default=None
            None: predictions where a column is named.
        X, groups
            Rows to average over, as in :func:`skmixed.inference.average_predictions`; those of the
            fit by default.
        kind : {"marginal", "population", "conditional"}, default="marginal"
            Of predictions, as there.
        level : float, default=0.95
            Of the limits.
        ax : matplotlib Axes, default=None
            Where to draw.
        **kwargs
            Properties of the lines or points.

        Returns
        -------
        EffectsDisplay

        Raises
        ------
        ValueError
            For unknown columns and kinds, predictions along no column, and where the data determine
            none of the averages.

        Examples
        --------
        >>> from skmixed import MixedLogisticClassifier
        >>> from skmixed.datasets import make_mixed_classification
        >>> from skmixed.displays import EffectsDisplay
        >>> X, y = make_mixed_classification(random_state=0)
        >>> model = MixedLogisticClassifier(groups="group").fit(X, y)
        >>> EffectsDisplay.from_estimator(model, "x1").ax_.get_ylabel()
        'average probability of y = 1'
        """
        quantity = quantity or ("effects" if column is None else "predictions")
        compute = TABLES[check_choice("quantity", quantity, TABLES)]
        options = {"X": X, "groups": groups, "by": by, "kind": kind, "level": level}
        table, label = compute(est, column, options)
        table = table.dropna(subset=LIMITS).reset_index(drop=True)
        if not len(table):
            raise ValueError(
                "The data determine none of these averages.\nAsk for another column, or without by."
            )
        response = response_label(fitted_model(est))
        labels = (label, f"average {response}")
        if quantity == "effects":
            labels = (f"average effect on {response}, {100 * level:.3g} % limits", "")
        return cls(table, quantity=quantity, labels=labels).plot(ax, **kwargs)

    @property
    def _size(self):
        if self.quantity == "effects":
            return 6.4, max(1.2 + 0.4 * self.table["x"].nunique() * self._n_cells**0.5, 2.4)
        return 6.4, 4.6

    @property
    def _n_cells(self):
        return self.table["cell"].nunique()

    def _draw(self, ax, **kwargs):
        is_line = self.quantity == "predictions" and self.table["x"].dtype.kind in "iuf"
        draw = self._draw_line if is_line else self._draw_points
        names = list(pd.unique(self.table["x"]))
        cells = self.table.groupby("cell", sort=False)
        found = [
            draw(ax, names, part, k, {"color": COLOURS[k % len(COLOURS)], "label": cell} | kwargs)
            for k, (cell, part) in enumerate(cells)
        ]
        ax.set(xlabel=self.labels[0], ylabel=self.labels[1])
        self._finish(ax, names, is_line)
        if self._n_cells > 1:
            ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, frameon=False)
        first, second = map(list, zip(*found, strict=True))
        words = ("lines", "bands") if is_line else ("points", "bars")
        return ax, dict(zip(words, (first, second), strict=True))

    def _finish(self, ax, names, is_line):
        """Names of what has no numbers."""
        if self.quantity == "effects":
            ax.axvline(0.0, color=GREY, lw=0.8, ls="--", zorder=0)
            ax.grid(axis="x", alpha=0.25)
            name_axis(ax, names)
        elif not is_line:
            turned = sum(len(short(name)) for name in names) > 50
            style = {"rotation": 30, "ha": "right"} if turned else {}
            ax.set_xticks(range(len(names)), [short(name) for name in names], **style)
            ax.margins(x=0.12)

    def _draw_line(self, ax, names, part, k, style):
        band = ax.fill_between(
            part["x"], part["ci_low"], part["ci_high"], color=style["color"], alpha=0.2, lw=0
        )
        line = "-" if k < len(COLOURS) else "--"
        (line,) = ax.plot(part["x"], part["estimate"], **{"lw": 2, "ls": line} | style)
        return line, band

    def _draw_points(self, ax, names, part, k, style):
        """Cells beside each other; effects have theirs along the vertical axis."""
        n = self._n_cells
        places = np.array([names.index(x) for x in part["x"]])
        places = places + DODGE * (k - (n - 1) / 2.0) / n
        bars = ax.hlines if self.quantity == "effects" else ax.vlines
        bars = bars(places, part["ci_low"], part["ci_high"], color=style["color"], lw=1.6)
        xy = (places, part["estimate"])
        xy = xy[::-1] if self.quantity == "effects" else xy
        (points,) = ax.plot(*xy, **{"marker": "osD^v"[k % 5], "ls": ""} | style)
        return points, bars


def _predictions(est, column, options):
    """Along a column: its categories, or numbers from the least to the largest."""
    if column is None:
        raise ValueError(
            "column: predictions are drawn along a column, and none is named.\n"
            "Name one, or ask for quantity='effects'."
        )
    model = fitted_model(est)
    samples, _ = read_samples(
        model, options["X"], options["groups"], None, None, None, options["kind"]
    )
    sample = samples.described
    ((name, values),) = compared(sample, [column]).items()
    if values is None:
        x = np.asarray(sample.column(name), dtype=np.float64)
        at = np.linspace(x.min(), x.max(), GRID)
        table = average_predictions(est, at={name: list(at)}, **options)
        return _cells(table.assign(x=table[name]), [name]), label_of(name)
    table = average_predictions(est, at={name: list(values)}, **options)
    words = "{:g}".format if np.asarray(values).dtype.kind in "iuf" else str
    return _cells(table.assign(x=table[name].map(words)), [name]), label_of(name)


def _effects(est, column, options):
    """Of a column or of all."""
    table = average_effects(est, variables=column, **options)
    is_slope = table["contrast"] == "dy/dx"
    x = table["term"].astype(str).where(is_slope, table["term"] + ": " + table["contrast"])
    return _cells(table.assign(x=x), ["term", "contrast", "z", "p_value"]), ""


def _cells(table, others):
    """The columns ``by`` as one."""
    known = {*LIMITS, "std_error", "note", "x", *others}
    by = [name for name in table if name not in known]
    cells = [
        ", ".join(f"{n} = {v}" for n, v in zip(by, row, strict=True)) for row in table[by].values
    ]
    return pd.DataFrame(table[["x", *LIMITS]]).assign(cell=cells)


TABLES = {"predictions": _predictions, "effects": _effects}
