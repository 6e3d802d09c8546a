"""How categories of a formula are coded."""

from __future__ import annotations

import numpy as np

from ..._data.checks import nearest
from ..._fit.model import FittedModel
from .pairwise import Coding


def coding_of(model: FittedModel, term_name: str) -> Coding:
    """Of a categorical main effect among the fixed effects."""
    categories = _categories(model)
    plain = str(term_name).strip("`")
    term_name = plain if plain in categories else term_name
    if term_name not in categories:
        meant = nearest(str(term_name), categories)
        advice = f"Did you mean {meant!r}?" if meant else f"Those are {', '.join(categories)}."
        if not categories:
            advice = "Pairs of levels need a categorical variable of formula=; use t_test."
        raise ValueError(
            f"term_name={term_name!r} is no categorical variable of the formula.\n{advice}"
        )
    factor = categories[term_name]
    names = model.coefficient_names
    positions = np.array([k for k, name in enumerate(names) if _is_level(name, term_name)])
    for matrix in (factor.reduced, factor.full):
        if matrix.shape[1] == len(positions):
            return Coding(list(factor.categories), matrix, positions)
    raise ValueError(
        f"term_name={term_name!r}: not all of its levels have a coefficient.\n"
        "Levels may depend on other columns, or be in interactions only; use t_test."
    )


def _categories(model):
    """Categorical variables of the fixed part of the formula, by name."""
    formula = getattr(model.reader.door, "formula", None)
    if formula is None:
        return {}
    factors = getattr(formula.parts[0], "factors", {}).items()
    shown = formula.aliases.shown
    return {shown(name): factor for name, factor in factors if hasattr(factor, "reduced")}


def _is_level(name, term):
    """Whether a coefficient is that of a level: ``term[T.b]``, and no interaction."""
    return name.startswith(f"{term}[") and name.endswith("]") and "]:" not in name
