"""Where rows come from: what a design asks of a data set, and the data set in memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np

ROWS_PER_CHUNK = 1 << 13
CONSTANT = 1e-12  # deviations below this share of the mean are rounding


class Moments(NamedTuple):
    """Weighted means, standard deviations and root mean squares of the columns of X."""

    mean: np.ndarray
    sd: np.ndarray
    rms: np.ndarray


class Sample(NamedTuple):
    """Some rows, spread over all of them.

    Attributes
    ----------
    X, y : columns and response less the offset; None for a response that is not looked at
    root : square roots of the weights
    """

    X: np.ndarray
    y: np.ndarray | None
    root: np.ndarray


class Chunk(NamedTuple):
    """Rows that follow each other, with their weights (None for ones), codes per factor and offset
    (None for none).
    """

    X: np.ndarray
    y: np.ndarray
    weights: np.ndarray | None
    codes: list[np.ndarray]
    offset: np.ndarray | None = None

    @property
    def response(self) -> np.ndarray:
        """What a linear model explains."""
        return less(self.y, self.offset)

    @property
    def n(self) -> float:
        """Number of observations."""
        return float(len(self.X) if self.weights is None else np.sum(self.weights))

    def weighted(self, columns: np.ndarray) -> np.ndarray:
        """Rows (n, ...) times their weights."""
        if self.weights is None:
            return columns
        return columns * self.weights.reshape(-1, *[1] * (columns.ndim - 1))


class Source(Protocol):
    """A data set that can be read several times.

    Attributes
    ----------
    n_levels : number of levels of every grouping factor
    n_rows : number of rows
    n : number of observations, the sum of the weights
    """

    @property
    def n_levels(self) -> Sequence[int]: ...

    @property
    def n_rows(self) -> int: ...

    @property
    def n(self) -> float: ...

    def moments(self) -> Moments:
        """Of the columns of all rows."""

    def sample(self, most: int, *, response: bool) -> Sample:
        """At most so many rows, with or without their responses."""

    def chunks(self, rows: int | None = None) -> Iterator[Chunk]:
        """All rows in order; a source may choose how many at a time."""


@dataclass(frozen=True, eq=False)
class InMemory:
    """A data set in arrays.

    Attributes
    ----------
    X, y : (n, k) floats and (n,)
    weights : None or positive
    codes : per factor integers below its number of levels
    n_levels : per factor
    offset : None or (n,), a known part of the linear predictor
    """

    X: np.ndarray
    y: np.ndarray
    weights: np.ndarray | None
    codes: Sequence[np.ndarray]
    n_levels: Sequence[int]
    offset: np.ndarray | None = None

    @property
    def response(self) -> np.ndarray:
        """What a linear model explains: y less the offset."""
        return less(self.y, self.offset)

    @property
    def n_rows(self) -> int:
        return len(self.X)

    @property
    def n(self) -> float:
        return float(len(self.X) if self.weights is None else np.sum(self.weights))

    def moments(self) -> Moments:
        X = self.X
        w = self.weights
        total = len(X) if w is None else np.sum(w)
        mean = (np.sum(X, axis=0) if w is None else w @ X) / total
        squares = np.zeros(X.shape[1])
        for rows in slices(len(X), ROWS_PER_CHUNK):
            centred = X[rows] - mean
            np.multiply(centred, centred, out=centred)
            squares += centred.sum(axis=0) if w is None else w[rows] @ centred
        variance = squares / total
        sd = np.sqrt(variance)
        sd = np.where(sd <= CONSTANT * np.abs(mean), 0.0, sd)
        return Moments(mean, sd, np.sqrt(variance + mean**2))

    def sample(self, most: int, *, response: bool) -> Sample:
        rows = slice(None, None, -(-len(self.X) // most))
        X = self.X[rows]
        root = np.ones(len(X)) if self.weights is None else np.sqrt(self.weights[rows])
        return Sample(X, self.response[rows] if response else None, root)

    def chunks(self, rows: int | None = None) -> Iterator[Chunk]:
        for part in slices(len(self.X), rows or ROWS_PER_CHUNK):
            weights = None if self.weights is None else self.weights[part]
            offset = None if self.offset is None else self.offset[part]
            yield Chunk(self.X[part], self.y[part], weights, [c[part] for c in self.codes], offset)

    def columns(self, rows: np.ndarray | slice) -> np.ndarray:
        """The columns of some rows."""
        if isinstance(rows, slice) or self.X.flags.c_contiguous:
            return some_of(self.X, rows)
        return np.array([column.take(rows) for column in self.X.T]).reshape(-1, len(rows)).T

    def outcomes(self, rows: np.ndarray | slice) -> tuple[np.ndarray, Any, np.ndarray | None]:
        """Responses, weights (the number one for ones) and offset (None for none) of some rows."""
        m = 1.0 if self.weights is None else some_of(self.weights, rows)
        offset = None if self.offset is None else some_of(self.offset, rows)
        return some_of(self.y, rows), m, offset


def below(first: InMemory, second: InMemory) -> InMemory:
    """The rows of one data set and those of another with the same columns and levels below them."""
    lengths = first.n_rows, second.n_rows
    return InMemory(
        np.concatenate([first.X, second.X]),
        np.concatenate([first.y, second.y]),
        filled_below([first.weights, second.weights], 1.0, lengths),
        [np.concatenate(pair) for pair in zip(first.codes, second.codes, strict=True)],
        second.n_levels,
        filled_below([first.offset, second.offset], 0.0, lengths),
    )


def filled_below(
    columns: Sequence[np.ndarray | None], default: float, lengths: Sequence[int]
) -> np.ndarray | None:
    """Columns below each other, any of which may be left out; None where all are."""
    if all(column is None for column in columns):
        return None
    parts = zip(columns, lengths, strict=True)
    return np.concatenate([np.full(n, default) if part is None else part for part, n in parts])


def less(y: np.ndarray, offset: np.ndarray | None) -> np.ndarray:
    """Responses less an offset, if there is one."""
    return y if offset is None else y - offset


def some_of(values: np.ndarray, rows: np.ndarray | slice) -> np.ndarray:
    """Some rows."""
    return values[rows] if isinstance(rows, slice) else values.take(rows, axis=0)


def slices(n: int, size: int) -> list[slice]:
    """Consecutive slices of n rows."""
    return [slice(lo, min(lo + size, n)) for lo in range(0, n, size)]
