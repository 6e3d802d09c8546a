"""The left-hand side of a formula."""

from __future__ import annotations

import ast
import re
from typing import Any

import numpy as np
import pandas as pd

from .._data.checks import check_choice
from .evaluation import as_pandas, check_names, common_terms, model_matrix
from .names import Aliases
from .split import refused

_NAME = re.compile(r"`(?P<quoted>[^`]+)`|(?P<plain>[^\W\d][\w.]*)")


def evaluate_response(text: str, table: Any) -> pd.Series | pd.DataFrame:
    """The left-hand side of a formula for some rows, named as written; two columns of counts for
    ``cbind(a, b)``.
    """
    frame = as_pandas(text, table)
    if text in frame.columns:  # as it is, even where the name is a word of Python such as yield
        return frame[text]
    aliases = Aliases.of(text, frame.columns)
    check_names(aliases.names, frame)
    if counts := _counts(text, aliases):
        check_names([aliases.original(c) for c in counts if c.isidentifier()], frame)
        columns = {aliases.shown(c): evaluate_response(aliases.written(c), frame) for c in counts}
        return pd.DataFrame(columns)
    if aliases.original(aliases.text) in frame.columns:
        return frame[aliases.original(aliases.text)]
    return pd.Series(_response(text, aliases, frame), index=frame.index, name=text)


def response_column(text: str, missing: str) -> str:
    """The column that the left-hand side is, for rows that are not in memory."""
    check_choice("missing", missing, ("raise", "drop"))
    if missing == "drop":
        raise ValueError(
            "missing='drop': the rows are not in memory.\n"
            "Drop incomplete rows where they are read, and leave missing='raise'."
        )
    found = _NAME.fullmatch(text.strip())
    if found is None:
        raise ValueError(
            f"formula: the response {text!r} is not a column, and the rows are not in memory.\n"
            "Make a column of it where the rows are read, and name that."
        )
    return found["quoted"] or found["plain"]


def _counts(text: str, aliases: Aliases) -> list[str]:
    """The two expressions in ``cbind(a, b)``; none for other responses."""
    try:
        call = ast.parse(aliases.text.strip(), mode="eval").body
    except SyntaxError:  # said where the response is evaluated
        return []
    if not isinstance(call, ast.Call) or ast.unparse(call.func) != "cbind":
        return []
    found = [ast.unparse(each) for each in call.args]
    if len(set(found)) != 2 or call.keywords:
        raise ValueError(
            f"formula: {text!r} is not the counts of two outcomes.\n"
            "Write 'cbind(successes, trials - successes)'."
        )
    return found


def _response(text: str, aliases: Aliases, frame: pd.DataFrame) -> np.ndarray:
    table = aliases.table(frame)
    (formula,) = common_terms(text, aliases, [f"0 + I({aliases.text})"])
    if not formula.required_variables:
        raise refused(text, "the response names no column", "Write 'y ~ x + (1 | group)'.")
    values = np.asarray(model_matrix(text, aliases, formula, table))
    if values.ndim != 2 or values.shape[1] != 1:
        raise ValueError(
            f"formula: the response {text!r} is not a single number per row.\n"
            "Name a column of numbers, or convert it before."
        )
    return values[:, 0]
