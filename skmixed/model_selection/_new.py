"""Folds in which every group of the test set is new."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from .._data.factors import encode
from ._groups import GroupedSplitter, Split, check_n_splits, parted

__all__ = ["NewGroupsKFold"]


class NewGroupsKFold(GroupedSplitter):
    """Folds in which no group of the test set has rows in the training set.

    How well are rows of new groups predicted?  Whole groups are held out, so that folds have about
    the same number of rows.  With several grouping columns the levels of each are new.  Columns
    that are nested in another (classes in schools) follow it.  Where columns are crossed (pupils
    and items) the levels of each are dealt out, a test set has the rows all of whose levels are
    held out, the training set those none of whose are, and the others are in neither.

    Parameters
    ----------
    n_splits : int, default=5
        Number of folds, at least 2.
    groups : str, int or list of them, default=None
        Columns of X, by name or position; None: labels are passed as ``groups=``.
    shuffle : bool, default=False
        Whether groups are dealt out at random, without regard to their sizes.
    random_state : int, RandomState or None, default=None
        Seed of the shuffle.

    See Also
    --------
    KnownGroupsKFold : Groups of the test set are known.
    sklearn.model_selection.GroupKFold : The same for one column of labels.

    Examples
    --------
    >>> from skmixed.datasets import make_mixed_regression
    >>> from skmixed.model_selection import NewGroupsKFold
    >>> X, y = make_mixed_regression(n_groups=5, rows_per_group=2, random_state=0)
    >>> for train, test in NewGroupsKFold(3, groups="group").split(X):
    ...     print(sorted(set(X["group"][test])))
    [0, 3]
    [1, 4]
    [2]
    """

    def __init__(
        self,
        n_splits: int = 5,
        *,
        groups: str | int | list[str | int] | None = None,
        shuffle: bool = False,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.n_splits = check_n_splits(n_splits)
        self.groups = groups
        self.shuffle = shuffle
        self.random_state = random_state

    def _splits(self, X: Any, labels: dict[str, Any]) -> Iterator[Split]:
        codes = {name: encode(column)[0] for name, column in labels.items()}
        rng = check_random_state(self.random_state) if self.shuffle else None
        outermost = _without_nested(codes)
        folds = [self._dealt(name, outermost[name], rng)[outermost[name]] for name in outermost]
        for k in range(self.n_splits):
            held_out = np.array([fold == k for fold in folds])
            yield parted(
                ~held_out.any(axis=0), held_out.all(axis=0), k, "Use fewer splits, or one column."
            )

    def _dealt(self, name: str, codes: np.ndarray, rng: Any) -> np.ndarray:
        """The fold of every level."""
        sizes = np.bincount(codes)
        if len(sizes) < self.n_splits:
            raise ValueError(
                f"n_splits={self.n_splits}: {name!r} has {len(sizes)} levels only.\n"
                "Use as many splits as levels, or fewer."
            )
        fold = np.empty(len(sizes), dtype=int)
        if rng is not None:
            fold[rng.permutation(len(sizes))] = np.arange(len(sizes)) % self.n_splits
            return fold
        rows = np.zeros(self.n_splits)
        for level in np.argsort(-sizes, kind="stable"):  # the largest first, to the lightest fold
            fold[level] = k = int(np.argmin(rows))
            rows[k] += sizes[level]
        return fold


def _without_nested(codes: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Columns without those each of whose levels lies in one level of another that stays."""
    kept = dict(codes)
    for name in sorted(codes, key=lambda name: -codes[name].max(initial=0)):
        others = [other for key, other in kept.items() if key != name]
        if any(_is_nested(codes[name], other) for other in others):
            del kept[name]
    return kept


def _is_nested(inner: np.ndarray, outer: np.ndarray) -> bool:
    pairs = np.unique(inner.astype(np.int64) * (outer.max(initial=0) + 1) + outer)
    return len(pairs) == inner.max(initial=-1) + 1
