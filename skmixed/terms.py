"""What the user writes: random-effects terms, as values or as lme4's notation."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import NoReturn

__all__ = ["RandomEffect", "parse_terms"]


@dataclass(frozen=True)
class RandomEffect:
    """One random-effects term: a vector of effects for every level of a grouping factor.

    ``RandomEffect("school", ("age",))`` is lme4's ``(1 + age | school)``.

    Parameters
    ----------
    group : str, int or tuple of them
        The column that holds the grouping factor; a tuple stands for the combinations of several
        columns, lme4's ``a:b``.  Names and positions refer to the columns of X, or to those of
        ``groups=`` where ``fit`` gets it.
    columns : tuple of str or int, default=()
        Columns of X whose slopes vary between levels.
    intercept : bool, default=True
        Whether the intercept varies between levels.
    covariance : str, default=None
        Covariance structure of the effects of one level: "unstructured", "diagonal" (also called
        "independent"), "identity" or "exchangeable"; None takes the estimator's ``covariance``.

    Examples
    --------
    >>> from skmixed import RandomEffect
    >>> RandomEffect("school", ("age",), covariance="diagonal")
    RandomEffect(group='school', columns=('age',), intercept=True, covariance='diagonal')
    """

    group: str | int | tuple[str | int, ...]
    columns: tuple[str | int, ...] = ()
    intercept: bool = field(default=True, kw_only=True)
    covariance: str | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        columns = (self.columns,) if isinstance(self.columns, str | int) else tuple(self.columns)
        object.__setattr__(self, "columns", columns)
        if isinstance(self.group, list):
            object.__setattr__(self, "group", tuple(self.group))
        if not columns and not self.intercept:
            raise ValueError(
                f"RandomEffect({self.group!r}): neither an intercept nor a column varies.\n"
                "Name at least one."
            )

    @property
    def group_columns(self) -> tuple[str | int, ...]:
        """The grouping columns as a tuple."""
        return self.group if isinstance(self.group, tuple) else (self.group,)


_TOKEN = re.compile(r"\s*(?:(`[^`]+`)|(\|\||[()+\-|/:*])|(\d+)|([^\W\d][\w.]*)|(\S))")


def parse_terms(text: str) -> list[RandomEffect]:
    """Read lme4's notation for random effects.

    Parameters
    ----------
    text : str
        Terms in parentheses joined by ``+``.  Left of the bar the varying effects: ``1`` or ``0``
        for the intercept (implied where neither is given) and column names; right of it the
        grouping factor.  ``a:b`` groups by the combinations of two columns, ``a/b`` is ``a`` and
        ``a:b`` (b nested in a), and ``||`` makes one uncorrelated term of each effect.  Names that
        are not identifiers go in backticks.

    Returns
    -------
    list of RandomEffect

    Raises
    ------
    ValueError
        If the text is not a sum of such terms.

    Examples
    --------
    >>> from skmixed.terms import parse_terms
    >>> for term in parse_terms("(1 + age | idcode) + (1 | school/class)"):
    ...     print(term.group, term.columns)
    idcode ('age',)
    school ()
    ('school', 'class') ()
    """
    return _Parser(text).terms()


def expand_groups(text: str) -> list[tuple[str, ...]]:
    """Grouping columns of the right-hand side of a bar: ``"a/b"`` is ``[("a",), ("a", "b")]``."""
    parser = _Parser(text)
    groups = parser.groups()
    parser.finish()
    return groups


class _Parser:
    """Recursive descent over the tokens of one string."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = [m.group().strip() for m in _TOKEN.finditer(text.rstrip())]
        self.position = 0

    def fail(self, reason: str) -> NoReturn:
        raise ValueError(
            f"random_effects={self.text!r}: {reason}.\n"
            'Write terms such as "(1 + age | id) + (1 | school/class)".'
        )

    @property
    def next(self) -> str:
        return self.tokens[self.position] if self.position < len(self.tokens) else "the end"

    def take(self, *expected: str) -> str:
        token = self.next
        if expected and token not in expected:
            self.fail(f"expected {' or '.join(map(repr, expected))}, found {token!r}")
        self.position += 1
        return token

    def finish(self) -> None:
        if self.next != "the end":
            self.fail(f"nothing may follow, found {self.next!r}")

    def name(self, what: str) -> str:
        token = self.take()
        if token.startswith("`") and len(token) > 2:
            return token[1:-1]
        if not re.fullmatch(r"[^\W\d][\w.]*", token) or token == "the end":
            self.fail(f"expected the name of {what}, found {token!r}")
        return token

    def terms(self) -> list[RandomEffect]:
        found = self.term()
        while self.next != "the end":
            self.take("+")
            found += self.term()
        return found

    def term(self) -> list[RandomEffect]:
        self.take("(")
        intercept, columns = self.effects()
        correlated = self.take("|", "||") == "|"
        groups = self.groups()
        self.take(")")
        parts = [(intercept, columns)] if correlated else _uncorrelated(intercept, columns)
        return [
            RandomEffect(
                group[0] if len(group) == 1 else group, tuple(names), intercept=has_intercept
            )
            for group in groups
            for has_intercept, names in parts
        ]

    def effects(self) -> tuple[bool, list[str]]:
        intercept = True
        columns: list[str] = []
        sign = self.take() if self.next == "-" else "+"
        while True:
            if self.next in ("0", "1"):
                intercept = (self.take() == "1") == (sign == "+")
            elif sign == "-":
                self.fail(f"only the intercept can be taken out, found '- {self.next}'")
            else:
                columns.append(self.name("a column"))
            if self.next not in ("+", "-"):
                break
            sign = self.take()
        if not intercept and not columns:
            self.fail("a term without any effect")
        return intercept, columns

    def groups(self) -> list[tuple[str, ...]]:
        parts = [self.interaction()]
        while self.next == "/":
            self.take()
            parts.append(self.interaction())
        return [tuple(n for part in parts[: k + 1] for n in part) for k in range(len(parts))]

    def interaction(self) -> tuple[str, ...]:
        names = [self.name("a grouping factor")]
        while self.next == ":":
            self.take()
            names.append(self.name("a grouping factor"))
        return tuple(names)


def _uncorrelated(intercept: bool, columns: list[str]) -> list[tuple[bool, list[str]]]:
    alone: list[tuple[bool, list[str]]] = [(True, [])]
    return alone * intercept + [(False, [c]) for c in columns]
