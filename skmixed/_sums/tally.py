"""Rows that come in parts: their sums so far, and what the frame of all of them is chosen from.

Cross-products add in one frame only.  A frame that was agreed upon before the first rows loses all
digits where columns drift; so every part is summed in a frame that suits all rows so far, and sums
of another frame are carried over exactly.  A data set in memory is a single part.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce
from operator import add
from typing import NamedTuple, Self

import numpy as np

from .crossprod import CrossProducts
from .frame import Frame, make_frame
from .onepass import cross_products, with_products
from .reframe import reframed
from .source import CONSTANT, Moments, Sample, Source

PILOT_ROWS = 4096
BAND = 4.0  # by which the spread of a column may leave that of the frame
GROWTH = 2  # as many rows as when the frame was chosen ask for another one


class Wanted(NamedTuple):
    """What a design is to have.

    Attributes
    ----------
    terms : random-effects terms
    n_fixed : number of the first columns of X that are fixed effects
    fit_intercept : whether there is an intercept besides
    alpha : of a ridge
    """

    terms: tuple
    n_fixed: int
    fit_intercept: bool
    alpha: float = 0.0

    def frame(self, seen: Seen, n_factors: int) -> Frame:
        """The frame that suits some rows."""
        return make_frame(
            seen.moments,
            seen.sample,
            self.terms,
            n_factors,
            n=seen.n,
            n_fixed=self.n_fixed,
            fit_intercept=self.fit_intercept,
            alpha=self.alpha,
        )


@dataclass(frozen=True, eq=False)
class Seen:
    """What is known of the rows so far besides their cross-products.

    Attributes
    ----------
    n_rows, n : numbers of rows and of observations
    moments : of all columns
    sample : some rows, one of every ``step``
    """

    n_rows: int
    n: float
    moments: Moments
    sample: Sample
    step: int

    @classmethod
    def of(cls, source: Source, *, response: bool = True) -> Self:
        """Of one part."""
        step = -(-source.n_rows // PILOT_ROWS)
        sample = source.sample(PILOT_ROWS, response=response)
        return cls(source.n_rows, source.n, source.moments(), sample, step)

    def __add__(self, other: Seen) -> Seen:
        n_rows = self.n_rows + other.n_rows
        step = max(self.step, other.step, -(-n_rows // PILOT_ROWS))
        while True:
            sample = _joined(self._every(step), other._every(step))
            if len(sample.root) <= PILOT_ROWS:
                break
            step *= 2
        moments = _pooled(self.moments, self.n, other.moments, other.n)
        return Seen(n_rows, self.n + other.n, moments, sample, step)

    def _every(self, step):
        """A thinner sample."""
        rows = slice(None, None, -(-step // self.step))
        X, y, root = self.sample
        return Sample(X[rows], None if y is None else y[rows], root[rows])

    def suits(self, now: Seen) -> bool:
        """Whether a frame of these rows is good enough for those of now."""
        before, after = self.moments, now.moments
        rounding = CONSTANT * np.abs(after.mean)
        has_moved = np.abs(after.mean - before.mean) > BAND * np.maximum(before.sd, rounding)
        has_spread = _leaves(before.sd, after.sd) | _leaves(before.rms, after.rms)
        has_grown = now.n_rows >= GROWTH * self.n_rows
        return not (has_grown or np.any(has_moved | has_spread))


def _leaves(before, after):
    return (after > BAND * before) | (before > BAND * after)


def _joined(first, second):
    """Two samples below each other."""
    y = None if first.y is None else np.concatenate([first.y, second.y])
    X = np.concatenate([first.X, second.X])
    return Sample(X, y, np.concatenate([first.root, second.root]))


def _pooled(first, n, second, m):
    """Moments of two parts together (Chan, Golub and LeVeque 1983)."""
    share = m / (n + m)
    apart = second.mean - first.mean
    mean = first.mean + share * apart
    variance = (1 - share) * first.sd**2 + share * second.sd**2 + share * (1 - share) * apart**2
    sd = np.sqrt(variance)
    sd = np.where(sd <= CONSTANT * np.abs(mean), 0.0, sd)
    return Moments(mean, sd, np.sqrt(variance + mean**2))


@dataclass(frozen=True, eq=False)
class Tally:
    """The sums of the rows so far; nothing changes it.

    Attributes
    ----------
    wanted : what the design is to have
    seen : all rows so far
    framed : the rows for which the frame was chosen
    frame, cross : units of the columns, and the sums in them
    """

    wanted: Wanted
    seen: Seen
    framed: Seen
    frame: Frame
    cross: CrossProducts

    @classmethod
    def of(cls, source: Source, wanted: Wanted) -> Self:
        """Of one part."""
        seen = Seen.of(source)
        frame = wanted.frame(seen, len(source.n_levels))
        return cls(wanted, seen, seen, frame, cross_products(frame, source))

    def add(self, source: Source) -> Tally:
        """With a further part, whose levels are those so far, in their order, and new ones."""
        seen = self.seen + Seen.of(source)
        known = self if self.framed.suits(seen) else self._framed_for(seen)
        return replace(known, seen=seen, cross=with_products(known.cross, known.frame, source))

    @classmethod
    def total(
        cls, parts: Sequence[Tally], places: Sequence[Sequence[np.ndarray]], n_levels: Sequence[int]
    ) -> Tally:
        """Of several parts; ``places`` says for each which of the levels its own are."""
        first = parts[0]
        seen = reduce(add, [part.seen for part in parts])
        frame = first.wanted.frame(seen, len(n_levels))
        cross = CrossProducts.total([part._in(frame) for part in parts], places, n_levels)
        return replace(first, seen=seen, framed=seen, frame=frame, cross=cross)

    def spread(self, places: Sequence[np.ndarray], n_levels: Sequence[int]) -> Tally:
        """The same sums among more levels, or in another order of them."""
        return replace(self, cross=self.cross.spread(places, n_levels))

    def final(self) -> Tally:
        """The same sums in the frame of all rows."""
        if self.framed is not self.seen:
            return self._framed_for(self.seen)
        return replace(self, cross=self.cross.contiguous())

    def _framed_for(self, seen):
        frame = self.wanted.frame(seen, len(self.cross.levels))
        return replace(self, framed=seen, frame=frame, cross=self._in(frame))

    def _in(self, frame):
        return reframed(self.cross, self.frame, frame, self.wanted.terms)
