"""Grouping factors: labels become codes."""

from __future__ import annotations

import numpy as np
import pandas as pd


class Factor:
    """A grouping factor: one column of labels, or several whose combinations are the levels."""

    def __init__(self, name, levels, combinations=None):
        self.name = name
        self.levels = levels  # sorted labels of each column
        self.combinations = combinations  # sorted mixed-radix codes that occur, for several columns

    @classmethod
    def from_columns(cls, name, columns):
        """The factor and the code of every row."""
        encoded = [encode(c) for c in columns]
        levels = tuple(labels for _, labels in encoded)
        if len(columns) == 1:
            return cls(name, levels), encoded[0][0]
        mixed = _mixed_radix([codes for codes, _ in encoded], levels)
        codes, combinations = encode(mixed)
        return cls(name, levels, combinations), codes

    @property
    def n_levels(self):
        return len(self.levels[0]) if self.combinations is None else len(self.combinations)

    def codes(self, columns):
        """Codes of rows; -1 where the level was never seen."""
        each = [lookup(labels, column) for labels, column in zip(self.levels, columns, strict=True)]
        if self.combinations is None:
            return each[0]
        mixed = _mixed_radix(each, self.levels)
        place = np.minimum(np.searchsorted(self.combinations, mixed), len(self.combinations) - 1)
        known = (self.combinations[place] == mixed) & np.all([c >= 0 for c in each], axis=0)
        return np.where(known, place, -1)

    @property
    def labels(self):
        """One label per level; combinations are joined with a colon."""
        if self.combinations is None:
            return self.levels[0]
        rest = self.combinations
        parts = []
        for labels in reversed(self.levels):
            rest, code = np.divmod(rest, len(labels))
            parts.insert(0, np.asarray(labels)[code].astype(str))
        joined = parts[0]
        for part in parts[1:]:
            joined = np.char.add(np.char.add(joined, ":"), part)
        return joined.astype(object)


def _mixed_radix(codes, levels):
    total = np.zeros(len(codes[0]), dtype=np.int64)
    for c, labels in zip(codes, levels, strict=True):
        total = total * len(labels) + c
    return total


def encode(values):
    """Codes 0..m-1 and the sorted labels.

    Integers in a narrow range go through a table instead of a sort.
    """
    values = np.asarray(values) if not isinstance(values, pd.Categorical) else values
    if isinstance(values, np.ndarray) and values.dtype.kind in "iu" and len(values):
        low = int(values.min())
        high = int(values.max())
        if high - low < 4 * len(values) + 1024:
            return _encode_by_table(values, low, high)
    try:
        codes, labels = pd.factorize(values, sort=True)
    except TypeError:  # labels of mixed types have no order: keep the order of appearance
        codes, labels = pd.factorize(values, sort=False)
    return codes, np.asarray(labels)


def _encode_by_table(values, low, high):
    offset = values.astype(np.int64) - low  # a narrow type could not hold the difference
    seen = np.zeros(high - low + 1, dtype=bool)
    seen[offset] = True
    if seen.all():
        return offset.astype(np.int32), np.arange(low, high + 1)
    place = np.cumsum(seen, dtype=np.int32) - 1
    return place[offset], np.flatnonzero(seen) + low


def lookup(labels, values):
    """Position of every value among sorted labels, -1 where there is none."""
    return pd.Index(labels).get_indexer(pd.Index(np.asarray(values)))
