"""Local models of an objective in the coordinates of a chart.

Where the objective's Hessian is approximate only the positive part of the second-order term counts:
it vanishes at an interior optimum and is the exact curvature at a boundary.
"""

from __future__ import annotations

import numpy as np

LARGEST_CHANGE = 0.5  # of a Hessian by a secant, as a share of itself
DIFFERENCE = 1e-4  # of differences of the gradient, as a share of the size of a coordinate


def local_model(manifold, point, evaluation, secants=()):
    """Chart, gradient and Hessian of the objective in local coordinates."""
    chart = manifold.chart(point)
    bent = chart.second(evaluation.gradient)
    J = chart.derivatives
    hessian = evaluation.hessian if evaluation.exact else with_secants(evaluation.hessian, secants)
    local = J @ hessian @ J.T + (bent if evaluation.exact else _positive_part(bent))
    return chart, J @ evaluation.slope, (local + local.T) / 2


def _positive_part(matrix):
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * np.maximum(values, 0.0)) @ vectors.T


def with_secants(hessian, pairs):
    """A Hessian that agrees with observed changes (step, change of the gradient), the last one
    exactly.

    Symmetric rank-one updates (Conn, Gould and Toint 1991); one that would change the Hessian by
    more than half of itself divides by an accident and is left out.
    """
    if not pairs:
        return hessian
    values, vectors = np.linalg.eigh(hessian)
    inverse = (vectors / np.maximum(np.abs(values), np.finfo(float).tiny)) @ vectors.T
    for step, change in pairs:
        rest = change - hessian @ step
        scale = rest @ step
        if LARGEST_CHANGE * abs(scale) > rest @ inverse @ rest:
            hessian = hessian + np.outer(rest, rest) / scale
    return hessian


def differenced_hessian(manifold, point, evaluation, chart):
    """The Hessian in local coordinates by differences of the gradient; None where these fail."""
    J = chart.derivatives
    rows = np.zeros_like(J)
    for a, unit in enumerate(DIFFERENCE * np.eye(len(J))):
        if np.any(J[a]):
            moved = evaluation.at(manifold.assemble(chart.move(unit)))
            if not np.isfinite(moved.value):
                return None
            rows[a] = (moved.slope - evaluation.slope) / DIFFERENCE
    local = rows @ J.T + chart.second(evaluation.gradient)
    return (local + local.T) / 2
