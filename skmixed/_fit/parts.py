"""The rows of a fit that came in chunks: how they are read again, part by part.

Whatever is a sum over rows, or a number per row, is a function of parts; rows in memory are a
single part.  So one function serves both, and memory holds one part at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

import narwhals
import numpy as np
import pandas as pd

from .._data.class_weights import weighted_classes
from .._data.outcomes import Labels
from .._data.response import finite_response
from .._data.rows import Given, Rows
from .._data.tables import some_rows
from .._reader import Reader
from ..streams import Chunks, in_chunk
from .model import FittedModel
from .stream import Part
from .training import Training, Weighted, as_they_are

MOST_ROWS = 100_000  # that are read into memory


@dataclass(frozen=True, eq=False)
class PartRows(Training):
    """Some rows of a fit, which are read once."""

    @cached_property
    def _rows(self) -> tuple[Rows, list[np.ndarray]]:
        return super().read()

    def read(self) -> tuple[Rows, list[np.ndarray]]:
        return self._rows


@dataclass(frozen=True, eq=False)
class RowParts:
    """Rows of a fit in a data set that is read again from its beginning.

    Attributes
    ----------
    reader : of the fit
    chunks : the data set
    response : name of the column with the response
    weights : name of the one with the weights; None for ones
    n_rows : number of rows that count
    coded : makes numbers of the responses
    weighted : has the last word on them and their weights
    """

    reader: Reader
    chunks: Chunks
    response: str
    weights: str | None
    n_rows: int
    coded: Callable[[np.ndarray], np.ndarray] = finite_response
    weighted: Callable[[np.ndarray, np.ndarray | None], Weighted] = as_they_are

    index = None
    is_in_memory = False
    training = None

    def parts(self) -> Iterator[Training]:
        """The rows that count, part by part in the order of the source."""
        n = start = 0
        for number, piece in enumerate(self.chunks.pieces(self.response, self.weights), 1):
            part = Part.of(piece.X, piece.y, None, piece.weights)
            if part is not None:
                with in_chunk(number):
                    rows = self._rows_of(part, start)
                self._check(_are_known(rows), f"chunk {number} has levels that it had not")
                n += len(rows.y)
                self._check(n <= self.n_rows, "there are more of them")
                yield rows
            start += len(piece.y)
        self._check(n == self.n_rows, f"there are {n:,}, and were {self.n_rows:,}")

    def of_outcomes(self, classes: np.ndarray, factors: np.ndarray | None) -> RowParts:
        """The same of a model of two classes, whose labels are a column."""
        weighted = partial(weighted_classes, factors)
        return replace(self, coded=partial(_coded, classes), weighted=weighted)

    def _rows_of(self, part: Part, start: int) -> Training:
        rows = self.reader.read(part.given.X, None)
        codes = self.reader.codes(rows)
        y = self.coded(part.target(self.reader.owner, len(rows)))
        y, weights = self.weighted(y, part.weights)
        given = part.given._replace(sample_weight=part.weights)
        found = PartRows(self.reader, given, y, weights, part.keep, rows.offset, start)
        vars(found)["_rows"] = rows, codes
        return found

    def _check(self, is_same, reason):
        if not is_same:
            raise ValueError(
                f"chunks: these are not the rows of the fit: {reason}.\n"
                "The source must yield what it yielded at the fit; fit again where it has changed."
            )


def _are_known(rows):
    return all(np.all(code >= 0) for code in rows.read()[1])


def _coded(classes, y):
    return Labels(y).coded_as(y, classes)


def by_row(model: FittedModel, of_part: Callable[[Training], np.ndarray]) -> np.ndarray:
    """Numbers of all rows of a fit, ``of_part`` those of a part."""
    out = None
    stop = 0
    for part in model.parts():
        values = of_part(part)
        if out is None:
            out = np.empty(model.n_rows, dtype=values.dtype)
        rows = slice(stop, stop := stop + len(values))
        out[rows] = values
    return np.zeros(0) if out is None else out


def check_columns(y: Any, groups: Any, sample_weight: Any) -> None:
    """Of chunks, everything is a column."""
    for role, given in (("y", y), ("sample_weight", sample_weight)):
        if not isinstance(given, str) and (role == "y" or given is not None):
            raise TypeError(
                f"{role}: of chunks the name of a column is needed, got a {type(given).__name__}.\n"
                "Write fit(chunks(...), 'y')."
            )
    if groups is not None:
        raise TypeError(
            "groups: of chunks the grouping factors are columns.\n"
            "Name them in the constructor: groups='school'."
        )


def in_memory(model: FittedModel, most: int = MOST_ROWS) -> FittedModel:
    """A model with its rows in memory: of rows that are read part by part all, or at most so many,
    evenly spread over them.
    """
    if model.has_rows_in_memory:
        return model
    every = -(-model.n_rows // most)
    return kept(model, lambda part, before: np.arange(-before % every, len(part.y), every))


def kept(model: FittedModel, chosen: Callable[[Training, int], np.ndarray]) -> FittedModel:
    """A model with some rows in memory: ``chosen`` gives their positions within a part, before
    which there were so many rows.
    """
    parts = []
    before = 0
    for part in model.parts():
        places = chosen(part, before)
        parts.append(_some_of(part, places, before))
        before += len(part.y)
    tables, y, weights, offsets = zip(*parts, strict=True)
    X = narwhals.concat([narwhals.from_native(table, eager_only=True) for table in tables])
    w = _below(weights)
    w = None if np.all(w == 1.0) else w
    given = Given(X.to_native(), None, w)
    return replace(model, rows=Training(model.reader, given, _below(y), w, None, _below(offsets)))


def words_of_rows(model: FittedModel, some: FittedModel) -> str:
    """How many rows were looked at, where these are not all; else nothing."""
    if some.n_rows == model.n_rows:
        return ""
    return f"{some.n_rows:,} of {model.n_rows:,} rows"


def _some_of(part, places, before):
    """Table, responses, weights and offsets of some rows; a pandas table says where they were."""
    table = some_rows(part.given.X, places)
    if isinstance(table, pd.DataFrame):
        table = table.set_axis(before + places)
    others = (None if v is None else v[places] for v in (part.known_weights, part.offset))
    return table, part.y[places], *others


def _below(values):
    return None if values[0] is None else np.concatenate(values)
