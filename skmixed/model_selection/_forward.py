"""From the past to the future within every group."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from .._data.columns import is_missing
from .._data.factors import encode
from .._data.grouping import as_table, combined, named
from ._groups import GroupedSplitter, Split, check_n_splits, check_whole, parted

__all__ = ["ForwardSplit"]

MOST_LOOKED_AT = 100
ISO_DATE = re.compile(r"\d{4}-?(\d\d|Q\d|W\d\d)")


class ForwardSplit(GroupedSplitter):
    """The last rows of every group are predicted from its earlier ones.

    How well are the next rows of the same groups predicted?  The last split tests the last
    ``test_size`` times of every group and trains on all of its times before, the split before it
    steps back by ``test_size``, and so on.  Rows of a group at the same time stay together.  Groups
    are as long as they are: one without earlier times is in no test set of that split.

    Parameters
    ----------
    n_splits : int, default=5
        Number of splits.
    groups : str, int or list of them, default=None
        Columns of X whose combinations are the groups, by name or position; None: labels are passed
        as ``groups=``.
    time : str or int, default=None
        Column of X that orders the rows of a group: numbers, dates, an ordered categorical, or text
        such as "2024-01-31", whose alphabetical order is that of time; None: their order in X.
    test_size : int, default=1
        Times of a group in a test set.

    See Also
    --------
    sklearn.model_selection.TimeSeriesSplit : One series, without groups.

    Examples
    --------
    >>> import pandas as pd
    >>> from skmixed.model_selection import ForwardSplit
    >>> X = pd.DataFrame({"id": [1, 1, 1, 1, 2, 2], "year": [0, 1, 2, 3, 0, 1]})
    >>> for train, test in ForwardSplit(2, groups="id", time="year").split(X):
    ...     print(train, test)
    [0 1] [2]
    [0 1 2 4] [3 5]
    """

    def __init__(
        self,
        n_splits: int = 5,
        *,
        groups: str | int | list[str | int] | None = None,
        time: str | int | None = None,
        test_size: int = 1,
    ) -> None:
        self.n_splits = check_n_splits(n_splits, 1)
        self.groups = groups
        self.time = time
        self.test_size = test_size

    def _splits(self, X: Any, labels: dict[str, Any]) -> Iterator[Split]:
        size = check_whole("test_size", self.test_size, 1)
        codes = combined(labels)[1]
        back, length = _counted_back(codes, self._times(X, len(codes)))
        for k in range(self.n_splits):
            later = (self.n_splits - 1 - k) * size
            train = back >= later + size
            test = (back >= later) & (back < later + size) & (length > later + size)
            advice = "Use fewer splits, a smaller test_size, or longer groups."
            yield parted(train, test, k, advice)

    def _times(self, X: Any, n: int) -> np.ndarray:
        """Whole numbers in the order of the times."""
        if self.time is None:
            return np.arange(n)
        table = as_table(X)
        name = named("time", self.time, table)[0]
        times = table.labels(name)
        if missing := int(np.sum(is_missing(times))):
            raise ValueError(
                f"time: column {name!r} is missing in {missing} rows.\n"
                "Drop these rows: nothing says what came before them."
            )
        _check_order(name, times)
        return encode(times)[0]


def _check_order(name: Any, times: Any) -> None:
    """Text has to be dates that begin with the year: 10 comes before 9 in the alphabet."""
    is_text = np.array([isinstance(time, str) for time in times[:MOST_LOOKED_AT]])
    if isinstance(times, pd.Categorical) or not np.any(is_text):
        return
    strange = next((time for time in times if not ISO_DATE.match(str(time))), None)
    if strange is not None:
        raise ValueError(
            f"time: column {name!r} holds text, {strange!r}, which the alphabet does not order in "
            "time.\nMake numbers or dates of it, or an ordered categorical."
        )


def _counted_back(codes: np.ndarray, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How many times of its group come after a row, and how many the group has."""
    order = np.lexsort([times, codes])
    g, t = codes[order], times[order]
    starts = np.append(True, g[1:] != g[:-1])
    steps = np.cumsum(starts | np.append(True, t[1:] != t[:-1]))
    rank = steps - steps[np.flatnonzero(starts)][np.cumsum(starts) - 1]
    last = np.zeros(codes.max(initial=0) + 1, dtype=int)
    np.maximum.at(last, g, rank)
    back, length = np.empty(len(codes), dtype=int), last[codes] + 1
    back[order] = last[g] - rank
    return back, length
