"""Where the search of a generalised linear mixed model begins."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np

from .._model.covariances import Covariances, Parameters
from .._search.boundary import NothingAttainable, search
from .._search.start import SHRINKAGE_FLOOR
from .glmm import GlmmDeviance
from .moments import moment_point
from .pql import pql_start
from .regression import regression_start
from .sweep import is_swept

SAMPLE_ROWS = 1 << 17  # in which a start for rows that are elsewhere is searched for
SAMPLE_TOL = 1e-3  # of that search, far below what the other rows will change
CURVATURE = 0.25  # of a row, where nothing is known of it


def first_start(objective: GlmmDeviance, covariances: Covariances):
    """The start of a search in rows that are here, as :func:`start_of`."""
    return _cheapest(objective)(objective, covariances)


def _cheapest(objective):
    """The way to a start that costs least beside an evaluation: without factorisations where these
    are what takes the time, by one regression where evaluations take little.
    """
    if not objective.store.facts.is_separable:
        return moment_point if objective.solver == "exact" else pql_start
    is_cheap = all(is_swept(block, objective.family) for block in objective.store.blocks)
    return regression_start if is_cheap else pql_start


def start_of(objective: GlmmDeviance, parameters: Parameters, max_iter: int):
    """A point near the optimum away from the boundary, from where the modes there are searched for,
    and the floors of T.

    Of rows that are elsewhere: the optimum of the first blocks, whose levels are a sample.
    """
    covariances = parameters.covariances
    if objective.store.holds_rows:
        return first_start(objective, covariances)
    some = replace(objective, store=objective.store.first(SAMPLE_ROWS))
    try:
        start, near, floors = first_start(some, covariances)
        there = search(
            partial(some, near=near),
            parameters,
            start,
            floors,
            secants=True,
            tol=SAMPLE_TOL,
            max_iter=max_iter,
        )
    except NothingAttainable:
        return _from_nothing(objective, parameters)
    if there.converged:
        *T, beta = there.point
        start = [*covariances.start(covariances.assemble(T), floors), beta]
    return start, None, floors


def _from_nothing(objective, parameters):
    """Small variances and no coefficients."""
    covariances = parameters.covariances
    counted = zip(covariances.sizes, objective.levels, strict=True)
    floors = [np.full(q, SHRINKAGE_FLOOR * m / (CURVATURE * objective.n)) for q, m in counted]
    nothing = [np.zeros((q, q)) for q in covariances.sizes]
    return [*covariances.start(nothing, floors), np.zeros(parameters.n_fixed)], None, floors
