"""Partitions: what is of the same rows, and what all of them have in common."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple, Self

import numpy as np

from ..._data.tables import unknown_column
from ..._fit.stream import Opened, Part
from ..._reader import Spec

LIBRARIES = ("dask", "dask_expr")


def takes(X: Any) -> bool:
    """Whether X is a table or an array of Dask."""
    is_theirs = type(X).__module__.partition(".")[0] in LIBRARIES
    return is_theirs and (hasattr(X, "columns") or hasattr(X, "chunks"))


class Partitions(NamedTuple):
    """The rows of a fit: a collection, and what is given beside it: a name, or a collection."""

    X: Any
    y: Any
    groups: Any
    sample_weight: Any

    @classmethod
    def of(cls, X: Any, y: Any, groups: Any, sample_weight: Any) -> Self:
        """What is passed to ``fit``."""
        if is_name(groups):
            raise TypeError(
                f"groups={groups!r}: labels are passed here, names are for the constructor.\n"
                f"Name the column there: groups={groups!r}."
            )
        for role, name in (("y", y), ("sample_weight", sample_weight)):
            if is_name(name):
                _check_column(role, name, X)
        return cls(X, y, groups, sample_weight)

    @property
    def blocks(self) -> list[tuple]:
        """The arguments of a task per partition, as :func:`part_of` takes them."""
        return blocks_of(*self)

    def needed(self, opened: Opened) -> Partitions:
        """Without the columns that nobody asks for."""
        names = opened.reader.features.names
        if not is_table(self.X) or names is None:
            return self
        return self._replace(X=only(self.X, {*names, *filter(is_name, self[1:])}))

    def opened(self, spec: Spec, alpha: float) -> Opened | None:
        """What the columns are: of a formula the first partition that has rows says it, else their
        types do; None without a row.
        """
        import dask

        if spec.formula is None:
            try:
                return Opened.by(spec, alpha, self._example())
            except (TypeError, ValueError):  # the rows themselves know what is wrong
                pass
        for block in self.blocks:
            (opened,) = dask.compute(dask.delayed(partial(_opened_by, spec, alpha))(*block))
            if opened is not None:
                return opened
        return None

    def _example(self):
        """Rows of the same columns and types."""
        return part_of(*(one if is_name(one) else _example(one) for one in self))


def _opened_by(spec, alpha, X, y, groups, weights):
    part = part_of(X, y, groups, weights)
    return None if part is None else Opened.by(spec, alpha, part)


def part_of(X: Any, y: Any, groups: Any, weights: Any) -> Part | None:
    """Rows of a partition; the response and the weights may be columns of it."""
    named = [name for name in (y, weights) if is_name(name)]
    y, weights = (X[v] if is_name(v) else v for v in (y, weights))
    return Part.of(X.drop(columns=named) if named else X, y, groups, weights)


def blocks_of(X: Any, y: Any = None, groups: Any = None, sample_weight: Any = None) -> list[tuple]:
    """Per partition of X its rows, and what is given beside them."""
    X = _with_whole_rows(X)
    parts = _parts(X)
    beside = {"y": y, "groups": groups, "sample_weight": sample_weight}
    others = [_cut(role, given, X, len(parts)) for role, given in beside.items()]
    return list(zip(parts, *others, strict=True))


def only(X: Any, names: Any) -> Any:
    """A table without other columns."""
    return X[[name for name in X.columns if name in names]]


def is_table(X: Any) -> bool:
    """Whether columns have names."""
    return hasattr(X, "columns")


def is_name(given: Any) -> bool:
    """Whether something is named rather than given."""
    return isinstance(given, str)


def _parts(X):
    return list(np.ravel(X.to_delayed()))


def _with_whole_rows(X):
    return X if is_table(X) or X.numblocks[1:] in ((), (1,)) else X.rechunk({1: -1})


def _example(X):
    if X is None or hasattr(X, "_meta_nonempty"):
        return X if X is None else X._meta_nonempty
    return np.ones((2, *X.shape[1:]), dtype=X.dtype)


def _check_column(role, name, X):
    if not is_table(X):
        raise TypeError(f"{role}={name!r}: an array has no columns to name.\n{_advice(role, X)}")
    if name not in X.columns:
        raise unknown_column(f"{role}=", name, list(X.columns))


def _cut(role, given, X, n_parts):
    """The parts of what is given beside X."""
    if given is None or is_name(given):
        return [given] * n_parts
    if not takes(given):
        raise TypeError(
            f"{role}: a {type(given).__name__} has no partitions, and those of X have other rows.\n"
            f"{_advice(role, X)}"
        )
    if hasattr(given, "chunks") and hasattr(X, "chunks"):
        given = _with_whole_rows(_with_chunks(role, given, X))
    parts = _parts(given)
    if len(parts) != n_parts:
        raise ValueError(
            f"{role}: {len(parts)} partitions, and X has {n_parts}.\n"
            "Cut both at the same rows: rechunk or repartition one of them."
        )
    return parts


def _with_chunks(role, given, X):
    """An array in the chunks of X, where it is known what these are."""
    if given.chunks[0] == X.chunks[0] or np.isnan([*given.chunks[0], *X.chunks[0]]).any():
        return given
    if given.shape[0] != X.shape[0]:
        raise ValueError(
            f"{role}: {given.shape[0]} rows, and X has {X.shape[0]}.\n"
            "Give both the same number of rows."
        )
    return given.rechunk({0: X.chunks[0]})


def _advice(role, X):
    if not is_table(X):
        return f"Make an array of Dask of it: da.from_array({role}, chunks=X.chunks[0])."
    if role == "groups":
        return "Name the grouping columns of X in the constructor: groups='school'."
    return f"Give the name of a column of X: {role}='{'w' if role == 'sample_weight' else 'y'}'."
