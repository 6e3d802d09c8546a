"""Which cluster every row of the fit belongs to, and every level."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import numpy as np

from ..._data import tables
from ..._data.columns import is_missing
from ..._data.columns import labels as labels_of
from ..._data.factors import Factor
from ..._fit.model import FittedModel
from ..._fit.parts import by_row
from ..._fit.training import Training
from ..._sums.source import Chunk, InMemory

NOWHERE = -1  # the cluster of a level that no row has


@dataclass(frozen=True, eq=False)
class Clusters:
    """Which cluster every row of the fit belongs to.

    Attributes
    ----------
    n : number of clusters
    parents : per factor the cluster of every level
    codes_of : clusters of the rows of a part
    factor : the grouping factor whose levels they are; None for others
    name : what they are called
    """

    n: int
    parents: Sequence[np.ndarray]
    codes_of: Callable[[Training], np.ndarray]
    factor: int | None = None
    name: str = "clusters"

    def rows(self, model: FittedModel) -> RowsOfClusters:
        """The rows of the fit with their clusters."""
        return RowsOfClusters(model, self)

    def codes(self, model: FittedModel) -> np.ndarray:
        """Clusters of all rows of the fit."""
        return by_row(model, self.codes_of)


@dataclass(frozen=True, eq=False)
class RowsOfClusters:
    """The rows of a fit, whose only factor are clusters."""

    model: FittedModel
    clusters: Clusters

    def chunks(self) -> Iterator[Chunk]:
        """All rows in order."""
        return chain.from_iterable(self._of(part).chunks() for part in self.model.parts())

    def _of(self, part: Training) -> InMemory:
        codes = [self.clusters.codes_of(part)]
        return replace(part.source(), codes=codes, n_levels=[self.clusters.n])


def find_clusters(model: FittedModel, clusters: Any) -> Clusters:
    """The clusters by name or labels.

    By default the outermost factor.  Every level must lie within one cluster.
    """
    names = model.names.factors
    if clusters is None:
        found = _outermost(model)
    elif isinstance(clusters, str) and clusters in names:
        found = factor_clusters(model, names.index(clusters))
    else:
        found = _of_labels(model, clusters)
    for parents, name in zip(found.parents, names, strict=True):
        if parents is None:
            raise ValueError(
                f"clusters: levels of {name!r} have rows in several clusters, which are then not "
                "independent.\nUse clusters that hold every level of every grouping factor."
            )
    if found.n < 2:
        raise ValueError(
            f"clusters: {found.name!r} has a single level.\n"
            "Robust covariances need several clusters."
        )
    return found


class Parents:
    """The cluster of every level of a factor, from rows that come in parts.

    Attributes
    ----------
    of : of every level; NOWHERE where no row was seen; None once a level has rows in two clusters
    """

    def __init__(self, n_levels: int):
        self.of: np.ndarray | None = np.full(n_levels, NOWHERE, dtype=np.int32)

    def add(self, levels: np.ndarray, clusters: np.ndarray) -> None:
        """Some rows."""
        if self.of is None:
            return
        before = self.of[levels]
        self.of[levels] = clusters
        is_one = np.array_equal(self.of[levels], clusters)
        if not (is_one and np.all((before == clusters) | (before == NOWHERE))):
            self.of = None

    def renamed(self, places: np.ndarray) -> None:
        """The same where clusters have other numbers."""
        if self.of is not None:
            self.of = np.where(self.of == NOWHERE, NOWHERE, places[self.of]).astype(np.int32)


def _parents_of(model: FittedModel) -> list[Parents]:
    return [Parents(factor.n_levels) for factor in model.reader.factors]


def _outermost(model):
    """The factor that all others are nested in."""
    names, sizes = model.names.factors, [factor.n_levels for factor in model.reader.factors]
    if not sizes:
        raise ValueError(
            "clusters: the model has no grouping factor to take them from.\nPass one label per row."
        )
    found = factor_clusters(model, int(np.argmin(sizes)))
    if any(parents is None for parents in found.parents):
        raise ValueError(
            f"clusters: {', '.join(names)} are crossed, so that no factor divides the rows into "
            "independent clusters.\nPass labels of clusters that hold every level of every factor."
        )
    return found


def factor_clusters(model: FittedModel, f: int) -> Clusters:
    """The levels of a factor as clusters; a factor has no parents where a level of it lies in
    several.
    """
    parents = _parents_of(model)
    n = len(parents[f].of)
    if len(parents) == 1:
        parents[f].of = np.arange(n, dtype=np.int32)
    else:
        for part in model.parts():
            _, codes = part.read()
            for each, levels in zip(parents, codes, strict=True):
                each.add(levels, codes[f])
    of_levels = [each.of for each in parents]
    return Clusters(n, of_levels, lambda part: part.read()[1][f], f, model.names.factors[f])


def _of_labels(model, clusters):
    """Clusters from a column of X or from labels, without the rows of weight zero."""
    labels = _ColumnLabels(clusters) if isinstance(clusters, str) else _GivenLabels(clusters)
    parents = _parents_of(model)
    factor = None
    last = None
    for part in model.parts():
        last = part
        own = labels.of(part)
        _check_known(own)
        if factor is None:
            factor, codes = Factor.from_columns(labels.name, [own])
        else:
            factor, places, codes = factor.extended([own])
            for each in parents:
                each.renamed(places)
        for each, levels in zip(parents, part.read()[1], strict=True):
            each.add(levels, codes)
    labels.check(last)
    of_levels = [each.of for each in parents]

    def codes_of(part):
        return factor.codes([labels.of(part)])

    return Clusters(factor.n_levels, of_levels, codes_of, None, labels.name)


class _ColumnLabels:
    """Labels in a column of X."""

    def __init__(self, name):
        self.name = name

    def of(self, part):
        """Of the rows that count."""
        X = part.given.X
        names = tables.column_names(X) or []
        if self.name not in names:
            raise tables.unknown_column("clusters", self.name, names)
        return labels_of(X[self.name])

    def check(self, last):
        """A column has a label in every row."""


class _GivenLabels:
    """Labels of all rows that were passed."""

    def __init__(self, labels):
        name = getattr(labels, "name", None)
        self.name = str(name) if name else "clusters"
        self.labels = labels_of(labels)

    def of(self, part):
        """Of the rows that count."""
        n = part.start + part.n_passed
        if np.ndim(self.labels) != 1 or len(self.labels) < n:
            more = " or more" if part.start else ""
            self._refuse(f"{n}{more}")
        return part.passed(self.labels)

    def check(self, last):
        """Whether they are as many as rows."""
        n = last.start + last.n_passed
        if len(self.labels) != n:
            self._refuse(n)

    def _refuse(self, n):
        raise ValueError(
            f"clusters: expected {n} labels, one per row of the fit, got shape "
            f"{np.shape(self.labels)}.\nPass labels in the order of the rows given to fit."
        )


def _check_known(labels):
    if np.any(missing := is_missing(labels)):
        raise ValueError(
            f"clusters: {int(np.sum(missing))} labels are missing.\n"
            "Give these rows a cluster of their own."
        )
