"""Chunks: rows that are read one part after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from .._fit.parts import RowParts, check_columns
from .._fit.spilling import Check, FirstPass, Spilled
from .._fit.stream import Part, Stream
from .._reader import Reader, Spec
from .._report.rows_read import RowsRead
from .._store.arrow import pyarrow
from ..streams import Chunks, in_chunk


def takes(X: Any) -> bool:
    """Whether X is read in parts."""
    return isinstance(X, Chunks)


def stream(
    spec: Spec, alpha: float, X: Chunks, y: Any, groups: Any, sample_weight: Any, *, lines: bool
) -> Stream | None:
    """The sums of all parts, or None where no row counts."""
    check_columns(y, groups, sample_weight)
    found: list[Stream] = []

    def take(part):
        found[:] = [found[0].with_rows(part) if found else Stream.of(spec, alpha, part)]

    _each_part(X, y, sample_weight, take, lines)
    return found[0] if found else None


def _each_part(X, y, sample_weight, take, lines):
    """Take the rows that count part by part, and say how far it is."""
    total = X.n_rows if lines or X.progress else None
    with RowsRead(total, lines=lines, bar=X.progress) as read:
        for number, piece in enumerate(X.pieces(y, sample_weight), 1):
            with in_chunk(number):
                part = Part.of(piece.X, piece.y, None, piece.weights)
                if part is not None:
                    take(part)
            read.advance(len(piece.X))


@contextmanager
def placed(
    spec: Spec,
    alpha: float,
    class_weight: Any,
    X: Chunks,
    y: Any,
    groups: Any,
    sample_weight: Any,
    check: Check,
    *,
    lines: bool,
) -> Iterator[Spilled | None]:
    """All rows in temporary files, or None where no row counts."""
    check_columns(y, groups, sample_weight)
    pyarrow()
    with TemporaryDirectory(prefix="skmixed-", ignore_cleanup_errors=True) as folder:
        is_weighted = sample_weight is not None
        first = FirstPass(spec, alpha, class_weight, Path(folder), check)
        _each_part(X, y, sample_weight, partial(first.take, is_weighted=is_weighted), lines)
        yield first.sorted() if first.n_rows else None


def rows(reader: Reader, n_rows: int, X: Chunks, y: Any, sample_weight: Any) -> RowParts:
    """The same chunks, read again."""
    return RowParts(reader, X, y, sample_weight, n_rows)


def applied(ask: Callable, X: Chunks, groups: Any, answer: Any) -> Any:
    """Chunks have no place for answers."""
    raise TypeError(
        "X: chunks are read to be fitted; what is asked of their rows has no place to go.\n"
        "Ask table by table: for rows in chunks(...): model.predict(rows)."
    )
