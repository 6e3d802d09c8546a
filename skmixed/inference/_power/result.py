"""Power by size of the design."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from ..._data.checks import check_level
from ..._report.words import html_of_text

COVERAGE = 0.95  # of the limits of a share
SIZE = ["n_groups", "group_size", "n_rows"]


@dataclass(frozen=True, eq=False, repr=False)
class PowerResult:
    """What :func:`power` found.

    Attributes
    ----------
    table : DataFrame
        As :meth:`to_frame` returns it.
    samples : DataFrame
        A row per sample: ``n_groups, group_size, n_rows, estimate, p_value, converged``; the
        estimate is NaN where several coefficients are tested together, or by a function.
    effect : str
        What was tested.
    alpha : float
        Level of the test.
    """

    table: pd.DataFrame
    samples: pd.DataFrame
    effect: str
    alpha: float

    def __repr__(self):
        n = int(self.table["n_samples"].max())
        head = f"Power to find {self.effect} at level {self.alpha:g}, {n:,} samples of each design:"
        figures = dict.fromkeys(("power", "std_error", "ci_low", "ci_high"), "{:.3f}".format)
        figures["group_size"] = "{:.4g}".format
        kept = [c for c in self.table if c not in ("n_samples", "n_failed")]
        kept += ["n_failed"] * bool(self.table["n_failed"].any())
        return f"{head}\n{self.table[kept].to_string(index=False, formatters=figures)}"

    def _repr_html_(self):
        return html_of_text(self)

    def to_frame(self) -> pd.DataFrame:
        """Everything in one table.

        Returns
        -------
        DataFrame
            A row per design: ``n_groups, group_size, n_rows, power``, its Monte-Carlo ``std_error``
            and Wilson's limits of 95 % ``ci_low, ci_high``, ``n_samples``, and ``n_failed``, fits
            without a p-value, which count as not found.

        Examples
        --------
        >>> from skmixed import MixedLinearRegressor
        >>> from skmixed.datasets import make_mixed_regression
        >>> from skmixed.inference import power
        >>> X, y = make_mixed_regression(n_groups=10, random_state=0)
        >>> pilot = MixedLinearRegressor(groups="group").fit(X, y)
        >>> found = power(pilot, {"x0": 0.2}, n_groups=[10, 20], n_samples=50, random_state=0)
        >>> found.to_frame()["n_groups"].to_list()
        [10, 20]
        """
        return self.table.copy()

    def smallest(self, power: float = 0.8) -> pd.DataFrame:
        """The smallest design of every group size that has enough power.

        Parameters
        ----------
        power : float, default=0.8
            What is enough.

        Returns
        -------
        DataFrame
            Rows of :meth:`to_frame`, one per group size that reaches it among the designs that were
            simulated; no row for one that does not.

        Raises
        ------
        ValueError
            Where ``power`` is not between 0 and 1.

        Examples
        --------
        >>> from skmixed import MixedLinearRegressor
        >>> from skmixed.datasets import make_mixed_regression
        >>> from skmixed.inference import power
        >>> X, y = make_mixed_regression(n_groups=10, random_state=0)
        >>> pilot = MixedLinearRegressor(groups="group").fit(X, y)
        >>> found = power(pilot, {"x0": 0.9}, n_groups=[10, 20], n_samples=50, random_state=0)
        >>> len(found.smallest(0.5))
        1
        """
        check_level(power)
        enough = self.table[self.table["power"] >= power].sort_values("n_groups")
        first = enough.drop_duplicates("group_size")
        return first.sort_values("group_size").reset_index(drop=True)


def rates(samples: pd.DataFrame, alpha: float) -> pd.DataFrame:
    """The share of p-values below alpha by size, with its error; none counts as above."""
    by_size = samples.assign(found=samples["p_value"] < alpha, none=samples["p_value"].isna())
    grouped = by_size.groupby(SIZE, sort=False)
    table = grouped["found"].mean().rename("power").reset_index()
    n = grouped.size().to_numpy()
    share = table["power"].to_numpy()
    low, high = _wilson(share, n)
    more = {
        "std_error": np.sqrt(share * (1.0 - share) / n),
        "ci_low": low,
        "ci_high": high,
        "n_samples": n,
        "n_failed": grouped["none"].sum().to_numpy(),
    }
    return table.assign(**more)


def _wilson(share, n):
    """Limits of a share (Wilson 1927), which are no point at 0 and 1."""
    z = stats.norm.isf((1.0 - COVERAGE) / 2.0)
    middle = (share + z**2 / (2 * n)) / (1.0 + z**2 / n)
    half = z / (1.0 + z**2 / n) * np.sqrt(share * (1.0 - share) / n + z**2 / (4 * n**2))
    return middle - half, middle + half
