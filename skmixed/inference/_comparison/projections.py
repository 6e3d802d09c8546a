"""Projections of normal vectors on products of cones of semidefinite matrices, and the weights they
show.

A vector that the projection takes to the interior of a face of dimension j keeps a share of its
squared length that is Beta(j / 2, (k - j) / 2): the weights of the chi-bar-squared distribution are
those of this mixture, estimated from the shares of simulated vectors by maximum likelihood, even
and odd ones summing to one half each (Gauss and Bonnet).
"""

from __future__ import annotations

import numpy as np
from scipy import special, stats

from ..._algebra.packed import halves, lower_triangle, packed_index, packed_size

FLAT = 1e-10  # directions with less than this share of the information have none
DRAWS = 8192
FEWER_DRAWS = (
    2048  # normal vectors for simulated weights; fewer where matrices of order 3 or more occur
)
STEPS = 200
ROUNDS = 30
BINS = 200  # steps of a projection at most; rounds of the estimate of weights, bins of shares
ENOUGH = 1e-3  # change of a projection, as a share of the vector, at which its steps end


def simulated_weights(metric, cones):
    """Weights from the share of simulated normal vectors that the projection on the cone keeps."""
    isometry = 1.0 / np.concatenate([_isometry(order) for order in cones])
    metric = metric * np.outer(isometry, isometry)
    values, vectors = np.linalg.eigh(metric)
    known = values > FLAT * values[-1]
    draws = _antithetic_draws(
        (DRAWS if max(cones) < 3 else FEWER_DRAWS) // 2, rank := int(known.sum())
    )
    scores = draws @ (vectors[:, known] * np.sqrt(values[known])).T
    kept = projected(metric, scores, cones) / np.sum(draws**2, axis=1)
    weights = np.zeros(len(metric) + 1)
    weights[: rank + 1] = _mixture_of_shares(kept, rank)
    return weights


def _isometry(order):
    """What makes the Euclidean length of a packed matrix that of the matrix."""
    return np.sqrt(2.0 * halves(order))


def _antithetic_draws(pairs, size):
    draws = np.random.default_rng(0).standard_normal((pairs, size))
    return np.concatenate([draws, -draws])


def projected(metric, scores, cones):
    """Squared lengths of the projections: ``max 2 u't - t'It`` over the cone, by alternating
    directions (ADMM).

    The best multiple of a nearly right t is right to second order, so few steps do.
    """
    values, vectors = np.linalg.eigh(metric)
    rho = np.sqrt(values[-1] * max(values[0], 1e-3 * values[-1]))
    shrink = (vectors / (np.maximum(values, 0.0) + rho)) @ vectors.T
    found = np.zeros_like(scores)
    rows = np.arange(len(scores))
    fixed = scores @ shrink
    v = np.zeros_like(scores)
    w = np.zeros_like(scores)
    for _ in range(STEPS):
        t = fixed + rho * (v - w) @ shrink
        t = 1.6 * t - 0.6 * v
        before = v
        v = _nearest(t + w, cones)
        w += t - v
        found[rows] = v
        moves = np.sum((v - before) ** 2 + (t - v) ** 2, axis=1) > ENOUGH**2 * np.sum(
            fixed**2, axis=1
        )
        if not np.any(moves):
            break
        rows = rows[moves]
        fixed = fixed[moves]
        v = v[moves]
        w = w[moves]
    return _best_multiples(metric, scores, found)


def _best_multiples(metric, scores, t):
    """The maximum of ``2 c u't - c^2 t'It`` over ``c >= 0``."""
    slope = np.sum(scores * t, axis=1)
    length = np.einsum("nk,kl,nl->n", t, metric, t, optimize=True)
    return np.where(
        length > 0, np.maximum(slope, 0.0) ** 2 / np.where(length > 0, length, 1.0), 0.0
    )


def _nearest(points, cones):
    """The nearest positive semidefinite matrices, isometric packed coordinates, cone after cone."""
    out = np.empty_like(points)
    start = 0
    for order in cones:
        window = slice(start, start + packed_size(order))
        out[:, window] = _nearest_matrices(points[:, window], order)
        start = window.stop
    return out


def _nearest_matrices(points, order):
    if order == 1:
        return np.maximum(points, 0.0)
    if order == 2:
        return _nearest_of_order_two(points)
    isometry = _isometry(order)
    values, vectors = np.linalg.eigh((points / isometry)[:, packed_index(order)])
    nearest = (vectors * np.maximum(values, 0.0)[:, None, :]) @ vectors.transpose(0, 2, 1)
    return nearest[(slice(None), *lower_triangle(order))] * isometry


def _nearest_of_order_two(points):
    """In closed form: ``c I + D`` with D of trace zero has eigenvalues ``c +- |D| / sqrt 2``."""
    a, b, d = points.T
    centre = (a + d) / 2.0
    half = (a - d) / 2.0
    radius = np.sqrt(half**2 + b**2 / 2.0)
    high = np.maximum(centre + radius, 0.0)
    low = np.maximum(centre - radius, 0.0)
    middle = (high + low) / 2.0
    share = (high - low) / 2.0 / np.where(radius > 0, radius, 1.0)
    return np.column_stack([middle + share * half, share * b, middle - share * half])


def _mixture_of_shares(kept, k):
    """Weights 0 ... k of the Beta mixture of the shares of squared length, by expectation and
    maximisation.

    Neighbouring weights are hard to tell apart: a few rounds from those of k orthogonal variances
    keep them smooth.
    """
    interior = (kept > 1e-6) & (kept < 1.0 - 1e-6)
    edges = np.linspace(0.0, 1.0, BINS + 1)
    counts = np.histogram(kept[interior], edges)[0]
    inner = np.arange(1, k)
    chances = np.diff(
        special.betainc(inner[:, None] / 2.0, (k - inner[:, None]) / 2.0, edges), axis=1
    )
    weights = stats.binom.pmf(np.arange(k + 1), k, 0.5)
    fixed = np.zeros(k + 1)
    fixed[0] = np.sum(kept <= 1e-6)
    fixed[k] = np.sum(kept >= 1.0 - 1e-6)
    for _ in range(ROUNDS):
        expected = fixed.copy()
        joint = weights[inner, None] * chances
        expected[inner] += (joint / np.maximum(joint.sum(axis=0), np.finfo(float).tiny)) @ counts
        weights = expected
        for parity in (0, 1):
            weights[parity::2] *= 0.5 / max(weights[parity::2].sum(), np.finfo(float).tiny)
    return weights
