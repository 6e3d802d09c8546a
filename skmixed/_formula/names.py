"""Names of columns in formulas.

Whatever stands in backticks is the name of a column.  Names that formulaic, or Python, would read
as something else (``x+1``, ``class``, ``np``, ``Intercept``) go by an *alias* while they are in its
hands, and come back by their own name in everything that is shown.
"""

from __future__ import annotations

import builtins
import keyword
import re
import unicodedata
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field

import pandas as pd
from formulaic.transforms import TRANSFORMS

#: words that mean something else in a formula
RESERVED = {*TRANSFORMS, *dir(builtins), *keyword.kwlist, "Intercept", "offset", "cbind"}

_PIECES = re.compile(
    r"""(?P<quoted>`[^`]*`)
    | (?P<text>"(?:\\.|[^"\\])*" | '(?:\\.|[^'\\])*')
    | (?P<number>\d[\w.]*)
    | (?P<attribute>\.[^\W\d]\w*)
    | (?P<name>[^\W\d]\w*(?:\.\w+)*)
    (?P<use>\s*(?:\(|=(?!=)))?""",
    re.VERBOSE,
)
_ALIAS = re.compile(r"_column(\d+)_")


def is_plain(name: str) -> bool:
    """Whether a name is read as the column it names, wherever it stands."""
    is_name = name.isidentifier() and name not in RESERVED and not _ALIAS.search(name)
    return is_name and unicodedata.normalize("NFKC", name) == name


def without_quotes(text: str) -> str:
    """The text with blanks, of equal length, for what is quoted."""
    return _PIECES.sub(lambda m: m[0] if not (m["quoted"] or m["text"]) else "x" * len(m[0]), text)


@dataclass(frozen=True)
class Aliases:
    """The names of one formula.

    Attributes
    ----------
    text : the formula, with aliases for names that are not plain
    names : what the aliases stand for, by number
    mentioned : columns of the table that the formula names
    columns : all columns of the table
    """

    text: str
    names: tuple[str, ...]
    mentioned: tuple[str, ...] = field(repr=False)
    columns: tuple[str, ...] = field(repr=False)

    @classmethod
    def of(cls, text: str, columns: Iterable[Hashable] = ()) -> Aliases:
        """The names of a formula, and of a table that it is for.

        Without the table only names in backticks are known to be names.
        """
        known = tuple(map(str, columns))
        found = _Names(set(known))
        aliased = _PIECES.sub(found.replaced, text)
        mentioned = tuple(dict.fromkeys(found.mentioned))
        return cls(aliased, tuple(found.aliased), mentioned, known)

    def alias(self, name: str) -> str:
        """What a column is called in the text."""
        return alias_of(self.names.index(name)) if name in self.names else name

    def original(self, name: str) -> str:
        """The column behind a name in the text."""
        found = _ALIAS.fullmatch(name)
        return self.names[int(found[1])] if found else name

    def shown(self, text: str) -> str:
        """A text, such as the name of a coefficient, with names instead of aliases.

        Where the name is a part of an expression it is in backticks.
        """
        return _ALIAS.sub(lambda m: _shown(self.names[int(m[1])], text, m), text)

    def written(self, text: str) -> str:
        """A part of the formula as it can be read again."""
        return _ALIAS.sub(lambda m: f"`{self.names[int(m[1])]}`", text)

    def renamed(self, table: pd.DataFrame) -> pd.DataFrame:
        """Columns by what they are called in the text."""
        if not self.names:
            return table
        return table.set_axis([self.alias(name) for name in table.columns], axis=1)

    def table(self, table: pd.DataFrame) -> pd.DataFrame:
        """Columns that the formula names, by what they are called in the text."""
        return self.renamed(table[[name for name in self.mentioned if name in table.columns]])


@dataclass
class _Names:
    """Names found in a text so far."""

    columns: set[str]
    aliased: list[str] = field(default_factory=list)
    mentioned: list[str] = field(default_factory=list)

    def replaced(self, piece: re.Match) -> str:
        """What stands for a piece of the text."""
        if piece["quoted"]:
            return self._column(piece["quoted"][1:-1])
        name = piece["name"] or ""
        if name in self.columns and not piece["use"]:
            return self._column(name)
        root = name.split(".")[0]  # x.abs() is a method of the column x
        if root != name and root in self.columns and is_plain(root):
            self.mentioned.append(root)
        return piece[0]

    def _column(self, name: str) -> str:
        if name in self.columns:
            self.mentioned.append(name)
        if is_plain(name):
            return name
        if name not in self.aliased:
            self.aliased.append(name)
        return alias_of(self.aliased.index(name))


def alias_of(k: int) -> str:
    """The alias of the k-th name that needs one."""
    return f"_column{k}_"


def _shown(name: str, text: str, place: re.Match) -> str:
    is_alone = text[: place.start()].endswith(("", ":")[place.start() > 0])
    is_alone = is_alone and text[place.end() : place.end() + 1] in ("", ":", "[")
    return name if is_alone else f"`{name}`"


def repeated(names: Sequence[str]) -> str | None:
    """A name that occurs twice; None where all are different."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return None
