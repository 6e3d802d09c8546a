"""Sentences about what differs between groups, and what a new group may expect."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..._report.words import percent
from ...inference._describe.slopes import slopes_of
from .subject import Subject
from .words import capital, counted, figure, listed, span

NOTABLE = 0.3  # least size of a correlation that is told
FEW = 10  # groups
SAME = 1e-3  # difference of two means, in standard deviations, that is none
ELSEWHERE = " (where the columns that it goes together with are 0 or in their first category)"


def slopes(subject: Subject) -> Iterator[str]:
    """What slopes do."""
    found = slopes_of(subject.model, subject.level, has_errors=not subject.is_large)
    for row in found.itertuples():
        yield from _slope(subject, row)
        yield from _together(subject, row)


def _slope(subject, row):
    scale = "" if subject.is_linear else " on the scale of log-odds"
    name = f"the effect of {row.effect}{scale}"
    if row.sd == 0:
        yield f"{capital(name)} is the same in all groups of {row.factor}, {figure(row.mean)}."
        return
    name += _where(subject, row)
    yield (
        f"{capital(name)} differs between groups of {row.factor}: it is "
        f"{figure(row.mean)} on average, between {span(row.low, row.high, 'and')} in "
        f"{percent(subject.level)} of the groups, and above zero in "
        f"{percent(row.share_above_zero)} of them."
    )


def _where(subject, row):
    """A slope that depends on other columns is told where these are zero or at their first
    category.
    """
    for effect in subject.effects:
        if effect.is_step and str(effect.column) == row.effect:
            apart = abs(effect.estimate / effect.end - row.mean)
            return ELSEWHERE if apart > SAME * row.sd else ""
    return ""


def _together(subject, row):
    """The correlation of a slope with the intercept."""
    table = subject.variances
    own = (table["factor"] == row.factor) & (table["effect"] == "Intercept")
    for r in table.loc[own & (table["effect2"] == row.effect), "sd_or_corr"]:
        if abs(r) >= NOTABLE:
            way = "larger" if r > 0 else "smaller"
            higher = "higher" if subject.is_linear else "more likely"
            yield (
                f"Groups that are {higher} where {row.effect} is 0 tend to have {way} effects of "
                f"it (correlation {r:.2f})."
            )


def new_groups(subject: Subject) -> Iterator[str]:
    """What a group may expect that was not seen."""
    if not subject.factors:
        return
    typical = " at average values of the columns" if subject.columns else ""
    if subject.is_linear:
        mean, low, high = subject.expected_mean()
        yield (
            f"In a new group, the mean of {subject.model.names.response}{typical} is expected "
            f"between {span(low, high, 'and')} ({percent(subject.level)} interval), "
            f"around {figure(mean)}."
        )
        return
    mean, low, high = subject.expected_probability()
    yield (
        f"The probability of {subject.event}{typical} is {percent(mean)} in a typical group; in "
        f"{percent(subject.level)} of new groups it is between {percent(low)} and {percent(high)}."
    )


def cautions(subject: Subject) -> Iterator[str]:
    """What should not be overlooked."""
    if not subject.model.fit.optimum.converged:
        yield (
            "Caution: the search for the best estimates did not end at one.  All figures here are "
            "provisional; see the warning of the fit."
        )
    yield from _zeros(subject)
    if dropped := subject.model.dropped:
        verb = "follow" if len(dropped) > 1 else "follows"
        left = "were" if len(dropped) > 1 else "was"
        yield f"Caution: {listed(dropped)} {verb} from other columns and {left} left out."
    yield from _few(subject)


def _zeros(subject):
    """Variances that are zero, and correlations that are complete."""
    names = subject.model.names
    terms = zip(names.terms, subject.model.fit.covariances, subject.model.fit.interior, strict=True)
    for term, covariance, is_inside in terms:
        factor = names.factors[term.factor]
        if term.factor in subject.model.fit.absent:
            yield f"Caution: what groups of {factor} add cannot be told from the rest of the model."
            continue
        zero = [e for e, v in zip(term.effects, np.diag(covariance), strict=True) if v == 0]
        for effect in zero:
            what = "Groups" if effect == "Intercept" else f"Effects of {effect} in groups"
            yield (
                f"Caution: {what} of {factor} do not differ by more than chance: their variance is "
                "estimated as zero."
            )
        if not is_inside and not zero:
            yield (
                f"Caution: the effects of {factor} ({', '.join(term.effects)}) go together "
                "completely (a correlation of 1 or -1): the rows tell less than the model asks."
            )


def _few(subject):
    names = subject.model.names
    for factor, sizes in zip(names.factors, names.sizes, strict=True):
        if len(sizes) < FEW:
            yield (
                f"Caution: with {counted(len(sizes), 'group')} of {factor}, how much groups differ "
                "is known roughly only."
            )
