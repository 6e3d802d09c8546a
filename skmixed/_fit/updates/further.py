"""Further rows of a fitted model: its levels among theirs, and who is who after them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from ..._data.rows import Rows
from ..._sums.source import InMemory
from ..model import FittedModel
from ..training import Training


class Further(NamedTuple):
    """Further rows, and the levels of the fit among all levels.

    Attributes
    ----------
    source : the rows, coded by all levels
    places : per factor, where the levels that were known before are among all
    """

    source: InMemory
    places: list[np.ndarray]


def updated(model: FittedModel, training: Training, rows: Rows, update: Any) -> FittedModel:
    """The model with effects that know further rows; ``update`` makes the fit of it."""
    reader, places, codes = model.reader.extended(rows)
    n_levels = [factor.n_levels for factor in reader.factors]
    weights = training.weights
    source = InMemory(rows.X, training.y, weights, codes, n_levels, rows.offset)
    names = replace(
        model.names,
        levels=tuple(factor.labels for factor in reader.factors),
        sizes=tuple(
            _sizes(own, place, code, weights, m)
            for own, place, code, m in zip(model.names.sizes, places, codes, n_levels, strict=True)
        ),
    )
    fit = update(model, Further(source, places))
    found = replace(model, fit=fit, reader=reader, names=names)
    if "fingerprint" in vars(model):
        vars(found)["fingerprint"] = model.fingerprint
    return found


def _sizes(known, places, codes, weights, n_levels):
    """Observations per level."""
    found = np.bincount(codes, weights, n_levels).astype(np.float64)
    found[places] += known
    return found


def origin(fit: Any) -> Any:
    """The fit without further rows."""
    return getattr(fit, "origin", fit)
