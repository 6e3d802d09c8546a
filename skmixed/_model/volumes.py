"""Logarithms of the volumes of covariances: what a weak prior keeps away from zero.

The volume is the determinant; of a family whose variances are the eigenvalues it is the product of
these, each counted once however many effects share it, so that models which say the same have the
same prior.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.linalg import lapack

from .._algebra.packed import lower_triangle, packed_size, pair_traces


class Volume(NamedTuple):
    """A logarithm and its derivatives in T.

    Attributes
    ----------
    log : minus infinity where a variance is zero
    slope : (q, q), symmetric
    bend : (K, K) second derivatives in the entries of the lower triangle, packed
    """

    log: float
    slope: np.ndarray
    bend: np.ndarray


def _none(q: int, log: float) -> Volume:
    return Volume(log, np.zeros((q, q)), np.zeros((packed_size(q), packed_size(q))))


def constant_volume(T: np.ndarray) -> Volume:
    """Of a covariance that never changes."""
    return _none(len(T), 0.0)


def determinant(T: np.ndarray) -> Volume:
    """``log|T|``: slope ``T^-1``, second derivatives ``-tr(T^-1 E_a T^-1 E_b)``."""
    chol, failed = lapack.dpotrf(T, lower=1, clean=1)
    if failed:
        return _none(len(T), -np.inf)
    half = lapack.dtrtri(chol, lower=1)[0]
    inverse = half.T @ half
    packed = inverse[lower_triangle(len(T))]
    log = 2.0 * float(np.sum(np.log(np.diag(chol))))
    return Volume(log, inverse, -pair_traces(np.outer(packed, packed)))


def product_of_variances(projections: np.ndarray, T: np.ndarray) -> Volume:
    """``sum_k log v_k`` with ``v_k = tr(P_k T) / tr(P_k)``."""
    rows, cols = lower_triangle(len(T))
    sizes = np.einsum("kij,ij->k", projections, T)
    if np.any(sizes <= 0):
        return _none(len(T), -np.inf)
    ranks = np.trace(projections, axis1=1, axis2=2)
    shares = projections / sizes[:, None, None]
    along = np.where(rows == cols, 1.0, 2.0) * shares[:, rows, cols]
    return Volume(float(np.sum(np.log(sizes / ranks))), shares.sum(axis=0), -along.T @ along)
