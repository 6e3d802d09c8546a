"""A data set that comes in parts: what is kept of it when its rows are gone.

The sums of a million levels are not copied for a handful of rows: rows wait until they are as many
as the levels, within limits, or until somebody asks for the sums.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple, Self

import numpy as np
import pandas as pd

from .._algebra.machine import blas_threads
from .._data.factors import hashed
from .._data.growing import Growing, joined_labels
from .._data.response import finite_response, response_name
from .._data.rows import Given, Rows
from .._data.sizes import check_sizes
from .._reader import Reader, Spec, learn_reader, open_door
from .._report.names import Names
from .._sums.source import InMemory, filled_below
from .._sums.tally import Tally, Wanted
from .model import names_of
from .training import response_of, weights_of

FEWEST_WAITING = 1 << 14
MOST_WAITING = 1 << 20
UPPER_HALF = np.uint64(32)  # bits of a hash; the lower ones say less


class Waiting(NamedTuple):
    """Rows that are read and not yet summed; ``labels`` are per factor those of its columns."""

    X: np.ndarray
    y: np.ndarray
    weights: np.ndarray | None
    offset: np.ndarray | None
    labels: list[list]


@dataclass(frozen=True, eq=False)
class Summed:
    """The sums of rows, and whose they are; levels stand in the order in which they came.

    Attributes
    ----------
    factors : the grouping factors
    tally : sums
    sizes, counts : per factor, observations and rows of every level
    """

    factors: tuple[Growing, ...]
    tally: Tally | None
    sizes: tuple[np.ndarray, ...]
    counts: tuple[np.ndarray, ...]

    @classmethod
    def nothing(cls, reader: Reader) -> Self:
        """Before the first row."""
        pairs = zip(reader.factor_names, reader.groups, strict=True)
        factors = tuple(Growing.empty(name, len(group)) for name, group in pairs)
        none = tuple(np.zeros(0, dtype=np.int64) for _ in factors)
        return cls(factors, None, none, none)

    def with_rows(self, parts: Sequence[Waiting], wanted: Wanted) -> Summed:
        """With those of further rows."""
        X, y, weights, offset = _below(parts)
        found = [
            factor.extended([joined_labels(column) for column in zip(*columns, strict=True)])
            for factor, *columns in zip(self.factors, *(p.labels for p in parts), strict=True)
        ]
        factors = tuple(factor for factor, _ in found)
        codes = [code for _, code in found]
        source = InMemory(X, y, weights, codes, [factor.n_levels for factor in factors], offset)
        with blas_threads():
            tally = Tally.of(source, wanted) if self.tally is None else self.tally.add(source)
        return Summed(factors, tally, *self._counted(source, weights))

    def _counted(self, source, weights):
        """Observations and rows per level; the same where no row so far has a weight."""
        counts = _counted(self.counts, source, None)
        if weights is None and self.sizes is self.counts:
            return counts, counts
        return _counted(self.sizes, source, weights), counts

    @classmethod
    def total(cls, parts: Sequence[Summed]) -> Summed:
        """Of all rows of several, with the union of their levels."""
        factors, places = Growing.united([part.factors for part in parts])
        n_levels = [factor.n_levels for factor in factors]
        with blas_threads():
            tally = Tally.total([part.tally for part in parts], places, n_levels)
        sizes = _scattered([part.sizes for part in parts], places, n_levels)
        counts = _scattered([part.counts for part in parts], places, n_levels)
        return cls(tuple(factors), tally, sizes, counts)

    def in_order(self) -> tuple[tuple, Summed]:
        """The factors with their levels sorted, and the sums of these levels."""
        found = [factor.factor() for factor in self.factors]
        places = [place for _, place in found]
        sorted_ = [factor for factor, _ in found]
        tally = self.tally.spread(places, [factor.n_levels for factor in sorted_])
        sizes, counts = (
            tuple(
                np.asarray(own)[np.argsort(place)] for own, place in zip(many, places, strict=True)
            )
            for many in (self.sizes, self.counts)
        )
        return tuple(sorted_), Summed(self.factors, tally, sizes, counts)


@dataclass(frozen=True, eq=False)
class Stream:
    """The sums of all parts so far, and who is who in them; nothing changes it.

    Attributes
    ----------
    first : reader of the first part, which knows the levels of this part only
    wanted : what the sums are for
    response : what the response is called
    so_far : the sums of the rows that do not wait
    waiting : the rows that do
    """

    first: Reader
    wanted: Wanted
    response: Any
    so_far: Summed
    waiting: tuple[Waiting, ...] = ()

    @classmethod
    def of(cls, spec: Spec, alpha: float, part: Part) -> Self:
        """From the first part, which says what the columns are."""
        opened, rows = _opened(spec, alpha, part)
        y = part.response(spec.owner, len(rows))
        _check(opened.reader.names, rows, y, part.weights)
        return opened.stream(part, rows, y, part.weights)

    @classmethod
    def total(cls, streams: Sequence[Stream]) -> Stream:
        """All rows of several."""
        first = streams[0]
        if len(streams) == 1:
            return first
        for other in streams[1:]:
            first.first.check_agrees(other.first)
        total = Summed.total([stream.summed().so_far for stream in streams])
        return replace(first, so_far=total, waiting=())

    def __add__(self, other: Stream) -> Stream:
        return Stream.total([self, other])

    def with_rows(self, part: Part) -> Stream:
        """With a further part."""
        rows = self.first.read(part.given.X, part.given.groups)
        y = part.response(self.first.owner, len(rows))
        _check(self.first.names, rows, y, part.weights)
        return self.with_read(rows, y, part.weights)

    def with_read(self, rows: Rows, y: np.ndarray, weights: Any) -> Stream:
        """With rows that have been read."""
        read = Waiting(rows.X, y, weights, rows.offset, self.first.labels(rows))
        found = replace(self, waiting=(*self.waiting, read))
        levels = max((factor.n_levels for factor in self.so_far.factors), default=0)
        most = min(max(levels, FEWEST_WAITING), MOST_WAITING)
        return found if found._n_waiting < most else found.summed()

    @property
    def _n_waiting(self):
        return sum(len(part.y) for part in self.waiting)

    def summed(self) -> Stream:
        """The same with all rows summed."""
        if not self.waiting:
            return self
        return replace(self, so_far=self.so_far.with_rows(self.waiting, self.wanted), waiting=())

    def __getstate__(self):
        found = self.summed()
        return {name: vars(found)[name] for name in self.__dataclass_fields__}

    @property
    def n_rows(self) -> int:
        """Number of rows so far."""
        tally = self.so_far.tally
        return (0 if tally is None else tally.seen.n_rows) + self._n_waiting

    @cached_property
    def _in_order(self):
        return self.summed().so_far.in_order()

    @cached_property
    def reader(self) -> Reader:
        """Reader with the levels of all parts, sorted."""
        return replace(self.first, factors=self._in_order[0])

    @property
    def tally(self) -> Tally:
        """Sums of all rows, levels as the reader has them."""
        return self._in_order[1].tally

    def counts(self, f: int) -> np.ndarray:
        """Rows of every level of a factor."""
        return self._in_order[1].counts[f]

    def names(self) -> Names:
        """The names of a fit."""
        sizes = tuple(size.astype(np.float64) for size in self._in_order[1].sizes)
        return names_of(self.reader, sizes, self.response)


@dataclass(frozen=True, eq=False)
class Opened:
    """What a part says of all: its columns, and what a formula learns.

    Attributes
    ----------
    reader : of that part, without its levels
    wanted : what the design is to have
    """

    reader: Reader
    wanted: Wanted

    @classmethod
    def by(cls, spec: Spec, alpha: float, part: Part) -> Self:
        """By the part that comes first, or by rows with the same columns."""
        return _opened(spec, alpha, part)[0]

    def streams(self, part: Part, most_levels: int, n_shares: int) -> list[Stream | None]:
        """The rows of a part as one stream, or as several where a factor has too many levels.

        Then a level of that factor is in one share only, which is the same in every part; None is a
        share without rows.
        """
        rows, y = self.read(part)
        hashes = self._hashes(rows) if len(y) > most_levels else []
        counts = [len(pd.unique(hashed)) for hashed in hashes]
        if max(counts, default=0) <= most_levels:
            return [self._summed(part, rows, y, part.weights)]
        share = (hashes[int(np.argmax(counts))] >> UPPER_HALF) % np.uint64(n_shares)
        places = (np.flatnonzero(share == k) for k in range(n_shares))
        return [self._share(part, rows, y, own) if len(own) else None for own in places]

    def read(self, part: Part) -> tuple[Rows, np.ndarray]:
        """The rows that count, and their responses."""
        rows = self.reader.read(part.given.X, part.given.groups)
        y = part.response(self.reader.owner, len(rows))
        _check(self.reader.names, rows, y, part.weights)
        return rows, y

    def _hashes(self, rows):
        """Per factor, a number for every row that its labels make."""
        return [hashed([rows.labels[name] for name in group]) for group in self.reader.groups]

    def _share(self, part, rows, y, places):
        weights = None if part.weights is None else part.weights[places]
        return self._summed(part, rows.take(places), y[places], weights)

    def _summed(self, part, rows, y, weights):
        return self.stream(part, rows, y, weights).summed()

    def stream(self, part: Part, rows: Rows, y: np.ndarray, weights: Any) -> Stream:
        """Some rows of a part, which have been read."""
        first = self.reader.of_first_row(rows)
        found = Stream(first, self.wanted, response_name(part.y), Summed.nothing(first))
        return found.with_read(rows, y, weights)


@dataclass(frozen=True, eq=False)
class Part:
    """Some rows as a user passes them, without those of weight zero.

    Attributes
    ----------
    given : X and groups
    y : as it was passed
    weights : of the rows that count; None for ones
    keep : which of the rows count; None for all
    """

    given: Given
    y: Any
    weights: np.ndarray | None
    keep: np.ndarray | None

    @classmethod
    def of(cls, X: Any, y: Any, groups: Any, sample_weight: Any) -> Self | None:
        """None where no row counts."""
        is_empty = hasattr(X, "__len__") and len(X) == 0
        if is_empty or (sample_weight is not None and not np.any(np.asarray(sample_weight))):
            return None
        weights, keep = weights_of(sample_weight, X)
        return cls(Given(X, groups, None).take(keep), y, weights, keep)

    def response(self, owner: str, n: int) -> np.ndarray:
        """The response of the rows that count."""
        return finite_response(self.target(owner, n))

    def target(self, owner: str, n: int) -> np.ndarray:
        """The same as it was passed."""
        return response_of(owner, self.y, n, self.keep)


def _opened(spec, alpha, part):
    """What a part says of all, and its rows."""
    door, features, rows, layout = open_door(spec, part.given.X, part.given.groups)
    reader, _ = learn_reader(spec, door, features, layout, rows)
    wanted = Wanted(reader.terms, reader.n_fixed, reader.intercept, alpha)
    return Opened(replace(reader, factors=()), wanted), rows


def _check(names, rows: Rows, y, weights):
    with np.errstate(over="ignore"):
        check_sizes(names, rows.X, y, weights)


def _below(parts):
    """Columns, responses, weights and offsets of parts below each other."""
    if len(parts) == 1:
        return parts[0][:4]
    X = np.concatenate([part.X for part in parts])
    y = np.concatenate([part.y for part in parts])
    rows = [len(part.y) for part in parts]
    weights = filled_below([part.weights for part in parts], 1.0, rows)
    return X, y, weights, filled_below([part.offset for part in parts], 0.0, rows)


def _scattered(parts, places, n_levels):
    """Numbers of the levels of several parts, added up per factor."""
    found = []
    for f, m in enumerate(n_levels):
        total = np.zeros(m, dtype=np.result_type(*(part[f] for part in parts)))
        for part, place in zip(parts, places, strict=True):
            total[place[f]] += part[f]
        found.append(total)
    return tuple(found)


def _counted(known, source, weights):
    """Numbers of every level, per factor, with those that are known."""
    found = []
    for before, codes, m in zip(known, source.codes, source.n_levels, strict=True):
        numbers = np.bincount(codes, weights, m)
        numbers[: len(before)] += before.astype(numbers.dtype)
        found.append(numbers)
    return tuple(found)
