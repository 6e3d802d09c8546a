"""Products of the pool's columns, of all rows and of those of every level, chunk by chunk.

Those in numpy say what is meant.  The compiled ones never have a pool: its columns are made of some
hundred rows at a time, and one visit of them feeds all sums.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from .._algebra.kernels import CHOICE, floats
from .._algebra.levels import level_sums
from .._model.terms import ONES
from .crossprod import CrossProducts
from .frame import Frame
from .source import ROWS_PER_CHUNK, Chunk


class Gram:
    """``pool' W pool`` and the number of observations."""

    def __init__(self, width):
        self.value = np.zeros((width, width))
        self.n = 0.0

    def add(self, pool, chunk):
        self.value += pool.T @ chunk.weighted(pool)
        self.n += chunk.n


class LevelSums:
    """``columns' W pool`` of every level of factor f, for some pool columns.

    ``known`` are the sums of earlier rows, whose levels are the first ones.
    """

    def __init__(
        self,
        f: int,
        columns: Sequence[int],
        n_levels: int,
        width: int,
        known: np.ndarray | None = None,
    ):
        self.f = f
        self.columns = columns
        self._sums = np.zeros((len(columns), n_levels, width))
        if known is not None:
            self._sums[:, : known.shape[2]] = known.transpose(0, 2, 1)

    def add(self, pool, chunk):
        for r, column in enumerate(self.columns):
            values = np.ascontiguousarray(chunk.weighted(pool[:, column]))
            level_sums(chunk.codes[self.f], values, pool, self._sums[r])

    @property
    def value(self):
        """(columns, width, levels), not in this order in memory."""
        return self._sums.transpose(0, 2, 1)

    def of_levels(self, levels, columns):
        """Sums of some levels with some pool columns, (own columns, columns, levels)."""
        chosen = self._sums[:, :, columns]
        chosen = chosen if len(levels) == chosen.shape[1] else chosen[:, levels]
        return chosen.transpose(0, 2, 1)


class Products(Protocol):
    """The sums of all chunks so far.

    Attributes
    ----------
    rows : how many of them a chunk may have
    n : number of observations
    gram : (P, P)
    """

    rows: int
    n: float
    gram: np.ndarray

    def add(self, chunk: Chunk) -> None:
        """Some rows."""

    def of_levels(self, f: int, levels: np.ndarray, columns: Sequence[int]) -> np.ndarray:
        """Sums of some levels of factor f with some pool columns, (effects, columns, levels)."""

    def of_factor(self, f: int) -> np.ndarray:
        """(effects, P, levels) of factor f, not always in this order in memory."""


class ProductsInNumpy:
    """Those of a chunk are matrix products of its pool."""

    rows = ROWS_PER_CHUNK

    def __init__(
        self, frame: Frame, n_levels: Sequence[int], known: CrossProducts | None = None
    ) -> None:
        width = frame.response + 1
        self._frame = frame
        self._gram = Gram(width)
        parts = enumerate(zip(frame.effects, n_levels, _sums_of(known, n_levels), strict=True))
        self._levels = [LevelSums(f, effects, m, width, own) for f, (effects, m, own) in parts]

    @property
    def n(self) -> float:
        return self._gram.n

    @property
    def gram(self) -> np.ndarray:
        return self._gram.value

    def add(self, chunk: Chunk) -> None:
        pool = self._frame.pool(chunk.X, chunk.response)
        for each in (self._gram, *self._levels):
            each.add(pool, chunk)

    def of_levels(self, f: int, levels: np.ndarray, columns: Sequence[int]) -> np.ndarray:
        return self._levels[f].of_levels(levels, columns)

    def of_factor(self, f: int) -> np.ndarray:
        return self._levels[f].value


class CompiledProducts:
    """One sweep over the rows; constants are summed once."""

    rows = 1 << 16

    def __init__(
        self, frame: Frame, n_levels: Sequence[int], known: CrossProducts | None = None
    ) -> None:
        width = frame.response + 1
        self.n = 0.0
        self.gram = np.zeros((width, width))
        self._kept, self._from, self._times = distinct(frame)
        self._effects = tuple(np.array(own, dtype=np.int32) for own in frame.effects)
        self._recipe = _recipe(frame)
        sizes = zip(n_levels, self._effects, strict=True)
        self._sums = tuple(np.zeros((m, len(own), len(self._kept))) for m, own in sizes)
        for sums, own in zip(self._sums, _sums_of(known, n_levels), strict=True):
            if own is not None:
                sums[: own.shape[2]] = own[:, self._kept].transpose(2, 0, 1)

    def add(self, chunk: Chunk) -> None:
        codes = tuple(np.ascontiguousarray(own, dtype=np.int32) for own in chunk.codes)
        rest = (None if own is None else floats(own) for own in (chunk.offset, chunk.weights))
        rows = (floats(chunk.X), floats(chunk.y), *rest, codes)
        CHOICE.native.add_products(
            *rows, *self._recipe, self._effects, self._kept, self.gram, self._sums
        )
        self.n += chunk.n

    def of_levels(self, f: int, levels: np.ndarray, columns: Sequence[int]) -> np.ndarray:
        columns = np.asarray(columns, dtype=int)
        own = self._sums[f]
        own = own if len(levels) == len(own) else own[levels]
        return own[:, :, self._from[columns]].transpose(1, 2, 0) * self._times[columns, None]

    def of_factor(self, f: int) -> np.ndarray:
        own = self._sums[f]
        out = np.empty((own.shape[1], len(self._from), len(own)))
        CHOICE.native.spread_products(own, self._from, self._times, out)
        return out


def _sums_of(known, n_levels):
    return [None] * len(n_levels) if known is None else known.sums


def _recipe(frame):
    """How the sweep makes the pool's columns."""
    parts = frame.varying, frame.candidates
    return (
        np.concatenate([own.sources for own in parts]).astype(np.int32),
        np.concatenate([own.shifts for own in parts]),
        np.concatenate([own.scales for own in parts]),
        floats(np.ascontiguousarray(frame.mixing)),
        floats(frame.pilot),
        float(frame.y_scale),
    )


def distinct(frame: Frame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pool columns without those that are constant but the first, and every column as a multiple
    of one of these: positions of the columns, of the ones to take, and factors.
    """
    constants = np.full(frame.response + 1, np.nan)
    is_one = frame.varying.sources == ONES
    constants[: len(is_one)][is_one] = 1.0 / frame.varying.scales[is_one]
    if frame.fit_intercept:
        constants[frame.fixed[0]] = frame.mixing[0, 0] / frame.candidates.scales[0]
    found = np.flatnonzero(~np.isnan(constants))
    is_kept = np.ones(len(constants), dtype=bool)
    is_kept[found[1:]] = False
    kept = np.flatnonzero(is_kept)
    places = np.cumsum(is_kept) - 1
    times = np.ones(len(constants))
    if len(found):
        places[found] = places[found[0]]
        times[found] = constants[found] / constants[found[0]]
    return kept.astype(np.int32), places.astype(np.int32), times


#: the sums of a frame that nothing has been added to, or those of earlier rows
products_of = ProductsInNumpy if CHOICE.native is None else CompiledProducts
