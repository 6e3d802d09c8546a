"""Columns of a table that are one variable together, or the interaction of such variables."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np

from .._coefficients.terms import check_terms, columns_of
from .._margins.tables import known_columns, listed
from .data import Data
from .factors import Factor

REFERENCE = "(reference)"
Products = dict[Hashable, tuple[Hashable, ...]]


def read_terms(data: Data, terms: Mapping | None) -> tuple[dict[Hashable, Factor | None], Products]:
    """The variables of ``terms``, None for those that are no zeros and ones; and of the columns of
    interactions those that they are products of.
    """
    given = {} if terms is None else dict(check_terms(terms))
    columns = {name: _columns(data, wanted) for name, wanted in given.items()}
    known = {name: [name] for name in data.table.names} | columns
    blocks: dict[Hashable, Factor | None] = {}
    products: Products = {}
    for name, own in columns.items():
        if parts := _parts(name, known):
            sources = [known[part] for part in parts]
            products |= {c: _product(data, name, c, sources) for c in own}
        else:
            blocks[name] = _block(data, name, given[name], own)
    return blocks, products


def product_of(table: Any, columns: Sequence[Hashable]) -> np.ndarray:
    """The product of some columns of a table."""
    return np.prod([np.asarray(table.column(c), dtype=np.float64) for c in columns], axis=0)


def _columns(data, wanted):
    """Names of the columns of a variable, which may be given by level."""
    return known_columns("terms", listed(columns_of(wanted)), data.table)


def _parts(name, known):
    """Variables that ``sex:race`` is the interaction of; none where these are not there."""
    parts = str(name).split(":")
    found = {str(own): own for own in known}
    is_interaction = len(parts) > 1 and all(part in found for part in parts)
    return [found[part] for part in parts] if is_interaction else []


def _product(data, name, column, sources):
    """The columns whose product a column is."""
    values = np.asarray(data.column(column), dtype=np.float64)
    for chosen in product(*sources):
        if np.allclose(product_of(data, chosen), values):
            return chosen
    raise ValueError(
        f"terms: {column!r} of {name!r} is no product of columns of its variables.\n"
        "Leave it out of terms, then it stays at its mean."
    )


def _block(data, name, given, columns):
    """Columns of zeros and ones as one variable; None where they are something else."""
    X = np.column_stack([np.asarray(data.column(c), dtype=np.float64) for c in columns])
    if not np.all((X == 0) | (X == 1)) or np.any(X.sum(axis=1) > 1):
        if isinstance(given, Mapping):
            raise ValueError(
                f"terms: the columns of {name!r} are not zeros with at most a one in every row.\n"
                "Name the columns of one variable only."
            )
        return None
    levels, reference = _levels(name, given, columns)
    at_levels = np.eye(len(levels))
    codes = np.where(X.any(axis=1), X.argmax(axis=1), len(levels))
    if np.any(codes == len(levels)) or reference is not None:
        codes = np.where(codes == len(levels), 0, codes + 1)
        levels = [REFERENCE if reference is None else reference, *levels]
        at_levels = np.vstack([np.zeros(len(columns)), at_levels])
    found = {c: values.tolist() for c, values in zip(columns, at_levels.T, strict=True)}
    return Factor(name, levels, found, codes)


def _levels(name, given, columns):
    """Levels of the columns, and the one at which all are zero, if it has a name.

    Of a list they are what the columns are called without the name of the variable before.
    """
    if isinstance(given, Mapping):
        reference = next((level for level, column in given.items() if column is None), None)
        return [level for level, column in given.items() if column is not None], reference
    return _short(name, columns), None


def _short(name, columns):
    """Columns without the name of the variable before them, where all have it."""
    texts = list(map(str, columns))
    for start in (f"{name}{mark}" for mark in ("_", "[T.", "[", "=", ".", ":")):
        if all(text.startswith(start) for text in texts):
            return [text.removeprefix(start).removesuffix("]") for text in texts]
    return list(columns)
