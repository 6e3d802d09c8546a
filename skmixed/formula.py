"""lme4 formulas: ``y ~ x + C(f) + (1 + x | g)`` as fixed effects and random-effects terms.

formulaic reads and evaluates everything but the bars and offsets: the fixed part and each random
term become a model matrix of their own, coded as in lme4.  The specification remembers categories,
centres and knots for new rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from ._data.columns import labels as labels_of
from ._formula.evaluation import (
    as_pandas,
    as_plain,
    check_finite,
    check_missing,
    check_names,
    evaluated,
    unlike_text,
)
from ._formula.learning import distinct, learn, offset_name
from ._formula.names import Aliases, repeated
from ._formula.split import BarTerm, one_sided, refused, split_formula, split_right
from .terms import RandomEffect

__all__ = ["FittedFormula", "split_formula"]


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
    fixed_columns, explained, categorical, evaluated : tuple of str
        Columns that the fixed effects and the offsets are computed from, those that the fixed and
        the random effects are, columns that enter as categories whatever they hold, and all columns
        that are evaluated rather than used as labels.
    names : tuple of str
        Columns of the matrix: the fixed effects without the intercept, then what only random
        effects use.
    n_fixed : int
    intercept : bool
        Whether the fixed effects have an intercept.
    effects : tuple of RandomEffect
    fixed : object
        What makes the columns of the fixed effects: ``terms``, and ``factors`` where these are
        known.

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
    explained: tuple[str, ...]
    categorical: tuple[str, ...]
    evaluated: tuple[str, ...]
    names: tuple[str, ...]
    n_fixed: int
    intercept: bool
    effects: tuple[RandomEffect, ...]
    fixed: Any = field(repr=False)
    aliases: Aliases = field(repr=False)
    plain: tuple[str, ...] = field(repr=False)
    parts: tuple[Any, ...] = field(repr=False)
    used: tuple[tuple[int, ...], ...] = field(repr=False)
    offsets: tuple[Any, ...] = field(repr=False)

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
        table = as_pandas(text, X)
        aliases = Aliases.of(one_sided(text), table.columns)
        right = split_right(aliases, text)
        groups = distinct(map(aliases.original, bar.groups) for bar in right.bars)
        check_names(groups, table)
        learned = learn(text, aliases, right, table)
        columns = [name for name in table.columns if name in {*learned.evaluated, *groups}]
        names, used = _places(learned.parts)
        parts, taken = _asked(learned.parts, used)
        formula = cls(
            text=text,
            groups=groups,
            columns=tuple(columns),
            fixed_columns=learned.fixed_columns,
            explained=learned.explained,
            categorical=learned.categorical,
            evaluated=learned.evaluated,
            names=_shown(text, aliases, names),
            n_fixed=len(used[0]),
            intercept=INTERCEPT in learned.parts[0].names,
            effects=tuple(map(partial(_effect, aliases), right.bars, learned.parts[1:])),
            fixed=learned.parts[0],
            aliases=aliases,
            plain=learned.plain,
            parts=parts,
            used=taken,
            offsets=learned.offsets,
        )
        return formula, table[columns]

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
        table = as_pandas(self.text, X)
        optional = set(self.groups).difference(self.evaluated)
        absent = not any(g in table.columns for g in optional)
        columns = [name for name in self.columns if not absent or name not in optional]
        check_names(columns, table)
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
        check_missing(table, [name for name in table.columns if name not in self.groups])
        present = all(g in table.columns for g in self.groups)
        labels = {g: labels_of(table[g]) for g in self.groups} if present else {}
        table = self.aliases.renamed(table)
        if odd := unlike_text(table, self.plain):
            table = as_plain(table, odd, self.aliases.original)
        used = zip(self.parts, self.used, strict=True)
        blocks = [
            evaluated(self.text, self.aliases, partial(part, table), table)[:, columns]
            for part, columns in used
        ]
        matrix = np.hstack(blocks) if blocks else np.empty((len(table), 0))
        check_finite(self.names, matrix)
        return Evaluated(matrix, labels, self._offset(table) if self.offsets else None)

    def _block(self, part: Any, table: pd.DataFrame) -> np.ndarray:
        return evaluated(self.text, self.aliases, partial(part, table), table)

    def _offset(self, table: pd.DataFrame) -> np.ndarray:
        matrix = np.hstack([self._block(part, table) for part in self.offsets])
        names = [self.aliases.shown(offset_name(part)) for part in self.offsets]
        check_finite(names, matrix)
        return matrix.sum(axis=1)


INTERCEPT = "Intercept"


def _shown(text: str, aliases: Aliases, names: Sequence[str]) -> tuple[str, ...]:
    """Names of coefficients, each of one column only."""
    shown = tuple(map(aliases.shown, names))
    if name := repeated(shown):
        advice = "Rename a column so that every coefficient has a name of its own."
        raise refused(text, f"two columns of the model are called {name!r}", advice)
    return shown


def _asked(
    parts: Sequence[Any], used: Sequence[tuple[int, ...]]
) -> tuple[tuple[Any, ...], tuple[tuple[int, ...], ...]]:
    """Parts that are evaluated for new rows, and which of their columns are taken."""
    asked = [k for k, part in enumerate(parts) if used[k] or part.has_lone_category]
    return tuple(parts[k] for k in asked), tuple(used[k] for k in asked)


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


def _effect(aliases: Aliases, bar: BarTerm, part: Any) -> RandomEffect:
    names = tuple(map(aliases.original, bar.groups))
    slopes = tuple(aliases.shown(name) for name in part.names if name != INTERCEPT)
    group = names[0] if len(names) == 1 else names
    return RandomEffect(group, slopes, intercept=INTERCEPT in part.names)
