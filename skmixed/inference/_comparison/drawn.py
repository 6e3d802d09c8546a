"""Sums of responses of the smaller of two linear models, to which both are fitted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..._algebra.roots import pivoted_root
from ..._fit.linear import LinearFit
from ..._sums.draws import SumsOfDraws
from ..._sums.inside import Inside, combined_columns
from ..._sums.responses import SeveralSums
from .._bootstrap.resampling import Drawn, Draws, Resampler, within_rows
from .._bootstrap.together import Alone, at_once, refits
from .pairs import Pair


@dataclass(frozen=True, eq=False)
class Refits:
    """A model fitted to responses whose sums are drawn.

    Attributes
    ----------
    fit : of the model
    inside : the design of the model within the one that is drawn; None where it is that one
    options : of the search
    """

    fit: LinearFit
    inside: Inside | None
    options: dict[str, Any]

    def refit(self, drawn: Drawn) -> LinearFit:
        """The fit of a response."""
        return self.fit.refit(self._own(drawn), **self.options)

    def refits(self, drawn: Sequence[Drawn]) -> Alone:
        """The fits of several responses; None for those that are to be fitted alone."""
        if at_once(self.fit) < 2 or not drawn:
            return Alone(len(drawn))
        sums = SeveralSums.of_designs([self._own(one) for one in drawn])
        return refits(self.fit, sums, **self.options)

    def _own(self, drawn):
        return drawn.design if self.inside is None else self.inside.design(drawn.design)


@dataclass(frozen=True, eq=False)
class SmallerDraws(Refits):
    """Responses of the smaller of two models, as sums in the columns of the larger one.

    Attributes
    ----------
    sums : of the larger model
    """

    sums: SumsOfDraws = field(kw_only=True)
    observed = Drawn(None)

    @property
    def dense_order(self) -> int:
        """Of the evaluations of a refit."""
        return self.fit.dense_order

    @property
    def at_once(self) -> int:
        """Number of responses whose sums are drawn, and fitted, together."""
        return at_once(self.fit)

    def draw(self, rng: np.random.Generator) -> Drawn:
        """The sums of a response."""
        fit, inside = self.fit, self.inside
        sigma = float(np.sqrt(fit.scale))
        covariances = fit.covariance_model.assemble(fit.T)
        roots = inside.roots([sigma * pivoted_root(T)[0] for T in covariances])
        beta = inside.coefficients(fit.beta)
        return Drawn(None, design=self.sums.draw(rng, beta, roots, inside.scale * sigma))


def drawn_for(pair: Pair, smaller: dict[str, Any], larger: dict[str, Any]) -> tuple[Draws, Any]:
    """What draws responses of the smaller model and fits it to them, and what fits the larger one;
    with options of their searches.
    """
    are_rows = all(model.has_rows_in_memory for model in pair.both)
    if are_rows or not pair.smaller.fit.family.has_residual:
        return Resampler(pair.smaller, **smaller), Resampler(pair.larger, **larger)
    n_rows, *_ = pair.smaller.fingerprint
    within_rows(pair.smaller.fit.n, n_rows)
    inside = _inside(pair)
    fit = pair.larger.fit
    sums = SumsOfDraws(fit.design)
    return SmallerDraws(pair.smaller.fit, inside, smaller, sums=sums), Refits(fit, None, larger)


def _inside(pair):
    """The smaller design in the larger one."""
    names = list(pair.larger.names.fixed)
    own = list(pair.smaller.names.fixed)
    designs = pair.smaller.fit.design, pair.larger.fit.design
    if not set(own) <= set(names):
        raise _unknown("columns of the smaller model are none of the larger one")
    F = combined_columns(*designs, [names.index(name) for name in own])
    factors = [pair.factor(f) for f in range(len(pair.smaller.names.factors))]
    if F is None or None in factors:
        raise _unknown("the smaller model has columns or factors that the larger one has not")
    effects = [pair.effects(f, g) for f, g in enumerate(factors)]
    if any(B is None for B in effects):
        raise _unknown("the smaller model has effects that the larger one has not")
    return Inside(*designs, F, tuple(factors), tuple(effects))


def _unknown(reason):
    return ValueError(
        f"method='bootstrap': {reason}, by name, so that no sums of responses serve both.\n"
        "Give both models their rows by results_.attach(X, y) if they fit into memory."
    )
