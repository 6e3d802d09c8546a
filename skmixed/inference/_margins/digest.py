"""What the columns of a data set hold, as a small table, where its rows are read part by part.

The rows of a digest are rows of the data set: some that are spread over it, the least and the
largest of every column of numbers, and the first with every value of the others.  So a digest says
of a column what the data set would: whether it holds numbers, its values, where it lies and how it
is spread.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ..._fit.model import FittedModel
from ..._fit.training import Training
from .sample import row_weights
from .tables import plain_table

SPREAD = 1 << 14  # rows that are spread over the data set
MOST_NUMBERS = 12  # distinct ones of a column that are kept: more are no levels
MOST_VALUES = 10_000  # distinct ones of other columns
MOST_CELLS = 100_000  # combinations of these


class Digest:
    """Rows that say what columns hold, from parts.

    Parameters
    ----------
    model : whose rows they are
    """

    def __init__(self, model: FittedModel):
        self._every = -(-model.n_rows // SPREAD)
        self._grouping: set = set()
        self._door = model.reader.door
        self._n = 0
        self._rows: list[pd.DataFrame] = []
        self._seen: dict[Hashable, set] = {}
        self._ends: dict[tuple, tuple[float, pd.DataFrame]] = {}

    @property
    def table(self) -> pd.DataFrame:
        """The rows."""
        ends = [row for _, row in self._ends.values()]
        return pd.concat([*self._rows, *ends], ignore_index=True)

    def add(self, part: Training) -> None:
        """The rows of a part."""
        table = plain_table(part.given.X)
        grouping = self._door.grouping(table)
        rows = table.X.reset_index(drop=True)
        kept = np.arange(-self._n % self._every, len(rows), self._every).tolist()
        self._n += len(rows)
        for name in table.names:
            if name not in grouping:
                kept += self._new_values(name, rows[name])
                self._note_ends(name, rows)
        self._rows.append(rows.iloc[sorted(set(kept))])

    def _new_values(self, name, column):
        """The first rows with values that no row before them has."""
        seen = self._seen.setdefault(name, set())
        most = MOST_NUMBERS if is_number(column) else MOST_VALUES
        if len(seen) >= most:
            return []
        codes, values = pd.factorize(column)
        new = [k for k, value in enumerate(values) if value not in seen][: most - len(seen)]
        seen.update(values[k] for k in new)
        _, first = np.unique(codes, return_index=True)
        return first[-len(values) :][new].tolist() if len(values) else []

    def _note_ends(self, name, rows):
        if not is_number(rows[name]):
            return
        for sign in (1.0, -1.0):
            values = sign * np.asarray(rows[name], dtype=np.float64)
            k = int(np.argmax(values))
            known = self._ends.get((name, sign))
            if known is None or values[k] > known[0]:
                self._ends[name, sign] = values[k], rows.iloc[k : k + 1]


def is_number(column: Any) -> bool:
    """Whether a column of a pandas table holds numbers."""
    return getattr(column.dtype, "kind", "") in "iuf"


def digest_of(model: FittedModel) -> pd.DataFrame:
    """Of the rows of a fit, which are read once for it."""
    known = vars(model.rows)
    if "_digest" not in known:
        digest = Digest(model)
        for part in model.parts():
            digest.add(part)
        known["_digest"] = digest.table
    return known["_digest"]


@dataclass(frozen=True, eq=False)
class Cells:
    """Combinations of columns with few values, the means of the others, and the rows of a digest.

    Attributes
    ----------
    table : a row per combination, then the rows of the digest
    weights : observations of the combinations, and nothing for the rows of the digest
    """

    table: pd.DataFrame
    weights: np.ndarray


def cells_of(model: FittedModel, named: Collection[Hashable]) -> Cells:
    """Of the rows of a fit; grouping columns count where they are named."""
    digest = digest_of(model)
    roles = _Roles.of(model, digest, named)
    summed = _summed(model.parts(), roles.keys, [*roles.means, *roles.dates])
    weights = summed.pop("").to_numpy()
    found = digest.iloc[np.zeros(len(summed), dtype=int)].reset_index(drop=True)
    whole = digest.copy()
    for name in roles.keys:
        found[name] = summed[name].astype(digest[name].dtype)
    for name in roles.means:
        found[name] = summed[name].to_numpy() / weights
        whole[name] = whole[name].astype(np.float64)
    for name in roles.dates:
        middle = pd.Series([int(summed[name].sum() / weights.sum())])
        found[name] = whole[name] = middle.astype(digest[name].dtype)[0]
    table = pd.concat([found, whole], ignore_index=True)
    return Cells(table, np.concatenate([weights, np.zeros(len(digest))]))


class _Roles(NamedTuple):
    """Columns whose values make cells, and those that have a mean in each or over all."""

    keys: list
    means: list
    dates: list

    @classmethod
    def of(cls, model, digest, named):
        grouping = model.reader.door.grouping(plain_table(digest))
        roles = {n: _role(digest[n], n in grouping, n in named) for n in digest}
        return cls(*([n for n, role in roles.items() if role == wanted] for wanted in cls._fields))


def _role(column, is_grouping, is_named):
    """Of a column; nothing for a grouping column that nobody names."""
    if is_grouping:
        return "keys" if is_named else ""
    if column.dtype.kind in "mM":
        return "dates"
    return "means" if is_number(column) and _is_long(column) else "keys"


def _is_long(column):
    return column.nunique() >= MOST_NUMBERS


def _summed(parts: Iterable[Training], keys: list, means: list) -> pd.DataFrame:
    """Weighted sums of columns and of ones, per combination of others."""
    found = None
    for part in parts:
        rows = plain_table(part.given.X).X
        w = row_weights(part.given.sample_weight, len(part.y))
        sums = {name: w * np.asarray(rows[name]).astype(np.float64) for name in means}
        own = pd.DataFrame({"": w} | sums | {name: rows[name].to_numpy() for name in keys})
        own = own if found is None else pd.concat([found, own], ignore_index=True)
        found = _grouped(own, keys)
        if len(found) > MOST_CELLS:
            raise ValueError(
                f"X: the columns with few values have more than {MOST_CELLS:,} combinations.\n"
                "Pass rows whose levels, frequencies and means make the grid: X=."
            )
    return found


def _grouped(rows, keys):
    if not keys:
        return rows.sum().to_frame().T
    return rows.groupby(keys, sort=False, observed=True, dropna=False).sum().reset_index()
