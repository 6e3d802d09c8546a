"""Conditional modes with their limits: a caterpillar."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import pandas as pd
from scipy import stats

from .._data.checks import check_level
from ..inference._arguments import fitted_model
from ._base import (
    BLUE,
    GREY,
    MOST_NAMED,
    Display,
    as_drawn,
    factor_of,
    label_of,
    name_axis,
    panels,
    positions_of,
    thinned,
)

__all__ = ["RandomEffectsDisplay"]


class RandomEffectsDisplay(Display):
    """Estimated random effects of the levels of one factor, sorted, with their limits.

    Up to 40 levels have their names on the axis, in one order for all panels.  Of more, every panel
    sorts its own: a line has all estimates by their rank, and bars are drawn at evenly spread
    ranks.

    Parameters
    ----------
    table : DataFrame
        ``level, effect, estimate, std_error, ci_low, ci_high`` of one factor.
    factor : str
        Its name.
    level : float, default=0.95
        Of the limits.

    Attributes
    ----------
    ax_ : Axes, or ndarray of Axes
        One panel per effect.
    figure_ : Figure
    artists_ : dict
        "points" and "bars", a list with an entry per panel.

    Examples
    --------
    >>> from skmixed import MixedLinearRegressor
    >>> from skmixed.datasets import make_mixed_regression
    >>> from skmixed.displays import RandomEffectsDisplay
    >>> X, y = make_mixed_regression(n_groups=12, random_state=0)
    >>> model = MixedLinearRegressor(groups="group").fit(X, y)
    >>> display = RandomEffectsDisplay.from_estimator(model)
    >>> display.ax_.get_ylabel()
    'group'
    """

    def __init__(self, table: pd.DataFrame, *, factor: str, level: float = 0.95):
        self.table = table
        self.factor = factor
        self.level = level

    @classmethod
    def from_estimator(
        cls,
        est: Any,
        factor: str | None = None,
        effect: str | list[str] | None = None,
        level: float = 0.95,
        *,
        ax: Any = None,
        **kwargs: Any,
    ) -> Self:
        """Draw the effects of a fitted model.

        Parameters
        ----------
        est : MixedLinearRegressor or MixedLogisticClassifier
            Fitted.
        factor : str, default=None
            Grouping factor; the first one by default.
        effect : str or list of str, default=None
            "Intercept", or columns whose slopes vary; a panel each.  None: all of the factor.
        level : float, default=0.95
            Of the limits, which are normal.
        ax : matplotlib Axes, default=None
            Where to draw.
        **kwargs
            Properties of the points.

        Returns
        -------
        RandomEffectsDisplay

        Raises
        ------
        ValueError
            For a model without random effects, unknown factors and effects, and a level that is not
            between 0 and 1.

        Examples
        --------
        >>> from skmixed import MixedLinearRegressor
        >>> from skmixed.datasets import make_mixed_regression
        >>> from skmixed.displays import RandomEffectsDisplay
        >>> X, y = make_mixed_regression(random_state=0)
        >>> model = MixedLinearRegressor(random_effects="(1 + x0 | group)").fit(X, y)
        >>> len(RandomEffectsDisplay.from_estimator(model, level=0.5).ax_)
        2
        """
        model = fitted_model(est)
        f = factor_of(model, cls.__name__, factor)
        names = model.names.effects[f]
        chosen = [names[k] for k in positions_of("effect", effect, names)]
        table = est.random_effects_
        table = table[(table["factor"] == model.names.factors[f]) & table["effect"].isin(chosen)]
        half = stats.norm.ppf(0.5 + check_level(level) / 2.0) * table["std_error"]
        limits = {"ci_low": table["estimate"] - half, "ci_high": table["estimate"] + half}
        table = table.assign(**limits).drop(columns="factor").reset_index(drop=True)
        return cls(table, factor=model.names.factors[f], level=level).plot(ax, **kwargs)

    @property
    def effects(self) -> list[str]:
        """Names of the effects, a panel each."""
        return list(pd.unique(self.table["effect"]))

    @property
    def is_named(self) -> bool:
        """Whether every level has its name on the axis."""
        return len(self.table) <= MOST_NAMED * len(self.effects)

    @property
    def _size(self):
        rows = len(self.table) // len(self.effects) if self.is_named else 22
        return 1.6 + 3.2 * len(self.effects), max(1.4 + 0.19 * rows, 2.6)

    def _draw(self, ax, **kwargs):
        effects = self.effects
        axes = panels(ax, len(effects), len(effects), sharey=True)
        parts = [self.table[self.table["effect"] == effect] for effect in effects]
        order = np.argsort(-parts[0]["estimate"].to_numpy(), kind="stable")
        draw = self._draw_named if self.is_named else self._draw_ranked
        drawn = [draw(*pair, order, kwargs) for pair in zip(axes, parts, strict=True)]
        for panel, effect in zip(axes, effects, strict=True):
            panel.axvline(0.0, color=GREY, lw=0.8, ls="--", zorder=0)
            panel.set_xlabel(f"{label_of(effect)}, {100 * self.level:.3g} % limits")
            panel.grid(axis="x", alpha=0.25)
            panel.locator_params(axis="x", nbins=5)
        axes[0].set_ylabel(self.factor if self.is_named else f"rank among {self._count}")
        points, bars = zip(*drawn, strict=True)
        return as_drawn(axes), {"points": list(points), "bars": list(bars)}

    @property
    def _count(self):
        return f"{len(self.table) // len(self.effects):,} levels of {self.factor}"

    def _draw_named(self, ax, part, order, kwargs):
        """Every level in the order of the first effect."""
        part = part.iloc[order]
        places = np.arange(len(part))
        bars = ax.hlines(places, part["ci_low"], part["ci_high"], color=BLUE, lw=1.4, alpha=0.7)
        style = {"color": BLUE, "marker": "o", "ms": 4, "ls": ""} | kwargs
        (points,) = ax.plot(part["estimate"], places, **style)
        name_axis(ax, part["level"], fontsize=8 if len(part) > 12 else None)
        return points, bars

    def _draw_ranked(self, ax, part, order, kwargs):
        """All estimates by their rank, and some with their limits."""
        part = part.sort_values("estimate", kind="stable")
        ranks = np.arange(1, len(part) + 1)
        some = thinned(len(part))
        low, high = (part[name].to_numpy()[some] for name in ("ci_low", "ci_high"))
        bars = ax.hlines(ranks[some], low, high, color=BLUE, lw=0.8, alpha=0.4)
        style = {"color": BLUE, "lw": 2.0} | kwargs
        (points,) = ax.plot(part["estimate"], ranks, **style)
        ax.set_ylim(0, len(part) + 1)
        return points, bars
