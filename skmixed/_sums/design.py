"""The design of a data set: its frame, its terms, and its sums or its rows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import numpy as np
from scipy.linalg import block_diag

from .._algebra.machine import blas_threads
from .._model.covariances import Covariances, PlacedTerm
from .._model.ridge import Ridge
from .._model.structures import Absent
from .._model.terms import ONES, Term
from .blocks import RowBlock
from .counterparts import Counterparts
from .crossprod import CrossProducts
from .dependencies import Dependencies
from .frame import Frame
from .laying import laid_out
from .source import InMemory, Source
from .tally import Seen, Tally, Wanted


@dataclass(frozen=True, eq=False)
class DesignBase:
    """The frame of a data set and the random-effects terms in it.

    Attributes
    ----------
    frame : units of the columns
    terms : random-effects terms
    independent : positions of the fixed effects that are not aliased, among the candidates
    """

    frame: Frame
    terms: tuple[Term, ...]
    independent: np.ndarray

    def __getstate__(self):
        """Without what follows from the rest."""
        return {name: vars(self)[name] for name in self.__dataclass_fields__}

    @property
    def products(self) -> tuple[np.ndarray, float]:
        """Cross-products of the pool's columns, and the number of observations."""
        raise NotImplementedError

    @cached_property
    def dependencies(self) -> Dependencies:
        """What holds among the fixed effects in all rows."""
        return Dependencies(self.frame, self.independent, self.products[0])

    @cached_property
    def counterparts(self) -> Counterparts:
        """What the fixed effects say of the columns of the random effects."""
        gram, n = self.products
        gram = self.ridge.among(gram, self.frame.fixed[self.independent])
        return Counterparts(self.frame, self.terms, self.independent, gram, n)

    @cached_property
    def ridge(self) -> Ridge:
        """The penalty on the fixed effects."""
        return self.frame.ridge(self.independent)

    def covariances(self, absent=(), prior: str | None = None) -> Covariances:
        """Structures of the terms and their places in the factors, and the name of their prior.

        Terms of ``absent`` factors get none.
        """
        used = [0] * len(self.frame.effects)
        placed = []
        for term in self.terms:
            structure = Absent(term.size) if term.factor in absent else term.structure
            placed.append(PlacedTerm(structure, term.factor, used[term.factor]))
            used[term.factor] += term.size
        return Covariances(placed, used, prior)

    def factor_basis(self, f):
        """R of a factor: effects in the user's units are R times those in the pool's."""
        parts = zip(self.frame.bases, self.terms, strict=True)
        return block_diag(*(R for R, term in parts if term.factor == f))


@dataclass(frozen=True, eq=False)
class Design(DesignBase):
    """The cross-products of a data set: all a linear model needs."""

    cross: CrossProducts

    @property
    def products(self):
        return self.cross.gram, self.cross.n

    @classmethod
    def of(
        cls, source: Source, terms, *, n_fixed: int, fit_intercept: bool, alpha: float = 0.0
    ) -> Self:
        """From one pass over the rows.

        The first ``n_fixed`` columns of X are fixed effects; terms may name any.  ``alpha`` is that
        of a ridge.
        """
        wanted = Wanted(tuple(terms), n_fixed, fit_intercept, alpha)
        with blas_threads():
            return cls.of_tally(Tally.of(source, wanted))

    def observations(self, f: int) -> np.ndarray | None:
        """Sum of the weights of every level of a factor; None where it has no constant effect."""
        varying = self.frame.varying
        for r, column in enumerate(self.frame.effects[f]):
            if varying.sources[column] == ONES:
                return self.cross.sums[f][r, column] * varying.scales[column] ** 2
        return None

    @classmethod
    def of_tally(cls, tally: Tally) -> Self:
        """From the sums of all parts of the rows."""
        found = tally.final()
        return cls._in_frame(found.frame, found.wanted.terms, found.cross)

    @classmethod
    def _in_frame(cls, frame, terms, cross) -> Self:
        gram = cross.gram[np.ix_(frame.fixed, frame.fixed)]
        independent = frame.independent(gram, cross.n)
        return cls(frame, terms, independent, cross.with_fixed(frame.fixed[independent]))

    def unpenalised(self) -> Self:
        """The same sums without a ridge, and without the columns that only it tells apart."""
        return self._in_frame(self.frame.unpenalised(), self.terms, self.cross)


@dataclass(frozen=True, eq=False)
class RowDesign(DesignBase):
    """The rows of a data set in the frame's columns, ordered by level: what a generalised linear
    model needs.
    """

    blocks: list[RowBlock]
    gram: np.ndarray
    n: float

    @property
    def products(self):
        return self.gram, self.n

    @classmethod
    def of(
        cls, source: InMemory, terms, *, n_fixed: int, fit_intercept: bool, alpha: float = 0.0
    ) -> Self:
        """As :meth:`Design.of`."""
        with blas_threads():
            wanted = Wanted(tuple(terms), n_fixed, fit_intercept, alpha)
            frame = wanted.frame(Seen.of(source, response=False), len(source.n_levels))
            gram, blocks = laid_out(frame, source)
        independent = frame.independent(gram[np.ix_(frame.fixed, frame.fixed)], source.n)
        kept = _with_fixed(blocks, frame, independent)
        return cls(frame, tuple(terms), independent, kept, gram, source.n)

    def blocks_of(self, source: InMemory) -> list[RowBlock]:
        """Other rows in the same frame."""
        with blas_threads():
            blocks = laid_out(self.frame, source).blocks
        return _with_fixed(blocks, self.frame, self.independent)

    def with_rows(self, source: InMemory) -> Self:
        """The same design with the rows that it was made of."""
        return replace(self, blocks=self.blocks_of(source))

    def without_rows(self):
        """The design without its data."""
        return replace(self, blocks=[])


def _with_fixed(blocks, frame, independent):
    """Blocks of rows without the columns that depend on others."""
    if len(independent) == len(frame.candidates):
        return blocks
    return [block.with_fixed(independent) for block in blocks]
