"""The design of a data set whose rows are elsewhere."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from .._sums.design import DesignBase, RowDesign
from .protocol import Held, Store


@dataclass(frozen=True, eq=False)
class StoredDesign(DesignBase):
    """The frame of a data set and its terms, with rows in a store.

    Attributes
    ----------
    store : the rows, their columns those of the frame that are independent; None once they are gone
    gram : cross-products of the pool's columns, those of the response left out
    n : number of observations
    """

    store: Store | None
    gram: np.ndarray
    n: float

    @property
    def products(self):
        return self.gram, self.n

    def without_rows(self):
        """The design without its data."""
        return replace(self, store=None)

    def blocks_of(self, source):
        """Other rows in the same frame, which are here."""
        return self._held.blocks_of(source)

    def with_rows(self, source):
        """The same design with the rows that it was made of, which are here."""
        return self._held.with_rows(source)

    @property
    def _held(self):
        """The same design, but for its rows."""
        known = (self.frame, self.terms, self.independent)
        return RowDesign(*known, [], self.gram, self.n)


def store_of(design: RowDesign | StoredDesign, solver: str = "auto") -> Store:
    """The rows of a design, wherever they are.

    Raises
    ------
    ValueError
        Where an iterative solver is asked for and rows are elsewhere.
    """
    if isinstance(design, RowDesign):
        return Held.of(design.blocks, solver)
    if solver == "iterative" and len(design.frame.effects) > 1:
        raise ValueError(
            "solver='iterative': a logistic model needs its rows in memory for that.\n"
            "Use fit(X, y), or solver='exact'."
        )
    return design.store
