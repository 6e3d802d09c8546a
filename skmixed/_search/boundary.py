"""The search for an optimum of the covariances: zeros are made exact and saddles left.

The minimiser of :mod:`skmixed._search.minimize` stops where nothing is to be gained nearby.  On the
boundary of the covariances two things remain: a variance that is zero but for rounding becomes
exactly zero, and where the deviance would fall along a variance that is zero now, the search goes
on from beyond it.

A point is the list of the terms' matrices; other parameters may follow, and stay as they are.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

from .minimize import CONVERGED, DEGENERATE, STUCK, Optimum, minimize
from .start import SHRINKAGE_FLOOR

SNAP = (1e-3, 1e-8)  # pivots below this share of a typical one are tried at exactly zero
MAX_RESTARTS = 3  # attempts to leave a saddle
SAME = 1e-14  # share of an entry by which rounding changes it
NEGLIGIBLE_RISE = 1e-8  # rise of the deviance that an exact zero may cost
NEGLIGIBLE_CHANGE = 1e-6  # of the deviance, along a covariance that it says nothing of
NEGLIGIBLE_DESCENT = 1e-5  # of the deviance, per unit of a variance at zero
NULL = 1e-12  # eigenvalues below this share of the largest are zero
LARGE = 10.0  # of a second start, in units of one over the information of a typical level
NUDGE = 1e-3  # of a typical variance, for those that are zero where a saddle is left
FLAT = 1e-6  # curvature below this share of the largest is none
TINY = float(np.finfo(float).tiny)
CURVED = 1e3  # that of coefficients grows with the rows, that of variances with the levels only
NEARER = 1e-3  # share of the covariances where a search got stuck, at which another starts
ENOUGH = {CONVERGED: 300, STUCK: 450}  # evaluations after which nobody starts again
PROBES = (0.5, 0.9, 1.1, 2.0)  # shares of a covariance at which the deviance is looked at
MOVED = 0.1  # part of a term in a direction that counts


class NothingAttainable(ArithmeticError):
    """The deviance is infinite at every start."""


def search(
    objective, manifold, start, floors, *, bar=np.inf, scattered=0, steps=minimize, **options
) -> Optimum:
    """The optimum from ``start``, or a lower one from elsewhere where there may be one.

    ``floors`` are the variances, per factor and effect, that count as close to zero; ``bar`` is the
    deviance without random effects, above which no optimum lies; ``scattered`` are further starts;
    ``steps`` takes those of a minimisation.
    """
    minimum_from = partial(steps, objective, manifold, **options)
    boundary = Boundary(manifold, [floors[t.factor][t.window] for t in manifold.terms])
    optimum = boundary.settled(boundary.first_minimum(minimum_from, start), minimum_from)
    optimum = boundary.or_at_other_scales(optimum, minimum_from)
    if optimum.stop == STUCK:
        optimum = boundary.or_lower(optimum, boundary.nearer(optimum.point), minimum_from)
    if optimum.stop in (CONVERGED, STUCK) and not boundary.is_far(optimum.point):
        optimum = boundary.or_lower(optimum, boundary.large(optimum), minimum_from)
    optimum = boundary.or_anywhere(optimum, scattered, minimum_from)
    if optimum.evaluation.value > bar + NEGLIGIBLE_RISE + optimum.evaluation.noise:
        optimum = boundary.or_lower(optimum, boundary.nothing(optimum.point), minimum_from)
    is_blurred = optimum.evaluation.noise > NEGLIGIBLE_CHANGE
    return boundary.probed(optimum) if optimum.converged and is_blurred else optimum


@dataclass(frozen=True)
class Boundary:
    """What is done where variances are zero.

    Attributes
    ----------
    manifold : where the points live
    floors : per term and effect, the variances that count as close to zero
    """

    manifold: Any
    floors: list[np.ndarray]

    @property
    def structures(self):
        return [term.structure for term in self.manifold.terms]

    def is_far(self, point):
        """Whether no variance is zero and no correlation one, of the terms that have any."""
        terms = zip(self.structures, point, strict=False)
        return all(structure.is_interior(T) for structure, T in terms if structure.n_parameters)

    def first_minimum(self, minimum_from, start):
        """From the given start, or from no variance at all where that is out of reach."""
        for point in (start, self.nothing(start)):
            optimum = minimum_from(point)
            if np.isfinite(optimum.evaluation.value):
                return optimum
        raise NothingAttainable

    def nothing(self, point):
        """The point without any variance."""
        k = len(self.floors)
        return [np.zeros_like(T) for T in point[:k]] + list(point[k:])

    def settled(self, optimum, minimum_from):
        """The minimum with zeros made exact and saddles left."""
        for _ in range(MAX_RESTARTS):
            optimum = self._snapped(optimum)
            escape = self.escape(optimum)
            if escape is None or not optimum.converged:
                return optimum
            again = minimum_from(escape)
            if again.evaluation.value > optimum.evaluation.value - NEGLIGIBLE_RISE:
                return optimum
            optimum = again
        return optimum

    def or_lower(self, optimum, start, minimum_from):
        """The lower of a minimum and the one from another start."""
        again = minimum_from(start)
        if np.isfinite(again.evaluation.value):
            again = self.settled(again, minimum_from)
        evaluations = optimum.n_evaluations + again.n_evaluations
        best = again if _is_better(again, optimum) else optimum
        return replace(best, n_evaluations=evaluations)

    def or_at_other_scales(self, optimum, minimum_from):
        """The lowest of a minimum and those from other sizes of variances that effects of
        different sizes share.
        """
        terms = zip(self.structures, self.floors, strict=True)
        for k, (structure, floor) in enumerate(terms):
            for member in structure.starts(floor / SHRINKAGE_FLOOR):
                start = self._lifted(optimum.point)
                start[k] = member
                optimum = self.or_lower(optimum, start, minimum_from)
        return optimum

    def or_anywhere(self, optimum, count, minimum_from):
        """The lowest of a minimum and those from some scattered starts: with few rows and several
        factors there can be many.
        """
        for seed in range(count):
            if optimum.n_evaluations < ENOUGH.get(optimum.stop, 0):
                rng = np.random.default_rng(seed)
                terms = zip(self.structures, self.floors, strict=True)
                start = [_anywhere(structure, floor, rng) for structure, floor in terms]
                start += optimum.point[len(start) :]
                optimum = self.or_lower(optimum, start, minimum_from)
        return optimum

    def nearer(self, point):
        """A start on the way back: rounding ends searches that went too far."""
        k = len(self.floors)
        return self._lifted([NEARER * T for T in point[:k]] + list(point[k:]))

    def _lifted(self, point):
        """A point away from the boundary."""
        terms = zip(self.structures, point, self.floors, strict=False)
        lifted = [structure.start(T, floor) for structure, T, floor in terms]
        return lifted + list(point[len(lifted) :])

    def large(self, optimum):
        """A second start: with few rows a deviance can have a lower minimum far from zero."""
        terms = zip(self.structures, self.floors, strict=True)
        large = [s.start(np.diag(LARGE / SHRINKAGE_FLOOR * floor), floor) for s, floor in terms]
        return large + list(optimum.point[len(large) :])

    def probed(self, optimum):
        """An optimum that rounding may have hidden: none if other sizes of a covariance are
        lower.
        """
        k = len(self.floors)
        scaled = [
            [*optimum.point[:i], share * optimum.point[i], *optimum.point[i + 1 :]]
            for i in range(k)
            for share in PROBES
            if np.any(optimum.point[i])
        ]
        trials = [optimum.evaluation.at(self.manifold.assemble(point)) for point in scaled]
        optimum = replace(optimum, n_evaluations=optimum.n_evaluations + len(trials))
        best = min(range(len(trials)), key=lambda i: trials[i].value, default=None)
        bar = optimum.evaluation.value - optimum.evaluation.noise
        if best is None or trials[best].value >= bar:
            return optimum
        return replace(optimum, point=scaled[best], evaluation=trials[best], stop=STUCK)

    def _snapped(self, optimum):
        """Variances that are zero but for rounding at exactly zero, where the deviance allows
        it.
        """
        evaluations = 0
        for k in range(len(self.floors)):
            for candidate in self._simpler(optimum, k):
                point = [*optimum.point[:k], candidate, *optimum.point[k + 1 :]]
                current = optimum.evaluation
                trial = current.at(self.manifold.assemble(point))
                evaluations += 1
                if trial.value <= current.value + NEGLIGIBLE_RISE + current.noise:
                    optimum = replace(optimum, point=point, evaluation=trial)
                    break
        return replace(optimum, n_evaluations=optimum.n_evaluations + evaluations)

    def _simpler(self, optimum, k):
        """Covariances of a term worth trying: none if the likelihood is flat, else small pivots
        at zero.
        """
        T = optimum.point[k]
        if not np.any(T):
            return
        if self._is_flat(optimum, k):
            yield np.zeros_like(T)
        typical = max(np.max(self.floors[k], initial=0.0) / SHRINKAGE_FLOOR, np.max(np.diag(T)))
        for share in SNAP:
            candidate = self.structures[k].snapped(T, share * typical)
            if np.any(np.abs(candidate - T) > SAME * np.abs(T)):
                yield candidate

    def _is_flat(self, optimum, k):
        """Whether taking term k to zero would change the last quadratic model of the deviance by
        next to nothing.
        """
        if optimum.quadratic is None:
            return False
        radius, gradient, hessian = optimum.quadratic
        start, stop = list(pairwise(_ends(self.structures)))[k]
        own = slice(start, stop)
        change = radius**2 * (np.abs(gradient[own]).sum() + np.abs(hessian[own, own]).sum())
        return bool(stop > start and change < NEGLIGIBLE_CHANGE)

    def escape(self, optimum):
        """A point beyond a saddle: a direction without variance in which the deviance would fall,
        or None.
        """
        point = list(optimum.point)
        if self.is_far(point):
            return None
        gradient = self.manifold.split(optimum.evaluation.gradient)
        terms = zip(self.structures, self.floors, gradient, strict=True)
        for k, (structure, floor, D) in enumerate(terms):
            bump = descent_at_zero(point[k], D, floor)
            if bump is not None and structure.n_parameters:
                point[k] = structure.start(point[k] + bump, NUDGE * floor)
                return point
        return None


def _is_better(again, optimum):
    """Whether another end of a search is to be preferred: a lower one, if it is one at all."""
    if not np.isfinite(again.evaluation.value):
        return False
    if again.stop == DEGENERATE and optimum.converged:
        return False
    allowed = NEGLIGIBLE_RISE * np.sign(optimum.converged - again.converged + 0.5)
    return again.evaluation.value < optimum.evaluation.value - allowed


def _anywhere(structure, floor, rng):
    """A random member, of a random size."""
    typical = floor / SHRINKAGE_FLOOR
    if starts := structure.starts(typical):
        typical = np.full(len(floor), np.max(starts[rng.integers(len(starts))]))
    size = typical * 10.0 ** rng.uniform(-1.0, 4.0, len(floor))
    root = np.sqrt(size)[:, None] * rng.normal(size=(len(floor), len(floor)))
    return structure.start(root @ root.T, floor)


def _ends(structures):
    """Where the coordinates of each term begin, and where the last ends."""
    return np.cumsum([0] + [structure.n_parameters for structure in structures])


def descent_at_zero(T, D, floor):
    """Small covariance along the null direction of T with the steepest descent of the deviance."""
    scale = np.sqrt(floor)
    units = np.outer(scale, scale)
    values, vectors = np.linalg.eigh(T / np.where(units > 0, units, np.inf))
    null = scale[:, None] * vectors[:, values <= NULL * max(1.0, values[-1])]
    if null.shape[1] == 0:
        return None
    slopes, directions = np.linalg.eigh(null.T @ D @ null)
    if slopes[0] >= -NEGLIGIBLE_DESCENT:
        return None
    direction = null @ directions[:, 0]
    return np.outer(direction, direction)


def flat_terms(manifold, optimum: Optimum) -> list[int]:
    """Terms along whose covariances the deviance does not change."""
    if optimum.quadratic is None:
        return []
    values, vectors = np.linalg.eigh(optimum.quadratic.hessian)
    sizes = np.abs(values)
    flat = sizes <= FLAT * min(max([*sizes.tolist(), TINY]), CURVED)
    if not flat.any():
        return []
    counts = [term.structure.n_parameters for term in manifold.terms]
    owners = np.repeat(np.arange(len(counts)), counts)
    moved = np.any(np.abs(vectors[: len(owners), flat]) > MOVED, axis=1)
    return sorted(set(owners[moved].tolist()))
