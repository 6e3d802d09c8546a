"""Elimination of the largest factor, and conjugate gradients for the rest."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from scipy import sparse

from ..levels import inner_products, multiply_levels
from ..roots import pivoted_root
from .blocks import block_diagonal
from .determinant import log_determinant
from .gradients import conjugate_gradients
from .posterior import IterativePosterior
from .preconditioner import LevelBlocks
from .schur import SchurComplement, packed_posterior

SOLVED = 1e-10  # of solutions: residual, as a share of the right-hand side
REQUESTED = 1e-6  # the same of errors, whose own error is about its square
MOST_NUMBERS = 1 << 25  # of all solutions that are asked for at once
COLUMNS = 32  # that are solved for together


class Explained:
    """``U'MU`` of some right-hand sides."""

    def __init__(self, explained):
        self.explained = explained


class IterativeElimination:
    """The same questions as to :class:`~skmixed._algebra.elimination.Elimination`, at one T.

    Attributes
    ----------
    T, roots : per factor its relative covariance, and a root of it
    schur : what is left when the largest factor is eliminated
    preconditioner : of it
    M : the eliminated factor's posterior covariance, packed
    """

    def __init__(self, plan, T, roots=None):
        self.plan = plan
        self.T = T
        self.roots = [pivoted_root(t)[0] for t in T] if roots is None else roots
        self.schur = SchurComplement(plan, self.roots)
        self.preconditioner = LevelBlocks(self.schur.windows, self.schur.diagonal)
        self.M = packed_posterior(self.schur)

    @cached_property
    def determinant(self):
        """Log-determinant and its Monte-Carlo error."""
        rest, error = log_determinant(self.schur, self.preconditioner)
        return self.schur.log_determinant + rest, error

    @property
    def log_determinant(self):
        """About the log-determinant."""
        return self.determinant[0]

    @property
    def log_determinant_error(self):
        """Its Monte-Carlo error."""
        return self.determinant[1]

    def inverse(self, rhs, tol=SOLVED):
        """``S^-1 rhs``."""
        return conjugate_gradients(self.schur, self.preconditioner, rhs, tol).x

    def posterior(self):
        """Blocks of the covariance of the effects, about."""
        return IterativePosterior(self)

    def reduce(self, U):
        """What the effects take up of right-hand sides."""
        return Explained(self._reduced(U)[-1])

    def _reduced(self, U):
        """Rows that are left, what is solved for, the effects that are left, and what is taken."""
        first = self.plan.layout.order[0]
        taken = multiply_levels(self.M, U[first])
        explained = inner_products(U[first], taken)
        rows = self.plan.to_rows(U)[self.plan.layout.dense_start :]
        rows -= self.plan.shared.T @ self.plan.to_columns(first, taken)
        rhs = self.schur.scaled(rows)
        found = self.inverse(rhs)
        products = rhs.T @ found
        return rows, found, explained + (products + products.T) / 2

    def solve(self, U):
        """Effects ``B = T Z'V^-1 [..]`` and residual sums ``F = Z'V^-1 [..]``, and ``U'MU``."""
        plan = self.plan
        first, *rest = plan.layout.order
        rows, found, explained = self._reduced(U)
        effects = self.schur.unscaled(found)
        left = rows - self.schur.reduced(effects)
        own = U[first] - self._own(plan.shared @ effects)
        B = {first: multiply_levels(self.M, own)}
        F = {first: own - multiply_levels(plan.blocks[first], B[first])}
        for f, (window, q) in zip(rest, self.schur.windows, strict=True):
            B[f] = _levels(effects[window], q)
            F[f] = _levels(left[window], q)
        factors = range(len(U))
        return [B[f] for f in factors], [F[f] for f in factors], explained

    def _own(self, rows):
        """Rows of the eliminated factor, (q, k, m)."""
        return _levels(rows, self.plan.cross.sizes[self.plan.layout.order[0]])

    def taken(self, Z):
        """Pairs (left, right) with ``ZMZ'`` the sum of ``left right'``, for sparse rows Z.

        Raises
        ------
        ValueError
            For more rows than there is room for: each takes a solution.
        """
        start = self.plan.layout.dense_start
        most = MOST_NUMBERS // (self.plan.width - start)
        if Z.shape[0] > most:
            raise ValueError(
                f"Errors of {Z.shape[0]:,} predictions or effects take as many solutions by "
                f"conjugate gradients, more than the {most:,} that fit at a time.\n"
                "Ask for fewer rows, or fit with solver='exact'."
            )
        own = sparse.csr_array(Z[:, :start])
        product = own @ block_diagonal(self.schur.posterior)
        yield product, own
        rest = sparse.csr_array(Z[:, start:]) - product @ self.plan.shared
        rhs = self.schur.scaled(rest.toarray().T)
        chunks = (rhs[:, lo : lo + COLUMNS] for lo in range(0, rhs.shape[1], COLUMNS))
        yield np.hstack([self.inverse(chunk.copy(), REQUESTED) for chunk in chunks]).T, rhs.T


def _levels(rows, q):
    """Rows (levels q, k) as (q, k, levels)."""
    return np.ascontiguousarray(rows.reshape(-1, q, rows.shape[1]).transpose(1, 2, 0))
