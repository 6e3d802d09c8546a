"""Blocks of the posterior covariance of the effects, and of ``Z'V^-1 Z``, by random vectors.

With ``A`` the reduced sums of the factors that are left, ``M = (I + TA)^-1 T`` their posterior
covariance, and ``E zz' = I``, one solution ``v = (I - MA) z = z - R S^-1 R'A z`` per vector gives

    E (Av) z'       = A - AMA = Z'V^-1 Z,
    E v (Tz)'       = M,
    E (Cv) (CTz)'   = C M C',

which is all that the eliminated factor needs too.  Every one of them is unbiased, at a singular T
as well, and exact for factors whose vectors are unit vectors.
"""

from __future__ import annotations

from functools import cached_property
from typing import NamedTuple

import numpy as np

from ..levels import marginal_precision, posterior_covariance
from .blocks import as_packed, diagonal_blocks

TOLERANCE = 1e-5  # of the solutions: chance is larger
VECTORS_PER_CHUNK = 16
ROWS_PER_CHUNK = 1 << 15


class Draw(NamedTuple):
    """Some vectors of one factor.

    Attributes
    ----------
    weight : one over the number of rounds
    window : columns of the factor
    own : z within the factor, (columns of the factor, k)
    left : v over all that is left
    right : Tz over all that is left
    """

    weight: float
    window: slice
    own: np.ndarray
    left: np.ndarray
    right: np.ndarray


class IterativePosterior:
    """The same questions as to :class:`~skmixed._algebra.posterior.Posterior`.

    Attributes
    ----------
    precisions : packed diagonal blocks of ``Z_f'V^-1 Z_f``, per factor, about
    """

    def __init__(self, elimination):
        self.elimination = elimination
        self.plan = elimination.plan
        self.schur = elimination.schur
        self._solutions = {}
        first, *rest = self.plan.layout.order
        self._first, self._rest = first, rest
        own = {f: np.zeros((levels, q, q)) for f, q, levels in self._shapes()}
        for f, draw in self._draws():
            rows = self.schur.reduced(draw.left)[draw.window]
            q = self.plan.cross.sizes[f]
            own[f] += draw.weight * diagonal_blocks(rows, draw.own, q)
            own[first] += draw.weight * self._of_first(draw, draw)
        self._shared = as_packed(own[first])
        N = {f: as_packed(own[f]) for f in rest}
        N[first] = marginal_precision(self.plan.blocks[first], elimination.M, self._shared)
        self.precisions = [N[f] for f in range(len(N))]

    def _shapes(self):
        sizes, levels = self.plan.cross.sizes, self.plan.cross.levels
        return [(f, sizes[f], levels[f]) for f in self.plan.layout.order]

    def _of_first(self, left, right):
        """``(Cv)_l (CTz)_l'`` of every level of the eliminated factor."""
        C = self.plan.shared
        return diagonal_blocks(C @ left.left, C @ right.right, self.plan.cross.sizes[self._first])

    def _draws(self):
        """All vectors, some at a time."""
        for f, probes in zip(self._rest, self.plan.probes, strict=True):
            for chunk in probes.chunks(VECTORS_PER_CHUNK):
                z = probes.own(chunk)
                spread = probes.spread(z, self.schur.own.shape[0])
                v = self._solved(f, chunk, spread)
                Tz = self.schur.covariances(spread)
                yield f, Draw(1.0 / probes.rounds, probes.window, z, v, Tz)

    def _solved(self, f, chunk, spread):
        """``(I - MA) z``, which is kept."""
        key = f, chunk.start
        if key not in self._solutions:
            rhs = self.schur.scaled(self.schur.reduced(spread))
            found = self.schur.unscaled(self.elimination.inverse(rhs, TOLERANCE))
            self._solutions[key] = spread - found
        return self._solutions[key]

    @cached_property
    def covariances(self):
        """Packed diagonal blocks of the posterior covariance, per factor."""
        M = {self._first: posterior_covariance(self.elimination.M, self._shared)}
        own = {f: np.zeros((levels, q, q)) for f, q, levels in self._shapes()[1:]}
        for _, draw in self._draws():
            for f, (window, q) in zip(self._rest, self.schur.windows, strict=True):
                own[f] += draw.weight * diagonal_blocks(draw.left[window], draw.right[window], q)
        M |= {f: as_packed(blocks) for f, blocks in own.items()}
        return [M[f] for f in range(len(M))]

    def pairs(self):
        """Covariances of the levels that meet: (f, g) -> (q_f, q_g, pairs), in the order of the
        pair sums.
        """
        sizes = self.plan.cross.sizes
        keys = self.plan.cross.pairs
        found = {
            (f, g): np.zeros((sizes[f], sizes[g], len(pair.rows))) for (f, g), pair in keys.items()
        }
        for _, draw in self._draws():
            left, right = self._by_factor(draw.left), self._by_factor(draw.right)
            for (f, g), pair in keys.items():
                v, Tz = left[f][pair.rows], right[g][pair.cols]
                w, Tw = left[g][pair.cols], right[f][pair.rows]
                products = np.einsum("irk,ick->rci", v, Tz) + np.einsum("irk,ick->rci", Tw, w)
                found[f, g] += 0.5 * draw.weight * products
        return found

    def quadratic_forms(self, z, codes):
        """``z'Mz`` of rows, from per factor (n, q) columns and (n,) levels."""
        own = z[self._first]
        blocks = self.schur.posterior[codes[self._first]]
        found = np.einsum("nr,nrc,nc->n", own, blocks, own)
        for _, draw in self._draws():
            left, right = self._by_factor(draw.left), self._by_factor(draw.right)
            for lo in range(0, len(found), ROWS_PER_CHUNK):
                some = slice(lo, lo + ROWS_PER_CHUNK)
                own = [v[some] for v in z], [code[some] for code in codes]
                products = _along(left, *own) * _along(right, *own)
                found[some] += draw.weight * products.sum(axis=1)
        return np.maximum(found, 0.0)

    def _by_factor(self, rows):
        """Per factor (levels, q, k): those of the eliminated one follow from the others."""
        sizes = self.plan.cross.sizes
        own = -self.schur.taken(self.plan.shared @ rows)
        found = {self._first: own.reshape(-1, sizes[self._first], rows.shape[1])}
        for f, (window, q) in zip(self._rest, self.schur.windows, strict=True):
            found[f] = rows[window].reshape(-1, q, rows.shape[1])
        return [found[f] for f in range(len(found))]


def _along(tables, z, codes):
    """What rows z make of vectors of all factors, (n, k)."""
    parts = zip(tables, z, codes, strict=True)
    return sum(np.einsum("nq,nqk->nk", v, table[code]) for table, v, code in parts)
