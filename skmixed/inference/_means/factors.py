"""The categorical variables of a model, however they came into it.

A factor is a column with a few values, columns of zeros and ones that are one variable together, or
labels that were passed beside X.  Each says what the columns of the table are at its levels.
"""

from __future__ import annotations

import ast
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from ..._data.checks import nearest
from ..._data.columns import labels as labels_of
from .._margins.sample import values_of
from .data import Data, is_date

MOST_VALUES = 10  # of a column of numbers that count as levels without being asked for


@dataclass(frozen=True, eq=False)
class Factor:
    """A variable with levels.

    Attributes
    ----------
    name : of the variable
    levels : its values
    columns : column of the table -> value at each level
    codes : (rows,) the level of every row of the data, -1 for others; None for numbers, whose
        values have no frequencies
    is_label : whether it is a grouping factor that was passed beside X
    """

    name: Hashable
    levels: list
    columns: dict
    codes: np.ndarray | None
    is_label: bool = False

    @property
    def is_counted(self) -> bool:
        """Whether its levels have frequencies."""
        return self.codes is not None

    def at(self, wanted: list) -> Factor:
        """The same with some of its levels."""
        places = [self._place(level) for level in wanted]
        columns = {name: [values[k] for k in places] for name, values in self.columns.items()}
        codes = self.codes
        if codes is not None:
            new = np.full(len(self.levels) + 1, -1)
            new[places] = np.arange(len(places))
            codes = new[codes]
        levels = [self.levels[k] for k in places]
        return replace(self, levels=levels, columns=columns, codes=codes)

    def _place(self, level):
        if level in self.levels:
            return self.levels.index(level)
        meant = nearest(str(level), map(str, self.levels))
        advice = f"Did you mean {meant!r}?" if meant else f"They are {self.levels!r}."
        raise ValueError(f"at: {self.name!r} has no level {level!r}.\n{advice}")


def factor_of(data: Data, name: Hashable) -> Factor | None:
    """The factor that a column is; None for numbers."""
    column = data.column(name)
    if is_date(column):
        return None
    values = values_of(column, name, name in data.categorical)
    if values is None or _is_computed(data, name, values):
        return None
    coded = _coded_levels(data, name)
    if coded is not None and set(values) <= set(coded):
        values = [value for value in coded if value in set(values)]
    return _with_levels(name, labels_of(column), values)


def _with_levels(name, labels, values, *, is_label=False):
    """Levels that rows have, and which rows."""
    codes = pd.Index(values).get_indexer(pd.Index(np.asarray(labels)))
    present = np.flatnonzero(np.bincount(codes[codes >= 0], minlength=len(values)))
    new = np.full(len(values) + 1, -1)
    new[present] = np.arange(len(present))
    levels = [values[k] for k in present]
    return Factor(name, levels, {name: levels}, new[codes], is_label)


def label_factor(data: Data, name: str) -> Factor:
    """A grouping factor whose labels came beside X."""
    labels = data.labels[name]
    return _with_levels(
        name, labels, list(pd.unique(pd.Index(labels).sort_values())), is_label=True
    )


def numbers(name: Hashable, values: list) -> Factor:
    """Values of a column of numbers."""
    return Factor(name, list(values), {name: list(values)}, None)


def distinct_numbers(data: Data, name: Hashable, role: str) -> Factor:
    """The values of a column of numbers, where they are few."""
    values = np.unique(np.asarray(data.column(name), dtype=np.float64))
    if len(values) > MOST_VALUES:
        raise ValueError(
            f"{role}: {name!r} is a number with {len(values)} values.\n"
            f"Say at which: at={{{name!r}: [{values[0]:g}, {values[-1]:g}]}}, or slopes={name!r}."
        )
    whole = np.all(values == np.round(values))
    return numbers(name, [int(v) for v in values] if whole else values.tolist())


def never_together(data: Data, names: Sequence[Hashable]) -> list[Hashable]:
    """Columns of zeros and ones of which no row has two ones: levels of one variable, it seems."""
    ones = {name: np.asarray(data.column(name), dtype=np.float64) == 1 for name in names}
    found = [a for a in names if any(a != b and not np.any(ones[a] & ones[b]) for b in names)]
    return found if len(found) > 1 else []


def is_zero_one(factor: Factor) -> bool:
    """Whether a column holds zeros and ones."""
    return len(factor.columns) == 1 and factor.levels == [0, 1]


def _is_computed(data, name, values):
    """Numbers of which a formula makes categories, too many to be levels themselves."""
    if name not in data.categorical or _coded_levels(data, name) is not None:
        return False
    is_number = np.asarray(pd.Index(values)).dtype.kind in "iuf"
    return is_number and len(values) > MOST_VALUES


def _coded_levels(data, name):
    """The categories of a column of a formula, in their order; None where it has none."""
    formula = getattr(data.model.reader.door, "formula", None)
    for part in getattr(formula, "parts", ()):
        for text, factor in getattr(part, "factors", {}).items():
            if hasattr(factor, "categories") and _variable(text, formula.aliases) == name:
                return list(factor.categories)
    return None


def _variable(text, aliases):
    """The column that an expression takes its categories from as they are."""
    try:
        node = ast.parse(text, mode="eval").body
    except SyntaxError:
        return aliases.original(text)
    if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "C" and node.args:
        node = node.args[0]
    return aliases.original(node.id) if isinstance(node, ast.Name) else None
