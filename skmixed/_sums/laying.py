"""The rows of a data set in the columns of a frame, laid out in blocks by their levels.

Rows are gathered some at a time in the order of the blocks, so that beside the data set and its
blocks there is no third copy.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np

from .._model.terms import ONES
from .blocks import ROWS_PER_BLOCK, RowBlock, pairs_of
from .crossed import rows_of
from .frame import Frame
from .grouping import Grouping, Runs, level_order
from .source import ROWS_PER_CHUNK, InMemory, slices, some_of

Places = np.ndarray | slice


class Layout(NamedTuple):
    """In which order rows come, and where it is cut.

    Attributes
    ----------
    places : of the rows in that order among those of the data set; None for these as they are
    indptr : where the levels by which they are ordered begin and end in it
    borders : of these levels, where blocks begin and end
    """

    places: np.ndarray | None
    indptr: np.ndarray
    borders: np.ndarray

    @classmethod
    def of(cls, source: InMemory):
        """By the levels of the largest factor.

        The levels of a single factor do not meet, so its rows are cut into blocks that fit the
        cache; crossed or nested factors are one block.  Without factors rows are cut anywhere.
        """
        n = source.n_rows
        if not source.codes:
            indptr = np.append(np.arange(0, n, ROWS_PER_BLOCK), n)
            return cls(None, indptr, np.arange(len(indptr)))
        largest = int(np.argmax(source.n_levels))
        places, indptr = level_order(source.codes[largest], source.n_levels[largest])
        is_in_order = bool(np.all(places[1:] > places[:-1]))
        ends = [0, source.n_levels[largest]]
        if len(source.codes) == 1:
            cuts = np.searchsorted(indptr, np.arange(ROWS_PER_BLOCK, n, ROWS_PER_BLOCK))
            ends = np.unique(np.concatenate([ends, cuts]))
        return cls(None if is_in_order else places, indptr, np.asarray(ends))

    def rows(self, lo: int, hi: int) -> Places:
        """Which rows of the data set come from one place to another."""
        return slice(lo, hi) if self.places is None else self.places[lo:hi]

    def ordered(self, values: np.ndarray) -> np.ndarray:
        """Values of the rows of the data set in this order."""
        return some_of(values, self.rows(0, len(values)))


class Laid(NamedTuple):
    """Rows in blocks.

    Attributes
    ----------
    gram : cross-products of the pool's columns
    blocks : of rows, with all candidates for fixed effects
    """

    gram: np.ndarray
    blocks: list[RowBlock]


def laid_out(frame: Frame, source: InMemory) -> Laid:
    """All rows of a data set, and their cross-products."""
    layout = Layout.of(source)
    gram = np.zeros((frame.response, frame.response))
    blocks = []
    for first, last in pairwise(layout.borders.tolist()):
        lo, hi = layout.indptr[[first, last]].tolist()
        rows = layout.rows(lo, hi)
        y, m, offset = source.outcomes(rows)
        x, z = _in_frame(frame, source, layout, lo, hi, gram, m)
        groups, levels = _groups(layout, source, rows, first, last)
        codes = [group.codes for group in groups] if len(groups) > 1 else []
        pairs = pairs_of(codes, source.n_levels)
        blocks.append(rows_of(x, z, y, m, groups, pairs, levels, offset))
    return Laid(gram, blocks)


def _in_frame(frame, source, layout, lo, hi, gram, m):
    """The columns of a block, whose cross-products are added to ``gram``."""
    x = np.empty((hi - lo, len(frame.candidates)))
    z = tuple(_empty_columns(frame, effects, hi - lo) for effects in frame.effects)
    for part in slices(hi - lo, ROWS_PER_CHUNK):
        pool = frame.pool(source.columns(layout.rows(lo + part.start, lo + part.stop)))
        gram += pool.T @ (m[part, None] * pool if np.ndim(m) else pool)
        x[part] = pool[:, frame.fixed]
        for columns, effects in zip(z, frame.effects, strict=True):
            for column, k in zip(columns, effects, strict=True):
                if column is not None:
                    column[part] = pool[:, k]
    return x, z or ((None,),)


def _empty_columns(frame, effects, n):
    """Of the effects of a factor; None for ones."""
    varying = frame.varying
    return tuple(
        None if varying.sources[k] == ONES and varying.scales[k] == 1.0 else np.empty(n)
        for k in effects
    )


def _groups(layout, source, rows, first, last):
    """The groupings of a block and which levels are in it, per factor."""
    if len(source.codes) < 2:
        runs = Runs(layout.indptr[first : last + 1] - layout.indptr[first])
        return (runs,), (slice(first, last),)
    counted = zip(source.codes, source.n_levels, strict=True)
    groups = tuple(Grouping(some_of(codes, rows), m) for codes, m in counted)
    return groups, tuple(slice(0, int(m)) for m in source.n_levels)
