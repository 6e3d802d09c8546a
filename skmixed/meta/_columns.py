"""What of X goes where: grouping columns and slopes to the mixed model, the rest to the fixed part.

The fixed part gets the columns that are no grouping factors, as they come: tables stay tables.  The
mixed model gets a narrow table of its own, through the same doors as every other.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_array

from .._data import tables
from .._data.rows import Rows
from .._data.tables import Array, Table
from .._reader import Door, Features, Layout, Spec, open_door
from ..terms import RandomEffect


class Predicts(Protocol):
    """A fixed part that is fitted."""

    def predicted(self, X: Any) -> np.ndarray:
        """What it says of rows, on the scale of the linear predictor."""


@dataclass(frozen=True, eq=False)
class Split:
    """Which columns of X are the mixed model's.

    Attributes
    ----------
    features : the columns of X at fit
    names : what they were called, x0, x1, ... in an array
    groups : names of the grouping columns of X; none where labels are passed beside it
    slopes : names of the columns whose slopes vary
    """

    features: Features
    names: tuple[Hashable, ...]
    groups: tuple[Hashable, ...]
    slopes: tuple[Hashable, ...]

    @classmethod
    def of(cls, spec: Spec, X: Any, groups: Any) -> tuple[Split, Spec]:
        """The split of the rows of a fit, and the same model with names for positions."""
        table = opened(spec.owner, X, spec.wanted)
        features = Features.of(spec.owner, table.X)
        slopes = {s: _slope(s, table) for s in spec.slopes}
        named = {w: _place(spec, w, table) for w in spec.wanted} if groups is None else {}
        present = tuple(w for w in spec.wanted if w in table.names)  # groups that come twice
        columns = tuple(named.values()) or present
        own = _with_names(spec, named, slopes)
        return cls(
            features, tuple(table.names), columns, tuple(dict.fromkeys(slopes.values()))
        ), own

    def open(self, owner: str, X: Any) -> tuple[Table | Array, bool]:
        """New rows, and whether they have their grouping columns."""
        table = opened(owner, X, self.groups)
        if self.groups and self._lacks_groups(table):
            return table, False
        self.features.check(table.X, None if table.is_array else table.names)
        return table, True

    def _lacks_groups(self, table):
        if len(table.names) == self.features.count:
            return False
        return table.is_array or not any(name in table.names for name in self.groups)

    def _name(self, table, name):
        """What a column is called in a table; one of another kind has it in the same place."""
        if name in table.names or len(table.names) < self.features.count:
            return name
        return table.names[self.names.index(name)]

    def narrow(self, table: Table | Array, has_groups: bool) -> pd.DataFrame:
        """The columns of the mixed model."""
        frame = pd.DataFrame(
            {str(name): table.matrix([self._name(table, name)])[:, 0] for name in self.slopes},
            index=pd.RangeIndex(len(table)),
        )
        groups = self.groups if has_groups else ()
        return frame.assign(**{str(g): table.labels(self._name(table, g)) for g in groups})

    def fixed(self, table: Table | Array, has_groups: bool) -> Any:
        """The columns of the fixed part."""
        if not (self.groups and has_groups):
            return table.X
        groups = [self._name(table, name) for name in self.groups]
        names = [name for name in table.names if name not in groups]
        if not names:
            raise ValueError(
                f"X: no column but the groups (n_features = {len(table.names)}).\n"
                "The fixed part needs a column; without one use a mixed model of its own."
            )
        if table.is_array:
            return _plain(table.X[:, [table.names.index(name) for name in names]])
        return table.X[names] if hasattr(table.X, "iloc") else table.X.select(names)


def opened(owner: str, X: Any, wanted: Sequence) -> Table | Array:
    """A table, or an array whose columns may hold anything."""
    tables.check_in_memory(X)
    X = tables.with_index_levels(X, wanted.__contains__)
    names = tables.column_names(X)
    if names is not None:
        return Table(X, names)
    if isinstance(X, list):
        X = np.asarray(X, dtype=object) if _holds_text(X) else np.asarray(X)
    return Array(check_array(X, dtype=None, ensure_all_finite=False, estimator=owner))


def _holds_text(X):
    return any(isinstance(value, str) for row in X for value in np.ravel(row))


def _plain(X):
    """Numbers beside labels in one array, as numbers if that is what they are."""
    if X.dtype.kind != "O":
        return X
    try:
        return X.astype(np.float64)
    except (TypeError, ValueError):
        return X


def _place(spec, wanted, table):
    if table.is_array and isinstance(wanted, str):
        raise ValueError(
            f"groups={list(spec.wanted)!r} names columns, but X came as {type(table.X).__name__} "
            "without column names.\n"
            "Ask earlier pipeline steps for tables, set_output(transform='pandas'), or give column "
            "positions."
        )
    return tables.name_at(spec.role if not table.is_array else "groups", wanted, table.names)


def _slope(column, table):
    return tables.name_at("random_effects", column, table.names)


def _with_names(spec, groups, slopes):
    """What the constructor says, with the names of columns for their positions."""
    if spec.effects is None:
        effects = None
    else:
        effects = tuple(_renamed(effect, groups, slopes) for effect in spec.effects)
    wanted = tuple(str(groups[w]) if w in groups else w for w in spec.wanted)
    return replace(spec, wanted=wanted, effects=effects)


def _renamed(effect, groups, slopes):
    names = tuple(str(groups[n]) if n in groups else n for n in effect.group_columns)
    return RandomEffect(
        names if isinstance(effect.group, tuple) else names[0],
        tuple(str(slopes[c]) for c in effect.columns),
        intercept=effect.intercept,
        covariance=effect.covariance,
    )


@dataclass(frozen=True, eq=False)
class ThroughEstimator:
    """A door whose rows have the predictions of a fixed part as their offset.

    Attributes
    ----------
    spec : what was asked for
    split : of the columns of X
    inner : the door of the narrow table
    part : the fixed part; None before it is fitted
    """

    spec: Spec
    split: Split
    inner: Door
    part: Predicts | None = None

    def read(self, X: Any, groups: Any) -> Rows:
        table, has_groups = self.split.open(self.spec.owner, X)
        rows = self.inner.read(self.split.narrow(table, has_groups), groups)
        if self.part is None:
            return rows
        return replace(rows, offset=self.part.predicted(self.split.fixed(table, has_groups)))

    def grouping(self, table: Table | Array) -> set:
        return set(self.split.groups)

    @property
    def categorical(self) -> set:
        return set()

    def used(self, table: Table | Array) -> Sequence[Hashable]:
        return table.names


def open_split(
    spec: Spec, X: Any, groups: Any
) -> tuple[ThroughEstimator, Features, Rows, Layout, Any]:
    """The door to X and groups, what is behind it, and the columns of the fixed part."""
    split, own = Split.of(spec, X, groups)
    table = opened(spec.owner, X, spec.wanted)
    narrow = split.narrow(table, bool(split.groups))
    inner, _, rows, layout = open_door(own, narrow, groups)
    layout = layout._replace(n_fixed=0, intercept=True)
    door = ThroughEstimator(spec, split, inner)
    return door, split.features, rows, layout, split.fixed(table, bool(split.groups))
