"""A data set that comes in parts: what is kept of it when its rows are gone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from .._algebra.machine import blas_threads
from .._data.response import finite_response, response_name
from .._data.rows import Given, Rows
from .._data.sizes import check_sizes
from .._reader import Reader, Spec, learn_reader, open_door
from .._report.names import Names
from .._sums.source import InMemory
from .._sums.tally import Tally, Wanted
from .model import names_of
from .training import response_of, weights_of


@dataclass(frozen=True, eq=False)
class Stream:
    """The sums of all parts so far, and who is who in them; nothing changes it.

    Attributes
    ----------
    reader : of the first part, with the levels of all
    tally : sums
    sizes : per factor, observations of every level
    response : what the response is called
    """

    reader: Reader
    tally: Tally
    sizes: Sequence[np.ndarray]
    response: Any

    @classmethod
    def of(cls, spec: Spec, alpha: float, part: Part) -> Self:
        """From the first part, which says what the columns are."""
        door, features, rows, layout = open_door(spec, part.given.X, part.given.groups)
        y = part.response(spec.owner, len(rows))
        _check(layout.names, rows, y, part.weights)
        reader, codes = learn_reader(spec, door, features, layout, rows)
        source = _source(reader, rows, y, part.weights, codes)
        wanted = Wanted(reader.terms, reader.n_fixed, reader.intercept, alpha)
        with blas_threads():
            tally = Tally.of(source, wanted)
        return cls(reader, tally, _sizes(source), response_name(part.y))

    def with_rows(self, part: Part) -> Stream:
        """With a further part."""
        rows = self.reader.read(part.given.X, part.given.groups)
        y = part.response(self.reader.owner, len(rows))
        _check(self.reader.names, rows, y, part.weights)
        reader, places, codes = self.reader, [], []
        if reader.factors:
            reader, places, codes = reader.extended(rows)
        source = _source(reader, rows, y, part.weights, codes)
        with blas_threads():
            tally = self.tally.add(source, places)
        sizes = _sizes(source)
        for size, place, known in zip(sizes, places, self.sizes, strict=True):
            size[place] += known
        return replace(self, reader=reader, tally=tally, sizes=sizes)

    @property
    def n_rows(self) -> int:
        """Number of rows so far."""
        return self.tally.seen.n_rows

    def counts(self, f: int) -> np.ndarray:
        """Observations of every level of a factor, as whole numbers."""
        return np.ceil(self.sizes[f]).astype(int)

    def names(self) -> Names:
        """The names of a fit."""
        return names_of(self.reader, tuple(self.sizes), self.response)


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
        return finite_response(response_of(owner, self.y, n, self.keep))


def _check(names, rows: Rows, y, weights):
    with np.errstate(over="ignore"):
        check_sizes(names, rows.X, y, weights)


def _source(reader, rows, y, weights, codes):
    n_levels = [factor.n_levels for factor in reader.factors]
    return InMemory(rows.X, y, weights, codes, n_levels, rows.offset)


def _sizes(source):
    counted = zip(source.codes, source.n_levels, strict=True)
    return [np.bincount(c, source.weights, m).astype(np.float64) for c, m in counted]
