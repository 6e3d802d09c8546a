"""From cross-products to a fitted linear mixed model in the user's units.

``fit_linear`` finds the optimum; :class:`LinearFit` is the small value that inference, prediction
and printing are functions of.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .._algebra.packed import packed_index
from .._algebra.plan import Plan
from .._algebra.roots import pivoted_root
from .._algebra.threads import blas_threads
from .._likelihood.linear import LinearState, ProfiledDeviance
from .._likelihood.variants import WithoutEffects
from .._search.boundary import NothingAttainable, search
from .._search.minimize import Optimum
from .._search.start import moment_start, typical_floors
from .base import Fitted


def fit_linear(design, *, reml, tol, max_iter, report=None):
    """Maximise the (restricted) likelihood of a design; returns a :class:`LinearFit`."""
    plan = Plan(design.cross)
    # overflow far from the optimum makes a step unattainable, which is not worth a warning
    with blas_threads(plan.dense_order), np.errstate(all="ignore"):
        objective = ProfiledDeviance(plan, reml)
        absent = unidentified_factors(design, objective)
        model = design.covariance_model(absent)
        searched = objective.condensed()
        report = _in_units_of(report, unit_constant(design, objective))
        optimum = _optimum(searched, model, tol=tol, max_iter=max_iter, report=report)
        evaluated = searched is objective and model.blocks
        state = optimum.evaluation if evaluated else objective(model.assemble(optimum.point))
    return LinearFit(design, objective, model, optimum, tuple(absent), state)


def _in_units_of(report, constant):
    """The report with deviances in the units of the data."""
    return report and (lambda value, *rest: report(value + constant, *rest))


def unidentified_factors(design, objective):
    """Factors with a single level, or with one row per level and the same effect in all of them.

    Their variances cannot be told from the intercept's, or from the residual variance.  The same
    holds for all factors where the fixed effects alone leave nothing to explain.
    """
    cross = design.cross
    if (
        cross.n <= cross.n_fixed
        or LinearState(WithoutEffects(objective), []).fixed.r2 < objective.least_r2
    ):
        return list(range(len(cross.sizes)))
    return [
        f for f, m in enumerate(cross.levels) if m < 2 or (m >= cross.n and _is_residual(cross, f))
    ]


def _is_residual(cross, f):
    """Whether one effect per row adds the same variance to every row."""
    A = cross.level_blocks(f)
    return cross.sizes[f] == 1 and np.ptp(A) <= 1e-9 * np.max(A)


def _optimum(objective, model, **options):
    if not model.blocks:
        return Optimum([], None, 1, True, "no random effects")
    try:
        return search(
            objective,
            model,
            moment_start(objective, model),
            typical_floors(objective.plan),
            **options,
        )
    except NothingAttainable as error:
        raise ValueError(
            "X: the fixed effects are too large or too nearly dependent for floating-point numbers.\n"
            "Rescale columns beyond 1e100, or drop one of those that say the same."
        ) from error


def unit_constant(design, objective):
    """What the units of X and y add to the deviance."""
    columns = objective.reml * 2.0 * design.frame.log_scale(design.kept)
    return columns + 2.0 * objective.nu * np.log(design.frame.y_scale)


@dataclass(frozen=True)
class LinearFit(Fitted):
    """A fitted linear mixed model, with its estimates in the units of the data."""

    state: LinearState

    @property
    def reml(self):
        return bool(self.objective.reml)

    @property
    def is_degenerate(self):
        """Whether the search ended early for want of residual variation, or of digits to tell it
        by.
        """
        share = self.state.fixed.r2 / max(self.objective.gram[-1, -1], np.finfo(float).tiny)
        return not self.optimum.converged and (self.optimum.message == "degenerate" or share < 1e-6)

    @property
    def y_scale(self):
        return self.design.frame.y_scale

    @property
    def sigma2(self):
        """Residual variance; zero where the fixed effects reproduce the response."""
        return self.state.sigma2 * self.y_scale**2

    @cached_property
    def coefficients(self):
        """Fixed effects of all candidates, intercept first if there is one; 0 for aliased
        columns."""
        frame = self.design.frame
        kept = self.design.kept
        return frame.coefficient_map[:, kept] @ (
            self.y_scale * self.state.fixed.beta + frame.pilot[kept]
        )

    @cached_property
    def coefficient_covariance(self):
        """``sigma^2 (X'V^-1X)^-1`` of the kept candidates."""
        kept = self.design.kept
        B = self.y_scale * self.design.frame.coefficient_map[np.ix_(kept, kept)]
        with np.errstate(
            over="ignore", invalid="ignore"
        ):  # infinite where the units leave the range of floats
            return self.state.sigma2 * B @ self.state.fixed.covariance @ B.T

    @cached_property
    def covariances(self):
        """Covariance matrix of every term, ``sigma^2 T``, as a square so that rounding leaves no
        negative variance.
        """
        bases = self.design.frame.bases
        roots = [
            np.sqrt(self.sigma2) * R @ pivoted_root(T)[0]
            for R, T in zip(bases, self.optimum.point, strict=True)
        ]
        return [root @ root.T for root in roots]

    @cached_property
    def effects(self):
        """Conditional modes of every factor, (levels, q)."""
        return [
            (self.y_scale * self.design.factor_basis(f) @ b).T
            for f, b in enumerate(self.state.effects)
        ]

    def effect_covariances(self, f):
        """Covariance of the conditional modes of factor f given the parameters, (levels, q, q)."""
        R = self.design.factor_basis(f)
        packed = self.state.precisions[1][f]
        M = packed[packed_index(len(R))].transpose(2, 0, 1)
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
        plain = WithoutEffects(self.objective)
        return -0.5 * self._in_user_units(LinearState(plain, []).value)

    def _in_user_units(self, deviance):
        return float(deviance + unit_constant(self.design, self.objective))
