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

from typing import NamedTuple

import numpy as np
from scipy import sparse

from .combinations import taken_pairs
from .dense import DenseBlock
from .levels import invert_levels, invert_only_levels
from .posterior import Posterior
from .roots import pivoted_root
from .stages import STAGE


class Reduction(NamedTuple):
    """Right-hand sides U after forward elimination.

    Attributes
    ----------
    stages : stage -> its reduced right-hand sides (q, k, m)
    taken : stage -> ``M U`` of these
    dense, whitened : those of the dense block, (columns, k), and what whitening makes of them; None
        where there is none
    explained : ``U' M U`` summed over all steps: the part of the cross-products that random effects
        take up
    """

    stages: dict
    taken: dict
    dense: np.ndarray | None
    whitened: np.ndarray | None
    explained: np.ndarray


class Elimination:
    """The factorisation at one T: solves, log-determinant, and the blocks of the posterior
    covariance.

    With ``once`` the plan's sums are overwritten: no other factorisation will need them.

    Attributes
    ----------
    T, roots : per factor its relative covariance, and a root of it
    entries : what elimination has changed, by the positions of the plan's pattern
    M, C, C_transposed, P : per stage its posterior covariance, its coupling, and its operator
    dense : what is left; None where there is nothing
    """

    def __init__(self, plan, T, roots=None, *, once=False):
        self.plan = plan
        self.T = T
        self.roots = [pivoted_root(t)[0] for t in T] if roots is None else roots
        self.entries = plan.entries if once else plan.copied_entries()
        self.log_determinant = 0.0
        self.M = {}
        self.C = {}
        self.C_transposed = {}
        self.P = {}
        self.dense = None
        for f in plan.layout.stages:
            self._eliminate(f)
        if plan.layout.dense:
            self.dense = self._factored(plan.dense_part(self.entries))
            self.log_determinant += self.dense.log_determinant

    def blocks(self, f):
        """Packed diagonal blocks of a stage, reduced by the stages before it."""
        if f in self.plan.pattern.blocks:
            own = self.entries[self.plan.pattern.blocks[f]]
            return own.reshape(-1, self.plan.cross.levels[f])
        return self.plan.blocks[f]

    def coupled(self, f):
        """Current values of C, (q, entries)."""
        return self.C[f].data.reshape(len(self.roots[f]), -1)

    def _eliminate(self, f):
        self.M[f], log_determinant = self._inverted(f)
        self.log_determinant += log_determinant
        if f in self.plan.couplings:
            self.C[f] = self._current_coupling(f)
            self.C_transposed[f] = self.C[f].T
            operator = self.plan.operators[f]
            is_filled = f in self.plan.filled
            self.P[f] = self.plan.filled[f] if is_filled else operator.at(self.coupled(f))
            operator.subtract(self.P[f], self.M[f], self.entries)

    def _inverted(self, f):
        """M of a stage, packed, and the logarithm of what it adds to the determinant."""
        invert = invert_only_levels if len(self.roots) == 1 else invert_levels
        return invert(self.blocks(f), self.roots[f], self.plan.cross.counts)

    def _factored(self, reduced):
        """The dense block."""
        return DenseBlock(self.plan, self.roots, reduced)

    def _current_coupling(self, f):
        """C of a stage; all but the first have been changed by the stages before."""
        matrix = self.plan.couplings[f].matrix
        if f not in self.plan.pattern.shared:
            return matrix
        data = self.entries[self.plan.pattern.shared[f]].copy()
        return sparse.csr_matrix((data, matrix.indices, matrix.indptr), shape=matrix.shape)

    def posterior(self):
        """Blocks of the covariance of the effects."""
        return Posterior(self)

    def taken(self, Z):
        """Pairs (left, right) with ``ZMZ'`` the sum of ``left right'``, for sparse rows Z."""
        return taken_pairs(self, Z)

    def reduce(self, U):
        """Forward elimination of right-hand sides, (q_f, k, m_f) per factor."""
        layout = self.plan.layout
        later = self.plan.later_rows(U) if len(layout.order) > 1 else None
        reduced = {}
        taken = {}
        explained = 0.0
        for f in layout.stages:
            reduced[f] = U[f] if f == layout.order[0] else self.plan.to_levels(f, later)
            shared = self.plan.couplings.get(f), self.C.get(f)
            taken[f], own = STAGE.reduce(*shared, self.M[f], reduced[f], later)
            explained = explained + own
        if self.dense is None:
            return Reduction(reduced, taken, None, None, explained)
        rows = later[layout.dense_start :]
        half = self.dense.whiten(rows)
        return Reduction(reduced, taken, rows, half, explained + half.T @ half)

    def solve(self, U):
        """Effects ``B = T Z'V^-1 [..]`` and residual sums ``F = Z'V^-1 [..]`` for right-hand sides
        ``U = Z'W[..]``.

        Also returns ``U' M U`` as :meth:`reduce` does.  B and F are lists over factors of (q_f, k,
        m_f).
        """
        plan = self.plan
        reduction = self.reduce(U)
        B = reduction.taken
        F = {}
        known = None
        if len(plan.layout.order) > 1:
            known = np.zeros((plan.layout.width, U[0].shape[1]))
        if self.dense is not None:
            self._solve_dense(reduction, known, B, F)
        for f in reversed(plan.layout.stages):
            shared = plan.couplings.get(f), self.C.get(f), self.M[f], self.blocks(f)
            B[f], F[f] = STAGE.solve(*shared, reduction.stages[f], known)
            if f in plan.pattern.blocks:
                self._note(f, B[f], known)
        factors = range(len(U))
        return [B[f] for f in factors], [F[f] for f in factors], reduction.explained

    def _solve_dense(self, reduction, known, B, F):
        start = self.plan.layout.dense_start
        known[start:], left = self.dense.solve(reduction.dense, reduction.whitened)
        rest = np.zeros_like(known)
        rest[start:] = left
        for f in self.plan.layout.dense:
            B[f] = self.plan.to_levels(f, known)
            F[f] = self.plan.to_levels(f, rest)

    def _note(self, f, effects, known):
        start = self.plan.layout.offsets[f]
        rows = self.plan.to_columns(f, effects)
        known[start : start + len(rows)] = rows
