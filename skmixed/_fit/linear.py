"""From cross-products to a fitted linear mixed model in the units of the data.

``fit_linear`` finds the optimum; :class:`LinearFit` is the value that inference, prediction and
printing are functions of.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Self

import numpy as np

from .._algebra.machine import computing
from .._algebra.plans import plan_of
from .._likelihood.linear import LinearState, ProfiledDeviance
from .._likelihood.one_factor import OneFactor, is_one_factor
from .._likelihood.penalised import unpenalised
from .._model.covariances import Covariances
from .._model.families import Gaussian
from .._model.priors import prior_of
from .._search.boundary import NothingAttainable
from .._search.compiled import AtOnce, Bounds, is_compiled
from .._search.identification import confounded_terms
from .._search.minimize import DEGENERATE, Optimum, nothing_to_search
from .._search.start import SHRINKAGE_FLOOR, moment_start, typical_floors
from .._search.ways import way_of
from .._sums.design import Design
from .base import Criterion, Estimated
from .information import linear_information
from .second_order import SecondOrder
from .uncertainty import Uncertainty, error_variances, level_error_variances
from .units import Units

REPRODUCED = 1e-6  # share of the response's sum of squares that is nothing, where a search failed
#: what a pickle keeps where it is known
KNOWN = (
    "scale",
    "beta",
    "coefficients",
    "coefficient_covariance",
    "covariances",
    "effects",
    "loglik",
    "loglik_error",
    "loglik_without_effects",
    "information",
    "effective_rank",
)
SMALL = 1 << 15  # levels that compiled loops go through in no time
FEW_ROWS = 300  # up to which the deviance of several factors may have several minima
FEW_ROWS_OF_ONE = 100  # the same of a single factor
SCATTERED = 6  # further starts there
EQUAL = 1e-9  # differences of level blocks, as shares of them, that are none


def fit_linear(
    design: Design,
    *,
    reml: bool,
    tol: float,
    max_iter: int,
    covariance_prior: str | None = None,
    solver: str = "auto",
    report=None,
) -> LinearFit:
    """Maximise the (restricted) likelihood of a design, with its ridge and a prior."""
    _check_degrees(design, reml)
    plan = plan_of(design.cross, solver=solver)
    with computing(plan.dense_order):
        objective = ProfiledDeviance.of(plan, reml, design.ridge)
        plain = _without_effects(objective)
        absent = unidentified_factors(design, plain)
        covariances = design.covariances(absent, covariance_prior)
        objective = replace(objective, prior=prior_of(covariances))
        report = _in_units_of(report, Units(design).deviance(objective.nu, objective.reml))
        bar = objective.prior.bar(plain.value)
        options = {"bar": bar, "tol": tol, "max_iter": max_iter, "report": report}
        return _searched(design, objective, covariances, absent, **options)


def _check_degrees(design, reml):
    """A ridge estimates more coefficients than there are observations; a restricted likelihood has
    integrated them out.
    """
    n, p = design.cross.n, design.cross.n_fixed
    if reml and not design.ridge.is_none and n <= p:
        raise ValueError(
            f"method='reml': {n:g} observations for {p} coefficients leave nothing to estimate "
            "variances by.\nUse method='ml', which with alpha > 0 needs no more rows than columns."
        )


def _without_effects(objective):
    """The fixed effects alone."""
    return LinearState(objective.without_effects(), [])


def _in_units_of(report, constant):
    """The report with deviances in the units of the data."""
    return report and (lambda value, *rest: report(value + constant, *rest))


def unidentified_factors(design, plain):
    """Factors with a single level whose effects the fixed ones have too, or with one row per level
    and the same effect in all of them.

    Their variances cannot be told from the fixed effects, or from the residual variance.  The same
    holds for all factors where the fixed effects alone leave nothing to explain.
    """
    cross = design.cross
    is_saturated = design.ridge.is_none and cross.n <= cross.n_fixed
    if is_saturated or plain.degenerate:
        return tuple(range(len(cross.sizes)))
    factors = enumerate(cross.levels)
    return tuple(f for f, m in factors if _is_fixed(cross, f, m, plain) or _is_residual(cross, f))


def _is_fixed(cross, f, levels, plain):
    """Whether the effects of a single level are combinations of the fixed effects."""
    if levels > 1:
        return False
    sums = cross.x_sums(f)[:, :-1, 0]
    squares = cross.sums[f][range(len(sums)), list(cross.effects[f]), 0]
    explained = np.sum((sums @ plain.fixed.half_inverse.T) ** 2, axis=1)
    return bool(np.all(squares - explained <= EQUAL * squares))


def _is_residual(cross, f):
    """Whether one effect per row adds the same variance to every row."""
    if cross.levels[f] < cross.n or cross.sizes[f] > 1:
        return False
    A = cross.level_blocks(f)
    return np.ptp(A) <= EQUAL * np.max(A)


def _searched(design, objective, covariances, absent, start=None, floors=None, **options):
    """The fit at the optimum from a point, or from the moment estimates."""
    known = {"objective": objective}
    optimum = nothing_to_search()
    if covariances.terms:
        optimum, searched = _found(design, objective, covariances, start, floors, **options)
        if searched is objective:
            known["state"] = optimum.evaluation
    found = covariances, optimum.without_evaluation(), absent
    fit = LinearFit(design, bool(objective.reml), *found, solver=objective.plan.solver)
    vars(fit).update(known)
    return fit


def _found(design, objective, covariances, start, floors, *, bar, report, **options):
    """The optimum, and the deviance of which it is one: of all levels, or of fewer."""
    is_quick = not report and is_one_factor(objective) and _has_loops(objective, covariances)
    searched = objective if is_quick and _is_small(objective) else objective.condensed()
    start, floors = _whence(searched, covariances, start, floors)
    scattered = SCATTERED * has_many_minima(design)
    place = searched, covariances, start
    search = partial(_optimum, way_of(objective.plan).search, *place, floors)
    options_of_search = options | {"bar": bar, "scattered": scattered}
    if not is_quick:
        return search(options_of_search | {"report": report}), searched
    at_once = AtOnce(OneFactor.of([searched]))
    if not scattered and has_one_start(covariances, floors):
        optimum = at_once.inside(*place, Bounds(bar, floors[0]), **options)
        if optimum is not None:
            return optimum, searched
    return search(options_of_search | {"steps": at_once.minimize}), searched


def _whence(objective, covariances, start, floors):
    """What is given of a start and of variances close to zero, the rest from the moments."""
    start = moment_start(objective, covariances) if start is None else start
    return start, typical_floors(objective.plan) if floors is None else floors


def _is_small(objective):
    """Whether compiled loops over all levels take less time than to find those that are alike."""
    return objective.plan.cross.levels[0] <= SMALL


def _has_loops(objective, covariances):
    """Whether there are compiled loops for the search."""
    return is_compiled(objective.U[0].shape, covariances)


def has_one_start(covariances, floors):
    """Whether searches begin at one point."""
    terms = zip(covariances.terms, covariances.split_floors(floors), strict=True)
    return not any(term.structure.starts(floor / SHRINKAGE_FLOOR) for term, floor in terms)


def has_many_minima(design):
    """Whether the deviance may well have several: few rows and slopes."""
    sizes = design.cross.sizes
    few = FEW_ROWS if len(sizes) > 1 else FEW_ROWS_OF_ONE
    return design.cross.n <= few and max(sizes) > 1


def _optimum(search, objective, covariances, start, floors, options):
    try:
        return search(objective, covariances, start, floors, **options)
    except NothingAttainable as error:
        raise ValueError(
            "X: the fixed effects are too large or too nearly dependent for floating-point "
            "numbers.\nRescale columns beyond 1e100, or drop one of those that say the same."
        ) from error


@dataclass(frozen=True, eq=False)
class LinearFit(Estimated):
    """A fitted linear mixed model: a :class:`~skmixed._fit.base.Fit`.

    It is its design and its optimum; what follows from these is computed when it is asked for, and
    not pickled.
    """

    design: Design
    reml: bool
    covariance_model: Covariances
    optimum: Optimum
    absent: tuple[int, ...]
    solver: str = field(default="exact", kw_only=True)

    family = Gaussian()

    def stripped(self) -> Self:
        """The fit without what follows from its design and its optimum, but for the estimates."""
        _ = self.effects  # what predictions need: no copy shall have to solve for it
        fit = replace(self)
        vars(fit).update({name: vars(self)[name] for name in KNOWN if name in vars(self)})
        return fit

    @property
    def criterion(self):
        return Criterion(self.family.name, self.reml, 0)

    @cached_property
    def objective(self):
        """The deviance as a function of the relative covariances."""
        return self.objective_of(plan_of(self.design.cross, solver=self.solver), self.design)

    def objective_of(self, plan, design):
        """The same deviance of other sums."""
        prior = prior_of(self.covariance_model)
        return ProfiledDeviance.of(plan, self.reml, design.ridge, prior)

    @cached_property
    def state(self):
        """The model at the optimum."""
        with computing(self.dense_order):
            return self.at(self.T)

    def at(self, T):
        """The model at other covariances of the terms."""
        return self.objective(self.covariance_model.assemble(T))

    @property
    def linear(self):
        return self.state

    @property
    def sums(self):
        return self.objective

    @property
    def dense_order(self):
        return self.objective.plan.dense_order

    @property
    def n(self):
        return self.design.cross.n

    @property
    def is_degenerate(self):
        """Whether the search ended early for want of residual variation, or of digits to tell it
        by.
        """
        if self.optimum.converged:
            return False
        total = max(self.objective.gram[-1, -1], np.finfo(float).tiny)
        return self.optimum.stop == DEGENERATE or self.state.fixed.r2 / total < REPRODUCED

    @property
    def is_identified(self):
        return self.state.sigma2 > 0 and not (self.state.degenerate or self.is_degenerate)

    def _confounded_terms(self):
        return confounded_terms(self.objective.plan, self.covariance_model, self.T, self.n)

    @cached_property
    def scale(self):
        """Zero where the fixed effects reproduce the response."""
        return self.state.sigma2

    @cached_property
    def beta(self):
        return self.state.fixed.beta

    @cached_property
    def coefficient_covariance(self):
        return self.units.covariance(self.state.fixed.covariance, self.state.sigma2)

    @cached_property
    def effects(self):
        return [self.units.effects(f, b) for f, b in enumerate(self.state.effects)]

    @property
    def level_blocks(self):
        return self.objective.plan.blocks

    @cached_property
    def deviance(self):
        """At the optimum, in the units of the frame."""
        return self.state.value

    @cached_property
    def loglik(self):
        return self._penalised_loglik(self.state) if self.is_penalised else self._of(self.deviance)

    @cached_property
    def loglik_error(self):
        return 0.0 if self.solver == "exact" else 0.5 * self.state.elimination.log_determinant_error

    @cached_property
    def loglik_without_effects(self):
        plain = _without_effects(self.objective)
        return self._penalised_loglik(plain) if self.is_penalised else self._of(plain.value)

    def _penalised_loglik(self, state):
        """Without the penalties, which were maximised too."""
        design = self.design.unpenalised()
        value, nu = unpenalised(state, plan_of(design.cross, solver=self.solver))
        return -0.5 * float(value + Units(design).deviance(nu, self.objective.reml))

    def _of(self, deviance):
        """The log-likelihood in the units of the data."""
        constant = self.units.deviance(self.objective.nu, self.objective.reml)
        return -0.5 * float(deviance + constant)

    @cached_property
    def information(self):
        return linear_information(self)

    @cached_property
    def second_order(self):
        """What the estimated covariances add to the errors of predictions."""
        return SecondOrder(self)

    def mode_variances(self, f):
        """Variances of the errors of the conditional modes of factor f, (levels, q)."""
        levels, q = self.effects[f].shape
        n = levels * q
        z = [np.zeros((n, len(b))) for b in self.state.effects]
        codes = [np.full(n, -1) for _ in z]
        z[f] = np.tile(self.units.basis(f), (levels, 1))
        codes[f] = np.repeat(np.arange(levels), q)
        rows = (np.zeros((n, self.rank)), z, codes)
        given = self.scale * self._mode_errors(f, rows)
        found = given + self.second_order.shifted(*rows)
        return self.units.variance * found.reshape(levels, q)

    def _mode_errors(self, f, rows):
        """Of the modes, for known covariances; by random vectors where each would be a solution."""
        if self.solver == "exact":
            return error_variances(self.state, *rows)
        return level_error_variances(self.state, f, self.units.basis(f)).ravel()

    @property
    def uncertainty(self):
        C = self.sigma2 * self.state.fixed.covariance
        return Uncertainty(self.state, self.sigma2, C)

    def refit(self, design, **options) -> Self:
        """The same model of other responses to the same rows."""
        plan = self.objective.plan.with_sums(design.cross)
        floors = typical_floors(self.objective.plan)
        start = self.covariance_model.start(self.covariance_model.assemble(self.T), floors)
        objective = self.objective_of(plan, design)
        options |= {"bar": objective.prior.bar(_without_effects(objective).value), "report": None}
        model = self.covariance_model
        return _searched(design, objective, model, self.absent, start, floors, **options)
