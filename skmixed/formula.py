"""lme4 formulas: ``y ~ x + C(f) + (1 + x | g)`` as fixed effects and random-effects terms.

formulaic reads and evaluates everything but the bars: its tokenizer finds the terms in parentheses
that hold a bar (so names in backticks and calls such as ``I(x | z)`` are safe), and each side
becomes a model matrix of its own, coded as in lme4.  The specification remembers categories,
centres and knots for new rows.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd
from formulaic import Formula
from formulaic.errors import DataMismatchWarning, FormulaicError
from formulaic.parser.algos.tokenize import tokenize

from ._data import tables
from .terms import RandomEffect, expand_groups

__all__ = ["FittedFormula", "split_formula"]


@dataclass(frozen=True)
class BarTerm:
    """One term in parentheses: the formula of its effects, its grouping columns, and whether the
    effects correlate.
    """

    effects: str
    groups: tuple
    correlated: bool


def split_formula(text: str) -> tuple[str, str, list[BarTerm]]:
    """Response, fixed part and random terms of an lme4 formula.

    Parameters
    ----------
    text : str
        ``"y ~ x + (1 + x | g/s)"``, or the right-hand side alone.

    Returns
    -------
    response : str
        Empty for a one-sided formula.
    fixed : str
    terms : list of BarTerm
        One per grouping factor: ``g/s`` makes two.

    Raises
    ------
    ValueError
        For bars outside parentheses, nested random terms, or terms not joined by ``+``.

    Examples
    --------
    >>> from skmixed.formula import split_formula
    >>> split_formula("y ~ x + (1 | g)")
    ('y', 'x', [BarTerm(effects='1', groups=('g',), correlated=True)])
    """
    response, separator, right = text.rpartition("~")
    if "~" in response:
        raise _refused(text, "more than one '~'")
    fixed, terms = _Splitter(right, text).split()
    return response.strip() if separator else "", fixed, terms


def _refused(text, reason):
    return ValueError(f"formula={text!r}: {reason}.\nWrite random effects as '+ (1 + x | group)'.")


class _Splitter:
    """Cuts the random terms out of the right-hand side."""

    def __init__(self, text, whole):
        self.text = text
        self.whole = whole
        try:
            self.tokens = list(tokenize(text))
        except FormulaicError as error:
            raise _refused(whole, str(error).splitlines()[0]) from error

    def split(self):
        terms = []
        cuts = []
        opened = []
        for i, token in enumerate(self.tokens):
            kind = token.kind.value
            if kind == "context" and token.token in ("(", "[", "{"):
                opened.append([i, None])
            elif kind == "context":
                start, bar = opened.pop()
                if bar is not None:
                    self._check_outermost(opened)
                    terms += self._terms(start, bar, i)
                    cuts.append(self._cut(start, i))
            elif kind == "operator" and token.token in ("|", "||"):
                if not opened:
                    raise _refused(self.whole, "a bar outside parentheses")
                opened[-1][1] = i
        return self._without(cuts), terms

    def _check_outermost(self, opened):
        if opened:
            raise _refused(self.whole, "a random term inside parentheses")

    def _between(self, first, last):
        return self.text[self.tokens[first].source_end + 1 : self.tokens[last].source_start].strip()

    def _terms(self, start, bar, end):
        effects = self._between(start, bar)
        correlated = self.tokens[bar].token == "|"
        try:
            groups = expand_groups(self._between(bar, end))
        except ValueError as error:
            raise _refused(self.whole, str(error).splitlines()[0]) from error
        parts = [effects] if correlated else _uncorrelated(effects)
        return [BarTerm(part, group, correlated) for group in groups for part in parts]

    def _cut(self, start, end):
        """The span of a term with the plus that joins it to the rest."""
        before = self.tokens[start - 1] if start else None
        if before is not None:
            if before.token != "+":
                raise _refused(
                    self.whole, f"a random term joined by {before.token!r} instead of '+'"
                )
            return before.source_start, self.tokens[end].source_end + 1
        after = self.tokens[end + 1] if end + 1 < len(self.tokens) else None
        return self.tokens[start].source_start, (after or self.tokens[end]).source_end + 1

    def _without(self, cuts):
        rest = self.text
        for start, end in sorted(cuts, reverse=True):
            rest = rest[:start] + rest[end:]
        return rest.strip().lstrip("+").strip() or "1"


def _uncorrelated(effects):
    """The terms of ``(effects || g)``, one each; factors keep their columns together, as in
    lme4."""
    terms = [str(term) for term in Formula(effects)]
    return [term if term == "1" else f"0 + {term}" for term in terms]


@dataclass(frozen=True)
class Evaluated:
    """The columns of a formula for some rows."""

    matrix: np.ndarray  # fixed effects, then columns that only random effects use
    names: list
    n_fixed: int
    intercept: bool
    effects: list  # of RandomEffect
    labels: dict


class FittedFormula:
    """A formula with everything needed to evaluate it for new rows; made by :meth:`fit`."""

    @classmethod
    def fit(cls, text, X):
        """The formula, the part of the table it uses, and its columns, evaluated once."""
        formula = cls(text)
        table = _pandas(text, X)
        formula._check_names(formula._groups, table)
        matrices = [
            _evaluate(
                text, lambda part=part: Formula(part).get_model_matrix(table, **_OPTIONS), table
            )
            for part in (formula._fixed_part, *(bar.effects for bar in formula._bars))
        ]
        formula._specifications = [matrix.model_spec for matrix in matrices]
        formula.columns = formula._required(table)
        table = table[formula.columns]
        return formula, table, formula._assembled(table, matrices)

    def __init__(self, text):
        response, self._fixed_part, self._bars = split_formula(text)
        if response:
            raise ValueError(
                f"formula={text!r} names a response.\nPass y to fit, or use from_formula with the whole formula."
            )
        self.text = text
        self._groups = list(dict.fromkeys(g for bar in self._bars for g in bar.groups))

    def _required(self, table):
        needed = {*self._groups, *self._evaluated_columns()}
        needed |= {
            str(name) for name in table.columns if f"`{name}`" in self.text
        }  # dotted names are cut at the dot
        return [str(name) for name in table.columns if str(name) in needed]

    def _evaluated_columns(self):
        return {str(v) for spec in self._specifications for v in spec.required_variables}

    @property
    def groups(self):
        """Grouping columns."""
        return list(self._groups)

    @property
    def fixed_columns(self):
        """Columns that the fixed effects are computed from."""
        return {str(v) for v in self._specifications[0].required_variables}

    @property
    def categorical(self):
        """Columns that enter as categories, whatever they hold."""
        return {
            str(v)
            for spec in self._specifications
            for f in spec.factor_contrasts
            for v in spec.factor_variables[f]
        }

    def _check_names(self, wanted, table):
        for name in wanted:
            if name not in table.columns:
                raise tables.unknown_column("formula", name, list(table.columns))

    def select(self, X):
        """The columns of new rows that the formula uses, as a pandas DataFrame.

        All grouping columns may be absent, unless the formula evaluates them as well.
        """
        table = _pandas(self.text, X)
        optional = set(self._groups) - self._evaluated_columns()
        absent = not any(g in table.columns for g in optional)
        columns = [name for name in self.columns if not absent or name not in optional]
        self._check_names(columns, table)
        return table[columns]

    def evaluate(self, table) -> Evaluated:
        """Fixed effects, slopes, terms and labels of new rows."""
        _check_missing(table, [name for name in table.columns if name not in self._groups])
        matrices = [
            _evaluate(self.text, lambda spec=spec: spec.get_model_matrix(table, context={}), table)
            for spec in self._specifications
        ]
        return self._assembled(table, matrices)

    def _assembled(self, table, matrices):
        columns = _named_columns(matrices[0])
        effects = []
        n_fixed = len(columns)
        for bar, matrix in zip(self._bars, matrices[1:], strict=True):
            slopes = _named_columns(matrix)
            columns |= {name: column for name, column in slopes.items() if name not in columns}
            group = bar.groups[0] if len(bar.groups) == 1 else bar.groups
            effects.append(RandomEffect(group, tuple(slopes), intercept=_has_intercept(matrix)))
        present = all(g in table.columns for g in self._groups)
        labels = {g: tables.column(table, g) for g in self._groups} if present else {}
        _check_finite(columns)
        stacked = np.column_stack(list(columns.values())) if columns else np.empty((len(table), 0))
        intercept = _has_intercept(matrices[0])
        return Evaluated(
            np.asarray(stacked, dtype=np.float64),
            list(columns),
            n_fixed,
            intercept,
            effects,
            labels,
        )


def _check_finite(columns):
    for name, values in columns.items():
        if not np.all(np.isfinite(np.asarray(values, dtype=np.float64))):
            raise ValueError(
                f"formula: {name!r} is not a finite number in every row.\nDrop or mend these rows."
            )


def _has_intercept(matrix):
    return "Intercept" in matrix.model_spec.column_names


def _named_columns(matrix):
    values = np.asarray(matrix)
    return {
        name: values[:, k]
        for k, name in enumerate(matrix.model_spec.column_names)
        if name != "Intercept"
    }


# No surrounding variables: a formula means the same wherever it is fitted, and the model can be pickled.
_OPTIONS = {"output": "numpy", "na_action": "raise", "context": {}}


def evaluate_response(text: str, table) -> pd.Series:
    """The left-hand side of a formula for some rows, named as written."""
    frame = _pandas(text, table)
    if (
        text.strip("`") in frame.columns
    ):  # as it is, even where the name is a word of Python such as yield
        return frame[text.strip("`")]
    matrix = _evaluate(
        text, lambda: Formula(f"0 + I({text})").get_model_matrix(frame, **_OPTIONS), frame
    )
    values = np.asarray(matrix)
    if values.shape[1] != 1:
        raise ValueError(
            f"formula: the response {text!r} is not a single number per row.\nConvert it before."
        )
    return pd.Series(values[:, 0], index=frame.index, name=text)


def _pandas(text, table):
    if isinstance(table, pd.DataFrame):
        return table
    if tables.column_names(table) is None:
        raise ValueError(
            f"formula={text!r} names columns, but X came as {type(table).__name__} without column names.\n"
            "Pass a table, or ask earlier pipeline steps for one by set_output(transform='pandas')."
        )
    return table.to_pandas() if hasattr(table, "to_pandas") else pd.DataFrame(table)


def _evaluate(text, function, table):
    try:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "error", DataMismatchWarning
            )  # an unseen category would silently be the reference
            return function()
    except DataMismatchWarning as unseen:
        raise ValueError(
            f"formula={text!r}: {unseen}\nNew rows may only have categories seen at fit."
        ) from unseen
    except FormulaicError as error:
        names = ", ".join(map(repr, table.columns[:20]))
        reason = str(error).splitlines()[0]
        raise ValueError(f"formula={text!r}: {reason}\nThe columns are {names}.") from error
    except SyntaxError as error:
        raise ValueError(
            f"formula={text!r}: {error.text or error.msg!r} cannot be evaluated.\n"
            "Put names that are words of Python, such as class or lambda, in backticks."
        ) from error
    except ValueError:
        _check_missing(table, [name for name in table.columns if str(name) in text])
        raise


def _check_missing(table, names):
    for name in names:
        if missing := int(np.sum(pd.isna(table[name]))):
            raise ValueError(
                f"X: column {name!r} contains NaN in {missing} of {len(table)} rows.\n"
                "Drop these rows before fitting, or put an imputer before the model."
            )
