"""The left-hand side of a formula."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd

from .evaluation import OPTIONS, as_pandas, check_names, common_terms, evaluated
from .names import Aliases


def evaluate_response(text: str, table: Any) -> pd.Series | pd.DataFrame:
    """The left-hand side of a formula for some rows, named as written; two columns of counts for
    ``cbind(a, b)``.
    """
    frame = as_pandas(text, table)
    if text in frame.columns:  # as it is, even where the name is a word of Python such as yield
        return frame[text]
    aliases = Aliases.of(text, frame.columns)
    if found := _COUNTS.fullmatch(aliases.text):
        counts = [aliases.original(name) for name in found.groups()]
        check_names(counts, frame)
        return frame[counts]
    if aliases.original(aliases.text) in frame.columns:
        return frame[aliases.original(aliases.text)]
    return pd.Series(_response(text, aliases, frame), index=frame.index, name=text)


_COUNTS = re.compile(r"cbind\(\s*(\w+)\s*,\s*(\w+)\s*\)")


def _response(text: str, aliases: Aliases, frame: pd.DataFrame) -> np.ndarray:
    table = aliases.table(frame)
    (formula,) = common_terms(text, aliases, [f"0 + I({aliases.text})"])
    matrix = evaluated(text, aliases, lambda: formula.get_model_matrix(table, **OPTIONS), table)
    values = np.asarray(matrix)
    if values.shape[1] != 1:
        raise ValueError(
            f"formula: the response {text!r} is not a single number per row.\n"
            "Name a column of numbers, or convert it before."
        )
    return values[:, 0]
