"""Gradients in covariances from those in their roots."""

from __future__ import annotations

import numpy as np

from ..._algebra.packed import lower_triangle


def agreeing(D, L, root_gradient, axes):
    """The symmetric matrix nearest to D whose ``2 D L`` is the gradient in the root, on the entries
    a root has.

    In the coordinates of the axes the root is lower triangular; columns that vanish with T say
    nothing, so there D stays.
    """
    q = len(L)
    rows, cols = lower_triangle(q)
    lower = axes.T @ L
    wanted = axes.T @ root_gradient
    D = axes.T @ D @ axes
    units = np.zeros((len(rows), q, q))
    units[np.arange(len(rows)), rows, cols] = units[np.arange(len(rows)), cols, rows] = 1.0
    system = 2.0 * np.einsum("aij,jk->ika", units, lower)[rows, cols]
    change = np.linalg.lstsq(system, (wanted - 2.0 * D @ lower)[rows, cols], rcond=1e-10)[0]
    return axes @ (D + np.einsum("a,aij->ij", change, units)) @ axes.T


def agreeing_levels(D, L, root_gradients, axes):
    """The same of every level, for (q, q, m)."""
    stacks = (table.transpose(2, 0, 1) for table in (D, root_gradients))
    levels = [agreeing(d, L, wanted, axes) for d, wanted in zip(*stacks, strict=True)]
    return np.stack(levels, axis=2)
