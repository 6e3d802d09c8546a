"""How the random effects of some cross-products are eliminated."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .apart import ApartPlan, components_apart
from .iterative import IterativePlan
from .layout import MATRICES, MAX_DENSE, layout_of
from .machine import FLOAT, available
from .plan import Plan

SMALL = 4000  # columns of a dense block that is factorised without a second thought
WORTH = 3.0  # times as long may an exact elimination take
FACTORED = 39e9  # multiplications per second, of dense matrices
MULTIPLIED = 3.2e8  # the same of sparse ones
PRODUCTS = 1000.0  # vectors that an iterative elimination multiplies with all sums


def plan_of(cross, matrices=MATRICES, solver="auto"):
    """The plan that suits the sums; ``matrices`` as large as its dense block have to fit into
    memory.
    """
    return SOLVERS[solver](cross, matrices)


def _exact(cross, matrices):
    """Dense matrices, apart where levels fall apart."""
    part = components_apart(cross, layout_of(cross))
    return Plan(cross, matrices) if part is None else ApartPlan(cross, part, matrices)


def _iterative(cross, matrices):
    """Iterations, where there is anything to iterate for."""
    return IterativePlan(cross) if layout_of(cross).dense else Plan(cross, matrices)


def _fitting(cross, matrices):
    """Exact unless that takes much longer, or more memory than there is."""
    layout = layout_of(cross)
    if layout.dense_order <= SMALL:
        return _exact(cross, matrices)
    sides = _sides(cross, layout)
    entries = sum(pair.values.size for pair in cross.pairs.values())
    is_slow = np.sum(sides**3) / FACTORED > WORTH * PRODUCTS * entries / MULTIPLIED
    is_large = np.max(sides) > MAX_DENSE or FLOAT * matrices * np.sum(sides**2) > available()
    return IterativePlan(cross) if is_slow or is_large else _exact(cross, matrices)


def _sides(cross, layout):
    """Columns of every dense block."""
    part = components_apart(cross, layout)
    if part is None:
        return np.array([float(layout.dense_order)])
    count = 1 + max(int(own.max(initial=0)) for own in part)
    own = (cross.sizes[f] * np.bincount(part[f], minlength=count) for f in layout.dense)
    return sum(own).astype(float)


#: what a user may ask for
SOLVERS: dict[str, Callable] = {"auto": _fitting, "exact": _exact, "iterative": _iterative}
