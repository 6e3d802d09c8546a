"""Rows in which all columns of a formula have values."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from .._data.checks import check_choice, check_length
from .._data.tables import column_names, some_rows, unknown_column
from .evaluation import as_pandas
from .names import Aliases


class FormulaRows(NamedTuple):
    """What a formula is fitted to.

    Attributes
    ----------
    table : the data, without the rows left out
    weights : of its rows; None for ones
    n_missing : number of rows left out
    """

    table: Any
    weights: Any
    n_missing: int


def rows_of(
    formula: str, data: Any, sample_weight: Any, missing: str, others: Iterable[Any]
) -> FormulaRows:
    """The rows of a formula; ``others`` name columns that are needed besides."""
    check_choice("missing", missing, ("raise", "drop"))
    names = column_names(data) or []
    wanted = [name for name in others if isinstance(name, str) and name in names]
    if isinstance(sample_weight, str):
        if sample_weight not in names:
            raise unknown_column("sample_weight", sample_weight, names)
        wanted.append(sample_weight)
        sample_weight = np.asarray(data[sample_weight])
    if missing == "raise":
        return FormulaRows(data, sample_weight, 0)
    table = as_pandas(formula, data)
    used = [*Aliases.of(formula, table.columns).mentioned, *wanted]
    is_complete = table[used].notna().all(axis=1).to_numpy()
    if not is_complete.any():
        raise ValueError(
            f"missing='drop': no row has values in all of {', '.join(map(repr, used))}.\n"
            "Leave out the column that is empty."
        )
    if np.ndim(sample_weight) > 0:
        check_length("sample_weight", sample_weight, len(table))
        sample_weight = some_rows(sample_weight, np.flatnonzero(is_complete))
    return FormulaRows(table[is_complete], sample_weight, int(np.sum(~is_complete)))
