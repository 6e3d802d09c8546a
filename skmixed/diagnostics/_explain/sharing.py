"""Sentences about the rows, and about how their variation is shared out."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..._report.words import percent
from ...inference._describe.r_squared import explained_share, r_squared
from .subject import Subject
from .words import counted, figure, listed, share_span, span

LEAST = 0.005  # share that is more than none when it is rounded
CERTAIN = 0.001  # p-values below are not told one from another


def rows(subject: Subject) -> Iterator[str]:
    """What was looked at."""
    names = subject.model.names
    what = names.response if subject.is_linear else f"the probability of {subject.event}"
    seen = counted(subject.model.fit.n, "row")
    if not names.factors:
        yield (
            f"The model describes {what} in {seen}.  It has no groups: every row counts as "
            "independent of all others."
        )
        return
    groups = [_groups(*pair) for pair in zip(names.factors, names.sizes, strict=True)]
    yield f"The model describes {what} in {seen}, which belong to {listed(groups)}."


def _groups(factor, sizes):
    """How many groups there are, and how large they are."""
    low, high = np.min(sizes), np.max(sizes)
    size = f"{counted(low, 'row')} in each"
    if low != high:
        size = f"{figure(low)} to {figure(high)} rows in each, {np.mean(sizes):.1f} on average"
    return f"{counted(len(sizes), 'group')} of {factor} ({size})"


def explained(subject: Subject) -> Iterator[str]:
    """What goes with the columns."""
    if not subject.columns:
        what = "an average" if subject.model.names.intercept else "groups around zero"
        yield f"The model has no columns that explain anything, just {what}."
        return
    if subject.model.has_estimator:  # the share of which is a matter of cross-validation
        return
    names = subject.model.names
    what = names.response if subject.is_linear else f"the tendency to {subject.event}"
    share, low, high = _marginal(subject)
    is_told = not np.isnan(low) and high >= LEAST
    sure = f" ({100 * subject.level:g} % interval: {share_span(low, high)})" if is_told else ""
    yield f"The columns account for {percent(share)} of the variation of {what}{sure}."


def _marginal(subject):
    """R squared of the columns with its limits, if they are to be had soon."""
    if subject.is_large:
        return explained_share(subject.model), np.nan, np.nan
    found = r_squared(subject.est, level=subject.level).table
    return found.loc["marginal", ["estimate", "ci_low", "ci_high"]]


def between(subject: Subject) -> Iterator[str]:
    """How much of the rest lies between groups."""
    found = subject.shares
    if not subject.factors or not found.total:
        return
    parts = [
        f"{percent(variance / found.total)} lies between groups of {factor}"
        for factor, variance in zip(subject.factors, found.variances, strict=True)
    ]
    rest = percent(found.residual / found.total)
    same = "group" if len(subject.factors) == 1 else "groups"
    parts.append(f"{rest} between rows of the same {same}")
    whole = "the variation that is left" if subject.columns else "all variation"
    yield f"Of {whole}, {listed(parts)}."
    yield from _certainty(subject)


def _certainty(subject):
    """Whether groups differ at all."""
    fit = subject.model.fit
    if fit.is_penalised or fit.solver == "iterative":  # of which there is no test
        return
    test = subject.est.results_.random_effects_test()
    if not test.df or np.isnan(test.pvalue) or not np.any(subject.shares.variances > 0):
        return
    small = test.pvalue < CERTAIN
    p = f"p < {CERTAIN}" if small else f"p = {test.pvalue:.2g}"
    if test.pvalue < 0.05:
        yield f"Chance alone would rarely make groups differ that much ({p})."
    else:
        yield f"Chance alone could make groups differ that much ({p})."


def sizes(subject: Subject) -> Iterator[str]:
    """How far groups lie from what their columns say, in the units of the response."""
    for factor, effects, sd in zip(
        subject.factors, subject.model.names.effects, subject.deviations, strict=True
    ):
        if sd > 0:
            limits = _limits(subject, factor) if effects == ("Intercept",) else ""
            yield _size(subject, factor, sd, limits)
    if subject.is_linear and subject.factors:
        rest = np.sqrt(subject.model.fit.sigma2)
        yield f"A typical row lies {figure(rest)} above or below what is expected in its group."


def _size(subject, factor, sd, limits):
    if subject.is_linear:
        alike = "groups with the same values of the columns" if subject.columns else "groups"
        return (
            f"A typical group of {factor} lies {figure(sd)} above or below the average of "
            f"{alike}{limits}."
        )
    return (
        f"In a group of {factor} that lies one standard deviation above the average, the odds are "
        f"{figure(np.exp(sd))} times those of an average group."
    )


def _limits(subject, factor):
    """Of a standard deviation, in brackets."""
    table = subject.variances
    low, high = table.loc[table["factor"] == factor, ["ci_low", "ci_high"]].to_numpy()[0]
    return "" if np.isnan(low) else f" ({100 * subject.level:g} % interval: {span(low, high)})"
