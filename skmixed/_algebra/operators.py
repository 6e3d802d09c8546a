"""``C' M C`` as a linear map of ``M``: the forward update of an elimination, and its transpose for
the derivatives.

The *pair operator* ``P`` is a sparse matrix from packed ``M`` to the entries it changes; its
transpose gathers ``C S C'``.
"""

from __future__ import annotations

import numpy as np

from .kernels import PairOperator, is_dense_product
from .packed import triangle_entries, unpack

__all__ = ["DenseOperator", "PairOperator", "is_dense_product", "mirrored"]


class DenseOperator:
    """The same two maps by dense products, for a stage that shares rows with most of the dense
    block.
    """

    by_root = False

    def __init__(self, pattern, f):
        coupling = pattern.couplings[f]
        self.q = pattern.sizes[f]
        self.levels = pattern.levels[f]
        self._dense = pattern.dense
        self._side = pattern.layout.dense_order
        self._columns = coupling.columns - pattern.layout.dense_start
        self._level = np.repeat(np.arange(self.levels), np.diff(coupling.indptr))

    def at(self, data):
        """``C`` as dense blocks, (q, levels, columns)."""
        blocks = np.zeros((self.q, self.levels, self._side))
        blocks[:, self._level, self._columns] = data
        return blocks

    def subtract(self, blocks, M, entries):
        m = unpack(M, self.q)
        side = blocks.shape[2]
        update = entries[self._dense].reshape(side, side)
        for r in range(self.q):
            MC = sum(m[r][c][:, None] * blocks[c] for c in range(self.q))
            update -= blocks[r].T @ MC

    def gather(self, blocks, entries):
        side = blocks.shape[2]
        S = mirrored(entries[self._dense].reshape(side, side))
        SC = [block @ S for block in blocks]
        return np.array(
            [np.einsum("ms,ms->m", SC[r], blocks[c]) for r, c in triangle_entries(self.q)]
        )

    def spread(self, blocks, data, entries):
        """``C S`` on the pattern of C, (q, entries)."""
        S = mirrored(entries[self._dense].reshape(self._side, self._side))
        return np.array([(block @ S)[self._level, self._columns] for block in blocks])


def mirrored(lower):
    """Full symmetric matrix from its lower triangle."""
    full = np.tril(lower)
    full += np.tril(full, -1).T
    return full
