"""How an optimum is searched for, by what the eliminations of a plan know."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from .boundary import search
from .by_gradient import minimize_by_gradient, search_by_gradient
from .minimize import Optimum, minimize


class Way(NamedTuple):
    """Two functions of an objective, a manifold and a start.

    Attributes
    ----------
    minimize : steps from there
    search : the same with what the boundary needs
    """

    minimize: Callable[..., Optimum]
    search: Callable[..., Optimum]


#: by the solver of a plan
WAYS: dict[str, Way] = {
    "exact": Way(minimize, search),
    "iterative": Way(minimize_by_gradient, search_by_gradient),
}


def way_of(plan: Any) -> Way:
    """That of a plan."""
    return WAYS[plan.solver]
