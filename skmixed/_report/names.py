"""Names for printing."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Names:
    """Names for printing: response, fixed effects, and per factor its name, levels, effects and
    sizes.
    """

    response: str
    fixed: tuple
    intercept: bool
    factors: tuple
    levels: tuple
    effects: tuple
    sizes: tuple  # per factor, observations per level
    terms: tuple  # per term: factor, covariance structure, effect names

    def entry(self, term, row, col):
        """Factor and effects of one covariance entry."""
        factor, _, effects = self.terms[term]
        return self.factors[factor], effects[col], effects[row]
