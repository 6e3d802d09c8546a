"""What an approximation of the integral gets wrong at its estimate, by more quadrature points."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .._algebra.packed import pack
from .._algebra.plans import plan_of
from .glmm import GlmmState
from .modes import Density, Guess, climb
from .quadrature import AdaptiveQuadrature

CHECK_EVALUATIONS = 100_000  # rows times nodes that a check may cost


class Discrepancy(NamedTuple):
    """What an approximation gets wrong at its estimate.

    Attributes
    ----------
    points : of the quadrature that says so
    loglik : its log-likelihood minus that of the approximation
    slope : gradient of its deviance minus that of the approximation
    """

    points: int
    loglik: float
    slope: np.ndarray


def discrepancy(state: GlmmState, finer: AdaptiveQuadrature) -> Discrepancy:
    """The error at the estimate of a model with a single factor.

    From the first levels if there are many.
    """
    objective = state.objective
    own, other = _both(*_some(state, finer), objective.integration, finer)
    along_T = pack(other.gradient) - pack(own.gradient)
    along_beta = other.beta_gradient - own.beta_gradient
    scale = objective.levels[0] / own.rows.groups[0].n_levels
    error = 0.5 * scale * (own.value - other.value)
    return Discrepancy(finer.points, error, scale * np.concatenate([along_T, along_beta]))


def _some(state, finer):
    """The density of as many levels as the check may cost, and a guess of the modes."""
    first = state.objective.store.first(1).blocks[0]
    (T,) = state.T
    share = min(1.0, CHECK_EVALUATIONS / (len(first.y) * len(finer.rule.nodes)))
    rows = first.first_levels(max(1, int(first.groups[0].n_levels * share)))
    family = state.objective.family
    density = Density(rows, plan_of(rows.pattern), family, state.T, [finer.root(0, T)], state.beta)
    known = state.sums.first_modes
    if known is None:
        return density, Guess.zero(density.plan)
    return density, Guess([known[0][:, : rows.groups[0].n_levels]])


def _both(density, guess, coarser, finer):
    """Two approximations at the same modes."""
    other = finer.swept(density, guess)
    own = None if other is None else coarser.swept(density, other.near())
    if own is not None:
        return own, other
    modes = climb(density, guess)
    return coarser.part(modes), finer.part(modes)
