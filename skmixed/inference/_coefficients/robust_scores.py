"""Cluster-robust covariance of a generalised linear mixed model, from the scores of its clusters.

With the score g_c of cluster c in all parameters (covariances and beta) and the observed
information H,

    CR0 = H^-1 (sum_c g_c g_c') H^-1,        CR1 = CR0 m / (m - 1)    for m clusters,

of which the block of beta is reported (White 1982; Stata's ``vce(cluster)``).
"""

from __future__ import annotations

import numpy as np

from ..._algebra.levels import level_sums
from ..._algebra.packed import halves, lower_triangle, packed_size
from ..._fit.information import parameter_directions
from ..._fit.model import FittedModel
from .clusters import Clusters

SCALES = {"CR0": lambda m: 1.0, "CR1": lambda m: m / (m - 1.0)}


def robust_covariance(model: FittedModel, clusters: Clusters, kind: str) -> np.ndarray:
    """Covariance of beta in the frame's units."""
    joint = robust_joint(model, clusters, kind)
    return joint[len(joint) - model.fit.rank :, len(joint) - model.fit.rank :]


def robust_joint(model: FittedModel, clusters: Clusters, kind: str) -> np.ndarray:
    """Covariance of the covariance parameters and beta."""
    fit = model.fit
    information = fit.information
    if information is None:
        raise ValueError(
            f"cov={kind!r}: the information of the likelihood is not positive definite, so that "
            "scores say nothing.\nUse cov='model', or a simpler random-effects structure."
        )
    along = cluster_scores(model, clusters)
    scores = -0.5 * along @ parameter_directions(fit, information.parameters).T
    inverse = information.covariance
    return inverse @ (scores.T @ scores) @ inverse * SCALES[kind](clusters.n)


def cluster_scores(model: FittedModel, clusters: Clusters) -> np.ndarray:
    """Derivatives of the deviance in (packed covariances, beta), (clusters, packed)."""
    fit = model.fit
    parents = clusters.parents
    codes = None if parents else clusters.codes(model)
    along_T = np.zeros((clusters.n, sum(packed_size(len(T)) for T in fit.state.T)))
    along_beta = np.zeros((clusters.n, fit.rank))
    before = 0
    for part in fit.state.at_hand().parts:
        rows = part.rows
        if parents:
            levels = [parent[own] for parent, own in zip(parents, rows.levels, strict=True)]
            own = levels[0][rows.groups[0].codes]
            _add(_packed(part.level_gradients()), levels, along_T)
        else:
            own = codes[before : before + len(rows.y)]
        level_sums(own, part.row_gradients(), rows.x, along_beta)
        before += len(rows.y)
    return np.hstack([along_T, along_beta])


def _packed(gradients):
    """Gradients per level in packed coordinates, where off-diagonal entries count twice: (K, m)
    per factor.
    """
    return [2.0 * halves(len(D))[:, None] * D[lower_triangle(len(D))] for D in gradients]


def _add(gradients, levels, out):
    start = 0
    for packed, own in zip(gradients, levels, strict=True):
        columns = out[:, start : start + len(packed)]
        level_sums(own, np.ones(len(own)), packed.T, columns)
        start += len(packed)
