"""Levels of grouping factors whose rows come in parts, in the order in which they come.

The code of a level never changes, so that the sums of the levels stay where they are and those of
new ones follow at the end.  Integers in a narrow range are looked up in a table, all other labels
by their hashes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
import pandas as pd

from .factors import DENSE_RANGE, Factor, below, encode

HALF = 32  # bits of a pair of codes for either of them
LOWER_HALF = (1 << HALF) - 1


@dataclass(frozen=True, eq=False)
class Register:
    """Distinct labels of a column, in the order of their codes; nothing changes it.

    Attributes
    ----------
    labels : (m,)
    low : what stands first in the table
    table : codes of the integers from ``low``, -1 for those that have not come; None where labels
        are looked up by hashes
    """

    labels: np.ndarray
    low: int = 0
    table: np.ndarray | None = None

    def __len__(self):
        return len(self.labels)

    def __getstate__(self):
        return {name: vars(self)[name] for name in self.__dataclass_fields__}

    def extended(self, column: Any) -> tuple[Register, np.ndarray]:
        """With the labels of further rows, and the codes of the rows."""
        if isinstance(column, pd.Categorical):
            found, codes = self._with(np.asarray(column.categories))
            return found, codes[column.codes]
        return self._with(np.asarray(column))

    def _with(self, values):
        limits = self._limits(values)
        return self._hashed(values) if limits is None else self._tabled(values, *limits)

    def _limits(self, values):
        """What a table would have to span; None where labels are no integers, or too far apart."""
        if not len(values) or values.dtype.kind not in "iu" or self.labels.dtype.kind not in "iu":
            return None
        low, high = int(values.min()), int(values.max())
        if self.table is not None:
            low, high = min(low, self.low), max(high, self.low + len(self.table) - 1)
        elif len(self):
            low, high = min(low, int(self.labels.min())), max(high, int(self.labels.max()))
        is_narrow = high - low < DENSE_RANGE * (len(self) + len(values)) + 1024
        return (low, high) if is_narrow and high <= np.iinfo(np.int64).max else None

    def _tabled(self, values, low, high):
        table = np.full(high - low + 1, -1, dtype=np.int32)
        if self.table is not None:
            table[self.low - low : self.low - low + len(self.table)] = self.table
        elif len(self):
            table[self.labels.astype(np.int64) - low] = np.arange(len(self))
        places = values.astype(np.int64) - low
        has_come = np.zeros(len(table), dtype=bool)
        has_come[places] = True
        new = np.flatnonzero(has_come & (table < 0))
        table[new] = np.arange(len(self), len(self) + len(new))
        return Register(np.concatenate([self.labels, new + low]), low, table), table[places]

    @cached_property
    def _places(self):
        return pd.Index(self.labels)

    def _hashed(self, values):
        if not len(self):
            codes, labels = encode(values)
            return Register(labels), codes
        codes = self._places.get_indexer(pd.Index(values))
        is_new = codes < 0
        if not np.any(is_new):
            return self, codes
        found, labels = encode(values[is_new])
        codes[is_new] = len(self) + found
        return Register(below(self.labels, labels)), codes


@dataclass(frozen=True, eq=False)
class Growing:
    """A grouping factor whose rows come in parts; nothing changes it.

    Attributes
    ----------
    name : of its columns, joined by colons
    columns : labels of every column
    joined : combinations of the first columns with the next one, as pairs of their codes
    """

    name: str
    columns: tuple[Register, ...]
    joined: tuple[Register, ...]

    @classmethod
    def empty(cls, name: str, n_columns: int) -> Self:
        """Without a level."""
        nothing = Register(np.empty(0, dtype=np.int64))
        return cls(name, (nothing,) * n_columns, (nothing,) * (n_columns - 1))

    @property
    def n_levels(self) -> int:
        """Number of levels."""
        return len([*self.columns, *self.joined][-1])

    def extended(self, columns: Sequence[Any]) -> tuple[Growing, np.ndarray]:
        """With the levels of further rows, and the codes of the rows."""
        pairs = zip(self.columns, columns, strict=True)
        known, each = zip(*(register.extended(labels) for register, labels in pairs), strict=True)
        codes, joined = each[0], []
        for register, further in zip(self.joined, each[1:], strict=True):
            register, codes = register.extended(codes.astype(np.int64) << HALF | further)
            joined.append(register)
        return Growing(self.name, known, tuple(joined)), codes

    @classmethod
    def united(
        cls, parts: Sequence[Sequence[Growing]]
    ) -> tuple[list[Growing], list[list[np.ndarray]]]:
        """Factors with the levels of several parts, and where the levels of each part are."""
        factors = list(parts[0])
        places = [[np.arange(factor.n_levels) for factor in factors]]
        for part in parts[1:]:
            pairs = zip(factors, part, strict=True)
            found = [known.extended(factor.level_columns) for known, factor in pairs]
            factors = [factor for factor, _ in found]
            places.append([place for _, place in found])
        return factors, places

    @property
    def level_columns(self) -> list[np.ndarray]:
        """The labels of every level, column by column."""
        codes = np.arange(self.n_levels)
        columns = []
        for register, last in zip(self.joined[::-1], self.columns[:0:-1], strict=True):
            pairs = register.labels[codes]
            columns.append(last.labels[pairs & LOWER_HALF])
            codes = pairs >> HALF
        return [self.columns[0].labels[codes], *columns[::-1]]

    def factor(self) -> tuple[Factor, np.ndarray]:
        """The factor with its levels sorted, and the place of every level in it."""
        return Factor.from_columns(self.name, self.level_columns)


def joined_labels(parts: Sequence[Any]) -> Any:
    """Labels of several parts below each other."""
    if len(parts) == 1:
        return parts[0]
    first = parts[0]
    if isinstance(first, pd.Categorical) and all(_has_same(first, part) for part in parts):
        return pd.Categorical.from_codes(
            np.concatenate([part.codes for part in parts]), dtype=first.dtype
        )
    return below(*(np.asarray(part) for part in parts))


def _has_same(first, other):
    return isinstance(other, pd.Categorical) and first.dtype == other.dtype
