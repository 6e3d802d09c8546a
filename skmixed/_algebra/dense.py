"""The crossed factors that are left when all stages are eliminated: one dense matrix.

With A their reduced cross-products and R the block-diagonal root of their covariances, ``R'AR + I =
LL'``.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from scipy.linalg import blas, lapack

from .levels import congruence
from .operators import mirrored
from .packed import triangle_entries

WELL_CONDITIONED = 1e-3  # least singular value of a root, times that of its data, that is inverted


class DenseBlock:
    """The factored dense block; ``reduced`` is the lower triangle of A, row by row.

    Attributes
    ----------
    log_determinant : of ``R'AR + I``
    """

    def __init__(self, plan, roots, reduced):
        self.plan = plan
        self.roots = {f: roots[f] for f in plan.layout.dense}
        self.reduced = reduced
        self._conditioned = {}
        S = np.empty_like(reduced)
        self._congruence([root.T for root in self.roots.values()], reduced, out=S)
        S.flat[:: len(S) + 1] += 1.0
        self.chol, failed = lapack.dpotrf(S.T, lower=0, clean=0, overwrite_a=1)
        if failed:
            raise np.linalg.LinAlgError(
                "the dense block lost its positive definiteness to rounding"
            )
        self.log_determinant = 2.0 * np.sum(np.log(np.diag(self.chol)))

    @property
    def lower(self):
        """L, row by row; above its diagonal is anything."""
        return self.chol.T

    @property
    def is_conditioned(self):
        """Whether the roots of all factors may be inverted."""
        return all(self._is_conditioned(f) for f in self.roots)

    def whiten(self, rows):
        """``L^-1 R' rows``: their squared norm is what the dense effects take up."""
        return lapack.dtrtrs(self.chol, self._scaled(rows), lower=0, trans=1)[0]

    def solve(self, rows):
        """Effects ``M rows``, and ``rows - A M rows``, which is ``R^-T [R'AR + I]^-1 R' rows``."""
        half = lapack.dpotrs(self.chol, self._scaled(rows), lower=0)[0]
        found = self._unscaled(half)
        if self.is_conditioned:
            return found, self._multiply([np.linalg.inv(R).T for R in self.roots.values()], half)
        return found, rows - _symmetric_product(self.reduced, found)

    def posterior(self, out):
        """Lower triangle of the posterior covariance M in ``out``.

        Returns, per factor, the packed diagonal blocks of ``A - A M A`` and of M.
        """
        inverse = lapack.dpotri(self.chol, lower=0)[0].T
        self._congruence(list(self.roots.values()), inverse, out=out)
        N = {f: self._precision(f, inverse) for f in self.roots}
        M = {f: _diagonal_blocks(out, self._rows(f), self.plan.cross.sizes[f]) for f in self.roots}
        return N, M

    def _precision(self, f, inverse):
        """``R^-T (I - [S^-1]_ll) R^-1`` where the root is well conditioned, else ``A - A M A``."""
        q = self.plan.cross.sizes[f]
        rows = self._rows(f)
        if self._is_conditioned(f):
            half = np.linalg.inv(self.roots[f])
            identity = np.array([[float(r == c)] for r, c in triangle_entries(q)])
            return congruence(half.T, identity - _diagonal_blocks(inverse, rows, q))
        reduced = _diagonal_blocks(self.reduced, rows, q)
        columns = mirrored(self.reduced)[:, rows]
        taken = columns.T @ self.solve(columns)[0]
        return reduced - _diagonal_blocks(taken, slice(0, columns.shape[1]), q)

    def _is_conditioned(self, f):
        """Whether the root of a factor may be inverted."""
        if f not in self._conditioned:
            last = self._rows(f)
            last = range(last.stop - 1, last.start, -self.plan.cross.sizes[f])
            typical = np.sqrt(max(np.mean(self.reduced[last, last]), np.finfo(float).tiny))
            least = np.linalg.svd(self.roots[f], compute_uv=False)[-1]
            self._conditioned[f] = bool(least * typical > WELL_CONDITIONED)
        return self._conditioned[f]

    def _rows(self, f):
        first = self.plan.dense_columns(f, 0)
        return slice(first, first + self.plan.cross.sizes[f] * self.plan.cross.levels[f])

    def _scaled(self, rows):
        """``R' rows``."""
        return self._multiply([root.T for root in self.roots.values()], rows)

    def _unscaled(self, rows):
        return self._multiply(self.roots.values(), rows)

    def _multiply(self, roots, rows):
        """Multiply the rows of every level by the q x q matrix of its factor."""
        out = np.empty_like(rows)
        for f, root in zip(self.roots, roots, strict=True):
            own = self._rows(f)
            if len(root) == 1:
                np.multiply(rows[own], root[0, 0], out=out[own])
            else:
                by_level = rows[own].reshape(self.plan.cross.levels[f], len(root), -1)
                out[own] = np.einsum("rc,mck->mrk", root, by_level).reshape(rows[own].shape)
        return out

    def _congruence(self, roots, lower, out):
        """Lower triangle of ``G S G'``, G block diagonal in ``roots``, from that of S."""
        if any(len(root) > 1 for root in roots):
            half = self._multiply(roots, mirrored(lower))
            out[:] = self._multiply(roots, half.T.copy())
            return
        ends = np.cumsum([0] + [self.plan.cross.levels[f] for f in self.roots])
        windows = [slice(lo, hi) for lo, hi in pairwise(ends)]
        # above the diagonal too: what is never written may hold NaN
        for rows, left in zip(windows, roots, strict=True):
            for cols, right in zip(windows, roots, strict=True):
                np.multiply(lower[rows, cols], left[0, 0] * right[0, 0], out=out[rows, cols])


def _symmetric_product(lower, B):
    """``S B`` from the lower triangle of S, stored row by row."""
    return blas.dsymm(1.0, lower.T, np.asfortranarray(B), lower=0)


def _diagonal_blocks(matrix, rows, q):
    """Packed q x q diagonal blocks of the given rows of a matrix whose lower triangle is valid."""
    first = np.arange(rows.start, rows.stop, q)
    return np.array([matrix[first + r, first + c] for r, c in triangle_entries(q)])
