"""The searches of :mod:`skmixed._search.together` by compiled loops, each of them in one call.

They take the steps of :func:`~skmixed._search.minimize.minimize` on sums of the levels of a single
factor.  A minimum inside the covariances is what the ordinary search would have found; where one is
not, or where the ordinary evaluation at it says something else, the ordinary search is asked.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import numpy as np

from .._algebra.kernels import CHOICE, MOST_EFFECTS
from .boundary import NEGLIGIBLE_CHANGE, NEGLIGIBLE_RISE
from .minimize import CONVERGED, Optimum, Quadratic, minimize
from .together import Minima, minimize_together

MOST_SUMS = 64  # of a level with the columns: products of all of them are taken
NOTHING = np.zeros(0)


class Sums(Protocol):
    """Deviances of a single factor: :class:`~skmixed._likelihood.one_factor.OneFactor`."""

    blocks: np.ndarray
    counts: np.ndarray | None
    shape: tuple[int, ...]
    X: np.ndarray
    y: np.ndarray
    gram: np.ndarray
    squares: np.ndarray
    least_r2: np.ndarray
    n: float
    nu: float
    reml: float


def is_compiled(shape: tuple[int, ...], manifold: Any) -> bool:
    """Whether there are loops for sums of a shape (effects, columns, levels), and such
    coordinates.
    """
    q, columns, _ = shape
    is_small = q <= MOST_EFFECTS and q * columns <= MOST_SUMS
    return CHOICE.native is not None and is_small and manifold.projections is not None


def minima_of(sums: Any, manifold: Any, start: np.ndarray, *, tol: float, max_iter: int) -> Minima:
    """The minima of deviances from one start each, (b, q, q)."""
    way = minimize_compiled if is_compiled(sums.shape, manifold) else minimize_together
    return way(sums, manifold, start, tol=tol, max_iter=max_iter)


def minimize_compiled(
    sums: Sums, manifold: Any, start: np.ndarray, *, tol: float, max_iter: int
) -> Minima:
    """The same by compiled loops."""
    count, p = len(start), sums.X.shape[1]
    k = manifold.n_parameters
    T = np.array(start)
    beta = np.empty((count, p))
    pull = np.zeros((count, k))
    bend = np.zeros((count, k, k))
    numbers = np.empty((count, 6))
    limits = np.empty((count, 2))
    limits[:, 0] = sums.squares
    limits[:, 1] = sums.least_r2
    CHOICE.native.minimize_one_factor(
        np.ascontiguousarray(sums.blocks),
        NOTHING if sums.counts is None else np.ascontiguousarray(sums.counts, dtype=float),
        _by_level(sums.X),
        _by_level(sums.y),
        np.ascontiguousarray(sums.gram),
        limits,
        np.array([sums.n, sums.nu]),
        bool(sums.reml),
        manifold.projections,
        np.array([tol, float(max_iter)]),
        T,
        beta,
        pull,
        bend,
        numbers,
    )
    value, r2, noise, radius, evaluations, converged = numbers.T
    known = {"value": value, "r2": r2, "noise": noise, "beta": beta}
    return Minima(T, known, radius, pull, bend, evaluations.astype(int), converged > 0)


def _by_level(sums):
    """The same, the levels of a row one after the other."""
    return sums if sums.strides[-1] == sums.itemsize else np.ascontiguousarray(sums)


class Bounds(NamedTuple):
    """What a minimum has to keep to.

    Attributes
    ----------
    value : above which no minimum lies
    floor : variances that count as close to zero
    """

    value: float
    floor: np.ndarray


class AtOnce:
    """Minima of one deviance by compiled loops, evaluated once more in the ordinary way.

    Attributes
    ----------
    sums : of the deviance
    """

    def __init__(self, sums: Sums):
        self.sums = sums

    def inside(
        self, objective: Any, manifold: Any, start: list, bounds: Bounds, **options: Any
    ) -> Optimum | None:
        """A minimum inside the covariances, so that no other search follows; None where there may
        be more to it.
        """
        found = minimize_compiled(self.sums, manifold, manifold.assemble(start), **options)
        is_settled = found.settled(np.array([bounds.value]), bounds.floor)[0]
        return _checked(found, objective, manifold) if is_settled else None

    def minimize(self, objective: Any, manifold: Any, start: list, **options: Any) -> Optimum:
        """As :func:`~skmixed._search.minimize.minimize`, wherever the minimum is."""
        found = minimize_compiled(self.sums, manifold, manifold.assemble(start), **options)
        is_exact = found.converged[0] and found.known["noise"][0] <= NEGLIGIBLE_CHANGE
        optimum = _checked(found, objective, manifold) if is_exact else None
        return minimize(objective, manifold, start, **options) if optimum is None else optimum


def _checked(found, objective, manifold):
    """The minimum, if the ordinary evaluation there says the same."""
    point = manifold.split(found.T)
    evaluation = objective(manifold.assemble(point))
    if not np.isfinite(evaluation.value) or evaluation.degenerate:
        return None
    apart = abs(evaluation.value - float(found.known["value"][0]))
    if apart > NEGLIGIBLE_RISE + evaluation.noise:
        return None
    quadratic = Quadratic(float(found.radius[0]), found.pull[0], found.bend[0])
    return Optimum(point, evaluation, int(found.n_evaluations[0]), CONVERGED, quadratic)
