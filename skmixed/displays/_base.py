"""What the displays share: how they are drawn, and the words and colours of their axes.

A display computes when it is made and draws when it is asked to: ``from_estimator`` does both, and
``plot`` draws the same numbers again.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Sequence
from typing import Any, Self

import numpy as np

from .._data.tables import unknown_column
from .._fit.model import FittedModel

#: Okabe and Ito (2008): told apart by colour-blind readers too
BLUE = "#0072B2"
ORANGE = "#D55E00"
GREEN = "#009E73"
PURPLE = "#CC79A7"
YELLOW = "#E69F00"
SKY = "#56B4E9"
GREY = "#777777"
COLOURS = (BLUE, ORANGE, GREEN, PURPLE, YELLOW, SKY)

MOST_NAMED = 40  # levels that have room for a name each
MOST_BARS = 200  # levels that are drawn of more
LONGEST_NAME = 24  # characters

#: endings of names of columns that cannot be anything but a unit
UNITS = {
    **{unit: unit for unit in ("ms", "sec", "hours", "days", "weeks", "months", "years")},
    **{unit: unit for unit in ("kg", "mg", "cm", "mm", "km")},
    "hrs": "hours",
    "yrs": "years",
    "pct": "%",
    "percent": "%",
    "mmhg": "mmHg",
    "usd": "USD",
    "eur": "EUR",
}
#: what comes before such an ending where it counts things and is no unit
COUNTING = {"n", "no", "nr", "num", "number", "count", "in", "of", "per"}


class Display(ABC):
    """A picture of what a fitted model says, in the manner of scikit-learn's displays.

    Attributes
    ----------
    ax_ : matplotlib Axes, or an array of them
    figure_ : matplotlib Figure
    artists_ : dict of lists of matplotlib artists
    """

    ax_: Any
    figure_: Any
    artists_: dict[str, list]

    @classmethod
    @abstractmethod
    def from_estimator(cls, est: Any, *, ax: Any = None, **kwargs: Any) -> Self:
        """Compute what is drawn, and draw it."""

    @abstractmethod
    def _draw(self, ax: Any, **kwargs: Any) -> tuple[Any, dict[str, list]]:
        """The axes that were drawn in, and what was drawn."""

    @property
    def _size(self) -> tuple[float, float]:
        """Of a figure of its own, in inches."""
        return (6.4, 4.8)

    def plot(self, ax: Any = None, **kwargs: Any) -> Self:
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; its place is divided where there are several panels.  None: in a figure
            of its own.
        **kwargs
            Properties of the main artists, such as ``color``.

        Returns
        -------
        Display
            With ``ax_``, ``figure_`` and ``artists_``.

        Raises
        ------
        ImportError
            Where matplotlib is not installed.

        Examples
        --------
        >>> from skmixed import MixedLinearRegressor
        >>> from skmixed.datasets import make_mixed_regression
        >>> from skmixed.displays import ResidualsDisplay
        >>> X, y = make_mixed_regression(random_state=0)
        >>> model = MixedLinearRegressor(groups="group").fit(X, y)
        >>> ResidualsDisplay.from_estimator(model).plot(color="black").ax_.get_xlabel()
        'fitted y'
        """
        pyplot = import_pyplot(type(self).__name__)
        if ax is None:
            ax = pyplot.subplots(figsize=self._size, layout="constrained")[1]
        self.figure_ = ax.figure
        self.ax_, self.artists_ = self._draw(ax, **kwargs)
        return self


def import_pyplot(owner: str) -> Any:
    """``matplotlib.pyplot``, or an error that says how to have it."""
    try:
        from matplotlib import pyplot
    except ImportError as error:
        raise ImportError(
            f"{owner} draws with matplotlib, which is not installed.\n"
            "Install it: python -m pip install matplotlib, or this package with its extra 'plots'."
        ) from error
    return pyplot


def panels(ax: Any, n: int, columns: int, **share: Any) -> list:
    """The place of some axes divided into n panels, row by row; the axes themselves for one."""
    if n == 1:
        return [ax]
    if ax.get_subplotspec() is None:
        raise ValueError(
            f"ax: {n} panels need the place of a subplot, and this was made without one.\n"
            "Pass an ax of pyplot.subplots(), or none."
        )
    rows = -(-n // columns)
    grid = ax.get_subplotspec().subgridspec(rows, columns)
    ax.set_axis_off()
    found = grid.subplots(squeeze=False, **share).ravel()
    for empty in found[n:]:
        empty.remove()
    return list(found[:n])


def as_drawn(axes: list) -> Any:
    """A single panel itself, several as an array."""
    return axes[0] if len(axes) == 1 else np.array(axes, dtype=object)


def label_of(name: Hashable) -> str:
    """The name of a column, with its unit in brackets where it ends in one."""
    text = str(name)
    stem, _, unit = text.rpartition("_")
    is_unit = unit.lower() in UNITS and len(stem) > 1
    if not is_unit or stem.rpartition("_")[2].lower() in COUNTING:
        return text
    return f"{stem} ({UNITS[unit.lower()]})"


def short(name: Hashable) -> str:
    """A name that has room beside an axis; long ones often differ at their ends only."""
    text = str(name)
    head = LONGEST_NAME // 3
    tail = LONGEST_NAME - 1 - head
    return text if len(text) <= LONGEST_NAME else f"{text[:head]}…{text[-tail:]}"


def binned(x: np.ndarray, n_bins: int) -> np.ndarray:
    """For every row which of so many bins of equally many rows it is in; ties stay together."""
    ends = np.quantile(x, np.linspace(0.0, 1.0, n_bins + 1)[1:-1])
    return np.unique(np.searchsorted(ends, x, side="left"), return_inverse=True)[1]


def thinned(n: int, most: int = MOST_BARS) -> np.ndarray:
    """Positions of at most so many of n sorted things, evenly spread, both ends among them."""
    return np.unique(np.linspace(0, n - 1, min(n, most)).round().astype(int))


def factor_of(model: FittedModel, owner: str, factor: str | None) -> int:
    """The position of a factor, the first one by default."""
    names = model.names.factors
    if not names:
        raise ValueError(
            f"{owner}: the model has no random effects.\n"
            "Fit it with groups='column', or with a term such as (1 | column)."
        )
    if factor is None:
        return 0
    if factor not in names:
        raise unknown_column("factor", factor, list(names))
    return names.index(factor)


def response_label(model: FittedModel) -> str:
    """What is predicted: the response, or the probability of an event."""
    name = label_of(model.names.response)
    return f"probability of {name} = {model.names.event}" if model.names.event else name


def positions_of(role: str, wanted: Any, names: Sequence) -> list[int]:
    """Positions of one name or of several; all for None."""
    if wanted is None:
        return list(range(len(names)))
    wanted = [wanted] if isinstance(wanted, str) else list(wanted)
    for name in wanted:
        if name not in names:
            raise unknown_column(role, name, list(names))
    return [list(names).index(name) for name in wanted]


def name_axis(ax: Any, names: Sequence, **options: Any) -> None:
    """Names of things at 0, 1, ... from the top of the vertical axis downwards."""
    ax.set_yticks(range(len(names)), [short(name) for name in names], **options)
    ax.set_ylim(len(names) - 0.4, -0.6)
