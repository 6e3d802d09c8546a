"""Effects of new or known levels from further rows, parameters being those of the fit.

With the rows of the fit and the further ones below each other and V their covariance at the
estimates, in units of sigma^2,

    b = T Z'V^-1 (y - X beta),

which needs the sums of every level only: those of the fit, and those of the further rows beside
them.  The error of ``x'beta + z'b`` has the variance of :mod:`skmixed._fit.uncertainty` with M and
B of all rows and ``C = Cov(beta)`` of those of the fit: the error of b given beta has nothing to do
with that of beta, which is linear in responses that b knows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self

from ..._algebra.machine import blas_threads
from ..._likelihood.linear import LinearState
from ..._sums.onepass import cross_products
from ..linear import LinearFit
from ..model import FittedModel
from ..second_order import SecondOrder
from .further import Further, origin


def update_linear(model: FittedModel, further: Further) -> UpdatedLinearFit:
    """A linear fit with further rows."""
    fit: Any = model.fit
    with blas_threads():
        found = cross_products(fit.design.frame, further.source)
    known = fit.design.cross.spread(further.places, further.source.n_levels)
    both = known + found.with_fixed(known.fixed)
    # beta has its sums of squares from the rows of the fit
    design = replace(fit.design, cross=replace(both, n=known.n, gram=known.gram))
    return UpdatedLinearFit(
        design,
        fit.reml,
        fit.covariance_model,
        fit.optimum,
        fit.absent,
        origin(fit),
        solver=fit.solver,
    )


@dataclass(frozen=True, eq=False)
class UpdatedLinearFit(LinearFit):
    """A linear fit whose effects know further rows; everything else is that of its origin."""

    origin: LinearFit

    def stripped(self) -> Self:
        fit = super().stripped()
        return replace(fit, origin=self.origin.stripped())

    def at(self, T):
        fixed = self.origin.at(T).fixed
        return LinearState(self.objective, self.covariance_model.assemble(T), fixed)

    @property
    def is_identified(self):
        return self.origin.is_identified

    def _confounded_terms(self):
        return self.origin._confounded_terms()

    @property
    def loglik(self):
        return self.origin.loglik

    @property
    def loglik_error(self):
        return self.origin.loglik_error

    @property
    def loglik_without_effects(self):
        return self.origin.loglik_without_effects

    @property
    def information(self):
        return self.origin.information

    @cached_property
    def second_order(self):
        return UpdatedSecondOrder(self)


class UpdatedSecondOrder(SecondOrder):
    """Directions, and how beta moves along them, are those of the origin."""

    @cached_property
    def directions(self):
        return self.fit.origin.second_order.directions

    def _beta_shift(self, H):
        return self.fit.origin.second_order._shifts[1]
