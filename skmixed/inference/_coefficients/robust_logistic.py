"""Cluster-robust covariance of a generalised linear mixed model, from the scores of its clusters.

With the score g_c of cluster c in all parameters (covariances and beta) and the observed
information H,

    CR0 = H^-1 (sum_c g_c g_c') H^-1,        CR1 = CR0 m / (m - 1)    for m clusters,

of which the block of beta is reported (White 1982; Stata's ``vce(cluster)``).
"""

from __future__ import annotations

import numpy as np

from ..._algebra.levels import level_sums
from ..._algebra.packed import halves, lower_triangle

SCALES = {"CR0": lambda m: 1.0, "CR1": lambda m: m / (m - 1.0)}


def robust_beta_covariance(fit, codes, clusters, kind):
    """Covariance of beta in the frame's units; ``codes`` are the levels of the rows, per factor."""
    scores = cluster_scores(fit, codes, clusters)
    inverse = fit.parameter_covariance
    if inverse is None:
        raise ValueError(
            f"cov={kind!r}: the information of the likelihood is not positive definite, so that scores say nothing.\n"
            "Use cov='model', or a simpler random-effects structure."
        )
    joint = inverse @ (scores.T @ scores) @ inverse * SCALES[kind](clusters.n)
    return joint[len(joint) - fit.rank :, len(joint) - fit.rank :]


def cluster_scores(fit, codes, clusters):
    """Derivatives of the log-likelihood in (natural parameters, beta), (clusters, parameters)."""
    parents = [_parents(c, clusters) for c in codes]
    rows_before = 0
    along_T = np.zeros((clusters.n, fit.parameter_directions.shape[1] - fit.rank))
    along_beta = np.zeros((clusters.n, fit.rank))
    for block in fit.state.blocks:
        rows = block.rows
        if codes:
            levels = [parent[_levels(rows)] for parent in parents]
            own = levels[0][rows.groups[0].codes]
            _add(_packed(block.level_gradients()), levels, along_T)
        else:
            own = clusters.codes[rows_before : rows_before + len(rows.y)]
            rows_before += len(rows.y)
        level_sums(own, block.row_gradients(), rows.x, along_beta)
    return -0.5 * np.hstack([along_T, along_beta]) @ fit.parameter_directions.T


def _parents(codes, clusters):
    """The cluster of every level of a factor."""
    parent = np.zeros(int(codes.max()) + 1, dtype=int)
    parent[codes] = clusters.codes
    return parent


def _levels(rows):
    """The levels that a block of rows holds."""
    return rows.levels if rows.is_separable else slice(None)


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
