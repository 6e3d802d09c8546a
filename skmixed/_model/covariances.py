"""The covariances of all terms together, and the parameters that may follow them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .._algebra.packed import lower_triangle
from .structures import Chart


@dataclass(frozen=True)
class PlacedTerm:
    """Where the covariance of one term sits: its structure, its factor and its first column within
    the factor.
    """

    structure: object
    factor: int
    offset: int

    @property
    def window(self):
        return slice(self.offset, self.offset + self.structure.size)


class Covariances:
    """All terms together: one block-diagonal relative covariance per grouping factor.

    A *point* is the list of the terms' matrices.  Derivatives are exchanged with the objective in
    packed form, the lower triangles of the factors' matrices one after the other.
    """

    def __init__(self, blocks, sizes):
        self.blocks = tuple(blocks)
        self.sizes = tuple(sizes)
        self._starts = np.concatenate([[0], np.cumsum([q * (q + 1) // 2 for q in sizes])])

    def assemble(self, point):
        """The q_f x q_f matrix of every factor from the matrices of the terms."""
        factors = [np.zeros((q, q)) for q in self.sizes]
        for block, T in zip(self.blocks, point, strict=True):
            factors[block.factor][block.window, block.window] = T
        return factors

    def packed(self, block, matrices):
        """Rows of packed derivatives from a stack of matrices of one term."""
        q = self.sizes[block.factor]
        full = np.zeros((len(matrices), q, q))
        full[:, block.window, block.window] = matrices
        rows, cols = lower_triangle(q)
        out = np.zeros((len(matrices), self._starts[-1]))
        out[:, self._starts[block.factor] : self._starts[block.factor + 1]] = full[:, rows, cols]
        return out

    def chart(self, point):
        """One chart for all terms; its derivatives are packed, (k, K)."""
        charts = [b.structure.chart(T) for b, T in zip(self.blocks, point, strict=True)]
        ends = np.cumsum([0] + [len(c.derivatives) for c in charts])
        return Chart(
            derivatives=np.vstack(
                [self.packed(b, c.derivatives) for b, c in zip(self.blocks, charts, strict=True)]
            ),
            second=lambda D: block_diagonal(
                [c.second(d) for c, d in zip(charts, self.split(D), strict=True)]
            ),
            move=lambda s: [
                c.move(part) for c, part in zip(charts, np.split(s, ends[1:-1]), strict=True)
            ],
            radius=float(np.linalg.norm([c.radius for c in charts])),
        )

    def split(self, factors):
        """The blocks of the terms within the factors' matrices."""
        return [factors[b.factor][b.window, b.window] for b in self.blocks]

    def start(self, factors, floors):
        """A point near the given matrices, away from the boundary by the given floors (one vector
        per factor).
        """
        return [
            b.structure.start(S, floors[b.factor][b.window])
            for b, S in zip(self.blocks, self.split(factors), strict=True)
        ]


class Parameters:
    """Covariances and fixed effects together: a point is the list of the terms' matrices, then
    beta.
    """

    def __init__(self, model, n_fixed):
        self.covariances = model
        self.n_fixed = n_fixed
        self.blocks = model.blocks
        self.split = model.split

    def assemble(self, point):
        """The matrices of the factors, then beta."""
        return [*self.covariances.assemble(point[:-1]), point[-1]]

    def flat(self, point):
        """The point in one vector."""
        return flat(self.assemble(point))

    def chart(self, point):
        """The chart of the covariances, and beta as it is."""
        inner = self.covariances.chart(point[:-1])
        p = self.n_fixed
        k = len(inner.derivatives)
        return Chart(
            derivatives=block_diagonal([inner.derivatives, np.eye(p)]),
            second=lambda D: block_diagonal([inner.second(D), np.zeros((p, p))]),
            move=lambda s: [*inner.move(s[:k]), point[-1] + s[k:]],
            radius=inner.radius,
        )


def flat(assembled):
    """Packed matrices of the factors and beta in one vector."""
    *factors, beta = assembled
    return np.concatenate([T[lower_triangle(len(T))] for T in factors] + [beta])


def block_diagonal(blocks):
    """One matrix of blocks; each may be without rows or columns."""
    rows, cols = (np.cumsum([0] + [b.shape[axis] for b in blocks]) for axis in (0, 1))
    out = np.zeros((rows[-1], cols[-1]))
    for k, block in enumerate(blocks):
        out[rows[k] : rows[k + 1], cols[k] : cols[k + 1]] = block
    return out
