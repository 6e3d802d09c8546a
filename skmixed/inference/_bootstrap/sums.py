"""Sums of responses drawn from a fitted linear model whose rows are not at hand, and the model
fitted to each: :mod:`skmixed._sums.draws`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..._algebra.roots import pivoted_root
from ..._fit.linear import LinearFit
from ..._fit.model import FittedModel
from ..._sums.draws import SumsOfDraws
from ..._sums.responses import SeveralSums
from .resampling import Drawn, Draws, Resampler, within_rows
from .together import Alone, at_once, refits


class SumsResampler:
    """Cross-products with responses of a fitted linear model, and its fits to them.

    Attributes
    ----------
    fit : of the model
    sums : that are drawn
    observed : no rows are known of the response of the fit
    """

    observed = Drawn(None)

    def __init__(self, model: FittedModel, *, tol: float = 1e-9, max_iter: int = 100):
        fit = model.fit
        n_rows, *_ = model.fingerprint
        within_rows(fit.n, n_rows)
        self.fit: LinearFit = fit
        self.sums = SumsOfDraws(fit.design)
        self.sigma = float(np.sqrt(fit.scale))
        covariances = fit.covariance_model.assemble(fit.T)
        self.roots = [self.sigma * pivoted_root(T)[0] for T in covariances]
        self.options = {"tol": tol, "max_iter": max_iter}

    @property
    def dense_order(self) -> int:
        """Of the evaluations of a refit."""
        return self.fit.dense_order

    def draw(self, rng: np.random.Generator) -> Drawn:
        """The sums of a response."""
        return Drawn(None, design=self.sums.draw(rng, self.fit.beta, self.roots, self.sigma))

    @property
    def at_once(self) -> int:
        """Number of responses whose sums are drawn, and fitted, together."""
        return at_once(self.fit)

    def refits(self, drawn: Sequence[Drawn]) -> Alone:
        """The fits of several responses; None for those that are to be fitted alone."""
        if self.at_once < 2 or not drawn:
            return Alone(len(drawn))
        sums = SeveralSums.of_designs([own.design for own in drawn])
        return refits(self.fit, sums, **self.options)

    def refit(self, drawn: Drawn) -> LinearFit:
        """The fit of a response."""
        return self.fit.refit(drawn.design, **self.options)


def resampler_of(model: FittedModel, **options: Any) -> Draws:
    """Responses of the rows where these are in memory; else sums, which a linear model keeps."""
    is_by_row = model.has_rows_in_memory or not model.fit.family.has_residual
    return (Resampler if is_by_row else SumsResampler)(model, **options)
