"""Rows of a classifier that come in parts: they are read once, and wait in files.

The first pass learns the levels, the classes and what the frame is chosen from; rows are written as
they come.  When it ends they are sorted into blocks (:mod:`skmixed._store.spill`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from .._data.class_weights import class_factors, weighted_classes
from .._data.growing import Growing
from .._data.outcomes import LabelsInParts
from .._data.sizes import check_sizes
from .._reader import Reader, Spec, learn_reader, open_door
from .._report.names import Names
from .._store.design import StoredDesign
from .._store.spill import Incoming, Spill
from .._sums.source import InMemory, Sample
from .._sums.tally import Seen, Wanted
from .model import names_of
from .stream import Part
from .training import response_of

#: what is refused: of the reader, when it is known, and of the rows of every part
Check = Callable[[Reader, Any], None]


@dataclass(frozen=True, eq=False)
class Spilled:
    """All rows of a data set in blocks, and who is who in them.

    Attributes
    ----------
    reader : with the levels of all parts
    design : with the rows
    classes : both labels, the event last
    factors : what the observations of the classes are multiplied by; None for nothing
    rows, sizes, events : per factor, rows, observations and events of every level
    n_rows : number of rows
    """

    reader: Reader
    design: StoredDesign
    classes: np.ndarray
    factors: np.ndarray | None
    rows: list[np.ndarray]
    sizes: list[np.ndarray]
    events: list[np.ndarray]
    n_rows: int

    def counts(self, f: int) -> np.ndarray:
        """Rows of every level of a factor."""
        return self.rows[f].astype(np.int64)

    def names(self, response: str) -> Names:
        """The names of a fit."""
        return names_of(self.reader, tuple(self.sizes), response, str(self.classes[1]))


class FirstPass:
    """Rows that are read for the first time.

    Parameters
    ----------
    spec, alpha, class_weight : of the estimator
    folder : where rows wait
    check : refuses what no part may have
    """

    def __init__(self, spec: Spec, alpha: float, class_weight: Any, folder: Path, check: Check):
        self.spec = spec
        self.alpha = alpha
        self.class_weight = class_weight
        self.folder = folder
        self.check = check
        self.labels = LabelsInParts()
        self.reader: Reader | None = None
        self._seen: dict[int, Seen] = {}
        self._n = np.zeros(2)

    @property
    def n_rows(self) -> int:
        """Number of rows so far."""
        return sum(seen.n_rows for seen in self._seen.values())

    def take(self, part: Part, *, is_weighted: bool) -> None:
        """Read a part; ``is_weighted`` says whether some part has weights."""
        rows = self._first(part) if self.reader is None else self.reader.read(part.given.X, None)
        y = self.labels.coded(response_of(self.spec.owner, part.y, len(rows), part.keep))
        with np.errstate(over="ignore"):
            check_sizes(self.reader.names, rows.X, y, part.weights)
        self.check(self.reader, rows)
        found = [
            factor.extended(columns)
            for factor, columns in zip(self.factors, self.reader.labels(rows), strict=True)
        ]
        self.factors = [factor for factor, _ in found]
        codes = [code for _, code in found]
        weights = part.weights
        if weights is None and is_weighted:
            weights = np.ones(len(y))
        self._look_at(rows.X, y, weights)
        self.spill.add(Incoming(rows.X, y, weights, rows.offset, codes))

    def _first(self, part):
        """The rows of the first part, which say what the columns are."""
        door, features, rows, layout = open_door(self.spec, part.given.X, None)
        self.reader, _ = learn_reader(self.spec, door, features, layout, rows)
        pairs = zip(self.reader.factor_names, self.reader.groups, strict=True)
        self.factors = [Growing.empty(name, len(group)) for name, group in pairs]
        self.spill = Spill(self.folder, len(self.factors))
        return rows

    def _look_at(self, X, y, weights):
        """What the frame is chosen from; of either class where their observations will be weighted,
        by what nobody knows yet.
        """
        self._n += np.bincount(y, weights, 2)
        kinds = np.zeros(len(y), dtype=np.uint8) if self.class_weight is None else y
        for kind in np.unique(kinds):
            own = slice(None) if self.class_weight is None else kinds == kind
            w = None if weights is None else weights[own]
            seen = Seen.of(InMemory(X[own], y[own], w, [], []), response=False)
            known = self._seen.get(kind)
            self._seen[kind] = seen if known is None else known + seen

    def sorted(self) -> Spilled:
        """All rows in blocks."""
        classes = self.labels.labels()
        turned = self.labels.is_first_event()
        totals = self._n[::-1] if turned else self._n
        factors = class_factors(self.class_weight, classes, np.array([0.0, 1.0]), totals)
        found = [factor.factor() for factor in self.factors]
        places = [place for _, place in found]
        reader = replace(self.reader, factors=tuple(factor for factor, _ in found))
        wanted = Wanted(reader.terms, reader.n_fixed, reader.intercept, self.alpha)
        frame = wanted.frame(self._all_seen(factors, turned), len(places))
        s = self.spill.sorted(frame, places, partial(_outcome, turned, factors))
        design = StoredDesign(frame, reader.terms, s.independent, s.store, s.gram, s.n)
        sums = ([getattr(own, name) for own in s.levels] for name in ("rows", "n", "events"))
        return Spilled(reader, design, classes, factors, *sums, self.n_rows)

    def _all_seen(self, factors, turned):
        """What was seen of all rows, with the weights of their classes."""
        if factors is None:
            return self._seen[0]
        parts = [
            _weighted(seen, factors[1 - kind if turned else kind])
            for kind, seen in self._seen.items()
        ]
        return parts[0] + parts[1]


def _outcome(turned, factors, y, weights):
    """Shares of events and weights of rows; ``turned`` says that zeros are events."""
    events = 1.0 - y if turned else y.astype(np.float64)
    return weighted_classes(factors, events, weights)


def _weighted(seen, factor):
    """The same rows, each counted so many times."""
    X, y, root = seen.sample
    return replace(seen, n=factor * seen.n, sample=Sample(X, y, np.sqrt(factor) * root))
