"""Trust-region Newton on a manifold given by charts.

The minimiser knows neither models nor covariances.  It asks the objective for a value, a gradient
and a Hessian in flat coordinates, and the manifold for a chart around the current point; a chart
supplies first derivatives, the second-order term, and the map back.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, Protocol

import numpy as np

from .._model.charts import Chart
from .local import differenced_hessian, local_model

SHRINK = 0.3
GROW = 3.0
ACCEPT = 1e-3
LAST_STEP = 1e-3  # the step that met the tolerance is taken if it promises more than this share
MAX_SHRINKS = 40
MAX_SECANTS = 10
PATIENCE = 12  # steps of an ordinary search; a longer one takes differences of the gradient
MAX_DIFFERENCES = 60  # evaluations spent on these
ROUNDED = 1e-8  # curvature below this share of the largest may be rounding
FLAT = 1e-11  # curvature below this share of the largest is rounding, where the slope is small too
FLAT_SLOPE = 1e-7
SECULAR = 1e-12  # share of the radius that a step may be longer
MAX_SECULAR = 100
TINY_SHIFT = 1e-150


class Stop(NamedTuple):
    """Why a search ended, and what to do about it."""

    words: str
    advice: str = ""


CONVERGED = Stop("predicted decrease below tol")
NO_EFFECTS = Stop("no random effects")
STUCK = Stop(
    "no further decrease found",
    "The likelihood is too flat to certify an optimum: simplify the random effects",
)
MAX_ITER = Stop("max_iter reached", "Raise max_iter, or simplify the random effects")
DEGENERATE = Stop(
    "degenerate", "All outcomes are predicted perfectly: drop columns or random effects"
)
OUT_OF_REACH = Stop("start out of reach", STUCK.advice)
ASKED = Stop("a callback asked to stop", "Fit without that callback for an optimum")
UNBOUNDED = Stop("the likelihood has no maximum", STUCK.advice)


class Evaluation(Protocol):
    """What an objective says of a point; derivatives are computed when asked for."""

    value: float
    gradient: tuple[np.ndarray, ...]  # one symmetric matrix per factor
    slope: np.ndarray  # in flat coordinates
    hessian: np.ndarray  # in flat coordinates
    exact: bool  # whether the Hessian is exact
    noise: float  # rounding error to expect in the value
    degenerate: bool  # whether there is nothing left to search for

    def at(self, point: list) -> Evaluation:
        """The same objective at another point."""


class Manifold(Protocol):
    """Where the points of a search live."""

    def chart(self, point: list) -> Chart: ...

    def assemble(self, point: list) -> list: ...


class Quadratic(NamedTuple):
    """The last local model of an objective: radius of its point, gradient, Hessian."""

    radius: float
    gradient: np.ndarray
    hessian: np.ndarray


@dataclass(frozen=True, eq=False)
class Optimum:
    """Where the minimiser stopped and why.

    Attributes
    ----------
    point : the terms' matrices, and other parameters
    evaluation : what the objective returned there
    n_evaluations : of the objective
    stop : why it ended
    quadratic : the last local model
    """

    point: list
    evaluation: Any
    n_evaluations: int
    stop: Stop
    quadratic: Quadratic | None = field(default=None, repr=False)

    @property
    def converged(self) -> bool:
        """Whether this is an optimum."""
        return self.stop in (CONVERGED, NO_EFFECTS)

    def without_evaluation(self) -> Optimum:
        """The same without what the objective returned."""
        return replace(self, evaluation=None)


def nothing_to_search(evaluation=None, n_evaluations=1) -> Optimum:
    """The optimum of a model without covariances."""
    return Optimum([], evaluation, n_evaluations, NO_EFFECTS)


def trust_region_step(gradient, hessian, radius):
    """Minimiser of ``g's + s'Hs / 2`` over ``|s| <= radius`` (More and Sorensen 1983), by
    eigendecomposition.

    Directions in which both slope and curvature are rounding noise are left alone.
    """
    if len(gradient) == 0:
        return gradient
    values, vectors = np.linalg.eigh(hessian)
    slope = vectors.T @ gradient
    largest = max(np.max(np.abs(values)), np.finfo(float).tiny)
    flat = (np.abs(values) <= FLAT * largest) & (np.abs(slope) <= FLAT_SLOPE * np.sqrt(largest))
    values = np.where(flat, largest, values)
    slope = np.where(flat, 0.0, slope)
    lowest = np.min(values)
    if lowest > 0:
        step = -slope / values
        if np.linalg.norm(step) <= radius:
            return vectors @ step
    step = -slope / (values + _multiplier(values, slope, radius) + np.finfo(float).tiny)
    return vectors @ _with_negative_curvature(step, values, radius)


def _multiplier(values, slope, radius):
    """Smallest shift of the spectrum that brings the step inside the radius.

    The length of the step is that of no component alone, which bounds the shift from below; from
    there Newton steps on ``1 / radius - 1 / |s|`` rise to it without passing it.
    """
    shift = max(0.0, -np.min(values), np.max(np.abs(slope) / radius - values))
    for _ in range(MAX_SECULAR):
        shifted = np.maximum(values + shift, TINY_SHIFT)
        step = slope / shifted
        length = np.linalg.norm(step)
        if not length > radius * (1.0 + SECULAR):
            break
        shift += (length / radius - 1.0) / np.sum((step / length) ** 2 / shifted)
    return shift


def _with_negative_curvature(step, values, radius):
    """The hard case: go to the boundary along the direction of most negative curvature."""
    lowest = int(np.argmin(values))
    missing = radius**2 - step @ step
    if values[lowest] < 0 and missing > 1e-6 * radius**2:
        step = step.copy()
        step[lowest] += np.sqrt(missing) * (1.0 if step[lowest] >= 0 else -1.0)
    return step


def minimize(objective, manifold, start, *, tol, max_iter, report=None, secants=False):
    """Newton steps within a trust region until the predicted decrease falls below ``tol``.

    The predicted decrease is in units of the objective, so for a deviance it bounds the distance to
    the optimum in standard errors: a gap of 1e-9 is 3e-5 standard errors.  That last step is taken
    all the same.  With ``secants`` an approximate Hessian is corrected by the gradients seen on the
    way; where many steps were not enough it is replaced by differences of the gradient.
    """
    search = _Search(objective, manifold, start, tol, report, [] if secants else None)
    for _ in range(max_iter):
        if stop := search.iterate():
            return search.optimum(stop)
    return search.optimum(MAX_ITER)


class _Search:
    """The state of one minimisation: point, evaluation, trust region, and what has been tried."""

    def __init__(self, objective, manifold, start, tol, report, secants):
        self.objective = objective
        self.manifold = manifold
        self.tol = tol
        self.report = report
        self.point = start
        self.current = objective(manifold.assemble(start))
        self.radius = None  # that of the first chart, at least one
        self.n_evaluations = 1
        self.quadratic = None
        self.secants = secants  # pairs (step, change of the gradient); None where not wanted
        self.n_steps = 0
        self.differences = MAX_DIFFERENCES  # evaluations that are left for these

    def optimum(self, stop):
        return Optimum(self.point, self.current, self.n_evaluations, stop, self.quadratic)

    def iterate(self) -> Stop | None:
        """One accepted step; why there is none, if so."""
        if not np.isfinite(self.current.value):
            return OUT_OF_REACH
        if self.current.degenerate:
            return DEGENERATE
        chart, *local = self._local_model()
        self.quadratic = Quadratic(chart.radius, *local)
        if self.radius is None:
            self.radius = max(1.0, chart.radius)
        for _ in range(MAX_SHRINKS):
            step = trust_region_step(*local, self.radius)
            predicted = self._predicted(step)
            if self.report and self.report(self.current.value, predicted, self.radius):
                return ASKED
            if predicted < self._negligible:
                return self._last(chart, step, predicted)
            if self._try(chart.move(step), predicted, float(np.linalg.norm(step))):
                return None
        return STUCK

    def _local_model(self):
        """By differences of the gradient, where many steps by approximations were not enough."""
        self.n_steps += 1
        place = (self.manifold, self.point, self.current)
        chart, gradient, hessian = local_model(*place, self.secants or ())
        if self.n_steps <= PATIENCE or self.current.exact or len(gradient) > self.differences:
            return chart, gradient, hessian
        self.differences -= len(gradient)
        self.n_evaluations += len(gradient)
        differenced = differenced_hessian(*place, chart)
        return chart, gradient, hessian if differenced is None else differenced

    @property
    def _negligible(self):
        """A decrease that is none."""
        return max(self.tol, self.current.noise)

    def _predicted(self, step):
        """The decrease that the local model promises."""
        _, gradient, hessian = self.quadratic
        return -(gradient @ step + 0.5 * step @ hessian @ step)

    def _last(self, chart, step, predicted):
        """Whether this is an optimum; a step that is worth it is taken all the same."""
        if predicted < -self._negligible or self._is_hemmed_in(step):
            return STUCK
        if predicted > LAST_STEP * self.tol:
            self._try(chart.move(step), predicted, 0.0)
        return CONVERGED

    def _is_hemmed_in(self, step):
        """Whether only the radius keeps the promise small, where the deviance is not flat."""
        if np.linalg.norm(step) < (1.0 - 1e-6) * self.radius:
            return False
        _, gradient, hessian = self.quadratic
        values, vectors = np.linalg.eigh(hessian)
        curved = np.abs(values) > ROUNDED * np.max(np.abs(values))
        gain = 0.5 * np.sum((vectors.T @ gradient)[curved] ** 2 / np.abs(values[curved]))
        return gain > self._negligible

    def _try(self, candidate, predicted, length):
        """Evaluate a candidate, adapt the radius, and say whether it was accepted."""
        trial = self.current.at(self.manifold.assemble(candidate))
        self.n_evaluations += 1
        rho = self._agreement(trial, predicted)
        if rho < 0.25:
            self.radius = SHRINK * length
        elif rho > 0.75 and length > 0.9 * self.radius:
            self.radius *= GROW
        if rho > ACCEPT:
            if self.secants is not None and length > 0:
                step = self.manifold.flat(candidate) - self.manifold.flat(self.point)
                pair = (step, trial.slope - self.current.slope)
                self.secants = [*self.secants[1 - MAX_SECANTS :], pair]
            self.point = candidate
            self.current = trial
        return rho > ACCEPT

    def _agreement(self, trial, predicted):
        """Actual over predicted decrease; one where both are rounding noise."""
        if not np.isfinite(trial.value):
            return -1.0
        decrease = self.current.value - trial.value
        noise = 100 * self.current.noise
        return 1.0 if predicted < noise and abs(decrease) < noise else decrease / predicted
