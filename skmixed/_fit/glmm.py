"""From rows to a fitted generalised linear mixed model in the units of the data.

``fit_glmm`` finds the optimum; :class:`GlmmFit` is the value that inference, prediction and
printing are functions of.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Self

import numpy as np

from .._algebra.machine import computing
from .._likelihood.glmm import GlmmDeviance
from .._likelihood.laplace import Laplace
from .._likelihood.start import start_of
from .._likelihood.working import working_model, working_state
from .._model.covariances import NO_EFFECTS, Covariances, Parameters
from .._model.families import Family
from .._model.priors import prior_of
from .._search.boundary import NothingAttainable
from .._search.identification import confounded_terms
from .._search.minimize import UNBOUNDED, Optimum
from .._search.start import typical_floors
from .._search.ways import way_of
from .._store.again import Again
from .._store.design import StoredDesign, store_of
from .._store.protocol import PerBlock, following
from .._sums.design import RowDesign
from .._sums.source import InMemory
from .base import Criterion, Estimated, rows_missing
from .information import glmm_information
from .points import Enough, Points, Shortfall, enough, integration_of, shortfall
from .uncertainty import Uncertainty

PLAIN_TOL = 1e-9  # of the fit without random effects
PLAIN_MAX_ITER = 100

#: what a fit keeps without its rows, where it is known
KNOWN = (
    "loglik",
    "loglik_error",
    "effects",
    "information",
    "working_sums",
    "loglik_without_effects",
    "shortfall",
    "effective_rank",
    "conditional_loglik",
    "level_blocks",
    "is_of_sums",
)


def fit_glmm(
    design: RowDesign | StoredDesign,
    family: Family,
    *,
    n_quadrature: Points,
    tol: float,
    max_iter: int,
    covariance_prior: str | None = None,
    solver: str = "auto",
    report=None,
) -> GlmmFit:
    """Maximise the likelihood of a design."""
    points = 1 if n_quadrature == "auto" else n_quadrature
    integration = integration_of(design, points)
    objective = GlmmDeviance(store_of(design, solver), family, integration, design.ridge)
    with computing(objective.dense_order):
        absent = unidentified_factors(design, objective)
        covariances = design.covariances(absent, covariance_prior)
        parameters = Parameters(
            covariances if design.terms else NO_EFFECTS, len(design.independent)
        )
        objective = replace(objective, prior=prior_of(parameters.covariances))
        options = {"tol": tol, "max_iter": max_iter, "report": report}
        searches = Searches(parameters, options)
        if n_quadrature == "auto":
            found = enough(design, objective, parameters, searches.start, searches.again)
        else:
            found = Enough(searches.start(objective), objective, False)
        return _fit_at(design, covariances, absent, found)


def unidentified_factors(design, objective):
    """Factors whose variance cannot be told from the intercept's, or from chance."""
    if not design.terms:
        return ()
    identified = objective.family.identified
    return tuple(f for f, m in enumerate(objective.levels) if not identified(objective.n, m))


class Searches:
    """Searches for optima of one model, by different approximations.

    Attributes
    ----------
    parameters, options : of all of them
    floors : variances that count as close to zero, as the first search has found them
    """

    def __init__(self, parameters: Parameters, options: dict):
        self.parameters = parameters
        self.options = options
        self.floors = None

    def start(self, objective: GlmmDeviance) -> Optimum:
        """The optimum from the start that costs least."""
        try:
            start, near, self.floors = start_of(
                objective, self.parameters, self.options["max_iter"]
            )
            return self._found(objective, near, start)
        except NothingAttainable as error:
            raise ValueError(
                "X: the linear predictor leaves the range of floating-point numbers.\n"
                "Rescale columns beyond 1e100, or drop one of those that say the same."
            ) from error

    def again(self, objective: GlmmDeviance, before: Optimum) -> Optimum:
        """The optimum from one of another approximation."""
        return self._found(objective, before.evaluation.near(), before.point)

    def _found(self, objective, near, start):
        nearby = partial(objective, near=near)
        search = way_of(objective).search
        return search(nearby, self.parameters, start, self.floors, secants=True, **self.options)


def _fit_at(design, covariances, absent, found):
    """The fit; what is known of the rows is noted at once, for models that are pickled."""
    objective = found.objective
    fit = GlmmFit(
        design,
        objective.family,
        objective.integration.points,
        found.is_enough,
        objective.n,
        covariances,
        found.optimum,
        absent,
        objective,
        solver=objective.solver,
    )
    fit.state.forget_rows()
    # noted at once, for models that are pickled
    _ = fit.loglik, fit.loglik_error, fit.effects, fit.effective_rank
    return fit


def _blocks_again(design, source):
    return design.blocks_of(source())


def prior_blocks(block, carried, request):
    """Packed ``Z_f'WZ_f`` of a block, W the prior weights, a visit of a round."""
    rows = block.rows
    return PerBlock([rows.level_blocks(rows.m * np.ones(len(rows.y)))]), carried


@dataclass(frozen=True, eq=False)
class GlmmFit(Estimated):
    """A fitted generalised linear mixed model: a :class:`~skmixed._fit.base.Fit`.

    Attributes
    ----------
    design : with its rows
    family : distribution of the response
    points : quadrature points per dimension; 1 for Laplace
    is_enough : whether more points are known to change nothing
    n : number of observations, the sum of the weights
    covariance_model, optimum, absent : as in a linear fit; the point ends with beta
    objective : the deviance; None where the rows are not kept
    """

    design: RowDesign | StoredDesign
    family: Family
    points: int
    is_enough: bool
    n: float
    covariance_model: Covariances
    optimum: Optimum
    absent: tuple[int, ...]
    objective: GlmmDeviance | None
    solver: str = field(default="exact", kw_only=True)

    scale = 1.0
    is_degenerate = False
    is_identified = True
    is_of_sums = False  # whether the rows came in parts, of which only sums were kept

    def stripped(self) -> Self:
        """The fit without its rows; what is known of them is kept."""
        fit = replace(
            self,
            design=self.design.without_rows(),
            objective=None,
            optimum=self.optimum.without_evaluation(),
        )
        known = {name: vars(self)[name] for name in KNOWN if name in vars(self)}
        if "linear" in vars(self):
            known["working_sums"] = self.linear.objective.plan.cross
        vars(fit).update(known)
        return fit

    def reading_again(self, source: Callable[[], InMemory]) -> Self:
        """The same fit without its rows, which are read again when something is asked of them."""
        store = self.objective.store
        if not store.holds_rows:
            return self
        design = self.design.without_rows()
        again = Again(partial(_blocks_again, design, source), store.plans, store.facts)
        optimum = replace(self.optimum, evaluation=self.state.without_rows(again))
        objective = replace(self.objective, store=again)
        fit = replace(self, design=design, objective=objective, optimum=optimum)
        names = (*KNOWN, "linear")
        vars(fit).update({name: vars(self)[name] for name in names if name in vars(self)})
        return fit

    def at_hand(self) -> Self:
        """The same fit with its rows in memory, for who asks several things of them."""
        state = self.state.at_hand()
        if state is self.state:
            return self
        fit = replace(self, optimum=replace(self.optimum, evaluation=state))
        names = (*KNOWN, "linear")
        vars(fit).update({name: vars(self)[name] for name in names if name in vars(self)})
        return fit

    def completed(self) -> Self:
        """The fit without its rows, which are about to go: all that it keeps is asked for first."""
        for name in ("linear", *KNOWN):
            with suppress(AttributeError, ArithmeticError, StopIteration, np.linalg.LinAlgError):
                getattr(self, name)
        fit = self.stripped()
        vars(fit)["is_of_sums"] = True
        return fit

    def with_rows(self, source: InMemory) -> Self:
        """The same fit of the same rows, which a pickle has left behind."""
        design = self.design.with_rows(source)
        integration = integration_of(design, self.points)
        store = store_of(design, self.solver)
        objective = GlmmDeviance(store, self.family, integration, design.ridge)
        space = self._search_space
        with computing(objective.dense_order):
            state = objective(space.assemble(self.optimum.point))
        optimum = replace(self.optimum, evaluation=state)
        fit = replace(self, design=design, objective=objective, optimum=optimum)
        state.forget_rows()
        vars(fit).update({name: vars(self)[name] for name in KNOWN if name in vars(self)})
        return fit

    def unbounded(self) -> GlmmFit:
        """The same fit, known to be no optimum because the likelihood has none."""
        fit = replace(self, optimum=replace(self.optimum, stop=UNBOUNDED))
        known = ("loglik", "loglik_error", "effects", "effective_rank")
        vars(fit).update({name: getattr(self, name) for name in known})
        return fit

    @property
    def criterion(self):
        is_approximate = self.n_variance_parameters and not self.is_enough
        return Criterion(self.family.name, False, self.points if is_approximate else 0)

    @property
    def state(self):
        """The model at the optimum."""
        if self.optimum.evaluation is None:
            raise rows_missing(are_read_again=self.is_of_sums)
        return self.optimum.evaluation

    @property
    def dense_order(self):
        if self.optimum.evaluation is None:
            return self.sums.plan.dense_order
        return self.state.objective.dense_order

    @property
    def beta(self):
        return self.optimum.point[-1]

    @property
    def beta_covariance(self):
        """Covariance of beta; given T where the joint information cannot be inverted."""
        if self.information is None:
            return self.linear.fixed.covariance
        return self.information.of_coefficients

    @property
    def coefficient_covariance(self):
        return self.units.covariance(self.beta_covariance)

    def _confounded_terms(self):
        levels = [len(effects) for effects in self.effects]
        if len(set(levels)) == len(levels):  # no factor has the groups of another
            return []
        return confounded_terms(self.sums.plan, self.covariance_model, self.T)

    @cached_property
    def linear(self):
        with computing():
            if known := vars(self).get("working_sums"):
                T = self._search_space.covariances.assemble(self.optimum.point[:-1])
                return working_state(known, T, self.design.ridge, self.solver)
            return working_model(self.state)

    @property
    def sums(self):
        return self.linear.objective

    @cached_property
    def level_blocks(self):
        if not self.design.terms:
            return []
        store = self.state.objective.store
        return store.in_order(following(store.round(prior_blocks, None).total))

    @property
    def _search_space(self):
        """All parameters."""
        terms = self.covariance_model if self.design.terms else NO_EFFECTS
        return Parameters(terms, self.rank)

    @cached_property
    def information(self):
        _ = self.linear  # errors need both, and a pickled model keeps what was asked for
        with computing():
            return glmm_information(self)

    @cached_property
    def loglik(self):
        return -0.5 * self.state.likelihood

    @cached_property
    def loglik_error(self):
        if self.solver == "exact":
            return 0.0
        return 0.5 * sum(part.elimination.log_determinant_error for part in self.state.parts)

    @cached_property
    def conditional_loglik(self):
        """Of the rows, given the conditional modes."""
        return float(self.state.sums.loglik)

    @cached_property
    def effects(self):
        found = self.state.effects[: len(self.design.frame.effects)]
        return [self.units.effects(f, b) for f, b in enumerate(found)]

    @cached_property
    def loglik_without_effects(self):
        """Of the same fixed effects alone."""
        if not self.design.terms:
            return self.loglik
        plain = self.state.objective.store.without_effects()
        objective = GlmmDeviance(plain, self.family, Laplace(), self.design.ridge)
        options = {"tol": PLAIN_TOL, "max_iter": PLAIN_MAX_ITER}
        with computing():
            found = Searches(Parameters(NO_EFFECTS, self.rank), options).start(objective)
        return -0.5 * found.evaluation.likelihood

    @cached_property
    def shortfall(self) -> Shortfall | None:
        """What too few points cost; None where they are enough, or nobody can say."""
        if self.is_enough or not self.n_variance_parameters:
            return None
        with computing():
            return shortfall(self.design, self.optimum, self._search_space, self.points)

    @property
    def uncertainty(self):
        if self.information is None:  # the covariances count as known
            return Uncertainty(self.linear, 1.0, self.beta_covariance)
        covariance = self.information.without_scale
        return Uncertainty(self.linear, 1.0, covariance, self.prior_derivatives)

    def prior_derivatives(self, z, n):
        """Derivatives of ``z'Tz``, summed over the factors, in the parameters of the covariances.

        (n, parameters).
        """
        parameters = self.information.parameters
        out = np.zeros((n, len(parameters)))
        for column, (k, matrix) in enumerate(parameters):
            term = self.covariance_model.terms[k]
            v = z[term.factor][:, term.window]
            out[:, column] = np.einsum("ni,ij,nj->n", v, matrix, v)
        return out

    def refit(self, design, **options) -> Self:
        """The same model of other responses to the same rows."""
        space = self._search_space
        store = self.objective.store.with_blocks(design.blocks)
        objective = replace(self.objective, store=store)
        floors = typical_floors(self.sums.plan)
        *T, beta = self.optimum.point
        terms = space.covariances
        start = [*terms.start(terms.assemble(T), floors), beta]
        search = way_of(objective).search
        optimum = search(objective, space, start, floors, secants=True, **options)
        found = Enough(optimum, objective, self.is_enough)
        return _fit_at(design, self.covariance_model, self.absent, found)
