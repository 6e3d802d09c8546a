"""Covariance structures of one random-effects term.

A structure is a family of covariance matrices ``T`` (q x q, in units of sigma^2).  It has *charts*:
around any ``T`` a smooth map ``s -> T(s)`` with ``T(0) = T`` into the family, in which a variance
at zero is an ordinary stationary point.  The optimiser moves in these.

Inside the family standard errors are computed along the *tangent* of ``T``.  Most families are
linear, ``T = sum_k a_k B_k`` with a fixed ``basis`` of symmetric matrices: there the tangent is the
basis, whatever ``T``, and nothing bends.

For the unstructured case the chart is the Cholesky factor of ``T`` in the order of its largest
pivots, made anew at every step: a fixed order would leave a flat direction where the leading
variance vanishes.

A new family is a subclass of :class:`Structure` and an entry of :data:`STRUCTURES`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from .._algebra.packed import lower_triangle, triangle_entries
from .._algebra.roots import pivoted_root
from .charts import Chart, Parameter, moving
from .coordinates import (
    HEADS,
    Coordinates,
    Polar,
    RootCoordinates,
    Shifted,
    SpectralCoordinates,
    Squares,
)
from .many_charts import Charts, root_charts, spectral_charts
from .volumes import Volume, constant_volume, determinant, product_of_variances

INTERIOR = 1e-9  # a pivot below this share of the largest is on the boundary
ZERO = 1e-9  # share of the largest variance below which another counts as zero
MINOR = 0.01  # share of another variance from which a search starts with one of several
UNLIKE = 10.0  # times as large is another size
LARGEST_LIFT = 1e6  # times the floor, beyond which a start is too large


class Cone(NamedTuple):
    """Where a covariance may go from a point.

    Attributes
    ----------
    free : (k, q, q) directions that are open either way
    pointed : pairs (order, directions) of cones of semidefinite matrices of that order
    """

    free: np.ndarray
    pointed: list[tuple[int, np.ndarray]]


class Structure(ABC):
    """A family of covariance matrices of the effects of one level.

    Attributes
    ----------
    size : q, the number of effects
    """

    size: int

    @staticmethod
    @abstractmethod
    def standardise(term: Any, moments: Any) -> tuple[np.ndarray, np.ndarray]:
        """Shifts and scales of a term's columns that leave the family as it is."""

    @property
    @abstractmethod
    def n_parameters(self) -> int:
        """Number of parameters of the family."""

    @abstractmethod
    def chart(self, T: np.ndarray) -> Chart:
        """Coordinates around T."""

    @property
    def chart_projections(self) -> np.ndarray | None:
        """Projections (k, q, q) the roots of whose variances are the coordinates of :meth:`chart`;
        no projection where these are the entries of a pivoted root, None where they are others.
        """
        return None

    def charts(self, T: np.ndarray) -> Charts:
        """The same around (b, q, q) matrices."""
        raise NotImplementedError

    @abstractmethod
    def start(self, S: np.ndarray, floor: np.ndarray) -> np.ndarray:
        """A member near S, whose variances are at least those of ``floor``; none where it is 0."""

    @abstractmethod
    def snapped(self, T: np.ndarray, least: float) -> np.ndarray:
        """T with variances below ``least`` set to exactly zero."""

    @abstractmethod
    def is_interior(self, T: np.ndarray) -> bool:
        """Whether no variance of T is zero and no correlation one."""

    def volume(self, T: np.ndarray) -> Volume:
        """Its logarithm and derivatives: what a weak prior keeps away from zero."""
        return determinant(T)

    def starts(self, typical: np.ndarray) -> list[np.ndarray]:
        """Members from which searches may end in different optima.

        There are some where effects whose variances are of very different ``typical`` sizes share
        one.
        """
        return []

    def tangent(self, T: np.ndarray) -> np.ndarray:
        """Directions (k, q, q) in which T, inside the family, may vary."""
        return self.chart(T).derivatives

    def bending(self, T: np.ndarray, D: np.ndarray) -> np.ndarray:
        """Second derivatives of T along its tangent, contracted with D, (k, k)."""
        return self.chart(T).second(D)

    def parameters(self, T: np.ndarray) -> list[Parameter]:
        """Coordinates in which T may vary; a singular one with its rank held, and not from zero."""
        chart = self.chart(T)
        units = np.eye(len(chart.derivatives))
        return [
            Parameter(chart.derivatives[a], _along(chart, units[a]), chart.radius)
            for a in moving(chart)
        ]

    def curvature(self, T: np.ndarray, D: np.ndarray) -> np.ndarray:
        """What D adds to second derivatives along :meth:`parameters`."""
        chart = self.chart(T)
        return chart.second(D)[np.ix_(moving(chart), moving(chart))]

    @property
    def hull(self) -> np.ndarray:
        """Symmetric matrices (k, q, q) whose combinations hold the family."""
        return symmetric_basis(self.size)

    @property
    def free_entries(self) -> list[tuple[int, int]]:
        """Entries of the lower triangle that are not always zero, variances first."""
        used = np.any(self.hull != 0, axis=0) | np.eye(self.size, dtype=bool)
        rows, cols = np.nonzero(np.tril(used))
        entries = zip(rows.tolist(), cols.tolist(), strict=True)
        return sorted(entries, key=lambda entry: (entry[0] != entry[1], entry))

    @abstractmethod
    def cone_at(self, span: np.ndarray) -> Cone:
        """Directions from a member that has the column space of ``span``."""

    def coordinates(
        self, kind: str, rows: np.ndarray, row: int, col: int
    ) -> tuple[Coordinates, tuple[Any, ...]] | None:
        """Coordinates that begin with a parameter, and a key that those of one profile share.

        None where the family has none.

        Parameters
        ----------
        kind : "variance", "covariance" or "correlation" of the effects ``row`` and ``col``
        rows : these effects in the units of the data as combinations of the effects here, of
            length one
        """
        return None

    @property
    def correlation_range(self) -> tuple[float, float]:
        """Of the correlation of two effects."""
        return -1.0, 1.0


def _along(chart: Chart, unit: np.ndarray) -> Callable[[float], np.ndarray]:
    return lambda step: chart.move(step * unit)


def affine(term: Any, moments: Any) -> tuple[np.ndarray, np.ndarray]:
    """Any shift and scale of the slopes, for a term with an intercept."""
    if not term.intercept:
        return scaled(term, moments)
    columns = list(term.columns)
    shifts = np.append(0.0, moments.mean[columns])
    return shifts, np.append(1.0, positive(moments.sd[columns]))


def scaled(term: Any, moments: Any) -> tuple[np.ndarray, np.ndarray]:
    """Any scales."""
    rms = moments.rms[list(term.columns)]
    return np.zeros(term.size), positive(np.append([1.0] * term.intercept, rms))


def commonly_scaled(term: Any, moments: Any) -> tuple[np.ndarray, np.ndarray]:
    """One scale for all."""
    _, scales = scaled(term, moments)
    return np.zeros(term.size), np.full(term.size, np.sqrt(np.mean(scales**2)))


def distinct_scales(sizes: np.ndarray) -> np.ndarray:
    """One for every order of magnitude of some sizes; none where all are alike."""
    found = np.sort(sizes[sizes > 0])
    kept = found[:1]
    for scale in found:
        if scale > UNLIKE * kept[-1]:
            kept = np.append(kept, scale)
    return kept if len(kept) > 1 else kept[:0]


def positive(scales: np.ndarray) -> np.ndarray:
    """Scales, one where there is none."""
    return np.where(scales > 0, scales, 1.0)


class LinearStructure(Structure):
    """``T = sum_k a_k B_k`` with a fixed basis."""

    basis: np.ndarray  # (k, q, q)

    @property
    def n_parameters(self) -> int:
        return len(self.basis)

    @property
    def hull(self) -> np.ndarray:
        return self.basis

    def tangent(self, T: np.ndarray) -> np.ndarray:
        return self.basis

    def bending(self, T: np.ndarray, D: np.ndarray) -> np.ndarray:
        return np.zeros((len(self.basis), len(self.basis)))

    def parameters(self, T: np.ndarray) -> list[Parameter]:
        if not self.is_interior(T):
            return super().parameters(T)
        inverse = np.linalg.inv(pivoted_root(T)[0])
        return [
            Parameter(
                B, _line(T, B), 1.0 / np.max(np.abs(np.linalg.eigvalsh(inverse @ B @ inverse.T)))
            )
            for B in self.basis
        ]

    def curvature(self, T: np.ndarray, D: np.ndarray) -> np.ndarray:
        return self.bending(T, D) if self.is_interior(T) else super().curvature(T, D)


def _line(T: np.ndarray, B: np.ndarray) -> Callable[[float], np.ndarray]:
    return lambda step: T + step * B


def symmetric_basis(size: int) -> np.ndarray:
    """``e_r e_c' + e_c e_r'``, or ``e_r e_r'`` on the diagonal, in packed order."""
    rows, cols = lower_triangle(size)
    basis = np.zeros((len(rows), size, size))
    basis[np.arange(len(rows)), rows, cols] = 1.0
    basis[np.arange(len(rows)), cols, rows] = 1.0
    return basis


class Unstructured(LinearStructure):
    """Any positive semidefinite matrix; ``q (q + 1) / 2`` parameters."""

    standardise = staticmethod(affine)

    def __init__(self, size: int) -> None:
        self.size = size
        self.basis = symmetric_basis(size)

    def chart(self, T: np.ndarray) -> Chart:
        root, order = pivoted_root(T)
        a, b = lower_triangle(self.size)
        rows = order[a]
        sizes = np.sqrt(np.maximum(np.diag(T), 1.0))  # large variances move by shares of themselves
        units = sizes[rows]
        return Chart(
            derivatives=units[:, None, None] * self._derivatives(root, rows, b),
            second=lambda D: (
                2.0 * np.outer(units, units) * D[np.ix_(rows, rows)] * (b[:, None] == b)
            ),
            move=lambda step: _gram(_add_at(root, rows, b, units * step)),
            radius=float(np.linalg.norm(root / sizes[:, None])),
        )

    def charts(self, T: np.ndarray) -> Charts:
        return root_charts(T)

    @property
    def chart_projections(self) -> np.ndarray | None:
        return np.zeros((0, self.size, self.size))

    def _derivatives(self, root: np.ndarray, rows: np.ndarray, cols: np.ndarray) -> np.ndarray:
        half = np.zeros((len(rows), self.size, self.size))
        half[np.arange(len(rows)), rows, :] = root[:, cols].T
        return half + half.transpose(0, 2, 1)

    def start(self, S: np.ndarray, floor: np.ndarray) -> np.ndarray:
        """The nearest matrix whose eigenvalues, rows and columns scaled by ``floor``, are at
        least one.
        """
        usable = np.outer(floor > 0, floor > 0)
        scale = np.sqrt(np.where(floor > 0, floor, 1.0))
        units = np.outer(scale, scale)
        values, vectors = np.linalg.eigh(np.where(usable, S / units, 0.0))
        lifted = (vectors * np.clip(values, 1.0, LARGEST_LIFT)) @ vectors.T
        return np.where(usable, lifted * units, 0.0)

    def snapped(self, T: np.ndarray, least: float) -> np.ndarray:
        root, _ = pivoted_root(T)
        pivots = np.max(np.abs(root), axis=0) ** 2
        return _gram(root * (pivots >= least))

    def is_interior(self, T: np.ndarray) -> bool:
        root, _ = pivoted_root(T, tol=INTERIOR)
        return bool(np.all(np.any(root != 0, axis=0)))

    def cone_at(self, span: np.ndarray) -> Cone:
        values, vectors = np.linalg.eigh(span)
        zero = values <= ZERO * max(values[-1], np.finfo(float).tiny)
        vectors = vectors[:, np.argsort(~zero, kind="stable")]
        nulls = int(zero.sum())
        pointed = [(nulls, _products(vectors, 0, nulls))] if nulls else []
        return Cone(_products(vectors, nulls, self.size), pointed)

    def coordinates(
        self, kind: str, rows: np.ndarray, row: int, col: int
    ) -> tuple[Coordinates, tuple[Any, ...]] | None:
        head = HEADS[kind]
        return RootCoordinates(rows[: head.size], head), (row, col)


def _products(vectors: np.ndarray, start: int, stop: int) -> np.ndarray:
    """``v_r v_c' + v_c v_r'`` (half of it for r = c) in packed order, r from ``start`` on."""
    pairs = [(r, c) for r, c in triangle_entries(stop) if r >= start]
    found = [np.outer(vectors[:, r], vectors[:, c]) for r, c in pairs]
    stack = np.array([m if r == c else m + m.T for m, (r, c) in zip(found, pairs, strict=True)])
    return stack.reshape(-1, len(vectors), len(vectors))


class Spectral(LinearStructure):
    """``T = sum_k v_k P_k`` with orthogonal projections ``P_k`` and variances ``v_k >= 0``.

    Diagonal, identity and exchangeable are three tables of projections.
    """

    def __init__(self, projections: np.ndarray, basis: np.ndarray) -> None:
        self.size = projections.shape[1]
        self.projections = projections
        self.basis = basis
        self._ranks = np.trace(projections, axis1=1, axis2=2)

    def _variances(self, T: np.ndarray) -> np.ndarray:
        return np.einsum("kij,ij->k", self.projections, T) / self._ranks

    def _compose(self, variances: np.ndarray) -> np.ndarray:
        return np.einsum("k,kij->ij", variances, self.projections)

    def chart(self, T: np.ndarray) -> Chart:
        root = np.sqrt(np.maximum(self._variances(T), 0.0))
        units = np.maximum(root, 1.0)
        return Chart(
            derivatives=2.0 * (units * root)[:, None, None] * self.projections,
            second=lambda D: np.diag(2.0 * units**2 * np.einsum("kij,ij->k", self.projections, D)),
            move=lambda step: self._compose((root + units * step) ** 2),
            radius=float(np.linalg.norm(root / units)),
        )

    def charts(self, T: np.ndarray) -> Charts:
        return spectral_charts(T, self.projections)

    @property
    def chart_projections(self) -> np.ndarray | None:
        return self.projections

    def start(self, S: np.ndarray, floor: np.ndarray) -> np.ndarray:
        lifted = np.where(floor > 0, np.maximum(np.diag(S), floor), 0.0)
        off_diagonal = S - np.diag(np.diag(S))
        least = self._variances(np.diag(floor))
        variances = self._variances(np.diag(lifted) + off_diagonal)
        return self._compose(np.clip(variances, least, LARGEST_LIFT * least))

    def volume(self, T: np.ndarray) -> Volume:
        return product_of_variances(self.projections, T)

    def starts(self, typical: np.ndarray) -> list[np.ndarray]:
        shared = np.count_nonzero(np.einsum("kii->ki", self.projections), axis=1) > 1
        if not np.any(shared):
            return []
        sizes = np.maximum(np.eye(len(self.projections)), MINOR)
        return [self._compose(scale * v) for scale in distinct_scales(typical) for v in sizes]

    def snapped(self, T: np.ndarray, least: float) -> np.ndarray:
        variances = self._variances(T)
        return self._compose(np.where(variances >= least, variances, 0.0))

    def is_interior(self, T: np.ndarray) -> bool:
        variances = self._variances(T)
        return bool(np.all(variances > INTERIOR * np.max(variances)))

    def cone_at(self, span: np.ndarray) -> Cone:
        sizes = np.einsum("kij,ij->k", self.projections, span)
        zero = sizes <= ZERO * max(sizes.max(), np.finfo(float).tiny)
        return Cone(self.projections[~zero], [(1, P[None]) for P in self.projections[zero]])

    def coordinates(
        self, kind: str, rows: np.ndarray, row: int, col: int
    ) -> tuple[Coordinates, tuple[Any, ...]] | None:
        owners = tuple(np.flatnonzero(self.projections[:, row, row]).tolist())
        return SpectralCoordinates(self.projections, self._head(kind, owners)), owners

    def _head(self, kind: str, owners: tuple[int, ...]) -> Any:
        if len(owners) == 1:
            return Squares(len(self.projections), owners[0])
        return (
            Shifted(self.size) if kind == "covariance" else Polar(self.size, kind == "correlation")
        )


class Diagonal(Spectral):
    """Independent effects, each with its own variance."""

    standardise = staticmethod(scaled)

    def __init__(self, size: int) -> None:
        projections = np.zeros((size, size, size))
        projections[np.arange(size), np.arange(size), np.arange(size)] = 1.0
        super().__init__(projections, projections)


class Identity(Spectral):
    """Independent effects with one common variance."""

    standardise = staticmethod(commonly_scaled)

    def __init__(self, size: int) -> None:
        super().__init__(np.eye(size)[None], np.eye(size)[None])


class Exchangeable(Spectral):
    """One common variance and one common covariance (compound symmetry)."""

    standardise = staticmethod(commonly_scaled)

    def __init__(self, size: int) -> None:
        mean = np.full((size, size), 1.0 / size)
        if size == 1:  # of a single effect there is a variance only
            super().__init__(mean[None], mean[None])
        else:
            ones = np.ones((size, size))
            basis = np.stack([np.eye(size), ones - np.eye(size)])
            super().__init__(np.stack([np.eye(size) - mean, mean]), basis)

    @property
    def correlation_range(self) -> tuple[float, float]:
        return -1.0 / (self.size - 1), 1.0


class Absent(LinearStructure):
    """No random effect: the place holder of a term whose variance the data cannot tell from the
    residual.
    """

    standardise = staticmethod(commonly_scaled)

    def __init__(self, size: int) -> None:
        self.size = size
        self.basis = np.zeros((0, size, size))

    def chart(self, T: np.ndarray) -> Chart:
        return Chart(self.basis, lambda D: np.zeros((0, 0)), lambda step: T, 0.0)

    def volume(self, T: np.ndarray) -> Volume:
        return constant_volume(T)

    def start(self, S: np.ndarray, floor: np.ndarray) -> np.ndarray:
        return np.zeros((self.size, self.size))

    def snapped(self, T: np.ndarray, least: float) -> np.ndarray:
        return T

    def is_interior(self, T: np.ndarray) -> bool:
        return False

    def cone_at(self, span: np.ndarray) -> Cone:
        return Cone(self.basis, [])


#: by the names that a user may give
STRUCTURES: dict[str, Callable[[int], Structure]] = {
    "unstructured": Unstructured,
    "diagonal": Diagonal,
    "independent": Diagonal,
    "identity": Identity,
    "exchangeable": Exchangeable,
}


def _gram(root: np.ndarray) -> np.ndarray:
    return root @ root.T


def _add_at(
    matrix: np.ndarray, rows: np.ndarray, cols: np.ndarray, values: np.ndarray
) -> np.ndarray:
    out = matrix.copy()
    out[rows, cols] += values
    return out
