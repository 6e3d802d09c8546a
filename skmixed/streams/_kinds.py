"""Data sets that are read in tables: what kinds there are, and how each is read from its beginning.

A source is a value of its kind: it yields tables of some columns, and says how many rows there are
where that costs nothing.  No library is imported to be recognised.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from .._data import tables

BUFFER = 1 << 20  # bytes that are read from a file at a time

FORMATS = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".csv": "csv",
    ".arrow": "ipc",
    ".ipc": "ipc",
    ".feather": "feather",
}


class Source(Protocol):
    """Something that can be read again and again."""

    def tables(self, names: Sequence[str] | None, batch_rows: int) -> Iterable:
        """Tables with these columns at least; None for all."""

    @property
    def n_rows(self) -> int | None:
        """Number of rows; None where nobody knows before they are read."""


@dataclass(frozen=True)
class Parquet:
    """A Parquet file, or a folder of such, partitioned or not.

    Files are read one after the other, of which pyarrow's data sets would keep several in memory.
    """

    path: Path

    def _opened(self):
        from pyarrow import dataset

        partitioning = None if self.path.is_file() else "hive"
        return dataset.dataset(str(self.path), format="parquet", partitioning=partitioning)

    def tables(self, names, batch_rows):
        return _ahead(self._read(names, batch_rows))

    def _read(self, names, batch_rows):
        from pyarrow import dataset, parquet

        found = self._opened()
        for fragment in found.get_fragments():
            parts = dataset.get_partition_keys(fragment.partition_expression)
            parts = {name: value for name, value in parts.items() if names is None or name in names}
            file = parquet.ParquetFile(
                fragment.path, filesystem=found.filesystem, buffer_size=BUFFER, pre_buffer=False
            )
            own = file.schema_arrow.names
            if names is not None:
                own = _known([name for name in names if name not in parts], own)
            for batch in file.iter_batches(batch_rows, columns=own):
                yield _with_constants(batch, parts, found.schema)

    @property
    def n_rows(self):
        return self._opened().count_rows()


def _with_constants(batch, values, schema):
    """Rows with the columns that the name of their folder stands for."""
    import pyarrow as pa

    for name, value in values.items():
        constant = pa.scalar(value, schema.field(name).type)
        batch = batch.append_column(name, pa.repeat(constant, batch.num_rows))
    return batch


def _ahead(each):
    """The same tables, the next of which is read while one is worked on."""
    with ThreadPoolExecutor(1) as reader:
        following = reader.submit(next, each, None)
        while (table := following.result()) is not None:
            following = reader.submit(next, each, None)
            yield table


@dataclass(frozen=True)
class DataSet:
    """A data set of pyarrow, which ``opened`` gives."""

    opened: Callable[[], Any]

    def tables(self, names, batch_rows):
        found = self.opened()
        chosen = None if names is None else _known(names, found.schema.names)
        few = {"batch_readahead": 0, "fragment_readahead": 1, **_flat(found)}
        return _ahead(iter(found.to_batches(columns=chosen, batch_size=batch_rows, **few)))

    @property
    def n_rows(self):
        found = self.opened()
        return found.count_rows() if _is_parquet(found) else None


def _known(names, known):
    """These, or all of them where one is missing: what is there is said by whoever needs it."""
    return list(names) if set(names) <= set(known) else list(known)


def _is_parquet(found):
    from pyarrow.dataset import ParquetFileFormat

    return isinstance(getattr(found, "format", None), ParquetFileFormat)


def _flat(found):
    """Options that keep the memory of a Parquet file flat."""
    from pyarrow.dataset import ParquetFragmentScanOptions

    if not _is_parquet(found):
        return {}
    options = ParquetFragmentScanOptions(pre_buffer=False, use_buffered_stream=True)
    return {"fragment_scan_options": options}


@dataclass(frozen=True)
class ArrowTable:
    """A table of pyarrow, which may be mapped from a file."""

    table: Any

    def tables(self, names, batch_rows):
        known = self.table.column_names
        chosen = known if names is None else _known(names, known)
        return self.table.select(chosen).to_batches(max_chunksize=batch_rows)

    @property
    def n_rows(self):
        return self.table.num_rows


@dataclass(frozen=True)
class LazyFrame:
    """A query of polars."""

    query: Any

    def tables(self, names, batch_rows):
        query = self.query
        if names is not None:
            query = query.select(_known(names, query.collect_schema().names()))
        return query.collect_batches(chunk_size=batch_rows)

    @property
    def n_rows(self):
        return None


@dataclass(frozen=True)
class Relation:
    """A query of DuckDB."""

    query: Any

    def tables(self, names, batch_rows):
        query = self.query
        if names is not None:
            quoted = [name.replace('"', '""') for name in _known(names, query.columns)]
            query = query.project(", ".join(f'"{name}"' for name in quoted))
        read = getattr(query, "to_arrow_reader", None) or query.fetch_record_batch
        return read(batch_rows)

    @property
    def n_rows(self):
        return None


@dataclass(frozen=True)
class Several:
    """Tables of any kind that can be read again."""

    each: Iterable

    def tables(self, names, batch_rows):
        return self.each

    @property
    def n_rows(self):
        return sum(map(len, self.each)) if isinstance(self.each, list | tuple) else None


@dataclass(frozen=True)
class Factory:
    """A function that gives an iterator of tables, or a source of another kind."""

    make: Callable[[], Any]

    def tables(self, names, batch_rows):
        made = self.make()
        if isinstance(made, Iterator):
            return made
        found = _recognised(made)
        return [made] if found is None else found.tables(names, batch_rows)

    @property
    def n_rows(self):
        return None


def source_of(given: Any) -> Source:
    """What reads the tables that a user names.

    Raises
    ------
    TypeError
        For what can be read only once, and other kinds.
    FileNotFoundError
        For paths that are not there.
    """
    if isinstance(given, str | Path):
        return _files(Path(given))
    if isinstance(given, Iterator):
        raise TypeError(
            f"source: a {type(given).__name__} can be read only once.\n"
            "Pass a function that makes it: chunks(lambda: ...)."
        )
    found = _recognised(given)
    if found is None:
        raise TypeError(
            f"source: a {type(given).__name__} is no file, data set, iterable of tables or "
            "function.\nPut a single table into a list, or pass it to fit as it is."
        )
    return found


def _recognised(given):
    """What reads something that has rows; None for a table that is in memory."""
    return next((kind(given) for has, kind in KINDS if has(given)), None)


def _has(*names):
    return lambda given: all(hasattr(given, name) for name in names)


#: how to tell them, and what reads them
KINDS: list[tuple[Callable[[Any], bool], Callable[[Any], Source]]] = [
    (_has("collect_batches"), LazyFrame),
    (_has("scanner", "to_batches"), lambda given: DataSet(lambda: given)),
    (_has("combine_chunks", "to_batches"), ArrowTable),
    (_has("fetch_record_batch"), Relation),
    (callable, Factory),
    (lambda given: isinstance(given, Iterable) and tables.column_names(given) is None, Several),
]


def _files(path):
    if not path.exists():
        raise FileNotFoundError(f"source: {str(path)!r} is not there.\nGive a file or a folder.")
    inside = path if path.is_file() else next(filter(_is_data, sorted(path.rglob("*"))), None)
    if inside is None:
        raise FileNotFoundError(f"source: {str(path)!r} is empty.\nGive a folder with files.")
    kind = next((FORMATS[s] for s in map(str.lower, inside.suffixes) if s in FORMATS), "parquet")
    if kind == "parquet":
        return Parquet(path)
    partitioning = None if path.is_file() else "hive"

    def opened():
        from pyarrow import dataset

        return dataset.dataset(str(path), format=kind, partitioning=partitioning)

    return DataSet(opened)


def _is_data(path):
    """A file that no program made for itself."""
    return path.is_file() and not path.name.startswith((".", "_"))
