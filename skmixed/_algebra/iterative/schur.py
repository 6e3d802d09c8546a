"""What is left when the largest factor is eliminated, as an operator.

With ``M = half' half`` the posterior covariance of the eliminated factor and ``B = half C R``,

    S = I + R'A R - B'B,

two sparse products for a block of vectors.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
from scipy import sparse

from ..levels import inverse_factors
from .blocks import as_matrices, block_diagonal, diagonal_matrix, multiply_blocks


class SchurComplement:
    """S at one T.

    Attributes
    ----------
    windows : per factor that is left its columns, and the number of its effects
    log_determinant : of the eliminated factor
    """

    def __init__(self, plan, roots):
        self.plan = plan
        first, *rest = plan.layout.order
        self.half, self.log_determinant = _half_posterior(plan.blocks[first], roots[first])
        self.windows = plan.windows
        self.roots = [roots[f] for f in rest]
        scaling = sparse.block_diag(
            [sparse.kron(diagonal_matrix(np.ones(plan.cross.levels[f])), roots[f]) for f in rest],
            format="csr",
        )
        self.shared = (block_diagonal(self.half) @ plan.shared @ scaling).tocsr()
        own = scaling.T @ plan.unreduced @ scaling
        self.own = (own + diagonal_matrix(np.ones(own.shape[0]))).tocsr()

    def __call__(self, x):
        """``S x``."""
        out = self.own @ x
        out -= self.shared.T @ (self.shared @ x)
        return out

    @cached_property
    def diagonal(self):
        """Per factor that is left its diagonal blocks of S, (levels, q, q)."""
        by_column = self.shared.tocsc()
        return [self._diagonal_blocks(by_column, window, q) for window, q in self.windows]

    def _diagonal_blocks(self, by_column, window, q):
        out = np.empty(((window.stop - window.start) // q, q, q))
        own = self.own[window, window]
        parts = [by_column[:, window.start + r : window.stop : q] for r in range(q)]
        for r in range(q):
            for c in range(r + 1):
                entries = own[r::q, c::q].diagonal()
                entries = entries - parts[r].multiply(parts[c]).sum(axis=0)
                out[:, r, c] = out[:, c, r] = entries
        return out

    def scaled(self, rows):
        """``R' rows``."""
        return self._multiply([root.T for root in self.roots], rows)

    def unscaled(self, rows):
        """``R rows``."""
        return self._multiply(self.roots, rows)

    def covariances(self, rows):
        """``T rows``."""
        return self._multiply([root @ root.T for root in self.roots], rows)

    def _multiply(self, matrices, rows):
        out = np.empty_like(rows)
        for (window, _), matrix in zip(self.windows, matrices, strict=True):
            out[window] = multiply_blocks(matrix, rows[window])
        return out

    def taken(self, rows):
        """``M rows`` of the eliminated factor."""
        return multiply_blocks(self.posterior, rows)

    @cached_property
    def posterior(self):
        """M of every level, (levels, q, q)."""
        return self.half.transpose(0, 2, 1) @ self.half

    def reduced(self, rows):
        """``(A - C'MC) rows``."""
        plan = self.plan
        return plan.unreduced @ rows - plan.shared.T @ self.taken(plan.shared @ rows)


def _half_posterior(A, root):
    """``L^-1 R'`` of every level with ``R'AR + I = LL'``, and the log-determinants' sum."""
    q = len(root)
    inverse, logarithms = inverse_factors(A, root)
    lower = as_matrices(inverse, q) * np.tri(q)
    return lower @ root.T, float(np.sum(logarithms))


def packed_posterior(schur):
    """M of every level, packed."""
    M = schur.posterior
    q = M.shape[1]
    return np.array([M[:, r, c] for r in range(q) for c in range(r + 1)])
