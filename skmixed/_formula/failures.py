"""What formulaic and Python say of a formula, in our words."""

from __future__ import annotations

import re
from collections.abc import Iterable

from formulaic.errors import DataMismatchWarning

from .._data.checks import first_line
from .._data.recipes import UnseenCategory
from .._data.tables import unknown_column
from .names import Aliases
from .split import refused

_UNKNOWN = re.compile(r"name '([^']+)' is not defined|`([^`]+)` is not present")
_CATEGORIES = re.compile(r"\{.*\}")
FUNCTIONS = "center, scale, poly, bs, cr, log, exp, I, C, and those of numpy such as np.sqrt"
#: what functions of R are called here
TRANSLATED = {
    "factor": "C(x)",
    "s": "cr(x, df=4) or bs(x, df=4)",
    "ns": "cr(x, df=4)",
    "relevel": "C(x, Treatment('base'))",
    "sqrt": "np.sqrt(x)",
}


def in_words(text: str, aliases: Aliases, error: Exception, columns: Iterable[str]) -> ValueError:
    """The error for a formula that cannot be evaluated; ``columns`` are those of the table."""
    if isinstance(error, UnseenCategory):
        advice = "New rows may only have categories seen at fit."
        return refused(text, aliases.written(first_line(error)), advice)
    if isinstance(error, DataMismatchWarning):
        return _unseen(text, error)
    if isinstance(error, SyntaxError):
        return _syntax(text, aliases, error)
    if unknown := _UNKNOWN.search(str(error)):
        return _unknown(text, aliases.original(unknown[1] or unknown[2]), aliases)
    if "null values after evaluation" in str(error):
        term = aliases.written(str(error).rpartition(": ")[2].split("`")[1])
        reason = f"{term!r} has no value in some rows"
        return refused(text, reason, "Drop or mend these rows.")
    names = ", ".join(repr(aliases.original(name)) for name in columns)
    reason = aliases.written(first_line(error))
    return refused(text, reason, f"Its columns in the table are {names or 'none'}.")


def _unseen(text: str, error: Exception) -> ValueError:
    found = _CATEGORIES.search(str(error))
    categories = found[0] if found else first_line(error)
    advice = "Name every category in levels=; new rows may only have categories seen at fit."
    return refused(text, f"{categories} are not among the categories", advice)


def _syntax(text: str, aliases: Aliases, error: SyntaxError) -> ValueError:
    reason = f"{aliases.written(error.text or error.msg)!r} cannot be evaluated"
    advice = "Put names that are words of Python, such as class or lambda, in backticks."
    if "factor(" in text:
        advice = "Write C(x) for a column of categories."
    return refused(text, reason, advice)


def _unknown(text: str, name: str, aliases: Aliases) -> ValueError:
    if re.search(rf"(?<![\w.]){re.escape(name)}(\.\w+)*\s*\(", aliases.text):
        advice = f"Write {TRANSLATED[name]}." if name in TRANSLATED else f"There are {FUNCTIONS}."
        return refused(text, f"there is no function {name!r}", advice)
    return unknown_column(f"formula={text!r}", name, list(aliases.columns))
