"""Arrays of rows in memory-mapped Arrow files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

Arrays = Mapping[str, "np.ndarray | None"]


def pyarrow():
    """The package, or an error that says what it is for."""
    try:
        import pyarrow
    except ImportError as error:
        raise ImportError(
            "chunks: a logistic model keeps its rows in Arrow files, which pyarrow writes.\n"
            "Install it: pip install pyarrow."
        ) from error
    return pyarrow


class ArrowWriter:
    """A file of batches of rows, all with the same columns; one of no width is left out."""

    def __init__(self, path: Path):
        self.path = path
        self._file = None

    def write(self, arrays: Arrays) -> None:
        """A batch: per name (n,) or (n, k), or None."""
        pa = pyarrow()
        columns = {name: _to_arrow(pa, a) for name, a in arrays.items() if _is_there(a)}
        batch = pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns))
        if self._file is None:
            self._file = pa.ipc.new_file(str(self.path), batch.schema)
        self._file.write_batch(batch)

    def close(self) -> None:
        """Done."""
        if self._file is not None:
            self._file.close()
            self._file = None


def write_once(path: Path, arrays: Arrays) -> None:
    """A file with a single batch."""
    writer = ArrowWriter(path)
    writer.write(arrays)
    writer.close()


class ArrowFile:
    """Batches of rows that are mapped into memory."""

    def __init__(self, path: Path):
        pa = pyarrow()
        self._file = pa.ipc.open_file(pa.memory_map(str(path)))

    def __len__(self):
        return self._file.num_record_batches

    def __getitem__(self, k: int) -> dict[str, np.ndarray]:
        batch = self._file.get_batch(k)
        return {name: _to_numpy(batch.column(name)) for name in batch.schema.names}


def _is_there(array):
    return array is not None and (array.ndim == 1 or array.shape[1] > 0)


def _to_arrow(pa, array):
    flat = pa.array(np.ascontiguousarray(array).ravel())
    if array.ndim == 1:
        return flat
    return pa.FixedSizeListArray.from_arrays(flat, array.shape[1])


def _to_numpy(column):
    if not hasattr(column.type, "list_size"):
        return column.to_numpy(zero_copy_only=True)
    flat = column.flatten().to_numpy(zero_copy_only=True)
    return flat.reshape(len(column), column.type.list_size)
