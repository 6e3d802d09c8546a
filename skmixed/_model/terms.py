"""A random-effects term in terms of positions."""

from __future__ import annotations

from dataclasses import dataclass

from .structures import STRUCTURES, Structure

ONES = -1


@dataclass(frozen=True)
class Term:
    """One random-effects term in terms of positions.

    Attributes
    ----------
    factor : position of the grouping factor
    columns : positions of the columns of X whose slopes vary
    intercept : whether the intercept varies
    covariance : name of the covariance structure
    """

    factor: int
    columns: tuple[int, ...]
    intercept: bool
    covariance: str

    @property
    def size(self) -> int:
        return len(self.columns) + self.intercept

    @property
    def sources(self) -> tuple[int, ...]:
        """Raw columns of the effects, the intercept first."""
        return ((ONES,) if self.intercept else ()) + tuple(self.columns)

    @property
    def structure(self) -> Structure:
        """The family of covariances of its effects."""
        return STRUCTURES[self.covariance](self.size)
