"""The groups of rows, and matrices that belong to them."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from ..._data.columns import is_missing
from ..._data.factors import encode


@dataclass(frozen=True, eq=False)
class Groups:
    """Labels of groups, sorted, and the group of every row.

    Attributes
    ----------
    labels : sorted
    codes : (n,) positions among them
    """

    labels: list[Hashable]
    codes: np.ndarray

    @classmethod
    def of(cls, values: Any) -> Groups:
        """Of the labels of all rows."""
        values = np.asarray(values)
        if values.ndim != 1:
            raise ValueError(
                f"groups: expected one label a row, got shape {values.shape}.\nPass 1-D labels."
            )
        if missing := int(np.sum(is_missing(values))):
            raise ValueError(
                f"groups: {missing} labels are missing.\nPass missing='drop', or drop these rows."
            )
        codes, labels = encode(values)
        return cls(list(labels), np.asarray(codes, dtype=np.int64))

    @cached_property
    def rows(self) -> list[np.ndarray]:
        """Positions of the rows of every group."""
        order = np.argsort(self.codes, kind="stable")
        return np.split(order, np.cumsum(self.sizes)[:-1])

    @cached_property
    def sizes(self) -> np.ndarray:
        """Numbers of rows."""
        return np.bincount(self.codes, minlength=len(self.labels))

    def split(self, values: np.ndarray | None) -> list[np.ndarray] | None:
        """Rows of an array, group by group."""
        return None if values is None else [values[rows] for rows in self.rows]

    def table(self, values: pd.DataFrame) -> list[pd.DataFrame]:
        """Rows of a table, group by group."""
        return [values.iloc[rows] for rows in self.rows]
