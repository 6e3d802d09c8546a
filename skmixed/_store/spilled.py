"""Blocks of rows in files: read one after the other in every round, and forgotten.

A block of one component that is too large for that has its columns x in a file, which are read
piece by piece, and what is one number per row in memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .._algebra.levels import level_sums
from .._algebra.packed import triangle_entries
from .._sums.blocks import RowBlock, times
from .._sums.grouping import Grouping, grouping_of
from .arrow import ArrowFile, write_once
from .protocol import Block, Elsewhere, Held, first_blocks, visited


class Pieces:
    """Columns (n, p) in the batches of a file.

    Attributes
    ----------
    path : of the file
    columns : which of its columns
    shape : numbers of rows and columns
    """

    def __init__(self, path: Path, columns: np.ndarray, n_rows: int):
        self.path = path
        self.columns = columns
        self.shape = (n_rows, len(columns))

    def __iter__(self):
        """Rows as slices, and their columns."""
        file = ArrowFile(self.path)
        stop = 0
        for k in range(len(file)):
            x = chosen(file[k]["x"], self.columns)
            yield slice(stop, stop := stop + len(x)), x

    def __matmul__(self, beta):
        out = np.empty(self.shape[0])
        for rows, x in self:
            out[rows] = x @ beta
        return out


def chosen(x, columns):
    """Some columns; all of them are not copied."""
    return x if len(columns) == x.shape[1] else x[:, columns]


@dataclass(frozen=True, eq=False)
class LongBlock(RowBlock):
    """A block whose columns x are :class:`Pieces`."""

    def level_fixed(self, weights):
        found = []
        for z, group in zip(self.z, self.groups, strict=True):
            sums = np.zeros((len(z), group.n_levels, self.x.shape[1]))
            for rows, x in self.x:
                for out, column in zip(sums, z, strict=True):
                    values = weights[rows] if column is None else (column * weights)[rows]
                    level_sums(group.codes[rows], values, x, out)
            found.append(np.ascontiguousarray(sums.transpose(0, 2, 1)))
        return found

    def moments(self, weights):
        (z,) = self.z
        (group,) = self.groups
        entries = list(triangle_entries(len(z)))
        products = [times(z[r], times(z[c], weights)) for r, c in entries]
        with_z = [[group.sum(times(column, product)) for column in z] for product in products]
        with_x = np.zeros((len(entries), group.n_levels, self.x.shape[1]))
        for rows, x in self.x:
            for out, product in zip(with_x, products, strict=True):
                level_sums(group.codes[rows], product[rows], x, out)
        return np.ascontiguousarray(with_x.transpose(0, 2, 1)), np.array(with_z)

    def x_of(self, rows):
        wanted = np.arange(len(self.y))[rows]
        out = np.empty((len(wanted), self.x.shape[1]))
        for own, x in self.x:
            inside = (wanted >= own.start) & (wanted < own.stop)
            out[inside] = x[wanted[inside] - own.start]
        return out

    def x_sums(self, values):
        return sum(values[rows] @ x for rows, x in self.x)

    def fixed_gram(self, weights):
        return sum((weights[rows, None] * x).T @ x for rows, x in self.x)


@dataclass(frozen=True, eq=False)
class Filed:
    """A block of rows in a file of its own.

    Attributes
    ----------
    path : of the file
    n_rows : number of them
    n_levels : per factor
    sizes : per factor, its number of effects
    meets : (f, g) -> pairs of their levels
    """

    path: Path
    n_rows: int
    n_levels: list[int]
    sizes: list[int]
    meets: dict[tuple[int, int], tuple[np.ndarray, np.ndarray]]

    def load(self, columns: np.ndarray) -> RowBlock:
        """The block with some of the columns of x."""
        found = ArrowFile(self.path)[0]
        groups = tuple(
            grouping_of(found[f"code{f}"].astype(np.int64), m) for f, m in enumerate(self.n_levels)
        )
        x = found.get("x", np.zeros((self.n_rows, 0)))
        return RowBlock(
            chosen(x, columns),
            tuple(
                tuple(found.get(f"z{f}_{k}") for k in range(q)) for f, q in enumerate(self.sizes)
            ),
            found["y"],
            found.get("m", 1.0),
            groups,
            {
                (f, g): (Grouping(found[f"pair{f}_{g}"].astype(np.int64), len(rows)), rows, cols)
                for (f, g), (rows, cols) in self.meets.items()
            },
            tuple(slice(0, m) for m in self.n_levels),
            found.get("offset"),
        )


def arrays_of(rows: RowBlock) -> dict[str, np.ndarray | None]:
    """The columns of a block that is written."""
    found = {"x": rows.x, "y": rows.y, "offset": rows.offset}
    found["m"] = rows.m if np.ndim(rows.m) else None
    for f, (group, z) in enumerate(zip(rows.groups, rows.z, strict=True)):
        found[f"code{f}"] = group.codes.astype(np.int32)
        found |= {f"z{f}_{k}": column for k, column in enumerate(z)}
    for (f, g), (group, *_) in rows.pairs.items():
        found[f"pair{f}_{g}"] = group.codes.astype(np.int32)
    return found


def filed(rows: RowBlock, path: Path) -> Filed:
    """A block once it is written."""
    write_once(path, arrays_of(rows))
    return Filed(
        path,
        len(rows.y),
        [group.n_levels for group in rows.groups],
        [len(z) for z in rows.z],
        {key: tuple(meets) for key, (_, *meets) in rows.pairs.items()},
    )


class Spilled(Elsewhere):
    """Blocks of rows in files, or in memory but for their columns x.

    Parameters
    ----------
    entries : of the blocks
    columns : those of x that are no combinations of others
    places : per factor, where the levels in the order of the blocks stand among those of the model
    """

    def __init__(
        self, entries: Sequence[Filed | LongBlock], columns: np.ndarray, places: list[np.ndarray]
    ):
        self.entries = entries
        self.columns = columns
        self.places = places
        self._plans: dict[int, Any] = {}

    def _load(self, k):
        entry = self.entries[k]
        return entry.load(self.columns) if isinstance(entry, Filed) else entry

    def _block(self, k):
        """A block; the plans of several factors, which take time to make, are kept."""
        rows = self._load(k)
        if rows.is_separable:
            return Block.of(rows)
        if k not in self._plans:
            self._plans[k] = Block.of(rows).plan
        return Block(rows, self._plans[k])

    def round(self, function, request, handle=None):
        return visited(map(self._block, range(len(self.entries))), function, request, handle)

    def first(self, rows):
        counts = [
            entry.n_rows if isinstance(entry, Filed) else len(entry.y) for entry in self.entries
        ]
        return Held.of([self._load(k) for k in range(first_blocks(counts, rows))])
