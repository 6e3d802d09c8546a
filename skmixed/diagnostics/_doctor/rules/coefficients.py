"""Coefficients that say too much: copies of y, separation, identifiers, few events."""

from __future__ import annotations

import re

import numpy as np

from ...._fit.separation import infinite_estimates
from ..examination import Examination
from ..signs import PROBLEM, Sign, Signs, place

NIL = 1e-3  # standard errors below this share of a coefficient are nil
COPY = 0.999  # share of what other columns leave that a copy of y explains
LARGE_PREDICTOR = 7.0  # log-odds from which separation is looked for
EVENTS = 10.0  # per coefficient
LAST_NUMBER = re.compile(r"\d+$")
MANY = 8  # values of an identifier, at least
IMPORTANT = 3.5  # standard errors of a coefficient that looks like one of a quantity
DENSE = 0.9  # share of the whole numbers in its range that running numbers take
IDENTIFIER = re.compile(
    r"(^|[_.\W])(id|uid|uuid|idcode|zip|zipcode|postcode|plz)$|^id[_.\W]|[_.\W](code|key)$|^(code|key|index|idx)$"
    r"|(?<=[a-z])(ID|Id)$"
    r"|^(case|child|class|customer|family|hosp|hospital|house|household|patient|person|pupil|resp|sch"
    r"|school|shop|site|store|stud|student|study|subj|subject|user)(id|code)$"
)
NUMBERED = re.compile(r"[_.\W](no|nr|num|number)$|^(no|nr|number)$|(?<=[a-z])(No|Nr|Num|Number)$")
CALENDAR = re.compile(
    r"year|month|week|day|date|time|hour|minute|quarter|wave|period|age|round|visit|session|trial"
    r"|season|occasion|lesson|order|rank|grade|level|step|position|trend|sequence|parity|^t$",
    re.IGNORECASE,
)


def tiny_standard_error(exam: Examination) -> Signs:
    """Columns that are the response but for a constant."""
    if not exam.is_linear:
        return
    fit = exam.fit
    own = fit.units.independent
    errors = np.sqrt(np.maximum(np.diag(fit.coefficient_covariance), 0.0))
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.abs(fit.coefficients[own] / errors)
    explained = 1.0 - 1.0 / (1.0 + t**2 / max(fit.df_resid, 1.0))
    is_copy = (t > 1.0 / NIL) & (explained > COPY)
    names = np.array(exam.model.coefficient_names, dtype=object)
    odd = [k for k in np.flatnonzero(is_copy) if names[k] != "Intercept"]
    if odd and fit.n > fit.rank:
        yield Sign(
            place(*names[odd]),
            f"Coefficient {fit.coefficients[own][odd[0]]:.4g}, standard error "
            f"{errors[odd[0]]:.2g}: {exam.response} is reproduced.",
            PROBLEM,
        )


def separation(exam: Examination) -> Signs:
    """Columns or factors that decide the outcome."""
    if exam.is_linear:
        return
    found = infinite_estimates(exam.fit, *_outcomes(exam), exam.codes)
    columns = found.columns or _hidden(exam)
    if columns:
        names = [exam.columns[k].name for k in columns]
        yield Sign(
            place(*names), "Some rows have one outcome only, whatever the rest says.", PROBLEM
        )
    for f in (*found.homogeneous, *found.diverged):
        yield Sign(
            exam.factors[f].name,
            "Its levels, alone or with the columns, decide the outcome: its variance has no finite "
            "estimate.",
            PROBLEM,
        )


def _outcomes(exam):
    return exam.X[:, : exam.model.reader.n_fixed], exam.y


def _hidden(exam):
    """The same where the search ended before predictions became extreme."""
    if np.max(np.abs(exam.predictor)) < LARGE_PREDICTOR or np.any((exam.y > 0) & (exam.y < 1)):
        return []
    return exam.fit.family.separation(*_outcomes(exam), exam.fit.units.has_intercept)


def rare_outcome(exam: Examination) -> Signs:
    """Few events per coefficient."""
    if exam.is_linear:
        return
    events = float(exam.weights @ exam.y)
    fewer = min(events, exam.fit.n - events)
    if fewer < EVENTS * exam.fit.rank:
        word = "events" if fewer == events else "non-events"
        yield Sign(
            f"{exam.response}, events", f"{fewer:.3g} {word} for {exam.fit.rank} coefficients."
        )


def id_as_number(exam: Examination) -> Signs:
    """Identifiers among the fixed effects."""
    errors = np.sqrt(np.diag(exam.fit.coefficient_covariance))
    sizes = dict(
        zip(
            exam.model.coefficient_names,
            np.abs(exam.fit.coefficients[exam.fit.units.independent]) / errors,
            strict=True,
        )
    )
    for column in exam.columns:
        evidence = _identifies(exam, column, sizes.get(column.name, 0.0))
        if evidence:
            yield Sign(column.name, evidence, PROBLEM)


def _identifies(exam, column, size):
    """Why a column seems to be an identifier; empty where it does not."""
    values = column.distinct
    is_whole = len(values) >= MANY and np.all(values == np.round(values))
    if not is_whole or column.is_category:
        return ""
    if IDENTIFIER.search(column.name):
        return f"{len(values)} whole numbers under a name that is one of an identifier."
    if CALENDAR.search(column.name) or size >= IMPORTANT:
        return ""
    if NUMBERED.search(column.name):
        return f"{len(values)} whole numbers under a name that is one of a running number."
    return _running_number(exam, column)


def _running_number(exam, column):
    """The same of a column that counts levels or rows, or repeats the numbers in their labels."""
    values = column.distinct
    factor = exam.outer(column.values)
    if factor is not None and _repeats_labels(factor, column.values):
        return f"The numbers in the labels of {factor.name}."
    owner, count = (
        ("row", exam.n) if factor is None else (f"level of {factor.name}", factor.n_levels)
    )
    is_dense = len(values) / (np.ptp(values) + 1.0) > DENSE
    if is_dense and len(values) == count:
        return f"A running number: {len(values)} whole numbers, one per {owner}."
    return ""


def _repeats_labels(factor, values):
    """Whether the labels of a factor end in these values."""
    found = [LAST_NUMBER.search(str(label)) for label in factor.labels]
    return all(found) and np.array_equal(
        [float(match.group()) for match in found], factor.means(values).round(6)
    )
