"""Grouping factors: labels become codes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from .._algebra.kernels import mark_labels, place_labels

HASH = 0x9E3779B97F4A7C15  # an odd number without a pattern
FEW_ROWS = 64  # up to which an index is not worth its making
ORDERED = ("i", "f")  # kinds of labels that are looked up by their order
DENSE_RANGE = 4  # integers that span less than this many times their number need no sort


@dataclass(frozen=True)
class Factor:
    """A grouping factor: one column of labels, or several whose combinations are the levels.

    Attributes
    ----------
    name : of the columns, joined by colons
    levels : sorted labels of each column
    combinations : sorted mixed-radix codes that occur, for several columns
    """

    name: str
    levels: tuple
    combinations: np.ndarray | None = None

    @classmethod
    def from_columns(cls, name, columns):
        """The factor and the code of every row."""
        encoded = [encode(column) for column in columns]
        levels = tuple(labels for _, labels in encoded)
        if len(columns) == 1:
            return cls(name, levels), encoded[0][0]
        codes, combinations = encode(_mixed_radix([codes for codes, _ in encoded], levels))
        return cls(name, levels, combinations), codes

    def __getstate__(self):
        return {name: vars(self)[name] for name in ("name", "levels", "combinations")}

    @property
    def n_levels(self):
        return len(self.levels[0]) if self.combinations is None else len(self.combinations)

    @cached_property
    def _places(self):
        return [pd.Index(labels) for labels in self.levels]

    def codes(self, columns):
        """Codes of rows; -1 where the level was never seen."""
        each = [self._codes(k, np.asarray(column)) for k, column in enumerate(columns)]
        if self.combinations is None:
            return each[0]
        mixed = _mixed_radix(each, self.levels)
        place = np.minimum(np.searchsorted(self.combinations, mixed), len(self.combinations) - 1)
        known = (self.combinations[place] == mixed) & np.all([c >= 0 for c in each], axis=0)
        return np.where(known, place, -1)

    def _codes(self, k, column):
        """Codes of one column, few rows by themselves."""
        labels = np.asarray(self.levels[k])
        if len(column) > FEW_ROWS or len(labels) == 0:
            return self._places[k].get_indexer(pd.Index(column))
        if column.dtype.kind == labels.dtype.kind and self._is_sorted[k]:
            place = np.minimum(labels.searchsorted(column), len(labels) - 1)
            return np.where(labels[place] == column, place, -1)
        if column.dtype.kind == "O" and set(map(type, column)) == {str}:
            return np.array([self._texts[k].get(label, -1) for label in column])
        return self._places[k].get_indexer(pd.Index(column))

    @cached_property
    def _is_sorted(self):
        """Whether the labels are numbers in their order, as those of a stream need not be."""
        return [
            labels.dtype.kind in ORDERED and bool(np.all(labels[:-1] < labels[1:]))
            for labels in map(np.asarray, self.levels)
        ]

    @cached_property
    def _texts(self):
        return [{label: code for code, label in enumerate(labels)} for labels in self.levels]

    def extended(self, columns):
        """The factor with the levels of further rows, where its own levels are in it, and the codes
        of the rows.
        """
        codes = self.codes(columns)
        if np.all(codes >= 0):
            return self, np.arange(self.n_levels), codes
        own = [np.asarray(column) for column in self.columns]
        further = [np.asarray(column) for column in columns]
        pairs = zip(own, further, strict=True)
        factor, codes = Factor.from_columns(self.name, [below(a, b) for a, b in pairs])
        return factor, codes[: self.n_levels], codes[self.n_levels :]

    @property
    def columns(self):
        """The labels of every level, column by column."""
        if self.combinations is None:
            return list(self.levels)
        rest = self.combinations
        columns = []
        for labels in reversed(self.levels):
            rest, code = np.divmod(rest, len(labels))
            columns.insert(0, np.asarray(labels)[code])
        return columns

    @property
    def labels(self):
        """One label per level; combinations are joined with a colon."""
        if self.combinations is None:
            return self.levels[0]
        parts = [column.astype(str) for column in self.columns]
        joined = parts[0]
        for part in parts[1:]:
            joined = np.char.add(np.char.add(joined, ":"), part)
        return joined.astype(object)


def hashed(columns):
    """A number for every row, which depends on its labels alone."""
    found = np.zeros(len(columns[0]), dtype=np.uint64)
    for column in columns:
        own = pd.util.hash_array(np.asarray(column), categorize=False)
        found = np.uint64(HASH) * found + own
    return found


def below(*columns):
    """Columns of labels below each other; labels of several types keep theirs."""
    if len({column.dtype.kind for column in columns}) == 1:
        return np.concatenate(columns)
    return np.concatenate([column.astype(object) for column in columns])


def _mixed_radix(codes, levels):
    total = np.zeros(len(codes[0]), dtype=np.int64)
    for c, labels in zip(codes, levels, strict=True):
        total = total * len(labels) + c
    return total


def encode(values):
    """Codes 0..m-1 and the sorted labels, categories in their order.

    Integers in a narrow range go through a table instead of a sort.
    """
    if isinstance(values, pd.Categorical):
        return _encode_categories(values)
    values = np.asarray(values)
    is_whole = isinstance(values, np.ndarray) and values.dtype.kind in "iu"
    if is_whole and len(values) and values.max() <= np.iinfo(np.int64).max:
        low = int(values.min())
        high = int(values.max())
        if high - low < DENSE_RANGE * len(values) + 1024:
            return _encode_by_table(values, low, high)
    try:
        codes, labels = pd.factorize(values, sort=True)
    except TypeError:  # labels of mixed types have no order: keep the order of appearance
        codes, labels = pd.factorize(values, sort=False)
    return codes.astype(np.int32), np.asarray(labels)


def _encode_categories(values):
    """Those that occur; -1 where there is none."""
    own = np.asarray(values.codes)
    codes, found = _encode_by_table(own, -1, len(values.categories) - 1)
    is_missing = len(found) > 0 and found[0] < 0
    labels = np.asarray(values.categories[found[1:] if is_missing else found])
    return (codes - np.int32(1) if is_missing else codes), labels


def _encode_by_table(values, low, high):
    """Labels that are codes already are only copied."""
    seen = np.zeros(high - low + 1, dtype=bool)
    mark_labels(values, low, seen)
    labels = np.flatnonzero(seen) + low
    are_codes = len(labels) and labels[0] == 0 and len(labels) == labels[-1] + 1
    if are_codes and values.dtype == np.int32:
        return np.array(values), labels
    codes = np.empty(len(values), dtype=np.int32)
    place_labels(values, low, np.cumsum(seen, dtype=np.int32) - np.int32(1), codes)
    return codes, labels
