"""The log-determinant by stochastic Lanczos quadrature.

With ``P = LL'`` the preconditioner and random signs z,

    log|S| = log|P| + E z' log(L^-1 S L'^-1) z,

and conjugate gradients started at ``Lz`` give the quadrature: ``|z|^2 sum_k (e_1'v_k)^2 log
lambda_k`` over the eigenvalues and eigenvectors of their tridiagonal matrix (Ubaru, Chen and Saad
2017).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.linalg import eigh_tridiagonal

from .gradients import conjugate_gradients
from .probes import PROBES, SEED, random_signs

TOLERANCE = 1e-3  # of the iterations; the quadrature is as exact as its square
VECTORS_PER_CHUNK = 16


class Determinant(NamedTuple):
    """A log-determinant, and its Monte-Carlo error."""

    value: float
    error: float


def log_determinant(schur, preconditioner, count=PROBES):
    """Of S; ``count`` random vectors."""
    width = schur.own.shape[0]
    signs = random_signs(width, count, SEED)
    found = []
    for lo in range(0, count, VECTORS_PER_CHUNK):
        rhs = preconditioner.root(signs[:, lo : lo + VECTORS_PER_CHUNK].astype(float))
        solution = conjugate_gradients(schur, preconditioner, rhs, TOLERANCE)
        found += [width * _quadrature(solution.tridiagonal(k)) for k in range(rhs.shape[1])]
    error = float(np.std(found, ddof=1) / np.sqrt(count))
    return Determinant(preconditioner.log_determinant + float(np.mean(found)), error)


def _quadrature(tridiagonal):
    values, vectors = eigh_tridiagonal(*tridiagonal)
    return float(vectors[0] ** 2 @ np.log(values))
