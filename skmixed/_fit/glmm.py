"""From rows to a fitted generalised linear mixed model in the user's units.

``fit_glmm`` finds the optimum; :class:`GlmmFit` is the small value that inference, prediction and
printing are functions of.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np

from .._algebra.packed import packed_index, packed_size
from .._algebra.roots import pivoted_root
from .._algebra.threads import blas_threads
from .._likelihood.glmm import GlmmDeviance
from .._likelihood.laplace import Laplace
from .._likelihood.laplace_check import laplace_error
from .._likelihood.pql import pql_start, working_deviance
from .._likelihood.quadrature import AdaptiveQuadrature
from .._model.covariances import Covariances, Parameters, PlacedTerm
from .._model.structures import Absent
from .._search.boundary import NothingAttainable, search
from .base import Fitted, inverse_information

#: of rows without random effects: one effect for all of them, without variance
NO_EFFECTS = Covariances([PlacedTerm(Absent(1), 0, 0)], [1])
FLOORS = (0.0, 1e-10, 1e-6, 1e-2, 1.0)  # least working weights, as shares of the largest
DIFFERENCE = (
    1e-2  # step of numerical derivatives of the gradient, as a share of about a standard error
)

#: what :class:`GlmmFit` computes from the rows when it is first asked for
ROW_BOUND = (
    "points",
    "n",
    "loglik",
    "effects",
    "working",
    "parameter_covariance",
    "loglik_without_effects",
)


def fit_glmm(design, family, *, n_quadrature, tol, max_iter, report=None):
    """Maximise the likelihood of a design; returns a :class:`GlmmFit`."""
    integration = (
        Laplace() if n_quadrature == 1 else AdaptiveQuadrature(n_quadrature, design.factor_basis(0))
    )
    objective = GlmmDeviance(design.blocks, family, integration)
    order = max(plan.dense_order for plan in objective.plans)
    with blas_threads(order), np.errstate(all="ignore"):
        absent = unidentified_factors(design, objective)
        model = design.covariance_model(absent)
        joint = Parameters(model if design.terms else NO_EFFECTS, len(design.kept))
        optimum = _optimum(objective, joint, tol=tol, max_iter=max_iter, report=report)
    return GlmmFit(design, objective, model, optimum, tuple(absent))


def _optimum(objective, model, **options):
    """The optimum from the start by penalised quasi-likelihood."""
    try:
        start, near, floors = pql_start(objective, model.covariances)
        return search(partial(objective, near=near), model, start, floors, secants=True, **options)
    except NothingAttainable as error:
        raise ValueError(
            "X: the linear predictor leaves the range of floating-point numbers.\n"
            "Rescale columns beyond 1e100, or drop one of those that say the same."
        ) from error


def unidentified_factors(design, objective):
    """Factors with a single level, or with no more observations than levels.

    The variance of a single level cannot be told from the intercept's; with one trial per level
    only the mean of an outcome is known, whatever the variance.
    """
    return (
        [f for f, m in enumerate(objective.levels) if m < 2 or objective.n <= m]
        if design.terms
        else []
    )


@dataclass(frozen=True)
class GlmmFit(Fitted):
    """A fitted generalised linear mixed model, with its estimates in the units of the data."""

    sigma2 = None  # there is no residual variance

    def unbounded(self):
        """The same fit, known to be no optimum because the likelihood has none."""
        return replace(
            self,
            optimum=replace(self.optimum, converged=False, message="the likelihood has no maximum"),
        )

    def __getstate__(self):
        """Everything that needs the rows is computed, then they are dropped: a pickled model stays
        small.
        """
        for name in ROW_BOUND:
            getattr(self, name)
        light = {
            "design": self.design.without_rows(),
            "objective": None,
            "optimum": replace(self.optimum, evaluation=None),
        }
        return vars(self) | light

    @cached_property
    def points(self):
        """Quadrature points per dimension; 1 is Laplace."""
        return self.objective.integration.points

    @property
    def state(self):
        return self.optimum.evaluation

    @cached_property
    def n(self):
        """Number of observations: the sum of the weights."""
        return self.objective.n

    @property
    def T(self):
        """Covariances of the terms in the frame's units."""
        return self.optimum.point[: len(self.model.blocks)]

    @property
    def beta(self):
        return self.optimum.point[-1]

    @cached_property
    def loglik(self):
        return -0.5 * self.state.value

    @cached_property
    def coefficients(self):
        """Fixed effects of all candidates, intercept first if there is one; 0 for aliased
        columns."""
        return self.design.frame.coefficient_map[:, self.design.kept] @ self.beta

    @cached_property
    def covariances(self):
        """Covariance matrix of every term, as a square so that rounding leaves no negative
        variance.
        """
        roots = [
            R @ pivoted_root(T)[0] for R, T in zip(self.design.frame.bases, self.T, strict=True)
        ]
        return [root @ root.T for root in roots]

    @cached_property
    def effects(self):
        """Conditional modes of every factor, (levels, q)."""
        factors = range(len(self.design.frame.effects))
        return [(self.design.factor_basis(f) @ self.state.effects[f]).T for f in factors]

    @cached_property
    def working(self):
        """The working linear model at the optimum, its scale known: posterior covariances given the
        parameters.

        Rows that are predicted perfectly have no weight; where that leaves columns without any they
        get a little.
        """
        blocks = zip(self.objective.blocks, self.state.blocks, strict=True)
        eta = [block.predictor(self.beta, part.mode.b) for block, part in blocks]
        with blas_threads(), np.errstate(all="ignore"):
            models = (
                working_deviance(self.objective, eta, floor)(self.state.T) for floor in FLOORS
            )
            return next(model for model in models if np.isfinite(model.value))

    def effect_covariances(self, f):
        """Covariance of the conditional modes of factor f given the parameters, (levels, q, q)."""
        R = self.design.factor_basis(f)
        M = self.working.precisions[1][f][packed_index(len(R))].transpose(2, 0, 1)
        return R @ M @ R.T

    @property
    def interior(self):
        """Per term, whether its covariance is inside the cone, so that it has a standard error."""
        blocks = zip(self.model.blocks, self.T, strict=True)
        return [bool(len(b.structure.basis)) and b.structure.is_interior(T) for b, T in blocks]

    @property
    def natural_parameters(self):
        """Pairs (term, matrix) of the linear parameters of the interior terms, which come before
        beta.
        """
        blocks = zip(self.model.blocks, self.interior, strict=True)
        return [
            (k, B)
            for k, (block, inside) in enumerate(blocks)
            if inside
            for B in block.structure.basis
        ]

    @cached_property
    def information(self):
        """Second derivatives of the deviance in (natural parameters, beta), from which standard
        errors come.

        Exact for Laplace with a single factor; central differences of the exact gradient otherwise.
        """
        J = self.parameter_directions
        with blas_threads(), np.errstate(all="ignore"):
            if self.state.exact:
                return J @ self.state.hessian @ J.T
            H = np.array([self._difference(direction) for direction in J]) @ J.T
        return (H + H.T) / 2

    @property
    def parameter_directions(self):
        """Directions of the natural parameters and of beta in packed coordinates, (parameters,
        packed).
        """
        natural = [
            self.model.packed(self.model.blocks[k], B[None])[0] for k, B in self.natural_parameters
        ]
        packed = sum(packed_size(len(t)) for t in self.state.T)
        J = np.zeros((len(natural) + self.rank, packed + self.rank))
        J[: len(natural), :packed] = np.reshape(natural, (len(natural), packed))
        J[len(natural) :, packed:] = np.eye(self.rank)
        return J

    def _difference(self, direction):
        """Derivative of the gradient along a direction of the packed coordinates."""
        curvature = direction @ self.state.hessian @ direction
        h = min(DIFFERENCE / np.sqrt(max(curvature, 1e-8)), 0.1 * self._reach(direction))
        return (self._slope_at(h * direction) - self._slope_at(-h * direction)) / (2.0 * h)

    def _reach(self, direction):
        """How far T can move along a direction before it is singular."""
        reach = np.inf
        for root, step in zip(self.state.roots, self._matrices(direction), strict=True):
            if np.any(step):
                inverse = np.linalg.pinv(root)
                reach = min(
                    reach, 1.0 / np.max(np.abs(np.linalg.eigvalsh(inverse @ step @ inverse.T)))
                )
        return reach

    def _matrices(self, direction):
        """The changes of the factors' matrices in a packed direction."""
        sizes = [len(t) for t in self.state.T]
        ends = np.cumsum([packed_size(q) for q in sizes])
        return [
            part[packed_index(q)]
            for part, q in zip(np.split(direction, ends)[:-1], sizes, strict=True)
        ]

    def _slope_at(self, change):
        T = [t + step for t, step in zip(self.state.T, self._matrices(change), strict=True)]
        moved = self.state.at([*T, self.beta + change[len(change) - self.rank :]])
        return moved.slope if np.isfinite(moved.value) else np.full(len(change), np.nan)

    @cached_property
    def parameter_covariance(self):
        """``2 H^-1`` for (natural parameters, beta).

        None where the information is not positive definite.
        """
        return inverse_information(self.information)

    def prior_derivatives(self, z, n):
        """Derivatives of ``z'Tz``, summed over the factors, in the natural parameters: (n,
        parameters).
        """
        out = np.zeros((n, len(self.natural_parameters)))
        for column, (k, B) in enumerate(self.natural_parameters):
            v = z[self.model.blocks[k].factor][:, self.model.blocks[k].window]
            out[:, column] = np.einsum("ni,ij,nj->n", v, B, v)
        return out

    @cached_property
    def beta_covariance(self):
        """Covariance of beta in the frame's units.

        Given T where the joint information cannot be inverted.
        """
        joint = self.parameter_covariance
        if joint is None:
            return self.working.fixed.covariance
        return joint[len(joint) - self.rank :, len(joint) - self.rank :]

    @property
    def coefficient_covariance(self):
        """Covariance of the kept coefficients in the units of the data."""
        kept = self.design.kept
        B = self.design.frame.coefficient_map[np.ix_(kept, kept)]
        return B @ self.beta_covariance @ B.T

    @cached_property
    def loglik_without_effects(self):
        """The log-likelihood of the same fixed effects alone."""
        if not self.design.terms:
            return self.loglik
        plain = [block.without_effects() for block in self.objective.blocks]
        objective = GlmmDeviance(plain, self.objective.family, Laplace())
        model = Parameters(NO_EFFECTS, self.rank)
        with blas_threads(), np.errstate(all="ignore"):
            found = _optimum(objective, model, tol=1e-9, max_iter=100)
        return -0.5 * found.evaluation.value

    @cached_property
    def laplace_error(self):
        """What seven quadrature points say about a Laplace fit; None where that is not possible."""
        if self.points > 1 or not self.design.terms:
            return None
        with blas_threads(), np.errstate(all="ignore"):
            return laplace_error(self.state, self.objective)

    @cached_property
    def laplace_shift(self):
        """How far quadrature would move the estimates, in standard errors: the length of its
        Newton step.
        """
        if self.laplace_error is None or self.optimum.model is None:
            return 0.0
        slope = (
            Parameters(self.model, self.rank).chart(self.optimum.point).derivatives
            @ self.laplace_error.slope
        )
        gain = slope @ np.linalg.lstsq(self.optimum.model[2], slope, rcond=1e-9)[0]
        return float(np.sqrt(max(0.0, gain) / 2.0))
