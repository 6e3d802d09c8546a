"""Blocks of rows that are made anew from what was given, whenever somebody asks for them."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence

from .._algebra.plan import Plan
from .._sums.blocks import RowBlock
from .protocol import Elsewhere, Facts, Held


class Again(Elsewhere):
    """A store that keeps no rows.

    While somebody holds the blocks that were made last, others share them.

    Parameters
    ----------
    make : the blocks
    plans : how the effects of each are eliminated
    facts : of the rows
    """

    def __init__(
        self, make: Callable[[], Sequence[RowBlock]], plans: Sequence[Plan], facts: Facts
    ) -> None:
        self.make = make
        self.plans = plans
        self.facts = facts
        self._last: weakref.ref[Held] | None = None

    def __getstate__(self):
        return vars(self) | {"_last": None}

    @property
    def solver(self):
        return self.plans[0].solver

    def at_hand(self) -> Held:
        """The blocks, which stay as long as somebody holds them."""
        found = self._last and self._last()
        if not found:
            found = self.with_blocks(self.make())
            self._last = weakref.ref(found)
        return found

    def round(self, function, request, handle=None):
        return self.at_hand().round(function, request, handle)

    def first(self, rows):
        return self.at_hand().first(rows)

    def without_effects(self):
        return self.at_hand().without_effects()

    def with_blocks(self, blocks):
        """The same rows with other responses."""
        return Held(blocks, self.plans)
