"""Sentences about what the strongest effects mean."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..._report.words import percent
from ...inference._margins.margins import average_predictions
from .effects import Effect, ends
from .subject import Subject
from .words import capital, figure, listed, moved, ratio, span

MOST = 5  # effects that are told


def strongest(subject: Subject) -> Iterator[str]:
    """One sentence per effect, the strongest first."""
    told = subject.effects[:MOST]
    tell = _difference if subject.is_linear else _odds
    for effect in told:
        yield tell(subject, effect)
    names = {str(effect.column) for effect in told}
    others = {str(effect.column) for effect in subject.effects[MOST:]} - names
    if others:
        verb = "goes" if len(others) == 1 else "go"
        yield f"{capital(_some(sorted(others)))} {verb} with smaller differences."
    if told:
        yield (
            "These are differences between rows that are alike in the other columns; whether the "
            "columns are their cause, the model cannot tell."
        )


def _some(names):
    """Names, or how many there are."""
    return listed(names) if len(names) <= MOST else f"{len(names)} other columns"


def _difference(subject, effect):
    """In the units of the response."""
    change = moved(effect.estimate, effect.low, effect.high, subject.level)
    response = subject.model.names.response
    if effect.is_step:
        return f"Where {effect.column} is {_step(effect)} higher, {response} is {change}."
    return f"Where {effect.column} is {effect.end} and not {effect.start}, {response} is {change}."


def _step(effect):
    step = figure(effect.end)
    return f"{step} (one standard deviation)" if effect.is_sd else step


def _odds(subject, effect):
    """In odds, which are those of one group, and in probabilities, averaged over groups."""
    factor, low, high = np.exp([effect.estimate, effect.low, effect.high])
    where = f"{effect.column} is {effect.end} and not {effect.start}"
    if effect.is_step:
        where = f"{effect.column} is {_step(effect)} higher"
    return (
        f"Where {where}, the odds of {subject.event} are multiplied by {ratio(factor)}"
        f"{_sure(subject, low, high)}; {_probabilities(subject, effect)}."
    )


def _sure(subject, low, high):
    """Limits of odds in brackets, if there are any."""
    if np.isnan(low):
        return ""
    unclear = ", so it may as well be none" if low <= 1.0 <= high else ""
    return f" ({100 * subject.level:g} % interval: {span(low, high)}{unclear})"


def _probabilities(subject, effect: Effect):
    """Averages over the rows and the groups at two values of a column."""
    start, end = effect.start, effect.end
    if effect.is_step:
        start, end = ends(subject.sample, effect.column)
    values = average_predictions(subject.est, at={effect.column: [start, end]})["estimate"]
    first, second = map(percent, values)
    if effect.is_step:
        low, high = figure(start), figure(end)
        return f"the probability goes from {first} at {low} to {second} at {high}"
    return f"the probability is {second} instead of {first}"
