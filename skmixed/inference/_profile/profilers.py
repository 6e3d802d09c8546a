"""The profiles of one fit: which coordinate a parameter is, and its limits in the user's units."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np

from ..._data.checks import check_level
from ..._fit.base import Fit
from ..._fit.glmm import GlmmFit
from ..._fit.linear import LinearFit
from ..._likelihood.absolute import absolute_state
from ..._model.covariances import NO_EFFECTS, Covariances
from ..._search.boundary import search
from ..._search.start import typical_floors
from .limits import Limits, limits
from .paths import LIFT, MAX_ITER, CoefficientPath, Path, Visit
from .spaces import Space

#: until a limit of a fit that converged, or did not, is given up
MAX_EVALUATIONS = {True: 300, False: 60}
FULL_TOLERANCE = 1e-10  # of the optimum of the full likelihood
UNKNOWN = (np.nan, np.nan)


class Profiler(ABC):
    """The profiles of one fit at one level, each computed when it is first asked for.

    Attributes
    ----------
    fit, level : what is profiled
    lowest_gap : of the deviance below that of the fit
    given_up : number of limits that were not found
    """

    #: covariances of the terms, in the frame's units, then a vector of other parameters
    point: list[np.ndarray]
    #: the model there
    evaluation: Any
    #: unit of the covariances of a point
    unit_variance: float

    def __init__(self, fit: Fit, level: float):
        self.fit = fit
        self.level = check_level(level)
        self.lowest_gap = 0.0
        self.given_up = 0
        self._known: dict[tuple, Limits] = {}

    @property
    @abstractmethod
    def covariances(self) -> Covariances:
        """The structures of the terms of a point."""

    @abstractmethod
    def fixed_effect(self, k: int) -> tuple[float, float]:
        """Limits of a fixed effect, by its position among those that are not aliased."""

    @cached_property
    def identified(self) -> bool:
        """Whether there is a likelihood to profile."""
        return self.fit.is_identified and bool(np.isfinite(self.evaluation.value))

    def variance(self, term: int, row: int, col: int) -> tuple[float, float]:
        """Limits of a variance or a covariance."""
        return self._ends(term, row, col, "variance" if row == col else "covariance")

    def correlation(self, term: int, row: int, col: int) -> tuple[float, float]:
        """Limits of a correlation: all of its range where one of the variances may be zero, NaN
        where none is known.
        """
        lowest, highest = self.fit.covariance_model.terms[term].structure.correlation_range
        lows = [self.variance(term, k, k)[0] for k in (row, col)]
        if np.any(np.isnan(lows)):
            return UNKNOWN
        if 0.0 in lows:
            return lowest, highest
        low, high = self._ends(term, row, col, "correlation")
        return float(np.clip(low, lowest, highest)), float(np.clip(high, lowest, highest))

    def _ends(self, term, row, col, kind):
        """Limits of a parameter of a term; NaN where it is none, or nothing is known of it."""
        structure = self.fit.covariance_model.terms[term].structure
        if not (structure.n_parameters and self.identified):
            return UNKNOWN
        rows = self.fit.units.effect_rows(term, row, col)
        lengths = np.linalg.norm(rows, axis=1)
        found = structure.coordinates(kind, rows / lengths[:, None], row, col)
        if found is None:
            return UNKNOWN
        coordinates, key = found
        ends = self._covariance_limits((term, kind, *key), term, coordinates)
        scales = self.fit.units.response * lengths
        return coordinates.parameter(ends.low, scales), coordinates.parameter(ends.high, scales)

    def _covariance_limits(self, key, term, coordinates):
        floor = LIFT * self.unit_variance
        space = Space(self.covariances, np.eye(len(self.point[-1])), coordinates, term)
        point = list(self.point)
        point[term] = coordinates.state(coordinates.opened(self.point[term], floor))
        estimate = Visit(coordinates.value(point[term]), point, self.evaluation)

        def path(reach):
            return Path(space, estimate, floor, reach, coordinates.low, coordinates.high)

        return self._limits(key, path, self.evaluation.value)

    def _vector_limits(self, key, axes):
        """Limits of the coordinate along the first of the axes of the vector."""
        space = Space(self.covariances, axes)
        dual = axes[0] / (axes[0] @ axes[0])
        estimate = Visit(float(dual @ self.point[-1]), list(self.point), self.evaluation)

        def path(reach):
            return Path(space, estimate, LIFT * self.unit_variance, reach)

        return self._limits(key, path, self.evaluation.value)

    def _limits(self, key, path, deviance):
        """The limits of a path, remembered under a key."""
        if key not in self._known:
            found = limits(path, deviance, self.level, MAX_EVALUATIONS[self.fit.optimum.converged])
            self.lowest_gap = min(self.lowest_gap, found.lowest - deviance)
            self.given_up += int(np.isnan(found.low)) + int(np.isnan(found.high))
            self._known[key] = found
        return self._known[key]


class LinearProfiler(Profiler):
    """Profiles of a linear model, in absolute covariances and the logarithm of sigma^2."""

    fit: LinearFit

    @cached_property
    def objective(self):
        """The criterion that was maximised, from as few levels as it takes."""
        return self.fit.objective.condensed()

    @property
    def covariances(self):
        return self.fit.covariance_model

    @property
    def unit_variance(self):
        return self.fit.scale

    @cached_property
    def point(self):
        sigma2 = self.fit.scale
        return [*(sigma2 * T for T in self.fit.T), np.array([np.log(sigma2)])]

    @cached_property
    def evaluation(self):
        *T, t = self.point
        return absolute_state(self.objective, [*self.covariances.assemble(T), t])

    def residual(self) -> tuple[float, float]:
        """Limits of the residual variance."""
        if not self.identified:
            return UNKNOWN
        found = self._vector_limits(("residual",), np.ones((1, 1)))
        unit = self.fit.units.variance
        return float(np.exp(found.low) * unit), float(np.exp(found.high) * unit)

    @cached_property
    def _full(self):
        """The full likelihood and its optimum: a restricted likelihood has no fixed effects."""
        objective = self.objective.unrestricted()
        covariances = self.covariances
        assembled = covariances.assemble(self.fit.T)
        if not self.fit.reml or not covariances.terms:
            return objective, replace(self.fit.optimum, evaluation=objective(assembled))
        floors = typical_floors(objective.plan)
        start = covariances.start(assembled, floors)
        options = {"tol": FULL_TOLERANCE, "max_iter": 2 * MAX_ITER}
        return objective, search(objective, covariances, start, floors, **options)

    def fixed_effect(self, k):
        if not self.identified:
            return UNKNOWN
        direction, unit, shift = self.fit.units.direction(k)
        objective, optimum = self._full
        if optimum.evaluation.degenerate:
            return UNKNOWN
        length = np.linalg.norm(direction)

        def path(reach):
            return CoefficientPath(objective, self.covariances, optimum, direction / length, reach)

        found = self._limits(("fixed", k), path, optimum.evaluation.value)
        return unit * length * found.low + shift, unit * length * found.high + shift


class GeneralisedProfiler(Profiler):
    """Profiles of a generalised linear model, whose fixed effects are searched for together with
    the covariances.
    """

    fit: GlmmFit
    unit_variance = 1.0

    @property
    def covariances(self):
        return self.fit.covariance_model if self.fit.design.terms else NO_EFFECTS

    @property
    def point(self):
        return list(self.fit.optimum.point)

    @cached_property
    def evaluation(self):
        return self.fit.state.at_hand()

    def fixed_effect(self, k):
        direction, unit, shift = self.fit.units.direction(k)
        others = np.linalg.qr(direction[:, None], mode="complete")[0][:, 1:].T
        first = direction / (direction @ direction)
        found = self._vector_limits(("fixed", k), np.vstack([first, others]))
        return unit * found.low + shift, unit * found.high + shift


#: by whether there is a residual variance
PROFILERS = {True: LinearProfiler, False: GeneralisedProfiler}


def profiler_of(fit: Fit, level: float) -> Profiler:
    """The profiles of a fit."""
    return PROFILERS[fit.family.has_residual](fit, level)
