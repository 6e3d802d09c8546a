"""Power by the size of the design."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from ..inference._power.power import power
from ..inference._power.result import PowerResult
from ._base import COLOURS, GREY, Display

__all__ = ["PowerDisplay"]


class PowerDisplay(Display):
    """Power against the number of groups, a line for every group size, with Monte-Carlo limits.

    Parameters
    ----------
    result : PowerResult
        What :func:`skmixed.inference.power` found.
    target : float, default=0.8
        Where the dashed line is.

    Attributes
    ----------
    ax_ : Axes
    figure_ : Figure
    artists_ : dict
        "lines", an errorbar container per group size, and "target".

    Examples
    --------
    >>> from skmixed import MixedLinearRegressor
    >>> from skmixed.datasets import make_mixed_regression
    >>> from skmixed.displays import PowerDisplay
    >>> from skmixed.inference import power
    >>> X, y = make_mixed_regression(n_groups=10, random_state=0)
    >>> pilot = MixedLinearRegressor(groups="group").fit(X, y)
    >>> found = power(pilot, {"x0": 0.3}, n_groups=[10, 20], n_samples=50, random_state=0)
    >>> PowerDisplay(found).plot().ax_.get_xlabel()
    'number of groups'
    """

    def __init__(self, result: PowerResult, *, target: float = 0.8):
        self.result = result
        self.target = target

    @classmethod
    def from_estimator(
        cls,
        est: Any,
        effect: str | Mapping[str, float] = "",
        *,
        target: float = 0.8,
        options: Mapping[str, Any] | None = None,
        ax: Any = None,
        **kwargs: Any,
    ) -> Self:
        """Simulate, and draw.

        Parameters
        ----------
        est : fitted estimator, or StudyDesign
            As in :func:`skmixed.inference.power`.
        effect : str or dict
            As there.
        target : float, default=0.8
            Where the dashed line is.
        options : dict, default=None
            Further arguments of :func:`skmixed.inference.power`, such as ``n_groups``.
        ax : matplotlib Axes, default=None
            Where to draw.
        **kwargs
            Properties of the lines.

        Returns
        -------
        PowerDisplay

        Raises
        ------
        ValueError
            As :func:`skmixed.inference.power`.

        Examples
        --------
        >>> from skmixed import MixedLinearRegressor
        >>> from skmixed.datasets import make_mixed_regression
        >>> from skmixed.displays import PowerDisplay
        >>> X, y = make_mixed_regression(n_groups=10, random_state=0)
        >>> pilot = MixedLinearRegressor(groups="group").fit(X, y)
        >>> sizes = {"n_groups": [10, 20], "n_samples": 20, "random_state": 0}
        >>> PowerDisplay.from_estimator(pilot, {"x0": 0.3}, options=sizes).ax_.get_ylabel()
        'power to find x0'
        """
        return cls(power(est, effect, **(options or {})), target=target).plot(ax, **kwargs)

    def _draw(self, ax, **kwargs):
        lines = []
        sizes = list(self.result.table.groupby("group_size"))
        for k, (size, rows) in enumerate(sizes):
            rows = rows.sort_values("n_groups")
            spread = [rows["power"] - rows["ci_low"], rows["ci_high"] - rows["power"]]
            style = {
                "color": COLOURS[k % len(COLOURS)],
                "marker": "o",
                "ms": 4,
                "lw": 1.6,
                "elinewidth": 1.0,
                "label": f"{size:.4g}",
            }
            lines.append(ax.errorbar(rows["n_groups"], rows["power"], spread, **(style | kwargs)))
        target = ax.axhline(self.target, color=GREY, lw=0.8, ls="--")
        ax.set(ylim=(0.0, 1.02), xlabel="number of groups")
        ax.set_ylabel(f"power to find {self.result.effect}")
        if len(sizes) > 1:
            ax.legend(title="rows per group", loc="lower right", frameon=False)
        return ax, {"lines": lines, "target": [target]}
