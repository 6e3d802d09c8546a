"""Effects of a generalised linear mixed model from further rows, parameters being those of the fit.

The modes maximise ``l(X beta + Z b) - b'T^-1 b / 2`` over the rows of the fit and the further ones
by Newton steps.  Levels of a single factor do not meet, so that only those with further rows are
searched; crossed and nested factors need all rows.

Where the rows of the fit are not kept, their working cross-products stand for them: the expansion
of their likelihood to the second order at the modes of the fit.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import numpy as np

from ..._algebra.machine import computing
from ..._algebra.plans import plan_of
from ..._likelihood.glmm import GlmmDeviance, GlmmState
from ..._likelihood.laplace import Laplace
from ..._likelihood.linear import LinearState, ProfiledDeviance
from ..._likelihood.working import working_cross_products, working_model
from ..._sums.crossprod import CrossProducts
from ..._sums.source import InMemory, below
from ..glmm import GlmmFit
from ..model import FittedModel
from .further import Further, origin

MAX_STEPS = 100
SETTLED = 1e-9  # largest move of a mode, in the frame's units


def update_glmm(model: FittedModel, further: Further) -> UpdatedGlmmFit:
    """A fit with further rows."""
    first: GlmmFit = origin(model.fit)
    source, places = _all_further(model.fit, further)
    touched = _touched(source)
    if not model.has_rows_in_memory and _meets_rows_of_the_fit(places, touched):
        touched = [np.arange(m) for m in source.n_levels]
        there, cross = expanded_modes(first, source, places)
    else:
        state = _state(first, _joint(model, source, places, touched))
        there, cross = state.effects, working_model(state).objective.plan.cross
    effects = []
    for f, b in enumerate(first.effects):
        effects.append(np.zeros((source.n_levels[f], b.shape[1])))
        effects[f][places[f]] = b
        effects[f][touched[f]] = first.units.effects(f, there[f])
    own = {name: getattr(first, name) for name in GlmmFit.__dataclass_fields__}
    fit = UpdatedGlmmFit(**own, origin=first, further=Further(source, places), sums_there=cross)
    vars(fit).update(effects=effects)
    return fit


def _meets_rows_of_the_fit(places, touched):
    """Whether levels with further rows have, or cross with levels that have, rows of the fit."""
    return len(touched) > 1 or bool(np.any(np.isin(places[0], touched[0])))


def expanded_modes(
    fit: GlmmFit, source: InMemory, places: list[np.ndarray]
) -> tuple[list[np.ndarray], CrossProducts]:
    """Modes of all levels, (q, levels) per factor, and the working cross-products there; rows of
    the fit count by those at its modes.
    """
    known = _known_sums(fit).spread(places, source.n_levels)
    objective = GlmmDeviance.of(
        fit.design.blocks_of(source), fit.family, Laplace(), solver=fit.solver
    )
    T = fit.covariance_model.assemble(fit.T)
    b = [np.zeros((q, m)) for q, m in zip(known.sizes, source.n_levels, strict=True)]
    last = np.inf
    length = 1.0
    for _ in range(MAX_STEPS):
        eta = _predictors(objective.store.blocks, fit.beta, b)
        cross = known + working_cross_products(objective, eta)
        plan = plan_of(cross, solver=fit.solver)
        with computing(plan.dense_order):
            there = LinearState(ProfiledDeviance.working(plan, cross), T, fit.linear.fixed)
        moves = [new - old for new, old in zip(there.effects, b, strict=True)]
        change = max(float(np.max(np.abs(move))) for move in moves)
        length = length if change < last else 0.5 * length
        last = change
        b = [old + length * move for old, move in zip(b, moves, strict=True)]
        if change < SETTLED:
            break
    return b, cross


def _known_sums(fit):
    try:
        return fit.linear.objective.plan.cross
    except AttributeError as error:
        raise ValueError(
            "groups: further rows of levels of the fit, or of several factors, need its rows or "
            "their sums, which this pickled model has not.\n"
            "Ask for random_effects_ before pickling, which keeps the sums; or update before."
        ) from error


def _predictors(blocks, beta, b):
    """Linear predictors of the rows of every block."""
    if len(blocks) == 1:
        return [blocks[0].predictor(beta, b)]
    return [block.predictor(beta, [b[0][:, block.levels[0]]]) for block in blocks]


def _all_further(fit, further):
    """Rows of this and of earlier updates, and the places of the levels of the first fit."""
    before: Further | None = getattr(fit, "further", None)
    if before is None:
        return further
    codes = [place[c] for place, c in zip(further.places, before.source.codes, strict=True)]
    places = [new[old] for new, old in zip(further.places, before.places, strict=True)]
    return below(replace(before.source, codes=codes), further.source), places


def _touched(source):
    """Levels that are searched: those with further rows of a single factor, else all."""
    if len(source.codes) == 1:
        return [np.unique(source.codes[0])]
    return [np.arange(m) for m in source.n_levels]


def _joint(model, further, places, touched):
    """All rows of the touched levels, coded by these."""
    if len(touched) > 1:
        return below(_recoded(model.training.source(), places), further)
    if not _meets_rows_of_the_fit(places, touched):
        return _of_levels(further, touched[0])
    source = _recoded(model.training.source(), places)
    chosen = np.isin(source.codes[0], touched[0])
    return _of_levels(below(_some(source, chosen), further), touched[0])


def _recoded(source, places):
    return replace(source, codes=[p[c] for p, c in zip(places, source.codes, strict=True)])


def _some(source, rows):
    """Some rows of a source."""
    parts = (source.weights, source.offset)
    weights, offset = (None if part is None else part[rows] for part in parts)
    codes = [code[rows] for code in source.codes]
    return InMemory(source.X[rows], source.y[rows], weights, codes, source.n_levels, offset)


def _of_levels(source, levels):
    """Rows of a single factor, coded by the levels that there are."""
    codes = [np.searchsorted(levels, source.codes[0])]
    return replace(source, codes=codes, n_levels=[len(levels)])


def _state(fit, source) -> GlmmState:
    """The modes of some rows at the estimates."""
    objective = GlmmDeviance.of(
        fit.design.blocks_of(source), fit.family, Laplace(), solver=fit.solver
    )
    with computing(objective.dense_order):
        return GlmmState(objective, fit.covariance_model.assemble(fit.T), fit.beta)


@dataclass(frozen=True, eq=False)
class UpdatedGlmmFit(GlmmFit):
    """A fit whose effects know further rows; everything else is that of its origin.

    Attributes
    ----------
    origin : the fit
    further : all further rows, and the levels of the origin
    sums_there : working cross-products of the levels that were searched, in their order: of all,
        or of those with further rows
    """

    origin: GlmmFit
    further: Further
    sums_there: CrossProducts

    def stripped(self) -> Self:
        fit = replace(super().stripped(), origin=self.origin.stripped())
        vars(fit).update(effects=self.effects)
        return fit

    @cached_property
    def linear(self):
        with computing():
            first = self.origin.linear
            cross = self._sums_of(first.objective.plan.cross)
            T = self.covariance_model.assemble(self.T)
            plan = plan_of(cross, solver=self.solver)
            return LinearState(ProfiledDeviance.working(plan, cross), T, first.fixed)

    def _sums_of(self, known):
        """Working cross-products of all levels."""
        source, places = self.further
        if self.sums_there.levels == list(source.n_levels):
            return self.sums_there
        cross = known.spread(places, source.n_levels)
        cross.sums[0][:, :, np.unique(source.codes[0])] = self.sums_there.sums[0]
        return cross

    @property
    def information(self):
        return self.origin.information

    @property
    def loglik(self):
        return self.origin.loglik
