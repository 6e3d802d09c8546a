"""Data sets that are read in parts: files larger than memory, and whatever yields tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import narwhals

from .._data import tables
from ._kinds import Source, source_of

__all__ = ["Chunks", "chunks"]

BATCH_ROWS = 1 << 17


class Piece(NamedTuple):
    """Some rows: columns of the model, response and weights."""

    X: Any
    y: Any
    weights: Any


class Chunks:
    """A data set that is read in parts, from its beginning every time; made by ``chunks``.

    Iteration gives the tables as they come, those of pyarrow as pandas has them.

    Parameters
    ----------
    source : Source
        What reads the tables.
    columns : list of str or None
        Columns of the model; None for every column but the response.
    batch_rows : int
        Most rows that are read from files at a time.
    progress : bool
        Whether a bar shows the rows that are read.

    Attributes
    ----------
    n_rows : int or None
        Number of rows, where the source knows it: Parquet files, tables, lists of tables.
    progress : bool
        As it was passed.

    Examples
    --------
    >>> import pandas as pd
    >>> from skmixed import chunks
    >>> parts = chunks([pd.DataFrame({"x": [1.0]}), pd.DataFrame({"x": [2.0, 3.0]})])
    >>> [len(part) for part in parts], parts.n_rows
    ([1, 2], 3)
    """

    def __init__(
        self,
        source: Source,
        columns: Sequence[str] | None,
        batch_rows: int = BATCH_ROWS,
        progress: bool = False,
    ) -> None:
        self._source = source
        self._columns = None if columns is None else list(columns)
        self._batch_rows = batch_rows
        self.progress = progress

    @property
    def n_rows(self) -> int | None:
        """Number of rows, where the source knows it."""
        return self._source.n_rows

    def __iter__(self) -> Iterator[Any]:
        return self._tables(self._columns)

    def _tables(self, names):
        return map(_in_memory, self._source.tables(names, self._batch_rows))

    def pieces(self, y: str, sample_weight: str | None = None) -> Iterator[Piece]:
        """The rows, with the response and the weights by the names of their columns.

        Parameters
        ----------
        y : str
            Column with the response.
        sample_weight : str, default=None
            Column with the number of times each row counts.

        Yields
        ------
        Piece
            ``X, y, weights``.

        Raises
        ------
        ValueError
            For columns that are not there, and such as the first table has not, with the number of
            the chunk.

        Examples
        --------
        >>> import pandas as pd
        >>> from skmixed import chunks
        >>> (piece,) = chunks([pd.DataFrame({"x": [1.0, 2.0], "y": [3.0, 4.0]})]).pieces("y")
        >>> list(piece.X.columns), list(piece.y)
        (['x'], [3.0, 4.0])
        """
        beside = {"y": y} if sample_weight is None else {"y": y, "sample_weight": sample_weight}
        wanted = self._columns
        if wanted is not None:
            wanted = [name for name in wanted if name not in beside.values()]
        every = None if wanted is None else [*wanted, *beside.values()]
        for number, table in enumerate(self._tables(every), 1):
            with in_chunk(number):
                frame = _as_frame(table)
                if self._columns is None:
                    wanted = _all_but(beside, frame.columns, wanted)
                piece = _piece(frame, wanted, beside)
            yield piece


@contextmanager
def in_chunk(number: int) -> Iterator[None]:
    """Errors about a table say which one it was, counted from 1.

    Parameters
    ----------
    number : int
        Of the table.

    Raises
    ------
    ValueError, TypeError
        As within, with the number in front.

    Examples
    --------
    >>> from skmixed.streams import in_chunk
    >>> with in_chunk(3):
    ...     raise ValueError("X: column 'x0' holds text.")
    Traceback (most recent call last):
    ValueError: chunk 3: X: column 'x0' holds text.
    """
    try:
        yield
    except (TypeError, ValueError) as error:
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(f"chunk {number}: {error}") from error


def _as_frame(table):
    frame = narwhals.from_native(table, eager_only=True, pass_through=True)
    if frame is table:
        raise TypeError(
            f"source: a {type(table).__name__} is no table.\n"
            "Give tables of pandas, polars or pyarrow, with a name for every column."
        )
    return frame


def _all_but(beside, names, before):
    """The columns of a table that are neither response nor weights: those of the first one."""
    for role, name in beside.items():
        _check_there(f"{role}=", [name], names)
    found = [name for name in names if name not in beside.values()]
    if before is None:
        return found
    if new := [name for name in found if name not in before]:
        raise ValueError(
            f"X: column {new[0]!r} is not in the first chunk.\n"
            "Give all chunks the same columns, or name those of the model: chunks(..., columns=)."
        )
    return before


def _piece(frame, wanted, beside):
    for role, name in beside.items():
        _check_there(f"{role}=", [name], frame.columns)
    _check_there("columns=", wanted, frame.columns)
    response, *weights = (frame[name].to_native() for name in beside.values())
    return Piece(frame.select(wanted).to_native(), response, weights[0] if weights else None)


def _check_there(role, wanted, names):
    for name in wanted:
        if name not in names:
            raise tables.unknown_column(role, name, names)


def _in_memory(table):
    """Tables and record batches of pyarrow as pandas tables, whose numbers are not copied."""
    if hasattr(table, "to_pandas") and type(table).__module__.startswith("pyarrow"):
        return table.to_pandas(split_blocks=True)
    return table


def chunks(
    source: Any,
    columns: Sequence[str] | None = None,
    *,
    batch_rows: int = BATCH_ROWS,
    progress: bool = False,
) -> Chunks:
    """A data set in parts, for ``fit(chunks(...), "y")``: rows are read, summed and forgotten.

    Memory holds a few parts and the sums, however many rows there are; the fit is that of all rows
    in memory, to rounding.  A classifier has to see its rows again and again: they are read once,
    and wait in memory-mapped Arrow files in a temporary folder (by ``tempfile``, about as large as
    the numbers in the columns) until the fit ends.

    Parameters
    ----------
    source : str, Path, table, query, iterable or callable
        One of

        - a Parquet, CSV or Arrow file, or a folder of such, partitioned in hive's way or not;
        - a data set of pyarrow, or a table of pyarrow (that may be mapped from a file);
        - a lazy frame of polars, or a relation of DuckDB, such as ``con.sql(query)``;
        - an iterable of tables (pandas, polars, pyarrow) that can be read again, such as a list;
        - a function that returns an iterator of tables, or one of the above, such as
          ``lambda: con.sql(query).to_arrow_reader()``.

    columns : list of str, default=None
        Columns of the model, grouping columns among them; the response need not be.  None: every
        column but the response.
    batch_rows : int, default=131072
        Most rows that are read from files and queries at a time.  Tables of an iterable stay as
        they are.
    progress : bool, default=False
        Whether a bar shows how many rows are read: that of tqdm, where it is installed.

    Returns
    -------
    Chunks

    Raises
    ------
    TypeError
        For what can be read only once, and other kinds of sources.
    ValueError
        For less than one row at a time.
    FileNotFoundError
        For paths that are not there.

    Notes
    -----
    Numbers of Arrow tables are not copied before they are summed, labels are looked up once per
    part.  Whole numbers in a narrow range are the quickest labels; text and dates take
    longer.  Memory is that of a part of at least ``batch_rows`` rows, as many rows as there
    are levels (at most 1,048,576), and some three times the sums of the levels.

    Examples
    --------
    >>> from skmixed import MixedLinearRegressor, chunks
    >>> from skmixed.datasets import make_mixed_regression
    >>> X, y = make_mixed_regression(random_state=0)
    >>> rows = X.assign(y=y)
    >>> parts = chunks([rows[:400], rows[400:]])
    >>> model = MixedLinearRegressor(groups="group").fit(parts, "y")
    >>> model.coef_.round(2)
    array([1.1, 2. ])
    """
    if batch_rows < 1:
        raise ValueError(
            f"batch_rows={batch_rows!r}: no row would ever be read.\n"
            "Give some ten thousand rows, or leave it out."
        )
    return Chunks(source_of(source), columns, batch_rows, progress)
