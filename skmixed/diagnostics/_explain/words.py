"""Numbers, lists and comparisons in words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

DIGITS = 3
MOST_DECIMALS = 6
SPAN_DIGITS = 2  # of the width of an interval
SMALLEST = 1e-4  # numbers outside of these have an exponent
LARGEST = 1e9


def figure(value: float) -> str:
    """Three digits, whole numbers whole, thousands apart."""
    size = abs(value)
    if size >= LARGEST or 0 < size < SMALLEST:
        return f"{value:.{DIGITS - 1}e}"
    if value == round(value) or size >= 10.0**DIGITS:
        return f"{round(value):,d}"
    return f"{value:.{DIGITS}g}"


def span(low: float, high: float, joined: str = "to") -> str:
    """Two limits with as many decimals as tell them apart by two digits."""
    if not max(abs(low), abs(high)) < LARGEST or 0 < high - low < SMALLEST:
        return f"{figure(low)} {joined} {figure(high)}"
    apart = high - low or max(abs(low), 1.0)
    decimals = int(np.clip(SPAN_DIGITS - 1 - np.floor(np.log10(apart)), 0, MOST_DECIMALS))
    while decimals < MOST_DECIMALS and any(v != 0.0 == round(v, decimals) for v in (low, high)):
        decimals += 1  # what is not zero does not look as if it were
    return f"{low:,.{decimals}f} {joined} {high:,.{decimals}f}"


def counted(n: float, one: str, many: str = "") -> str:
    """A number of things."""
    return f"{figure(n)} {one if n == 1 else many or one + 's'}"


def listed(parts: Sequence[str]) -> str:
    """One thing, two, or several."""
    if len(parts) < 3:
        return " and ".join(parts)
    return f"{', '.join(parts[:-1])} and {parts[-1]}"


def share_span(low: float, high: float) -> str:
    """Two shares as percentages."""
    return f"{100.0 * low:.0f} to {100.0 * high:.0f} %"


def ratio(value: float) -> str:
    """A factor; those near one with the digits that tell them from it."""
    return f"{value:.3f}" if 0.9 < value < 1.1 else figure(value)


def capital(sentence: str) -> str:
    """With a capital, but for a column's name."""
    return sentence[:1].upper() + sentence[1:]


def moved(estimate: float, low: float, high: float, level: float) -> str:
    """A difference, the way it goes and how sure that is."""
    size, way = figure(abs(estimate)), "higher" if estimate > 0 else "lower"
    about = f"{100.0 * level:g} % interval"
    if np.isnan(low):
        return f"{size} {way} on average"
    if low <= 0.0 <= high:
        unclear = f"{figure(-low)} lower to {figure(high)} higher, so it may as well be none"
        return f"{size} {way} on average ({about}: {unclear})"
    return f"{size} {way} on average ({about}: {span(*sorted([abs(low), abs(high)]))})"
