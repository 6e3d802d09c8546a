"""Profile likelihood: how far a parameter can move before the deviance has risen by a quantile of chi-squared.

For a value phi of one parameter ``d_p(phi)`` is the minimum of the deviance over all others, and the limits solve

    d_p(phi) - d = chi2_{1, level}.

The parameter is made a coordinate of its own, so that a constrained minimum is one over the other coordinates, found by
the minimiser of :mod:`skmixed._optimize`: the standard deviation and the correlation, or covariance, of two effects are
entries of a root of T that begins with these effects.  The slope of the profile is the derivative of the deviance in
that coordinate (at a minimum nothing else moves it), which makes Newton's method on the nearly straight
``zeta(phi) = sqrt(d_p(phi) - d)`` converge in two or three steps, each from where the last minimum leads.

The covariances of a linear model are absolute here, ``T* = sigma^2 T``, and the residual variance is a parameter.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from .. import _kernels as kernels
from .._cholesky import Plan
from .._covariance import Unstructured
from .._crossprod import condensed
from .._fit_logistic import NO_EFFECTS
from .._lmm import ProfiledDeviance, State, Unattainable
from .._optimize import local_model, minimize, pack, trust_region_step
from .._search import search
from .._start import typical_floors
from .._tables import unknown_column
from ..exceptions import ConvergenceWarning
from ._contrasts import check_level
from ._coordinates import HEADS, Pinned, Polar, RootCoordinates, Shifted, Space, SpectralCoordinates, Squares
from ._variances import _free_entries

__all__ = ["profile", "profile_limits"]

TOLERANCE = 1e-7  # predicted decrease that ends a constrained minimisation, after a last step
MAX_ITER = 50
CLOSE = 5e-3  # distance of zeta from its target that one more Newton step, not evaluated, takes down to its square
MAX_POINTS = 60
NARROW, NARROW_FAILURE = 1e-7, 0.1  # bracket as a share of the distance from the estimate; below a failure
UNCERTAIN = 1.0  # a search that stopped short this far above the level has not found a minimum
MODERATE = 2.0  # first step of a fixed effect or of log sigma^2 in the frame's units, where the deviance is flat
LONGEST_STEP = 4.0  # factor by which the distance from the estimate may grow in one step
NEGLIGIBLE_FALL = 1e-6  # of the deviance below that of the fit
LIFT = 1e-4  # variance, in units of the frame, from which a saddle at zero is left
FARTHEST = 1e4  # times the first step, where a profile that has not risen by enough never will
MAX_FAILURES = 4  # attempts to come closer to values of a parameter without a constrained minimum
LARGEST_EXPONENT = 60.0  # of sigma^2 in the frame's units
ROUNDED = 1e-11  # share of the sum of squares of a fixed effect that must be left for its digits to count


# The linear model with its residual variance as a parameter


class KnownScale(ProfiledDeviance):
    """The deviance at a given residual variance: ``nu log(2 pi sigma^2) + r^2 / sigma^2`` is its criterion."""

    def __init__(self, objective, sigma2):
        vars(self).update(vars(objective))
        self.sigma2 = sigma2

    def criterion(self, r2):
        return self.nu * np.log(2.0 * np.pi * self.sigma2) + r2 / self.sigma2

    def precision(self, r2):
        return 1.0 / self.sigma2

    def profiled(self, r2):
        return 0.0


class AbsoluteDeviance:
    """The deviance of a linear model as a function of the absolute covariances T* and ``t = log sigma^2``."""

    def __init__(self, objective):
        self.objective = objective

    def __call__(self, point):
        *T, (t,) = point
        if not abs(t) < LARGEST_EXPONENT:
            return Unattainable()
        try:
            return AbsoluteState(self, T, float(np.exp(t)))
        except np.linalg.LinAlgError:
            return Unattainable()


class AbsoluteState:
    """The model at one point; derivatives are those of ``F(T, t)`` by the chain rule along ``T = T* exp(-t)``."""

    degenerate = False

    def __init__(self, objective, T, sigma2):
        self.objective, self.sigma2 = objective, sigma2
        self.relative = [t / sigma2 for t in T]
        self.inner = State(KnownScale(objective.objective, sigma2), self.relative)
        left = np.diag(self.inner.fixed.chol) ** 2 / np.diag(objective.objective.gram)[:-1]
        if not np.isfinite(self.value) or np.any(left < ROUNDED):
            raise np.linalg.LinAlgError("the deviance overflows, or is nothing but rounding")

    def at(self, point):
        """The same model at another point."""
        return self.objective(point)

    @property
    def value(self):
        return self.inner.value

    @property
    def exact(self):
        return self.inner.exact or not self.relative

    @property
    def noise(self):
        return self.inner.noise

    @property
    def gradient(self):
        """``dd / dT*_f``, one symmetric matrix per factor."""
        return tuple(D / self.sigma2 for D in self.inner.gradient)

    @cached_property
    def _packed(self):
        """T and ``dF / dT`` in packed coordinates."""
        if not self.relative:
            return np.zeros(0), np.zeros(0)
        T = np.concatenate([t[kernels.lower_triangle(len(t))] for t in self.relative])
        return T, pack(self.inner.gradient)

    @property
    def _share(self):
        """``r^2 / sigma^2``."""
        return self.inner.r2 / self.sigma2

    @cached_property
    def slope(self):
        """The gradient in (packed T*, t)."""
        T, F = self._packed
        return np.append(F / self.sigma2, self.inner.objective.nu - self._share - F @ T)

    @cached_property
    def hessian(self):
        """Second derivatives, or the average information, in (packed T*, t)."""
        if not self.relative:
            return np.array([[self._share]])
        T, F = self._packed
        H, crossed = self.inner.hessian, self.inner.tilt / self.sigma2
        along = (crossed - F - H @ T) / self.sigma2
        last = self._share - 2.0 * crossed @ T + T @ H @ T + F @ T
        return np.block([[H / self.sigma2**2, along[:, None]], [along, np.array([[last]])]])


# Paths of constrained minima


class Visit(NamedTuple):
    """A constrained minimum: value of the coordinate, where the others are, and the model there."""

    phi: float
    point: list
    evaluation: object


class Path:
    """Minima of the deviance at given values of the profiled coordinate, each found from the nearest one known.

    Minima above ``reach`` are no places to start from: they may belong to another branch, where a variance is zero.
    """

    def __init__(self, space, estimate, floor, reach, low=-np.inf, high=np.inf):
        self.space, self.visits, self.floor, self.reach = space, [estimate], floor, reach
        self.phi, self.low, self.high = estimate.phi, low, high

    def __call__(self, phi):
        """``d_p`` and its slope; infinite where no minimum is found."""
        near = min(self.visits, key=lambda visit: abs(visit.phi - phi))
        start = self._predicted(near, phi - near.phi)
        exact = near.evaluation.exact
        if not exact:
            start = self.space.lifted(start, self.floor)
        found = minimize(
            near.evaluation.at, Pinned(self.space), start, tol=TOLERANCE, max_iter=MAX_ITER, secants=not exact
        )
        if not (found.converged or found.evaluation.value < self.reach + UNCERTAIN):
            return np.inf, np.nan
        if self.low < phi < self.high and found.evaluation.value < self.reach:
            self.visits.append(Visit(phi, found.point, found.evaluation))
        chart = self.space.chart(found.point)
        return found.evaluation.value, float(chart.derivatives[self.space.profiled] @ found.evaluation.slope)

    def _predicted(self, near, change):
        """Where the minimum should be after a change of the coordinate, by the quadratic model of the last."""
        chart, gradient, hessian = local_model(self.space, near.point, near.evaluation)
        step = self._response(chart, gradient, hessian, change)
        step = step if np.all(np.isfinite(step)) else np.zeros_like(step)
        return chart.move(np.insert(step, self.space.profiled, change))

    def _response(self, chart, gradient, hessian, change):
        """The step of the other coordinates to the minimum of the quadratic model."""
        i = self.space.profiled
        pull = np.delete(gradient + change * hessian[i], i)
        return trust_region_step(pull, np.delete(np.delete(hessian, i, 0), i, 1), max(1.0, chart.radius))

    @cached_property
    def unit(self):
        """Change of the coordinate that raises the deviance by one, by its quadratic model at the estimate."""
        chart, gradient, hessian = local_model(self.space, self.visits[0].point, self.visits[0].evaluation)
        i, h = self.space.profiled, 1e-3 * max(1.0, chart.radius)
        response = self._response(chart, np.zeros_like(gradient), hessian, h) / h
        curvature = hessian[i, i] + np.delete(hessian[i], i) @ response
        if curvature <= 0:
            return max(abs(self.phi), np.sqrt(self.floor))
        return min(np.sqrt(2.0 / curvature), self.space.reach(MODERATE))


class PinnedColumns(ProfiledDeviance):
    """The full likelihood with one combination of the fixed effects known: other columns, another response."""

    def __init__(self, objective, columns):
        self.plan, self.reml, self.n, self.nu = objective.plan, 0.0, objective.n, objective.n
        self.gram = columns.T @ objective.gram @ columns
        self.U = [np.ascontiguousarray(np.einsum("qcm,cd->qdm", U, columns)) for U in objective.U]
        self.least_r2 = objective.least_r2


class CoefficientPath:
    """The same for the combination ``a'beta`` of the fixed effects of a linear model, by the full likelihood.

    With beta and sigma^2 profiled out only T is left to search; the slope is that of ``n log r^2(phi)`` with
    ``r^2(phi) = r^2 + (phi - a'beta)^2 / a'Ca``.
    """

    low, high = -np.inf, np.inf

    def __init__(self, objective, model, optimum, direction, reach):
        self.objective, self.model, self.a, self.reach = objective, model, direction, reach
        self.start, state = optimum.point, optimum.evaluation
        others = np.linalg.qr(direction[:, None], mode="complete")[0][:, 1:]
        p = len(direction)
        self.columns = np.zeros((p + 1, p))
        self.columns[:p, :-1], self.columns[p, -1] = others, 1.0
        self.phi = float(direction @ state.fixed.beta)
        self.unit = float(np.sqrt(direction @ state.fixed.covariance @ direction * state.sigma2))

    def __call__(self, phi):
        """``d_p`` and its slope."""
        columns = self.columns.copy()
        columns[:-1, -1] = -phi * self.a / (self.a @ self.a)
        found = self._minimum(PinnedColumns(self.objective, columns))
        if not np.isfinite(found.evaluation.value):
            return np.inf, np.nan
        if found.evaluation.value < self.reach:
            self.start = found.point
        fixed = self.objective(self.model.assemble(found.point)).fixed
        gap = (phi - self.a @ fixed.beta) / (self.a @ fixed.covariance @ self.a)
        r2 = fixed.r2 + gap * (phi - self.a @ fixed.beta)
        return found.evaluation.value, float(2.0 * self.objective.nu * gap / r2)

    def _minimum(self, objective):
        if not self.model.blocks:
            return Visit(np.nan, [], objective([]))
        return minimize(objective, self.model, self._lifted(), tol=TOLERANCE, max_iter=MAX_ITER)

    def _lifted(self):
        return [
            T if b.structure.is_interior(T) else b.structure.start(T, np.full(b.structure.size, LIFT))
            for b, T in zip(self.model.blocks, self.start, strict=True)
        ]


# Limits


class Crossing:
    """Where ``zeta = sqrt(d_p - d)`` reaches its target on one side of the estimate: Newton within a bracket."""

    def __init__(self, path, deviance, target, side):
        self.path, self.deviance, self.target, self.side = path, deviance, target, side
        self.end = path.high if side > 0 else path.low
        self.inside, self.outside, self.is_bracketed = path.phi, self.end, False
        self.lowest, self.failures, self.is_failure = np.inf, 0, False

    def find(self, first):
        """The value of the coordinate; the end of its range where the target is not reached."""
        phi, farthest = first, FARTHEST * abs(first - self.path.phi)
        for _ in range(MAX_POINTS):
            phi = self.end if self._is_beyond(phi) else phi
            gap, newton = self._evaluate(phi)
            if abs(gap) < CLOSE:
                return newton if self._is_between(newton, self.path.phi, self.end) else phi
            if (gap < 0 and (phi == self.end or abs(phi - self.path.phi) > farthest)) or self.failures > MAX_FAILURES:
                return self.end
            self._narrow(phi, gap)
            if self._is_narrow():
                break
            phi = self._next(phi, newton)
        return self.end if self.is_failure else self.outside

    def _evaluate(self, phi):
        """Distance of zeta from its target, and where Newton's method goes from here."""
        value, slope = self.path(phi)
        self.lowest = min(self.lowest, value)
        zeta = np.sqrt(max(value - self.deviance, 0.0))
        gap = zeta - self.target
        rate = slope / (2.0 * zeta) if zeta > 0 else 0.0
        return gap, phi - gap / rate if rate * self.side > 0 and np.isfinite(gap) else np.nan

    def _narrow(self, phi, gap):
        if gap < 0:
            self.inside = phi
        else:
            self.outside, self.is_bracketed, self.is_failure = phi, True, np.isposinf(gap)
            self.failures += self.is_failure

    def _next(self, phi, newton):
        if self.is_bracketed:
            return newton if self._is_between(newton, self.inside, self.outside) else (self.inside + self.outside) / 2
        farthest = self.path.phi + LONGEST_STEP * (phi - self.path.phi)
        return newton if self._is_between(newton, phi, farthest) else farthest

    def _is_narrow(self):
        width = NARROW_FAILURE if self.is_failure else NARROW
        return self.is_bracketed and abs(self.outside - self.inside) < width * abs(self.outside - self.path.phi)

    def _is_beyond(self, phi):
        return self.side * (phi - self.end) >= 0

    @staticmethod
    def _is_between(phi, one, other):
        return min(one, other) < phi < max(one, other)


@dataclass(frozen=True)
class Limits:
    """Limits in the coordinate, and the lowest deviance met on the way to them."""

    low: float
    high: float
    lowest: float


def limits(path, deviance, level):
    """Both limits of the coordinate of a path; a function makes one for each side from the deviance to be reached."""
    target, found, lowest = stats.norm.ppf(0.5 + level / 2.0), [], np.inf
    for side in (-1, 1):
        fresh = path(deviance + target**2)
        crossing = Crossing(fresh, deviance, target, side)
        at_end = fresh.phi == crossing.end
        found.append(fresh.phi if at_end else crossing.find(_first(fresh, side, target)))
        lowest = min(lowest, crossing.lowest)
    return Limits(*found, lowest)


def _first(path, side, target):
    """First guess: the quadratic one, bent to stay in the range; a standard deviation grows on its log scale."""
    step, room = side * target * path.unit, (path.high if side > 0 else path.low) - path.phi
    if np.isfinite(room):
        return path.phi + room * np.tanh(step / room) if path.low < 0 or abs(step) < abs(room) else path.low
    if path.low == 0.0 and path.phi > 0:
        return path.phi * np.exp(min(step / path.phi, 1.5))
    return path.phi + step


# Fits


class Profiler:
    """The profiles of one fit at one level, each computed when it is first asked for."""

    def __init__(self, fit, level):
        self.fit, self.level = fit, check_level(level)
        self.lowest_gap = 0.0  # of the deviance below that of the fit
        self._known = {}

    def limits(self, key, path, deviance):
        """The limits of a path, remembered under a key."""
        if key not in self._known:
            found = limits(path, deviance, self.level)
            self.lowest_gap = min(self.lowest_gap, found.lowest - deviance)
            self._known[key] = found
        return self._known[key]

    @property
    def design(self):
        return self.fit.design

    @property
    def identified(self):
        """Whether there is a likelihood to profile."""
        return True

    def is_absent(self, term):
        return len(self.fit.model.blocks[term].structure.basis) == 0

    def rows_of(self, term, *effects):
        """Effects in the user's units as combinations of the frame's."""
        return self.design.frame.bases[term][list(effects)]

    def variance(self, term, row, col):
        """Limits of a variance or a covariance in the user's units."""
        if self.is_absent(term) or not self.identified:
            return np.nan, np.nan
        rows = self.rows_of(term, row, col)
        lengths = np.linalg.norm(rows, axis=1)
        found = self._covariance_limits(term, row, col, "variance" if row == col else "covariance")
        ends = np.array([found.low, found.high]) * self.y_scale
        return tuple((ends * lengths[0]) ** 2 if row == col else ends * self.y_scale * np.prod(lengths))

    def correlation(self, term, row, col):
        """Limits of a correlation: all of its range where one of the variances may be zero."""
        if self.is_absent(term) or not self.identified:
            return np.nan, np.nan
        structure = self.fit.model.blocks[term].structure
        lowest = -1.0 if isinstance(structure, Unstructured) else -1.0 / (structure.size - 1)
        if any(self._covariance_limits(term, k, k, "variance").low == 0.0 for k in (row, col)):
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
        """Coordinates that begin with a parameter, and a key that parameters with the same profile share."""
        structure = self.fit.model.blocks[term].structure
        if isinstance(structure, Unstructured):
            rows = self.rows_of(term, *((row,) if row == col else (row, col)))
            rows = rows / np.linalg.norm(rows, axis=1)[:, None]
            return RootCoordinates(rows, HEADS[kind]), (term, kind, row, col)
        owners = tuple(np.flatnonzero(structure.projections[:, row, row]).tolist())
        if len(owners) == 1:
            head = Squares(len(structure.projections), owners[0])
        else:
            head = Shifted(structure.size) if kind == "covariance" else Polar(structure.size, kind == "correlation")
        return SpectralCoordinates(structure, head), (term, kind, owners)

    def _vector_limits(self, key, axes):
        """Limits of the coordinate along the first of the axes of the vector."""
        space = Space(self.model, axes)
        dual = axes[0] / (axes[0] @ axes[0])
        estimate = Visit(float(dual @ self.point[-1]), list(self.point), self.evaluation)
        return self.limits(key, lambda reach: Path(space, estimate, LIFT * self.unit_variance, reach), self.deviance)


class LinearProfiler(Profiler):
    """Profiles of a linear model."""

    @cached_property
    def objective(self):
        """The criterion that was maximised, from as few levels as it takes."""
        fewer = condensed(self.design.cross)
        return self.fit.objective if fewer is None else ProfiledDeviance(Plan(fewer), self.fit.objective.reml)

    @cached_property
    def identified(self):
        state = self.fit.state
        if state.sigma2 <= 0 or self.fit.is_degenerate or state.fixed.r2 < self.fit.objective.least_r2:
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
        return AbsoluteDeviance(self.objective)([*self.model.assemble(T), t])

    @property
    def deviance(self):
        return self.evaluation.value

    def residual(self):
        """Limits of the residual variance."""
        if not self.identified:
            return np.nan, np.nan
        found = self._vector_limits("residual", np.ones((1, 1)))
        return tuple(np.exp([found.low, found.high]) * self.y_scale**2)

    @cached_property
    def _full(self):
        """The full likelihood and its optimum: a restricted likelihood has no fixed effects."""
        objective, point = _full_likelihood(self.objective), self.fit.optimum.point
        if not self.fit.reml or not self.model.blocks:
            return objective, replace(self.fit.optimum, evaluation=objective(self.model.assemble(point)))
        floors = typical_floors(objective.plan)
        start = self.model.start(self.model.assemble(point), floors)
        return objective, search(objective, self.model, start, floors, tol=1e-10, max_iter=2 * MAX_ITER)

    def fixed_effect(self, k):
        """Limits of a kept fixed effect, by its position among them."""
        if not self.identified:
            return np.nan, np.nan
        frame, kept = self.design.frame, self.design.kept
        direction, (objective, optimum) = frame.coefficient_map[kept[k], kept], self._full
        length = np.linalg.norm(direction)

        def path(reach):
            return CoefficientPath(objective, self.model, optimum, direction / length, reach)

        if optimum.evaluation.degenerate:
            return np.nan, np.nan
        found = self.limits(("fixed", k), path, optimum.evaluation.value)
        shift = direction @ frame.pilot[kept]
        return tuple(self.y_scale * length * np.array([found.low, found.high]) + shift)


def _full_likelihood(objective):
    return PinnedColumns(objective, np.eye(len(objective.gram)))


class LogisticProfiler(Profiler):
    """Profiles of a logistic model, whose fixed effects are searched for together with the covariances."""

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

    @property
    def deviance(self):
        return self.evaluation.value

    def fixed_effect(self, k):
        """Limits of a kept fixed effect, by its position among them."""
        kept = self.design.kept
        direction = self.design.frame.coefficient_map[kept[k], kept]
        others = np.linalg.qr(direction[:, None], mode="complete")[0][:, 1:].T
        found = self._vector_limits(("fixed", k), np.vstack([direction / (direction @ direction), others]))
        return found.low, found.high


def make_profiler(fit, level):
    """The profiles of a fit."""
    return (LogisticProfiler if fit.sigma2 is None else LinearProfiler)(fit, level)


def _computing(fit):
    """Context of the computations: small matrices on one thread, and overflow far from the optimum in silence."""
    if fit.objective is None:
        raise AttributeError(
            "The training rows are not kept in a copied or pickled model, and a profile needs them.\n"
            "Compute it from the fitted estimator before copying."
        )
    plans = getattr(fit.objective, "plans", None) or [fit.objective.plan]
    return kernels.blas_threads(max(plan.dense_order for plan in plans))


def _warn_about(profiler):
    if profiler.lowest_gap < -NEGLIGIBLE_FALL:
        warnings.warn(
            f"On the way to the profile limits the deviance fell {-profiler.lowest_gap:.3g} below that of the fit: "
            "there is a better optimum, and the estimates and limits are not to be trusted.\n"
            "Simplify the random effects, or fit again with a smaller tol and a larger max_iter.",
            ConvergenceWarning,
            stacklevel=3,
        )


def profile_limits(fit, level=0.95):
    """Profile-likelihood limits of variances and covariances, residual variance last: ``(low, high)``.

    In the order of :func:`variance_estimates` and in the units of the data; NaN where nothing is identified.
    """
    profiler = make_profiler(fit, level)
    with _computing(fit), np.errstate(all="ignore"):
        found = [profiler.variance(*entry) for entry in _entries(fit)]
        if fit.sigma2 is not None:
            found.append(profiler.residual())
    _warn_about(profiler)
    low, high = np.array(found, dtype=float).reshape(-1, 2).T
    return low, high


def _entries(fit):
    return [(k, r, c) for k, block in enumerate(fit.model.blocks) for r, c in _free_entries(block.structure)]


def profile(est, parameters=None, *, level=0.95):
    """Profile-likelihood confidence intervals of every parameter.

    A value belongs to the interval if the best model that has it is not rejected against the best model of all by a
    likelihood-ratio test:  ``d_p(c) - d <= chi2_{1, level}`` with ``d_p(c)`` the minimum of the deviance over all other
    parameters.  Such intervals are not symmetric, never leave the range of the parameter, and do not depend on how it
    is measured: limits of a standard deviation are the square roots of those of the variance.

    Variances, covariances and correlations are profiled under the criterion that was maximised, so for
    ``method="reml"`` under the restricted likelihood.  The fixed effects of a linear model are always profiled under
    the full likelihood, as in lme4: a restricted likelihood has no fixed effects.

    Parameters
    ----------
    est : fitted MixedLinearRegressor or MixedLogisticClassifier
    parameters : {"fixed", "variances"}, name or list of names, default=None
        Which parameters: all (None), the fixed effects, the parameters of the covariances and the residual variance, or
        the fixed effects of these names.  Every limit is a search of its own, so fewer parameters take less time.
    level : float, default=0.95
        Confidence level of every interval.

    Returns
    -------
    DataFrame
        One row per parameter.  ``parameter`` says what it is ("fixed effect", "variance", "covariance", "correlation"
        or "residual variance"), ``factor``, ``effect`` and ``effect2`` which, ``estimate`` what the fit says;
        ``ci_low`` and ``ci_high`` are the limits, in the units of the data.  Where the deviance never rises by enough
        the limit is the end of the range: 0 for a variance, -1 or 1 for a correlation, infinity above.  NaN where the
        data say nothing: factors with a single level, responses without residual variation.

    Raises
    ------
    ValueError
        For a level that is not a probability and for unknown names.

    Warns
    -----
    ConvergenceWarning
        If a profile finds a better fit than the estimate.

    References
    ----------
    Venzon and Moolgavkar (1988), A method for computing profile-likelihood-based confidence intervals, Applied
    Statistics 37.  Bates, Maechler, Bolker and Walker (2015), section 5.1.

    Examples
    --------
    >>> from skmixed import MixedLinearRegressor
    >>> from skmixed.datasets import make_mixed_regression
    >>> from skmixed.inference import profile
    >>> X, y = make_mixed_regression(n_groups=50, rows_per_group=5, random_state=0)
    >>> model = MixedLinearRegressor(groups="group").fit(X, y)
    >>> profile(model, "variances")[["factor", "estimate", "ci_low", "ci_high"]].round(2)
         factor  estimate  ci_low  ci_high
    0     group      0.88    0.52     1.49
    1  Residual      1.38    1.14     1.69
    """
    fit, labels = est._fit, est.results_._labels
    names = [labels.fixed[k] for k in fit.design.kept]
    fixed, variances = _selected(parameters, names)
    profiler = make_profiler(fit, level)
    with _computing(fit), np.errstate(all="ignore"):
        estimates = fit.coefficients[fit.design.kept]
        rows = [("fixed effect", "", names[k], "", estimates[k], *profiler.fixed_effect(k)) for k in fixed]
        rows += _variance_rows(profiler, fit, labels) if variances else []
    _warn_about(profiler)
    columns = ["parameter", "factor", "effect", "effect2", "estimate", "ci_low", "ci_high"]
    return pd.DataFrame(rows, columns=columns)


def _selected(parameters, names):
    """Positions of the fixed effects asked for, and whether those of the covariances are."""
    if parameters is None or (isinstance(parameters, str) and parameters in ("fixed", "variances")):
        return range(len(names)) if parameters != "variances" else (), parameters != "fixed"
    wanted = [parameters] if isinstance(parameters, str) else list(parameters)
    for name in wanted:
        if name not in names:
            raise unknown_column("parameters", name, names)
    return [names.index(name) for name in wanted], False


def _variance_rows(profiler, fit, labels):
    rows = []
    for k, r, c in _entries(fit):
        S = fit.covariances[k]
        kind = "variance" if r == c else "covariance"
        rows.append((kind, *labels.entry(k, r, c), S[r, c], *profiler.variance(k, r, c)))
        if r != c:
            scale = np.sqrt(S[r, r] * S[c, c])
            correlation = S[r, c] / scale if scale > 0 else np.nan
            rows.append(("correlation", *labels.entry(k, r, c), correlation, *profiler.correlation(k, r, c)))
    if fit.sigma2 is not None:
        rows.append(("residual variance", "Residual", "", "", fit.sigma2, *profiler.residual()))
    return rows
