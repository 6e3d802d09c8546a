"""What a likelihood without a maximum would send to infinity."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .._likelihood.start import SAMPLE_ROWS
from .._search.minimize import DEGENERATE

SUSPICIOUS = 12.0  # log-odds beyond which separation is looked for
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

    Columns that separate the outcomes are looked for where no more rows are there than a start is
    searched for in.
    """
    columns = []
    if _is_suspicious(fit):
        some = fit.state.objective.store.first(SAMPLE_ROWS)
        if some.facts.n == fit.n:
            X = np.vstack([block.x[:, int(fit.units.has_intercept) :] for block in some.blocks])
            y = np.concatenate([block.y for block in some.blocks])
            kept = fit.units.independent[int(fit.units.has_intercept) :]
            found = fit.family.separation(*_outcomes(X, y), fit.units.has_intercept)
            columns = [int(kept[k]) - int(fit.units.has_intercept) for k in found]
    shares = [e / n for e, n in zip(events, sizes, strict=True)]
    levels = [np.arange(len(share)) for share in shares]
    pairs = enumerate(zip(levels, shares, strict=True))
    homogeneous = [f for f, (c, y) in pairs if fit.family.is_homogeneous(c, y, fit.n)]
    return _unbounded(fit, columns, homogeneous)


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
