"""Linear hypotheses ``L b = c`` about the fixed effects, as a user writes them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ..._data.checks import nearest

NO_TERMS: Mapping[str, np.ndarray] = MappingProxyType({})
WORD = re.compile(r"[^\W\d]\w*")
LONGEST = 80  # characters of a hypothesis that is quoted


class Hypothesis(NamedTuple):
    """``L b = c``: (rows, coefficients) and (rows,)."""

    L: np.ndarray
    c: np.ndarray


def read_hypothesis(
    spec: Any, names: Sequence[str], terms: Mapping[str, np.ndarray] = NO_TERMS
) -> Hypothesis:
    """A hypothesis from a string ("black = other"), a dict (name -> value), a matrix, or a pair
    (matrix, values); or the name of a term, whose coefficients are all zero.

    Strings are read as statsmodels reads them; names in them may be in backticks.  ``terms`` are
    positions of coefficients by the names of terms.
    """
    if not len(names):
        raise ValueError(
            "the model has no fixed effects, so there is nothing to test.\n"
            "random_effects_test tests the variances."
        )
    if (places := _term_named(spec, terms)) is not None:
        return Hypothesis(np.eye(len(names))[places], np.zeros(len(places)))
    if isinstance(spec, pd.DataFrame | pd.Series):
        spec = _by_name(spec, names)
    try:
        found = _read(spec, names)
    except Exception as error:  # patsy raises several kinds, with messages of several lines
        raise _no_hypothesis(spec, names, terms) from error
    if not np.all(np.any(found.L, axis=1)):
        raise ValueError(
            "a row of the hypothesis names no coefficient.\n"
            "Give every row a number that is not zero."
        )
    return found


def _read(spec, names):
    """As statsmodels reads it, if it is a hypothesis about coefficients of these names."""
    from patsy import DesignInfo  # takes long to import

    called, readable = _without_backticks(spec, names)
    found = DesignInfo(called).linear_constraint(readable)
    L, c = np.asarray(found.coefs, dtype=float), np.ravel(np.asarray(found.constants, dtype=float))
    is_finite = np.all(np.isfinite(L)) and np.all(np.isfinite(c))
    if L.shape != (len(c), len(names)) or not len(L) or not is_finite:
        raise ValueError("other rows or columns than there are, or no numbers")
    return Hypothesis(L, c)


def in_words(row: np.ndarray, value: float, names: Sequence[str]) -> str:
    """A row of a hypothesis as it is written: ``x - 2 * z = 1``."""
    words = ""
    for k in np.flatnonzero(row):
        size = abs(row[k])
        factor = "" if size == 1 else f"{size:.6g} * "
        sign = "-" if row[k] < 0 else "+"
        words += f" {sign} {factor}{names[k]}"
    first = words.removeprefix(" + ").replace(" - ", "-", 1) if words[:3] == " - " else words[3:]
    return f"{first} = {value + 0.0:.6g}"  # minus zero is zero


def _without_backticks(spec, names):
    """The names, and a hypothesis, with words for names that are quoted in it."""
    if not isinstance(spec, str) or "`" not in spec:
        return names, spec
    words = {f"`{name}`": f"quoted_{k}_" for k, name in enumerate(names) if f"`{name}`" in spec}
    for quoted, word in words.items():
        spec = spec.replace(quoted, word)
    return [words.get(f"`{name}`", name) for name in names], spec


def _term_named(spec, terms):
    """Places of the coefficients of a term, whatever the order of its factors."""
    if not isinstance(spec, str):
        return None
    if spec in terms:
        return terms[spec]
    factors = sorted(_squeezed(spec).split(":"))
    return next(
        (p for name, p in terms.items() if sorted(_squeezed(name).split(":")) == factors), None
    )


def _squeezed(name):
    return name.replace(" ", "").replace("`", "")


def _no_hypothesis(spec, names, terms):
    is_name = isinstance(spec, str) and "=" not in spec
    if is_name and (meant := nearest(spec, terms)):
        return ValueError(
            f"{spec!r} is no linear hypothesis about the fixed effects, and no term of the model.\n"
            f"Did you mean {meant!r}?"
        )
    given = f"a {type(spec).__name__}"
    if isinstance(spec, str) and (renamed := _misspelt(spec, names)):
        return ValueError(
            f"{spec!r} is no linear hypothesis: there is no coefficient {renamed[0]!r}.\n"
            f"Did you mean {renamed[1]!r}?"
        )
    if isinstance(spec, str | dict | list) and len(repr(spec)) < LONGEST:
        given = repr(spec)
    return ValueError(
        f"{given} is no linear hypothesis about the fixed effects.\n"
        "Write 'a = b', 'a - 2 * b = 1' or give a matrix with one column for each of "
        f"{', '.join(map(str, names))}."
    )


def _misspelt(spec, names):
    """A word that is no coefficient, and the one that is much like it."""
    for name in sorted(map(str, names), key=len, reverse=True):
        spec = spec.replace(name, " ")
    words = WORD.findall(spec)
    near = ((word, nearest(word, map(str, names))) for word in words)
    return next((pair for pair in near if pair[1]), None)


def _by_name(spec, names):
    """A matrix whose columns are named, in the order of the coefficients."""
    table = spec.to_frame().T if isinstance(spec, pd.Series) else spec
    unknown = [str(c) for c in table.columns if c not in names]
    if unknown:
        raise ValueError(
            f"{', '.join(unknown)}: no such coefficient.\n"
            f"The fixed effects are {', '.join(map(str, names))}."
        )
    return table.reindex(columns=names, fill_value=0.0).to_numpy(dtype=float)
