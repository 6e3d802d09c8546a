"""Where the variance lies."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, Self

import numpy as np
import pandas as pd

from .._data.checks import check_choice, check_level
from .._fit.model import FittedModel
from ..inference._arguments import fitted_model
from ..inference._describe.shares import icc, shares
from ._base import BLUE, Display, factor_of, name_axis

__all__ = ["VarianceDisplay"]


class VarianceDisplay(Display):
    """Shares of the variance between the levels of each factor, and what is left.

    With random slopes the variance of a factor is the mean of ``z'Gz`` over the rows.  The fixed
    effects are no part of it.

    Parameters
    ----------
    table : DataFrame
        ``share`` by component, and ``ci_low, ci_high`` of intraclass correlations.
    kind : {"shares", "icc"}, default="shares"
        What they are.
    level : float, default=0.95
        Of the limits.

    Attributes
    ----------
    ax_ : Axes
    figure_ : Figure
    artists_ : dict
        "bars", or "points" and "limits"; "texts".

    Examples
    --------
    >>> from skmixed import MixedLinearRegressor
    >>> from skmixed.datasets import make_mixed_regression
    >>> from skmixed.displays import VarianceDisplay
    >>> X, y = make_mixed_regression(random_state=0)
    >>> model = MixedLinearRegressor(groups="group").fit(X, y)
    >>> VarianceDisplay.from_estimator(model).table["share"].round(1).to_dict()
    {'group': 0.5, 'Residual': 0.5}
    """

    def __init__(self, table: pd.DataFrame, *, kind: str = "shares", level: float = 0.95):
        self.table = table
        self.kind = kind
        self.level = level

    @classmethod
    def from_estimator(
        cls,
        est: Any,
        kind: Literal["shares", "icc"] = "shares",
        level: float = 0.95,
        *,
        ax: Any = None,
        **kwargs: Any,
    ) -> Self:
        """Draw the shares of a fitted model.

        Parameters
        ----------
        est : MixedLinearRegressor or MixedLogisticClassifier
            Fitted; shares of a classifier are those of the latent log-odds.
        kind : {"shares", "icc"}, default="shares"
            "shares" add up to one; "icc" are intraclass correlations with their limits, where a
            factor within another has its own share and that of the outer one.
        level : float, default=0.95
            Of the limits of "icc".
        ax : matplotlib Axes, default=None
            Where to draw.
        **kwargs
            Properties of the bars or points.

        Returns
        -------
        VarianceDisplay

        Raises
        ------
        ValueError
            For a model without random effects, an unknown kind, and a level that is not between 0
            and 1.

        Examples
        --------
        >>> from skmixed import MixedLinearRegressor
        >>> from skmixed.datasets import make_mixed_regression
        >>> from skmixed.displays import VarianceDisplay
        >>> X, y = make_mixed_regression(random_state=0)
        >>> model = MixedLinearRegressor(groups="group").fit(X, y)
        >>> VarianceDisplay.from_estimator(model, "icc").ax_.get_xlabel()
        'intraclass correlation, 95 % limits'
        """
        model = fitted_model(est)
        factor_of(model, cls.__name__, None)
        compute = TABLES[check_choice("kind", kind, TABLES)]
        table = compute(est, model, check_level(level))
        return cls(table, kind=kind, level=level).plot(ax, **kwargs)

    @property
    def _size(self):
        return 6.4, max(1.1 + 0.5 * len(self.table), 2.2)

    def _draw(self, ax, **kwargs):
        found = DRAWN[self.kind](ax, self, kwargs)
        name_axis(ax, [_innermost(name, self.table.index) for name in self.table.index])
        ax.grid(axis="x", alpha=0.25)
        ax.set_axisbelow(True)
        return ax, found


def _innermost(name, names):
    """The last part of the name of a nested factor, and what it is in."""
    outer, _, inner = str(name).rpartition(":")
    return f"{inner} (in {outer.rpartition(':')[2]})" if outer in names else name


def _shares(est: Any, model: FittedModel, level: float) -> pd.DataFrame:
    found = shares(model.fit)
    values = np.append(found.variances, found.residual) / found.total
    return pd.DataFrame({"share": values}, index=[*model.names.factors, "Residual"])


def _correlations(est: Any, model: FittedModel, level: float) -> pd.DataFrame:
    """Without limits where nothing is known of them."""
    table = icc(est, level).rename(columns={"icc": "share"})[["share", "ci_low", "ci_high"]]
    return table.T.fillna(table["share"]).T


def _draw_shares(ax, display, style):
    share = display.table["share"]
    bars = ax.barh(range(len(share)), share, **{"color": BLUE, "height": 0.6} | style)
    texts = ax.bar_label(bars, [f"{100 * s:.1f} %" for s in share], padding=4)
    ax.set_xlim(0, 1.15 * share.max())
    ax.set_xlabel("share of the variance")
    return {"bars": list(bars), "texts": list(texts)}


def _draw_correlations(ax, display, style):
    table = display.table
    places = range(len(table))
    limits = ax.hlines(places, table["ci_low"], table["ci_high"], color=BLUE, lw=1.6)
    (points,) = ax.plot(table["share"], places, **{"color": BLUE, "marker": "o", "ls": ""} | style)
    texts = [
        ax.annotate(f"{s:.3f}", (s, k), (0, 7), textcoords="offset points", ha="center")
        for k, s in enumerate(table["share"])
    ]
    ax.set_xlim(left=0.0)
    ax.set_xlabel(f"intraclass correlation, {100 * display.level:.3g} % limits")
    return {"points": [points], "limits": [limits], "texts": texts}


TABLES: dict[str, Callable] = {"shares": _shares, "icc": _correlations}
DRAWN: dict[str, Callable] = {"shares": _draw_shares, "icc": _draw_correlations}
