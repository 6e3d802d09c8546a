"""Names for printing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np


class TermNames(NamedTuple):
    """Position of its factor, covariance structure, and names of its effects."""

    factor: int
    covariance: str
    effects: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Names:
    """What things are called.

    Attributes
    ----------
    response : name of y
    event : the class whose probability is modelled; empty for a regression
    fixed : fixed effects, the intercept first if there is one
    intercept : whether there is one
    factors, levels, effects : per factor its name, levels and effects
    sizes : per factor, observations per level
    terms : random-effects terms
    """

    response: str
    event: str
    fixed: tuple[str, ...]
    intercept: bool
    factors: tuple[str, ...]
    levels: tuple[Sequence, ...]
    effects: tuple[tuple[str, ...], ...]
    sizes: tuple[np.ndarray, ...]
    terms: tuple[TermNames, ...]

    def entry(self, term: int, row: int, col: int) -> tuple[str, str, str]:
        """Factor and effects of one covariance entry."""
        found = self.terms[term]
        return self.factors[found.factor], found.effects[col], found.effects[row]

    @property
    def notation(self) -> str:
        """The model in lme4's notation: ``y ~ 1 + x + (1 | group)``."""
        fixed = ["1" if self.intercept else "0", *self.fixed[self.intercept :]]
        terms = [self._term(term) for term in self.terms]
        return f"{self.response} ~ {' + '.join([*fixed, *terms])}"

    def _term(self, term):
        has_intercept = term.effects[:1] == ("Intercept",)
        effects = ["1" if has_intercept else "0", *term.effects[has_intercept:]]
        bar = "||" if term.covariance == "diagonal" and len(term.effects) > 1 else "|"
        return f"({' + '.join(effects)} {bar} {self.factors[term.factor]})"
