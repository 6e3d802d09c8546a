"""Variances of predictions: posterior quadratic forms for arbitrary rows.

For a row (x, z) the error of ``x'beta + z'b`` has variance

    sigma^2 [ z'Mz + (x - B'z)' C (x - B'z) ],      M = T - T Z'V^-1 Z T,   B = T Z'V^-1 X,

with M the posterior covariance of all effects given the fixed ones.  ``z'Mz`` is the sum that forward elimination of
the column z takes up, so rows are pushed through the stages as sparse rows; levels that were never seen keep their
prior covariance ``z'Tz`` (Henderson 1975).
"""

from __future__ import annotations

import numpy as np
from scipy import sparse

from . import _kernels as kernels

ROWS_PER_CHUNK = 1 << 14


def error_variances(state, x, z, codes, *, prior=True):
    """Variance of ``x'beta + z'b`` per row in units of sigma^2.

    ``x`` (n, p) and ``z`` (per factor (n, q)) are pool columns, ``codes`` per factor the levels, -1 for new ones, which
    count with their prior covariance if ``prior``.
    """
    out = np.empty(len(x))
    T = state.elimination.T if z else ()
    for rows, posterior, shift in posterior_parts(state, x, z, codes):
        out[rows] = posterior + np.einsum("np,pr,nr->n", shift, state.fixed.covariance, shift)
        if prior:
            out[rows] += prior_variances(T, [v[rows] for v in z], [c[rows] for c in codes])
    return out


def posterior_parts(state, x, z, codes):
    """Slices of the rows with ``z'Mz`` and ``x - B'z``, the effects of known levels only."""
    for lo in range(0, len(x), ROWS_PER_CHUNK):
        rows = slice(lo, lo + ROWS_PER_CHUNK)
        yield rows, *_parts(state, x[rows], [v[rows] for v in z], [c[rows] for c in codes])


def _parts(state, x, z, codes):
    if not z:
        return np.zeros(len(x)), x
    Z = _sparse_rows(state.objective.plan, z, codes)
    B = state.objective.plan.to_rows([b[:, :-1] for b in state.B])
    return _posterior(state.elimination, Z), x - Z @ B


def prior_variances(T, z, codes):
    """``z'Tz`` summed over the factors whose level is new."""
    parts = zip(T, z, codes, strict=True)
    return sum((np.where(code < 0, np.einsum("ni,ij,nj->n", v, t, v), 0.0) for t, v, code in parts), start=0.0)


def _sparse_rows(plan, z, codes):
    """Rows z over all effects, in elimination order; unseen levels are left out."""
    rows, columns, values = [], [], []
    for f, (v, code) in enumerate(zip(z, codes, strict=True)):
        known = np.flatnonzero(code >= 0)
        for r in range(v.shape[1]):
            rows.append(known)
            columns.append(plan.layout.offsets[f] + code[known] * v.shape[1] + r)
            values.append(v[known, r])
    entries = (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns)))
    return sparse.csr_matrix(entries, shape=(len(z[0]), plan.layout.width))


def _posterior(elimination, Z):
    """``z'Mz`` for sparse rows Z, by forward elimination."""
    plan, total = elimination.plan, np.zeros(Z.shape[0])
    for f in plan.layout.stages:
        q, m = plan.cross.sizes[f], plan.cross.levels[f]
        start = plan.layout.offsets[f]
        own = Z[:, start : start + q * m]
        taken = own @ _block_diagonal(elimination.M[f], q)
        total += np.asarray(taken.multiply(own).sum(axis=1)).ravel()
        if f in elimination.C:
            level_major = (np.arange(m)[:, None] + m * np.arange(q)).ravel()
            Z = Z - taken @ elimination.C[f][level_major]
    if plan.layout.dense:
        rest = Z[:, plan.layout.dense_start :].toarray()
        total += np.sum(elimination.whiten(rest.T) ** 2, axis=0)
    return total


def _block_diagonal(packed, q):
    blocks = packed[kernels.packed_index(q)].transpose(2, 0, 1)
    levels = len(blocks)
    return sparse.bsr_matrix((blocks, np.arange(levels), np.arange(levels + 1)), shape=(q * levels, q * levels)).tocsr()
