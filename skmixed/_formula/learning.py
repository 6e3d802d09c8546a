"""What a formula learns from the table of the fit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import pandas as pd

from .._data.categories import without_unused
from .._data.recipes import recipe_of
from .evaluation import as_plain, check_names, common_terms, model_matrix, plain_columns
from .names import Aliases
from .split import Parts, refused


@dataclass(frozen=True)
class Learned:
    """The parts of a formula.

    Attributes
    ----------
    parts, offsets : what makes their columns: of the fixed effects and the random terms; of offsets
    fixed_columns : columns of the table that the linear predictor without random effects needs
    explained : those that the fixed effects and the random terms are computed from
    categorical : those that enter as categories, whatever they hold
    evaluated : those that any part is computed from
    plain : those that are read as numbers, truth values, text or categories, by their aliases
    """

    parts: tuple[Any, ...]
    offsets: tuple[Any, ...]
    fixed_columns: tuple[str, ...]
    explained: tuple[str, ...]
    categorical: tuple[str, ...]
    evaluated: tuple[str, ...]
    plain: tuple[str, ...]


def learn(text: str, aliases: Aliases, right: Parts, table: pd.DataFrame) -> Learned:
    """Evaluate the parts of a formula for the rows of the fit."""
    check_names(aliases.names, table)
    table = aliases.table(table)
    effects = [bar.effects for bar in right.bars]
    offsets = [f"0 + I({expression})" for expression in right.offsets]
    formulas = common_terms(text, aliases, [right.fixed, *effects, *offsets])
    plain = plain_columns(formulas, table)
    table = without_unused(as_plain(table, plain, aliases.original))
    matrices = [model_matrix(text, aliases, formula, table) for formula in formulas]
    n_parts = len(matrices) - len(offsets)
    _check_offsets(text, aliases, right.offsets, matrices[n_parts:])
    made = [recipe_of(matrix.model_spec, table, matrix) for matrix in matrices]
    required = [_variables(aliases, matrix.model_spec) for matrix in matrices]
    return Learned(
        parts=tuple(made[:n_parts]),
        offsets=tuple(made[n_parts:]),
        fixed_columns=distinct([required[0], *required[n_parts:]]),
        explained=distinct(required[:n_parts]),
        categorical=_categorical(aliases, [matrix.model_spec for matrix in matrices]),
        evaluated=distinct(required),
        plain=plain,
    )


def distinct(names: Iterable[Iterable[str]]) -> tuple[str, ...]:
    """Every name once, in the order in which they come."""
    return tuple(dict.fromkeys(chain.from_iterable(names)))


def offset_name(part: Any) -> str:
    """What an offset is called."""
    return "offset" + part.names[0].removeprefix("I")


def _check_offsets(
    text: str, aliases: Aliases, expressions: Sequence[str], matrices: Sequence[Any]
) -> None:
    for expression, matrix in zip(expressions, matrices, strict=True):
        spec = matrix.model_spec
        if len(spec.column_names) != 1 or spec.factor_contrasts:
            reason = f"offset({aliases.written(expression)}) is not one number in every row"
            advice = "An offset is a known part of the linear predictor, with a coefficient of one."
            raise refused(text, reason, advice)


def _variables(aliases: Aliases, specification: Any) -> tuple[str, ...]:
    """Columns that a part is computed from."""
    return tuple(sorted(aliases.original(str(v)) for v in specification.required_variables))


def _categorical(aliases: Aliases, specifications: Sequence[Any]) -> tuple[str, ...]:
    """Columns that enter as categories, whatever they hold."""
    factors = [(s, f) for s in specifications for f in s.factor_contrasts]
    found = {str(v) for s, f in factors for v in s.factor_variables[f]}
    return tuple(sorted(map(aliases.original, found)))
