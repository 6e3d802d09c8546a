"""Labels of groups: columns of a table that are named, or what is passed beside it."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np

from . import tables
from .checks import check_length
from .columns import check_known, check_label_kinds
from .columns import labels as labels_of
from .factors import Factor
from .tables import Array, Table


def group_table(groups: Any) -> dict[str, Any]:
    """The columns of ``groups=`` by name; those of an array are called groups, or groups0, groups1,
    ...
    """
    if isinstance(groups, dict):
        raise TypeError(
            "groups: a dict is not sliced by cross-validation.\n"
            "Pass a DataFrame with one column per factor."
        )
    names = tables.column_names(groups)
    if names is not None:
        return {str(n): labels_of(groups[n]) for n in names}
    values = labels_of(groups)
    if values.ndim == 2:
        return {f"groups{j}": values[:, j] for j in range(values.shape[1])}
    if values.ndim != 1:
        raise ValueError(
            f"groups: expected one column, or one column per factor, got shape {values.shape}.\n"
            "Pass 1-D labels."
        )
    name = getattr(groups, "name", None)
    return {name if isinstance(name, str) else "groups": values}


def named(role: str, wanted: Any, table: Table | Array) -> list:
    """Names of the columns of a table for a name or a position, or a list of them."""
    each = [wanted] if isinstance(wanted, str | Integral) else list(wanted)
    names = [tables.name_at(role, one, table.names) for one in each]
    repeated = next((name for name in names if names.count(name) > 1), None)
    if repeated is not None:
        raise ValueError(f"{role}: column {repeated!r} is named twice.\nName every column once.")
    return names


def as_table(X: Any) -> Table | Array:
    """A table, or an array with numbers for names."""
    tables.check_in_memory(X)
    names = tables.column_names(X)
    if names is not None:
        return Table(X, names)
    array = np.asarray(X)
    return Array(array.reshape(len(array), -1))


def complete_labels(columns: dict[str, Any], n: int) -> dict[str, Any]:
    """The same labels, for n rows and none of them missing."""
    for name, values in columns.items():
        check_length("groups", values, n)
        check_known(name, values)
    check_label_kinds(columns)
    return columns


def combined(columns: dict[str, Any]) -> tuple[Factor, np.ndarray]:
    """The factor whose levels are the combinations of the labels, and the codes of the rows."""
    return Factor.from_columns(":".join(map(str, columns)), list(columns.values()))
