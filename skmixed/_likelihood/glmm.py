"""The deviance of a generalised linear mixed model as a function of the covariances and beta."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple, Self

import numpy as np

from .._algebra.packed import pack
from .._model.covariances import flat
from .._model.families import Family
from .._model.priors import FLAT, Prior
from .._model.ridge import NO_RIDGE, Ridge
from .._store.protocol import Held, Store
from .._sums.blocks import RowBlock
from .linear import Unattainable
from .rounds import Integration, Parts, Place, kept, parts_of, sums_at

LARGEST_VARIANCE = 1e4  # of a linear predictor: odds of typical levels differ by e^100
PERFECT = 1e-5  # share of the deviance of a constant mean below which nothing is left to predict


@dataclass(frozen=True, eq=False)
class GlmmDeviance:
    """``-2 log L`` of a generalised linear mixed model as a function of T (one matrix per factor)
    and beta, with a penalty on beta and a prior of T.
    """

    store: Store
    family: Family
    integration: Integration
    ridge: Ridge = NO_RIDGE
    prior: Prior = FLAT

    @classmethod
    def of(
        cls,
        blocks: Sequence[RowBlock],
        family,
        integration,
        ridge: Ridge = NO_RIDGE,
        solver: str = "auto",
    ) -> Self:
        """The deviance of some blocks of rows, with a penalty on beta."""
        return cls(Held.of(blocks, solver), family, integration, ridge)

    @property
    def n(self):
        """Number of observations."""
        return self.store.facts.n

    @property
    def solver(self):
        """How the effects are eliminated."""
        return self.store.solver

    @property
    def levels(self):
        """Number of levels of every factor."""
        return self.store.facts.levels

    @property
    def dense_order(self):
        """Order of the largest dense matrix of an evaluation."""
        return self.store.facts.dense_order

    @cached_property
    def _outcomes(self):
        return self.store.round(outcome_sums, self.family).total

    @property
    def saturated(self):
        """``2 l`` of rows that are predicted perfectly."""
        return self._outcomes.saturated

    @cached_property
    def null_deviance(self):
        """That of the common mean of all rows, from the saturated one on."""
        eta = self.family.link(self._outcomes.total / self.n)
        return self.store.round(constant_deviance, (self.family, eta)).total + self.saturated

    def __call__(self, point, near: Any = None, *, curved: bool = True):
        """The model at ``point``; ``near`` says from where modes are searched for, ``curved``
        whether second derivatives will be asked for.

        Where the variances leave all bounds or a mode is out of reach, the deviance is infinite.
        """
        *T, beta = point
        is_bounded = all(np.all(np.abs(t) <= LARGEST_VARIANCE) for t in T)
        if not is_bounded or not np.all(np.isfinite(beta)):
            return Unattainable()
        try:
            return GlmmState(self, T, beta, near, curved=curved)
        except np.linalg.LinAlgError:
            return Unattainable()


class OutcomeSums(NamedTuple):
    """``2 l`` of rows that are predicted perfectly, and the sum of the responses."""

    saturated: float
    total: float

    def __add__(self, other):
        return OutcomeSums(self.saturated + other.saturated, self.total + other.total)


def outcome_sums(block, carried, family):
    """The :class:`OutcomeSums` of a block, a visit of a round."""
    y, m = block.rows.y, block.rows.m
    return OutcomeSums(2.0 * family.saturated(y, m), np.sum(m * y)), carried


def constant_deviance(block, carried, request):
    """That of the rows of a block at one linear predictor, a visit of a round."""
    family, eta = request
    y, m = block.rows.y, block.rows.m
    return -2.0 * np.sum(family.at(np.full(len(y), eta), y, m).loglik), carried


class GlmmState:
    """The model at one point: the modes, the deviance, and derivatives when asked for.

    Parameters are ordered as (packed T of all factors, beta).
    """

    attainable = True

    def __init__(self, objective: GlmmDeviance, T, beta, near=None, *, curved=True):
        self.objective = objective
        self.T = T
        self.beta = beta
        integration = objective.integration
        self.roots = [integration.root(f, t) for f, t in enumerate(T)]
        place = Place(objective.family, integration, T, self.roots, beta)
        self.place = place
        self.sums = sums_at(objective.store, place, near, curved=curved)
        if not self.sums.is_finite:
            raise np.linalg.LinAlgError("the deviance overflows")

    @property
    def parts(self):
        """Of all blocks, where their rows are here."""
        store = self.objective.store
        if store.keeps_points or not store.holds_rows:
            return self.sums.parts
        return parts_of(store, self.place, self.sums.near())

    def near(self):
        """From where the modes of a neighbour are searched for."""
        return self.sums.near()

    def at(self, point, *, curved=True):
        """The same model at another point, its modes searched for from where their derivatives
        lead.
        """
        change = flat(point) - flat([*self.T, self.beta])
        return self.objective(point, self.sums.near(change), curved=curved)

    def forget_rows(self) -> None:
        """Drop what was computed row by row and can be computed again."""
        for part in self.parts if self.objective.store.keeps_points else ():
            part.forget_rows()

    def without_rows(self, store: Store) -> Self:
        """The same with a store that has them made again when something is asked of them."""
        return self._over(store, kept(self.sums, store, self.place))

    def at_hand(self) -> Self:
        """The same with its rows here, for who asks several things of them."""
        store = self.objective.store.at_hand()
        if store is self.objective.store:
            return self
        if store.keeps_points:
            return self._over(store, Parts(list(parts_of(store, self.place, self.sums.near()))))
        return self._over(store, kept(self.sums, store, self.place))

    def _over(self, store, sums):
        found = copy(self)
        found.objective = replace(self.objective, store=store)
        found.sums = sums
        return found

    @property
    def exact(self):
        """Whether ``hessian`` is exact."""
        return self.objective.integration.exact and self.objective.store.facts.is_separable

    @property
    def degenerate(self):
        """Whether the rows are predicted perfectly, so that the search would go on for ever.

        A ridge ends it.
        """
        if not self.objective.ridge.is_none:
            return False
        left = -2.0 * self.sums.loglik + self.objective.saturated
        return left < PERFECT * self.objective.null_deviance

    @cached_property
    def likelihood(self):
        """The deviance without penalties."""
        return self.sums.value

    @cached_property
    def value(self):
        """The deviance."""
        o = self.objective
        return self.likelihood + o.ridge.value(self.beta) + o.prior.value(self.T)

    @property
    def noise(self):
        """Rounding error to expect in ``value``."""
        return 4.0 * np.finfo(float).eps * (abs(self.value) + self.objective.n)

    @cached_property
    def gradient(self):
        """``dd / dT_f``, one symmetric matrix per factor."""
        return self.objective.prior.with_gradient(list(self.sums.gradient), self.T)

    @cached_property
    def slope(self):
        """The gradient in all parameters, that of T packed."""
        along_beta = self.objective.ridge.with_slope(self.sums.beta_gradient, self.beta)
        return np.concatenate([pack(self.gradient), along_beta])

    @cached_property
    def hessian(self):
        """Second derivatives, or the average information of the working model."""
        o = self.objective
        return o.prior.with_hessian(o.ridge.with_hessian(self.sums.hessian), self.T)

    @property
    def effects(self):
        """Conditional modes per factor, (q_f, m_f)."""
        store = self.objective.store
        return store.in_order(self.sums.effects(self.place, store))
