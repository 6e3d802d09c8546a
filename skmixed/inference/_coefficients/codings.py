"""How categories of a formula are coded."""

from __future__ import annotations

import numpy as np

from ..._data.checks import nearest
from ..._fit.model import FittedModel
from .pairwise import Coding
from .terms import positions_of


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
    positions = positions_of(model).get(term_name, np.zeros(0, dtype=int))
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
    factors = getattr(formula.fixed, "factors", {}).items()
    shown = formula.aliases.shown
    return {shown(name): factor for name, factor in factors if hasattr(factor, "reduced")}
