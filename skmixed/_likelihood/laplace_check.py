"""What the Laplace approximation gets wrong at its estimate, by quadrature."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .._algebra.packed import pack
from .._algebra.plan import Plan
from .laplace import LaplacePart
from .modes import Guess, Mode
from .quadrature import MAX_DIMENSION, AdaptiveQuadrature

CHECK_POINTS = 7
CHECK_EVALUATIONS = 60_000  # rows times nodes that a check of Laplace may cost


class Discrepancy(NamedTuple):
    """What Laplace gets wrong at its estimate, by seven quadrature points."""

    loglik: float  # log-likelihood by seven points minus that by Laplace
    slope: np.ndarray  # gradient of the deviance by seven points minus that by Laplace


def laplace_error(state, objective):
    """The error at the estimate, from the first levels if there are many.

    None for several factors, or more effects per level than a product rule can handle.
    """
    first = objective.blocks[0]
    q = len(state.T[0])
    if not first.is_separable or q > MAX_DIMENSION:
        return None
    integration = AdaptiveQuadrature(CHECK_POINTS, np.eye(q))
    levels = first.groups[0].n_levels
    share = min(1.0, CHECK_EVALUATIONS / (len(first.y) * CHECK_POINTS**q))
    rows = first.first_levels(max(1, int(levels * share)))
    guess = Guess([state.blocks[0].mode.c[0][:, : rows.groups[0].n_levels]])
    roots = [integration.root(0, state.T[0])]
    mode = Mode(rows, Plan(rows.pattern), objective.family, state.T, roots, state.beta, guess)
    laplace = LaplacePart(mode)
    quadrature = integration.block(mode)
    scale = objective.levels[0] / rows.groups[0].n_levels
    slope = np.concatenate(
        [
            pack(quadrature.gradient) - pack(laplace.gradient),
            quadrature.beta_gradient - laplace.beta_gradient,
        ]
    )
    return Discrepancy(0.5 * scale * (laplace.value - quadrature.value), scale * slope)
