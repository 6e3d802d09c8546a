"""Data sets that are read in parts: files larger than memory, and whatever yields tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import narwhals

from ._data import tables

__all__ = ["Chunks", "chunks"]

BATCH_ROWS = 1 << 17


class Piece(NamedTuple):
    """Some rows: columns of the model, response and weights."""

    X: Any
    y: Any
    weights: Any


class Chunks:
    """A data set that is read in parts, from its beginning every time; made by ``chunks``.

    Iteration gives the tables as they come.

    Parameters
    ----------
    read : callable
        Takes the names of the columns that are needed, None for all, and yields tables.
    columns : list of str or None
        Columns of the model; None for every column but the response.

    Examples
    --------
    >>> import pandas as pd
    >>> from skmixed import chunks
    >>> parts = chunks([pd.DataFrame({"x": [1.0]}), pd.DataFrame({"x": [2.0, 3.0]})])
    >>> [len(part) for part in parts]
    [1, 2]
    """

    def __init__(
        self, read: Callable[[Sequence[str] | None], Iterable], columns: Sequence[str] | None
    ) -> None:
        self._read = read
        self._columns = None if columns is None else list(columns)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._read(self._columns))

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
            For columns that are not there.

        Examples
        --------
        >>> import pandas as pd
        >>> from skmixed import chunks
        >>> (piece,) = chunks([pd.DataFrame({"x": [1.0, 2.0], "y": [3.0, 4.0]})]).pieces("y")
        >>> list(piece.X.columns), list(piece.y)
        (['x'], [3.0, 4.0])
        """
        others = [name for name in (y, sample_weight) if name is not None]
        wanted = self._columns
        if wanted is not None:
            wanted = [name for name in wanted if name not in others]
        for table in self._read(None if wanted is None else [*wanted, *others]):
            yield _piece(table, wanted, y, sample_weight)


def _piece(table, wanted, y, sample_weight):
    frame = narwhals.from_native(_as_table(table), eager_only=True)
    names = frame.columns
    beside = {"y": y} if sample_weight is None else {"y": y, "sample_weight": sample_weight}
    for role, name in beside.items():
        _check_there(f"{role}=", [name], names)
    if wanted is None:
        wanted = [name for name in names if name not in beside.values()]
    _check_there("columns=", wanted, names)
    response, *weights = (frame[name].to_native() for name in beside.values())
    return Piece(frame.select(wanted).to_native(), response, weights[0] if weights else None)


def _check_there(role, wanted, names):
    for name in wanted:
        if name not in names:
            raise tables.unknown_column(role, name, names)


def _as_table(table):
    """Record batches of pyarrow as tables."""
    if type(table).__name__ == "RecordBatch" and type(table).__module__.startswith("pyarrow"):
        import pyarrow as pa

        return pa.Table.from_batches([table])
    return table


def chunks(
    source: Any, columns: Sequence[str] | None = None, *, batch_rows: int = BATCH_ROWS
) -> Chunks:
    """A data set in parts, for ``fit(chunks(...), "y")``: rows are read, summed and forgotten.

    Memory holds one part and the sums, however many rows there are; the fit is that of all rows in
    memory, to rounding.

    Parameters
    ----------
    source : str, Path, pyarrow Dataset, iterable or callable
        A Parquet or CSV file, or a folder of such; a data set of pyarrow; an iterable of tables
        (pandas, polars, pyarrow) that can be read again, such as a list; or a function that returns
        an iterator of tables, such as ``lambda: con.sql(query).fetch_record_batch()``.
    columns : list of str, default=None
        Columns of the model, grouping columns among them; the response need not be.  None: every
        column but the response.
    batch_rows : int, default=131072
        Most rows that are read from files at a time.  Tables of an iterable stay as they are.

    Returns
    -------
    Chunks

    Raises
    ------
    TypeError
        For what can be read only once, and other kinds of sources.
    FileNotFoundError
        For paths that are not there.

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
    return Chunks(_reader_of(source, batch_rows), columns)


def _reader_of(source, batch_rows):
    """What reads the source from its beginning, given the columns that are needed."""
    if isinstance(source, str | Path):
        return _files(Path(source), batch_rows)
    if hasattr(source, "to_batches") and hasattr(source, "schema") and hasattr(source, "scanner"):
        return lambda names: _batches(source, names, batch_rows)
    if callable(source):
        return lambda names: source()
    if isinstance(source, Iterator):
        raise TypeError(
            f"source: a {type(source).__name__} can be read only once.\n"
            "Pass a function that makes it: chunks(lambda: ...)."
        )
    if tables.column_names(source) is None and isinstance(source, Iterable):
        return lambda names: source
    raise TypeError(
        f"source: a {type(source).__name__} is no file, data set, iterable of tables or function.\n"
        "Put a single table into a list, or pass it to fit as it is."
    )


def _files(path, batch_rows):
    if not path.exists():
        raise FileNotFoundError(f"source: {str(path)!r} is not there.\nGive a file or a folder.")

    def read(names):
        from pyarrow import dataset

        inside = path if path.is_file() else next(path.rglob("*.*"), path)
        kind = "csv" if inside.suffix.lower() == ".csv" else "parquet"
        partitioning = None if path.is_file() else "hive"
        found = dataset.dataset(str(path), format=kind, partitioning=partitioning)
        return _batches(found, names, batch_rows)

    return read


def _batches(found, names, batch_rows):
    """Pandas tables of a data set of pyarrow, few of them at a time."""
    from pyarrow.dataset import ParquetFileFormat, ParquetFragmentScanOptions

    known = found.schema.names
    chosen = None if names is None else [name for name in names if name in known]
    options = {"batch_readahead": 1, "fragment_readahead": 1}
    if isinstance(getattr(found, "format", None), ParquetFileFormat):
        flat = ParquetFragmentScanOptions(pre_buffer=False, use_buffered_stream=True)
        options["fragment_scan_options"] = flat
    for batch in found.to_batches(columns=chosen, batch_size=batch_rows, **options):
        yield batch.to_pandas()
