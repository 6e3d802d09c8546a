"""The deviance of a generalised linear mixed model as a function of the covariances and beta."""

from __future__ import annotations

from copy import copy
from dataclasses import replace
from functools import cached_property
from itertools import pairwise

import numpy as np

from .._algebra.packed import pack
from .._algebra.plan import Plan
from .._model.covariances import flat
from .linear import Unattainable
from .modes import Guess, Mode

LARGEST_VARIANCE = (
    1e4  # on the scale of the linear predictor: odds differ by e^100 between typical levels
)
PERFECT = 1e-5  # share of the deviance of a constant mean below which nothing is left to predict


class GlmmDeviance:
    """``-2 log L`` of a generalised linear mixed model as a function of T (one matrix per factor)
    and beta.
    """

    def __init__(self, blocks, family, integration):
        self.blocks = blocks
        self.family = family
        self.integration = integration
        self.plans = [Plan(block.pattern) for block in blocks]
        self.n = sum(block.n for block in blocks)
        self.null_deviance = _null_deviance(blocks, family, self.n)

    @property
    def levels(self):
        """Number of levels of every factor."""
        return [
            sum(parts) for parts in zip(*(plan.cross.levels for plan in self.plans), strict=True)
        ]

    def __call__(self, point, near=None):
        """The model at ``point``; ``near`` holds per block a :class:`Guess` to start from.

        Where the variances leave all bounds or a mode is out of reach, the deviance is infinite.
        """
        *T, beta = point
        if not all(np.all(np.abs(t) <= LARGEST_VARIANCE) for t in T) or not np.all(
            np.isfinite(beta)
        ):
            return Unattainable()
        try:
            return GlmmState(self, T, beta, near)
        except np.linalg.LinAlgError:
            return Unattainable()

    def with_response(self, y):
        """The deviance of other responses, block after block."""
        other = copy(self)
        ends = np.cumsum([0] + [len(block.y) for block in self.blocks])
        other.blocks = [
            replace(b, y=y[lo:hi]) for b, (lo, hi) in zip(self.blocks, pairwise(ends), strict=True)
        ]
        other.null_deviance = _null_deviance(other.blocks, other.family, other.n)
        return other


def _null_deviance(blocks, family, n):
    """``-2 l`` at the common mean of all rows."""
    eta = family.link(sum(np.sum(block.m * block.y) for block in blocks) / n)
    return sum(
        -2.0 * np.sum(family.at(np.full(len(block.y), eta), block.y, block.m).loglik)
        for block in blocks
    )


class GlmmState:
    """The model at one point: the modes, the deviance, and derivatives when asked for.

    Parameters are ordered as (packed T of all factors, beta).
    """

    def __init__(self, objective, T, beta, near=None):
        self.objective = objective
        self.T = T
        self.beta = beta
        integration = objective.integration
        self.roots = [integration.root(f, t) for f, t in enumerate(T)]
        near = near or [Guess.zero(plan) for plan in objective.plans]
        parts = zip(objective.blocks, objective.plans, near, strict=True)
        modes = [
            Mode(rows, plan, objective.family, T, self.roots, beta, guess)
            for rows, plan, guess in parts
        ]
        self.blocks = [integration.block(mode) for mode in modes]
        if not np.isfinite(self.value):
            raise np.linalg.LinAlgError("the deviance overflows")

    def at(self, point):
        """The same model at another point, its modes searched for from where their derivatives
        lead.
        """
        change = flat(point) - flat([*self.T, self.beta])
        return self.objective(
            point, [Guess(block.moved_modes(change), block.elimination) for block in self.blocks]
        )

    @property
    def exact(self):
        """Whether ``hessian`` is exact."""
        return self.objective.integration.exact and all(
            block.mode.rows.is_separable for block in self.blocks
        )

    @property
    def degenerate(self):
        """Whether the rows are predicted perfectly, so that the search would go on for ever."""
        left = -2.0 * sum(np.sum(block.point.loglik) for block in self.blocks)
        return left < PERFECT * self.objective.null_deviance

    @cached_property
    def value(self):
        """The deviance."""
        return float(sum(block.value for block in self.blocks))

    @property
    def noise(self):
        """Rounding error to expect in ``value``."""
        return 4.0 * np.finfo(float).eps * (abs(self.value) + self.objective.n)

    @cached_property
    def gradient(self):
        """``dd / dT_f``, one symmetric matrix per factor."""
        return tuple(
            sum(parts) for parts in zip(*(block.gradient for block in self.blocks), strict=True)
        )

    @cached_property
    def slope(self):
        """The gradient in all parameters, that of T packed."""
        return np.concatenate(
            [pack(self.gradient), sum(block.beta_gradient for block in self.blocks)]
        )

    @cached_property
    def hessian(self):
        """Second derivatives, or the average information of the working model."""
        return sum(block.hessian for block in self.blocks)

    @property
    def effects(self):
        """Conditional modes per factor, (q_f, m_f)."""
        return [
            np.concatenate(parts, axis=1)
            for parts in zip(*(block.mode.b for block in self.blocks), strict=True)
        ]
