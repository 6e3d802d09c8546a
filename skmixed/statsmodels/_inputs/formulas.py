"""What a model is made of, from formulas.

patsy reads them, as in statsmodels, so that columns have statsmodels' names.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from ..._data.checks import check_choice
from ..._data.columns import is_missing
from ..._data.tables import column_names, unknown_column
from .arrays import MISSING, Inputs, Matrix, checked
from .components import Columns, Component, indicators
from .groups import Groups


class Formulas(NamedTuple):
    """The formulas of a model, and where they look up what is no column."""

    fixed: Any
    effects: Any
    components: dict[str, Any]
    environment: Any

    @property
    def words(self) -> set[str]:
        """Names that occur in them."""
        found = [self.fixed, self.effects or "", *self.components.values()]
        return set(re.findall(r"[^\W\d]\w*", " ".join(map(str, found)))) | {
            quoted for text in found for quoted in re.findall(r"[\"']([^\"']+)[\"']", str(text))
        }


def from_formulas(formulas: Formulas, data: Any, groups: Any, subset: Any, missing: str) -> Inputs:
    """From what ``from_formula`` was given."""
    check_choice("missing", missing, MISSING)
    data = _as_pandas(data)
    name, labels = _grouping(data, groups)
    data, labels = _rows(formulas, data, labels, name, subset, missing)
    found = Groups.of(labels)
    endog, exog = _sides(formulas, data)
    effects = _effects(formulas, data, name)
    components = [
        _component(key, formulas.components[key], data, found, formulas.environment)
        for key in sorted(formulas.components)
    ]
    return checked(
        Inputs(
            endog.to_numpy(dtype=float)[:, 0],
            str(endog.columns[0]),
            Matrix(exog.to_numpy(dtype=float), list(exog.columns)),
            found,
            name,
            effects,
            components,
            data.index,
            design=exog.design_info,
            formula=formulas.fixed if isinstance(formulas.fixed, str) else None,
        )
    )


def environment_of(eval_env: Any, reference: int) -> Any:
    """Where formulas look up functions: so many frames above the caller; -1 for nowhere."""
    from patsy import EvalEnvironment

    if isinstance(eval_env, int) and eval_env < 0:
        return EvalEnvironment([])
    return EvalEnvironment.capture(eval_env, reference=reference + 1)


def _as_pandas(data):
    if isinstance(data, pd.DataFrame):
        return data
    if hasattr(data, "to_pandas"):
        return data.to_pandas()
    return pd.DataFrame(data)


def _grouping(data: pd.DataFrame, groups: ArrayLike | str) -> tuple[str, np.ndarray]:
    if not isinstance(groups, str):
        return "Group", np.asarray(groups)
    if groups not in data.columns:
        raise unknown_column("groups", groups, column_names(data))
    return groups, np.asarray(data[groups])


def _rows(formulas, data, labels, name, subset, missing):
    """The rows that are used: of the subset, and complete ones for ``missing="drop"``."""
    if len(labels) != len(data):
        raise ValueError(
            f"groups has {len(labels)} labels for {len(data)} rows.\nPass one label a row."
        )
    if subset is not None:
        places = pd.Series(np.arange(len(data)), index=data.index).loc[subset].to_numpy()
        data, labels = data.iloc[places], labels[places]
    used = [c for c in data.columns if c in formulas.words]
    gaps = data[used].isna()
    if missing == "drop":
        keep = ~(gaps.any(axis=1).to_numpy() | is_missing(labels))
        return data.loc[keep], labels[keep]
    for column, count in gaps.sum().items():
        if count:
            raise ValueError(
                f"data: column {column!r} has {count} missing values.\n"
                "Pass missing='drop' to leave out these rows."
            )
    return data, labels


def _sides(formulas, data):
    from patsy import NAAction, dmatrices

    endog, exog = dmatrices(
        formulas.fixed,
        data,
        formulas.environment,
        NA_action=NAAction(NA_types=[]),
        return_type="dataframe",
    )
    if endog.shape[1] != 1:
        raise ValueError(
            f"formula: the response has {endog.shape[1]} columns ({', '.join(endog.columns)}).\n"
            "Use a numeric column."
        )
    return endog, exog


def _effects(formulas, data, name):
    """The correlated random effects: an intercept where nothing else is said."""
    if formulas.effects is None:
        ones = np.ones((len(data), 1 - bool(formulas.components)))
        return Matrix(ones, [name][: ones.shape[1]])
    found = _table(formulas.effects, data, formulas.environment)
    names = [column.replace("Intercept", name) for column in found.columns]
    return Matrix(found.to_numpy(dtype=float), names)


def _table(formula, data, environment):
    from patsy import NAAction, dmatrix

    action = NAAction(NA_types=[])
    return dmatrix(formula, data, environment, NA_action=action, return_type="dataframe")


def _component(name, formula, data, groups, environment) -> Component:
    """One variance component.

    statsmodels evaluates its formula in every group.  Where that is the same it is evaluated once:
    for one categorical variable without an intercept, and for numbers.
    """
    factors, is_single = _factors(formula, data, environment)
    if is_single and factors and factors[0].is_categorical:
        return indicators(name, factors[0].name, factors[0].values, groups)
    if factors is not None and not any(factor.is_categorical for factor in factors):
        tables = groups.table(_table(formula, data, environment))
    else:
        tables = [_table(formula, part, environment) for part in groups.table(data)]
    mats = [table.to_numpy(dtype=float) for table in tables]
    return _columns(name, [list(table.columns) for table in tables], mats)


def _columns(name, columns, mats):
    if not all(np.all(np.isfinite(mat)) for mat in mats):
        raise ValueError(
            f"vc_formula: component {name!r} has values that are missing or infinite.\n"
            "Pass missing='drop', or change its formula."
        )
    return Columns(name, columns, mats)


class Factor(NamedTuple):
    """A variable of a formula."""

    name: str
    values: Any
    is_categorical: bool


def _factors(formula, data, environment):
    """The variables of a formula, and whether it is one of them alone.

    None where the values of some depend on the rows beside them, or their coding was chosen.
    """
    from patsy import ModelDesc

    terms = formula if isinstance(formula, ModelDesc) else ModelDesc.from_formula(formula)
    terms = terms.rhs_termlist
    found = [_factor(f, data, environment) for term in terms for f in term.factors]
    is_single = len(terms) == 1 and len(terms[0].factors) == 1
    return (None if None in found else found), is_single


def _factor(factor, data, environment):
    from patsy.categorical import guess_categorical

    state: dict[str, Any] = {}
    if factor.memorize_passes_needed(state, environment):
        return None
    values = factor.eval(state, data)
    is_chosen = getattr(values, "contrast", None) is not None or (
        getattr(values, "levels", None) is not None
    )
    if is_chosen or np.asarray(getattr(values, "data", values)).dtype == bool:  # always two levels
        return None
    is_categorical = bool(guess_categorical(values))
    return Factor(factor.name(), getattr(values, "data", values), is_categorical)
