"""Pictures of residuals, one class each: what is computed, and how it is drawn."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from .._fit.model import FittedModel
from ..inference._influence.residuals import residuals_of
from ._base import (
    BLUE,
    GREY,
    MOST_NAMED,
    ORANGE,
    binned,
    factor_of,
    name_axis,
    response_label,
    thinned,
)

MOST_POINTS = 3_000  # rows that are drawn one by one
MOST_BINS = 40
MOST_QUANTILES = 1_000
ENVELOPE = 0.95


class ResidualKind(ABC):
    """One picture of residuals."""

    #: whether it means anything for zeros and ones
    for_outcomes = True
    size = (6.4, 4.8)

    @abstractmethod
    def compute(self, model: FittedModel, factor: str | None) -> pd.DataFrame:
        """What is drawn."""

    @abstractmethod
    def draw(self, ax: Any, data: pd.DataFrame, style: dict) -> dict[str, list]:
        """The artists."""

    @abstractmethod
    def labels(self, model: FittedModel, factor: str | None) -> tuple[str, str]:
        """Of the axes."""


def _scaled(model):
    """Residuals in standard deviations of their own."""
    return residuals_of(model, "standardized")


def _means(model):
    return model.fit.family.mean(model.predictor(*model.training.read()))


class AgainstFitted(ResidualKind):
    """Against fitted values, with the mean of the residuals along them."""

    word = "standardized residual"

    def compute(self, model, factor):
        data = pd.DataFrame({"fitted": _means(model), "residual": self._change(_scaled(model))})
        return data[np.isfinite(data["residual"])]

    def _change(self, residuals):
        return residuals

    def labels(self, model, factor):
        return f"fitted {response_label(model)}", self.word

    def draw(self, ax, data, style):
        x, y = data["fitted"].to_numpy(), data["residual"].to_numpy()
        rows = _cloud(ax, x, y, style)
        (trend,) = ax.plot(*_trend(x, y), color=ORANGE, lw=2, label="mean")
        ax.legend(loc="best", frameon=True)
        return {"rows": [rows], "trend": [trend], "zero": self._reference(ax)}

    def _reference(self, ax):
        return [ax.axhline(0.0, color=GREY, lw=0.8, ls="--")]


class ScaleLocation(AgainstFitted):
    """Roots of their absolute values: a trend is a variance that depends on the mean."""

    for_outcomes = False
    word = "root of |standardized residual|"

    def _change(self, residuals):
        return np.sqrt(np.abs(residuals))

    def _reference(self, ax):
        """The mean of ``sqrt |z|`` of a standard normal z."""
        return [ax.axhline(0.822, color=GREY, lw=0.8, ls="--")]


class Quantiles(ResidualKind):
    """Against normal quantiles, with limits that hold for every quantile on its own."""

    for_outcomes = False
    size = (5.4, 5.0)

    def compute(self, model, factor):
        residuals = _scaled(model)
        residuals = np.sort(residuals[np.isfinite(residuals)])
        n = len(residuals)
        rank = np.unique(np.concatenate([thinned(n, MOST_QUANTILES), *_tails(n)])) + 1
        ends = [0.5 - ENVELOPE / 2.0, 0.5 + ENVELOPE / 2.0]
        low, high = (stats.norm.ppf(stats.beta.ppf(q, rank, n + 1 - rank)) for q in ends)
        normal = stats.norm.ppf((rank - 0.5) / n)
        columns = {"normal": normal, "residual": residuals[rank - 1], "low": low, "high": high}
        return pd.DataFrame(columns)

    def labels(self, model, factor):
        return "normal quantile", "standardized residual"

    def draw(self, ax, data, style):
        x = data["normal"]
        limits = ax.fill_between(
            x, data["low"], data["high"], color=GREY, alpha=0.25, lw=0, label="95 % of normal ones"
        )
        (line,) = ax.plot(x, x, color=GREY, lw=1)
        style = {"color": BLUE, "marker": "o", "ms": 3.5, "ls": "", "mew": 0} | style
        (points,) = ax.plot(x, data["residual"], **style)
        ax.legend(loc="upper left")
        return {"points": [points], "line": [line], "limits": [limits]}


def _tails(n):
    """Positions of the outermost residuals: these are looked at one by one."""
    return np.arange(min(n, 50)), np.arange(max(n - 50, 0), n)


class ByGroup(ResidualKind):
    """Their spread in every level of a factor, by the median."""

    for_outcomes = False

    def compute(self, model, factor):
        f = factor_of(model, "ResidualsDisplay(kind='group')", factor)
        residuals = pd.Series(_scaled(model))
        residuals = residuals[np.isfinite(residuals)]
        code = model.training.read()[1][f][residuals.index]
        rows = residuals.groupby(code)
        table = rows.quantile([0.0, 0.25, 0.5, 0.75, 1.0]).unstack()
        table.columns = ["lowest", "q25", "median", "q75", "highest"]
        levels = np.asarray(model.names.levels[f], dtype=object)
        table.insert(0, "level", levels[table.index])
        table["n"] = rows.size()
        return table.sort_values("median", ascending=False, kind="stable").reset_index(drop=True)

    def labels(self, model, factor):
        f = factor_of(model, "ResidualsDisplay(kind='group')", factor)
        return "standardized residual", model.names.factors[f]

    def draw(self, ax, data, style):
        named = len(data) <= MOST_NAMED
        some = thinned(len(data))
        places, part = (some if named else len(data) - some), data.iloc[some]
        spans = {
            "ranges": ("lowest", "highest", 0.8),
            "quartiles": ("q25", "q75", 5.0 if named else 1.6),
        }
        bars = {
            word: [ax.hlines(places, part[low], part[high], color=BLUE, lw=lw, alpha=0.5)]
            for word, (low, high, lw) in spans.items()
        }
        shown = {"color": ORANGE, "marker": "o", "ms": 4 if named else 2, "ls": ""} | style
        (medians,) = ax.plot(part["median"], places, **shown, label="median, quartiles, range")
        ax.axvline(0.0, color=GREY, lw=0.8, ls="--", zorder=0)
        self._name(ax, data, named)
        ax.legend(loc="lower left", bbox_to_anchor=(0, 1), frameon=False)
        return {"medians": [medians], **bars}

    def _name(self, ax, data, named):
        """The levels, or what their ranks are among."""
        if named:
            name_axis(ax, data["level"], fontsize=8 if len(data) > 12 else None)
        else:
            ax.set_ylim(0, len(data) + 1)
            ax.set_ylabel(f"rank among {len(data):,} levels of {ax.get_ylabel()}")


class Binned(ResidualKind):
    """Means of the rows of bins of fitted values, with the limits of two standard errors.

    Gelman and Hill (2007), Data Analysis Using Regression and Multilevel/Hierarchical Models,
    section 5.6.
    """

    def compute(self, model, factor):
        mean, weights = _means(model), model.training.known_weights
        spread = mean * (1.0 - mean)
        if model.fit.family.has_residual:
            spread = np.full_like(mean, model.fit.sigma2)
        bins = binned(mean, min(MOST_BINS, max(int(np.sqrt(len(mean))), 2)))
        n = np.bincount(bins, weights)
        total = (np.bincount(bins, weights * v) for v in (mean, model.training.y - mean, spread))
        fitted, residual, variance = total
        columns = {"fitted": fitted / n, "residual": residual / n, "n": n}
        return pd.DataFrame(columns | {"half": 2.0 * np.sqrt(variance) / n})

    def labels(self, model, factor):
        word = "residual" if model.fit.family.has_residual else "observed less fitted share"
        return f"fitted {response_label(model)}", f"mean of a bin: {word}"

    def draw(self, ax, data, style):
        x, half = data["fitted"], data["half"]
        limits = ax.fill_between(
            x, -half, half, color=GREY, alpha=0.25, lw=0, label="two standard errors"
        )
        (points,) = ax.plot(x, data["residual"], **{"color": BLUE, "marker": "o", "ls": ""} | style)
        zero = ax.axhline(0.0, color=GREY, lw=0.8, ls="--")
        ax.legend(loc="best")
        return {"points": [points], "limits": [limits], "zero": [zero]}


def _cloud(ax, x, y, style):
    """Rows as points, or as counts in hexagons where there are many."""
    if len(x) <= MOST_POINTS:
        style = {"color": BLUE, "s": 14, "alpha": 0.5, "linewidths": 0} | style
        return ax.scatter(x, y, **style)
    style = {"gridsize": 45, "mincnt": 1, "bins": "log", "cmap": "Blues", "linewidths": 0.2} | style
    rows = ax.hexbin(x, y, **style)
    ax.figure.colorbar(rows, ax=ax, label="rows")
    return rows


def _trend(x, y):
    """Means of bins of equally many rows."""
    bins = binned(x, min(MOST_BINS // 2, max(len(x) // 20, 2)))
    n = np.bincount(bins)
    return np.bincount(bins, x) / n, np.bincount(bins, y) / n


KINDS: dict[str, ResidualKind] = {
    "fitted": AgainstFitted(),
    "qq": Quantiles(),
    "scale": ScaleLocation(),
    "group": ByGroup(),
    "binned": Binned(),
}
