"""How many quadrature points suffice, and what too few of them cost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Literal, NamedTuple

import numpy as np

from .._likelihood.discrepancy import Discrepancy, discrepancy
from .._likelihood.glmm import GlmmDeviance, GlmmState
from .._likelihood.laplace import Laplace
from .._likelihood.quadrature import MAX_DIMENSION, AdaptiveQuadrature
from .._likelihood.start import SAMPLE_ROWS
from .._model.covariances import Parameters
from .._search.minimize import Optimum
from .._sums.design import RowDesign
from .units import Units

#: numbers that are tried, and one more that only checks the last, by effects per level
NUMBERS = {
    1: (1, 3, 5, 7, 9, 15, 25, 51, 101, 151),
    2: (1, 3, 5, 7, 9, 15, 25, 35),
    3: (1, 3, 5, 7, 9, 13),
}
AGREE = 2  # further numbers that change nothing: one may agree by accident
LEAP = 7  # points where Laplace does not come to an end
LOGLIK = 0.01  # error of the log-likelihood that is none
SHIFT = 0.05  # of an estimate, in standard errors, that is none
RANK = 1e-9  # share of the largest eigenvalue below which a curvature is none

Points = int | Literal["auto"]


class Shortfall(NamedTuple):
    """What too few points cost.

    Attributes
    ----------
    points : that say so
    loglik : by how much the log-likelihood is too low
    shift : how far the estimate that moves most would move, in its standard errors
    """

    points: int
    loglik: float
    shift: float

    @property
    def is_nothing(self) -> bool:
        """Whether both are too small to matter."""
        return abs(self.loglik) < LOGLIK and self.shift <= SHIFT


def integration_of(design: RowDesign, points: int) -> Laplace | AdaptiveQuadrature:
    """How the effects are integrated out."""
    return Laplace() if points == 1 else AdaptiveQuadrature(points, design.factor_basis(0))


def n_effects(design: RowDesign) -> int:
    """Effects per level of a single factor; none where a product rule can't be used."""
    sizes = [len(effects) for effects in design.frame.effects]
    is_possible = len(design.frame.effects) == 1 and bool(design.terms)
    return sizes[0] if is_possible and sizes[0] <= MAX_DIMENSION else 0


def _shift(optimum: Optimum, parameters: Parameters, units: Units, slope: np.ndarray) -> float:
    """How far a Newton step along an additional gradient moves the estimate that it moves most, in
    standard errors.
    """
    if optimum.quadratic is None or not len(optimum.quadratic.gradient):
        return 0.0
    chart = parameters.chart(optimum.point)
    values, vectors = np.linalg.eigh(optimum.quadratic.hessian)
    kept = values > RANK * np.max(values, initial=0.0)
    half = vectors[:, kept] / np.sqrt(values[kept])
    k = len(chart.derivatives) - parameters.n_fixed
    estimates = np.vstack([half[:k], units.transform @ half[k:]])
    steps = estimates @ (half.T @ (chart.derivatives @ slope))
    errors = np.sqrt(2.0 * np.sum(estimates**2, axis=1))
    moved = np.divide(np.abs(steps), errors, out=np.zeros_like(steps), where=errors > 0)
    return float(np.max(moved, initial=0.0))


def shortfall(
    design: RowDesign, optimum: Optimum, parameters: Parameters, points: int
) -> Shortfall | None:
    """What a given number of points costs, two numbers further on; None where nobody can say."""
    numbers = NUMBERS.get(n_effects(design), ())
    finer = [number for number in numbers if number > points][:3]
    if not finer:
        return None
    found = discrepancy(optimum.evaluation, integration_of(design, finer[-1]))
    return _shortfall(design, optimum, parameters, found)


def _shortfall(design, optimum, parameters, found: Discrepancy) -> Shortfall:
    shift = _shift(optimum, parameters, Units(design), found.slope)
    return Shortfall(found.points, float(found.loglik), shift)


class Enough(NamedTuple):
    """An optimum by as many points as are needed, or by the most that are tried.

    Attributes
    ----------
    optimum : where the search ended
    objective : the deviance that was minimised
    is_enough : whether more points are known to change nothing
    """

    optimum: Optimum
    objective: GlmmDeviance
    is_enough: bool


def enough(
    design: RowDesign,
    objective: GlmmDeviance,
    parameters: Parameters,
    start: Callable[[GlmmDeviance], Optimum],
    again: Callable[[GlmmDeviance, Optimum], Optimum],
) -> Enough:
    """The optimum by the first number of points after which the next two change nothing.

    ``objective`` is Laplace's, ``start`` searches from the very beginning, ``again`` from another
    optimum.
    """
    if not objective.store.holds_rows:
        objective = _as_sampled(design, objective, parameters, start, again)
    numbers = _numbers(design, objective.integration.points)
    optimum = start(objective)
    if LEAP in numbers[1:] and not optimum.converged:
        leapt = _with_points(design, objective, LEAP)
        there = start(leapt)
        if not there.converged:
            return Enough(_and_before(optimum, there), objective, False)
        numbers = numbers[numbers.index(LEAP) :]
        objective = leapt
        optimum = _and_before(there, optimum)
    for k, points in enumerate(numbers[:-1]):
        if points != objective.integration.points:
            objective = _with_points(design, objective, points)
            optimum = _and_before(again(objective, optimum), optimum)
        if not optimum.converged:
            return Enough(optimum, objective, False)
        more = numbers[k + 1 : k + 1 + AGREE]
        if all(_is_the_same(design, objective, optimum, parameters, each) for each in more):
            return Enough(optimum, objective, True)
    return Enough(optimum, objective, False)


def _numbers(design, least):
    """Numbers of points that are tried, from some number on; none where there is no rule."""
    return [number for number in NUMBERS.get(n_effects(design), ()) if number >= least]


def _as_sampled(design, objective, parameters, start, again):
    """The deviance by as many points as the first rows need: all need that many at least."""
    if not _numbers(design, 1):
        return objective
    some = replace(objective, store=objective.store.first(SAMPLE_ROWS))
    try:
        found = enough(design, some, parameters, start, again)
    except ValueError:  # nothing is attainable there
        return objective
    points = found.objective.integration.points if found.is_enough else 1
    return _with_points(design, objective, points)


def _is_the_same(design, objective, optimum, parameters, points):
    """Whether a number of points says nothing new at an optimum."""
    change = _change(optimum, _with_points(design, objective, points))
    return _shortfall(design, optimum, parameters, change).is_nothing


def _with_points(design: RowDesign, objective: GlmmDeviance, points: int) -> GlmmDeviance:
    return replace(objective, integration=integration_of(design, points))


def _change(optimum: Optimum, finer: GlmmDeviance) -> Discrepancy:
    """What more points say at an optimum, of all levels."""
    own: GlmmState = optimum.evaluation
    there = finer([*own.T, own.beta], own.near())
    slope = there.slope - own.slope
    return Discrepancy(finer.integration.points, 0.5 * (own.value - there.value), slope)


def _and_before(optimum: Optimum, before: Optimum) -> Optimum:
    """An optimum with the evaluations that were spent before it."""
    return replace(optimum, n_evaluations=optimum.n_evaluations + before.n_evaluations)
