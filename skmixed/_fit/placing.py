"""Rows of a classifier that stay where they are: who is who in them, and where they are to be.

A first look at the parts (:class:`Survey`) learns the levels, the classes and what the frame is
chosen from.  Then every part is cut into shares (:class:`Placing`), and what belongs to a share is
made into blocks (:class:`Share`).  All rows of levels that meet are in one share.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce
from operator import add
from typing import Any, NamedTuple, Self

import numpy as np
from scipy import sparse
from scipy.sparse import csgraph

from .._algebra.machine import blas_threads
from .._data.class_weights import class_factors, weighted_classes
from .._data.growing import Growing
from .._data.outcomes import LabelsInParts, plain
from .._data.sizes import check_sizes
from .._reader import Reader
from .._store.cutting import Rows, cut
from .._store.protocol import Block
from .._sums.blocks import ROWS_PER_BLOCK
from .._sums.frame import Frame
from .._sums.source import InMemory, Sample
from .._sums.tally import Seen
from .spilling import Check
from .stream import Opened, Part
from .training import response_of

FEWEST_ROWS = 1 << 14  # of a share
MOST_ROWS = 1 << 19
FEW_SHARES = 16
MOST_TOGETHER = 1 << 22  # rows of one component


@dataclass(frozen=True, eq=False)
class Survey:
    """What is known of some rows before any of them is moved.

    Attributes
    ----------
    first : their reader, with the levels of one row
    factors : with all levels, in the order in which they came
    counts : rows of every level of the first factor
    meets : per further factor (2, pairs), levels of the first factor and of it that occur together
    seen : per class, its rows
    """

    first: Reader
    factors: tuple[Growing, ...]
    counts: np.ndarray
    meets: tuple[np.ndarray, ...]
    seen: dict[Any, Seen]

    @classmethod
    def of(cls, opened: Opened, part: Part, check: Check) -> Self:
        """Of one part."""
        rows, y = _read(opened, part)
        labels = LabelsInParts()
        codes = labels.coded(y)
        with np.errstate(over="ignore"):
            check_sizes(opened.reader.names, rows.X, codes, part.weights)
        check(opened.reader, rows)
        first = opened.reader.of_first_row(rows)
        pairs = zip(first.factor_names, first.groups, first.labels(rows), strict=True)
        found = [Growing.empty(name, len(group)).extended(own) for name, group, own in pairs]
        levels = [own for _, own in found]
        seen = {}
        for code, label in enumerate(labels.seen.tolist()):
            own = codes == code
            w = None if part.weights is None else part.weights[own]
            seen[label] = Seen.of(InMemory(rows.X[own], codes[own], w, [], []), response=False)
        return cls(
            first,
            tuple(factor for factor, _ in found),
            np.bincount(levels[0]) if levels else np.zeros(0, dtype=np.int64),
            tuple(_pairs(levels[0], own) for own in levels[1:]),
            seen,
        )

    @classmethod
    def total(cls, surveys: Sequence[Self]) -> Self:
        """Of all rows of several."""
        first = surveys[0]
        for other in surveys[1:]:
            first.first.check_agrees(other.first)
        factors, places = Growing.united([survey.factors for survey in surveys])
        meets = [_meeting(surveys, places, f) for f in range(len(first.meets))]
        counts = np.zeros(factors[0].n_levels if factors else 0, dtype=np.int64)
        for survey, place in _zip(surveys, places):
            if factors:
                counts[place[0]] += survey.counts
        seen = _seen([survey.seen for survey in surveys])
        return cls(first.first, tuple(factors), counts, tuple(meets), seen)

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return sum(seen.n_rows for seen in self.seen.values())

    def classes(self) -> np.ndarray:
        """Both labels, the event last."""
        labels = LabelsInParts()
        labels.coded(np.array(list(self.seen)))
        return labels.labels()

    def components(self) -> np.ndarray:
        """Levels of the first factor that meet, directly or through others, have one number."""
        sizes = [factor.n_levels for factor in self.factors]
        starts = np.cumsum([0, *sizes])
        others = zip(self.meets, starts[1:], strict=False)
        edges = [np.array([own[0], own[1] + start]) for own, start in others]
        if not edges:
            return np.arange(sizes[0])
        rows, columns = np.concatenate(edges, axis=1)
        table = (np.ones(len(rows), dtype=bool), (rows, columns))
        graph = sparse.coo_matrix(table, (starts[-1], starts[-1]))
        return csgraph.connected_components(graph, directed=False)[1][: sizes[0]]


def _zip(*columns):
    return zip(*columns, strict=True)


def _seen(parts):
    """What was seen of either class."""
    found = dict(parts[0])
    for part in parts[1:]:
        for label, own in part.items():
            found[label] = found[label] + own if label in found else own
    return found


def _meeting(surveys, places, f):
    """Pairs of levels of the first factor and of the one that is f-th after it."""
    found = [
        np.array([place[0][survey.meets[f][0]], place[f + 1][survey.meets[f][1]]])
        for survey, place in _zip(surveys, places)
    ]
    return _pairs(*np.concatenate(found, axis=1))


def _pairs(first, other):
    """Pairs that occur."""
    return np.unique(np.array([first, other]), axis=1)


def _read(opened, part):
    """Rows, and their responses as they were passed."""
    rows = opened.reader.read(part.given.X, part.given.groups)
    return rows, response_of(opened.reader.owner, part.y, len(rows), part.keep)


class Share(NamedTuple):
    """Blocks of rows that are in one place.

    Attributes
    ----------
    blocks : of rows
    levels : per factor, the model's levels in the order of the blocks
    sums : per factor (3, levels), rows, observations and events of these
    gram : cross-products of the pool's columns, those of the response left out
    n : number of observations
    """

    blocks: list[Block]
    levels: list[np.ndarray]
    sums: list[np.ndarray]
    gram: np.ndarray
    n: float

    @property
    def facts(self) -> Share:
        """All but the rows; of blocks their numbers of rows."""
        return self._replace(blocks=[len(block.rows.y) for block in self.blocks])

    def with_columns(self, independent: np.ndarray) -> Share:
        """With some of the columns of the fixed effects."""
        chosen = [replace(block.rows, x=block.rows.x[:, independent]) for block in self.blocks]
        return self._replace(blocks=list(map(Block.of, chosen)))


@dataclass(frozen=True, eq=False)
class Placing:
    """Where rows are to be.

    Attributes
    ----------
    opened : what the columns are
    reader : with the levels of all parts
    frame : of the columns
    component : per level of the first factor; None without factors
    classes : both labels, the event last
    factors : what the observations of the classes are multiplied by; None for nothing
    is_weighted : whether rows have weights
    n_shares : number of shares
    """

    opened: Opened
    reader: Reader
    frame: Frame
    component: np.ndarray | None
    classes: np.ndarray
    factors: np.ndarray | None
    is_weighted: bool
    n_shares: int

    @classmethod
    def of(cls, opened: Opened, survey: Survey, class_weight: Any, is_weighted: bool) -> Self:
        """From what is known of all rows."""
        classes = survey.classes()
        seen = [survey.seen[label] for label in classes.tolist()]
        totals = np.array([own.n for own in seen])
        factors = class_factors(class_weight, classes, np.array([0.0, 1.0]), totals)
        if factors is not None:
            seen = [_weighted(own, factor) for own, factor in _zip(seen, factors)]
        sorted_ = [factor.factor() for factor in survey.factors]
        reader = replace(survey.first, factors=tuple(factor for factor, _ in sorted_))
        component = None
        if sorted_:
            component = np.empty(len(survey.counts), dtype=np.int64)
            component[sorted_[0][1]] = own = survey.components()
            _check_size(reader, np.bincount(own, survey.counts))
        frame = opened.wanted.frame(reduce(add, seen), len(sorted_))
        rows_of_share = np.clip(survey.n_rows / FEW_SHARES, FEWEST_ROWS, MOST_ROWS)
        n_shares = int(-(-survey.n_rows // rows_of_share))
        return cls(opened, reader, frame, component, classes, factors, is_weighted, n_shares)

    def shares(self, part: Part, number: int) -> list[Rows | None]:
        """The rows of a part, each in its share."""
        rows, y = _read(self.opened, part)
        pool = self.frame.pool(rows.X)
        weights = part.weights
        if weights is None and self.is_weighted:
            weights = np.ones(len(y))
        events = (plain(y) == self.classes[1]).astype(np.float64)
        events, weights = weighted_classes(self.factors, events, weights)
        codes = self.reader.codes(rows)
        z = [np.ascontiguousarray(pool[:, list(own)].T) for own in self.frame.effects]
        m = 1.0 if weights is None else weights
        found = Rows(pool, z, events, m, codes, rows.offset)
        share = self._share_of(codes, len(y), number)
        places = (np.flatnonzero(share == k) for k in range(self.n_shares))
        return [found.take(own) if len(own) else None for own in places]

    def _share_of(self, codes, n, number):
        if self.component is None:
            return np.full(n, number % self.n_shares)
        return self.component[codes[0]] % self.n_shares

    def gathered(self, pieces: Sequence[Rows | None]) -> Share | None:
        """What belongs to a share, of all parts in their order; None without a row."""
        pieces = [piece for piece in pieces if piece is not None]
        if not pieces:
            return None
        rows = below(pieces)
        m = rows.m * np.ones(len(rows.y))
        sums = [_level_sums(codes, rows.y, m) for codes in rows.codes]
        with blas_threads():
            gram = rows.x.T @ (m[:, None] * rows.x)
        found = list(self._cut(rows._replace(x=rows.x[:, self.frame.fixed])))
        blocks = [Block.of(one.rows) for one in found]
        levels = [np.concatenate(own) for own in _zip(*(one.levels for one in found))][: len(sums)]
        in_order = [own[:, level] for own, level in _zip(sums, levels)]
        return Share(blocks, levels, in_order, gram, float(np.sum(m)))

    def _cut(self, rows):
        """Blocks of whole components; without factors of some rows, as if they were a level."""
        if self.component is not None:
            return cut(rows, self.component[rows.codes[0]], ROWS_PER_BLOCK)
        codes = np.arange(len(rows.y)) // ROWS_PER_BLOCK
        return cut(
            rows._replace(codes=[codes], z=[np.ones((1, len(codes)))]), codes, ROWS_PER_BLOCK
        )


def _weighted(seen, factor):
    """The same rows, each counted so many times."""
    X, y, root = seen.sample
    return replace(seen, n=factor * seen.n, sample=Sample(X, y, np.sqrt(factor) * root))


def _level_sums(codes, y, m):
    return np.array([np.bincount(codes, values) for values in (None, m, m * y)])


def _check_size(reader, sizes):
    """Whether rows that must be together can be."""
    if len(reader.factors) > 1 and np.max(sizes) > MOST_TOGETHER:
        names = " and ".join(map(repr, reader.factor_names))
        raise ValueError(
            f"groups: {int(np.max(sizes)):,} of {int(np.sum(sizes)):,} rows hang together by the "
            f"levels of {names}, and a classifier asks them in one place.\n"
            "Nest the factors, leave one out, or fit chunks(...) on one machine."
        )


def below(pieces: Sequence[Rows]) -> Rows:
    """Rows below each other."""
    first = pieces[0]
    if len(pieces) == 1:
        return first
    x, z, y, m, codes, offset = _zip(*pieces)
    return Rows(
        np.concatenate(x),
        [np.concatenate(own, axis=1) for own in _zip(*z)],
        np.concatenate(y),
        np.concatenate(m) if np.ndim(first.m) else first.m,
        [np.concatenate(own) for own in _zip(*codes)],
        None if first.offset is None else np.concatenate(offset),
    )
