"""Paths of constrained minima: the deviance over all other parameters, for values of one.

The slope of such a profile is the derivative of the deviance in the coordinate that is held: at a
minimum nothing else moves it.
"""

from __future__ import annotations

from functools import cached_property
from typing import NamedTuple

import numpy as np

from ..._search.local import local_model
from ..._search.minimize import minimize, nothing_to_search, trust_region_step
from .spaces import Pinned, lifted

TOLERANCE = 1e-7  # predicted decrease that ends a constrained minimisation, after a last step
MAX_ITER = 50
UNCERTAIN = 1.0  # a search that stopped short this far above the level has not found a minimum
#: first step of a fixed effect or of log sigma^2 in the frame's units, where the deviance is flat
MODERATE = 2.0
LIFT = 1e-4  # variance, in units of the frame, from which a saddle at zero is left


class Visit(NamedTuple):
    """A constrained minimum: value of the coordinate, where the others are, and the model there."""

    phi: float
    point: list
    evaluation: object


class Path:
    """Minima of the deviance at given values of the profiled coordinate, each found from the
    nearest one known.

    Minima above ``reach`` are no places to start from: they may belong to another branch, where a
    variance is zero.
    """

    def __init__(self, space, estimate, floor, reach, low=-np.inf, high=np.inf):
        self.space = space
        self.visits = [estimate]
        self.floor = floor
        self.reach = reach
        self.phi = estimate.phi
        self.low = low
        self.high = high
        self.n_evaluations = 0

    def __call__(self, phi):
        """``d_p`` and its slope; infinite where no minimum is found."""
        found = self._minimum(phi)
        self.n_evaluations += found.n_evaluations
        value = found.evaluation.value
        if not (found.converged or value < self.reach + UNCERTAIN):
            return np.inf, np.nan
        if self.low < phi < self.high and value < self.reach:
            self.visits.append(Visit(phi, found.point, found.evaluation))
        along = self.space.chart(found.point).derivatives[self.space.profiled]
        return value, float(along @ found.evaluation.slope)

    def _minimum(self, phi):
        near = min(self.visits, key=lambda visit: abs(visit.phi - phi))
        start = self._predicted(near, phi - near.phi)
        exact = near.evaluation.exact
        if not exact:
            start = self.space.lifted(start, self.floor)
        return minimize(
            near.evaluation.at,
            Pinned(self.space),
            start,
            tol=TOLERANCE,
            max_iter=MAX_ITER,
            secants=not exact,
        )

    def _predicted(self, near, change):
        """Where the minimum should be after a change of the coordinate, by the quadratic model of
        the last.
        """
        chart, gradient, hessian = local_model(self.space, near.point, near.evaluation)
        step = self._response(chart, gradient, hessian, change)
        step = step if np.all(np.isfinite(step)) else np.zeros_like(step)
        return chart.move(np.insert(step, self.space.profiled, change))

    def _response(self, chart, gradient, hessian, change):
        """The step of the other coordinates to the minimum of the quadratic model."""
        i = self.space.profiled
        pull = np.delete(gradient + change * hessian[i], i)
        others = np.delete(np.delete(hessian, i, 0), i, 1)
        return trust_region_step(pull, others, max(1.0, chart.radius))

    @cached_property
    def unit(self):
        """Change of the coordinate that raises the deviance by one, by its quadratic model at the
        estimate.
        """
        _, point, evaluation = self.visits[0]
        chart, gradient, hessian = local_model(self.space, point, evaluation)
        i = self.space.profiled
        h = 1e-3 * max(1.0, chart.radius)
        response = self._response(chart, np.zeros_like(gradient), hessian, h) / h
        curvature = hessian[i, i] + np.delete(hessian[i], i) @ response
        if curvature <= 0:
            return max(abs(self.phi), np.sqrt(self.floor))
        return min(np.sqrt(2.0 / curvature), self.space.reach(MODERATE))


class CoefficientPath:
    """Minima for given values of a combination ``a'beta`` of a linear model's fixed effects, by the
    full likelihood.

    With beta and sigma^2 profiled out only T is left to search; the slope is that of ``n log
    r^2(phi)`` with ``r^2(phi) = r^2 + (phi - a'beta)^2 / a'Ca``.
    """

    low = -np.inf
    high = np.inf

    def __init__(self, objective, covariances, optimum, direction, reach):
        self.objective = objective
        self.covariances = covariances
        self.a = direction
        self.reach = reach
        self.n_evaluations = 0
        self.start = optimum.point
        state = optimum.evaluation
        others = np.linalg.qr(direction[:, None], mode="complete")[0][:, 1:]
        p = len(direction)
        self.columns = np.zeros((p + 1, p))
        self.columns[:p, :-1] = others
        self.columns[p, -1] = 1.0
        self.phi = float(direction @ state.fixed.beta)
        self.unit = float(np.sqrt(direction @ state.fixed.covariance @ direction * state.sigma2))

    def __call__(self, phi):
        """``d_p`` and its slope."""
        columns = self.columns.copy()
        columns[:-1, -1] = -phi * self.a / (self.a @ self.a)
        found = self._minimum(self.objective.pinned(columns))
        self.n_evaluations += found.n_evaluations
        free = self.objective(self.covariances.assemble(found.point))
        if not (np.isfinite(found.evaluation.value) and np.isfinite(free.value)):
            return np.inf, np.nan
        if found.evaluation.value < self.reach:
            self.start = found.point
        fixed = free.fixed
        gap = (phi - self.a @ fixed.beta) / (self.a @ fixed.covariance @ self.a)
        r2 = fixed.r2 + gap * (phi - self.a @ fixed.beta)
        return found.evaluation.value, float(2.0 * self.objective.nu * gap / r2)

    def _minimum(self, objective):
        if not self.covariances.terms:
            return nothing_to_search(objective([]), 0)
        terms = zip(self.covariances.terms, self.start, strict=True)
        start = [lifted(term.structure, T, LIFT) for term, T in terms]
        return minimize(objective, self.covariances, start, tol=TOLERANCE, max_iter=MAX_ITER)
