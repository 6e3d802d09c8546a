"""Rows of a fit that are read again: the partitions of a table, fetched one by one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd

from ..._fit.parts import RowParts
from ..._reader import Reader
from ...streams import Chunks
from .partitions import blocks_of, is_name, is_table, only


def rows(reader: Reader, n_rows: int, X: Any, y: Any, sample_weight: Any) -> RowParts | None:
    """The rows of a fit, None where they have no names, as those of an array."""
    if not is_table(X) or not all(v is None or is_name(v) for v in (y, sample_weight)):
        return None
    return RowParts(reader, Chunks(Fetched(X), reader.features.names), y, sample_weight, n_rows)


class Fetched:
    """A table of Dask as a source of tables.

    Parameters
    ----------
    X : table of Dask
    """

    n_rows = None

    def __init__(self, X: Any):
        self.X = X

    def tables(self, names: Sequence[str] | None, batch_rows: int) -> Iterator[pd.DataFrame]:
        """Partition by partition."""
        X = self.X if names is None else only(self.X, names)
        return (rows.compute() for rows, *_ in blocks_of(X))
