"""The working linear model of a generalised linear mixed model."""

from __future__ import annotations

import numpy as np

from .._algebra.plans import plan_of
from .._model.ridge import NO_RIDGE, Ridge
from .._sums.blocks import joined
from .._sums.crossprod import CrossProducts
from .._sums.source import less
from .glmm import GlmmDeviance, GlmmState
from .linear import LinearState, ProfiledDeviance

LEAST_WEIGHT = 1e-8  # by which a squared score is divided
FLOORS = (0.0, 1e-10, 1e-6, 1e-2, 1.0)  # least working weights, as shares of the largest


def working_cross_products(objective: GlmmDeviance, eta, floor: float = 0.0) -> CrossProducts:
    """Of the working linear model around ``eta``: response ``eta + r / w`` less the offset, weights
    w.

    ``floor`` is the least weight, as a share of the largest.
    """
    parts = []
    for block, current in zip(objective.blocks, eta, strict=True):
        point = objective.family.at(current, block.y, block.m)
        w = np.maximum(point.weight, floor * np.max(point.weight))
        r = point.score
        shift = r**2 / np.maximum(w, LEAST_WEIGHT)
        own = less(current, block.offset)
        square = np.sum(w * own**2 + 2.0 * own * r + shift)
        parts.append(block.cross_products(w, w * own + r, square))
    return joined(parts)


def working_deviance(objective: GlmmDeviance, eta) -> ProfiledDeviance:
    """The likelihood of these, with the plan of the rows where there is one."""
    cross = working_cross_products(objective, eta)
    if len(objective.blocks) > 1:
        return ProfiledDeviance.working(plan_of(cross), cross, objective.ridge, objective.prior)
    blocks = [cross.level_blocks(f) for f in range(len(cross.sizes))]
    pair_values = {key: pair.values for key, pair in cross.pairs.items()}
    plan = objective.plans[0].reweighted(blocks, pair_values)
    return ProfiledDeviance.working(plan, cross, objective.ridge, objective.prior)


def working_state(cross: CrossProducts, T, ridge: Ridge = NO_RIDGE) -> LinearState:
    """The working linear model at T."""
    return ProfiledDeviance.working(plan_of(cross), cross, ridge)(T)


def working_model(state: GlmmState) -> LinearState:
    """The working linear model at a state: posterior covariances given the parameters.

    Rows that are predicted perfectly have no weight; where that leaves columns without any they get
    a little.
    """
    eta = [part.rows.predictor(state.beta, part.modes.b) for part in state.parts]
    sums = (working_cross_products(state.objective, eta, floor) for floor in FLOORS)
    models = (working_state(cross, state.T, state.objective.ridge) for cross in sums)
    return next(model for model in models if np.isfinite(model.value))
