"""How categories are coded by a formula that patsy has read."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...inference._coefficients.pairwise import Coding


def coding_of(design: Any, term_name: str) -> Coding:
    """Of a main effect."""
    terms = {term.name(): term for term in design.terms}
    main = [name for name, term in terms.items() if _categories(design, term) is not None]
    if term_name not in main:
        raise ValueError(
            f"term_name={term_name!r} is no categorical main effect.\n"
            f"Those are {', '.join(map(repr, main)) or 'none'}."
        )
    term = terms[term_name]
    (subterm,) = design.term_codings[term]
    matrix = np.asarray(subterm.contrast_matrices[term.factors[0]].matrix)
    positions = np.arange(len(design.column_names))[design.term_slices[term]]
    return Coding(_categories(design, term) or [], matrix, positions)


def _categories(design: Any, term: Any) -> list[Any] | None:
    """Levels of the one factor of a term; None for others."""
    if len(term.factors) != 1 or len(design.term_codings[term]) != 1:
        return None
    info = design.factor_infos[term.factors[0]]
    return list(info.categories) if info.type == "categorical" else None
