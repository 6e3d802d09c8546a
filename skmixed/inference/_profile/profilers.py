"""Which coordinate a parameter of a fit is, and the limits of its profile in the user's units."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property

import numpy as np

from ..._data.checks import check_level
from ..._fit.glmm import NO_EFFECTS
from ..._likelihood.variants import absolute_state, full_likelihood
from ..._model.coordinates import (
    HEADS,
    Polar,
    RootCoordinates,
    Shifted,
    SpectralCoordinates,
    Squares,
)
from ..._model.structures import Unstructured
from ..._search.boundary import search
from ..._search.start import typical_floors
from .limits import limits
from .paths import LIFT, MAX_ITER, CoefficientPath, Path, Visit
from .spaces import Space

MAX_EVALUATIONS = {
    True: 300,
    False: 60,
}  # until a limit of a fit that converged, or did not, is given up


def make_profiler(fit, level):
    """The profiles of a fit."""
    return (LogisticProfiler if fit.sigma2 is None else LinearProfiler)(fit, level)


class Profiler:
    """The profiles of one fit at one level, each computed when it is first asked for."""

    def __init__(self, fit, level):
        self.fit = fit
        self.level = check_level(level)
        self.lowest_gap = 0.0  # of the deviance below that of the fit
        self.given_up = 0  # limits that were not found
        self._known = {}

    def limits(self, key, path, deviance):
        """The limits of a path, remembered under a key."""
        if key not in self._known:
            found = limits(path, deviance, self.level, MAX_EVALUATIONS[self.fit.optimum.converged])
            self.lowest_gap = min(self.lowest_gap, found.lowest - deviance)
            self.given_up += int(np.isnan(found.low)) + int(np.isnan(found.high))
            self._known[key] = found
        return self._known[key]

    @property
    def design(self):
        return self.fit.design

    @property
    def deviance(self):
        return self.evaluation.value

    @property
    def identified(self):
        """Whether there is a likelihood to profile."""
        return True

    def is_known(self, term):
        """Whether the likelihood says something of the covariance of a term."""
        return len(self.fit.model.blocks[term].structure.basis) > 0 and self.identified

    def rows_of(self, term, *effects):
        """Effects in the user's units as combinations of the frame's."""
        return self.design.frame.bases[term][list(effects)]

    def variance(self, term, row, col):
        """Limits of a variance or a covariance in the user's units."""
        if not self.is_known(term):
            return np.nan, np.nan
        rows = self.rows_of(term, row, col)
        lengths = np.linalg.norm(rows, axis=1)
        found = self._covariance_limits(term, row, col, "variance" if row == col else "covariance")
        ends = np.array([found.low, found.high]) * self.y_scale
        return tuple(
            (ends * lengths[0]) ** 2 if row == col else ends * self.y_scale * np.prod(lengths)
        )

    def correlation(self, term, row, col):
        """Limits of a correlation: all of its range where one of the variances may be zero, NaN
        where none is known.
        """
        if not self.is_known(term):
            return np.nan, np.nan
        structure = self.fit.model.blocks[term].structure
        lowest = -1.0 if isinstance(structure, Unstructured) else -1.0 / (structure.size - 1)
        lows = [self._covariance_limits(term, k, k, "variance").low for k in (row, col)]
        if np.any(np.isnan(lows)):
            return np.nan, np.nan
        if 0.0 in lows:
            return lowest, 1.0
        found = self._covariance_limits(term, row, col, "correlation")
        ends = np.sin([found.low, found.high])
        if not isinstance(structure, Unstructured):
            ends = (structure.size * ends**2 - 1.0) / (structure.size - 1.0)
        return tuple(np.clip(ends, lowest, 1.0))

    def _covariance_limits(self, term, row, col, kind):
        coordinates, key = self._coordinates(term, row, col, kind)
        space = Space(self.model, np.eye(len(self.point[-1])), coordinates, term)
        point = list(self.point)
        point[term] = coordinates.state(self._start(term, row, col, kind))
        estimate = Visit(coordinates.value(point[term]), point, self.evaluation)

        def path(reach):
            head = coordinates.head
            return Path(space, estimate, LIFT * self.unit_variance, reach, head.low, head.high)

        return self.limits(key, path, self.deviance)

    def _start(self, term, row, col, kind):
        """The estimate; a covariance of effects without variance needs some to start with."""
        T = self.point[term]
        if kind == "covariance" and isinstance(self.fit.model.blocks[term].structure, Unstructured):
            return T + LIFT * self.unit_variance * np.eye(len(T)) * (np.min(np.diag(T)) <= 0)
        return T

    def _coordinates(self, term, row, col, kind):
        """Coordinates that begin with a parameter, and a key that parameters with the same profile
        share.
        """
        structure = self.fit.model.blocks[term].structure
        if isinstance(structure, Unstructured):
            rows = self.rows_of(term, *((row,) if row == col else (row, col)))
            rows = rows / np.linalg.norm(rows, axis=1)[:, None]
            return RootCoordinates(rows, HEADS[kind]), (term, kind, row, col)
        owners = tuple(np.flatnonzero(structure.projections[:, row, row]).tolist())
        if len(owners) == 1:
            head = Squares(len(structure.projections), owners[0])
        else:
            head = (
                Shifted(structure.size)
                if kind == "covariance"
                else Polar(structure.size, kind == "correlation")
            )
        return SpectralCoordinates(structure, head), (term, kind, owners)

    def _vector_limits(self, key, axes):
        """Limits of the coordinate along the first of the axes of the vector."""
        space = Space(self.model, axes)
        dual = axes[0] / (axes[0] @ axes[0])
        estimate = Visit(float(dual @ self.point[-1]), list(self.point), self.evaluation)
        return self.limits(
            key,
            lambda reach: Path(space, estimate, LIFT * self.unit_variance, reach),
            self.deviance,
        )


class LinearProfiler(Profiler):
    """Profiles of a linear model."""

    @cached_property
    def objective(self):
        """The criterion that was maximised, from as few levels as it takes."""
        return self.fit.objective.condensed()

    @cached_property
    def identified(self):
        state = self.fit.state
        if (
            state.sigma2 <= 0
            or self.fit.is_degenerate
            or state.fixed.r2 < self.fit.objective.least_r2
        ):
            return False
        return bool(np.isfinite(self.evaluation.value))

    @property
    def y_scale(self):
        return self.fit.y_scale

    @property
    def model(self):
        return self.fit.model

    @property
    def unit_variance(self):
        return self.fit.state.sigma2

    @cached_property
    def point(self):
        """Absolute covariances and the logarithm of sigma^2, in the frame's units."""
        sigma2 = self.unit_variance
        return [*(sigma2 * T for T in self.fit.optimum.point), np.array([np.log(sigma2)])]

    @cached_property
    def evaluation(self):
        *T, t = self.point
        return absolute_state(self.objective, [*self.model.assemble(T), t])

    def residual(self):
        """Limits of the residual variance."""
        if not self.identified:
            return np.nan, np.nan
        found = self._vector_limits("residual", np.ones((1, 1)))
        return tuple(np.exp([found.low, found.high]) * self.y_scale**2)

    @cached_property
    def _full(self):
        """The full likelihood and its optimum: a restricted likelihood has no fixed effects."""
        objective = full_likelihood(self.objective)
        point = self.fit.optimum.point
        if not self.fit.reml or not self.model.blocks:
            return objective, replace(
                self.fit.optimum, evaluation=objective(self.model.assemble(point))
            )
        floors = typical_floors(objective.plan)
        start = self.model.start(self.model.assemble(point), floors)
        return objective, search(
            objective, self.model, start, floors, tol=1e-10, max_iter=2 * MAX_ITER
        )

    def fixed_effect(self, k):
        """Limits of a kept fixed effect, by its position among them."""
        if not self.identified:
            return np.nan, np.nan
        frame = self.design.frame
        kept = self.design.kept
        direction = frame.coefficient_map[kept[k], kept]
        (objective, optimum) = self._full
        length = np.linalg.norm(direction)

        def path(reach):
            return CoefficientPath(objective, self.model, optimum, direction / length, reach)

        if optimum.evaluation.degenerate:
            return np.nan, np.nan
        found = self.limits(("fixed", k), path, optimum.evaluation.value)
        shift = direction @ frame.pilot[kept]
        return tuple(self.y_scale * length * np.array([found.low, found.high]) + shift)


class LogisticProfiler(Profiler):
    """Profiles of a logistic model, whose fixed effects are searched for together with the
    covariances.
    """

    y_scale = unit_variance = 1.0

    @property
    def model(self):
        return self.fit.model if self.design.terms else NO_EFFECTS

    @property
    def point(self):
        return list(self.fit.optimum.point)

    @property
    def evaluation(self):
        return self.fit.state

    def fixed_effect(self, k):
        """Limits of a kept fixed effect, by its position among them."""
        kept = self.design.kept
        direction = self.design.frame.coefficient_map[kept[k], kept]
        others = np.linalg.qr(direction[:, None], mode="complete")[0][:, 1:].T
        found = self._vector_limits(
            ("fixed", k), np.vstack([direction / (direction @ direction), others])
        )
        return found.low, found.high
