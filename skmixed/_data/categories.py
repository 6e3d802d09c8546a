"""Categories that rows have, and no others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd
from formulaic.transforms.contrasts import C, Contrasts


def without_unused(table: pd.DataFrame) -> pd.DataFrame:
    """A table whose categorical columns have no category without rows."""
    kinds = zip(table.columns, table.dtypes.array, strict=True)
    found = [name for name, kind in kinds if isinstance(kind, pd.CategoricalDtype)]
    changes = {name: table[name].cat.remove_unused_categories() for name in found}
    return table.assign(**changes) if changes else table


def present(data: Any, contrasts: Any = None, *, levels: Any = None, **options: Any) -> Any:
    """formulaic's ``C`` at fit, without those of the levels given that no row has."""
    if levels is not None and not _is_custom(contrasts):
        levels = _present(data, levels)
    return C(data, contrasts, levels=levels, **options)


def remembered(data: Any, contrasts: Any = None, *, levels: Any = None, **options: Any) -> Any:
    """formulaic's ``C`` for new rows, with the levels of the fit."""
    return C(data, contrasts, **options)


def _is_custom(contrasts: Any) -> bool:
    """Whether the coding is made of numbers, a row for every level given."""
    if contrasts is None or isinstance(contrasts, Contrasts):
        return False
    return not isinstance(contrasts, type)


def _present(data: Any, levels: Iterable) -> list:
    found = set(pd.unique(pd.Series(getattr(data, "__wrapped__", data))))
    return [level for level in levels if level in found]


AT_FIT: Mapping[str, Any] = {"C": present}
AFTERWARDS: Mapping[str, Any] = {"C": remembered}
