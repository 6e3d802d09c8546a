"""Elimination of the random effects: a block Cholesky factorisation that never inverts a
covariance.

Write ``V = W^-1 + sum_f Z_f T_f Z_f'``.  Factors whose diagonal block is block diagonal are
eliminated level by level (*stages*), largest first.  Eliminating a factor keeps the block-diagonal
form of every factor it is nested in, so chains of nested factors stay batched to the end; what is
left, crossed factors, forms one dense matrix.  With ``R'AR + I`` factored per level, ``M = R (R'AR
+ I)^-1 R'``, and ``C`` the sums shared with later factors,

    later blocks  -=  C' M C          later right-hand sides  -=  C' M U

leaves for the later factors exactly their cross-products under the covariance of the rows and the
factors eliminated so far.  Every quantity is well defined at a singular T; the posterior covariance
of the effects is ``M``, not the inverse of a precision that may be infinite.

``C' M C`` is linear in ``M``: the *pair operator* ``P``, a sparse matrix from packed ``M`` to the
entries it changes, is the forward update, and its transpose gathers ``C S C'`` for the derivatives.
"""

from __future__ import annotations

from functools import cached_property
from itertools import pairwise

import numpy as np
from scipy import sparse
from scipy.linalg import blas, lapack

from .levels import (
    inner_products,
    invert_levels,
    marginal_precision,
    multiply_levels,
    posterior_covariance,
    sandwich,
)
from .operators import mirrored
from .packed import triangle_entries, unpack
from .roots import pivoted_root


def _symmetric_product(lower, B):
    """``S B`` from the lower triangle of S, stored row by row."""
    return blas.dsymm(1.0, lower.T, np.asfortranarray(B), lower=0)


class Elimination:
    """The factorisation at one T: solves, log-determinant, and the blocks of the posterior
    covariance.

    With ``once`` the plan's sums are overwritten: no other factorisation will need them.
    """

    def __init__(self, plan, T, roots=None, *, once=False):
        self.plan = plan
        self.T = T
        self.roots = [pivoted_root(t)[0] for t in T] if roots is None else roots
        self.state = plan.state if once or not plan.segments.length else plan.state.copy()
        self.log_determinant = 0.0
        self.M = {}
        self.C = {}
        self.C_transposed = {}
        self.P = {}
        for f in plan.layout.stages:
            self._eliminate(f)
        if plan.layout.dense:
            self._factor_dense()

    def __getstate__(self):
        return {name: value for name, value in vars(self).items() if name != "_posterior"}

    def blocks(self, f):
        """Packed diagonal blocks of a stage, reduced by the stages before it."""
        if f in self.plan.segments.blocks:
            return self.state[self.plan.segments.blocks[f]].reshape(-1, self.plan.cross.levels[f])
        return self.plan.blocks[f]

    def _eliminate(self, f):
        self.M[f], log_determinant = invert_levels(
            self.blocks(f), self.roots[f], self.plan.cross.counts
        )
        self.log_determinant += log_determinant
        if f not in self.plan.couplings:
            return
        self.C[f] = self._current_coupling(f)
        self.C_transposed[f] = self.C[f].T
        self.P[f] = self._operator(f)
        self.plan.operators[f].subtract(self.P[f], self.M[f], self.state)

    def _operator(self, f):
        if f in self.plan.filled:
            return self.plan.filled[f]
        return self.plan.operators[f].at(self._entries(f))

    def _entries(self, f):
        """Current values of C, (q, entries)."""
        return self.C[f].data.reshape(len(self.roots[f]), -1)

    def _current_coupling(self, f):
        """C of a stage; all but the first have been changed by the stages before."""
        matrix = self.plan.couplings[f].matrix
        if f not in self.plan.segments.couplings:
            return matrix
        data = self.state[self.plan.segments.couplings[f]].copy()
        return sparse.csr_matrix((data, matrix.indices, matrix.indptr), shape=matrix.shape)

    def _factor_dense(self):
        side = self.plan.dense_order
        self.reduced = self.state[self.plan.segments.dense].reshape(side, side)
        S = np.empty_like(self.reduced)
        _congruence(
            self.plan, [self.roots[f].T for f in self.plan.layout.dense], self.reduced, out=S
        )
        S.flat[:: side + 1] += 1.0
        self.chol, failed = lapack.dpotrf(S.T, lower=0, clean=0, overwrite_a=1)
        if failed:
            raise np.linalg.LinAlgError(
                "the dense block lost its positive definiteness to rounding"
            )
        self.log_determinant += 2.0 * np.sum(np.log(np.diag(self.chol)))

    def _scaled(self, rows):
        """``R' rows`` with R the block-diagonal root of the dense factors."""
        return _apply_roots(self.plan, [self.roots[f].T for f in self.plan.layout.dense], rows)

    def _unscaled(self, rows):
        return _apply_roots(self.plan, [self.roots[f] for f in self.plan.layout.dense], rows)

    def reduce(self, U):
        """Forward elimination of right-hand sides.

        ``U`` holds (q_f, k, m_f) per factor.  Returns the reduced right-hand sides per factor, the
        stages' ``M U`` and the k x k matrix ``U' M U`` summed over all steps: the part of the
        cross-products that random effects take up.
        """
        make_layout = self.plan.layout
        later = self.plan.to_rows(U) if len(make_layout.order) > 1 else None
        reduced = {}
        taken = {}
        explained = 0.0
        for f in make_layout.stages:
            reduced[f] = U[f] if f == make_layout.order[0] else self.plan.to_levels(f, later)
            taken[f] = multiply_levels(self.M[f], reduced[f])
            explained = explained + inner_products(reduced[f], taken[f])
            if f in self.C:
                later -= self.C_transposed[f] @ taken[f].transpose(0, 2, 1).reshape(
                    -1, later.shape[1]
                )
        if make_layout.dense:
            reduced["dense"] = later[make_layout.dense_start :]
            half = self.whiten(reduced["dense"])
            explained = explained + half.T @ half
        return reduced, taken, explained

    def whiten(self, rows):
        """``L^-1 R' rows`` for rows of the dense block: their squared norm is what the dense
        effects take up.
        """
        return lapack.dtrtrs(self.chol, self._scaled(rows), lower=0, trans=1)[0]

    def solve(self, U):
        """Effects ``B = T Z'V^-1 [..]`` and residual sums ``F = Z'V^-1 [..]`` for right-hand sides
        ``U = Z'W[..]``.

        Also returns ``U' M U`` as :meth:`reduce` does.  B and F are lists over factors of (q_f, k,
        m_f).
        """
        plan = self.plan
        make_layout = self.plan.layout
        reduced, B, explained = self.reduce(U)
        F = [None] * len(U)
        known = np.zeros((make_layout.width, U[0].shape[1])) if len(make_layout.order) > 1 else None
        if make_layout.dense:
            self._solve_dense(reduced["dense"], known, B, F)
        for f in reversed(make_layout.stages):
            rest = reduced[f]
            if f in self.C:
                q = plan.cross.sizes[f]
                m = plan.cross.levels[f]
                rest = rest - (self.C[f] @ known).reshape(q, m, -1).transpose(0, 2, 1)
                B[f] = multiply_levels(self.M[f], rest)
            F[f] = rest - multiply_levels(self.blocks(f), B[f])
            if f in plan.segments.blocks:
                start = make_layout.offsets[f]
                rows = plan.to_columns(f, B[f])
                known[start : start + len(rows)] = rows
        return [B[f] for f in range(len(U))], F, explained

    def _solve_dense(self, rhs, known, B, F):
        plan = self.plan
        start = self.plan.layout.dense_start
        solution = lapack.dpotrs(self.chol, self._scaled(rhs), lower=0)[0]
        known[start:] = self._unscaled(solution)
        rest = np.zeros_like(known)
        rest[start:] = rhs - _symmetric_product(self.reduced, known[start:])
        for f in plan.layout.dense:
            B[f] = plan.to_levels(f, known)
            F[f] = plan.to_levels(f, rest)

    def precisions(self):
        """Packed diagonal blocks of ``Z_f'V^-1 Z_f`` and of the posterior covariance, per
        factor."""
        return self._posterior[:2]

    def pair_covariances(self):
        """Posterior covariances of the levels that meet: (f, g) -> (q_f, q_g, pairs), in the order
        of the pair sums.
        """
        found = {}
        for f in self.C:
            values = self.plan.couplings[f].in_pair_order(
                self._cross_covariance(f, self._posterior[2])
            )
            start = 0
            for g in self.plan.layout.after(f):
                pair = self.plan.cross.pairs[min(f, g), max(f, g)]
                width = self.plan.cross.sizes[g]
                stop = start + width * len(pair.rows)
                shared = values[:, start:stop].reshape(len(values), -1, width).transpose(0, 2, 1)
                found[min(f, g), max(f, g)] = shared if f < g else shared.transpose(1, 0, 2)
                start = stop
        return found | self._dense_pairs()

    def _dense_pairs(self):
        """The same for pairs of factors within the dense block."""
        plan = self.plan
        found = {}
        side = plan.dense_order
        start = plan.layout.dense_start
        S = self._posterior[2][plan.segments.dense].reshape(side, side)
        for (f, g), pair in plan.cross.pairs.items():
            if f in plan.layout.dense and g in plan.layout.dense:
                (q, rows), (k, cols) = [
                    (
                        plan.cross.sizes[h],
                        plan.layout.offsets[h] - start + levels * plan.cross.sizes[h],
                    )
                    for h, levels in ((f, pair.rows), (g, pair.cols))
                ]
                i = rows + np.arange(q)[:, None, None]
                j = cols + np.arange(k)[:, None]
                found[f, g] = S[np.maximum(i, j), np.minimum(i, j)]
        return found

    @cached_property
    def _posterior(self):
        """:meth:`precisions`, and the entries of the later posterior covariance in the layout of
        the state.
        """
        plan = self.plan
        N = [None] * len(self.T)
        posterior = [None] * len(self.T)
        cov = np.empty(plan.segments.length)
        if plan.layout.dense:
            self._dense_precisions(cov, N, posterior)
        for f in reversed(plan.layout.stages):
            Q = plan.operators[f].gather(self.P[f], cov) if f in self.C else None
            N[f] = marginal_precision(self.blocks(f), self.M[f], Q)
            posterior[f] = self.M[f] if Q is None else posterior_covariance(self.M[f], Q)
            if f in plan.segments.blocks:
                cov[plan.segments.blocks[f]] = posterior[f].ravel()
                if f in self.C:
                    cov[plan.segments.couplings[f]] = self._cross_covariance(f, cov).ravel()
        return N, posterior, cov

    def _cross_covariance(self, f, cov):
        """Posterior covariances ``-M C S`` of a stage with the later columns it shares rows
        with."""
        coupling = self.plan.couplings[f]
        operator = self.plan.operators[f]
        q = self.plan.cross.sizes[f]
        m = self.plan.cross.levels[f]
        CS = operator.spread(self.P[f], self._entries(f), cov)
        M = unpack(self.M[f], q)
        level = np.repeat(np.arange(m), np.diff(coupling.indptr))
        return -np.array([sum(M[r][c][level] * CS[c] for c in range(q)) for r in range(q)])

    def _dense_precisions(self, cov, N, posterior):
        plan = self.plan
        inverse = lapack.dpotri(self.chol, lower=0)[0].T
        S = cov[plan.segments.dense].reshape(inverse.shape)
        _congruence(plan, [self.roots[f] for f in plan.layout.dense], inverse, out=S)
        for f in plan.layout.dense:
            rows = self._dense_rows(f)
            posterior[f] = _diagonal_blocks(S, rows, plan.cross.sizes[f])
            N[f] = self._dense_precision(f, rows, inverse)

    def _dense_rows(self, f):
        start = self.plan.layout.offsets[f] - self.plan.layout.dense_start
        return slice(start, start + self.plan.cross.sizes[f] * self.plan.cross.levels[f])

    def _dense_precision(self, f, rows, inverse):
        """``R^-T (I - [S^-1]_ll) R^-1`` where the root is well conditioned, else ``A - A M A``."""
        q = self.plan.cross.sizes[f]
        reduced = _diagonal_blocks(self.reduced, rows, q)
        typical = np.sqrt(max(np.mean(reduced[-1]), np.finfo(float).tiny))
        if np.linalg.svd(self.roots[f], compute_uv=False)[-1] * typical > 1e-3:
            half = np.linalg.inv(self.roots[f])
            taken = _diagonal_blocks(inverse, rows, q)
            pairs = triangle_entries(q)
            taken = [(r == c) - taken[k] for k, (r, c) in enumerate(pairs)]
            return np.array(sandwich(half.T, unpack(taken, q), q))
        A = mirrored(self.reduced)
        columns = A[:, rows]
        solved = lapack.dpotrs(self.chol, self._scaled(columns), lower=0)[0]
        return reduced - _diagonal_blocks(
            columns.T @ self._unscaled(solved), slice(0, columns.shape[1]), q
        )


def _all_scalar(plan):
    return all(plan.cross.sizes[f] == 1 for f in plan.layout.dense)


def _congruence(plan, roots, lower, out):
    """Lower triangle of ``G S G'`` in ``out``, G block diagonal in ``roots``, from the lower
    triangle of S.
    """
    if not _all_scalar(plan):
        out[:] = _apply_roots(plan, roots, _apply_roots(plan, roots, mirrored(lower)).T.copy())
        return
    ends = np.cumsum([0] + [plan.cross.levels[f] for f in plan.layout.dense])
    windows = [slice(lo, hi) for lo, hi in pairwise(ends)]
    for i, rows in enumerate(windows):
        for j, cols in enumerate(
            windows
        ):  # above the diagonal too: what is never written may hold NaN
            np.multiply(lower[rows, cols], roots[i][0, 0] * roots[j][0, 0], out=out[rows, cols])


def _apply_roots(plan, roots, rows):
    """Multiply the rows of every level by the q x q matrix of its factor."""
    out = np.empty_like(rows)
    start = 0
    for f, root in zip(plan.layout.dense, roots, strict=True):
        q = plan.cross.sizes[f]
        m = plan.cross.levels[f]
        window = slice(start, start + q * m)
        if q == 1:
            np.multiply(rows[window], root[0, 0], out=out[window])
        else:
            out[window] = np.einsum("rc,mck->mrk", root, rows[window].reshape(m, q, -1)).reshape(
                q * m, -1
            )
        start += q * m
    return out


def _diagonal_blocks(matrix, rows, q):
    """Packed q x q diagonal blocks of the given rows of a matrix whose lower triangle is valid."""
    first = np.arange(rows.start, rows.stop, q)
    return np.array([matrix[first + r, first + c] for r, c in triangle_entries(q)])
