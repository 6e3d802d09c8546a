"""What a model is made of, from arrays and tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy import sparse

from ..._data.checks import check_choice, check_length
from ..._data.columns import is_missing
from .components import Component, components_of
from .groups import Groups

MISSING = ("none", "drop", "raise")
DEFAULT_EFFECT = "Group Var"  # as statsmodels calls the random intercept of arrays


class Matrix(NamedTuple):
    """Columns with their names."""

    values: np.ndarray
    names: list[str]


class Inputs(NamedTuple):
    """What a model is made of.

    Attributes
    ----------
    endog : (n,)
    endog_name : of the response
    exog : fixed effects
    groups : of the rows
    group_name : of the grouping factor
    exog_re : correlated random effects; without columns for none
    components : variance components
    index : labels of the rows; None where everything came in arrays
    full_names : of the entries of the covariance of ``exog_re``; None for statsmodels' rule
    design : patsy's description of exog; None without a formula
    formula : as it was given
    """

    endog: np.ndarray
    endog_name: str
    exog: Matrix
    groups: Groups
    group_name: str
    exog_re: Matrix
    components: list[Component]
    index: pd.Index | None
    full_names: list[str] | None = None
    design: Any = None
    formula: str | None = None


def from_arrays(
    endog: Any, exog: Any, groups: Any, exog_re: Any, exog_vc: Any, missing: str
) -> Inputs:
    """From what the constructor was given."""
    check_choice("missing", missing, MISSING)
    _check_indices(endog, exog)
    y = _column("endog", endog)
    fixed = _matrix("exog", exog, "x", constant=True)
    effects = None if exog_re is None else _matrix("exog_re", exog_re, "x_re")
    labels = np.asarray(groups)
    for name, values in {"exog": fixed.values, "groups": labels}.items():
        check_length(name, values, len(y))
    if effects is not None:
        check_length("exog_re", effects.values, len(y))
    index = _index(endog, exog)
    if missing == "drop":
        y, fixed, effects, labels, index = _complete(y, fixed, effects, labels, index)
    found = Groups.of(labels)
    components = components_of(exog_vc, found)
    full_names = None
    if effects is None and not components:
        effects = Matrix(np.ones((len(y), 1)), [DEFAULT_EFFECT])
        full_names = [DEFAULT_EFFECT]
    effects = effects or Matrix(np.empty((len(y), 0)), [])
    name = _endog_name(endog)
    return checked(Inputs(y, name, fixed, found, "Group", effects, components, index, full_names))


def checked(inputs: Inputs) -> Inputs:
    """The same, or an error that names what is missing or infinite."""
    named = {inputs.endog_name: inputs.endog}
    for matrix in (inputs.exog, inputs.exog_re):
        named |= dict(zip(matrix.names, matrix.values.T, strict=True))
    for name, values in named.items():
        if bad := int(np.sum(~np.isfinite(values))):
            raise ValueError(
                f"{name}: {bad} values are missing or infinite.\n"
                "Pass missing='drop' to leave out rows with missing values."
            )
    return inputs


def _check_indices(endog, exog):
    has_index = isinstance(endog, pd.Series | pd.DataFrame) and isinstance(
        exog, pd.Series | pd.DataFrame
    )
    if has_index and not endog.index.equals(exog.index):
        raise ValueError(
            "endog and exog: the labels of their rows differ.\n"
            "Select both from one table, or reset the index of each."
        )


def _index(endog, exog):
    for values in (exog, endog):
        if isinstance(values, pd.Series | pd.DataFrame):
            return values.index
    return None


def _endog_name(endog):
    if isinstance(endog, pd.DataFrame):
        return str(endog.columns[0])
    name = getattr(endog, "name", None)
    return "y" if name is None else str(name)


def _column(name, values):
    found = _numbers(name, values)
    if found.ndim == 2 and found.shape[1] == 1:
        found = found[:, 0]
    if found.ndim != 1:
        raise ValueError(
            f"{name}: expected one column, got shape {found.shape}.\nPass the response alone."
        )
    return found


def _matrix(name: str, values: Any, prefix: str, constant: bool = False) -> Matrix:
    """Columns of an array or a table, called as statsmodels calls them."""
    found = _numbers(name, values)
    found = found[:, None] if found.ndim == 1 else found
    if isinstance(values, pd.DataFrame):
        return Matrix(found, [str(c) for c in values.columns])
    if isinstance(values, pd.Series) and values.name is not None:
        return Matrix(found, [str(values.name)])
    return Matrix(found, _default_names(found, prefix, constant))


def _default_names(values: np.ndarray, prefix: str, constant: bool) -> list[str]:
    """``x1, x2, ...``, the first constant column being ``const``."""
    count = values.shape[1]
    still = np.flatnonzero(np.ptp(values, axis=0) == 0) if constant and len(values) else []
    names = [f"{prefix}{k + 1}" for k in range(count - (len(still) > 0))]
    if len(still):
        names.insert(int(still[0]), "const")
    return names


def _numbers(name, values):
    values = values.toarray() if sparse.issparse(values) else values
    try:
        return np.asarray(values, dtype=float)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{name}: every column must be numbers.\n"
            "Code text and categories first, or use from_formula, which does."
        ) from error


def _complete(y, fixed, effects, labels, index):
    """Without the rows in which anything is missing."""
    columns: Sequence[np.ndarray] = [y[:, None], fixed.values]
    columns = [*columns, effects.values] if effects is not None else columns
    keep = ~np.any(np.isnan(np.column_stack(columns)), axis=1) & ~is_missing(labels)
    fixed = fixed._replace(values=fixed.values[keep])
    effects = effects and effects._replace(values=effects.values[keep])
    return y[keep], fixed, effects, labels[keep], None if index is None else index[keep]
