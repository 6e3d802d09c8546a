"""Responses drawn from a fitted model, and the model fitted to each of them.

    eta = X beta + Z b,    b ~ N(0, Sigma),    y ~ N(eta, sigma^2 / w)  or  Binomial(w, mu(eta)) / w,

with new effects b for every level.  A row of weight w stands for w observations: y is their mean,
and the squares within rows add ``sigma^2 chi2`` with ``sum w - n_rows`` degrees of freedom to
``y'Wy`` of a linear model, which therefore needs weights that add up to one per row or more.

Only what depends on y is made anew.  A linear model keeps its frame, its plan and all
cross-products but those with y; a logistic one keeps its blocks of rows.  The search starts at the
fitted covariances.
"""

from __future__ import annotations

from copy import copy
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from scipy import sparse

from ..._algebra.roots import pivoted_root
from ..._fit.glmm import NO_EFFECTS, GlmmFit
from ..._fit.linear import LinearFit
from ..._fit.separation import infinite_estimates
from ..._likelihood.linear import ProfiledDeviance
from ..._model.covariances import Parameters
from ..._search.boundary import search
from ..._search.minimize import Optimum
from ..._search.start import typical_floors
from ..._sums.blocks import block_order


def resampler(fit, training, **options):
    """What draws from a fit and refits; ``options`` are the tolerance and limit of the search."""
    kind = LogisticResampler if fit.sigma2 is None else LinearResampler
    return kind(fit, training, **options)


class Drawn(NamedTuple):
    """A response: means of the rows, and the sum of squares of the observations within rows."""

    y: np.ndarray
    within: float = 0.0


class Predictors:
    """Draws of ``X beta + Z b`` for the rows of the fit, with new effects for every level."""

    def __init__(self, fit, training):
        unknown = [np.full(len(code), -1) for code in training.codes]
        self.mean = training.predictor(training.rows, unknown)
        self.z = [training.predictor.varying(training.rows, f) for f in range(len(training.codes))]
        self.codes = training.codes
        self.levels = [len(b) for b in fit.effects]
        self.roots = [pivoted_root(S)[0] for S in fit.model.assemble(fit.covariances)]

    def __call__(self, rng):
        eta = self.mean.copy()
        for z, codes, levels, root in zip(
            self.z, self.codes, self.levels, self.roots, strict=False
        ):
            b = rng.standard_normal((levels, len(root))) @ root.T
            eta += np.einsum("nq,nq->n", z, b[codes])
        return eta


class LinearResampler:
    """Responses of a linear mixed model, and its fits to them."""

    def __init__(self, fit, training, *, tol=1e-9, max_iter=100):
        self.predictors = Predictors(fit, training)
        self.weights = training.weights
        self.sigma2 = fit.sigma2
        self.design = fit.design
        self.model = fit.model
        self.absent = fit.absent
        self.reml = fit.reml
        self.plan = fit.objective.plan
        self.options = {"tol": tol, "max_iter": max_iter}
        self.floors = typical_floors(self.plan)
        self.start = fit.model.start(fit.model.assemble(fit.optimum.point), self.floors)
        self._read(training)

    def _read(self, training):
        """What the sums with y need of the rows: the weighted pool, and ``Z'W`` of every factor."""
        n = len(training.y)
        w = np.ones(n) if self.weights is None else self.weights
        self.spread = np.sqrt(self.sigma2 / w)
        self.within_rows = _within_rows(float(np.sum(w)), n)
        pool = self.design.frame.pool(training.rows.X, np.zeros(n))
        self.pilot = pool[:, -1].copy()
        self.w = w
        self.weighted_pool = np.ascontiguousarray((w[:, None] * pool[:, :-1]).T)
        parts = zip(
            training.codes, self.design.cross.effects, self.design.cross.levels, strict=True
        )
        self.to_levels = [
            _level_sums(code, self.weighted_pool[list(effects)], levels)
            for code, effects, levels in parts
        ]

    @property
    def dense_order(self):
        return self.plan.dense_order

    def draw(self, rng):
        """A response of the fitted model."""
        y = self.predictors(rng)
        y += self.spread * rng.standard_normal(len(y))
        return Drawn(
            y, self.sigma2 * rng.chisquare(self.within_rows) if self.within_rows > 0 else 0.0
        )

    def refit(self, drawn):
        """The :class:`LinearFit` of a response."""
        cross = self._with_response(drawn)
        plan = copy(self.plan)
        plan.cross = cross
        objective = ProfiledDeviance(plan, self.reml)
        searched = objective.condensed()
        optimum = self._optimum(searched)
        evaluated = searched is objective and self.model.blocks
        state = optimum.evaluation if evaluated else objective(self.model.assemble(optimum.point))
        design = replace(self.design, cross=cross)
        return LinearFit(design, objective, self.model, optimum, self.absent, state)

    def _optimum(self, objective):
        if not self.model.blocks:
            return Optimum([], None, 1, True, "no random effects")
        return search(objective, self.model, self.start, self.floors, **self.options)

    def _with_response(self, drawn):
        """The cross-products with another response."""
        scale = self.design.frame.y_scale
        cross = self.design.cross
        y = drawn.y / scale + self.pilot
        gram = cross.gram.copy()
        gram[-1, :-1] = gram[:-1, -1] = self.weighted_pool @ y
        gram[-1, -1] = y @ (self.w * y) + drawn.within / scale**2
        sums = [s.copy() for s in cross.sums]
        for s, to_levels in zip(sums, self.to_levels, strict=True):
            s[:, -1] = (to_levels @ y).reshape(len(s), -1)
        return replace(cross, gram=gram, sums=tuple(sums))


def _within_rows(total, n_rows):
    """Number of observations beyond one per row."""
    if total < n_rows * (1.0 - 1e-12):
        raise ValueError(
            f"sample_weight: the weights count {total:g} observations in {n_rows} rows, and of a row no less than one "
            "can be drawn.\nFit with weights that count repetitions, or without any, before a bootstrap."
        )
    return max(total - n_rows, 0.0)


def _level_sums(codes, columns, levels):
    """The matrix that sums rows times each of the columns (q, n) by level: (q * levels, n)."""
    q, n = columns.shape
    rows = (np.arange(q)[:, None] * levels + codes).ravel()
    return sparse.csr_matrix(
        (columns.ravel(), (rows, np.tile(np.arange(n), q))), shape=(q * levels, n)
    )


class LogisticResampler:
    """Outcomes of a mixed logistic model, and its fits to them."""

    def __init__(self, fit, training, *, tol=1e-9, max_iter=100):
        self.predictors = Predictors(fit, training)
        self.weights = training.weights
        self.design = fit.design
        self.objective = fit.objective
        self.model = fit.model
        self.absent = fit.absent
        self.joint = Parameters(fit.model if fit.design.terms else NO_EFFECTS, fit.rank)
        self.options = {"tol": tol, "max_iter": max_iter, "secants": True}
        self.floors = typical_floors(fit.working.objective.plan)
        *T, beta = fit.optimum.point
        terms = self.joint.covariances
        self.start = [*terms.start(terms.assemble(T), self.floors), beta]
        self.X = training.rows.X[:, : training.rows.n_fixed]
        self.codes = training.codes
        self.order = block_order(training.codes, [len(b) for b in fit.effects], len(training.y))

    @property
    def dense_order(self):
        return max(plan.dense_order for plan in self.objective.plans)

    def draw(self, rng):
        """Outcomes of the fitted model.

        Of w observations the share of ones, what is left of w being one more.
        """
        mean = self.objective.family.mean(self.predictors(rng))
        if self.weights is None:
            return Drawn((rng.random(len(mean)) < mean).astype(float))
        whole = np.floor(self.weights)
        ones = rng.binomial(whole.astype(np.int64), mean) + (self.weights - whole) * (
            rng.random(len(mean)) < mean
        )
        return Drawn(ones / self.weights)

    def refit(self, drawn):
        """The :class:`GlmmFit` of outcomes."""
        if np.ptp(drawn.y) == 0 and drawn.y[0] in (0.0, 1.0):
            raise ValueError("All outcomes drawn are the same.")
        objective = self.objective.with_response(drawn.y[self.order])
        optimum = search(objective, self.joint, self.start, self.floors, **self.options)
        design = replace(self.design, blocks=objective.blocks)
        fit = GlmmFit(design, objective, self.model, optimum, self.absent)
        return fit.unbounded() if any(self._infinite(fit, drawn.y)) else fit

    def _infinite(self, fit, y):
        """What has no finite estimate; rows with both outcomes count as one of each."""
        both = np.flatnonzero((y > 0) & (y < 1))
        rows = np.concatenate([np.arange(len(y)), both])
        outcomes = np.concatenate([np.ceil(y), np.zeros(len(both))])
        codes = [code[rows] for code in self.codes]
        return infinite_estimates(
            fit, self.X[rows], outcomes, self.design.frame.fit_intercept, codes
        )
