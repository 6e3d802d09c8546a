"""Blocks of the posterior covariance of the effects, by going back through an elimination.

Backwards, a stage knows the posterior covariance S of the columns after it: its own is ``M + M C S
C'M``, and ``-M C S`` with those it shares rows with.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from .levels import marginal_precision, posterior_covariance
from .packed import unpack


class Posterior:
    """Diagonal blocks of ``Z'V^-1 Z`` and of the posterior covariance of one elimination.

    Attributes
    ----------
    precisions : packed diagonal blocks of ``Z_f'V^-1 Z_f``, per factor
    covariances : those of the posterior covariance
    """

    def __init__(self, elimination):
        self.elimination = elimination
        self.plan = elimination.plan
        N = {}
        M = {}
        if elimination.dense is not None:
            N, M = elimination.dense.diagonal(self._dense_blocks())
        for f in reversed(self.plan.layout.stages):
            N[f], M[f] = self._stage(f)
        factors = range(len(elimination.T))
        self.precisions = [N[f] for f in factors]
        self.covariances = [M[f] for f in factors]

    @cached_property
    def _is_by_root(self):
        """Whether a root of the dense inverse gives all that is asked of it, but for pairs."""
        stages = self.plan.layout.stages
        return len(stages) == 1 and all(o.by_root for o in self.plan.operators.values())

    def _dense_blocks(self):
        """Packed diagonal blocks of the dense inverse."""
        dense = self.elimination.dense
        if self._is_by_root:
            return dense.blocks_by_root()
        inverse = dense.factor.inverse
        dense.covariance(inverse, out=self._dense_entries)
        return dense.blocks_of(inverse)

    @cached_property
    def entries(self):
        """Those of the later posterior covariance, by the positions of the plan's pattern."""
        entries = np.empty(self.plan.pattern.length)
        if self._is_by_root:
            dense = self.elimination.dense
            dense.covariance(dense.factor.inverse, out=self.plan.dense_part(entries))
        return entries

    @property
    def _dense_entries(self):
        return self.plan.dense_part(self.entries)

    def _stage(self, f):
        elimination = self.elimination
        is_coupled = f in elimination.C
        M = elimination.M[f]
        Q = self._gathered(f) if is_coupled else None
        N = marginal_precision(elimination.blocks(f), M, Q)
        posterior = posterior_covariance(M, Q) if is_coupled else M
        if f in self.plan.pattern.blocks:
            self.entries[self.plan.pattern.blocks[f]] = posterior.ravel()
            if is_coupled:
                self.entries[self.plan.pattern.shared[f]] = self._cross_covariance(f).ravel()
        return N, posterior

    def _gathered(self, f):
        """Packed ``C S C'`` of every level of a stage."""
        operator = self.plan.operators[f]
        if self._is_by_root:
            return self.elimination.dense.quadratic(operator, self.elimination.coupled(f))
        return operator.gather(self.elimination.P[f], self.entries)

    def _cross_covariance(self, f):
        """Posterior covariances ``-M C S`` of a stage with the later columns it shares rows
        with.
        """
        elimination = self.elimination
        q = self.plan.cross.sizes[f]
        counts = np.diff(self.plan.couplings[f].indptr)
        level = np.repeat(np.arange(len(counts)), counts)
        operator = self.plan.operators[f]
        CS = operator.spread(elimination.P[f], elimination.coupled(f), self.entries)
        M = unpack(elimination.M[f], q)
        return -np.array([sum(M[r][c][level] * CS[c] for c in range(q)) for r in range(q)])

    def pairs(self):
        """Covariances of the levels that meet: (f, g) -> (q_f, q_g, pairs), in the order of the
        pair sums.
        """
        found = {}
        for f in self.elimination.C:
            found |= self._coupled_pairs(f)
        return found | {key: self._dense_pair(*key) for key in self.plan.layout.dense_pairs}

    def _coupled_pairs(self, f):
        values = self.plan.couplings[f].in_pair_order(self._cross_covariance(f))
        found = {}
        start = 0
        for g in self.plan.layout.after(f):
            key = (min(f, g), max(f, g))
            width = self.plan.cross.sizes[g]
            stop = start + width * len(self.plan.cross.pairs[key].rows)
            shared = values[:, start:stop].reshape(len(values), -1, width).transpose(0, 2, 1)
            found[key] = shared if f < g else shared.transpose(1, 0, 2)
            start = stop
        return found

    def _dense_pair(self, f, g):
        """The same for a pair of factors within the dense block."""
        pair = self.plan.cross.pairs[f, g]
        sizes = self.plan.cross.sizes
        rows = self.plan.dense_columns(f, pair.rows)
        cols = self.plan.dense_columns(g, pair.cols)
        i = rows + np.arange(sizes[f])[:, None, None]
        j = cols + np.arange(sizes[g])[:, None]
        return self._dense_entries[np.maximum(i, j), np.minimum(i, j)]
