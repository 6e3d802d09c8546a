"""Rows on their way from a source to blocks: in files, all rows of a key in the same."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np

from .arrow import Arrays, ArrowFile, ArrowWriter

WAITING_ROWS = 1 << 14  # that are written together


class Buckets:
    """Files of rows.

    Parameters
    ----------
    folder : where they are written
    name : of the files
    count : number of files

    Attributes
    ----------
    counts : rows of every file
    """

    def __init__(self, folder: Path, name: str, count: int):
        self.paths = [folder / f"{name}-{k}.arrow" for k in range(count)]
        self.counts = np.zeros(count, dtype=np.int64)
        self._writers = [ArrowWriter(path) for path in self.paths]
        self._waiting: list[tuple[Arrays, np.ndarray]] = []
        self._n_waiting = 0

    def __len__(self):
        return len(self.paths)

    def add(self, arrays: Arrays, keys: np.ndarray) -> None:
        """Rows, each for the bucket of its key."""
        self._waiting.append((arrays, keys))
        self._n_waiting += len(keys)
        self.counts += np.bincount(keys, minlength=len(self.counts))
        if self._n_waiting >= WAITING_ROWS:
            self._write()

    def _write(self):
        if not self._waiting:
            return
        arrays = below([arrays for arrays, _ in self._waiting])
        keys = np.concatenate([keys for _, keys in self._waiting])
        self._waiting, self._n_waiting = [], 0
        present = np.unique(keys)
        if len(present) == 1:
            self._writers[present[0]].write(arrays)
            return
        order = np.argsort(keys.astype(np.uint16), kind="stable")
        arrays = taken(arrays, order)
        ends = np.searchsorted(keys[order], np.arange(len(self.paths) + 1))
        for k, (lo, hi) in enumerate(pairwise(ends)):
            if hi > lo:
                self._writers[k].write(taken(arrays, slice(lo, hi)))

    def close(self) -> None:
        """All rows are there."""
        self._write()
        for writer in self._writers:
            writer.close()

    def batches(self, k: int) -> Iterator[dict[str, np.ndarray]]:
        """The rows of a bucket, some at a time."""
        if self.paths[k].exists():
            file = ArrowFile(self.paths[k])
            yield from (file[i] for i in range(len(file)))

    def drop(self, k: int) -> None:
        """Remove a bucket that is not needed any more."""
        self.paths[k].unlink(missing_ok=True)


def below(parts) -> dict:
    """Rows below each other."""
    if len(parts) == 1:
        return dict(parts[0])
    names = parts[0]
    return {
        name: None if parts[0][name] is None else np.concatenate([part[name] for part in parts])
        for name in names
    }


def taken(arrays: Arrays, rows) -> dict:
    """Some rows."""
    return {name: None if a is None else a[rows] for name, a in arrays.items()}
