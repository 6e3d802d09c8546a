"""A random-effects term in terms of positions."""

from __future__ import annotations

from dataclasses import dataclass

ONES = -1


@dataclass(frozen=True)
class Term:
    """One random-effects term in terms of positions: a factor, columns of X, and a covariance
    structure.
    """

    factor: int
    columns: tuple
    intercept: bool
    covariance: str

    @property
    def size(self):
        return len(self.columns) + self.intercept

    @property
    def sources(self):
        """Raw columns of the effects, the intercept first."""
        return ((ONES,) if self.intercept else ()) + tuple(self.columns)
