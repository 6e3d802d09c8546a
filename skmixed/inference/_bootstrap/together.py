"""A linear model with one grouping factor, fitted to several responses at a time.

The responses share the rows, and with them everything but the sums with y: one loop over the levels
computes the deviances of all.  Those whose optimum is inside the covariances are found together;
the others are left to :meth:`~skmixed._fit.linear.LinearFit.refit`, which looks twice where a
variance is zero.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np

from ..._fit.base import Fit
from ..._fit.linear import has_many_minima, has_one_start
from ..._likelihood.one_factor import OneFactor, is_one_factor
from ..._search.compiled import is_compiled, minima_of
from ..._search.minimize import CONVERGED, Optimum, Quadratic
from ..._search.start import typical_floors
from ..._search.together import Minima
from ..._sums.responses import SeveralSums

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


class Alone:
    """Fits to several responses, None for each of them: they are to be fitted by themselves.

    Attributes
    ----------
    settled : which of them have a fit
    """

    def __init__(self, count: int):
        self.settled = np.zeros(count, dtype=bool)

    def __len__(self) -> int:
        return len(self.settled)

    def __getitem__(self, b: int) -> Any:
        return self._made(b) if self.settled[b] else None

    def _made(self, b):
        """The fit of one that is settled."""
        raise NotImplementedError


class Refits(Alone):
    """Those of a model that were found together.

    Attributes
    ----------
    fit : of the model
    sums : with the responses
    found : minima of the deviances
    scale : residual variances in units of the frame
    """

    def __init__(self, fit: Any, sums: SeveralSums, found: Minima, settled: np.ndarray):
        super().__init__(len(sums))
        self.fit = fit
        self.sums = sums
        self.found = found
        self.settled = settled
        self.scale = np.maximum(found.known["r2"], 0.0) / fit.objective.nu

    @cached_property
    def coefficients(self) -> np.ndarray:
        """Of all candidates, a row per response."""
        return self.fit.units.coefficients(self.found.known["beta"])

    @cached_property
    def covariances(self) -> list[np.ndarray]:
        """Of every term, (b, q, q)."""
        windows = [term.window for term in self.fit.covariance_model.terms]
        parts = [self.found.T[:, window, window] for window in windows]
        return self.fit.units.several_covariances(parts, self.scale)

    @property
    def sigma2(self) -> np.ndarray:
        """Residual variances."""
        return self.scale * self.fit.units.variance

    def _made(self, b):
        fit, found = self.fit, self.found
        quadratic = Quadratic(float(found.radius[b]), found.pull[b], found.bend[b])
        point = fit.covariance_model.split([found.T[b]])
        optimum = Optimum(point, None, int(found.n_evaluations[b]), CONVERGED, quadratic)
        design = self.sums.design(b)
        own = replace(fit, design=design, optimum=optimum)
        vars(own).update(
            objective=fit.objective_of(fit.objective.plan.with_sums(design.cross), design),
            beta=found.known["beta"][b],
            scale=float(self.scale[b]),
            deviance=float(found.known["value"][b]),
        )
        return own


def refits(fit: Any, sums: SeveralSums, *, tol: float, max_iter: int) -> Alone:
    """The fits to other responses of the same rows, no more of them than :func:`at_once`."""
    factor = OneFactor.of_responses(fit.objective, sums)
    model = fit.covariance_model
    floors = typical_floors(fit.objective.plan)
    (start,) = model.assemble(model.start(model.assemble(fit.T), floors))
    points = np.repeat(start[None], len(sums), axis=0)
    try:
        bar = factor.without_effects.value
        found = minima_of(factor, model, points, tol=tol, max_iter=max_iter)
    except np.linalg.LinAlgError:
        return Alone(len(sums))
    return Refits(fit, sums, found, found.settled(bar, floors[0]))
