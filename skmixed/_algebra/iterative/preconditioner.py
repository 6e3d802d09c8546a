"""The blocks of the levels as an approximation of S.

``P = LL'`` is block diagonal, so that the operator seen by the iterations is ``L^-1 S L'^-1``.
"""

from __future__ import annotations

import numpy as np

from .blocks import multiply_blocks


class LevelBlocks:
    """One small matrix per level.

    Attributes
    ----------
    windows : per factor its columns, and the number of its effects
    factors : per factor the lower factors (levels, q, q)
    inverses : per factor the inverses of the blocks
    """

    def __init__(self, windows, diagonal):
        self.windows = [window for window, _ in windows]
        self.factors = [np.linalg.cholesky(blocks) for blocks in diagonal]
        self.inverses = [np.linalg.inv(blocks) for blocks in diagonal]

    def __call__(self, rows):
        """``P^-1 rows``."""
        return self._multiply(self.inverses, rows)

    def root(self, rows):
        """``L rows``."""
        return self._multiply(self.factors, rows)

    @property
    def log_determinant(self):
        """Of P."""
        diagonals = (np.einsum("lrr->lr", factor) for factor in self.factors)
        return 2.0 * float(sum(np.sum(np.log(d)) for d in diagonals))

    def _multiply(self, matrices, rows):
        out = np.empty_like(rows)
        for window, each in zip(self.windows, matrices, strict=True):
            out[window] = multiply_blocks(each, rows[window])
        return out
