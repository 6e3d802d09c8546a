"""Newton steps towards a gradient of zero, for objectives whose values nobody knows well.

Where the log-determinant is an average over random vectors its noise is larger than what steps
gain, while the gradient, with vectors that never change, is a smooth function.  So values are not
looked at.  A step is taken if it makes the gradient smaller in the metric of the information, half
of whose square is the decrease that a Newton step promises; or if the gradient along it has not
changed its sign, so that nothing was passed.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .._algebra.packed import lower_triangle
from .boundary import SNAP, Boundary, descent_at_zero
from .local import local_model
from .minimize import (
    ASKED,
    CONVERGED,
    DEGENERATE,
    MAX_ITER,
    MAX_SECANTS,
    OUT_OF_REACH,
    SHRINK,
    STUCK,
    Optimum,
    Quadratic,
    trust_region_step,
)
from .start import SHRINKAGE_FLOOR

ENOUGH = 1e-6  # predicted decrease that is none: a thousandth of a standard error
GROW = 2.0
MAX_SHRINKS = 12
MAX_RESTARTS = 3


def minimize_by_gradient(objective, manifold, start, *, tol, max_iter, report=None, secants=False):
    """Steps until the decrease that the next one promises is below ``tol``, or no more than chance
    would make of it.
    """
    search = _Search(objective, manifold, start, max(tol, ENOUGH), report, [] if secants else None)
    for _ in range(max_iter):
        if stop := search.iterate():
            return search.optimum(stop)
    return search.optimum(MAX_ITER)


def search_by_gradient(
    objective, manifold, start, floors, *, bar=np.inf, scattered=0, **options
) -> Optimum:
    """The optimum from ``start``, variances of zero made exact and saddles left.

    As :func:`~skmixed._search.boundary.search`, without what compares values.
    """
    boundary = Boundary(manifold, [floors[t.factor][t.window] for t in manifold.terms])
    optimum = minimize_by_gradient(objective, manifold, start, **options)
    for _ in range(MAX_RESTARTS):
        optimum = _snapped(boundary, optimum)
        escape = boundary.escape(optimum) if optimum.converged else None
        if escape is None:
            return optimum
        again = minimize_by_gradient(objective, manifold, escape, **options)
        optimum = replace(again, n_evaluations=again.n_evaluations + optimum.n_evaluations)
    return optimum


def _snapped(boundary, optimum):
    """Variances that are zero but for rounding at exactly zero, where the deviance would not fall
    on the way back.
    """
    if not optimum.converged:
        return optimum
    manifold = boundary.manifold
    for k, (structure, floor) in enumerate(zip(boundary.structures, boundary.floors, strict=True)):
        T = optimum.point[k]
        typical = max(np.max(floor, initial=0.0) / SHRINKAGE_FLOOR, np.max(np.diag(T)))
        candidate = structure.snapped(T, SNAP[0] * typical)
        if np.allclose(candidate, T, rtol=1e-14, atol=0.0):
            continue
        point = [*optimum.point[:k], candidate, *optimum.point[k + 1 :]]
        trial = optimum.evaluation.at(manifold.assemble(point))
        optimum = replace(optimum, n_evaluations=optimum.n_evaluations + 1)
        D = manifold.split(trial.gradient)[k] if trial.attainable else None
        if D is not None and descent_at_zero(candidate, D, floor) is None:
            optimum = replace(optimum, point=point, evaluation=trial)
    return optimum


class _Search:
    """The state of one search: point, evaluation, and trust region."""

    def __init__(self, objective, manifold, start, tol, report, secants):
        self.manifold = manifold
        self.tol = tol
        self.report = report
        self.point = start
        self.current = objective(manifold.assemble(start))
        self.radius = max(1.0, manifold.chart(start).radius)
        self.n_evaluations = 1
        self.quadratic = None
        self.secants = secants  # pairs (step, change of the gradient); None where not wanted

    def optimum(self, stop):
        return Optimum(self.point, self.current, self.n_evaluations, stop, self.quadratic)

    def iterate(self):
        """One accepted step; why there is none, if so."""
        if not self.current.attainable:
            return OUT_OF_REACH
        if self.current.degenerate:
            return DEGENERATE
        place = (self.manifold, self.point, self.current)
        chart, *local = local_model(*place, self.secants or ())
        self.quadratic = Quadratic(chart.radius, *local)
        promised = _promised(*local)
        if self.report and self.report(np.nan, promised, self.radius):
            return ASKED
        if promised < self.tol:
            return CONVERGED
        for _ in range(MAX_SHRINKS):
            step = trust_region_step(*local, self.radius)
            if self._try(chart.move(step), float(np.linalg.norm(step)), promised):
                return None
        return STUCK

    def _try(self, candidate, length, promised):
        """Evaluate a candidate, adapt the radius, and say whether it was accepted."""
        trial = self.current.at(self.manifold.assemble(candidate))
        self.n_evaluations += 1
        if not (trial.attainable and self._is_closer(candidate, trial, promised)):
            self.radius = SHRINK * length
            return False
        if length > 0.9 * self.radius:
            self.radius *= GROW
        if self.secants is not None:
            pair = (self._moved(candidate), trial.slope - self.current.slope)
            self.secants = [*self.secants[1 - MAX_SECANTS :], pair]
        self.point = candidate
        self.current = trial
        return True

    def _is_closer(self, candidate, trial, promised):
        """Whether less is promised there, or the minimum along the step was not passed."""
        if trial.slope @ self._moved(candidate) <= 0.0:
            return True
        return _promised(*local_model(self.manifold, candidate, trial)[1:]) < promised

    def _moved(self, candidate):
        """The way to a candidate, in flat coordinates."""
        ends = (self.manifold.assemble(point) for point in (candidate, self.point))
        there, here = map(_flat, ends)
        return there - here


def _promised(gradient, hessian):
    """Half of the squared size of a gradient in the metric of the information: the decrease that a
    whole Newton step promises.
    """
    step = trust_region_step(gradient, hessian, np.inf)
    return float(-(gradient @ step + 0.5 * step @ hessian @ step))


def _flat(assembled):
    """Lower triangles of matrices, and vectors as they are."""
    return np.concatenate([a[lower_triangle(len(a))] if a.ndim == 2 else a for a in assembled])
