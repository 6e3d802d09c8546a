"""Fixed effects of one or several models with their limits: a forest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

import numpy as np
import pandas as pd

from ..inference._arguments import fitted_model
from ._base import COLOURS, GREY, Display, name_axis

__all__ = ["CoefficientsDisplay"]

WIDTH = 0.6  # of the place of a coefficient that the models share


class CoefficientsDisplay(Display):
    """Coefficients of one or several models with their limits.

    Parameters
    ----------
    table : DataFrame
        ``model, name, estimate, ci_low, ci_high``.
    odds_ratios : bool, default=False
        Whether these are odds ratios, on a logarithmic axis.
    level : float, default=0.95
        Of the limits.
    standardize : bool, default=False
        Whether they are by the standard deviation of their column.

    Attributes
    ----------
    ax_ : Axes
    figure_ : Figure
    artists_ : dict
        "points" and "bars", a list with an entry per model.

    Examples
    --------
    >>> from skmixed import MixedLinearRegressor
    >>> from skmixed.datasets import make_mixed_regression
    >>> from skmixed.displays import CoefficientsDisplay
    >>> X, y = make_mixed_regression(random_state=0)
    >>> model = MixedLinearRegressor(groups="group").fit(X, y)
    >>> display = CoefficientsDisplay.from_estimator(model)
    >>> display.table["name"].to_list()
    ['x0', 'x1']
    """

    def __init__(
        self,
        table: pd.DataFrame,
        *,
        odds_ratios: bool = False,
        level: float = 0.95,
        standardize: bool = False,
    ):
        self.table = table
        self.odds_ratios = odds_ratios
        self.level = level
        self.standardize = standardize

    @classmethod
    def from_estimator(
        cls,
        est: Any,
        odds_ratios: bool = False,
        intercept: bool = False,
        df: Literal["normal", "residual", "satterthwaite", "kenward-roger"] = "normal",
        level: float = 0.95,
        *,
        standardize: bool = False,
        ax: Any = None,
        **kwargs: Any,
    ) -> Self:
        """Draw the coefficients of fitted models.

        Parameters
        ----------
        est : estimator, list of estimators, or dict
            Fitted.  The keys of a dict are the names of the models; those of a list are numbered.
        odds_ratios : bool, default=False
            Exponentials of the coefficients of classifiers.
        intercept : bool, default=False
            Whether the intercept is drawn too.
        df : {"normal", "residual", "satterthwaite", "kenward-roger"}, default="normal"
            Degrees of freedom of the limits, as in ``results_.coef_table``.
        level : float, default=0.95
            Of the limits.
        standardize : bool, default=False
            Coefficients times the standard deviation of their column over the rows of the fit, so
            that columns of very different sizes can be seen side by side; those of columns with two
            values stay as they are (Gelman 2008).  The response keeps its units.
        ax : matplotlib Axes, default=None
            Where to draw.
        **kwargs
            Properties of the points.

        Returns
        -------
        CoefficientsDisplay

        Raises
        ------
        ValueError
            For odds ratios of a regressor, models without coefficients, and as
            ``results_.coef_table``.
        AttributeError
            For ``standardize`` where the training rows are not kept, as in a pickled model.

        References
        ----------
        Gelman (2008), Scaling regression inputs by dividing by two standard deviations, Statistics
        in Medicine 27.

        Examples
        --------
        >>> from skmixed import MixedLinearRegressor
        >>> from skmixed.datasets import make_mixed_regression
        >>> from skmixed.displays import CoefficientsDisplay
        >>> X, y = make_mixed_regression(random_state=0)
        >>> smaller = MixedLinearRegressor(groups="group").fit(X, y)
        >>> larger = MixedLinearRegressor(random_effects="(1 + x0 | group)").fit(X, y)
        >>> display = CoefficientsDisplay.from_estimator({"intercepts": smaller, "slopes": larger})
        >>> len(display.artists_["points"])
        2
        """
        parts = [
            _coefficients(name, one, odds_ratios, standardize, df, level)
            for name, one in _named(est).items()
        ]
        table = pd.concat(parts, ignore_index=True)
        table = table if intercept else table[table["name"] != "Intercept"].reset_index(drop=True)
        if not len(table):
            raise ValueError(
                "est: there are no coefficients beside the intercept.\nDraw it by intercept=True."
            )
        return cls(table, odds_ratios=odds_ratios, level=level, standardize=standardize).plot(
            ax, **kwargs
        )

    @property
    def _size(self):
        rows = self.table["name"].nunique() * (0.6 + 0.2 * self.table["model"].nunique())
        return 6.4, max(1.2 + 0.45 * rows, 2.4)

    def _draw(self, ax, **kwargs):
        names = list(pd.unique(self.table["name"]))
        models = list(pd.unique(self.table["model"]))
        shifts = WIDTH * (np.arange(len(models)) - (len(models) - 1) / 2.0) / len(models)
        drawn = [
            self._draw_model(ax, k, model, names, shift, kwargs)
            for k, (model, shift) in enumerate(zip(models, shifts, strict=True))
        ]
        ax.axvline(float(self.odds_ratios), color=GREY, lw=0.8, ls="--", zorder=0)
        name_axis(ax, names)
        self._label(ax)
        if len(models) > 1:
            ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, frameon=False)
        points, bars = zip(*drawn, strict=True)
        return ax, {"points": list(points), "bars": list(bars)}

    def _draw_model(self, ax, k, model, names, shift, kwargs):
        part = self.table[self.table["model"] == model]
        places = np.array([names.index(name) for name in part["name"]]) + shift
        style = {"color": COLOURS[k % len(COLOURS)], "marker": "osD^v"[k % 5], "ms": 5} | kwargs
        bars = ax.hlines(places, part["ci_low"], part["ci_high"], color=style["color"], lw=1.6)
        (points,) = ax.plot(part["estimate"], places, ls="", label=str(model), **style)
        return points, bars

    def _label(self, ax):
        word = "odds ratio" if self.odds_ratios else "coefficient"
        word += " by standard deviation of the column" if self.standardize else ""
        ax.set_xlabel(f"{word}, {100 * self.level:.3g} % limits")
        ax.grid(axis="x", alpha=0.25)
        if self.odds_ratios:
            ratio_axis(ax)


def ratio_axis(ax: Any) -> None:
    """A logarithmic axis that says 0.5, 1, 2 and not 10^0."""
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    ax.set_xscale("log")
    low, high = ax.get_xlim()
    steps = (1.0, 2.0, 5.0) if high / low < 100 else (1.0,)
    steps = (1.0, 1.5, 2.0, 3.0, 5.0, 7.0) if high / low < 6 else steps
    ax.xaxis.set_major_locator(LogLocator(subs=steps))
    ax.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    ax.xaxis.set_minor_formatter(NullFormatter())


def _named(est):
    """Models by name."""
    if isinstance(est, Mapping):
        return dict(est)
    if isinstance(est, list | tuple):
        return {f"model {k + 1}": one for k, one in enumerate(est)}
    return {"model": est}


def _coefficients(name, est, odds_ratios, standardize, df, level):
    """The table of one model."""
    model = fitted_model(est)
    if odds_ratios and model.fit.family.has_residual:
        raise ValueError(
            f"odds_ratios=True: {name} is a regressor, whose coefficients are no log-odds.\n"
            "Leave odds_ratios out."
        )
    table = est.results_.coef_table(df, level=level)[["coef", "ci_low", "ci_high"]]
    table = pd.DataFrame(table)
    if standardize:
        table = table.mul(_scales(model, table.index), axis=0)
    values = np.exp(table) if odds_ratios else table
    values = values.rename(columns={"coef": "estimate"}).rename_axis("name").reset_index()
    values.insert(0, "model", name)
    return values


def _scales(model, names):
    """Standard deviations of columns; one for those with two values at most."""
    columns = list(map(str, model.reader.names))
    values: list[np.ndarray] = [np.zeros(0) for _ in columns]
    n, total = 0.0, np.zeros(len(columns))
    for part in model.parts():
        X, w = part.read()[0].X, part.known_weights
        n += np.sum(w)
        total += w @ X
        pairs = zip(values, X.T, strict=True)
        values = [known if len(known) > 2 else np.union1d(known, x) for known, x in pairs]
    mean = total / n
    squares = sum(p.known_weights @ (p.read()[0].X - mean) ** 2 for p in model.parts())
    found = dict(zip(columns, np.sqrt(squares / n), strict=True))
    two = {name for name, known in zip(columns, values, strict=True) if len(known) <= 2}
    return [1.0 if name in two else float(found.get(name, 1.0)) for name in names]
