"""What the splitters share: grouping columns of X, or labels that are passed beside it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from sklearn.model_selection import BaseCrossValidator
from sklearn.utils.validation import _num_samples, indexable

from .._data.grouping import as_table, complete_labels, group_table, named

Split = tuple[np.ndarray, np.ndarray]


class GroupedSplitter(BaseCrossValidator):
    """Base class of the splitters."""

    # requested by default, as scikit-learn's GroupKFold does
    __metadata_request__split = {"groups": True}

    n_splits: int
    groups: Any

    def get_metadata_routing(self) -> Any:
        """Requests of this splitter.

        ``groups=`` is not requested where columns of X are named instead.
        """
        routing = super().get_metadata_routing()
        if self.groups is not None and routing.split.requests.get("groups") is True:
            routing.split.add_request(param="groups", alias=False)
        return routing

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Number of splits.

        Parameters
        ----------
        X, y, groups : object, default=None
            Not used.

        Returns
        -------
        int

        Examples
        --------
        >>> from skmixed.model_selection import KnownGroupsKFold
        >>> KnownGroupsKFold(3).get_n_splits()
        3
        """
        return self.n_splits

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Iterator[Split]:
        """Rows of the training and test sets.

        Parameters
        ----------
        X : table or array of shape (n_rows, n_columns)
        y : array-like of shape (n_rows,), default=None
            Not used.
        groups : array-like of shape (n_rows,) or (n_rows, n_factors), default=None
            Labels, where the constructor names no columns.

        Returns
        -------
        iterator of (train, test)
            Positions of rows, two arrays per split.

        Raises
        ------
        ValueError
            Without groups, with groups given twice, for missing labels, and for too few rows or
            groups.

        Examples
        --------
        >>> from skmixed.datasets import make_mixed_regression
        >>> from skmixed.model_selection import NewGroupsKFold
        >>> X, y = make_mixed_regression(n_groups=6, random_state=0)
        >>> train, test = next(NewGroupsKFold(3, groups="group").split(X))
        >>> set(X["group"][train]) & set(X["group"][test])
        set()
        """
        indexable(X, y)
        return self._splits(X, self._labels(X, groups))

    def _labels(self, X: Any, groups: Any) -> dict[str, Any]:
        """Labels of every grouping column, by name."""
        owner = type(self).__name__
        if self.groups is None and groups is None:
            raise ValueError(
                f"groups: {owner} got none.\n"
                f"Name columns of X, {owner}(groups='id'), or pass groups= to split."
            )
        if self.groups is None:
            return complete_labels(group_table(groups), _num_samples(X))
        if groups is not None:
            raise ValueError(
                f"groups= was passed, but {owner}(groups={self.groups!r}) takes them from columns "
                "of X.\nGive one of the two, not both."
            )
        table = as_table(X)
        keys = named("groups", self.groups, table)
        return complete_labels({str(key): table.labels(key) for key in keys}, len(table))

    def _splits(self, X: Any, labels: dict[str, Any]) -> Iterator[Split]:
        raise NotImplementedError


def check_n_splits(n_splits: Any, least: int = 2) -> int:
    """A whole number of splits."""
    return check_whole("n_splits", n_splits, least)


def check_whole(name: str, value: Any, least: int) -> int:
    """A whole number that is not too small."""
    if not isinstance(value, int | np.integer) or isinstance(value, bool):
        raise TypeError(f"{name}={value!r} is not a whole number.\nGive a number, such as 5.")
    if value < least:
        raise ValueError(f"{name}={value!r} is too few.\nUse at least {least}.")
    return int(value)


def parted(train: Any, test: Any, k: int, advice: str) -> Split:
    """Positions for masks; none may be empty."""
    for name, mask in (("training", train), ("test", test)):
        if not mask.any():
            raise ValueError(f"n_splits: the {name} set of split {k} has no rows.\n{advice}")
    return np.flatnonzero(train), np.flatnonzero(test)
