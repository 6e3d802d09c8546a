"""The crossed factors that are left when all stages are eliminated: one dense matrix.

With A their reduced cross-products and R the block-diagonal root of their covariances, ``R'AR + I =
LL'``.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import blas

from .kernels import factored, quadratic
from .levels import congruence
from .operators import mirrored
from .packed import triangle_entries

WELL_CONDITIONED = 1e-3  # least singular value of a root, times that of its data, that is inverted
ROWS = 64  # of a triangle that stay in the cache


class DenseBlock:
    """The factored dense block; ``reduced`` is the lower triangle of A, row by row, which is
    overwritten where all roots can be inverted.

    Attributes
    ----------
    factor : L
    log_determinant : of ``R'AR + I``
    """

    def __init__(self, plan, roots, reduced):
        self.plan = plan
        self.roots = {f: roots[f] for f in plan.layout.dense}
        well = {f: self._is_well_conditioned(f, reduced) for f in self.roots}
        self.halves = {f: np.linalg.inv(self.roots[f]) for f in self.roots if well[f]}
        S = reduced if all(well.values()) else np.empty_like(reduced)
        self.reduced = None if S is reduced else reduced
        self._congruence([root.T for root in self.roots.values()], reduced, out=S)
        S.flat[:: len(S) + 1] += 1.0
        self.factor = factored(S)
        self.log_determinant = self.factor.log_determinant

    @property
    def lower(self):
        """L, row by row; above its diagonal is anything."""
        return self.factor.upper.T

    @property
    def is_conditioned(self):
        """Whether the roots of all factors may be inverted."""
        return len(self.halves) == len(self.roots)

    def whiten(self, rows):
        """``L^-1 R' rows``: their squared norm is what the dense effects take up."""
        return self.factor.whiten(self._scaled(rows))

    def solve(self, rows, half=None):
        """Effects ``M rows``, and ``rows - A M rows``; ``half`` is what whitening made of them."""
        solution = self.factor.unwhiten(self.whiten(rows) if half is None else half)
        found = self._multiply(self.roots.values(), solution)
        if self.reduced is None:
            return found, self._multiply([half.T for half in self.halves.values()], solution)
        return found, rows - _symmetric_product(self.reduced, found)

    def covariance(self, inverse, out):
        """Lower triangle of the posterior covariance ``M = R S^-1 R'`` in ``out``."""
        self._congruence(list(self.roots.values()), inverse, out=out)

    def diagonal(self, blocks):
        """Per factor, the packed diagonal blocks of ``A - A M A`` and of M, from those of
        ``S^-1``.
        """
        N = {f: self._precision(f, blocks[f]) for f in self.roots}
        M = {f: congruence(root[:, :, None], blocks[f]) for f, root in self.roots.items()}
        return N, M

    def blocks_of(self, inverse):
        """Per factor, the packed diagonal blocks of ``S^-1``."""
        return {f: _diagonal_blocks(inverse, *self._place(f)) for f in self.roots}

    def blocks_by_root(self):
        """The same without ``S^-1``, by rows of the root of it."""
        return {f: self._blocks_by_root(*self._place(f)) for f in self.roots}

    def _blocks_by_root(self, rows, q):
        levels = (rows.stop - rows.start) // q
        columns = np.arange(rows.start, rows.stop, dtype=np.int32)
        indptr = np.arange(levels + 1, dtype=np.int32) * np.int32(q)
        return quadratic(indptr, columns, np.tile(np.eye(q), levels), self.factor.inverse_root)

    def quadratic(self, operator, data):
        """Packed ``C M C'`` of the levels of a stage whose values of C are ``data``."""
        return operator.quadratic(self._times_roots(operator.columns, data), self.factor)

    def _times_roots(self, columns, data):
        """``C R``: a level of the dense block has all its columns in C, or none."""
        out = np.empty_like(data)
        for f, root in self.roots.items():
            own = self._rows(f)
            own = (columns >= own.start) & (columns < own.stop)
            if len(root) == 1:
                np.multiply(data, root[0, 0], out=out, where=own)
            else:
                by_level = data[:, own].reshape(len(data), -1, len(root))
                out[:, own] = (by_level @ root).reshape(len(data), -1)
        return out

    def _is_well_conditioned(self, f, reduced):
        last = np.diag(reduced)[self._rows(f)][len(self.roots[f]) - 1 :: len(self.roots[f])]
        typical = np.sqrt(max(np.mean(last), np.finfo(float).tiny))
        least = np.linalg.svd(self.roots[f], compute_uv=False)[-1]
        return bool(least * typical > WELL_CONDITIONED)

    def _precision(self, f, inverse):
        """``R^-T (I - [S^-1]_ll) R^-1`` where the root is well conditioned, else ``A - A M A``."""
        rows, q = self._place(f)
        if f in self.halves:
            identity = np.array([[float(r == c)] for r, c in triangle_entries(q)])
            return congruence(self.halves[f].T, identity - inverse)
        columns = mirrored(self.reduced)[:, rows]
        taken = columns.T @ self.solve(columns)[0]
        every = slice(0, columns.shape[1])
        return _diagonal_blocks(self.reduced, rows, q) - _diagonal_blocks(taken, every, q)

    def _place(self, f):
        """Rows of a factor, and the number of its effects."""
        return self._rows(f), self.plan.cross.sizes[f]

    def _rows(self, f):
        first = self.plan.dense_columns(f, 0)
        return slice(first, first + self.plan.cross.sizes[f] * self.plan.cross.levels[f])

    def _scaled(self, rows):
        """``R' rows``."""
        return self._multiply([root.T for root in self.roots.values()], rows)

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
        levels = [self.plan.cross.levels[f] for f in self.roots]
        scale = np.repeat([root[0, 0] for root in roots], levels)
        for rows in windows(len(scale)):
            block = out[rows, : rows.stop]
            np.multiply(lower[rows, : rows.stop], scale[rows, None], out=block)
            block *= scale[: rows.stop]


def windows(side):
    """Rows of a triangle, some at a time."""
    return [slice(lo, min(lo + ROWS, side)) for lo in range(0, side, ROWS)]


def _symmetric_product(lower, B):
    """``S B`` from the lower triangle of S, stored row by row."""
    return blas.dsymm(1.0, lower.T, np.asfortranarray(B), lower=0)


def _diagonal_blocks(matrix, rows, q):
    """Packed q x q diagonal blocks of the given rows of a matrix whose lower triangle is valid."""
    first = np.arange(rows.start, rows.stop, q)
    return np.array([matrix[first + r, first + c] for r, c in triangle_entries(q)])
