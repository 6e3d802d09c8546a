"""The order in which the random effects are eliminated.

Factors whose diagonal block is block diagonal are eliminated level by level (*stages*), largest
first.  Eliminating a factor keeps the block-diagonal form of every factor it is nested in, so
chains of nested factors stay batched to the end; what is left, crossed factors, forms one dense
matrix.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .machine import check_memory

MAX_DENSE = 16_000  # columns of the dense block, whose factorisation takes half a minute
MATRICES = 7  # as large as the dense block that a fit holds at a time; twice as many with slopes


@dataclass(frozen=True)
class Layout:
    """Order of elimination: batched stages first, then the factors of the dense block.

    Attributes
    ----------
    stages, dense : factors
    offsets : factor -> its first column in the order of elimination
    width : number of columns
    dense_start : first column of the dense block
    """

    stages: tuple
    dense: tuple
    offsets: dict
    width: int
    dense_start: int

    @property
    def order(self):
        return self.stages + self.dense

    @property
    def dense_order(self):
        """Order of the dense matrix."""
        return self.width - self.dense_start

    @property
    def dense_pairs(self):
        """Pairs of factors within the dense block."""
        return [(f, g) for f in sorted(self.dense) for g in sorted(self.dense) if f < g]

    def after(self, f):
        """Factors that are eliminated after f."""
        return self.order[self.order.index(f) + 1 :]


def make_layout(sizes, levels, nested):
    """Choose the order; ``nested[f][g]`` says whether every level of f lies in one level of g."""
    blocked = set(range(len(sizes)))
    stages = []
    while blocked:
        inner = [
            f for f in blocked if not any(nested[g][f] and not nested[f][g] for g in blocked - {f})
        ]
        f = max(inner, key=lambda f: (sizes[f] * levels[f], -f))
        stages.append(f)
        blocked = {g for g in blocked - {f} if nested[f][g]}
    dense = sorted(set(range(len(sizes))) - set(stages), key=lambda f: -levels[f])
    order = stages + dense
    ends = np.cumsum([0] + [sizes[f] * levels[f] for f in order])
    offsets = {f: int(start) for f, start in zip(order, ends[:-1], strict=True)}
    return Layout(tuple(stages), tuple(dense), offsets, int(ends[-1]), int(ends[len(stages)]))


def is_nested(cross, f, g):
    """Whether every level of f occurs with one level of g only: as many pairs as levels."""
    pair = cross.pairs[min(f, g), max(f, g)]
    return len(pair.rows) == pair.shape[0 if f < g else 1]


def layout_of(cross):
    """The order for some cross-products."""
    factors = range(len(cross.sizes))
    nested = [[f == g or is_nested(cross, f, g) for g in factors] for f in factors]
    return make_layout(cross.sizes, cross.levels, nested)


def check_dense_size(layouts, sizes, matrices):
    """Raise where the dense blocks of parts of the levels are beyond memory or patience."""
    sides = [layout.dense_order for layout in layouts]
    what = f"random_effects: the crossed factors leave a dense matrix of {max(sides):,} columns"
    if len(sides) > 1:
        what += f", the largest of {len(sides):,}"
    advice = (
        "Drop or coarsen the crossed factor that has the second most levels, or fit with "
        "solver='iterative'."
    )
    if any(sizes[f] > 1 for layout in layouts for f in layout.dense):
        matrices = 2 * matrices
    entries = sum(float(side) ** 2 for side in sides)
    check_memory(matrices * entries, f"{what}, which needs", advice)
    if max(sides) > MAX_DENSE:
        raise ValueError(f"{what}, more than {MAX_DENSE:,}.\n{advice}")
