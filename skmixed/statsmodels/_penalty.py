"""Fixed effects under an L1 penalty, the variances being those of the fit without it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ._estimates import Estimates


def penalised(
    found: Estimates, weights: np.ndarray, *, zero: float, tol: float, max_iter: int
) -> Estimates:
    """Minimise ``(y - X b)'V^-1(y - X b) + sum w_j |b_j|``.

    By generalised least squares that is ``(b - b0)'A(b - b0)`` with the estimates b0 and the
    inverse A of their covariance, so no row is looked at.  Coordinates are minimised in turns; what
    comes closer to zero than ``zero`` stays.
    """
    A = np.linalg.inv(found.fixed_covariance)
    b = found.fixed.copy()
    for _ in range(max_iter):
        before = b.copy()
        for j in np.flatnonzero(np.abs(b) >= zero):
            b[j] = 0.0
            slope = 2.0 * A[j] @ (b - found.fixed)
            b[j] = -np.sign(slope) * max(abs(slope) - weights[j], 0.0) / (2.0 * A[j, j])
        if np.max(np.abs(b - before), initial=0.0) < tol:
            break
    kept = np.flatnonzero(np.abs(b) > zero)
    covariance = np.full_like(A, np.nan)
    covariance[np.ix_(kept, kept)] = np.linalg.inv(A[np.ix_(kept, kept)])
    return replace(found, fixed=b, fixed_covariance=covariance)
