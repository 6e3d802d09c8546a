"""Checks of arguments, and the words for what is wrong.

Errors have two lines: the first says which argument is wrong, the second what to do.  Warnings
point at the line of the caller.
"""

from __future__ import annotations

import contextlib
import difflib
import functools
import os
import sys
import warnings
from collections.abc import Iterable
from numbers import Integral, Real
from pathlib import Path
from typing import Any

import joblib
import sklearn
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.validation import _num_samples

HERE = Path(__file__).parents[1]
#: files whose lines are nobody's: ours, and those that call us on behalf of somebody
PASSED_THROUGH = (
    f"{HERE}{os.sep}",
    *(f"{Path(package.__file__).parent}{os.sep}" for package in (sklearn, joblib)),
    functools.__file__,
    contextlib.__file__,
)


def warn(message: str, category: type[Warning]) -> None:
    """Warn at the line, outside this package and scikit-learn, that led here."""
    frame = sys._getframe(1)
    depth = 2
    while frame.f_back is not None and frame.f_code.co_filename.startswith(PASSED_THROUGH):
        frame = frame.f_back
        depth += 1
    warnings.warn(message, category, stacklevel=depth)


def listed(names: Iterable[Any]) -> str:
    """``'a', 'b' or 'c'``."""
    *first, last = map(repr, names)
    return f"{', '.join(first)} or {last}" if first else last


def check_choice(name: str, value: Any, choices: Iterable[Any]) -> Any:
    """One of some values."""
    if value not in (choices := tuple(choices)):
        raise ValueError(f"{name}={value!r} is not known.\nUse {listed(choices)}.")
    return value


def first_line(error: Exception) -> str:
    """What an error says, without a point at the end."""
    lines = str(error).splitlines() or [type(error).__name__]
    return lines[0].rstrip(".! ")


def check_length(name: str, values: Any, n: int) -> None:
    """One value for every row."""
    found = _num_samples(values)
    if found != n:
        raise ValueError(
            f"{name} has {found} values for {n} rows (inconsistent numbers of samples).\n"
            "Pass one value for every row of X, in the same order."
        )


def nearest(name: str, names: Iterable[str]) -> str | None:
    """The name that was meant: one that begins like this, or is much like it."""
    names = {n.lower(): n for n in reversed(list(names))}
    begun = [n for n in reversed(names) if name and n.startswith(name.lower())]
    close = difflib.get_close_matches(name.lower(), names, n=1)
    return names.get((begun or close or [""])[0])


def check_parameters(owner: str, given: Iterable[str], known: Iterable[str]) -> None:
    """Names of parameters of a constructor."""
    known = sorted(known)
    for name in given:
        if name not in known:
            meant = nearest(name, known)
            advice = f"Did you mean {meant!r}?" if meant else f"They are {', '.join(known)}."
            raise TypeError(f"{owner} has no parameter {name!r} beside the formula.\n{advice}")


class AnyCase(StrOptions):
    """One of some words, in small or capital letters."""

    def is_satisfied_by(self, val: Any) -> bool:
        return isinstance(val, str) and super().is_satisfied_by(val.lower())


def check_level(level: float) -> float:
    """A confidence level between 0 and 1."""
    if not isinstance(level, Real) or not 0 < level < 1:
        raise ValueError(
            f"level={level!r} is not a probability.\nUse a number between 0 and 1, such as 0.95."
        )
    return level


def check_n_samples(n_samples: int) -> int:
    """A positive whole number."""
    if not isinstance(n_samples, Integral) or isinstance(n_samples, bool):
        raise TypeError(
            f"n_samples={n_samples!r} is not a whole number.\n"
            "Give the number of samples, such as 1000."
        )
    if n_samples < 1:
        raise ValueError(
            f"n_samples={n_samples!r} is not a number of samples.\nUse at least 1, such as 1000."
        )
    return int(n_samples)
