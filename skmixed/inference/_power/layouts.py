"""Rows of designs of any number of groups and rows per group.

A layout makes a table: from columns that are given in turn, or from the rows of a table, whose
groups and rows are repeated until there are enough.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import narwhals
import numpy as np
import pandas as pd

from ..._data.tables import unknown_column


class Laid(NamedTuple):
    """A design as ``fit`` takes it.

    Attributes
    ----------
    X, groups, sample_weight : as ``fit`` takes them
    """

    X: Any
    groups: Any = None
    sample_weight: Any = None


class Layout(Protocol):
    """What makes designs of any size."""

    def table(self, n_groups: int | None, group_size: int | None, rng: Any) -> Laid:
        """The rows of a design; None is as many as there are."""


@dataclass(frozen=True)
class InTurn:
    """Columns whose values come in turn: of the groups, and of the rows of each group.

    Attributes
    ----------
    columns : of the rows, by name
    group : name of the grouping column
    of_groups : columns of the groups, by name
    """

    columns: Mapping[Hashable, Any]
    group: Hashable
    of_groups: Mapping[Hashable, Any]

    def table(self, n_groups, group_size, rng):
        """The rows, group after group."""
        if n_groups is None:
            raise ValueError(
                f"n_groups: how many levels {self.group!r} has is not said.\n"
                "Give a number or a list of them, such as n_groups=[10, 20, 40]."
            )
        size = self._natural if group_size is None else group_size
        code = np.repeat(np.arange(n_groups), size)
        between = {c: _in_turn(v, n_groups, rng)[code] for c, v in self.of_groups.items()}
        place = np.tile(np.arange(size), n_groups)
        within = {
            name: _in_turn(values, len(code), rng)
            if callable(values)
            else _in_turn(values, size, rng)[place]
            for name, values in self.columns.items()
        }
        return Laid(pd.DataFrame({**between, **within, self.group: code}))

    @property
    def _natural(self):
        """As many rows as the longest column has values."""
        lengths = [len(v) for v in self.columns.values() if not callable(v)]
        if not lengths:
            raise ValueError(
                f"group_size: how many rows a level of {self.group!r} has is not said.\n"
                "Give a number or a list of them, such as group_size=[10, 20]."
            )
        return max(lengths)


def _in_turn(values, n, rng):
    """n values: drawn, or those of a list in turn."""
    if callable(values):
        return np.asarray(values(rng, n))
    known = np.asarray(values)
    return known[np.arange(n) % len(known)]


@dataclass(frozen=True)
class Repeated:
    """Rows of a table: groups come again with new labels, and rows again within their group.

    Attributes
    ----------
    X : the table
    labels : of the grouping columns, by name; those that are columns of X are changed there
    group : the column whose levels are counted
    given : what X, groups and weights were
    """

    X: pd.DataFrame
    labels: Mapping[Hashable, np.ndarray]
    group: Hashable
    given: Laid

    @classmethod
    def of(
        cls,
        given: Laid,
        labels: Mapping[Hashable, Any],
        factors: Sequence[Sequence[Hashable]],
        group: Hashable | None,
    ) -> Repeated:
        """Of what ``fit`` was given, its grouping columns, and those of each factor."""
        arrays = {name: np.asarray(values) for name, values in labels.items()}
        return cls(as_pandas(given.X), arrays, _counted(arrays, factors, group), given)

    def table(self, n_groups, group_size, rng):
        """The rows, group after group; as they are where no number is given."""
        if n_groups is None and group_size is None:
            return self.given
        codes, levels = pd.factorize(self.labels[self.group])
        members = [np.flatnonzero(codes == k) for k in range(len(levels))]
        n = len(levels) if n_groups is None else n_groups
        chosen = [_cycled(members[k % len(levels)], group_size) for k in range(n)]
        rows = np.concatenate(chosen)
        times = np.repeat(np.arange(n) // len(levels), [len(c) for c in chosen])
        return self._laid(rows, times)

    def _laid(self, rows, times):
        """Some rows, with labels that say for how many times a group was there already."""
        X = self.X.iloc[rows].reset_index(drop=True)
        changed = {c: self._labels(c, rows, times) for c in self.labels}
        for name in X.columns.intersection(list(changed)):
            X[name] = changed[name]
        X = X.to_numpy() if isinstance(self.given.X, np.ndarray) else X
        apart = None if self.given.groups is None else pd.DataFrame(changed)
        weights = self.given.sample_weight
        return Laid(X, apart, None if weights is None else np.asarray(weights)[rows])

    def _labels(self, name, rows, times):
        """New labels for what comes again, of the group and of what is nested in it."""
        own = self.labels[name]
        if not _is_nested(own, self.labels[self.group]):
            return own[rows]
        if np.issubdtype(own.dtype, np.number):
            step = np.max(own) - np.min(own) + 1
            return own[rows] + step * times
        again = [f"{label}.{t}" if t else label for label, t in zip(own[rows], times, strict=True)]
        return np.array(again, dtype=object)


def as_pandas(X: Any) -> pd.DataFrame:
    """A table of any kind as pandas; columns of an array are x0, x1, ... as in the model."""
    if isinstance(X, pd.DataFrame):
        return X
    if isinstance(X, np.ndarray):
        return pd.DataFrame(X, columns=[f"x{j}" for j in range(X.shape[1])])
    found = narwhals.from_native(X, pass_through=True)
    return found.to_pandas() if isinstance(found, narwhals.DataFrame) else pd.DataFrame(X)


def _cycled(rows, size):
    return rows if size is None else rows[np.arange(size) % len(rows)]


def _is_nested(inner, outer):
    """Whether every level of one is in a single level of the other."""
    a, b = pd.factorize(inner)[0], pd.factorize(outer)[0]
    return len(np.unique(np.column_stack([a, b]), axis=0)) == len(np.unique(a))


def _counted(
    labels: Mapping[Hashable, np.ndarray],
    factors: Sequence[Sequence[Hashable]],
    group: Hashable | None,
) -> Hashable:
    """The grouping column whose levels are counted: the outermost, unless one is named."""
    names = list(labels)
    if not names:
        raise ValueError(
            "The model has no grouping factor, and power by number of groups needs one.\n"
            "Fit it with groups='column', or with a term such as (1 | column)."
        )
    if group is not None:
        if group not in labels:
            raise unknown_column("group", group, names)
        return group
    codes = [
        pd.DataFrame({c: labels[c] for c in own}).groupby(list(own)).ngroup() for own in factors
    ]
    outer = [g for g in names if all(_is_nested(code, labels[g]) for code in codes)]
    if not outer:
        raise ValueError(
            f"group: levels of which column are counted is not clear, for {names} are crossed.\n"
            f"Name one of them: group={names[0]!r}."
        )
    return outer[0]
