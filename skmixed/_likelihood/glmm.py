"""The deviance of a generalised linear mixed model as a function of the covariances and beta."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, Self

import numpy as np

from .._algebra.packed import pack
from .._algebra.plan import Plan
from .._algebra.plans import plan_of
from .._model.covariances import flat
from .._model.families import Family
from .._model.priors import FLAT, Prior
from .._model.ridge import NO_RIDGE, Ridge
from .._sums.blocks import RowBlock
from .laplace import LaplacePart
from .linear import Unattainable
from .modes import Density, Guess, Modes, climb

LARGEST_VARIANCE = 1e4  # of a linear predictor: odds of typical levels differ by e^100
MATRICES = 11  # as large as the dense block that a fit holds at a time
PERFECT = 1e-5  # share of the deviance of a constant mean below which nothing is left to predict


class Integration(Protocol):
    """How the effects are integrated out."""

    points: int  # per dimension
    exact: bool  # whether second derivatives can be

    def root(self, f: int, T: np.ndarray) -> np.ndarray:
        """A root of the covariance of factor f."""

    def part(self, modes: Modes) -> LaplacePart:
        """Value and derivatives of a block of rows at its modes."""


@dataclass(frozen=True, eq=False)
class GlmmDeviance:
    """``-2 log L`` of a generalised linear mixed model as a function of T (one matrix per factor)
    and beta, with a penalty on beta and a prior of T.
    """

    blocks: Sequence[RowBlock]
    family: Family
    integration: Integration
    plans: Sequence[Plan]
    ridge: Ridge = NO_RIDGE
    prior: Prior = FLAT

    @classmethod
    def of(cls, blocks, family, integration, ridge: Ridge = NO_RIDGE) -> Self:
        """The deviance of some blocks of rows, with a penalty on beta."""
        plans = [plan_of(block.pattern, MATRICES) for block in blocks]
        return cls(blocks, family, integration, plans, ridge)

    @cached_property
    def n(self):
        """Number of observations."""
        return sum(block.n for block in self.blocks)

    @property
    def levels(self):
        """Number of levels of every factor."""
        each = zip(*(plan.cross.levels for plan in self.plans), strict=True)
        return [sum(parts) for parts in each]

    @cached_property
    def saturated(self):
        """``2 l`` of rows that are predicted perfectly."""
        return sum(2.0 * self.family.saturated(block.y, block.m) for block in self.blocks)

    @cached_property
    def null_deviance(self):
        """That of the common mean of all rows, from the saturated one on."""
        mean = sum(np.sum(block.m * block.y) for block in self.blocks) / self.n
        eta = self.family.link(mean)
        rows = (self.family.at(np.full(len(b.y), eta), b.y, b.m) for b in self.blocks)
        return sum(-2.0 * np.sum(row.loglik) for row in rows) + self.saturated

    def __call__(self, point, near: Sequence[Guess] | None = None):
        """The model at ``point``; ``near`` holds per block a guess to start from.

        Where the variances leave all bounds or a mode is out of reach, the deviance is infinite.
        """
        *T, beta = point
        is_bounded = all(np.all(np.abs(t) <= LARGEST_VARIANCE) for t in T)
        if not is_bounded or not np.all(np.isfinite(beta)):
            return Unattainable()
        try:
            return GlmmState(self, T, beta, near)
        except np.linalg.LinAlgError:
            return Unattainable()


def forget(holder: object) -> None:
    """Drop the values of cached properties."""
    for kind in type(holder).__mro__:
        for name, attribute in vars(kind).items():
            if isinstance(attribute, cached_property):
                vars(holder).pop(name, None)


class GlmmState:
    """The model at one point: the modes, the deviance, and derivatives when asked for.

    Parameters are ordered as (packed T of all factors, beta).
    """

    def __init__(self, objective: GlmmDeviance, T, beta, near=None):
        self.objective = objective
        self.T = T
        self.beta = beta
        integration = objective.integration
        self.roots = [integration.root(f, t) for f, t in enumerate(T)]
        near = near or [Guess.zero(plan) for plan in objective.plans]
        self.parts = [
            integration.part(climb(density, guess))
            for density, guess in zip(self._densities(), near, strict=True)
        ]
        if not np.isfinite(self.value):
            raise np.linalg.LinAlgError("the deviance overflows")

    def _densities(self):
        o = self.objective
        for rows, plan in zip(o.blocks, o.plans, strict=True):
            yield Density(rows, plan, o.family, self.T, self.roots, self.beta)

    def at(self, point):
        """The same model at another point, its modes searched for from where their derivatives
        lead.
        """
        change = flat(point) - flat([*self.T, self.beta])
        return self.objective(point, [part.guess(change) for part in self.parts])

    def forget_rows(self) -> None:
        """Drop what was computed row by row and can be computed again."""
        for part in self.parts:
            for holder in (part, part.point, part.modes.density):
                forget(holder)

    @property
    def exact(self):
        """Whether ``hessian`` is exact."""
        is_separable = all(part.rows.is_separable for part in self.parts)
        return self.objective.integration.exact and is_separable

    @property
    def degenerate(self):
        """Whether the rows are predicted perfectly, so that the search would go on for ever.

        A ridge ends it.
        """
        if not self.objective.ridge.is_none:
            return False
        left = -2.0 * sum(np.sum(part.point.loglik) for part in self.parts)
        left = left + self.objective.saturated
        return left < PERFECT * self.objective.null_deviance

    @cached_property
    def likelihood(self):
        """The deviance without penalties."""
        return float(sum(part.value for part in self.parts))

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
        each = zip(*(part.gradient for part in self.parts), strict=True)
        return self.objective.prior.with_gradient([sum(parts) for parts in each], self.T)

    @cached_property
    def slope(self):
        """The gradient in all parameters, that of T packed."""
        along_beta = sum(part.beta_gradient for part in self.parts)
        along_beta = self.objective.ridge.with_slope(along_beta, self.beta)
        return np.concatenate([pack(self.gradient), along_beta])

    @cached_property
    def hessian(self):
        """Second derivatives, or the average information of the working model."""
        o = self.objective
        likelihood = sum(part.hessian for part in self.parts)
        return o.prior.with_hessian(o.ridge.with_hessian(likelihood), self.T)

    @property
    def effects(self):
        """Conditional modes per factor, (q_f, m_f)."""
        each = zip(*(part.modes.b for part in self.parts), strict=True)
        return [np.concatenate(parts, axis=1) for parts in each]
