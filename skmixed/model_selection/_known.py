"""Folds in which every group of the test set is known from the training set."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from .._data.factors import encode
from ._groups import GroupedSplitter, Split, check_n_splits, parted

__all__ = ["KnownGroupsKFold"]


class KnownGroupsKFold(GroupedSplitter):
    """Folds in which every group of the test set has rows in the training set.

    How well are further rows of the same groups predicted?  The rows of each group are dealt out
    over the folds.  A row that is the only one of its group cannot be tested so: it is in every
    training set and in no test set.  With several grouping columns the levels of each are known.

    Parameters
    ----------
    n_splits : int, default=5
        Number of folds, at least 2.
    groups : str, int or list of them, default=None
        Columns of X, by name or position; None: labels are passed as ``groups=``.
    shuffle : bool, default=True
        Whether rows of a group are dealt out in random order.
    random_state : int, RandomState or None, default=None
        Seed of the shuffle.

    See Also
    --------
    NewGroupsKFold : Groups of the test set are new.

    Examples
    --------
    >>> from skmixed.datasets import make_mixed_regression
    >>> from skmixed.model_selection import KnownGroupsKFold
    >>> X, y = make_mixed_regression(n_groups=4, rows_per_group=5, random_state=0)
    >>> for train, test in KnownGroupsKFold(3, groups="group", random_state=0).split(X):
    ...     print(len(train), len(test), set(X["group"][test]) <= set(X["group"][train]))
    13 7 True
    13 7 True
    14 6 True
    """

    def __init__(
        self,
        n_splits: int = 5,
        *,
        groups: str | int | list[str | int] | None = None,
        shuffle: bool = True,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.n_splits = check_n_splits(n_splits)
        self.groups = groups
        self.shuffle = shuffle
        self.random_state = random_state

    def _splits(self, X: Any, labels: dict[str, Any]) -> Iterator[Split]:
        codes = [encode(column)[0] for column in labels.values()]
        fold = self._dealt(codes, len(codes[0]))
        for k in range(self.n_splits):
            test = fold == k
            yield parted(~test, test, k, "Use fewer splits, or groups with more rows.")

    def _dealt(self, codes: list[np.ndarray], n: int) -> np.ndarray:
        """The fold of every row; -1 for rows that are never tested."""
        order = np.arange(n)
        if self.shuffle:
            order = check_random_state(self.random_state).permutation(n)
        alone = np.any([np.bincount(c)[c] == 1 for c in codes], axis=0)
        order = order[~alone[order]]
        finest_last = sorted(codes, key=lambda c: c.max(initial=0))
        order = order[np.lexsort([c[order] for c in finest_last])]
        fold = np.full(n, -1)
        fold[order] = np.arange(len(order)) % self.n_splits
        for c in codes:
            fold[_first_of_undivided(c, fold)] = -1
        return fold


def _first_of_undivided(codes: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """A row of every level whose rows are all in one fold."""
    m = codes.max(initial=-1) + 1
    low, high, first = np.full(m, len(fold)), np.full(m, -1), np.full(m, len(fold))
    np.minimum.at(low, codes, fold)
    np.maximum.at(high, codes, fold)
    np.minimum.at(first, codes, np.arange(len(fold)))
    return first[(low == high) & (low >= 0)]
