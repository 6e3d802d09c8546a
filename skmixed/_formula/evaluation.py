"""Formulas meet tables: evaluation, and errors in words."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Callable, Hashable, Iterable, Sequence
from itertools import chain
from typing import Any

import numpy as np
import pandas as pd
from formulaic import Formula
from formulaic.errors import DataMismatchWarning, FormulaicError

from .._data import tables
from .._data.categories import AT_FIT
from .._data.checks import first_line
from .._data.columns import plain
from .._data.recipes import UnseenCategory
from .failures import in_words
from .names import Aliases
from .split import refused

DATES = ("M", "m")  # numpy's kinds of types
# No surrounding variables: a formula means the same wherever it is fitted.
OPTIONS = {"output": "numpy", "na_action": "raise", "context": AT_FIT}


def as_pandas(text: str, table: Any) -> pd.DataFrame:
    """A pandas table whose columns have text for names."""
    table = tables.with_index_levels(table, lambda name: str(name) in text)
    names = tables.column_names(table)
    if names is None:
        raise ValueError(
            f"formula={text!r} names columns, but X came as {type(table).__name__} without column "
            "names.\n"
            "Pass a table, or ask earlier pipeline steps for one by set_output(transform='pandas')."
        )
    if hasattr(table, "replace_schema_metadata"):  # pandas' notes on types it can't always read
        table = table.replace_schema_metadata(None)
    if not isinstance(table, pd.DataFrame):
        table = table.to_pandas() if hasattr(table, "to_pandas") else pd.DataFrame(table)
    if set(map(type, names)) <= {str}:
        return table
    return table.set_axis(map(str, names), axis=1)


def plain_columns(formulas: Sequence[Formula], table: pd.DataFrame) -> tuple[str, ...]:
    """Columns that are read as numbers, truth values, text or categories.

    Of dates expressions may make numbers.
    """
    needed = {str(name) for formula in formulas for name in formula.required_variables}
    terms = chain.from_iterable(formulas)
    bare = {factor.expr for term in terms for factor in term.factors}
    found = (name for name in table.columns if name in needed)
    return tuple(name for name in found if name in bare or not _is_of_dates(table[name]))


def _is_of_dates(values: Any) -> bool:
    return getattr(values.dtype, "kind", "") in DATES


def as_plain(table: pd.DataFrame, names: Iterable[str], called: Callable) -> pd.DataFrame:
    """A table some of whose columns are read by :func:`skmixed._data.columns.plain`."""
    changed = {}
    for name in names:
        dtype = table[name].dtype
        if not isinstance(dtype, np.dtype) or dtype.kind not in "biuf":
            changed[name] = pd.Series(plain(called(name), table[name]), index=table.index)
    return table.assign(**changed) if changed else table


def unlike_text(table: pd.DataFrame, names: Iterable[str]) -> list[str]:
    """Those columns of new rows that are not plainly numbers or text already."""
    found = []
    for name in names:
        values = table[name]
        is_text = len(values) > 0 and isinstance(values.iloc[0], str)
        is_number = isinstance(values.dtype, np.dtype) and values.dtype.kind in "biuf"
        if not is_text and not is_number:
            found.append(name)
    return found


def common_terms(text: str, aliases: Aliases, parts: Sequence[str]) -> list[Formula]:
    """The formulas of the parts, where a term is the same whatever the order of its factors."""
    known: dict[Any, Any] = {}
    found = []
    for part in parts:
        try:
            terms = [known.setdefault(term, term) for term in Formula(part)]
            found.append(Formula(terms))
        except SyntaxError as error:
            raise in_words(text, aliases, error, ()) from error
        except Exception as error:  # whatever formulaic raises
            raise refused(text, aliases.written(first_line(error))) from error
    _refuse_carets(text, aliases, chain.from_iterable(found))
    return found


def _refuse_carets(text: str, aliases: Aliases, terms: Iterable[Any]) -> None:
    """``I(x^2)`` is a power in R; to Python it is an exclusive or, and of integers a number."""
    for code in {factor.expr for term in terms for factor in term.factors if "^" in factor.expr}:
        if any(isinstance(node, ast.BitXor) for node in ast.walk(ast.parse(code))):
            raise refused(text, f"{aliases.written(code)!r}: ^ is no power in a call", "Write **.")


def model_matrix(text: str, aliases: Aliases, formula: Formula, table: pd.DataFrame) -> Any:
    """formulaic's matrix of a formula for the rows of a table."""
    return evaluated(text, aliases, lambda: formula.get_model_matrix(table, **OPTIONS), table)


def evaluated(text: str, aliases: Aliases, function: Callable[[], Any], table: Any) -> Any:
    """What a function of the table gives, or an error in words."""
    try:
        with warnings.catch_warnings():
            # an unseen category would silently be the reference
            warnings.simplefilter("error", DataMismatchWarning)
            return function()
    except Exception as error:  # whatever formulaic, pandas or Python raise
        if isinstance(error, ValueError) and not isinstance(error, FormulaicError | UnseenCategory):
            check_missing(table, table.columns, aliases.original)
        raise in_words(text, aliases, error, table.columns) from error


def check_missing(table: Any, names: Iterable[str], called: Callable = str) -> None:
    for name in names:
        missing = pd.isna(table[name].array)
        if missing.any():
            found = f"{int(missing.sum())} of {len(table)} rows"
            raise ValueError(
                f"X: column {called(name)!r} contains NaN in {found}.\n"
                "Drop these rows, or put an imputer before the model."
            )


def check_names(wanted: Iterable[Hashable], table: Any) -> None:
    for name in wanted:
        if name not in table.columns:
            raise tables.unknown_column("formula", name, list(table.columns))


def check_finite(names: Sequence[str], matrix: np.ndarray) -> None:
    if not np.all(np.isfinite(matrix)):
        name = names[int(np.argmin(np.all(np.isfinite(matrix), axis=0)))]
        raise ValueError(
            f"formula: {name!r} is not a finite number in every row.\nDrop or mend these rows."
        )
