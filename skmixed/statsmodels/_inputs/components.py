"""Variance components as terms of this library.

A component of statsmodels is a matrix per group, whose columns have independent effects of one
variance.  Where no row has more than one column that is not zero, the pairs of group and column
are the levels of a grouping factor, however many there are; otherwise the columns are effects of
the group with an identity covariance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pandas as pd
from scipy import sparse

from .._params import VCSpec
from .groups import Groups


@dataclass(frozen=True, eq=False)
class Part:
    """What becomes one random-effects term.

    Attributes
    ----------
    codes, labels : of a grouping factor of its own; None for the groups of the model
    columns : (n, q) what the effects multiply
    names : (q,) of the columns
    covariance : structure
    """

    codes: np.ndarray | None
    labels: Sequence[Any]
    columns: np.ndarray
    names: list[str]
    covariance: str


class Component(Protocol):
    """One variance component."""

    @property
    def name(self) -> str: ...

    def part(self, groups: Groups) -> Part:
        """The term that it becomes."""

    def names(self, group: int) -> list[str]:
        """Names of the columns in one group."""

    def matrix(self, group: int, rows: np.ndarray) -> np.ndarray:
        """The columns in one group."""

    def modes(self, group: int, found: np.ndarray) -> np.ndarray:
        """Of the modes of all levels (levels, q) those of the columns of one group."""


@dataclass(frozen=True, eq=False)
class Slots:
    """A component with one column a row: a grouping factor whose levels are in order of groups.

    Attributes
    ----------
    name : of the component
    codes, values : (n,) the level of every row, and what its effect multiplies
    starts : (groups + 1,) first levels of the groups
    columns : names of the levels within their groups
    """

    name: str
    codes: np.ndarray
    values: np.ndarray
    starts: np.ndarray
    columns: list[str]

    def part(self, groups: Groups) -> Part:
        owner = np.repeat(np.arange(len(groups.labels)), np.diff(self.starts))
        labels = [f"{groups.labels[g]}:{c}" for g, c in zip(owner, self.columns, strict=True)]
        return Part(self.codes, labels, self.values[:, None], [self.name], "unstructured")

    def names(self, group: int) -> list[str]:
        return self.columns[self.starts[group] : self.starts[group + 1]]

    def matrix(self, group: int, rows: np.ndarray) -> np.ndarray:
        first, last = self.starts[group], self.starts[group + 1]
        out = np.zeros((len(rows), last - first))
        out[np.arange(len(rows)), self.codes[rows] - first] = self.values[rows]
        return out

    def modes(self, group: int, found: np.ndarray) -> np.ndarray:
        return found[self.starts[group] : self.starts[group + 1], 0]


@dataclass(frozen=True, eq=False)
class Columns:
    """A component of any columns.

    Attributes
    ----------
    name : of the component
    columns : per group the names of its columns
    mats : per group the columns
    """

    name: str
    columns: list[list[str]]
    mats: list[np.ndarray]

    def part(self, groups: Groups) -> Part:
        width = max(len(names) for names in self.columns)
        values = np.zeros((len(groups.codes), width))
        for rows, mat in zip(groups.rows, self.mats, strict=True):
            values[rows, : mat.shape[1]] = mat
        names = max(self.columns, key=len)
        structure = "identity" if width > 1 else "unstructured"
        return Part(None, groups.labels, values, [f"{self.name}[{c}]" for c in names], structure)

    def names(self, group: int) -> list[str]:
        return self.columns[group]

    def matrix(self, group: int, rows: np.ndarray) -> np.ndarray:
        return self.mats[group]

    def modes(self, group: int, found: np.ndarray) -> np.ndarray:
        return found[group, : len(self.columns[group])]


def components_of(spec: Any, groups: Groups) -> list[Component]:
    """The components of a VCSpec, ours or statsmodels', or of a dict of dicts of matrices."""
    if spec is None:
        return []
    if isinstance(spec, dict):
        spec = _from_dict(spec, groups)
    parts = zip(spec.names, spec.colnames, spec.mats, strict=True)
    return [_component(name, names, mats, groups) for name, names, mats in parts]


def _from_dict(spec, groups):
    names = sorted(spec)
    mats = [[_of_group(name, spec[name], g) for g in groups.labels] for name in names]
    colnames = [[_column_names(mat) for mat in found] for found in mats]
    return VCSpec(names, colnames, mats)


def _of_group(name, found, group):
    if group not in found:
        raise ValueError(
            f"exog_vc[{name!r}]: no matrix for group {group!r}.\n"
            "Give every group one, with a row for each of its rows."
        )
    return found[group]


def _column_names(mat):
    columns = getattr(mat, "columns", None)
    return [str(c) for c in (range(np.shape(mat)[1]) if columns is None else columns)]


def _component(name, colnames, mats, groups):
    if len(mats) != len(groups.labels):
        raise ValueError(
            f"exog_vc: component {name!r} has {len(mats)} matrices for {len(groups.labels)} "
            "groups.\nGive one for every group, in the order of the sorted labels."
        )
    found = [_dense(name, mat, len(rows)) for mat, rows in zip(mats, groups.rows, strict=True)]
    columns = [[str(c) for c in names] for names in colnames]
    is_single = all(mat.shape[1] == 1 for mat in found)
    if not is_single and all(np.all(np.sum(mat != 0, axis=1) <= 1) for mat in found):
        return _slots(name, columns, found, groups)
    return Columns(name, columns, found)


def _dense(name, mat, n):
    found = mat.toarray() if sparse.issparse(mat) else np.asarray(mat, dtype=float)
    found = found[:, None] if found.ndim == 1 else found
    if len(found) != n or not found.shape[1]:
        raise ValueError(
            f"exog_vc: a matrix of component {name!r} has shape {found.shape}, and its group has "
            f"{n} rows.\nGive it as many rows, in the order of the data, and a column or more."
        )
    if not np.all(np.isfinite(found)):
        raise ValueError(
            f"exog_vc: component {name!r} has values that are missing or infinite.\n"
            "Drop these rows first, or use from_formula(..., missing='drop')."
        )
    return found


def _slots(name, columns, mats, groups):
    starts = np.concatenate([[0], np.cumsum([mat.shape[1] for mat in mats])])
    codes = np.empty(len(groups.codes), dtype=np.int64)
    values = np.empty(len(groups.codes))
    for start, rows, mat in zip(starts, groups.rows, mats, strict=False):
        own = np.argmax(mat != 0, axis=1)
        codes[rows] = start + own
        values[rows] = mat[np.arange(len(mat)), own]
    return Slots(name, codes, values, starts, [c for names in columns for c in names])


def indicators(name: str, prefix: str, labels: Any, groups: Groups) -> Slots:
    """The component of a categorical variable: a level for every label that a group has.

    ``prefix`` is the variable as the formula has it.
    """
    codes, levels = encode_labels(labels)
    pairs, slots = np.unique(groups.codes * len(levels) + codes, return_inverse=True)
    owner, level = np.divmod(pairs, len(levels))
    starts = np.searchsorted(owner, np.arange(len(groups.labels) + 1))
    columns = [f"{prefix}[{levels[k]}]" for k in level]
    return Slots(name, slots, np.ones(len(slots)), starts, columns)


def encode_labels(labels: Any) -> tuple[np.ndarray, list[Any]]:
    """Codes of labels, and the levels in order."""
    found = pd.Categorical(labels)
    return np.asarray(found.codes, dtype=np.int64), list(found.categories)
