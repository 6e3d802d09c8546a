"""Terms of a model: the coefficients that belong together.

A formula says which they are; without one every column is a term of its own, unless a mapping puts
columns together: those of a variable that was made columns of zeros and ones, say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from ..._data.checks import nearest
from ..._fit.model import FittedModel


@dataclass(frozen=True, eq=False)
class ModelTerm:
    """Some coefficients of a model.

    Attributes
    ----------
    name : as the formula or the mapping has it
    columns : their positions among all fixed effects, those that were dropped among them
    parts : sets of factors of a formula; several where terms were put together
    """

    name: str
    columns: np.ndarray
    parts: tuple[frozenset[str], ...]

    def is_within(self, other: ModelTerm) -> bool:
        """Whether another term is an interaction of this one with something."""
        return any(own < more for own in self.parts for more in other.parts)


def model_terms(model: FittedModel, terms: Mapping[str, Any] | None = None) -> list[ModelTerm]:
    """The terms of a model but its intercept, in their order.

    ``terms`` puts columns, or terms of the formula, together under new names.
    """
    found = _own_terms(model)
    return found if terms is None else _together(model, found, check_terms(terms))


def check_terms(terms: Any) -> Mapping:
    """A mapping of names to columns."""
    if not isinstance(terms, Mapping):
        raise TypeError(
            f"terms={terms!r:.60}: expected a dict.\n"
            "Write terms={'race': ['race_2', 'race_3']}, a name and its columns."
        )
    return terms


def columns_of(wanted: Any) -> Any:
    """What a term of such a mapping consists of: of a dict of levels and columns the columns."""
    if isinstance(wanted, Mapping):
        return [column for column in wanted.values() if column is not None]
    return wanted


def are_dropped(model: FittedModel, terms: Sequence[ModelTerm]) -> list[ModelTerm]:
    """Terms of which no coefficient was kept, because they depend on columns before."""
    kept = set(model.fit.units.independent.tolist())
    return [term for term in terms if not kept & set(term.columns.tolist())]


def relatives(term: ModelTerm, among: Sequence[ModelTerm]) -> list[ModelTerm]:
    """The terms that contain a term."""
    return [other for other in among if other is not term and term.is_within(other)]


def positions_of(model: FittedModel) -> dict[str, np.ndarray]:
    """Places of the coefficients of every term among those that were not dropped, by name."""
    places = {int(k): place for place, k in enumerate(model.fit.units.independent)}
    found = {t.name: [places[k] for k in t.columns if k in places] for t in _own_terms(model)}
    return {name: np.array(own, dtype=int) for name, own in found.items() if own}


def _own_terms(model):
    formula = getattr(model.reader.door, "formula", None)
    if formula is None:
        first = int(model.reader.intercept)
        columns = enumerate(model.names.fixed[first:], first)
        return [ModelTerm(n, np.array([k]), (frozenset([n]),)) for k, n in columns]
    shown = formula.aliases.shown
    places = _candidates(formula)
    found = []
    for term in formula.fixed.terms:
        if term.factors:
            factors = [shown(name) for name in term.factors]
            columns = np.array([places[k] for k in term.columns], dtype=int)
            found.append(ModelTerm(":".join(factors), columns, (frozenset(factors),)))
    return [term for term in found if len(term.columns)]


def _candidates(formula):
    """Place of every column of the fixed part among the fixed effects, the intercept first."""
    intercepts = [k for term in formula.fixed.terms if not term.factors for k in term.columns]
    others = [k for term in formula.fixed.terms for k in term.columns if k not in intercepts]
    return {k: place for place, k in enumerate([*intercepts, *sorted(others)])}


def _together(model, found, terms):
    """The terms with some of them put together."""
    known = {name: [k] for k, name in enumerate(model.names.fixed)}
    known |= {term.name: term.columns.tolist() for term in found}
    own = {str(name): _columns(name, wanted, known) for name, wanted in terms.items()}
    _refuse_shared(own)
    parts = {k: part for term in found for k in term.columns for part in term.parts}
    made = [ModelTerm(name, np.array(c), _parts(name, c, own, parts)) for name, c in own.items()]
    made += _rest(found, np.concatenate(list(own.values()))) if own else found
    return sorted(made, key=lambda term: term.columns[0])


def _rest(found, taken):
    """What is left of terms without some columns."""
    rest = [ModelTerm(t.name, np.setdiff1d(t.columns, taken), t.parts) for t in found]
    return [term for term in rest if len(term.columns)]


def _columns(name, wanted, known):
    """Positions of the columns that are put together under a name."""
    found = sorted({k for c in _listed(wanted) for k in known[_known(c, known)]})
    if not found:
        raise ValueError(f"terms: no columns for {name!r}.\nName at least one.")
    return found


def _refuse_shared(own):
    for first, second in combinations(own, 2):
        if set(own[first]) & set(own[second]):
            raise ValueError(
                f"terms: {first!r} and {second!r} share a column.\n"
                "Put every column into one term only."
            )


def _parts(name, columns, terms, parts):
    """Factors of a term: those of its columns; ``sex:race`` of a mapping is an interaction of the
    terms of these names.
    """
    named = frozenset(name.split(":"))
    if len(named) > 1 and named <= set(terms):
        return (named,)
    own = {parts[k] for k in columns if k in parts}
    is_plain = all(len(part) == 1 for part in own) and len(own) > 1
    return (frozenset([name]),) if is_plain else tuple(own)


def _listed(wanted):
    wanted = columns_of(wanted)
    return [wanted] if isinstance(wanted, str) else list(wanted)


def _known(column, known):
    name = str(column)
    if name in known:
        return name
    meant = nearest(name, known)
    advice = f"Did you mean {meant!r}?" if meant else f"They are {', '.join(known)}."
    raise ValueError(f"terms: the model has no coefficient or term {name!r}.\n{advice}")
