"""From cross-products to a fitted linear mixed model in the user's units.

``fit_linear`` finds the optimum; :class:`LinearFit` is the small value that inference, prediction and printing are
functions of.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from . import _kernels as kernels
from ._cholesky import Plan
from ._covariance import pivoted_root
from ._crossprod import condensed
from ._lmm import ProfiledDeviance, State
from ._optimize import Optimum, minimize
from ._start import SHRINKAGE_FLOOR, moment_start, typical_floors

SNAP = (1e-3, 1e-8)  # pivots below this share of a typical one are tried at exactly zero
FLAT = 1e-6  # curvature below this share of the largest is none
MAX_RESTARTS = 3  # attempts to leave a saddle
NEGLIGIBLE_RISE = 1e-8  # rise of the deviance that an exact zero may cost


def fit_linear(design, *, reml, tol, max_iter, report=None):
    """Maximise the (restricted) likelihood of a design; returns a :class:`LinearFit`."""
    plan, fewer = Plan(design.cross), condensed(design.cross)
    # overflow far from the optimum makes a step unattainable, which is not worth a warning
    with kernels.blas_threads(plan.dense_order), np.errstate(all="ignore"):
        objective = ProfiledDeviance(plan, reml)
        absent = unidentified_factors(design, objective)
        model = design.covariance_model(absent)
        search = objective if fewer is None else ProfiledDeviance(Plan(fewer), reml)
        optimum = _optimum(search, model, tol, max_iter, _in_units_of(report, unit_constant(design, objective)))
        state = optimum.evaluation if fewer is None and model.blocks else objective(model.assemble(optimum.point))
    return LinearFit(design, objective, model, optimum, state, tuple(absent))


def _in_units_of(report, constant):
    """The report with deviances in the units of the data."""
    return report and (lambda value, *rest: report(value + constant, *rest))


def unidentified_factors(design, objective):
    """Factors with a single level, or with one row per level and the same effect in all of them.

    Their variances cannot be told from the intercept's, or from the residual variance.  The same holds for all factors
    where the fixed effects alone leave nothing to explain.
    """
    cross = design.cross
    if cross.n <= cross.n_fixed or State(_WithoutEffects(objective), []).fixed.r2 < objective.least_r2:
        return list(range(len(cross.sizes)))
    return [f for f, m in enumerate(cross.levels) if m < 2 or (m >= cross.n and _is_residual(cross, f))]


def _is_residual(cross, f):
    """Whether one effect per row adds the same variance to every row."""
    A = cross.level_blocks(f)
    return cross.sizes[f] == 1 and np.ptp(A) <= 1e-9 * np.max(A)


def _optimum(objective, model, tol, max_iter, report):
    """The optimum from the moment start, with zeros made exact and saddles left."""
    if not model.blocks:
        return Optimum([], None, 1, True, "no random effects")

    def minimum_from(point):
        return minimize(objective, model, point, tol=tol, max_iter=max_iter, report=report)

    optimum = _first_minimum(minimum_from, moment_start(objective, model))
    for _ in range(MAX_RESTARTS):
        optimum = _snapped(objective, model, optimum)
        escape = _escape(objective, model, optimum)
        if escape is None or not optimum.converged:
            return optimum
        again = minimum_from(escape)
        if again.evaluation.value > optimum.evaluation.value - NEGLIGIBLE_RISE:
            return optimum
        optimum = again
    return optimum


def _first_minimum(minimum_from, start):
    """From the moment estimates, or from no variance at all where those are out of reach."""
    for point in (start, [np.zeros_like(T) for T in start]):
        optimum = minimum_from(point)
        if np.isfinite(optimum.evaluation.value):
            return optimum
    raise ValueError(
        "X: the fixed effects are too large or too nearly dependent for floating-point numbers.\n"
        "Rescale columns beyond 1e100, or drop one of those that say the same."
    )


def _snapped(objective, model, optimum):
    """Move variances that are zero but for rounding to exactly zero, where the deviance allows it."""
    floors = typical_floors(objective.plan)
    point, current, evaluations = list(optimum.point), optimum.evaluation, 0
    for k, block in enumerate(model.blocks):
        typical = np.max(floors[block.factor][block.window], initial=0.0) / SHRINKAGE_FLOOR
        for candidate in _candidates(block, point[k], typical, _is_flat(model, optimum, k)):
            trial_point = point[:k] + [candidate] + point[k + 1 :]
            trial = objective(model.assemble(trial_point))
            evaluations += 1
            if trial.value <= current.value + NEGLIGIBLE_RISE + current.noise:
                point, current = trial_point, trial
                break
    return replace(optimum, point=point, evaluation=current, n_evaluations=optimum.n_evaluations + evaluations)


def _candidates(block, T, typical, is_flat):
    """Simpler covariances of one term worth trying: all zero if the likelihood is flat, else small pivots at zero."""
    if not np.any(T):
        return
    if is_flat:
        yield np.zeros_like(T)
    for share in SNAP:
        candidate = block.structure.snapped(T, share * max(typical, np.max(np.diag(T))))
        if not np.allclose(candidate, T, rtol=1e-14, atol=0.0):
            yield candidate


def _is_flat(model, optimum, k):
    """Whether taking term k to zero would change the last quadratic model of the deviance by next to nothing."""
    if optimum.model is None:
        return False
    radius, gradient, hessian = optimum.model
    counts = [len(b.structure.basis) for b in model.blocks]
    own = slice(sum(counts[:k]), sum(counts[: k + 1]))
    change = radius**2 * (np.abs(gradient[own]).sum() + np.abs(hessian[own, own]).sum())
    return bool(counts[k] and change < 1e-6)


def _escape(objective, model, optimum):
    """A point beyond a saddle: a direction without variance in which the deviance would fall, or None."""
    point, floors = list(optimum.point), typical_floors(objective.plan)
    if all(block.structure.is_interior(T) for block, T in zip(model.blocks, point, strict=True)):
        return None
    for k, (block, D) in enumerate(zip(model.blocks, model.split(optimum.evaluation.gradient), strict=True)):
        bump = _descent_at_zero(point[k], D, floors[block.factor][block.window])
        if bump is not None and len(block.structure.basis):
            point[k] = block.structure.start(point[k] + bump, 1e-3 * floors[block.factor][block.window])
            return point
    return None


def _descent_at_zero(T, D, floor):
    """Small covariance along the null direction of T with the steepest descent of the deviance."""
    scale = np.sqrt(floor)
    values, vectors = np.linalg.eigh(T / np.where(np.outer(scale, scale) > 0, np.outer(scale, scale), np.inf))
    null = scale[:, None] * vectors[:, values <= 1e-12 * max(1.0, values[-1])]
    if null.shape[1] == 0:
        return None
    slopes, directions = np.linalg.eigh(null.T @ D @ null)
    if slopes[0] >= -1e-5:
        return None
    direction = null @ directions[:, 0]
    return np.outer(direction, direction)


def unit_constant(design, objective):
    """What the units of X and y add to the deviance."""
    columns = objective.reml * 2.0 * design.frame.log_scale(design.kept)
    return columns + 2.0 * objective.nu * np.log(design.frame.y_scale)


@dataclass(frozen=True)
class LinearFit:
    """A fitted linear mixed model, with its estimates in the units of the data."""

    design: object
    objective: ProfiledDeviance
    model: object
    optimum: Optimum
    state: State
    absent: tuple  # factors whose variance is not identified

    @property
    def reml(self):
        return bool(self.objective.reml)

    @property
    def n(self):
        """Number of observations: the sum of the weights."""
        return self.objective.n

    @property
    def is_degenerate(self):
        """Whether the search ended early for want of residual variation, or of digits to tell it by."""
        share = self.state.fixed.r2 / max(self.objective.gram[-1, -1], np.finfo(float).tiny)
        return not self.optimum.converged and (self.optimum.message == "degenerate" or share < 1e-6)

    @property
    def flat_terms(self):
        """Terms whose covariances are not identified: along some direction the likelihood does not change."""
        if self.optimum.model is None:
            return []
        _, _, hessian = self.optimum.model
        values, vectors = np.linalg.eigh(hessian)
        flat = np.abs(values) <= FLAT * np.max(np.abs(values), initial=np.finfo(float).tiny)
        owners = np.array([k for k, b in enumerate(self.model.blocks) for _ in b.structure.basis], dtype=int)
        moved = np.any(np.abs(vectors[:, flat]) > 0.1, axis=1)
        return sorted(set(owners[moved].tolist()))

    @property
    def rank(self):
        return len(self.design.kept)

    @property
    def df_resid(self):
        return self.n - self.rank

    @property
    def y_scale(self):
        return self.design.frame.y_scale

    @property
    def sigma2(self):
        """Residual variance; zero where the fixed effects reproduce the response."""
        return self.state.sigma2 * self.y_scale**2

    @cached_property
    def coefficients(self):
        """Fixed effects of all candidates, intercept first if there is one; 0 for aliased columns."""
        frame, kept = self.design.frame, self.design.kept
        return frame.coefficient_map[:, kept] @ (self.y_scale * self.state.fixed.beta + frame.pilot[kept])

    @cached_property
    def coefficient_covariance(self):
        """``sigma^2 (X'V^-1X)^-1`` of the kept candidates."""
        kept = self.design.kept
        B = self.y_scale * self.design.frame.coefficient_map[np.ix_(kept, kept)]
        with np.errstate(over="ignore", invalid="ignore"):  # infinite where the units leave the range of floats
            return self.state.sigma2 * B @ self.state.fixed.covariance @ B.T

    @cached_property
    def covariances(self):
        """Covariance matrix of every term, ``sigma^2 T``, as a square so that rounding leaves no negative variance."""
        bases = self.design.frame.bases
        roots = [np.sqrt(self.sigma2) * R @ pivoted_root(T)[0] for R, T in zip(bases, self.optimum.point, strict=True)]
        return [root @ root.T for root in roots]

    @cached_property
    def effects(self):
        """Conditional modes of every factor, (levels, q)."""
        return [(self.y_scale * self.design.factor_basis(f) @ b).T for f, b in enumerate(self.state.effects)]

    def effect_covariances(self, f):
        """Covariance of the conditional modes of factor f given the parameters, (levels, q, q)."""
        R = self.design.factor_basis(f)
        packed = self.state.precisions[1][f]
        M = packed[kernels.packed_index(len(R))].transpose(2, 0, 1)
        return self.sigma2 * R @ M @ R.T

    @property
    def deviance(self):
        return self._in_user_units(self.state.value)

    @property
    def loglik(self):
        return -0.5 * self.deviance

    @cached_property
    def loglik_without_effects(self):
        """The same (restricted) log-likelihood with every random effect left out."""
        plain = _WithoutEffects(self.objective)
        return -0.5 * self._in_user_units(State(plain, []).value)

    def _in_user_units(self, deviance):
        return float(deviance + unit_constant(self.design, self.objective))

    @property
    def n_variance_parameters(self):
        return sum(len(term_structure.basis) for term_structure in (b.structure for b in self.model.blocks))


class _WithoutEffects:
    """The objective of the same fixed effects alone."""

    U = ()

    def __init__(self, objective):
        self.gram, self.reml, self.nu = objective.gram, objective.reml, objective.nu
        self.n, self.least_r2 = objective.n, objective.least_r2
