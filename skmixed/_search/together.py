"""Newton steps of several functions at a time.

:func:`minimize_together` takes the steps of :func:`~skmixed._search.minimize.minimize` for
functions that are computed together, such as the deviances of many responses to the same rows.
Most of them have their minimum inside the covariances, and near the start: for these the search
ends here.  What it says of the others is that somebody should look at them one by one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np

from .._algebra.packed import lower_triangle
from .._model.many_charts import Charts
from .boundary import NEGLIGIBLE_CHANGE, NEGLIGIBLE_RISE, SNAP
from .minimize import ACCEPT, FLAT, FLAT_SLOPE, GROW, LAST_STEP, SHRINK, trust_region_step
from .start import SHRINKAGE_FLOOR

NEARLY = 1.0 - 1e-6  # of the radius, beyond which a step was stopped by it
MOST_TRIALS = 50  # points that are looked at for one function


class Values(Protocol):
    """What functions say of a point each."""

    value: np.ndarray
    gradient: np.ndarray
    slope: np.ndarray
    hessian: np.ndarray
    noise: np.ndarray
    degenerate: np.ndarray
    r2: np.ndarray
    beta: np.ndarray


class Functions(Protocol):
    """Functions of a covariance each, that are computed together."""

    def __call__(self, T: np.ndarray) -> Values:
        """At (b, q, q) covariances."""

    def of_some(self, places: np.ndarray) -> Self:
        """Some of them."""


class Manifold(Protocol):
    """The covariances of one factor that are searched."""

    def charts(self, T: np.ndarray) -> Charts:
        """Coordinates around (b, q, q) matrices."""


#: what is kept of the last point of every function
NUMBERS = ("value", "gradient", "slope", "hessian", "noise", "degenerate", "r2", "beta")


@dataclass
class Minima:
    """Where the searches ended.

    Attributes
    ----------
    T : (b, q, q)
    known : what the functions said there, by name
    radius, pull, bend : (b,), (b, k) and (b, k, k) the last local models
    n_evaluations : (b,)
    converged : (b,) whether no step promises anything more
    """

    T: np.ndarray
    known: dict[str, np.ndarray]
    radius: np.ndarray
    pull: np.ndarray
    bend: np.ndarray
    n_evaluations: np.ndarray
    converged: np.ndarray

    def settled(self, bar: np.ndarray, floor: np.ndarray) -> np.ndarray:
        """Which are minima inside the covariances, so that no other search would follow.

        ``bar`` are values above which no minimum lies, ``floor`` the variances that count as close
        to zero.
        """
        noise = self.known["noise"]
        diagonal = np.einsum("bii->bi", self.T).max(axis=1)
        typical = np.maximum(diagonal, np.max(floor) / SHRINKAGE_FLOOR)
        is_inside = np.linalg.eigvalsh(self.T)[:, 0] > SNAP[0] * typical
        size = np.abs(self.pull).sum(axis=1) + np.abs(self.bend).sum(axis=(1, 2))
        is_curved = self.radius**2 * size >= NEGLIGIBLE_CHANGE
        is_low = self.known["value"] <= bar + NEGLIGIBLE_RISE + noise
        return self.converged & is_inside & is_curved & is_low & (noise <= NEGLIGIBLE_CHANGE)


def minimize_together(
    functions: Functions, manifold: Manifold, start: np.ndarray, *, tol: float, max_iter: int
) -> Minima:
    """The minima of functions from one start each, (b, q, q)."""
    search = _Search(functions, manifold, start, tol)
    for _ in range(min(max_iter + 1, MOST_TRIALS)):
        if not search.goes_on():
            break
    return search.minima


class _Search:
    """The state of the searches: points, trust regions, and which of them are still under way."""

    def __init__(self, functions, manifold, start, tol):
        self.functions = functions
        self.manifold = manifold
        self.tol = tol
        count = len(start)
        values = functions(start)
        known: dict[str, Any] = {name: getattr(values, name).copy() for name in NUMBERS}
        k = manifold.charts(start[:1]).derivatives.shape[1]
        self.minima = Minima(
            start.copy(),
            known,
            np.zeros(count),
            np.zeros((count, k)),
            np.zeros((count, k, k)),
            np.ones(count, dtype=int),
            np.zeros(count, dtype=bool),
        )
        self.region = np.zeros(count)  # none yet
        self.active = np.isfinite(known["value"]) & ~known["degenerate"]

    def goes_on(self) -> bool:
        """One trial of every search that is under way; whether any is left."""
        places = np.flatnonzero(self.active)
        if not len(places):
            return False
        chart = self._look(places)
        found = self.minima
        steps = _steps(found.pull[places], found.bend[places], self.region[places])
        predicted = -(
            np.einsum("bk,bk->b", found.pull[places], steps)
            + 0.5 * np.einsum("bk,bkl,bl->b", steps, found.bend[places], steps)
        )
        length = np.linalg.norm(steps, axis=1)
        negligible = np.maximum(self.tol, found.known["noise"][places])
        ends = predicted < negligible
        is_stuck = ends & ((predicted < -negligible) | (length >= NEARLY * self.region[places]))
        found.converged[places] = ends & ~is_stuck
        tried = ~ends | (~is_stuck & (predicted > LAST_STEP * self.tol))
        self.active[places] = ~ends
        if np.any(tried):
            self._try(places, chart.move(steps), predicted, length, tried)
        return True

    def _look(self, places):
        """The local models there."""
        found = self.minima
        chart = self.manifold.charts(found.T[places])
        J = chart.derivatives[:, :, *lower_triangle(found.T.shape[1])]
        bent = chart.second(found.known["gradient"][places])
        bend = J @ found.known["hessian"][places] @ J.transpose(0, 2, 1) + bent
        found.radius[places] = chart.radius
        found.pull[places] = np.einsum("bkp,bp->bk", J, found.known["slope"][places])
        found.bend[places] = (bend + bend.transpose(0, 2, 1)) / 2.0
        is_first = self.region[places] == 0.0
        self.region[places[is_first]] = np.maximum(1.0, chart.radius[is_first])
        return chart

    def _try(self, places, candidates, predicted, length, tried):
        """Evaluate candidates, adapt the trust regions, and take those that are accepted."""
        found = self.minima
        predicted, length = predicted[tried], length[tried]
        places, candidates = places[tried], candidates[tried]
        values = self.functions.of_some(places)(candidates)
        found.n_evaluations[places] += 1
        decrease = found.known["value"][places] - values.value
        noise = 100.0 * found.known["noise"][places]
        is_rounding = (predicted < noise) & (np.abs(decrease) < noise)
        rho = np.where(is_rounding, 1.0, decrease / predicted)
        rho = np.where(np.isfinite(values.value), rho, -1.0)
        region = self.region[places]
        grown = np.where((rho > 0.75) & (length > 0.9 * region), GROW * region, region)
        self.region[places] = np.where(rho < 0.25, SHRINK * length, grown)
        accepted = rho > ACCEPT
        found.T[places[accepted]] = candidates[accepted]
        for name in NUMBERS:
            found.known[name][places[accepted]] = getattr(values, name)[accepted]
        self.active[places] &= ~found.known["degenerate"][places]


def _steps(pull, bend, radius):
    """Of :func:`~skmixed._search.minimize.trust_region_step`, most of which are Newton's."""
    values, vectors = np.linalg.eigh(bend)
    slope = np.einsum("bkl,bk->bl", vectors, pull)
    largest = np.maximum(np.max(np.abs(values), axis=1), np.finfo(float).tiny)[:, None]
    flat = (np.abs(values) <= FLAT * largest) & (np.abs(slope) <= FLAT_SLOPE * np.sqrt(largest))
    values = np.where(flat, largest, values)
    step = -np.where(flat, 0.0, slope) / np.where(values > 0, values, 1.0)
    is_newton = np.all(values > 0, axis=1) & (np.linalg.norm(step, axis=1) <= radius)
    out = np.einsum("bkl,bl->bk", vectors, step)
    for b in np.flatnonzero(~is_newton):
        out[b] = trust_region_step(pull[b], bend[b], radius[b])
    return out
