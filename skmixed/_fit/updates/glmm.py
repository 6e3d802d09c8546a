"""Effects of a generalised linear mixed model from further rows, parameters being those of the fit.

The modes maximise ``l(X beta + Z b) - b'T^-1 b / 2`` over the rows of the fit and the further ones
by Newton steps.  Levels of a single factor do not meet, so that only those with further rows are
searched; crossed and nested factors need all rows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import numpy as np

from ..._algebra.machine import computing
from ..._algebra.plan import Plan
from ..._likelihood.glmm import GlmmDeviance, GlmmState
from ..._likelihood.laplace import Laplace
from ..._likelihood.linear import LinearState, ProfiledDeviance
from ..._likelihood.working import working_model
from ..._sums.crossprod import CrossProducts
from ..._sums.source import InMemory, below
from ..glmm import GlmmFit
from ..model import FittedModel
from .further import Further, origin


def update_glmm(model: FittedModel, further: Further) -> UpdatedGlmmFit:
    """A fit with further rows."""
    first: GlmmFit = origin(model.fit)
    source, places = _all_further(model.fit, further)
    touched = _touched(source)
    state = _state(first, _joint(model, source, places, touched))
    effects = [
        np.zeros((m, b.shape[1])) for m, b in zip(source.n_levels, first.effects, strict=True)
    ]
    for f, (b, there) in enumerate(zip(effects, state.effects, strict=True)):
        b[places[f]] = first.effects[f]
        b[touched[f]] = first.units.effects(f, there)
    own = {name: getattr(first, name) for name in GlmmFit.__dataclass_fields__}
    sums = working_model(state).objective.plan.cross
    fit = UpdatedGlmmFit(**own, origin=first, further=Further(source, places), sums_there=sums)
    vars(fit).update(effects=effects)
    return fit


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
    if len(touched) == 1:
        known = np.isin(places[0], touched[0])
        if not np.any(known):
            return _of_levels(further, touched[0])
        _check_rows(model, "levels of the fit")
        source = _recoded(model.training.source(), places)
        chosen = np.isin(source.codes[0], touched[0])
        return _of_levels(below(_some(source, chosen), further), touched[0])
    _check_rows(model, "several factors")
    return below(_recoded(model.training.source(), places), further)


def _check_rows(model, which):
    if model.rows is None:
        raise ValueError(
            f"groups: further rows of {which} need the rows of the fit, which a pickled model has "
            "not.\nUpdate before pickling, or give rows of new levels of a single factor only."
        )


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
    objective = GlmmDeviance.of(fit.design.blocks_of(source), fit.family, Laplace())
    with computing(max(plan.dense_order for plan in objective.plans)):
        return GlmmState(objective, fit.covariance_model.assemble(fit.T), fit.beta)


@dataclass(frozen=True, eq=False)
class UpdatedGlmmFit(GlmmFit):
    """A fit whose effects know further rows; everything else is that of its origin.

    Attributes
    ----------
    origin : the fit
    further : all further rows, and the levels of the origin
    sums_there : working cross-products of the levels that were searched, in their order
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
            return LinearState(ProfiledDeviance.working(Plan(cross), cross), T, first.fixed)

    def _sums_of(self, known):
        """Working cross-products of all levels."""
        source, places = self.further
        if len(places) > 1:
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
