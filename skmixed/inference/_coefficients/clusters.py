"""Which cluster every row of the fit belongs to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..._data import tables
from ..._data.columns import is_missing
from ..._data.columns import labels as labels_of
from ..._data.factors import encode
from ..._fit.training import Training


@dataclass(frozen=True)
class Clusters:
    """Which cluster every row of the fit belongs to.

    Attributes
    ----------
    codes : (rows,)
    n : number of clusters
    factor : the grouping factor whose levels they are; None for others
    name : what they are called
    """

    codes: np.ndarray
    n: int
    factor: int | None = None
    name: str = "clusters"


def find_clusters(training: Training, clusters: Any, names: Sequence[str]) -> Clusters:
    """The clusters by name or labels.

    By default the outermost factor.  Every level must lie within one cluster.
    """
    _, factors = training.read()
    if clusters is None:
        found = _outermost(factors, names)
    elif isinstance(clusters, str) and clusters in names:
        found = _of_factor(factors, names.index(clusters), names)
    else:
        found = _of_labels(training, clusters)
    for codes, name in zip(factors, names, strict=True):
        if not _is_within(codes, found.codes):
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


def _outermost(codes, names):
    """The factor that all others are nested in."""
    if not codes:
        raise ValueError(
            "clusters: the model has no grouping factor to take them from.\nPass one label per row."
        )
    sizes = [int(c.max()) + 1 for c in codes]
    f = int(np.argmin(sizes))
    if not all(_is_within(c, codes[f]) for c in codes):
        raise ValueError(
            f"clusters: {', '.join(names)} are crossed, so that no factor divides the rows into "
            "independent clusters.\nPass labels of clusters that hold every level of every factor."
        )
    return _of_factor(codes, f, names)


def _of_factor(codes, f, names):
    return Clusters(codes[f], int(codes[f].max()) + 1, f, names[f])


def _of_labels(training, clusters):
    """Clusters from a column of X or from labels, without the rows of weight zero."""
    is_name = isinstance(clusters, str)
    name = clusters if is_name else getattr(clusters, "name", None)
    given = _column(training.given.X, clusters) if is_name else clusters
    labels = labels_of(given)
    keep = None if is_name else training.keep  # the columns of X have no others any more
    _check_labels(labels, len(training.y) if keep is None else len(keep))
    codes, levels = encode(labels if keep is None else labels[keep])
    return Clusters(codes, len(levels), None, str(name) if name else "clusters")


def _column(X, name):
    columns = tables.column_names(X) or []
    if name not in columns:
        raise tables.unknown_column("clusters", name, columns)
    return X[name]


def _check_labels(labels, n):
    if labels.shape != (n,):
        raise ValueError(
            f"clusters: expected {n} labels, one per row of the fit, got shape {labels.shape}.\n"
            "Pass labels in the order of the rows given to fit."
        )
    if np.any(missing := is_missing(labels)):
        raise ValueError(
            f"clusters: {int(np.sum(missing))} labels are missing.\n"
            "Give these rows a cluster of their own."
        )


def _is_within(inner, outer):
    """Whether every level of the inner codes has a single outer one."""
    parent = np.zeros(int(inner.max()) + 1, dtype=outer.dtype)
    parent[inner] = outer
    return bool(np.array_equal(parent[inner], outer))
