"""How the random effects of some cross-products are eliminated."""

from __future__ import annotations

from .apart import ApartPlan, components_apart
from .layout import MATRICES, layout_of
from .plan import Plan


def plan_of(cross, matrices=MATRICES):
    """The plan that suits the sums; ``matrices`` as large as its dense block have to fit into
    memory.
    """
    part = components_apart(cross, layout_of(cross))
    return Plan(cross, matrices) if part is None else ApartPlan(cross, part, matrices)
