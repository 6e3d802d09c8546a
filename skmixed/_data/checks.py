"""Checks of arguments, with errors of two lines: what is wrong, and what to do."""

from __future__ import annotations

from numbers import Integral, Real


def check_n_samples(n_samples):
    """A positive whole number."""
    if not isinstance(n_samples, Integral) or isinstance(n_samples, bool):
        raise TypeError(
            f"n_samples={n_samples!r} is not a whole number.\nGive the number of samples, such as 1000."
        )
    if n_samples < 1:
        raise ValueError(
            f"n_samples={n_samples!r} is not a number of samples.\nUse at least 1, such as 1000."
        )
    return int(n_samples)


def check_level(level):
    """A confidence level between 0 and 1."""
    if not isinstance(level, Real) or not 0 < level < 1:
        raise ValueError(
            f"level={level!r} is not a probability.\nUse a number between 0 and 1, such as 0.95."
        )
    return level
