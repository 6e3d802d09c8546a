"""Contrasts of the means of one family: matrices with a row a contrast, and their names."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from fractions import Fraction
from itertools import combinations
from math import gcd, lcm
from numbers import Real
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ..._data.checks import check_choice, nearest

MOST_DEGREES = 6  # of polynomials
DEGREES = ("linear", "quadratic", "cubic", "quartic", "quintic", "sextic")
SIGNS = set("+-*/")


class Contrasts(NamedTuple):
    """Names, and (contrasts, means)."""

    names: list[str]
    matrix: np.ndarray
    is_pairwise: bool = False


def level_names(column: Hashable, levels: Iterable[Any]) -> list[str]:
    """Levels as contrasts call them: numbers by their column."""
    texts = [_text(level) for level in levels]
    before = str(column) if all(map(_is_number, texts)) else ""
    return [before + text for text in texts]


def protected(name: str) -> str:
    """A name in parentheses where it could be read as arithmetic."""
    return f"({name})" if SIGNS.intersection(name) else name


def _text(level):
    is_number = isinstance(level, Real) and not isinstance(level, bool)
    return f"{level:g}" if is_number else str(level)


def _is_number(text):
    try:
        float(text)
    except ValueError:
        return False
    return True


def _difference(names, n, more, less, sign):
    row = np.zeros(n)
    row[more], row[less] = 1.0, -1.0
    return f"{names[more]} {sign} {names[less]}", row


def _from_pairs(names, pairs, sign, is_pairwise=False):
    found = [_difference(names, len(names), *pair, sign) for pair in pairs]
    matrix = np.array([row for _, row in found]).reshape(len(found), len(names))
    return Contrasts([name for name, _ in found], matrix, is_pairwise)


def pairwise(names: Sequence[str], sign: str, reference: Any) -> Contrasts:
    """Every mean less every later one."""
    return _from_pairs(names, list(combinations(range(len(names)), 2)), sign, True)


def against_reference(names: Sequence[str], sign: str, reference: Any) -> Contrasts:
    """All others less one."""
    first = _position(names, reference)
    return _from_pairs(names, [(k, first) for k in range(len(names)) if k != first], sign)


def consecutive(names: Sequence[str], sign: str, reference: Any) -> Contrasts:
    """Every mean less the one before."""
    return _from_pairs(names, [(k + 1, k) for k in range(len(names) - 1)], sign)


def polynomial(names: Sequence[str], sign: str, reference: Any) -> Contrasts:
    """Trends over equally spaced levels: orthogonal polynomials in whole numbers."""
    k = len(names)
    rows = _orthogonal(k, min(k - 1, MOST_DEGREES))
    return Contrasts(list(DEGREES[: len(rows)]), np.array(rows, dtype=float).reshape(-1, k))


CONTRASTS: dict[str, Callable[[Sequence[str], str, Any], Contrasts]] = {
    "pairwise": pairwise,
    "reference": against_reference,
    "polynomial": polynomial,
    "consecutive": consecutive,
}


def contrasts_of(method: Any, names: Sequence[str], sign: str, reference: Any) -> Contrasts:
    """By a name, or by numbers: a matrix, or a dict of rows."""
    if isinstance(method, str):
        return CONTRASTS[check_choice("method", method, CONTRASTS)](names, sign, reference)
    rows = _rows(method, names)
    matrix = np.array([np.asarray(row, dtype=float) for row in rows.values()])
    if matrix.ndim != 2 or matrix.shape[1] != len(names) or not np.all(np.isfinite(matrix)):
        raise ValueError(
            f"method: expected rows of {len(names)} numbers, one for each of "
            f"{', '.join(names)}, got shape {matrix.shape}.\n"
            "Give a matrix, a dict of names and rows, or one of "
            f"{', '.join(map(repr, CONTRASTS))}."
        )
    return Contrasts(list(rows), matrix)


def _rows(method, names):
    """Numbers by the name of their contrast."""
    if isinstance(method, pd.DataFrame):
        method = dict(zip(method.index, method.to_numpy(), strict=True))
    if isinstance(method, dict):
        return {str(name): row for name, row in method.items()}
    return {_in_words(row, names): row for row in np.atleast_2d(np.asarray(method, float))}


def _position(names, reference):
    if reference is None:
        return 0
    wanted = str(reference)
    if wanted not in names:
        meant = nearest(wanted, names)
        advice = f"Did you mean {meant!r}?" if meant else f"They are {', '.join(names)}."
        raise ValueError(f"reference={reference!r} is none of the means.\n{advice}")
    return list(names).index(wanted)


def _in_words(row, names):
    """``A - 0.5 B - 0.5 C``."""
    words = ""
    for size, name in zip(row, names, strict=False):
        if size:
            factor = "" if abs(size) == 1 else f"{abs(size):.4g} "
            words += f" {'-' if size < 0 else '+'} {factor}{name}"
    return words.removeprefix(" + ").strip() or "0"


def _orthogonal(k, degree):
    """Gram polynomials over 0, ..., k - 1 without a common divisor, rising at the end."""
    found: list[list[Fraction]] = [[Fraction(1)] * k]
    for power in range(1, degree + 1):
        row = [Fraction(x) ** power for x in range(k)]
        for other in found:
            share = _dot(row, other) / _dot(other, other)
            row = [a - share * b for a, b in zip(row, other, strict=True)]
        found.append(row)
    return [_whole(row) for row in found[1:]]


def _dot(a, b):
    return sum((x * y for x, y in zip(a, b, strict=True)), start=Fraction(0))


def _whole(row):
    common = lcm(*(x.denominator for x in row))
    numbers = [int(x * common) for x in row]
    return [x // gcd(*numbers) for x in numbers]
