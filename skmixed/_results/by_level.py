"""Coefficients of single levels: fixed effects and conditional modes added up."""

from __future__ import annotations

import numpy as np
import pandas as pd

from .._data.tables import unknown_column
from .._fit.model import FittedModel


def coefficients_by_level(model: FittedModel, factor: str | None) -> pd.DataFrame:
    """``beta + b`` of every level of a factor; of all factors, if there are several and none is
    named.
    """
    factors = model.names.factors
    if factor is not None:
        if factor not in factors:
            raise unknown_column("factor", factor, list(factors))
        return _of_factor(model, factors.index(factor))
    if not factors:
        return pd.DataFrame([_fixed(model)])[:0]
    if len(factors) == 1:
        return _of_factor(model, 0)
    parts = {name: _of_factor(model, f) for f, name in enumerate(factors)}
    return pd.concat(parts, names=["factor", "level"]).fillna(0.0)


def _fixed(model: FittedModel) -> dict[str, float]:
    """The fixed effects that were not dropped, by name."""
    values = model.fit.coefficients[model.fit.units.independent]
    return dict(zip(model.coefficient_names, values.tolist(), strict=True))


def _of_factor(model: FittedModel, f: int) -> pd.DataFrame:
    """Effects without a fixed one come first: theirs is zero."""
    names = model.names
    modes = dict(zip(names.effects[f], model.fit.effects[f].T, strict=True))
    fixed = _fixed(model)
    fixed = {name: 0.0 for name in modes if name not in fixed} | fixed
    zeros = np.zeros(len(names.levels[f]))
    columns = {name: value + modes.get(name, zeros) for name, value in fixed.items()}
    return pd.DataFrame(columns, index=pd.Index(names.levels[f], name=names.factors[f]))
