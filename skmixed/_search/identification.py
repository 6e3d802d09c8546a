"""Which variances the design tells apart, whatever the response.

The covariance of the rows is ``V = sigma^2 W^-1 + sum_a tau_a V_a``, linear in the parameters of
the terms.  Where the V_a, and ``W^-1`` beside a residual variance, are linearly dependent, the
likelihood is flat along the dependence: their cross-traces ``tr(V_a V_b)`` are singular.
"""

from __future__ import annotations

import numpy as np

from .._algebra.packed import direction_traces
from .._model.structures import positive
from .start import trace_table

DEPENDENT = 1e-10  # least eigenvalue of the standardised cross-traces
MOVED = 0.01  # part of a term in a direction that counts


def confounded_terms(plan, covariances, point, n=None) -> list[int]:
    """Terms whose covariances the design cannot tell from each other's.

    Parameters
    ----------
    plan : of the elimination, with the sums of the rows
    covariances : the terms
    point : their matrices
    n : number of observations, where there is a residual variance
    """
    changes = [
        (k, matrix)
        for k, (term, T) in enumerate(zip(covariances.terms, point, strict=True))
        for matrix in term.structure.tangent(T)
        if np.any(matrix)
    ]
    if not changes:
        return []
    owners = np.array([k for k, _ in changes] + [-1] * (n is not None), dtype=int)
    values, vectors = np.linalg.eigh(_standardised(_traces(plan, covariances, changes, n)))
    if values[0] >= DEPENDENT:
        return []
    moved = np.any(np.abs(vectors[:, values < DEPENDENT]) > MOVED, axis=1)
    return sorted(set(owners[moved].tolist()) - {-1})


def _traces(plan, covariances, changes, n):
    """``tr(V_a V_b)`` of the changes, and of the residual if there is one."""
    directions = covariances.directions(changes)
    table = directions @ trace_table(plan) @ directions.T
    if n is None:
        return table
    totals = [A.sum(axis=1) for A in plan.counted_blocks]
    own = directions @ np.concatenate([direction_traces(A) for A in totals])
    found = np.empty((len(own) + 1, len(own) + 1))
    found[:-1, :-1] = table
    found[-1, :-1] = found[:-1, -1] = own
    found[-1, -1] = n
    return found


def _standardised(table):
    sizes = np.sqrt(np.diag(table))
    scale = np.where(sizes > 0, 1.0 / positive(sizes), 0.0)
    return scale[:, None] * table * scale
