"""The likelihood at estimates that maximise it with a penalty."""

from __future__ import annotations

from .._algebra.plan import Plan
from .linear import LinearState, ProfiledDeviance


def unpenalised(state: LinearState, plan: Plan) -> tuple[float, float]:
    """The deviance without the penalties, and its nu.

    The full likelihood is that at all estimates, the restricted one that at the estimated
    variances, the coefficients integrated out as without a ridge.  ``plan`` is that of the columns
    which are independent without it.
    """
    objective = state.objective
    if not objective.reml:
        penalty = state.precision * objective.ridge.value(state.fixed.beta)
        return state.value - penalty - objective.prior.value(state.T), objective.nu
    free = ProfiledDeviance.of(plan, True).at_scale(1.0 / state.precision)
    free = free if objective.U else free.without_effects()
    return LinearState(free, state.T).value, free.nu
