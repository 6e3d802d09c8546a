"""How the random effects of some cross-products are eliminated."""

from __future__ import annotations

from .layout import MATRICES
from .plan import Plan


def plan_of(cross, matrices=MATRICES):
    """The plan that suits the sums; ``matrices`` as large as its dense block have to fit into
    memory.
    """
    return Plan(cross, matrices)
