"""The columns of the fixed effects, and which of them belong together."""

from __future__ import annotations

import re
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from ..._data import tables
from ..._fit.model import FittedModel

LABEL = re.compile(r"\[[^\]]*\]")  # of a category in the name of a coefficient
LAST_PART = re.compile(r"[\W_]+[^\W_]*$")  # of the name of an indicator
FEW_VALUES = 2


@dataclass(frozen=True, eq=False)
class Column:
    """A column of the fixed effects.

    Attributes
    ----------
    name, values : of the coefficient, and of the rows
    position : among the columns of the reader
    block : what it shares with the columns that belong to it
    is_category : whether it tells one category of several
    """

    name: str
    values: np.ndarray
    position: int
    block: Hashable
    is_category: bool

    @property
    def is_binary(self) -> bool:
        """Whether it has two values at most."""
        return len(self.distinct) <= FEW_VALUES

    @property
    def distinct(self) -> np.ndarray:
        """Its values."""
        return np.unique(self.values)


@dataclass(frozen=True, eq=False)
class Block:
    """Columns that belong together: the indicators of a category, the powers of a variable."""

    name: str
    columns: tuple[Column, ...]

    @property
    def matrix(self) -> np.ndarray:
        """Their values, centred."""
        values = np.column_stack([column.values for column in self.columns])
        return values - values.mean(axis=0)


def columns_of(model: FittedModel, X: np.ndarray) -> list[Column]:
    """All columns of the fixed effects; ``X`` has those of the reader."""
    reader = model.reader
    names = [str(name) for name in reader.names[: reader.n_fixed]]
    sources = _sources(model)
    indicators = _indicators(names, X)
    return [
        Column(
            name,
            X[:, k],
            k,
            _block(name, sources, indicators),
            LABEL.sub("", name) != name or name in indicators,
        )
        for k, name in enumerate(names)
    ]


def blocks_of(columns: Sequence[Column]) -> list[Block]:
    """Columns by what they share; such as do not vary are left out."""
    found: dict[Hashable, list[Column]] = {}
    for column in columns:
        if np.ptp(column.values) > 0:
            found.setdefault(column.block, []).append(column)
    return [Block(_block_name(own), tuple(own)) for own in found.values()]


def _block_name(columns):
    """The name of a column, or what the names of several have in common."""
    plain = {LABEL.sub("", column.name) for column in columns}
    return plain.pop() if len(plain) == 1 else ", ".join(column.name for column in columns)


def _sources(model):
    """Columns of the table that a formula computes the fixed effects from."""
    formula = getattr(model.reader.door, "formula", None)
    return () if formula is None else tuple(map(str, formula.explained))


def _block(name, sources, indicators):
    """What belongs together: all that is computed from the same columns, and the indicators of one
    category.
    """
    own = tuple(s for s in sources if re.search(rf"(?<!\w){re.escape(s)}(?!\w)", name))
    return own or indicators.get(name, name)


def _indicators(names, X):
    """Columns of zeros and ones that exclude each other and have the same first name."""
    is_indicator = np.all((X[:, : len(names)] == 0) | (X[:, : len(names)] == 1), axis=0)
    stems: dict[str, list[int]] = {}
    for k in np.flatnonzero(is_indicator):
        stem = LAST_PART.sub("", names[k])
        if stem != names[k]:
            stems.setdefault(stem, []).append(k)
    own = {
        stem: ks for stem, ks in stems.items() if len(ks) > 1 and X[:, ks].sum(axis=1).max() <= 1
    }
    return {names[k]: ("indicator", stem) for stem, ks in own.items() for k in ks}


def extra_columns(model: FittedModel) -> dict[str, np.ndarray]:
    """Columns of the table that the model does not use, if they are dates or numbers."""
    X = model.training.given.X
    known = {*map(str, model.reader.names), *model.names.factors}
    unused = [name for name in tables.column_names(X) or [] if str(name) not in known]
    found = {str(name): _numbers(np.asarray(X[name])) for name in unused}
    return {name: x for name, x in found.items() if x is not None and np.all(np.isfinite(x))}


def _numbers(values):
    """Dates as seconds, numbers as they are; None for anything else."""
    if values.dtype.kind == "M":
        return values.astype("datetime64[s]").astype(float)
    return values.astype(float) if values.dtype.kind in "iuf" else None
