"""Responses drawn from a fitted model, or from stated parameters, and the model fitted to each.

    eta = X beta + Z b,   b ~ N(0, Sigma),   y ~ N(eta, sigma^2 / w)  or  Binomial(w, mu(eta)) / w,

with new effects b for every level.  A row of weight w stands for w observations: y is their mean,
and the squares within rows add ``sigma^2 chi2`` with ``sum w - n_rows`` degrees of freedom to
``y'Wy`` of a linear model, which therefore needs weights that add up to one per row or more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple, Protocol

import numpy as np

from ..._algebra.roots import pivoted_root
from ..._fit.base import Fit
from ..._fit.model import FittedModel
from ..._fit.separation import infinite_estimates
from ..._fit.training import source_of
from ..._sums.design import Design
from ..._sums.responses import responses_of
from .together import Alone, at_once, refits

NUMBERS_AT_ONCE = 1 << 22  # of the responses that are drawn together
ROUNDING = 1e-12  # share of an observation per row that may be missing


class Drawn(NamedTuple):
    """A response.

    Attributes
    ----------
    y : means of the rows; None where only sums were drawn
    within : sum of squares of the observations within rows
    design : of the sums that were drawn
    """

    y: np.ndarray | None
    within: float = 0.0
    design: Design | None = None


class Draws(Protocol):
    """Responses of a model, and its fits to them.

    Attributes
    ----------
    dense_order : of the evaluations of a refit
    at_once : number of responses that are drawn, and fitted, together
    observed : what the model was fitted to
    """

    @property
    def dense_order(self) -> int: ...

    @property
    def at_once(self) -> int: ...

    @property
    def observed(self) -> Drawn: ...

    def draw(self, rng: np.random.Generator) -> Drawn:
        """A response."""

    def refit(self, drawn: Drawn) -> Fit:
        """The fit of a response."""

    def refits(self, drawn: Sequence[Drawn]) -> Alone:
        """The fits of several; None for those that are to be fitted alone."""


class Truth(NamedTuple):
    """What responses are drawn from.

    Attributes
    ----------
    coefficients : of all candidates, intercept first if there is one
    covariances : of the effects, a matrix per factor
    sigma2 : residual variance; one where there is none
    """

    coefficients: np.ndarray
    covariances: list[np.ndarray]
    sigma2: float

    @classmethod
    def of(cls, fit: Fit) -> Truth:
        """The estimates."""
        assembled = fit.covariance_model.assemble(fit.covariances)
        return cls(fit.coefficients, assembled, fit.sigma2)


class Predictors:
    """Draws of ``X beta + Z b`` for the rows of the fit, with new effects for every level."""

    def __init__(self, model: FittedModel, truth: Truth, rows, codes):
        k = int(model.reader.intercept)
        beta = truth.coefficients
        intercept = float(beta[0]) if k else 0.0
        predictor = replace(model.predictor, coefficients=beta[k:], intercept=intercept)
        self.mean = predictor(rows, model.reader.unknown(rows))
        self.z = [predictor.varying(rows, f) for f in range(len(codes))]
        self.codes = codes
        self.levels = [len(b) for b in model.fit.effects]
        self.roots = [pivoted_root(S)[0] for S in truth.covariances]

    def __call__(self, rng):
        eta = self.mean.copy()
        parts = zip(self.z, self.codes, self.levels, self.roots, strict=False)
        for z, codes, levels, root in parts:
            b = rng.standard_normal((levels, len(root))) @ root.T
            eta += np.einsum("nq,nq->n", z, b[codes])
        return eta


class Resampler:
    """Responses of a fitted model, or of stated parameters, and its fits to them.

    Attributes
    ----------
    fit : of the model
    truth : what is drawn from
    observed : the response of the fit
    predictors : draws of the linear predictor
    responses : designs of other responses
    within : degrees of freedom of the squares within rows
    """

    def __init__(
        self,
        model: FittedModel,
        *,
        tol: float = 1e-9,
        max_iter: int = 100,
        truth: Truth | None = None,
    ):
        rows, codes = model.training.read()
        source = source_of(model.training, rows, codes)
        self.fit: Fit = model.fit
        self.observed = Drawn(model.training.y)
        self.truth = Truth.of(model.fit) if truth is None else truth
        self.predictors = Predictors(model, self.truth, rows, codes)
        self.responses = responses_of(model.fit.design, source)
        self.weights = source.weights
        self.X = rows.X[:, : model.reader.n_fixed]
        self.codes = codes
        self.within = 0.0
        if model.fit.family.has_residual:
            self.within = within_rows(source.n, source.n_rows)
        self.options = {"tol": tol, "max_iter": max_iter}

    @property
    def dense_order(self) -> int:
        """Of the evaluations of a refit."""
        return self.fit.dense_order

    def draw(self, rng: np.random.Generator) -> Drawn:
        """A response."""
        eta = self.predictors(rng)
        sigma2 = self.truth.sigma2
        y = self.fit.family.draw(rng, eta, sigma2, self.weights)
        squares = sigma2 * rng.chisquare(self.within) if self.within > 0 else 0.0
        return Drawn(y, squares)

    @property
    def at_once(self) -> int:
        """Number of responses that are drawn, and fitted, together."""
        return max(1, min(at_once(self.fit), NUMBERS_AT_ONCE // len(self.X)))

    def refits(self, drawn: Sequence[Drawn]) -> Alone:
        """The fits of several responses; None for those that are to be fitted alone."""
        if self.at_once < 2 or not drawn:
            return Alone(len(drawn))
        y = np.array([own.y for own in drawn]).T
        sums = self.responses.sums_of(y, np.array([own.within for own in drawn]))
        return refits(self.fit, sums, **self.options)

    def refit(self, drawn: Drawn) -> Fit:
        """The fit of a response."""
        family = self.fit.family
        if not family.has_estimates(drawn.y):
            raise ValueError("All outcomes drawn are the same.")
        design = self.responses.design_of(drawn.y, drawn.within)
        fit = self.fit.refit(design, **self.options)
        if family.has_residual or not any(infinite_estimates(fit, self.X, drawn.y, self.codes)):
            return fit
        return fit.unbounded()


def within_rows(total: float, n_rows: int) -> float:
    """Number of observations beyond one per row."""
    if total < n_rows * (1.0 - ROUNDING):
        raise ValueError(
            f"sample_weight: the weights count {total:g} observations in {n_rows} rows, and of a "
            "row no less than one can be drawn.\n"
            "Fit with weights that count repetitions, or without any, before a bootstrap."
        )
    return max(total - n_rows, 0.0)
