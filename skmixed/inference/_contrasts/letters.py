"""Compact letter displays: means that share a letter are not told apart (Piepho 2004)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from string import ascii_letters

import numpy as np


def letters(order: Sequence[int], different: Iterable[tuple[int, int]]) -> dict[int, str]:
    """Letters of the items of ``order``, the first of them with an "a"; pairs are told apart."""
    place = {item: k for k, item in enumerate(order)}
    columns = [set(order)] if order else []
    for first, second in different:
        columns = _absorbed(_split(columns, first, second))
    columns.sort(key=lambda column: sorted(place[item] for item in column))
    names = [_letter(k) for k in range(len(columns))]
    return {
        item: "".join(n for n, column in zip(names, columns, strict=True) if item in column)
        for item in order
    }


def _split(columns, first, second):
    """No column holds both."""
    for column in columns:
        if first in column and second in column:
            yield column - {first}
            yield column - {second}
        else:
            yield column


def _absorbed(columns):
    """Without those that lie within others."""
    kept: list[set] = []
    for column in sorted(columns, key=len, reverse=True):
        if not any(column <= other for other in kept):
            kept.append(column)
    return kept


def _letter(k):
    turns, place = divmod(k, len(ascii_letters))
    return ascii_letters[place] + (str(turns) if turns else "")


def letters_of(
    estimates: np.ndarray, families: Sequence[np.ndarray], significant: np.ndarray
) -> list[str]:
    """Letters of the rows of a table, the least estimate of a family first.

    ``significant`` says which pairs of each family differ, one family after the other.
    """
    told = [""] * len(estimates)
    start = 0
    for places in families:
        first, second = np.triu_indices(len(places), 1)
        own = significant[start : start + len(first)]
        start += len(first)
        values = estimates[places]
        order = [int(k) for k in np.argsort(values) if not np.isnan(values[k])]
        pairs = zip(first[own].tolist(), second[own].tolist(), strict=True)
        for k, text in letters(order, pairs).items():
            told[places[k]] = text
    return told
