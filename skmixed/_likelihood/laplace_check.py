"""What the Laplace approximation gets wrong at its estimate, by quadrature."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .._algebra.packed import pack
from .._algebra.plan import Plan
from .glmm import GlmmState
from .laplace import LaplacePart
from .modes import Density, Guess, climb
from .quadrature import MAX_DIMENSION, AdaptiveQuadrature

CHECK_POINTS = 7
CHECK_EVALUATIONS = 60_000  # rows times nodes that a check of Laplace may cost


class Discrepancy(NamedTuple):
    """What Laplace gets wrong at its estimate, by seven quadrature points.

    Attributes
    ----------
    loglik : log-likelihood by seven points minus that by Laplace
    slope : gradient of the deviance by seven points minus that by Laplace
    """

    loglik: float
    slope: np.ndarray


def laplace_error(state: GlmmState) -> Discrepancy | None:
    """The error at the estimate, from the first levels if there are many.

    None for several factors, or more effects per level than a product rule can handle.
    """
    objective = state.objective
    first = objective.blocks[0]
    q = len(state.T[0])
    if not first.is_separable or q > MAX_DIMENSION:
        return None
    integration = AdaptiveQuadrature(CHECK_POINTS, np.eye(q))
    modes = _modes_of_some(state, integration)
    laplace = LaplacePart(modes)
    quadrature = integration.part(modes)
    along_T = pack(quadrature.gradient) - pack(laplace.gradient)
    along_beta = quadrature.beta_gradient - laplace.beta_gradient
    scale = objective.levels[0] / modes.rows.groups[0].n_levels
    error = 0.5 * scale * (laplace.value - quadrature.value)
    return Discrepancy(error, scale * np.concatenate([along_T, along_beta]))


def _modes_of_some(state, integration):
    """The modes of as many levels as the check may cost."""
    first = state.objective.blocks[0]
    (T,) = state.T
    share = min(1.0, CHECK_EVALUATIONS / (len(first.y) * CHECK_POINTS ** len(T)))
    rows = first.first_levels(max(1, int(first.groups[0].n_levels * share)))
    roots = [integration.root(0, T)]
    family = state.objective.family
    density = Density(rows, Plan(rows.pattern), family, state.T, roots, state.beta)
    return climb(density, Guess([state.parts[0].modes.c[0][:, : rows.groups[0].n_levels]]))
