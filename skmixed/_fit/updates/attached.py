"""The rows of a fit, given back to a model that was saved without them.

That they are the same rows is seen from the fingerprint of the responses, and from a number that
depends on everything else: for a linear model ``y'W(y - X beta - Z b) = nu sigma^2``, by the
equations of the mixed model; for others the likelihood at the estimates, or of chunks the sum of
squares of the columns under the working weights there.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ..._data.response import finite_response
from ..._data.rows import Given
from ..._sums.source import less
from ...streams import Chunks
from ..model import FittedModel
from ..parts import RowParts, check_columns
from ..training import read_again, source_of
from .passed import Passed

SAME = 1e-6  # share by which numbers of the same rows may differ


def attach_linear(model: FittedModel, X: Any, y: Any, groups: Any, weights: Any) -> FittedModel:
    """A linear model with its rows, or with chunks that they are read from."""
    if isinstance(X, Chunks):
        check_columns(y, groups, weights)
        found = model.with_rows(RowParts(model.reader, X, y, weights, model.fingerprint[0]))
    else:
        training, _ = read_again(model.reader, X, y, groups, weights, finite_response)
        _check_fingerprint(model, training)
        found = model.with_rows(training)
    _check_residuals(found)
    return found


def _check_residuals(model):
    total = found = 0.0
    for part in model.parts():
        rows, codes = part.read()
        y = less(part.y, rows.offset)
        w = part.known_weights
        total += float(w @ y**2)
        found += float((w * y) @ (part.y - model.predictor(rows, codes)))
    _check_same(found, model.fit.sigma2 * model.fit.sums.nu, total)


def attach_glmm(model: FittedModel, X: Any, y: Any, groups: Any, weights: Any) -> FittedModel:
    """A model of outcomes with its rows, and with the likelihood as a function of them; of chunks
    only with the rows.
    """
    if isinstance(X, Chunks):
        return _with_chunks(model, X, y, groups, weights)
    known = (model.reader, Given(X, groups, weights).now(), y, model.classes, model.class_factors)
    passed = Passed(*known, model.fingerprint[0])
    training = passed.training
    _check_fingerprint(model, training)
    rows, codes = training.read()
    if any(np.any(code < 0) for code in codes):
        raise _other_rows("there are levels of which it knows nothing")
    fit = model.fit.with_rows(source_of(training, rows, codes))
    _check_same(-0.5 * fit.state.likelihood, model.fit.loglik, abs(model.fit.loglik))
    found = replace(model, fit=fit.reading_again(passed.source))
    vars(found)["fingerprint"] = model.fingerprint
    return found.with_rows(passed)


def _with_chunks(model, X, y, groups, weights):
    check_columns(y, groups, weights)
    rows = RowParts(model.reader, X, y, weights, model.fingerprint[0])
    found = model.with_rows(rows.of_outcomes(model.classes, model.class_factors))
    fit = model.fit
    total = 0.0
    for part in found.parts():
        rows, codes = part.read()
        w = fit.family.at(model.predictor(rows, codes), part.y, part.known_weights).weight
        x, _ = fit.units.columns(rows.X)
        total += float(w @ np.sum(x**2, axis=1))
    expected = float(np.trace(fit.sums.gram[: fit.rank, : fit.rank]))
    _check_same(total, expected, expected)
    return found


def _check_fingerprint(model, training):
    n, *_ = known = model.fingerprint
    found = training.fingerprint
    if found[0] != n:
        raise _other_rows(f"there are {found[0]}, and were {n} that count")
    found = found[: len(known)]  # of rows that came in parts only their number is known
    largest = np.max(np.abs(known[1:]), initial=0.0) or 1.0
    if not np.allclose(found[1:], known[1:], rtol=SAME, atol=SAME * 1e-6 * largest):
        raise _other_rows("the responses, the weights or their order are not the same")


def _check_same(found, expected, scale):
    if not abs(found - expected) <= SAME * scale:
        raise _other_rows("the columns or the groups are not the same")


def _other_rows(reason):
    return ValueError(
        f"X, y: these are not the rows of the fit: {reason}.\n"
        "Pass what was passed to fit, in the same order, with the same groups and weights."
    )
