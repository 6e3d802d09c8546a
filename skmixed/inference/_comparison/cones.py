"""Weights of chi-bar-squared distributions: where a normal vector falls when it is projected on a
cone.

The squared length of the projection of a normal vector on a closed convex cone, in the metric of
its information, is a mixture of chi-squareds whose weights are the intrinsic volumes of the cone
(Shapiro 1988).  The cones here are products of those of positive semidefinite matrices, numbers
among them.  Even and odd weights each sum to one half (Gauss and Bonnet), which leaves one angle to
be found for two variances, and two for three of them or for a 2 x 2 matrix.
"""

from __future__ import annotations

import numpy as np

from ..._algebra.packed import lower_triangle, packed_size
from .projections import FLAT, simulated_weights

ANGLES = 512  # of the rule for cones of 2 x 2 matrices
#: ``t11 t22 - t21^2`` for t = (t11, t21, t22); a score u = (tr UE_a) has the matrix
#: [u1, u2 / 2; u2 / 2, u3]
_DETERMINANT = np.array([[0, 0, 0.5], [0, -1, 0], [0.5, 0, 0]])
_DETERMINANT_OF_SCORE = np.array([[0, 0, 0.5], [0, -0.25, 0], [0.5, 0, 0]])


def mixture_weights(information, cones):
    """Weights of the chi-squareds with 0, 1, ..., k degrees of freedom, k the dimension of the
    product of the cones.

    Parameters
    ----------
    information : callable
        Returns the (k, k) information in packed order of the cones; not needed for k < 2.
    cones : tuple of int
        Orders of the matrices that must be positive semidefinite.
    """
    k = sum(packed_size(order) for order in cones)
    if k < 2:
        return np.full(k + 1, 1.0 / (k + 1))
    with np.errstate(all="ignore"):
        metric = _metric(information, cones, k)
    if not np.all(np.isfinite(metric)):
        return np.eye(k + 1)[k]  # the largest distribution is on the safe side
    closed_form = _CLOSED_FORMS.get(cones)
    if closed_form and np.linalg.cond(metric) < 1.0 / FLAT:
        return closed_form(metric)
    return simulated_weights(metric, cones)


def _metric(information, cones, k):
    """The standardised information; NaN where floats or dependent columns leave none."""
    try:
        return standardised(information(), cones)
    except np.linalg.LinAlgError:
        return np.full((k, k), np.nan)


def standardised(information, cones):
    """The information in units in which every variance has one: a congruence, which leaves the
    cones as they are.
    """
    scale = []
    start = 0
    for order in cones:
        rows, cols = lower_triangle(order)
        variances = np.diag(information)[start : start + len(rows)][rows == cols]
        own = np.maximum(variances, FLAT * max(np.max(variances), np.finfo(float).tiny)) ** -0.25
        scale.append(own[rows] * own[cols])
        start += len(rows)
    scale = np.concatenate(scale)
    return information * np.outer(scale, scale)


def _weights_of_two(metric):
    """Two variances: a sector of the plane, whose angle is that between the two directions."""
    largest = np.arccos(np.clip(_correlations(metric)[1, 0], -1.0, 1.0)) / (2.0 * np.pi)
    return np.array([0.5 - largest, 0.5, largest])


def _weights_of_three(metric):
    """Three variances: spherical triangles (of the cone and of its polar), and Gauss-Bonnet."""
    none = _positive_share(_correlations(metric))
    every = _positive_share(_correlations(np.linalg.inv(metric)))
    return np.clip([none, 0.5 - every, 0.5 - none, every], 0.0, 0.5)


def _positive_share(correlations):
    """Probability that three normal variables with these correlations are all positive."""
    pairs = correlations[np.tril_indices(3, -1)]
    return 0.125 + np.sum(np.arcsin(np.clip(pairs, -1.0, 1.0))) / (4.0 * np.pi)


def _correlations(covariance):
    scale = 1.0 / np.sqrt(np.maximum(np.diag(covariance), np.finfo(float).tiny))
    return covariance * np.outer(scale, scale)


def _weights_of_matrix(metric):
    """A 2 x 2 covariance matrix: the shares of the sphere in the cone and in its polar, and
    Gauss-Bonnet.

    Semidefinite matrices are a circular cone, ``t_11 t_22 >= t_21^2``, so that with ``t ~ N(0,
    I^-1)`` the share is that of a quadratic form with one positive eigenvalue: an integral over the
    angle of the other two.
    """
    every = _share_of_cone(np.linalg.inv(metric), _DETERMINANT)
    none = _share_of_cone(metric, _DETERMINANT_OF_SCORE)
    return np.clip([none, 0.5 - every, 0.5 - none, every], 0.0, 0.5)


def _share_of_cone(covariance, form):
    """``P(t'Qt > 0) / 2`` for normal t and a form Q with one positive and two negative
    eigenvalues."""
    values, vectors = np.linalg.eigh(covariance)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    low, middle, high = np.linalg.eigvalsh(root.T @ form @ root)
    angles = np.pi * np.arange(ANGLES) / ANGLES
    squares = (
        np.maximum(-low, 0.0) * np.cos(angles) ** 2 + np.maximum(-middle, 0.0) * np.sin(angles) ** 2
    )
    return 0.5 * float(
        np.mean(1.0 - np.sqrt(squares / (squares + max(high, np.finfo(float).tiny))))
    )


_CLOSED_FORMS = {(1, 1): _weights_of_two, (1, 1, 1): _weights_of_three, (2,): _weights_of_matrix}
