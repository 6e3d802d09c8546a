"""Covariance structures of one random-effects term.

A structure knows two things about the relative covariance ``T`` (q x q, in units of sigma^2).

*Its natural parameters are linear*: ``T = sum_k a_k B_k`` with a fixed ``basis`` of symmetric
matrices.  Standard errors are computed in these.

*Its charts are not*: around any ``T`` a chart is a smooth map ``s -> T(s)`` with ``T(0) = T`` into
the cone of the structure, in which a variance at zero is an ordinary stationary point.  The
optimiser moves in these.

For the unstructured case the chart is the Cholesky factor of ``T`` in the order of its largest
pivots, made anew at every step: a fixed order would leave a flat direction where the leading
variance vanishes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .._algebra.packed import lower_triangle
from .._algebra.roots import pivoted_root

INTERIOR = 1e-9  # a pivot below this share of the largest is on the boundary


@dataclass(frozen=True)
class Chart:
    """A local map ``s -> T(s)``: first derivatives, second derivatives contracted with a matrix,
    and the map.
    """

    derivatives: np.ndarray  # (k, q, q): dT / ds_a at 0
    second: object  # D -> (k, k): sum_ij D_ij d2T_ij / ds_a ds_b
    move: object  # s -> T(s)
    radius: float  # size of the current point in these coordinates


def _floored(S, floor):
    """Nearest matrix to ``S`` whose eigenvalues, after scaling rows and columns by ``floor``, are
    at least one.
    """
    usable = floor > 0
    scale = np.sqrt(np.where(usable, floor, 1.0))
    values, vectors = np.linalg.eigh(
        np.where(np.outer(usable, usable), S / np.outer(scale, scale), 0.0)
    )
    lifted = (vectors * np.clip(values, 1.0, 1e6)) @ vectors.T
    return np.where(np.outer(usable, usable), lifted * np.outer(scale, scale), 0.0)


class Unstructured:
    """Any positive semidefinite matrix; ``q (q + 1) / 2`` parameters."""

    #: which changes of basis of the columns leave the family of covariance matrices unchanged
    invariance = "affine"

    def __init__(self, size):
        rows, cols = lower_triangle(size)
        self.size = size
        self.basis = np.zeros((len(rows), size, size))
        self.basis[np.arange(len(rows)), rows, cols] = 1.0
        self.basis[np.arange(len(rows)), cols, rows] = 1.0

    def chart(self, T):
        root, order = pivoted_root(T)
        a, b = lower_triangle(self.size)
        rows = order[a]
        return Chart(
            derivatives=self._derivatives(root, rows, b),
            second=lambda D: 2.0 * D[np.ix_(rows, rows)] * (b[:, None] == b),
            move=lambda step: _gram(_add_at(root, rows, b, step)),
            radius=float(np.linalg.norm(root)),
        )

    def _derivatives(self, root, rows, cols):
        half = np.zeros((len(rows), self.size, self.size))
        half[np.arange(len(rows)), rows, :] = root[:, cols].T
        return half + half.transpose(0, 2, 1)

    def start(self, S, floor):
        return _floored(S, floor)

    def snapped(self, T, tol):
        """``T`` with the pivots below ``tol`` set to exactly zero."""
        root, _ = pivoted_root(T)
        pivots = np.max(np.abs(root), axis=0) ** 2
        return _gram(root * (pivots >= tol))

    def is_interior(self, T):
        root, _ = pivoted_root(T, tol=INTERIOR)
        return bool(np.all(np.any(root != 0, axis=0)))


class Spectral:
    """``T = sum_k v_k B_k`` with orthogonal projections ``B_k`` and variances ``v_k >= 0``.

    Diagonal, identity and exchangeable are three tables of projections.
    """

    def __init__(self, projections, basis, invariance):
        self.size = projections.shape[1]
        self.projections = projections
        self.basis = basis
        self.invariance = invariance
        self._ranks = np.trace(projections, axis1=1, axis2=2)

    def _variances(self, T):
        return np.einsum("kij,ij->k", self.projections, T) / self._ranks

    def _compose(self, variances):
        return np.einsum("k,kij->ij", variances, self.projections)

    def chart(self, T):
        root = np.sqrt(np.maximum(self._variances(T), 0.0))
        return Chart(
            derivatives=2.0 * root[:, None, None] * self.projections,
            second=lambda D: np.diag(2.0 * np.einsum("kij,ij->k", self.projections, D)),
            move=lambda step: self._compose((root + step) ** 2),
            radius=float(np.linalg.norm(root)),
        )

    def start(self, S, floor):
        lifted = np.where(floor > 0, np.maximum(np.diag(S), floor), 0.0)
        off_diagonal = S - np.diag(np.diag(S))
        least = self._variances(np.diag(floor))
        return self._compose(
            np.clip(self._variances(np.diag(lifted) + off_diagonal), least, 1e6 * least)
        )

    def snapped(self, T, tol):
        variances = self._variances(T)
        return self._compose(np.where(variances >= tol, variances, 0.0))

    def is_interior(self, T):
        variances = self._variances(T)
        return bool(np.all(variances > INTERIOR * np.max(variances)))


def diagonal(size):
    """Independent effects, each with its own variance."""
    projections = np.zeros((size, size, size))
    projections[np.arange(size), np.arange(size), np.arange(size)] = 1.0
    return Spectral(projections, projections, "scale")


def identity(size):
    """Independent effects with one common variance."""
    projections = np.eye(size)[None]
    return Spectral(projections, projections, "common scale")


def exchangeable(size):
    """One common variance and one common covariance (compound symmetry)."""
    if size == 1:
        return identity(1)
    mean = np.full((size, size), 1.0 / size)
    basis = np.stack([np.eye(size), np.ones((size, size)) - np.eye(size)])
    return Spectral(np.stack([np.eye(size) - mean, mean]), basis, "common scale")


class Absent:
    """No random effect: the place holder of a term whose variance the data cannot tell from the
    residual.
    """

    invariance = "common scale"

    def __init__(self, size):
        self.size = size
        self.basis = np.zeros((0, size, size))

    def chart(self, T):
        return Chart(self.basis, lambda D: np.zeros((0, 0)), lambda step: T, 0.0)

    def start(self, S, floor):
        return np.zeros((self.size, self.size))

    def snapped(self, T, tol):
        return T

    def is_interior(self, T):
        return False


STRUCTURES = {
    "unstructured": Unstructured,
    "diagonal": diagonal,
    "independent": diagonal,
    "identity": identity,
    "exchangeable": exchangeable,
}


def _gram(root):
    return root @ root.T


def _add_at(matrix, rows, cols, values):
    out = matrix.copy()
    out[rows, cols] += values
    return out
