"""The search for an optimum of the covariances: zeros are made exact and saddles left.

The minimiser of :mod:`skmixed._optimize` stops where nothing is to be gained nearby.  On the
boundary of the covariances two things remain: a variance that is zero but for rounding becomes
exactly zero, and where the deviance would fall along a variance that is zero now, the search goes
on from beyond it.

A point is the list of the terms' matrices; other parameters may follow, and stay as they are.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .minimize import minimize
from .start import SHRINKAGE_FLOOR

SNAP = (1e-3, 1e-8)  # pivots below this share of a typical one are tried at exactly zero
MAX_RESTARTS = 3  # attempts to leave a saddle
NEGLIGIBLE_RISE = 1e-8  # rise of the deviance that an exact zero may cost
LARGE = 10.0  # of a second start, in units of one over the information of a typical level
FLAT = 1e-6  # curvature below this share of the largest is none


class NothingAttainable(ArithmeticError):
    """The deviance is infinite at every start."""


def search(objective, model, start, floors, **options):
    """The optimum from ``start``.

    ``floors`` are the variances, per factor and effect, that count as close to zero.
    """

    def minimum_from(point):
        return minimize(objective, model, point, **options)

    optimum = _settled(minimum_from, model, _first_minimum(minimum_from, model, start), floors)
    if not optimum.converged or _is_interior(model, optimum.point):
        return optimum
    return _or_beyond(optimum, minimum_from, model, floors)


def _or_beyond(optimum, minimum_from, model, floors):
    """The lower of the minimum found and the one from large variances, if that is one."""
    again = minimum_from(_large(model, optimum, floors))
    if np.isfinite(again.evaluation.value):
        again = _settled(minimum_from, model, again, floors)
    evaluations = optimum.n_evaluations + again.n_evaluations
    is_lower = (
        again.converged and again.evaluation.value < optimum.evaluation.value - NEGLIGIBLE_RISE
    )
    return replace(again if is_lower else optimum, n_evaluations=evaluations)


def _settled(minimum_from, model, optimum, floors):
    """The minimum with zeros made exact and saddles left."""
    for _ in range(MAX_RESTARTS):
        optimum = _snapped(model, optimum, floors)
        escape = _escape(model, optimum, floors)
        if escape is None or not optimum.converged:
            return optimum
        again = minimum_from(escape)
        if again.evaluation.value > optimum.evaluation.value - NEGLIGIBLE_RISE:
            return optimum
        optimum = again
    return optimum


def _large(model, optimum, floors):
    """A second start with large variances: with few rows a deviance can have a lower minimum far
    from zero.
    """
    terms = len(model.blocks)
    large = [
        b.structure.start(
            np.diag(LARGE / SHRINKAGE_FLOOR * floors[b.factor][b.window]),
            floors[b.factor][b.window],
        )
        for b in model.blocks
    ]
    return large + list(optimum.point[terms:])


def _is_interior(model, point):
    """Whether no variance is zero and no correlation one, of the terms that have any."""
    blocks = zip(model.blocks, point, strict=False)
    return all(block.structure.is_interior(T) for block, T in blocks if len(block.structure.basis))


def _first_minimum(minimum_from, model, start):
    """From the given start, or from no variance at all where that is out of reach."""
    terms = len(model.blocks)
    for point in (start, [np.zeros_like(T) for T in start[:terms]] + start[terms:]):
        optimum = minimum_from(point)
        if np.isfinite(optimum.evaluation.value):
            return optimum
    raise NothingAttainable


def _snapped(model, optimum, floors):
    """Move variances that are zero but for rounding to exactly zero, where the deviance allows
    it."""
    point = list(optimum.point)
    current = optimum.evaluation
    evaluations = 0
    for k, block in enumerate(model.blocks):
        typical = np.max(floors[block.factor][block.window], initial=0.0) / SHRINKAGE_FLOOR
        for candidate in _candidates(block, point[k], typical, _is_flat(model, optimum, k)):
            trial_point = point[:k] + [candidate] + point[k + 1 :]
            trial = current.at(model.assemble(trial_point))
            evaluations += 1
            if trial.value <= current.value + NEGLIGIBLE_RISE + current.noise:
                point = trial_point
                current = trial
                break
    return replace(
        optimum, point=point, evaluation=current, n_evaluations=optimum.n_evaluations + evaluations
    )


def _candidates(block, T, typical, is_flat):
    """Simpler covariances of one term worth trying: all zero if the likelihood is flat, else small
    pivots at zero.
    """
    if not np.any(T):
        return
    if is_flat:
        yield np.zeros_like(T)
    for share in SNAP:
        candidate = block.structure.snapped(T, share * max(typical, np.max(np.diag(T))))
        if not np.allclose(candidate, T, rtol=1e-14, atol=0.0):
            yield candidate


def _is_flat(model, optimum, k):
    """Whether taking term k to zero would change the last quadratic model of the deviance by next
    to nothing.
    """
    if optimum.model is None:
        return False
    radius, gradient, hessian = optimum.model
    counts = [len(b.structure.basis) for b in model.blocks]
    own = slice(sum(counts[:k]), sum(counts[: k + 1]))
    change = radius**2 * (np.abs(gradient[own]).sum() + np.abs(hessian[own, own]).sum())
    return bool(counts[k] and change < 1e-6)


def _escape(model, optimum, floors):
    """A point beyond a saddle: a direction without variance in which the deviance would fall, or
    None.
    """
    point = list(optimum.point)
    if _is_interior(model, point):
        return None
    for k, (block, D) in enumerate(
        zip(model.blocks, model.split(optimum.evaluation.gradient), strict=True)
    ):
        bump = _descent_at_zero(point[k], D, floors[block.factor][block.window])
        if bump is not None and len(block.structure.basis):
            point[k] = block.structure.start(
                point[k] + bump, 1e-3 * floors[block.factor][block.window]
            )
            return point
    return None


def _descent_at_zero(T, D, floor):
    """Small covariance along the null direction of T with the steepest descent of the deviance."""
    scale = np.sqrt(floor)
    values, vectors = np.linalg.eigh(
        T / np.where(np.outer(scale, scale) > 0, np.outer(scale, scale), np.inf)
    )
    null = scale[:, None] * vectors[:, values <= 1e-12 * max(1.0, values[-1])]
    if null.shape[1] == 0:
        return None
    slopes, directions = np.linalg.eigh(null.T @ D @ null)
    if slopes[0] >= -1e-5:
        return None
    direction = null @ directions[:, 0]
    return np.outer(direction, direction)


def flat_terms(model, optimum):
    """Terms along whose covariances the deviance does not change."""
    if optimum.model is None:
        return []
    _, _, hessian = optimum.model
    owners = np.array([k for k, b in enumerate(model.blocks) for _ in b.structure.basis], dtype=int)
    values, vectors = np.linalg.eigh(hessian)
    flat = np.abs(values) <= FLAT * np.max(np.abs(values), initial=np.finfo(float).tiny)
    moved = np.any(np.abs(vectors[: len(owners), flat]) > 0.1, axis=1)
    return sorted(set(owners[moved].tolist()))
