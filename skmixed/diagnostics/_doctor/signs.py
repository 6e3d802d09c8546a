"""What a rule returns: where it found something, and the figures that say so."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

NOTE, WARNING, PROBLEM = SEVERITIES = ("note", "warning", "problem")
LONGEST = 150  # characters of the names of a place


class Sign(NamedTuple):
    """Something that a rule has found.

    Attributes
    ----------
    where : names of the columns, factors, levels or rows concerned
    evidence : figures, in a sentence
    severity : one of SEVERITIES
    advice : where it says more than that of the kind
    """

    where: str
    evidence: str
    severity: str = WARNING
    advice: str = ""


Signs = Iterator[Sign]


def place(*names: object) -> str:
    """Names as a place, as many as are legible."""
    shown = ""
    for name in dict.fromkeys(map(str, names)):
        longer = f"{shown}, {name}" if shown else name
        if len(longer) > LONGEST:
            return shown or name[:LONGEST]
        shown = longer
    return shown


def level_name(factor: str, label: object) -> str:
    """A level by its label, with the factor where the label alone says little."""
    text = str(label)
    plain = factor.lower() in text.lower() or ":" in factor
    return text if plain else f"{factor} {text}"
