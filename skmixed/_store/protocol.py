"""How a model asks blocks of rows that need not be here.

A block is some rows with all rows of their levels, so that its conditional modes are its own.  A
linear model adds cross-products once; a generalised one has to see its rows at every trial of its
search.  It does so in *rounds*.  A round calls a function once per block,

    summary, carried = function(block, carried, request),

adds the summaries in the order of the blocks and returns their sum, together with a handle by which
the next round finds what was carried.

- ``function`` is pure and stands at the top of a module: it can be pickled, be called where the
  rows are, and be called again where a machine was lost.
- ``request`` is small: a point of the search, a distribution.  So are summaries, ``(p + k)^2``
  numbers for p coefficients and k parameters of the covariances, but where somebody asks for
  something of every level, which comes as :class:`PerBlock`.
- ``carried`` are the conditional modes and what the next guess at them needs.  They stay with the
  rows.  A handle stays good as long as somebody holds it, for a search may reject a trial and go
  back to the point before.  Without a handle every block is handed None.

A store answers :class:`Store`, and one whose rows are elsewhere is a subclass of :class:`Elsewhere`
with two methods: ``round``, and ``first`` for a start that is searched for in a few blocks.  Its
levels follow each other block after block; ``places`` says which they are among those of the model.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate
from typing import Any, NamedTuple, Protocol, Self

import numpy as np

from .._algebra.plan import Plan
from .._algebra.plans import plan_of
from .._sums.blocks import RowBlock

MATRICES = 11  # as large as the dense block that a fit holds at a time


class Block(NamedTuple):
    """Some rows with all rows of their levels, and how their effects are eliminated."""

    rows: RowBlock
    plan: Plan

    @classmethod
    def of(cls, rows: RowBlock) -> Self:
        """With a plan made for the rows."""
        return cls(rows, plan_of(rows.pattern, MATRICES, "exact"))


#: ``function(block, carried, request)``, the summary and what is carried
Visit = Callable[[Block, Any, Any], tuple[Any, Any]]


class Round(NamedTuple):
    """What a round found.

    Attributes
    ----------
    total : the sum of the summaries
    handle : by which the next round finds what was carried
    """

    total: Any
    handle: Any


class PerBlock(list):
    """A summary of something that every block has of its own; sums are in the order of the
    blocks.
    """

    def __add__(self, other):
        return PerBlock([*self, *other])


class Facts(NamedTuple):
    """What does not change from round to round.

    Attributes
    ----------
    n : number of observations
    levels : per factor
    dense_order : of the largest dense matrix that crossed factors leave
    is_separable : whether levels do not meet, so that every level has its own mode
    """

    n: float
    levels: list[int]
    dense_order: int
    is_separable: bool

    def __add__(self, other):
        return Facts(
            self.n + other.n,
            [a + b for a, b in zip(self.levels, other.levels, strict=True)],
            max(self.dense_order, other.dense_order),
            self.is_separable and other.is_separable,
        )


def describe(block, carried, request):
    """The :class:`Facts` of a block."""
    rows, plan = block
    return Facts(rows.n, plan.cross.levels, plan.dense_order, rows.is_separable), carried


class Store(Protocol):
    """Blocks of rows, wherever they are.

    Attributes
    ----------
    holds_rows : whether the rows are here
    keeps_points : whether what is computed row by row stays until somebody asks for derivatives, so
        that nothing need be carried
    places : per factor, where the levels in the order of the blocks stand among those of the model;
        None where they are in order
    """

    holds_rows: bool
    keeps_points: bool
    places: Sequence[np.ndarray] | None

    @property
    def solver(self) -> str:
        """How the effects are eliminated."""

    @property
    def facts(self) -> Facts:
        """What does not change from round to round."""

    def round(self, function: Visit, request: Any, handle: Any = None) -> Round:
        """Visit every block; ``handle`` is that of an earlier round, or None."""

    def first(self, rows: int) -> Held:
        """The first blocks, with about so many rows."""

    def without_effects(self) -> Store:
        """The same rows with effects that are to have no variance."""

    def at_hand(self) -> Store:
        """The same rows where they stay for a while, if they can be brought here."""

    def in_order(self, values: list[np.ndarray]) -> list[np.ndarray]:
        """Values (k, levels) per factor, from the order of the blocks to that of the model."""


@dataclass(frozen=True, eq=False)
class Held:
    """Blocks of rows that are all here.

    Attributes
    ----------
    blocks : of rows
    plans : how the effects of each are eliminated
    """

    blocks: Sequence[RowBlock]
    plans: Sequence[Plan]

    holds_rows = True
    places = None

    @classmethod
    def of(cls, blocks: Sequence[RowBlock], solver: str = "auto") -> Self:
        """With plans made for the rows."""
        return cls(blocks, [plan_of(block.pattern, MATRICES, solver) for block in blocks])

    @property
    def keeps_points(self):
        """Whether there is one block only; several do not fit the cache together."""
        return len(self.blocks) == 1

    @property
    def solver(self):
        return self.plans[0].solver

    @cached_property
    def facts(self):
        return self.round(describe, None).total

    def round(self, function, request, handle=None):
        return visited(zip(self.blocks, self.plans, strict=True), function, request, handle)

    def first(self, rows):
        counts = [len(block.y) for block in self.blocks]
        k = first_blocks(counts, rows)
        return Held(self.blocks[:k], self.plans[:k])

    def without_effects(self):
        return Held.of([block.without_effects() for block in self.blocks])

    def in_order(self, values):
        return values

    def at_hand(self):
        """The same, for they are."""
        return self

    def with_blocks(self, blocks):
        """The same rows with other responses."""
        return replace(self, blocks=blocks)


class Elsewhere:
    """A store whose rows are not here.

    What differs is how a round reaches its blocks (``round``) and how a few of them come here
    (``first``).
    """

    holds_rows = False
    keeps_points = False
    solver = "exact"
    places: Sequence[np.ndarray] | None = None

    @cached_property
    def facts(self):
        return self.round(describe, None).total

    def round(self, function, request, handle=None):
        raise NotImplementedError

    def first(self, rows):
        raise NotImplementedError

    def without_effects(self):
        return Plain(self)

    def at_hand(self):
        return self

    def in_order(self, values):
        if self.places is None:
            return values
        return [_put(own, place) for own, place in zip(values, self.places, strict=True)]


class Plain(Elsewhere):
    """The rows of a store, their effects left out."""

    def __init__(self, store: Store):
        self.store = store

    def round(self, function, request, handle=None):
        return self.store.round(plainly, (function, request), handle)

    def first(self, rows):
        return self.store.first(rows).without_effects()


def plainly(block, carried, request):
    """Visit a block whose effects are left out."""
    function, inner = request
    return function(Block.of(block.rows.without_effects()), carried, inner)


def following(blocks):
    """Values (k, levels) per factor of blocks whose levels follow each other."""
    return [np.concatenate(parts, axis=1) for parts in zip(*blocks, strict=True)]


def _put(values, place):
    out = np.empty_like(values)
    out[:, place] = values
    return out


def visited(blocks, function: Visit, request, handle=None) -> Round:
    """A round over blocks that can be had one after the other; the handle is a list."""
    total = None
    carried = []
    for k, block in enumerate(blocks):
        known = None if handle is None else handle[k]
        summary, kept = function(Block(*block), known, request)
        total = summary if total is None else total + summary
        carried.append(kept)
    return Round(total, carried)


def first_blocks(counts: Sequence[int], rows: int) -> int:
    """How many of the first blocks have so many rows together; at least one."""
    ends = list(accumulate(counts))
    return min(len(ends), 1 + sum(end < rows for end in ends))
