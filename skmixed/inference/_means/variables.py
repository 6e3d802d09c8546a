"""What may be named in a grid, what each variable is, and where it is put."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ..._data.tables import unknown_column
from .._margins.tables import known_columns, listed, name_of
from .blocks import Products, read_terms
from .data import Data
from .factors import (
    Factor,
    distinct_numbers,
    factor_of,
    is_zero_one,
    label_factor,
    never_together,
    numbers,
)
from .grid import Grid


def grid_of(
    data: Data, specs: Any, by: Any, at: Any, terms: Mapping | None, held: Sequence[Hashable] = ()
) -> Grid:
    """The grid that is asked for; ``held`` are columns that are numbers in any case."""
    specs, by = _names(data, specs), _names(data, by)
    if both := [name for name in specs if name in by]:
        raise ValueError(f"specs and by both name {both[0]!r}.\nName it once.")
    variables = Variables.of(data, at, terms, held)
    own = {name: variables.shown(name, "specs") for name in specs}
    within = {name: variables.shown(name, "by") for name in by}
    averaged, fixed = variables.others(own | within)
    means = variables.at_means([*own.values(), *within.values(), *averaged.values()], fixed)
    return Grid(
        data,
        tuple(own.values()),
        tuple(within.values()),
        tuple(averaged.values()),
        fixed | {name: data.mean(name) for name in means},
        tuple(means),
        tuple(variables.shares),
        variables.products,
    )


@dataclass(frozen=True, eq=False)
class Variables:
    """The variables of a model.

    Attributes
    ----------
    data : the rows
    at : values that are asked for
    factors : by name
    shares : columns of zeros and ones that look like levels of one variable
    products : columns that are products of others
    """

    data: Data
    at: dict
    factors: dict[Hashable, Factor]
    shares: list[Hashable]
    products: Products

    @classmethod
    def of(cls, data: Data, at: Any, terms: Mapping | None, held: Sequence[Hashable]) -> Variables:
        """Of a model, with those that ``terms`` puts together."""
        blocks, products = read_terms(data, terms)
        wanted = _values_at(data, at, [*data.table.names, *blocks, *data.labels])
        own = _there(blocks)
        taken = {c for block in own.values() for c in block.columns} | set(products) | set(held)
        single = _there({name: factor_of(data, name) for name in data.used if name not in taken})
        shares = never_together(data, [name for name, f in single.items() if is_zero_one(f)])
        return cls(data, wanted, single | own, shares, products)

    def shown(self, name: Hashable, role: str) -> Factor:
        """A variable that is named, with the levels that are asked for."""
        found = self._named(name, role)
        is_part = name in self.at and found.is_counted
        return found.at(self.at[name]) if is_part else found

    def _named(self, name, role):
        data = self.data
        if name in self.factors:
            return self.factors[name]
        if name in data.labels:
            return label_factor(data, name)
        known_columns(role, [name], data.table)
        if name not in data.used and name not in data.grouping:
            raise ValueError(
                f"{role}: the model does not use {name!r}.\n"
                f"Name one of {', '.join(map(repr, data.used))}."
            )
        if name in data.grouping and (factor := factor_of(data, name)) is not None:
            return factor
        if name in self.at:
            return numbers(name, self.at[name])
        if name in data.grouping:
            return numbers(name, np.sort(pd.unique(np.asarray(data.column(name)))).tolist())
        return distinct_numbers(data, name, role)

    def others(self, shown: dict[Hashable, Factor]) -> tuple[dict[Hashable, Factor], dict]:
        """Factors that are averaged over, and columns that are fixed at a value."""
        rest = [n for n in self.factors if n not in shown and n not in self.shares]
        averaged = {name: self.shown(name, "at") for name in rest}
        fixed = {}
        for name, values in self.at.items():
            if name in shown or name in averaged:
                continue
            if len(values) > 1 or name in self.data.labels:
                averaged[name] = self.shown(name, "at")
            else:
                fixed[name] = values[0]
        return averaged, fixed

    def at_means(self, factors: Sequence[Factor], fixed: dict) -> list[Hashable]:
        """Columns that are put at their mean: what the model uses, and what an offset may be."""
        data = self.data
        others = {c for factor in factors for c in factor.columns} | set(fixed) | data.grouping
        rest = [n for n in data.table.names if n not in others and n not in self.products]
        return [name for name in rest if name in data.used or data.is_number(name)]


def _there(factors):
    """Those of the variables that are factors."""
    return {name: factor for name, factor in factors.items() if factor is not None}


def _names(data, given):
    return [name_of(column, data.table) for column in listed(given)]


def _values_at(data, at, known):
    """Values by name."""
    if at is not None and not isinstance(at, dict):
        raise TypeError(f"at={at!r}: expected a dict.\nWrite at={{'age': [30, 40]}}.")
    wanted = {name_of(name, data.table): listed(values) for name, values in (at or {}).items()}
    for name, values in wanted.items():
        if name not in known:
            raise unknown_column("at", name, known)
        if not values:
            raise ValueError(f"at: no values for {name!r}.\nGive a value or a list of values.")
    return wanted
