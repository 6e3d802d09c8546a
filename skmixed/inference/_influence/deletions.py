"""Linear fits without some rows, their relative covariances kept: closed forms.

With ``G = V^-1 X``, ``P = V^-1 - G C G'`` and ``u = Py``, leaving out the rows I changes

    beta     by  -C G_I' (P_II)^-1 u_I,
    C        by  +C G_I' (P_II)^-1 G_I C,
    r^2      by  -u_I' (P_II)^-1 u_I.

For one row ``P_ii = w_i (1 - h_i)``, h the leverage: the diagonal of the matrix that makes fitted
values of responses.  For the rows of a level, where V is block diagonal over the levels, the sums
``[X y]_l' V_l^-1 [X y]_l`` of the level leave ``[X y]'V^-1[X y]``, which is as much (Cook 1977;
Christensen, Pearson and Johnson 1992).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.linalg import cholesky, solve_triangular

from ..._algebra.levels import level_sums
from ..._fit.model import FittedModel
from ..._fit.training import Training
from ..._fit.uncertainty import Linearised, Uncertainty, fitted_variances, prior_variances
from ..._likelihood.linear import LinearState
from ..._sums.source import less
from .._coefficients.clusters import factor_clusters

LEAST_WEIGHT = 1e-10  # of a row of the working model, as a share of the largest
SINGULAR = 1e-10  # least eigenvalue of standardised sums from which coefficients are estimated


@dataclass(frozen=True, eq=False)
class WhitenedRows:
    """The rows of a linear model, and what the inverse of their covariance makes of them.

    All in the frame's units, covariances relative to sigma^2.  For a generalised linear model it is
    the working model at its estimates.

    Attributes
    ----------
    state : the linear model at its estimates
    x, z, y : columns of the fixed effects (n, p), per factor those of its effects, responses
    weights : (n,)
    codes : per factor (n,) levels
    whitened : ``V^-1 [X y]``
    u : ``V^-1 (y - X beta)``
    leverage : (n,) how much a fitted value moves with its own response
    """

    state: LinearState
    x: np.ndarray
    z: list[np.ndarray]
    y: np.ndarray
    weights: np.ndarray
    codes: list[np.ndarray]
    whitened: np.ndarray
    u: np.ndarray
    leverage: np.ndarray

    @classmethod
    def of(cls, state, x, z, y, weights, codes) -> WhitenedRows:
        """The rows a linear model was made from."""
        rest = np.column_stack([x, y])
        own = state.B[: len(codes)]  # without groups the working model has effects that are none
        for columns, effects, code in zip(z, own, codes, strict=True):
            for column, b in zip(columns.T, effects, strict=True):
                rest -= column[:, None] * b[:, code].T
        whitened = weights[:, None] * rest
        leverage = weights * fitted_variances(state, x, z, codes)
        u = whitened @ state.fixed.contrast
        return cls(state, x, z, y, weights, codes, whitened, u, leverage)

    @property
    def n(self) -> float:
        """Number of observations."""
        return float(np.sum(self.weights))

    @property
    def n_levels(self) -> list[int]:
        """Number of levels of every factor."""
        return self.state.objective.plan.cross.levels

    @property
    def residuals(self) -> np.ndarray:
        """``y - X beta - Z b``."""
        return self.u / self.weights

    @property
    def marginal_variances(self) -> np.ndarray:
        """Diagonal of V."""
        new = [np.full(len(self.y), -1) for _ in self.codes]
        return 1.0 / self.weights + prior_variances(self._T, self.z, new)

    @property
    def marginal_residuals(self) -> np.ndarray:
        """``y - X beta``."""
        return self.y - self.x @ self.state.fixed.beta

    @property
    def _T(self):
        return self.state.elimination.T if self.codes else []

    def covariance(self, own: np.ndarray) -> np.ndarray:
        """V of some rows."""
        V = np.diag(1.0 / self.weights[own])
        for z, code, T in zip(self.z, self.codes, self._T, strict=True):
            meets = code[own, None] == code[own]
            V += np.where(meets, z[own] @ T @ z[own].T, 0.0)
        return V

    def precision(self, own: np.ndarray) -> np.ndarray:
        """``V^-1`` of all rows, its block of some: ``W - W Z M Z'W`` of these."""
        w = self.weights[own]
        if not self.codes:
            return np.diag(w)
        nothing = np.zeros(len(own))
        z = [columns[own] for columns in self.z]
        codes = [c[own] for c in self.codes]
        some = Linearised(nothing, nothing + 1.0, nothing, self.x[own], z, codes)
        taken = self._given_parameters.covariances(self._given_parameters.estimates(some))
        return np.diag(w) - w[:, None] * taken * w

    @cached_property
    def _given_parameters(self):
        """What is not known of the effects where the parameters are."""
        p = self.x.shape[1]
        return Uncertainty(self.state, 1.0, np.zeros((p, p)))

    @property
    def independent_sets(self) -> list[np.ndarray]:
        """Sets of rows that are correlated within only: levels of an outermost factor, or all."""
        factors = range(len(self.codes))
        if not self.codes:
            return [np.array([row]) for row in range(len(self.y))]
        found = [f for f in factors if is_outermost(self.codes, self.n_levels, f)]
        return positions(self.codes[found[0]]) if found else [np.arange(len(self.y))]


def _rows_of_linear(model: FittedModel, part: Training) -> WhitenedRows:
    fit = model.fit
    source = part.source()
    x, z, y = fit.units.columns_and_response(source.X, source.response)
    weights = np.ones(len(y)) if source.weights is None else source.weights
    return WhitenedRows.of(fit.linear, x, z, y, weights, list(source.codes))


def _rows_of_generalised(model: FittedModel, part: Training) -> WhitenedRows:
    fit = model.fit
    rows, codes = part.read()
    x, z = fit.units.columns(rows.X)
    eta = model.predictor(rows, codes)
    point = fit.family.at(eta, part.y, part.known_weights)
    w = np.maximum(point.weight, LEAST_WEIGHT * np.max(point.weight))
    y = less(eta, rows.offset) + point.score / w
    return WhitenedRows.of(fit.linear, x, z, y, w, codes)


#: by whether there is a residual variance
ROWS = {True: _rows_of_linear, False: _rows_of_generalised}


def rows_of(model: FittedModel, part: Training) -> WhitenedRows:
    """Rows of a fitted model, or those of its working model."""
    return ROWS[model.fit.family.has_residual](model, part)


@dataclass(frozen=True, eq=False)
class Deleted:
    """Generalised least squares without each of some units, in the frame's units.

    Attributes
    ----------
    beta : (units, p)
    C : (units, p, p) covariance of beta relative to sigma^2
    r2 : (units,) residual sum of squares
    n : (units,) observations that are left
    """

    beta: np.ndarray
    C: np.ndarray
    r2: np.ndarray
    n: np.ndarray

    def sigma2(self, reml: float) -> np.ndarray:
        """Residual variance, estimated from what is left."""
        return self.r2 / (self.n - reml * self.beta.shape[1])


def without_rows(rows: WhitenedRows) -> Deleted:
    """Without each row."""
    fixed = rows.state.fixed
    left = rows.weights * (1.0 - rows.leverage)
    CG = rows.whitened[:, :-1] @ fixed.covariance
    return Deleted(
        fixed.beta - CG * (rows.u / left)[:, None],
        fixed.covariance + np.einsum("np,nr->npr", CG / left[:, None], CG),
        fixed.r2 - rows.u**2 / left,
        rows.n - rows.weights,
    )


def without_levels(rows: WhitenedRows, f: int) -> Deleted:
    """Without each level of factor f."""
    if is_outermost(rows.codes, rows.n_levels, f):
        return _outermost(rows.state, [rows], f)
    return _crossed(rows, f)


def without_levels_read_again(model: FittedModel, f: int) -> Deleted:
    """The same of rows that are read part by part, for an outermost factor."""
    if any(parents is None for parents in factor_clusters(model, f).parents):
        raise ValueError(
            f"by={model.names.factors[f]!r}: other factors are crossed with it, so that all rows "
            "are needed at once, and these are read part by part.\n"
            "Give them by results_.attach(X, y) if they fit into memory."
        )
    return _outermost(model.fit.linear, (rows_of(model, part) for part in model.parts()), f)


def _outermost(state, parts, f):
    sums, n = level_products(parts, f)
    return _solved(state.fixed.S - sums, np.sum(n) - n)


def positions(codes: np.ndarray) -> list[np.ndarray]:
    """Rows of every level."""
    order = np.argsort(codes, kind="stable")
    return np.split(order, np.cumsum(np.bincount(codes))[:-1])


def is_outermost(codes: Sequence[np.ndarray], n_levels: Sequence[int], f: int) -> bool:
    """Whether all other factors are nested in f, so that V is block diagonal over its levels."""
    pairs = (np.unique(own.astype(np.int64) * n_levels[f] + codes[f]) for own in codes)
    return all(len(found) == m for found, m in zip(pairs, n_levels, strict=True))


def level_products(parts: Iterable[WhitenedRows], f: int) -> tuple[np.ndarray, np.ndarray]:
    """``[X y]_l'V_l^-1[X y]_l`` of every level of a factor, and its number of observations, from
    rows in parts.
    """
    out = n = None
    for rows in parts:
        m = rows.n_levels[f]
        columns = np.column_stack([rows.x, rows.y])
        if out is None:
            out, n = np.zeros((columns.shape[1], m, columns.shape[1])), np.zeros(m)
        for column, sums in zip(columns.T, out, strict=True):
            level_sums(rows.codes[f], np.ascontiguousarray(column), rows.whitened, sums)
        n += np.bincount(rows.codes[f], rows.weights, m)
    return out.transpose(1, 0, 2), n


def _solved(S: np.ndarray, n: np.ndarray) -> Deleted:
    """From ``[X y]'V^-1[X y]`` of what is left, (units, p + 1, p + 1).

    NaN where a coefficient can't be estimated from it.
    """
    S = (S + S.transpose(0, 2, 1)) / 2
    size = np.sqrt(np.maximum(np.diagonal(S, axis1=1, axis2=2)[:, :-1], np.finfo(float).tiny))
    scaled = S[:, :-1, :-1] / (size[:, :, None] * size[:, None, :])
    values, vectors = np.linalg.eigh(scaled)
    values = np.where(values > SINGULAR, values, np.nan)
    half = vectors / size[:, :, None]
    C = (half / values[:, None, :]) @ half.transpose(0, 2, 1)
    beta = np.einsum("kpr,kr->kp", C, S[:, :-1, -1])
    return Deleted(beta, C, S[:, -1, -1] - np.sum(S[:, -1, :-1] * beta, axis=1), n)


def _crossed(rows: WhitenedRows, f: int) -> Deleted:
    """Without each level of a factor that is crossed with others.

    With ``K = (V^-1)_II`` and ``w_I`` the whitened rows of the level, what is left sums to ``S -
    w_I'K^-1 w_I``.
    """
    m = rows.n_levels[f]
    p = rows.x.shape[1]
    S = np.empty((m, p + 1, p + 1))
    for level, own in enumerate(positions(rows.codes[f])):
        root = cholesky(rows.precision(own), lower=True)
        half = solve_triangular(root, rows.whitened[own], lower=True)
        S[level] = rows.state.fixed.S - half.T @ half
    return _solved(S, rows.n - np.bincount(rows.codes[f], rows.weights, m))
