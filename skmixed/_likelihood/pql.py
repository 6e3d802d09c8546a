"""Starting values of a generalised linear mixed model by penalised quasi-likelihood.

Around the current eta the rows look like those of a linear mixed model with response
``eta + r / w``, weights w and sigma^2 = 1 (Breslow and Clayton 1993).  A few rounds of that, each
with a Newton step on T from the same cross-products and the same factorisation as a linear model,
end near the maximum of the likelihood: the variances are biased towards zero, which a start may be.
"""

from __future__ import annotations

import numpy as np

from .._model.covariances import Covariances
from .._search.boundary import NothingAttainable
from .._search.start import moment_start, typical_floors
from .._search.ways import way_of
from .glmm import GlmmDeviance
from .rounds import near_modes
from .working import working_deviance

ROUNDS = 3
STEPS = 1  # Newton steps on T per round
CLOSE_ENOUGH = 1e-2  # predicted decrease of the working deviance
LARGEST_START = 25.0  # variance, on the scale of the linear predictor
LARGEST_PREDICTOR = 20.0


def pql_start(objective: GlmmDeviance, covariances: Covariances):
    """A point near the optimum away from the boundary, from where the modes there are searched for,
    and the floors of T.
    """
    blocks = objective.store.blocks
    eta = (objective.family.start(block.y) for block in blocks)
    last = None
    for _ in range(ROUNDS):
        working = working_deviance(objective, eta)
        start = _start(working, covariances, last)
        minimize = way_of(working.plan).minimize
        found = minimize(working, covariances, start, tol=CLOSE_ENOUGH, max_iter=STEPS)
        if not found.evaluation.attainable:
            break
        last = found
        eta = _predictors(found.evaluation, blocks)
    if last is None:
        raise NothingAttainable
    state = last.evaluation
    near = near_modes(objective.store, _by_block(state.scores, blocks))
    point = [*_start(working, covariances, last), state.fixed.beta]
    return point, near, typical_floors(working.plan)


def _start(working, covariances, last):
    """The point of the last round, or else the moment estimates, away from the boundary on both
    sides.
    """
    if last is None:
        point = moment_start(working, covariances)
    else:
        floors = typical_floors(working.plan)
        point = covariances.start(covariances.assemble(last.point), floors)
    return [bounded(T) for T in point]


def _predictors(state, blocks):
    """The linear predictor of every block, within reason, one after the other."""
    for block, b in zip(blocks, _by_block(state.effects, blocks), strict=True):
        eta = block.predictor(state.fixed.beta, b)
        yield np.clip(eta, -LARGEST_PREDICTOR, LARGEST_PREDICTOR, out=eta)


def bounded(T):
    """A matrix scaled down to the largest variance a search may start with."""
    return T * min(1.0, LARGEST_START / max(np.max(np.diag(T)), np.finfo(float).tiny))


def _by_block(effects, blocks):
    """Effects (q_f, m_f) per factor, cut to the levels of every block."""
    if len(blocks) == 1:
        return [effects]
    return [[b[:, own] for b, own in zip(effects, block.levels, strict=True)] for block in blocks]
