"""lme4 formulas: ``y ~ x + C(f) + (1 + x | g)`` as fixed effects and random-effects terms.

formulaic reads and evaluates everything but the bars: its tokenizer finds the terms in parentheses
that hold a bar (so names in backticks and calls such as ``I(x | z)`` are safe), and each side
becomes a model matrix of its own, coded as in lme4.  The specification remembers categories,
centres and knots for new rows.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from typing import Any

import numpy as np
import pandas as pd
from formulaic import Formula
from formulaic.errors import DataMismatchWarning, FormulaicError
from formulaic.parser.algos.tokenize import tokenize

from ._data import tables
from ._data.recipes import UnseenCategory, recipe_of
from .terms import RandomEffect, expand_groups

__all__ = ["FittedFormula", "split_formula"]


@dataclass(frozen=True)
class BarTerm:
    """One term in parentheses: the formula of its effects, its grouping columns, and whether the
    effects correlate.
    """

    effects: str
    groups: tuple[str, ...]
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


def _refused(text: str, reason: str) -> ValueError:
    return ValueError(f"formula={text!r}: {reason}.\nWrite random effects as '+ (1 + x | group)'.")


@dataclass
class _Opened:
    """A bracket that is still open: its token, and that of the bar inside."""

    start: int
    bar: int | None = None


class _Splitter:
    """Cuts the random terms out of the right-hand side."""

    def __init__(self, text: str, whole: str) -> None:
        self.text = text
        self.whole = whole
        try:
            self.tokens = list(tokenize(text))
        except FormulaicError as error:
            raise _refused(whole, str(error).splitlines()[0]) from error

    def split(self) -> tuple[str, list[BarTerm]]:
        terms: list[BarTerm] = []
        cuts: list[tuple[int, int]] = []
        opened: list[_Opened] = []
        for i, token in enumerate(self.tokens):
            kind = token.kind.value
            if kind == "context" and token.token in ("(", "[", "{"):
                opened.append(_Opened(i))
            elif kind == "context":
                last = opened.pop()
                if last.bar is not None:
                    self._check_outermost(opened)
                    terms += self._terms(last.start, last.bar, i)
                    cuts.append(self._cut(last.start, i))
            elif kind == "operator" and token.token in ("|", "||"):
                if not opened:
                    raise _refused(self.whole, "a bar outside parentheses")
                opened[-1].bar = i
        return self._without(cuts), terms

    def _check_outermost(self, opened: list[_Opened]) -> None:
        if opened:
            raise _refused(self.whole, "a random term inside parentheses")

    def _between(self, first: int, last: int) -> str:
        return self.text[self.tokens[first].source_end + 1 : self.tokens[last].source_start].strip()

    def _terms(self, start: int, bar: int, end: int) -> list[BarTerm]:
        effects = self._between(start, bar)
        correlated = self.tokens[bar].token == "|"
        try:
            groups = expand_groups(self._between(bar, end))
        except ValueError as error:
            raise _refused(self.whole, str(error).splitlines()[0]) from error
        parts = [effects] if correlated else _uncorrelated(effects)
        return [BarTerm(part, group, correlated) for group in groups for part in parts]

    def _cut(self, start: int, end: int) -> tuple[int, int]:
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

    def _without(self, cuts: list[tuple[int, int]]) -> str:
        rest = self.text
        for start, end in sorted(cuts, reverse=True):
            rest = rest[:start] + rest[end:]
        return rest.strip().lstrip("+").strip() or "1"


def _uncorrelated(effects: str) -> list[str]:
    """The terms of ``(effects || g)``, one each; factors keep their columns together, as in
    lme4."""
    terms = [str(term) for term in Formula(effects)]
    return [term if term == "1" else f"0 + {term}" for term in terms]


@dataclass(frozen=True)
class Evaluated:
    """The columns of a formula for some rows.

    Attributes
    ----------
    matrix : fixed effects, then columns that only random effects use
    labels : of the grouping columns
    offset : sum of the terms ``offset(...)``; None where there are none
    """

    matrix: np.ndarray
    labels: dict[str, Any]
    offset: np.ndarray | None = None


@dataclass(frozen=True)
class FittedFormula:
    """A formula with everything that is needed to evaluate it for new rows; made by :meth:`fit`.

    Attributes
    ----------
    text : str
    groups : tuple of str
        Grouping columns.
    columns : tuple of str
        Columns of the table that the formula uses, grouping columns included.
    fixed_columns, categorical, evaluated : tuple of str
        Columns that the fixed effects are computed from, columns that enter as categories whatever
        they hold, and all columns that are evaluated rather than used as labels.
    names : tuple of str
        Columns of the matrix: the fixed effects without the intercept, then what only random
        effects use.
    n_fixed : int
    intercept : bool
        Whether the fixed effects have an intercept.
    effects : tuple of RandomEffect

    Examples
    --------
    >>> import pandas as pd
    >>> from skmixed.formula import FittedFormula
    >>> table = pd.DataFrame({"x": [1.0, 2.0, 4.0], "f": ["a", "b", "b"], "g": [1, 1, 2]})
    >>> formula, _ = FittedFormula.fit("x + f + (1 + x | g)", table)
    >>> formula.names, formula.effects[0].columns
    (('x', 'f[T.b]'), ('x',))
    >>> formula.evaluate(table.head(2)).matrix.tolist()
    [[1.0, 0.0], [2.0, 1.0]]
    """

    text: str
    groups: tuple[str, ...]
    columns: tuple[str, ...]
    fixed_columns: tuple[str, ...]
    categorical: tuple[str, ...]
    evaluated: tuple[str, ...]
    names: tuple[str, ...]
    n_fixed: int
    intercept: bool
    effects: tuple[RandomEffect, ...]
    parts: tuple[Any, ...] = field(repr=False)
    used: tuple[tuple[int, ...], ...] = field(repr=False)

    @classmethod
    def fit(cls, text: str, X: Any) -> tuple[FittedFormula, pd.DataFrame]:
        """Read a formula and learn its categories and transforms from a table.

        Parameters
        ----------
        text : str
            One-sided, such as ``"x + C(f) + (1 + x | g)"``.
        X : table

        Returns
        -------
        formula : FittedFormula
        table : DataFrame
            The columns of X that the formula uses.

        Raises
        ------
        ValueError
            For formulas that cannot be read, and columns that are not there.

        Examples
        --------
        >>> import pandas as pd
        >>> from skmixed.formula import FittedFormula
        >>> formula, table = FittedFormula.fit("x", pd.DataFrame({"x": [1.0, 2.0], "y": [0, 1]}))
        >>> list(table.columns)
        ['x']
        """
        fixed, bars = _one_sided(text)
        table = _pandas(text, X)
        groups = _distinct(bar.groups for bar in bars)
        _check_names(groups, table)
        matrices = [_fitted_part(text, part, table) for part in (fixed, *(b.effects for b in bars))]
        specifications = [matrix.model_spec for matrix in matrices]
        required = [_variables(specification) for specification in specifications]
        evaluated = _distinct(required)
        columns = _required(text, table, {*evaluated, *groups})
        table = table[columns]
        parts: tuple[Any, ...] = tuple(recipe_of(m.model_spec, table, m) for m in matrices)
        names, used = _places(parts)
        formula = cls(
            text=text,
            groups=groups,
            columns=tuple(columns),
            fixed_columns=required[0],
            categorical=_categorical(specifications),
            evaluated=evaluated,
            names=names,
            n_fixed=len(used[0]),
            intercept=INTERCEPT in parts[0].names,
            effects=tuple(map(_effect, bars, parts[1:])),
            parts=parts,
            used=used,
        )
        return formula, table

    def select(self, X: Any) -> pd.DataFrame:
        """The columns of new rows that the formula uses.

        All grouping columns may be absent, unless the formula evaluates them as well.

        Parameters
        ----------
        X : table

        Returns
        -------
        DataFrame

        Raises
        ------
        ValueError
            For columns that are not there.

        Examples
        --------
        >>> import pandas as pd
        >>> from skmixed.formula import FittedFormula
        >>> table = pd.DataFrame({"x": [1.0, 2.0], "g": [1, 2], "other": [0, 0]})
        >>> formula, _ = FittedFormula.fit("x + (1 | g)", table)
        >>> list(formula.select(table).columns), list(formula.select(table[["x"]]).columns)
        (['x', 'g'], ['x'])
        """
        table = _pandas(self.text, X)
        optional = set(self.groups).difference(self.evaluated)
        absent = not any(g in table.columns for g in optional)
        columns = [name for name in self.columns if not absent or name not in optional]
        _check_names(columns, table)
        return table[columns]

    def evaluate(self, table: pd.DataFrame) -> Evaluated:
        """Columns and labels of new rows.

        Parameters
        ----------
        table : DataFrame
            As :meth:`select` gives it.

        Returns
        -------
        Evaluated
            ``matrix`` of shape (n_rows, n_names) and ``labels`` by grouping column, empty where
            these are absent.

        Raises
        ------
        ValueError
            For missing values, and categories that were not there at fit.

        Examples
        --------
        >>> import pandas as pd
        >>> from skmixed.formula import FittedFormula
        >>> table = pd.DataFrame({"x": [1.0, 2.0], "g": [1, 2]})
        >>> formula, _ = FittedFormula.fit("I(x ** 2) + (1 | g)", table)
        >>> formula.evaluate(table).matrix.ravel().tolist()
        [1.0, 4.0]
        """
        _check_missing(table, [name for name in table.columns if name not in self.groups])
        used = zip(self.parts, self.used, strict=True)
        blocks = [
            _evaluate(self.text, partial(part, table), table)[:, columns]
            for part, columns in used
            if columns
        ]
        matrix = np.hstack(blocks) if blocks else np.empty((len(table), 0))
        _check_finite(self.names, matrix)
        present = all(g in table.columns for g in self.groups)
        labels = {g: tables.labels(table[g]) for g in self.groups} if present else {}
        return Evaluated(matrix, labels)


INTERCEPT = "Intercept"


def _fitted_part(text: str, part: Any, table: Any) -> Any:
    return _evaluate(text, lambda: Formula(part).get_model_matrix(table, **_OPTIONS), table)


def _required(text: str, table: Any, needed: set[str]) -> list[str]:
    """Columns that a formula uses; dotted names are cut at the dot where they are evaluated."""
    names = [str(name) for name in table.columns]
    return [name for name in names if name in needed or f"`{name}`" in text]


def _places(parts: Sequence[Any]) -> tuple[tuple[str, ...], tuple[tuple[int, ...], ...]]:
    """Names of the columns of a matrix, and the columns of every part that it takes.

    What the fixed effects have already is not taken again for the random effects.
    """
    names = {INTERCEPT: None}
    used = []
    for part in parts:
        used.append(tuple(k for k, name in enumerate(part.names) if name not in names))
        names |= dict.fromkeys(part.names)
    return tuple(names)[1:], tuple(used)


def _distinct(names: Iterable[Iterable[str]]) -> tuple[str, ...]:
    """Every name once, in the order in which they come."""
    return tuple(dict.fromkeys(chain.from_iterable(names)))


def _variables(specification: Any) -> tuple[str, ...]:
    """Columns that a part is computed from."""
    return tuple(sorted(map(str, specification.required_variables)))


def _one_sided(text: str) -> tuple[str, list[BarTerm]]:
    """Fixed effects and random-effects terms of a formula without a response."""
    response, fixed, bars = split_formula(text)
    if response:
        raise ValueError(
            f"formula={text!r} names a response.\n"
            "Pass y to fit, or use from_formula with the whole formula."
        )
    return fixed, bars


def _categorical(specifications: Sequence[Any]) -> tuple[str, ...]:
    """Columns that enter as categories, whatever they hold."""
    factors = [(s, f) for s in specifications for f in s.factor_contrasts]
    return tuple(sorted({str(v) for s, f in factors for v in s.factor_variables[f]}))


def _effect(bar: Any, part: Any) -> RandomEffect:
    group = bar.groups[0] if len(bar.groups) == 1 else bar.groups
    slopes = tuple(name for name in part.names if name != INTERCEPT)
    return RandomEffect(group, slopes, intercept=INTERCEPT in part.names)


def _check_names(wanted: Iterable[Hashable], table: Any) -> None:
    for name in wanted:
        if name not in table.columns:
            raise tables.unknown_column("formula", name, list(table.columns))


def _check_finite(names: Sequence[str], matrix: np.ndarray) -> None:
    if not np.all(np.isfinite(matrix)):
        name = names[int(np.argmin(np.all(np.isfinite(matrix), axis=0)))]
        raise ValueError(
            f"formula: {name!r} is not a finite number in every row.\nDrop or mend these rows."
        )


# No surrounding variables: a formula means the same wherever it is fitted.
_OPTIONS = {"output": "numpy", "na_action": "raise", "context": {}}


def evaluate_response(text: str, table: Any) -> pd.Series:
    """The left-hand side of a formula for some rows, named as written."""
    frame = _pandas(text, table)
    name = text.strip("`")
    if name in frame.columns:  # as it is, even where the name is a word of Python such as yield
        return frame[name]
    matrix = _evaluate(
        text, lambda: Formula(f"0 + I({text})").get_model_matrix(frame, **_OPTIONS), frame
    )
    values = np.asarray(matrix)
    if values.shape[1] != 1:
        raise ValueError(
            f"formula: the response {text!r} is not a single number per row.\nConvert it before."
        )
    return pd.Series(values[:, 0], index=frame.index, name=text)


def _pandas(text: str, table: Any) -> pd.DataFrame:
    if isinstance(table, pd.DataFrame):
        return table
    if tables.column_names(table) is None:
        raise ValueError(
            f"formula={text!r} names columns, but X came as {type(table).__name__} without column "
            "names.\n"
            "Pass a table, or ask earlier pipeline steps for one by set_output(transform='pandas')."
        )
    return table.to_pandas() if hasattr(table, "to_pandas") else pd.DataFrame(table)


def _evaluate(text: str, function: Callable[[], Any], table: Any) -> Any:
    """What a function of the table gives, or an error in words."""
    try:
        with warnings.catch_warnings():
            # an unseen category would silently be the reference
            warnings.simplefilter("error", DataMismatchWarning)
            return function()
    except (DataMismatchWarning, UnseenCategory) as unseen:
        raise ValueError(
            f"formula={text!r}: {unseen}.\nNew rows may only have categories seen at fit."
        ) from unseen
    except SyntaxError as error:
        raise ValueError(
            f"formula={text!r}: {error.text or error.msg!r} cannot be evaluated.\n"
            "Put names that are words of Python, such as class or lambda, in backticks."
        ) from error
    except Exception as error:
        if isinstance(error, ValueError) and not isinstance(error, FormulaicError):
            _check_missing(table, [name for name in table.columns if str(name) in text])
        names = ", ".join(map(repr, table.columns[:20]))
        reason = str(error).splitlines()[0]
        raise ValueError(f"formula={text!r}: {reason}\nThe columns are {names}.") from error


def _check_missing(table: Any, names: Sequence[str]) -> None:
    for name in names:
        missing = pd.isna(table[name].array)
        if missing.any():
            raise ValueError(
                f"X: column {name!r} contains NaN in {int(missing.sum())} of {len(table)} rows.\n"
                "Drop these rows before fitting, or put an imputer before the model."
            )
