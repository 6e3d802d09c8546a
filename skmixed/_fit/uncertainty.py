"""Errors of predictions, and of whatever is a linear combination of them.

For a row (x, z) the error of ``x'beta + z'b`` has variance

    sigma^2 [ z'Mz + (x - B'z)' C (x - B'z) ],      M = T - T Z'V^-1 Z T,   B = T Z'V^-1 X,

with M the posterior covariance of all effects given the fixed ones.  ``z'Mz`` is the sum that
forward elimination of the column z takes up, so rows are pushed through the stages as sparse rows;
levels that were never seen keep their prior covariance ``z'Tz`` (Henderson 1975).

In general the prediction of a row is a mean ``m(eta, v)`` of the linear predictor over the known
effects and of ``v = z'Tz``, the variance of what is integrated over.  By the delta method its
derivatives,

    dm/deta z         in b,
    dm/dv dv/dtheta   in the covariance parameters,
    dm/deta (x - B'z) in beta,

are all that is needed (b moves with beta by -B).  An average of predictions has the average of
their derivatives, so that the covariance between rows is kept.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, reduce
from operator import add, sub

import numpy as np
from scipy import sparse

from .._algebra.combinations import sparse_rows
from .._algebra.packed import packed_index

ROWS_PER_CHUNK = 1 << 14


@dataclass(frozen=True, eq=False)
class Linearised:
    """Predictions of rows with what their derivatives are made of.

    Attributes
    ----------
    mean, slope, bend : (n,) the prediction m, dm/deta and dm/dv
    x : (n, p) pool columns of the fixed effects
    z : per factor (n, q) pool columns of its effects
    codes : per factor (n,) the levels, -1 for those that are integrated over
    standard : (n, candidates) standardised columns of the fixed effects, where it matters which
        combinations of them the data determine
    """

    mean: np.ndarray
    slope: np.ndarray
    bend: np.ndarray
    x: np.ndarray
    z: list
    codes: list
    standard: np.ndarray | None = None

    def __len__(self):
        return len(self.mean)

    def __getitem__(self, rows):
        z = [v[rows] for v in self.z]
        codes = [c[rows] for c in self.codes]
        standard = None if self.standard is None else self.standard[rows]
        own = self.mean[rows], self.slope[rows], self.bend[rows], self.x[rows]
        return Linearised(*own, z, codes, standard)

    def chunks(self):
        """Slices of the rows."""
        return [slice(lo, lo + ROWS_PER_CHUNK) for lo in range(0, len(self), ROWS_PER_CHUNK)]


@dataclass(frozen=True, eq=False)
class Estimates:
    """Numbers that follow from a fit, with their derivatives: closed under linear combinations.

    Attributes
    ----------
    values : (k,)
    effects : sparse (k, all effects) derivatives in the effects of known levels
    parameters : (k, parameters) in the covariance parameters and beta, with what beta does to the
        effects
    standard : (k, candidates) what they are of the standardised columns of the fixed effects, or
        (k, 0) where that does not matter
    """

    values: np.ndarray
    effects: sparse.csr_matrix
    parameters: np.ndarray
    standard: np.ndarray

    @property
    def parts(self):
        """All that is linear."""
        return self.values, self.effects, self.parameters, self.standard

    def combined(self, weights):
        """Linear combinations with (sparse) weights (targets, k)."""
        return Estimates(*(weights @ part for part in self.parts))

    def __add__(self, other):
        return Estimates(*map(add, self.parts, other.parts))

    def __rmul__(self, factor):
        return Estimates(*(factor * part for part in self.parts))

    def __sub__(self, other):
        return Estimates(*map(sub, self.parts, other.parts))


def stacked(parts):
    """Several of them, one below the other."""
    values, effects, parameters, standard = zip(*(part.parts for part in parts), strict=True)
    return Estimates(
        np.concatenate(values),
        sparse.vstack(effects, format="csr"),
        np.vstack(parameters),
        np.vstack(standard),
    )


@dataclass(frozen=True, eq=False)
class Uncertainty:
    """What a fit does not know: the effects, with covariance ``scale * M``, and its parameters.

    Attributes
    ----------
    state : the linear model at the optimum, or the working one
    scale : sigma^2, one where there is none
    covariance : of the parameters (covariance parameters, beta), beta in the frame's units
    prior_derivatives : function of z and n, derivatives of ``z'Tz`` in the covariance parameters,
        (n, parameters)
    """

    state: object
    scale: float
    covariance: np.ndarray
    prior_derivatives: Callable = lambda z, n: np.zeros((n, 0))

    def estimates(self, rows):
        """The predictions of :class:`Linearised` rows with their derivatives."""
        levels = zip(rows.z, rows.codes, strict=True)
        new = [np.where((code < 0)[:, None], v, 0.0) for v, code in levels]
        along_covariances = rows.bend[:, None] * self.prior_derivatives(new, len(rows))
        effects = self._along_effects(rows)
        along_beta = rows.slope[:, None] * rows.x
        if effects.nnz:
            along_beta = along_beta - effects @ self._B
        standard = np.zeros((len(rows), 0)) if rows.standard is None else rows.standard
        parameters = np.hstack([along_covariances, along_beta])
        return Estimates(rows.mean, effects, parameters, standard)

    def _along_effects(self, rows):
        if not rows.z:
            return sparse.csr_matrix((len(rows), 0))
        z = [rows.slope[:, None] * v for v in rows.z]
        return sparse_rows(self.state.objective.plan, z, rows.codes)

    @cached_property
    def _B(self):
        return self.state.objective.plan.to_rows([b[:, :-1] for b in self.state.B])

    def combined(self, weights, *tables, combination=lambda rows: rows):
        """``weights @ combination(...)`` of the predictions of tables with the same rows.

        Weights (targets, rows).
        """

        def summed(part):
            estimates = [self.estimates(table[part]) for table in tables]
            return combination(*estimates).combined(weights[:, part])

        return reduce(add, map(summed, tables[0].chunks()))

    def row_variances(self, rows):
        """Variance of every prediction."""
        parts = [self.variances(self.estimates(rows[part])) for part in rows.chunks()]
        return np.concatenate(parts or [np.zeros(0)])

    def variances(self, estimates):
        """Variance of each."""
        g = estimates.parameters
        parts = (_row_products(*pair) for pair in self._taken(estimates.effects))
        known = np.einsum("np,pr,nr->n", g, self.covariance, g)
        return np.maximum(self.scale * sum(parts, start=0.0) + known, 0.0)

    def covariances(self, estimates):
        """Covariance matrix of all of them."""
        g = estimates.parameters
        posterior = sum((_products(*pair) for pair in self._taken(estimates.effects)), start=0.0)
        return self.scale * posterior + g @ self.covariance @ g.T

    def _taken(self, effects):
        return self.state.elimination.taken(effects) if effects.nnz else ()


def error_variances(state, x, z, codes, *, prior=True):
    """Variance of ``x'beta + z'b`` per row in units of sigma^2.

    ``x`` (n, p) and ``z`` (per factor (n, q)) are pool columns, ``codes`` per factor the levels, -1
    for new ones, which count with their prior covariance if ``prior``.
    """
    n = len(x)
    rows = Linearised(np.zeros(n), np.ones(n), np.zeros(n), x, z, codes)
    out = Uncertainty(state, 1.0, state.fixed.covariance).row_variances(rows)
    return out + prior_variances(state.elimination.T, z, codes) if prior and z else out


def fitted_variances(state, x, z, codes):
    """Variances of ``x'beta + z'b`` of all rows of a fit in units of sigma^2; by random vectors
    where each would be a solution.
    """
    if not codes or state.objective.plan.solver == "exact":
        return error_variances(state, x, z, codes)
    moved = x - sum(
        np.einsum("nq,qpn->np", v, B[:, :-1][:, :, code])
        for v, B, code in zip(z, state.B, codes, strict=True)
    )
    through_beta = np.einsum("np,pr,nr->n", moved, state.fixed.covariance, moved)
    return state.posterior.quadratic_forms(z, codes) + through_beta


def level_error_variances(state, f, basis):
    """Variances of ``z'b`` of all levels of factor f for the rows z of ``basis``, in units of
    sigma^2, (levels, rows).

    From the blocks of the levels, which an iterative elimination knows about.
    """
    q = len(state.T[f])
    M = state.posterior.covariances[f][packed_index(q)]
    zB = np.einsum("rq,qpm->rpm", basis, state.B[f][:, :-1])
    through_beta = np.einsum("rpm,ps,rsm->mr", zB, state.fixed.covariance, zB)
    return np.maximum(np.einsum("rq,qsm,rs->mr", basis, M, basis), 0.0) + through_beta


def prior_variances(T, z, codes):
    """``z'Tz`` summed over the factors whose level is new."""
    parts = zip(T, z, codes, strict=True)
    return sum(
        (np.where(code < 0, np.einsum("ni,ij,nj->n", v, t, v), 0.0) for t, v, code in parts),
        start=0.0,
    )


def _row_products(left, right):
    """Diagonal of ``left right'``."""
    if sparse.issparse(left):
        return np.asarray(left.multiply(right).sum(axis=1)).ravel()
    return np.sum(left * right, axis=1)


def _products(left, right):
    product = left @ right.T
    return product.toarray() if sparse.issparse(product) else product
