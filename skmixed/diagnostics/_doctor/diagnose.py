"""The doctor: every rule on one examination, causes before consequences."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import Any

import numpy as np

from ..._algebra.machine import computing
from ..._data.checks import first_line
from ..._fit.parts import in_memory, words_of_rows
from ...inference._arguments import fitted_model
from .examination import Examination
from .kinds import KINDS, Kind
from .report import Diagnosis, Finding
from .signs import NOTE, SEVERITIES, Sign

MOST_OF_A_KIND = 3  # findings

#: kinds that compare rows of one level, and are not looked for among some of the rows
OF_LEVELS = (
    "autocorrelated",
    "constant_slope",
    "duplicated_rows",
    "flat_likelihood",
    "influential_group",
    "influential_row",
    "missing_not_at_random",
    "nested_ids_repeat",
    "omitted_between",
    "omitted_slope",
    "overdispersed_rows",
    "single_row_levels",
    "wrong_unit_level",
)


def diagnose(est: Any) -> Diagnosis:
    """What is wrong with a fitted model and its data.

    Looks for 28 kinds of trouble, from units and copies in the data over columns and grouping
    factors to variances, residuals and random effects; the user guide has a table of them.  Tests
    are strict: a healthy model is told so.

    Parameters
    ----------
    est : MixedLinearRegressor or MixedLogisticClassifier
        Fitted: its training rows are needed, or chunks that can be read again.

    Returns
    -------
    Diagnosis
        Findings, most severe first, and causes before what follows from them.  Prints as text and
        as HTML; ``to_frame()`` has a row per finding.

    Raises
    ------
    TypeError
        For anything but a mixed model.
    AttributeError
        Where the training rows are not kept, as in a pickled model.

    Notes
    -----
    Of a model of chunks the rows are read again, at most 100,000 of them, evenly spread.  Where
    these are not all, kinds that compare the rows of single levels are not looked for, and the
    report names them.

    Examples
    --------
    >>> from skmixed import MixedLinearRegressor, diagnose
    >>> from skmixed.datasets import make_mixed_regression
    >>> X, y = make_mixed_regression(random_state=0)
    >>> model = MixedLinearRegressor(random_effects="(1 + x0 | group)").fit(X, y)
    >>> print(diagnose(model))
    y ~ 1 + x0 + x1 + (1 + x0 | group)
    Nothing found: 28 kinds of trouble were looked for.
    """
    model = fitted_model(est)
    some = in_memory(model)  # or an error that says that the rows are not kept
    rows = words_of_rows(model, some)
    kinds = [kind for kind in KINDS if not (rows and kind.name in OF_LEVELS)]
    with computing(model.fit.dense_order):
        signs, failed = _examined(Examination(some), kinds)
    if rows:
        failed += [f"{kind.name} (of {rows})" for kind in KINDS if kind not in kinds]
    order = sorted(_findings(signs), key=lambda finding: -SEVERITIES.index(finding.severity))
    looked = len(KINDS) - len(failed)
    return Diagnosis(tuple(order), model.names.notation, looked, tuple(failed), rows)


def _examined(exam: Examination, kinds: Iterable[Kind]) -> tuple[list[tuple[Kind, Sign]], list]:
    """What every rule finds, and the reasons of those that fail."""
    found = []
    failed = []
    for kind in kinds:
        try:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                signs = list(kind.rule(exam))[:MOST_OF_A_KIND]
        except Exception as error:  # a report without one kind is better than none
            failed.append(f"{kind.name} ({first_line(error)})")
            continue
        found += [(kind, sign) for sign in signs]
    return found, failed


def _findings(signs: list[tuple[Kind, Sign]]) -> list[Finding]:
    """Signs as findings; what follows from a kind before becomes a note."""
    causes: dict[str, str] = {}
    out = []
    for kind, sign in signs:
        cause = causes.get(kind.name)
        evidence = f"{sign.evidence}  May follow from {cause}." if cause else sign.evidence
        severity = NOTE if cause else sign.severity
        if severity != NOTE:
            causes = dict.fromkeys(kind.explains, kind.name) | causes
        out.append(Finding(kind.name, severity, sign.where, evidence, sign.advice or kind.advice))
    return out
