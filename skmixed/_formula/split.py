"""Sides, random terms and offsets of a formula.

formulaic's tokenizer finds the terms in parentheses that hold a bar, so calls such as ``I(x | z)``
are safe; names in backticks are aliases by then.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field

from formulaic import Formula
from formulaic.errors import FormulaicError
from formulaic.parser.algos.tokenize import tokenize

from .._data.checks import first_line
from ..terms import expand_groups
from .names import Aliases, without_quotes


@dataclass(frozen=True)
class BarTerm:
    """One term in parentheses: the formula of its effects, its grouping columns, and whether the
    effects correlate.
    """

    effects: str
    groups: tuple[str, ...]
    correlated: bool


@dataclass
class Parts:
    """The right-hand side of a formula.

    Attributes
    ----------
    fixed : formula of the fixed effects
    bars : random terms
    offsets : expressions in ``offset(...)``
    """

    fixed: str
    bars: list[BarTerm] = field(default_factory=list)
    offsets: list[str] = field(default_factory=list)


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
    TypeError
        For what is no text.
    ValueError
        For bars outside parentheses, nested random terms, or terms not joined by ``+``.

    Examples
    --------
    >>> from skmixed.formula import split_formula
    >>> split_formula("y ~ x + (1 | g)")
    ('y', 'x', [BarTerm(effects='1', groups=('g',), correlated=True)])
    """
    response, right = sides(text)
    aliases = Aliases.of(right)
    parts = split_right(aliases, text)
    fixed = " + ".join([parts.fixed, *(f"offset({e})" for e in parts.offsets)])
    bars = [
        BarTerm(aliases.written(b.effects), tuple(map(aliases.original, b.groups)), b.correlated)
        for b in parts.bars
    ]
    return response, aliases.written(fixed), bars


def sides(text: str) -> tuple[str, str]:
    """Response and right-hand side; the response is empty for a one-sided formula."""
    if not isinstance(text, str):
        raise TypeError(
            f"formula={text!r:.60}: expected a text, got {type(text).__name__}.\n"
            "Write 'y ~ x + (1 | group)'."
        )
    bare = without_quotes(text)
    if "`" in bare:
        raise refused(text, "a backtick that is not closed", "Close the name: `my column`.")
    if bare.count("~") > 1:
        raise refused(text, "more than one '~'")
    place = bare.find("~")
    if not text[place + 1 :].strip():
        raise refused(text, "nothing on the right-hand side", "Write 'y ~ 1 + (1 | group)'.")
    return text[: max(place, 0)].strip(), text[place + 1 :].strip()


def one_sided(text: str) -> str:
    """The text of a formula without a response."""
    response, right = sides(text)
    if response:
        raise ValueError(
            f"formula={text!r} names a response.\n"
            "Pass y to fit, or use from_formula with the whole formula."
        )
    return right


def split_right(aliases: Aliases, whole: str) -> Parts:
    """The parts of a right-hand side; ``whole`` is the formula as it was given."""
    return _Splitter(aliases, whole).split()


ADVICE = "Write random effects as '+ (1 + x | group)'."


def refused(text: str, reason: str, advice: str = ADVICE) -> ValueError:
    """The error for a formula that cannot be read."""
    in_one_line = reason.replace("\n", "\\n")
    return ValueError(f"formula={text!r}: {in_one_line}.\n{advice}")


@dataclass
class _Opened:
    """A bracket that is still open: its token, and that of the bar inside."""

    start: int
    bar: int | None = None


class _Splitter:
    """Cuts the random terms and the offsets out of a right-hand side."""

    def __init__(self, aliases: Aliases, whole: str) -> None:
        self.aliases = aliases
        self.text = aliases.text
        self.whole = whole
        self.parts = Parts("1")
        self.cuts: list[tuple[int, int]] = []
        self.opened: list[_Opened] = []
        try:
            self.tokens = list(tokenize(self.text))
        except FormulaicError as error:
            reason = first_line(error)
            if "quote context" in reason:
                reason = "a bracket or a quotation mark that is not closed"
            raise self._refused(reason) from error

    def _refused(self, reason: str, advice: str = ADVICE) -> ValueError:
        return refused(self.whole, self.aliases.written(reason), advice)

    def split(self) -> Parts:
        for i, token in enumerate(self.tokens):
            if token.kind.value == "context":
                self._bracket(i, token.token)
            elif token.kind.value == "operator":
                self._operator(i, token.token)
            elif token.token == "." or "offset(" in token.token:
                self._word(i, token.token)
        if self.opened:
            raise self._refused("a bracket that is not closed")
        self.parts.fixed = self._without_cuts()
        return self.parts

    def _bracket(self, i: int, bracket: str) -> None:
        if bracket in "([{":
            self.opened.append(_Opened(i))
            return
        if not self.opened:
            raise self._refused(f"{bracket!r} closes no bracket")
        last = self.opened.pop()
        if last.bar is not None:
            if self.opened:
                raise self._refused("a random term inside parentheses")
            self._cut(last.start, i, "a random term")
            self.parts.bars += self._terms(last.start, last.bar, i)

    def _operator(self, i: int, operator: str) -> None:
        if "|" not in operator:
            return
        if operator not in ("|", "||"):
            raise self._refused(f"{operator!r} is no bar")
        if not self.opened:
            raise self._refused("a bar outside parentheses")
        if self.opened[-1].bar is not None:
            raise self._refused("two bars in one term")
        self.opened[-1].bar = i

    def _word(self, i: int, word: str) -> None:
        if word == ".":
            raise self._refused("'.' names no column", "Write out the columns.")
        offset = _offset_of(word)
        if offset is None:
            advice = "Write '+ offset(column)', or '+ offset(log(column))'."
            raise self._refused(f"{word!r} is not an offset of one column", advice)
        if self.opened:
            advice = "Write '+ offset(column)' beside the other terms."
            raise self._refused(f"{word!r} inside parentheses", advice)
        self._cut(i, i, "an offset")
        self.parts.offsets.append(offset)

    def _between(self, first: int, last: int) -> str:
        return self.text[self.tokens[first].source_end + 1 : self.tokens[last].source_start].strip()

    def _terms(self, start: int, bar: int, end: int) -> list[BarTerm]:
        effects = self._between(start, bar)
        if not effects:
            raise self._refused("nothing left of a bar")
        correlated = self.tokens[bar].token == "|"
        try:
            groups = expand_groups(self._between(bar, end))
            parts = [effects] if correlated else _uncorrelated(effects)
        except Exception as error:  # whatever formulaic raises
            raise self._refused(first_line(error)) from error
        return [BarTerm(part, group, correlated) for group in groups for part in parts]

    def _cut(self, start: int, end: int, what: str) -> None:
        """Take out a term with the plus that joins it to the rest."""
        before = self.tokens[start - 1] if start else None
        after = self.tokens[end + 1] if end + 1 < len(self.tokens) else None
        for joined, allowed in ((before, ("+",)), (after, ("+", "-"))):
            if joined is not None and joined.token not in allowed:
                raise self._refused(f"{what} joined by {joined.token!r} instead of '+'")
        first = self.tokens[start].source_start if before is None else before.source_start
        self.cuts.append((first, self.tokens[end].source_end + 1))

    def _without_cuts(self) -> str:
        rest = self.text
        for start, end in sorted(self.cuts, reverse=True):
            rest = rest[:start] + rest[end:]
        return rest.strip().lstrip("+").strip() or "1"


def _offset_of(word: str) -> str | None:
    """The expression in a call of offset; None where the word is something else."""
    try:
        call = ast.parse(word, mode="eval").body
    except SyntaxError:
        return None
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
        return None
    is_one = call.func.id == "offset" and len(call.args) == 1 and not call.keywords
    return ast.unparse(call.args[0]) if is_one else None


def _uncorrelated(effects: str) -> list[str]:
    """The terms of ``(effects || g)``, one each; factors keep their columns together, as in
    lme4."""
    terms = [str(term) for term in Formula(effects)]
    return [term if term == "1" else f"0 + {term}" for term in terms]
