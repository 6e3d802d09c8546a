"""The working linear model of a generalised linear mixed model."""

from __future__ import annotations

import numpy as np

from .._algebra.machine import computing
from .._algebra.plans import plan_of
from .._model.ridge import NO_RIDGE, Ridge
from .._store.protocol import PerBlock
from .._sums.blocks import joined
from .._sums.crossprod import CrossProducts
from .._sums.source import less
from .glmm import GlmmDeviance, GlmmState
from .linear import LinearState, ProfiledDeviance

LEAST_WEIGHT = 1e-8  # by which a squared score is divided
FLOORS = (0.0, 1e-10, 1e-6, 1e-2, 1.0)  # least working weights, as shares of the largest


def working_cross_products(objective: GlmmDeviance, eta) -> CrossProducts:
    """Of the working linear model around ``eta`` of every block of rows: response ``eta + r / w``
    less the offset, weights w.
    """
    blocks = zip(objective.store.blocks, eta, strict=True)
    return joined([of_block(block, objective.family, current) for block, current in blocks])


def of_block(block, family, eta, floor: float = 0.0) -> CrossProducts:
    """Of one block; ``floor`` is the least weight, as a share of the largest."""
    point = family.at(eta, block.y, block.m)
    w = np.maximum(point.weight, floor * np.max(point.weight))
    r = point.score
    shift = r**2 / np.maximum(w, LEAST_WEIGHT)
    own = less(eta, block.offset)
    square = np.sum(w * own**2 + 2.0 * own * r + shift)
    return block.cross_products(w, w * own + r, square)


def working_deviance(objective: GlmmDeviance, eta) -> ProfiledDeviance:
    """The likelihood of these, with the plan of the rows where there is one."""
    cross = working_cross_products(objective, eta)
    plans = objective.store.plans
    if len(plans) > 1:
        plan = plan_of(cross, solver=objective.solver)
        return ProfiledDeviance.working(plan, cross, objective.ridge, objective.prior)
    blocks = [cross.level_blocks(f) for f in range(len(cross.sizes))]
    pair_values = {key: pair.values for key, pair in cross.pairs.items()}
    plan = plans[0].reweighted(blocks, pair_values)
    return ProfiledDeviance.working(plan, cross, objective.ridge, objective.prior)


def working_state(
    cross: CrossProducts, T, ridge: Ridge = NO_RIDGE, solver: str = "auto"
) -> LinearState:
    """The working linear model at T."""
    return ProfiledDeviance.working(plan_of(cross, solver=solver), cross, ridge)(T)


def working_model(state: GlmmState) -> LinearState:
    """The working linear model at a state: posterior covariances given the parameters.

    Rows that are predicted perfectly have no weight; where that leaves columns without any they get
    a little.
    """
    sums = (_sums_there(state, floor) for floor in FLOORS)
    o = state.objective
    models = (working_state(cross, state.T, o.ridge, o.solver) for cross in sums)
    return next(model for model in models if model.attainable)


def _sums_there(state, floor):
    """Working cross-products at the modes of a state, levels in the order of the model."""
    store = state.objective.store
    if store.keeps_points:
        family = state.objective.family
        parts = ((part.rows, part.b) for part in state.parts)
        return joined(
            [of_block(rows, family, rows.predictor(state.beta, b), floor) for rows, b in parts]
        )
    cross = joined(store.round(working_sums, (state.place, floor), state.near().handle).total)
    return cross if store.places is None else cross.spread(store.places, cross.levels)


def working_sums(block, carried, request):
    """Working cross-products of a block at its modes, a visit of a round."""
    place, floor = request
    b = [t @ c for t, c in zip(place.T, carried.c, strict=True)]
    eta = block.rows.predictor(place.beta, b)
    with computing():
        return PerBlock([of_block(block.rows, place.family, eta, floor)]), carried
