"""A linear model with one grouping factor, fitted to several responses at a time.

The responses share the rows, and with them everything but the sums with y: one loop over the levels
computes the deviances of all.  Those whose optimum is inside the covariances are found together;
the others are left to :meth:`~skmixed._fit.linear.LinearFit.refit`, which looks twice where a
variance is zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..._fit.base import Fit
from ..._fit.linear import has_many_minima, has_one_start
from ..._likelihood.one_factor import OneFactor, is_one_factor
from ..._search.compiled import is_compiled, minima_of
from ..._search.minimize import CONVERGED, Optimum, Quadratic
from ..._search.start import typical_floors
from ..._sums.design import Design
from ..._sums.source import slices

NUMBERS_AT_ONCE = 1 << 19  # of the largest array
MOST = 250  # responses at once
FEW_LEVELS = 16384  # up to which numpy looks at all of them together
WIDE = 12  # effects per level from which it is faster level by level


def at_once(fit: Fit) -> int:
    """How many responses a model is fitted to together; one where it is not."""
    if not (fit.family.has_residual and _can_be_together(fit)):
        return 1
    q, columns, levels = fit.objective.U[0].shape
    if is_compiled((q, columns, levels), fit.covariance_model):
        return int(np.clip(NUMBERS_AT_ONCE // (q * levels), 1, MOST))
    if q >= WIDE or levels > FEW_LEVELS:
        return 1
    return int(np.clip(NUMBERS_AT_ONCE // (q * (q + columns) * levels), 1, MOST))


def _can_be_together(fit):
    """Whether there is one term whose search is an ordinary one."""
    model = fit.covariance_model
    if not is_one_factor(fit.objective) or has_many_minima(fit.design):
        return False
    return model.n_parameters > 0 and has_one_start(model, typical_floors(fit.objective.plan))


def refits(fit: Any, designs: Sequence[Design], **options: Any) -> list[Any]:
    """The fits to other responses of the same rows; None where one is to be fitted by itself."""
    out: list[Any] = []
    for some in slices(len(designs), at_once(fit)):
        try:
            out += _together(fit, designs[some], **options)
        except np.linalg.LinAlgError:
            out += [None] * len(designs[some])
    return out


def _together(fit, designs, *, tol, max_iter):
    plan = fit.objective.plan
    objectives = [fit.objective_of(plan.with_sums(d.cross), d) for d in designs]
    factor = OneFactor.of(objectives)
    model = fit.covariance_model
    floors = typical_floors(plan)
    (start,) = model.assemble(model.start(model.assemble(fit.T), floors))
    points = np.repeat(start[None], len(designs), axis=0)
    bar = factor(np.zeros_like(points)).value
    found = minima_of(factor, model, points, tol=tol, max_iter=max_iter)
    settled = found.settled(bar, floors[0])
    sigma2 = np.maximum(found.known["r2"], 0.0) / factor.nu
    out: list[Any] = [None] * len(designs)
    for b in np.flatnonzero(settled):
        quadratic = Quadratic(float(found.radius[b]), found.pull[b], found.bend[b])
        count = int(found.n_evaluations[b])
        optimum = Optimum(model.split([found.T[b]]), None, count, CONVERGED, quadratic)
        known = {
            "objective": objectives[b],
            "beta": found.known["beta"][b],
            "scale": float(sigma2[b]),
        }
        own = replace(fit, design=designs[b], optimum=optimum)
        vars(own).update(known, deviance=float(found.known["value"][b]))
        out[b] = own
    return out
