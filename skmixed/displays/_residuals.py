"""Residuals of the rows of the fit."""

from __future__ import annotations

from typing import Any, Literal, Self

import pandas as pd

from .._data.checks import check_choice
from .._fit.parts import in_memory, words_of_rows
from ..inference._arguments import fitted_model
from ._base import Display
from ._residual_kinds import KINDS

__all__ = ["ResidualsDisplay"]


class ResidualsDisplay(Display):
    """Residuals of the rows of the fit, as one of several pictures.

    Parameters
    ----------
    data : DataFrame
        What is drawn: rows, quantiles, levels or bins.
    kind : {"fitted", "qq", "scale", "group", "binned"}
        Which picture.
    labels : pair of str
        Of the horizontal and of the vertical axis.
    rows : str, default=""
        How many rows were looked at, where these are not all.

    Attributes
    ----------
    ax_ : Axes
    figure_ : Figure
    artists_ : dict
        By what they show: "rows" and "trend", "points", "medians" and "quartiles", "limits", and so
        on, a list each.

    Examples
    --------
    >>> from skmixed import MixedLinearRegressor
    >>> from skmixed.datasets import make_mixed_regression
    >>> from skmixed.displays import ResidualsDisplay
    >>> X, y = make_mixed_regression(random_state=0)
    >>> model = MixedLinearRegressor(groups="group").fit(X, y)
    >>> display = ResidualsDisplay.from_estimator(model, "qq")
    >>> display.ax_.get_xlabel()
    'normal quantile'
    """

    def __init__(self, data: pd.DataFrame, *, kind: str, labels: tuple[str, str], rows: str = ""):
        self.data = data
        self.kind = kind
        self.labels = labels
        self.rows = rows

    @classmethod
    def from_estimator(
        cls,
        est: Any,
        kind: Literal["fitted", "qq", "scale", "group", "binned"] | None = None,
        factor: str | None = None,
        *,
        ax: Any = None,
        **kwargs: Any,
    ) -> Self:
        """Draw the residuals of a fitted model.

        Parameters
        ----------
        est : MixedLinearRegressor or MixedLogisticClassifier
            Fitted: its training rows are needed, or chunks that can be read again.
        kind : {"fitted", "qq", "scale", "group", "binned"}, default=None
            "fitted": standardised residuals against fitted values; "qq": against normal quantiles;
            "scale": the roots of their absolute values against fitted values; "group": their
            quartiles in every level of a factor; "binned": means of bins of fitted values.  None:
            "binned" for a classifier, whose single residuals have two values for a fitted one,
            "fitted" for a regressor.
        factor : str, default=None
            Of "group": a grouping factor, the first one by default.
        ax : matplotlib Axes, default=None
            Where to draw.
        **kwargs
            Properties of the points, or of the hexagons that count more than 3,000 rows.

        Returns
        -------
        ResidualsDisplay

        Raises
        ------
        ValueError
            For unknown kinds and factors, and "qq", "scale" and "group" of a classifier.
        AttributeError
            Where the training rows are not kept, as in a pickled model.

        Notes
        -----
        Of a model of chunks the rows are read again, at most 100,000 of them, evenly spread.

        Examples
        --------
        >>> from skmixed import MixedLogisticClassifier
        >>> from skmixed.datasets import make_mixed_classification
        >>> from skmixed.displays import ResidualsDisplay
        >>> X, y = make_mixed_classification(random_state=0)
        >>> model = MixedLogisticClassifier(groups="group").fit(X, y)
        >>> ResidualsDisplay.from_estimator(model).kind
        'binned'
        """
        model = fitted_model(est)
        is_linear = model.fit.family.has_residual
        kind = kind or ("fitted" if is_linear else "binned")
        picture = KINDS[check_choice("kind", kind, KINDS)]
        if not (is_linear or picture.for_outcomes):
            raise ValueError(
                f"kind={kind!r}: residuals of zeros and ones are not normal, and their variance "
                "goes with the fitted values.\nUse kind='binned', or CalibrationByGroupDisplay."
            )
        some = in_memory(model)
        data = picture.compute(some, factor)
        labels = picture.labels(model, factor)
        rows = words_of_rows(model, some)
        return cls(data, kind=kind, labels=labels, rows=rows).plot(ax, **kwargs)

    @property
    def _size(self):
        return KINDS[self.kind].size

    def _draw(self, ax, **kwargs):
        ax.set(xlabel=self.labels[0], ylabel=self.labels[1])
        if self.rows:
            ax.set_title(self.rows, fontsize=10)
        return ax, KINDS[self.kind].draw(ax, self.data, kwargs)
