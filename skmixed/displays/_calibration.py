"""Predicted means of groups against observed ones."""

from __future__ import annotations

from typing import Any, Literal, Self

import numpy as np
import pandas as pd
from scipy import stats

from .._data.checks import check_choice, check_level
from .._fit.model import FittedModel
from ..inference._arguments import fitted_model
from ._base import BLUE, GREY, Display, factor_of, response_label, thinned

__all__ = ["CalibrationByGroupDisplay"]

GIVEN = ("conditional", "population")


class CalibrationByGroupDisplay(Display):
    """Mean prediction and mean response of the rows of every level, with limits of the latter.

    Limits say how far the mean of the rows of a level may be from its expectation: by the residual
    variance of a regressor, Wilson's for the share of a classifier.  Of more than 200 levels some,
    evenly spread along the predictions, have theirs drawn.

    Parameters
    ----------
    table : DataFrame
        ``level, n, predicted, observed, ci_low, ci_high``.
    factor, response : str
        What levels and responses are called.
    level : float, default=0.95
        Of the limits.

    Attributes
    ----------
    ax_ : Axes
    figure_ : Figure
    artists_ : dict
        "points", "bars" and "line", a list each.

    Examples
    --------
    >>> from skmixed import MixedLogisticClassifier
    >>> from skmixed.datasets import make_mixed_classification
    >>> from skmixed.displays import CalibrationByGroupDisplay
    >>> X, y = make_mixed_classification(random_state=0)
    >>> model = MixedLogisticClassifier(groups="group").fit(X, y)
    >>> CalibrationByGroupDisplay.from_estimator(model).ax_.get_ylabel()
    'observed share of y = 1'
    """

    def __init__(self, table: pd.DataFrame, *, factor: str, response: str, level: float = 0.95):
        self.table = table
        self.factor = factor
        self.response = response
        self.level = level

    @classmethod
    def from_estimator(
        cls,
        est: Any,
        factor: str | None = None,
        given: Literal["conditional", "population"] = "conditional",
        level: float = 0.95,
        *,
        ax: Any = None,
        **kwargs: Any,
    ) -> Self:
        """Draw the means of the levels of a fitted model.

        Parameters
        ----------
        est : MixedLinearRegressor or MixedLogisticClassifier
            Fitted: its training rows are needed, or chunks that can be read again.
        factor : str, default=None
            Grouping factor; the first one by default.
        given : {"conditional", "population"}, default="conditional"
            Predictions with the effects of the levels, or with all of them at zero: what the fixed
            effects tell apart.
        level : float, default=0.95
            Of the limits.
        ax : matplotlib Axes, default=None
            Where to draw.
        **kwargs
            Properties of the points.

        Returns
        -------
        CalibrationByGroupDisplay

        Raises
        ------
        ValueError
            For a model without random effects, unknown names, and a level that is not between 0 and
            1.
        AttributeError
            Where the training rows are not kept, as in a pickled model.

        Notes
        -----
        The rows of a model of chunks are read again, part by part.

        Examples
        --------
        >>> from skmixed import MixedLinearRegressor
        >>> from skmixed.datasets import make_mixed_regression
        >>> from skmixed.displays import CalibrationByGroupDisplay
        >>> X, y = make_mixed_regression(random_state=0)
        >>> model = MixedLinearRegressor(groups="group").fit(X, y)
        >>> len(CalibrationByGroupDisplay.from_estimator(model, given="population").table)
        100
        """
        model = fitted_model(est)
        f = factor_of(model, cls.__name__, factor)
        check_choice("given", given, GIVEN)
        table = _means(model, f, given, check_level(level))
        response = response_label(model)
        factor = model.names.factors[f]
        return cls(table, factor=factor, response=response, level=level).plot(ax, **kwargs)

    @property
    def _size(self):
        return 5.4, 5.2

    def _draw(self, ax, **kwargs):
        table = self.table.sort_values("predicted", kind="stable")
        some = table.iloc[thinned(len(table))]
        bars = ax.vlines(
            some["predicted"], some["ci_low"], some["ci_high"], color=BLUE, lw=0.9, alpha=0.45
        )
        few = len(table) <= len(some)
        style = {"color": BLUE, "s": 16 if few else 5, "alpha": 0.9 if few else 0.25} | kwargs
        points = ax.scatter(table["predicted"], table["observed"], linewidths=0, **style)
        line = ax.axline((table["predicted"].iloc[0],) * 2, slope=1.0, color=GREY, lw=1, zorder=0)
        what = self.response.replace("probability", "share")
        what = what if what != self.response else f"mean {what}"
        ax.set(xlabel=f"predicted {what}", ylabel=f"observed {what}")
        ax.set_title(f"{len(table):,} levels of {self.factor}", fontsize=10)
        return ax, {"points": [points], "bars": [bars], "line": [line]}


def _means(model: FittedModel, f: int, given: str, level: float) -> pd.DataFrame:
    """Of the rows of every level that has some."""
    m = len(model.names.levels[f])
    n, predicted, observed = np.zeros((3, m))
    for part in model.parts():
        rows, codes = part.read()
        known = codes if given == "conditional" else model.reader.unknown(rows)
        mean = model.fit.family.mean(model.predictor(rows, known))
        w = part.known_weights
        n += np.bincount(codes[f], w, m)
        predicted += np.bincount(codes[f], w * mean, m)
        observed += np.bincount(codes[f], w * part.y, m)
    predicted /= n
    observed /= n
    z = stats.norm.ppf(0.5 + level / 2.0)
    low, high = LIMITS[model.fit.family.has_residual](model, observed, n, z)
    columns = {"n": n, "predicted": predicted, "observed": observed, "ci_low": low, "ci_high": high}
    return pd.DataFrame({"level": np.asarray(model.names.levels[f], dtype=object), **columns})


def _normal(model, observed, n, z):
    half = z * np.sqrt(model.fit.sigma2 / n)
    return observed - half, observed + half


def _wilson(model, observed, n, z):
    """Wilson (1927), Probable inference, the law of succession, and statistical inference."""
    centre = (observed + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z * np.sqrt(observed * (1 - observed) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    return centre - half, centre + half


#: by whether there is a residual variance
LIMITS = {True: _normal, False: _wilson}
