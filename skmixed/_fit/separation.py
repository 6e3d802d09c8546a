"""What a likelihood without a maximum would send to infinity."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .._likelihood.start import SAMPLE_ROWS
from .._model.separation import NEGLIGIBLE, separating_direction
from .._search.minimize import DEGENERATE
from .._store.protocol import PerBlock
from .training import Training

SUSPICIOUS = 12.0  # log-odds beyond which separation is looked for
ROUNDS = 20  # of looking for rows that a separating direction predicts wrong
MOST_WRONG = 500  # such rows of a block that are added at a time
DIVERGED = 225.0  # variance of log-odds: those of typical levels differ by a factor of e^15


class Unbounded(NamedTuple):
    """What a likelihood without a maximum would send to infinity.

    Attributes
    ----------
    columns : positions of the fixed effects that separate the outcomes
    homogeneous : factors each of whose levels has one outcome only
    diverged : other factors with a variance beyond belief, or with effects that predict every row
        together with columns that alone do not
    """

    columns: list[int]
    homogeneous: list[int]
    diverged: list[int]


def infinite_in_store(fit, sizes, events) -> Unbounded:
    """The same of rows that are elsewhere, from the observations and the events of every level, per
    factor.
    """
    columns = _separating_columns(fit) if _is_suspicious(fit) else []
    return _unbounded(fit, columns, _homogeneous(fit, sizes, events))


def infinite_in_training(fit, training: Training, sizes, events) -> Unbounded:
    """The same of rows in memory, which are read again where predictions are extreme."""
    columns = []
    if _is_suspicious(fit):
        rows, _ = training.read()
        outcomes = _outcomes(rows.X[:, : training.reader.n_fixed], training.y)
        columns = fit.family.separation(*outcomes, fit.units.has_intercept)
    return _unbounded(fit, columns, _homogeneous(fit, sizes, events))


def infinite_estimates(fit, X, y, codes) -> Unbounded:
    """Look for what has no finite estimate.

    For a separating direction only where predictions are extreme.  ``X`` has the fixed effects
    besides the intercept, y the responses and ``codes`` the levels per factor of all rows.  A row
    with both outcomes counts as one of each.
    """
    intercept = fit.units.has_intercept
    columns = fit.family.separation(*_outcomes(X, y), intercept) if _is_suspicious(fit) else []
    homogeneous = [f for f, c in enumerate(codes) if fit.family.is_homogeneous(c, y, fit.n)]
    return _unbounded(fit, columns, homogeneous)


def _homogeneous(fit, sizes, events):
    """Factors each of whose levels has one outcome only."""
    shares = [e / n for e, n in zip(events, sizes, strict=True)]
    pairs = [(np.arange(len(share)), share) for share in shares]
    return [f for f, (c, y) in enumerate(pairs) if fit.family.is_homogeneous(c, y, fit.n)]


def _is_suspicious(fit):
    """Whether predictions are extreme; with a ridge every direction that separates is penalised."""
    is_extreme = fit.state.sums.reach > SUSPICIOUS or not fit.optimum.converged
    return is_extreme and fit.design.ridge.is_none


def _unbounded(fit, columns, homogeneous):
    is_perfect = fit.optimum.stop == DEGENERATE and not (columns or homogeneous)
    large = _with_variances_above(0.0 if is_perfect else DIVERGED, fit)
    return Unbounded(columns, homogeneous, sorted(large - set(homogeneous)))


def _with_variances_above(least, fit):
    """Factors with such a variance."""
    terms = zip(fit.covariance_model.terms, fit.T, strict=True)
    return {term.factor for term, T in terms if np.max(np.diag(T)) > least}


def _outcomes(X, y):
    """Rows of one outcome each, and which it is."""
    both = np.flatnonzero((y > 0) & (y < 1))
    if not len(both):
        return X, y
    return np.concatenate([X, X[both]]), np.concatenate([np.ceil(y), np.zeros(len(both))])


def _separating_columns(fit):
    """Columns that separate the outcomes of rows in a store.

    Looked for among some rows, to which others are added that a direction of these predicts wrong.
    """
    store = fit.state.objective.store
    has_intercept = fit.units.has_intercept
    kept = fit.units.independent
    mixing = fit.design.frame.mixing[np.ix_(kept, kept)]
    blocks = store.first(SAMPLE_ROWS).blocks
    x = np.vstack([block.x_of(slice(None)) for block in blocks])
    y = np.concatenate([block.y for block in blocks])
    for _ in range(ROUNDS):
        direction = separating_direction(x, y)
        if direction is None:
            return []
        wrong = store.round(wrong_rows, direction).total
        if sum(len(own) for _, own in wrong) == 0:
            break
        x = np.vstack([x, *(rows for rows, _ in wrong)])
        y = np.concatenate([y, *(own for _, own in wrong)])
    candidates = np.linalg.solve(mixing.T, x.T).T[:, int(has_intercept) :]
    found = fit.family.separation(candidates, y, has_intercept)
    return [int(kept[k + has_intercept]) - int(has_intercept) for k in found]


def wrong_rows(block, carried, direction):
    """Rows of a block farthest on the wrong side of a direction, a visit of a round."""
    rows = block.rows
    sides = np.where(rows.y > 0, 1.0, -1.0) * (rows.x @ direction)
    worst = np.argsort(sides)[:MOST_WRONG]
    worst = worst[sides[worst] < -NEGLIGIBLE * np.max(np.abs(sides))]
    return PerBlock([(rows.x_of(worst), rows.y[worst])]), carried
