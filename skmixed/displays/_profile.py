"""Profile likelihoods of parameters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, Self

import numpy as np
import pandas as pd
from scipy import stats
from scipy.interpolate import PchipInterpolator

from .._data.checks import check_choice
from ..inference._profile.profile import profile
from ._base import BLUE, GREY, ORANGE, Display, as_drawn, panels, short

__all__ = ["ProfileDisplay"]

LEVELS = (0.3, 0.6, 0.8, 0.9, 0.95, 0.99)
MARKED = 0.95
VARIANCES = ("variance", "residual variance")
FINE = 200  # points of a curve
COLUMNS = 3  # of panels


class ProfileDisplay(Display):
    """Profile likelihoods of parameters: signed roots of the deviance, or the densities they imply.

    ``zeta(c)`` is the signed root of what the deviance rises by when a parameter is held at c; a
    straight line is a quadratic log-likelihood, for which Wald limits are right.  "density" is that
    of a parameter whose zeta is standard normal, ``phi(zeta) dzeta/dc``.  Both pass through the
    limits of several levels and bend in between.  Variances are shown as standard deviations, whose
    profiles are straighter: limits are the roots of those of the variance.

    Parameters
    ----------
    curves : dict of DataFrame
        By the name of a parameter, ``value`` and ``zeta`` at the limits and at the estimate.
    kind : {"zeta", "density"}, default="zeta"
        Which picture.

    Attributes
    ----------
    ax_ : Axes, or ndarray of Axes
        One panel per parameter.
    figure_ : Figure
    artists_ : dict
        "lines" and "limits", a list with an entry per panel.

    Examples
    --------
    >>> from skmixed import MixedLinearRegressor
    >>> from skmixed.datasets import make_mixed_regression
    >>> from skmixed.displays import ProfileDisplay
    >>> X, y = make_mixed_regression(random_state=0)
    >>> model = MixedLinearRegressor(groups="group").fit(X, y)
    >>> list(ProfileDisplay.from_estimator(model, "variances").curves)
    ['sd(group: Intercept)', 'sd(Residual)']
    """

    def __init__(self, curves: dict[str, pd.DataFrame], *, kind: str = "zeta"):
        self.curves = curves
        self.kind = kind

    @classmethod
    def from_estimator(
        cls,
        est: Any,
        parameters: str | Sequence[str] | None = None,
        kind: Literal["zeta", "density"] = "zeta",
        *,
        ax: Any = None,
        **kwargs: Any,
    ) -> Self:
        """Draw the profiles of a fitted model.

        Parameters
        ----------
        est : MixedLinearRegressor or MixedLogisticClassifier
            Fitted; a classifier needs its training rows.
        parameters : {"fixed", "variances"}, name or list of names, default=None
            As in :func:`skmixed.inference.profile`; parameters that the data say nothing about are
            left out.
        kind : {"zeta", "density"}, default="zeta"
            Which picture.
        ax : matplotlib Axes, default=None
            Where to draw.
        **kwargs
            Properties of the lines.

        Returns
        -------
        ProfileDisplay

        Raises
        ------
        ValueError
            For unknown names and kinds, and where no parameter has limits.

        Examples
        --------
        >>> from skmixed import MixedLinearRegressor
        >>> from skmixed.datasets import make_mixed_regression
        >>> from skmixed.displays import ProfileDisplay
        >>> X, y = make_mixed_regression(random_state=0)
        >>> model = MixedLinearRegressor(groups="group").fit(X, y)
        >>> ProfileDisplay.from_estimator(model, ["x0"], "density").ax_.get_ylabel()
        'density'
        """
        check_choice("kind", kind, DRAWN)
        tables = [profile(est, parameters, level=level) for level in LEVELS]
        curves = {_name(row): _curve(tables, k) for k, row in tables[0].iterrows()}
        curves = {name: curve for name, curve in curves.items() if len(curve) > 2}
        if not curves:
            raise ValueError(
                "parameters: the data say nothing about any of them.\n"
                "Ask for others, or simplify the model."
            )
        return cls(curves, kind=kind).plot(ax, **kwargs)

    @property
    def _size(self):
        n = len(self.curves)
        return (6.0, 4.4) if n == 1 else (3.3 * min(n, COLUMNS), 2.7 * -(-n // COLUMNS))

    def _draw(self, ax, **kwargs):
        axes = panels(ax, len(self.curves), COLUMNS)
        style = {"color": BLUE, "lw": 1.8} | kwargs
        pairs = zip(axes, self.curves.items(), strict=True)
        drawn = [DRAWN[self.kind](panel, curve, style) for panel, (_, curve) in pairs]
        for k, (panel, name) in enumerate(zip(axes, self.curves, strict=True)):
            panel.set_xlabel(short(name))
            panel.set_ylabel(self.kind if k % COLUMNS == 0 else "")
            panel.locator_params(axis="x", nbins=4)
        lines, limits = zip(*drawn, strict=True)
        return as_drawn(axes), {"lines": list(lines), "limits": list(limits)}


def _name(row):
    """What a parameter is called."""
    parameter, factor, effect, other = row[["parameter", "factor", "effect", "effect2"]]
    words = {
        "fixed effect": effect,
        "variance": f"sd({factor}: {effect})",
        "residual variance": "sd(Residual)",
        "covariance": f"cov({effect}, {other})",
        "correlation": f"corr({effect}, {other})",
    }
    return words[parameter]


def _curve(tables, k):
    """Zeta at the limits of all levels; ends of the range are none."""
    rows = pd.DataFrame([table.iloc[k] for table in tables]).reset_index(drop=True)
    target = stats.norm.ppf(0.5 + np.array(LEVELS) / 2.0)
    low, high, centre = (rows[c].to_numpy(float) for c in ("ci_low", "ci_high", "estimate"))
    values = np.concatenate([low[::-1], centre[:1], high])
    values = np.sqrt(values) if rows["parameter"].iloc[0] in VARIANCES else values
    zeta = np.concatenate([-target[::-1], [0.0], target])
    value, first, count = np.unique(values, return_index=True, return_counts=True)
    kept = np.sort(first[np.isfinite(value) & (count == 1)])
    return pd.DataFrame({"value": values[kept], "zeta": zeta[kept]})


def _draw_zeta(ax, curve, style):
    value, zeta = curve["value"], curve["zeta"]
    x = np.linspace(value.iloc[0], value.iloc[-1], FINE)
    (line,) = ax.plot(x, PchipInterpolator(value, zeta)(x), **style)
    ax.axhline(0.0, color=GREY, lw=0.8, ls="--")
    ends = _marked(curve)
    limits = ax.vlines(ends["value"], 0.0, ends["zeta"], color=ORANGE, lw=1.4)
    return line, limits


def _draw_density(ax, curve, style):
    value = curve["value"]
    zeta = PchipInterpolator(value, curve["zeta"])
    slope = zeta.derivative()
    x = np.linspace(value.iloc[0], value.iloc[-1], FINE)
    (line,) = ax.plot(x, stats.norm.pdf(zeta(x)) * slope(x), **style)
    ends = _marked(curve)
    heights = stats.norm.pdf(ends["zeta"]) * slope(ends["value"])
    limits = ax.vlines(ends["value"], 0.0, heights, color=ORANGE, lw=1.4)
    ax.set_ylim(bottom=0.0)
    return line, limits


def _marked(curve):
    """The limits of 95 %."""
    target = stats.norm.ppf(0.5 + MARKED / 2.0)
    return curve[np.isclose(np.abs(curve["zeta"]), target)]


DRAWN: dict[str, Callable] = {"zeta": _draw_zeta, "density": _draw_density}
