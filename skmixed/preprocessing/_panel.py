"""What a table of grouped rows is like: sizes of the groups, gaps in time, and what varies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from .._data.factors import encode
from .._data.grouping import as_table, combined, complete_labels, named

__all__ = ["PanelDescription", "Times", "describe_panel"]

SHOWN = 12  # names in a line


@dataclass(frozen=True)
class Times:
    """How the rows of the groups lie in time.

    Attributes
    ----------
    name : str
        The column.
    first, last : object
        Earliest and latest time of all rows.
    n_times : int
        Number of different times.
    step : object
        The most common difference between two rows of a group; None where there is none.
    n_gaps : int
        Groups in which some difference is larger than the step.
    n_repeated : int
        Groups that have a time twice.
    n_complete : int
        Groups with a row at every time.
    """

    name: str
    first: Any
    last: Any
    n_times: int
    step: Any
    n_gaps: int
    n_repeated: int
    n_complete: int


@dataclass(frozen=True, repr=False)
class PanelDescription:
    """What :func:`describe_panel` found; printed in a few lines.

    Attributes
    ----------
    name : str
        The grouping columns.
    n_rows, n_groups : int
    sizes : ndarray of shape (n_groups,)
        Rows of every group.
    times : Times or None
    table : DataFrame
        A row per column of the data.
    """

    name: str
    n_rows: int
    n_groups: int
    sizes: np.ndarray
    times: Times | None
    table: pd.DataFrame

    def to_frame(self) -> pd.DataFrame:
        """A row per column, a table to work with.

        Returns
        -------
        DataFrame
            Indexed by column: ``varies``, ``n_varying`` (groups in which it has several values),
            ``n_values``, ``n_missing``, and for numbers ``mean``, ``sd``, ``sd_between`` (of the
            means of the groups) and ``sd_within`` (of the deviations from them),
            as Stata's ``xtsum``.

        Examples
        --------
        >>> from skmixed.datasets import make_mixed_regression
        >>> from skmixed.preprocessing import describe_panel
        >>> X, y = make_mixed_regression(n_groups=5, random_state=0)
        >>> describe_panel(X, "group").to_frame()["n_varying"].to_dict()
        {'x0': 5, 'x1': 5}
        """
        return self.table.copy()

    def __repr__(self) -> str:
        n = self.sizes
        lines = [
            f"{self.n_rows:,} rows in {self.n_groups:,} groups of {self.name}: "
            f"{n.min()} to {n.max()} rows, {n.mean():.1f} on average; "
            f"{int(np.sum(n == 1)):,} of one row"
        ]
        if self.times is not None:
            lines.append(_times_in_words(self.times))
        varies = self.table["varies"].astype(bool)
        for words, rows in (("varies within", varies), ("the same within", ~varies)):
            if rows.any():
                lines.append(f"{words} groups: {_names_in_words(self.table[rows])}")
        return "\n".join(lines)


def describe_panel(
    df: Any, groups: str | int | list[str | int], time: str | int | None = None
) -> PanelDescription:
    """Say which columns vary within groups, how large the groups are, and where times are missing.

    A column that is the same in all rows of a group cannot have a random slope over these groups,
    nor a coefficient in a model with fixed effects of them.

    Parameters
    ----------
    df : table or array of shape (n_rows, n_columns)
    groups : str, int or list of them
        Columns whose combinations are the groups, by name or position.
    time : str or int, default=None
        Column with numbers or dates.

    Returns
    -------
    PanelDescription

    Raises
    ------
    ValueError
        For unknown columns, missing labels, and times that are missing or text.

    Examples
    --------
    >>> import pandas as pd
    >>> from skmixed.preprocessing import describe_panel
    >>> df = pd.DataFrame({"id": [1, 1, 1, 2, 2], "year": [0, 1, 3, 0, 1]})
    >>> df = df.assign(age=[5, 6, 8, 4, 5], sex=list("ffmmm"))
    >>> describe_panel(df, "id", time="year")
    5 rows in 2 groups of id: 2 to 3 rows, 2.5 on average; 0 of one row
    year: 0 to 3, 3 different times, usual step 1; longer steps in 1 group; 1 group complete
    varies within groups: age (2), sex (1)
    """
    table = as_table(df)
    if not len(table):
        raise ValueError("df has no rows.\nPass a table with at least one.")
    keys = named("groups", groups, table)
    labels = complete_labels({str(key): table.labels(key) for key in keys}, len(table))
    factor, codes = combined(labels)
    m = factor.n_levels
    times, skipped = None, set(keys)
    if time is not None:
        name = named("time", time, table)[0]
        times = _times(str(name), table.column(name), codes, m)
        skipped.add(name)
    rows = {
        n: _column(table.column(n), table.labels(n), codes, m)
        for n in table.names
        if n not in skipped
    }
    found = pd.DataFrame.from_dict(rows, orient="index", columns=COLUMNS)
    sizes = np.bincount(codes, minlength=m)
    return PanelDescription(factor.name, len(table), m, sizes, times, found)


COLUMNS = ["varies", "n_varying", "n_values", "n_missing", "mean", "sd", "sd_between", "sd_within"]


def _column(values: Any, labels: Any, codes: np.ndarray, m: int) -> list[Any]:
    """A row of the table."""
    places, levels = encode(labels)
    known = places >= 0
    low, high = np.full(m, len(levels)), np.full(m, -1)
    np.minimum.at(low, codes[known], places[known])
    np.maximum.at(high, codes[known], places[known])
    varying = int(np.sum(high > low))
    numbers = levels[places[known]] if levels.dtype.kind in "iuf" else None
    moments = [np.nan] * 4 if numbers is None else _moments(numbers, codes[known], m)
    return [varying > 0, varying, len(levels), int(np.sum(~known)), *moments]


def _moments(x: np.ndarray, codes: np.ndarray, m: int) -> list[float]:
    """Mean, and standard deviations of all, of the means of groups, and around these."""
    x = x.astype(np.float64)
    counts = np.bincount(codes, minlength=m)
    means = np.bincount(codes, weights=x, minlength=m) / np.maximum(counts, 1)
    within = x - means[codes]
    n, k = len(x), int(np.sum(counts > 0))
    spread: list[Any] = [
        np.sum((x - x.mean()) ** 2) / max(n - 1, 1) if n else np.nan,
        np.var(means[counts > 0], ddof=1) if k > 1 else np.nan,
        np.sum(within**2) / max(n - 1, 1) if n else np.nan,
    ]
    return [float(x.mean()) if n else np.nan, *np.sqrt(np.array(spread)).tolist()]


def _times(name: str, values: Any, codes: np.ndarray, m: int) -> Times:
    t = pd.Series(np.asarray(values))
    if t.isna().any() or t.dtype.kind not in "iufMm":
        what = (
            f"is missing in {int(t.isna().sum())} rows"
            if t.isna().any()
            else "is no number or date"
        )
        raise ValueError(
            f"time: column {name!r} {what}.\nUse a column of numbers or dates without gaps."
        )
    rows = pd.DataFrame({"g": codes, "t": t}).sort_values(["g", "t"])
    steps = rows["t"].diff()[rows["g"].eq(rows["g"].shift())]
    owners = rows["g"][steps.index]
    forward = steps != steps.iloc[:0].sum() if len(steps) else steps.astype(bool)
    usual = steps[forward].mode()
    step = usual.iloc[0] if len(usual) else None
    longer = forward & (steps > step) if step is not None else forward
    different = rows.drop_duplicates().groupby("g").size()
    return Times(
        name=name,
        first=t.min(),
        last=t.max(),
        n_times=int(t.nunique()),
        step=step,
        n_gaps=int(owners[longer].nunique()),
        n_repeated=int(owners[~forward].nunique()),
        n_complete=int(np.sum(different == t.nunique())),
    )


def _times_in_words(times: Times) -> str:
    first, last, step = (_short(value) for value in (times.first, times.last, times.step))
    words = f"{times.name}: {first} to {last}, {times.n_times:,} different times"
    if times.step is not None:
        words += f", usual step {step}; longer steps in {_groups(times.n_gaps)}"
    words += f"; {_groups(times.n_complete)} complete"
    return words + (f"; a time twice in {_groups(times.n_repeated)}" if times.n_repeated else "")


def _groups(n: int) -> str:
    return f"{n:,} group" + ("" if n == 1 else "s")


def _short(value: Any) -> str:
    if isinstance(value, pd.Timestamp):
        return str(value.date()) if value == value.normalize() else str(value)
    if isinstance(value, pd.Timedelta):
        return str(value).removesuffix(" 00:00:00")
    return f"{value:,g}" if isinstance(value, float | np.floating) else str(value)


def _names_in_words(rows: pd.DataFrame) -> str:
    counts = [f" ({n:,})" if n else "" for n in rows["n_varying"]]
    names = [f"{name}{count}" for name, count in zip(rows.index, counts, strict=True)]
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
