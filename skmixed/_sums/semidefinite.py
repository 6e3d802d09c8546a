"""A root of the cross-products ``G = [Z X]'W[Z X]`` themselves, which may be singular.

The elimination of :mod:`skmixed._algebra.elimination` with generalised inverses of the diagonal
blocks, which is exact where G is positive semidefinite: with ``A = S S'`` the block of a stage and
``H`` the inverse of S on the range of A, what it shares with later columns, C, is ``C'H S'``, and
these keep ``C'HH'C`` less.  So ``G = L L'`` with as many columns as G has rank.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.linalg import lapack, solve_triangular

from .._algebra.elimination import Elimination
from .._algebra.layout import MAX_DENSE, layout_of
from .._algebra.operators import mirrored
from .._algebra.packed import lower_triangle, packed_index
from .._algebra.plan import Plan
from .crossprod import CrossProducts

NOTHING = 1e-10  # of the sum of squares of a column, where it is a combination of others


class Noise(NamedTuple):
    """Sums of independent standard normal errors e over rows of weight w, variances being 1 / w.

    Attributes
    ----------
    z : per factor ``Z'We``, (q, levels)
    x : ``X'We``
    squares : sum of squares of the part of e that they determine
    """

    z: list[np.ndarray]
    x: np.ndarray
    squares: float


class Root:
    """L with ``L L' = [Z X]'W[Z X]``.

    Attributes
    ----------
    plan : of the elimination
    rank : number of columns of L
    """

    def __init__(self, cross: CrossProducts):
        self.plan = _plan(cross)
        factors = range(len(cross.sizes))
        self.elimination = _Semidefinite(self.plan, [np.eye(q) for q in cross.sizes])
        shared = [np.ascontiguousarray(cross.x_sums(f)[:, :-1]) for f in factors]
        gram = cross.fixed_gram()[:-1, :-1]
        left = gram
        self._stages = {}
        self._dense = np.zeros((0, len(gram)))
        if shared:
            reduction = self.elimination.reduce(shared)
            left = gram - reduction.explained
            self._stages = reduction.stages
            if reduction.dense is not None:
                self._dense = self.elimination.dense.whiten(reduction.dense)
        self._x, _, used = _halves(left[None], np.diag(gram)[None])
        self._used_x = used[0]
        stages = (np.sum(used) for *_, used in self.elimination.levels.values())
        self.rank = int(sum(stages) + len(self._dense) + np.sum(used))

    def draw(self, rng: np.random.Generator) -> Noise:
        """``L`` times independent standard normal variables."""
        plan = self.plan
        later = np.zeros((plan.layout.width, 1))
        z = {}
        x = np.zeros(len(self._used_x))
        squares = 0.0
        for f in plan.layout.stages:
            root, half, used = self.elimination.levels[f]
            e = rng.standard_normal(used.shape) * used
            squares += np.sum(e**2)
            z[f] = plan.to_levels(f, later)[:, 0] + np.einsum("mqk,mk->qm", root, e)
            h = np.einsum("mqk,mk->qm", half, e)
            x += np.einsum("qpm,qm->p", self._stages[f], h)
            if f in self.elimination.C:
                later += self.elimination.C_transposed[f] @ h.reshape(-1, 1)
        if self.elimination.dense is not None:
            e = rng.standard_normal(len(self._dense))
            squares += e @ e
            later[plan.layout.dense_start :, 0] += self.elimination.dense.times(e)
            x += self._dense.T @ e
            z |= {f: plan.to_levels(f, later)[:, 0] for f in plan.layout.dense}
        e = rng.standard_normal(len(x)) * self._used_x
        x += self._x[0] @ e
        return Noise([z[f] for f in range(len(z))], x, float(squares + e @ e))


def _plan(cross):
    layout = layout_of(cross)
    if layout.dense_order > MAX_DENSE:
        raise ValueError(
            f"random_effects: the crossed factors leave a dense matrix of {layout.dense_order:,} "
            f"columns, more than the {MAX_DENSE:,} from which sums of responses are drawn.\n"
            "Give the rows by results_.attach(X, y) if they fit into memory: responses are drawn "
            "row by row then."
        )
    return Plan(cross)


class _Semidefinite(Elimination):
    """The elimination that inverts the blocks themselves, on their ranges.

    Attributes
    ----------
    levels : stage -> root, its inverse, and which of its columns there are, level by level
    """

    def __init__(self, plan, identities):
        self.levels = {}
        super().__init__(plan, identities, identities)

    def _inverted(self, f):
        q = self.plan.cross.sizes[f]
        blocks = self.blocks(f)[packed_index(q)].transpose(2, 0, 1)
        squares = self.plan.blocks[f][np.diag(packed_index(q))].T
        self.levels[f] = _halves(blocks, squares)
        half = self.levels[f][1]
        inverse = half @ half.transpose(0, 2, 1)
        return np.ascontiguousarray(inverse.transpose(1, 2, 0)[lower_triangle(q)]), 0.0

    def _factored(self, reduced):
        return _Dense(reduced, np.concatenate([self._squares(f) for f in self.plan.layout.dense]))

    def _squares(self, f):
        return self.plan.blocks[f][np.diag(packed_index(self.plan.cross.sizes[f]))].T.ravel()


class _Dense:
    """The dense block by a Cholesky factorisation with pivots, which ends at its rank."""

    log_determinant = 0.0

    def __init__(self, reduced, squares):
        self._scale = np.sqrt(np.where(squares > 0, squares, 1.0))
        scaled = mirrored(reduced) / np.outer(self._scale, self._scale)
        factor, pivots, rank, _ = lapack.dpstrf(scaled, lower=1, tol=NOTHING)
        self._factor = np.tril(factor)[:, :rank]
        self._pivots = pivots - 1

    def times(self, e):
        """The factor times a vector."""
        out = np.empty(len(self._scale))
        out[self._pivots] = self._factor @ e
        return self._scale * out

    def whiten(self, rows):
        """The inverse of the factor times rows."""
        rows = (rows / self._scale[:, None])[self._pivots[: self._factor.shape[1]]]
        return solve_triangular(self._factor[: len(rows)], rows, lower=True)


def _halves(blocks, squares):
    """Roots (m, q, q) of positive semidefinite blocks, their inverses, and which columns of them
    there are (m, q); ``squares`` (m, q) are sums of squares of the columns that blocks are left of.
    """
    scale = np.sqrt(np.where(squares > 0, squares, 1.0))
    values, vectors = np.linalg.eigh(blocks / (scale[:, :, None] * scale[:, None, :]))
    used = values > NOTHING
    roots = np.sqrt(np.where(used, values, 0.0))
    inverse = np.where(used, 1.0 / np.where(used, roots, 1.0), 0.0)
    vectors_inverse = vectors / scale[:, :, None]
    return scale[:, :, None] * vectors * roots[:, None], vectors_inverse * inverse[:, None], used
