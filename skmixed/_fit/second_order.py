"""What the estimated covariances add to the errors of a linear model's predictions.

Henderson's variance ``m = sigma^2 v(T)`` of the error of ``tau = x'beta + z'b`` is for known
covariances.  With independent directions ``d_j`` in which these may be wrong, each by one standard
error, estimates move by

    db = (I - T Z'P Z) E g,      dbeta = -C X'V^-1 Z E g,      g = Z'V^-1 (y - X beta)

along ``E = d_j``, which adds ``sum_j (dtau / d_j)^2`` (Kackar and Harville 1984; realised, as in
Booth and Hobert 1998).  And m at the estimates is too small on average: v is concave, so that it
lacks

    -sigma^2 / 2 sum_j d^2 v / d_j^2  =  E sum_j (dtau / d_j)^2

(Prasad and Rao 1990).  Derivatives of v are differences of Henderson's variances at moved
covariances, away from singular ones by a little.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from .._algebra.roots import pivoted_root
from .._search.start import typical_floors
from .information import expected_information
from .uncertainty import error_variances

LIFT = 1e-2  # of the variances that count as close to zero: how far from singular ones
LONGEST_STEP = 0.02  # standard errors
LARGEST_SHARE = 0.1  # of the way to a singular covariance


class Moments(NamedTuple):
    """Of the errors of predictions, per row.

    Attributes
    ----------
    missing : what Henderson's variance lacks on average
    spread : standard deviation of Henderson's variance
    """

    missing: np.ndarray
    spread: np.ndarray


@dataclass(frozen=True, eq=False)
class Directions:
    """Independent directions in which the covariances may be wrong, each by a standard error.

    Attributes
    ----------
    changes : per direction one matrix per term
    of_sigma : what sigma moves along with each
    own_of_sigma : standard error of sigma when the covariances are known
    """

    changes: list[list[np.ndarray]]
    of_sigma: np.ndarray
    own_of_sigma: float


def directions(fit) -> Directions:
    """From the observed information; the expected one where a covariance is singular."""
    information = fit.information
    is_known = information is not None and (all(_inside(fit)) or fit.solver == "iterative")
    if not is_known:
        information = expected_information(fit, _tangents(fit))
    values, vectors = np.linalg.eigh(information.of_covariances)
    roots = np.sqrt(np.maximum(values, 0.0))
    kept = roots > 0
    L = (vectors * roots)[:, kept]
    k = information.n_parameters
    mixed = information.of_variances[:k, k]
    of_sigma = vectors[:, kept].T @ mixed / roots[kept]
    rest = information.of_variances[k, k] - of_sigma @ of_sigma
    changes = [_combined(fit, information.parameters, column) for column in L.T]
    return Directions(changes, of_sigma, np.sqrt(max(rest, 0.0)))


def _inside(fit):
    """Whether the terms that have parameters are inside their cones."""
    terms = zip(fit.covariance_model.terms, fit.interior, strict=True)
    return [inside for term, inside in terms if term.structure.n_parameters]


def _tangents(fit):
    terms = enumerate(zip(fit.covariance_model.terms, lifted(fit), strict=True))
    return [(k, matrix) for k, (term, T) in terms for matrix in term.structure.tangent(T)]


def lifted(fit):
    """The relative covariances, a little away from singular ones."""
    model = fit.covariance_model
    floors = [LIFT * floor for floor in typical_floors(fit.objective.plan)]
    least = model.start(model.assemble([np.zeros_like(T) for T in fit.T]), floors)
    return [T + lift for T, lift in zip(fit.T, least, strict=True)]


def _combined(fit, parameters, weights):
    """Changes of the terms in one direction."""
    changes = [np.zeros_like(T) for T in fit.T]
    for (k, matrix), weight in zip(parameters, weights, strict=True):
        changes[k] = changes[k] + weight * matrix
    return changes


@dataclass(frozen=True, eq=False)
class SecondOrder:
    """The second-order terms of one fit, for any rows."""

    fit: object

    @cached_property
    def directions(self) -> Directions:
        """In which the covariances may be wrong."""
        is_unknown = self.fit.solver == "iterative" and self.fit.information is None
        if is_unknown or not self.fit.is_identified:
            return Directions([], np.zeros(0), 0.0)
        return directions(self.fit)

    @cached_property
    def _shifts(self):
        """How effects, per factor (q, k, m), and coefficients, (p, k), move along k directions."""
        state = self.fit.state
        changes = map(self.fit.covariance_model.assemble, self.directions.changes)
        E = [np.array(own) for own in zip(*changes, strict=True)]
        H = [np.einsum("krc,cm->rkm", e, g) for e, g in zip(E, state.scores, strict=True)]
        taken = state.elimination.solve(state.objective.plan.multiply(H))[0]
        beta = self._beta_shift(H)
        through = [np.einsum("qpm,pk->qkm", B[:, :-1], beta) for B in state.B]
        parts = zip(H, taken, through, strict=True)
        return [h - own - beta_s for h, own, beta_s in parts], beta

    def _beta_shift(self, H):
        """How coefficients move along the directions, (p, k), from the working variates ``E g``."""
        state = self.fit.state
        parts = zip(state.F, H, strict=True)
        coupled = sum(np.einsum("qpm,qkm->pk", F[:, :-1], h) for F, h in parts)
        return -state.fixed.covariance @ coupled

    def shifted(self, x, z, codes):
        """Variance of the predictions of rows for want of the covariances; none without known
        levels.
        """
        known = np.any([np.zeros(len(x), dtype=bool), *(code >= 0 for code in codes)], axis=0)
        if not self.directions.changes or not np.any(known):
            return np.zeros(len(x))
        effects, beta = self._shifts
        moves = x @ beta
        for shift, v, code in zip(effects, z, codes, strict=True):
            moves += np.einsum("nq,qkn->nk", v * (code >= 0)[:, None], shift[:, :, code])
        return np.where(known, np.sum(moves**2, axis=1), 0.0)

    @cached_property
    def _base(self):
        return self._state(lifted(self.fit))

    @cached_property
    def _moved(self):
        """Per direction the length of a step, the model after one either way, and how sigma moves.

        Directions whose length is rounding, because the rows hardly know them, may lead out of all
        bounds: they say nothing.
        """
        base = lifted(self.fit)
        found = []
        for change, of_sigma in zip(self.directions.changes, self.directions.of_sigma, strict=True):
            h = min(LONGEST_STEP, LARGEST_SHARE * _reach(base, change))
            up, down = (
                self._state([T + s * d for T, d in zip(base, change, strict=True)]) for s in (h, -h)
            )
            if up.attainable and down.attainable:
                found.append((h, up, down, of_sigma))
        return found

    def _state(self, T):
        return self.fit.at(T)

    def moments(self, rows, variances, prior) -> Moments:
        """Of rows (x, z, codes) with their ``variances`` in units of sigma^2."""
        sigma2 = self.fit.scale
        along_sigma = 2.0 * np.sqrt(sigma2) * variances
        missing = np.zeros(len(variances))
        spread = np.abs(along_sigma * self.directions.own_of_sigma)
        if self._moved:
            middle = error_variances(self._base, *rows, prior=prior)
        for h, *ends, of_sigma in self._moved:
            up, down = (error_variances(end, *rows, prior=prior) for end in ends)
            missing += np.maximum(middle - (up + down) / 2.0, 0.0) / h**2
            moved = sigma2 * (up - down) / (2.0 * h) + of_sigma * along_sigma
            spread = np.hypot(spread, moved)
        return Moments(sigma2 * missing, spread)


def _reach(base, change):
    """How far the covariances can move along a direction before one is singular."""
    largest = 0.0
    for T, d in zip(base, change, strict=True):
        if np.any(d):
            inverse = np.linalg.pinv(pivoted_root(T)[0])
            largest = max(largest, np.max(np.abs(np.linalg.eigvalsh(inverse @ d @ inverse.T))))
    return 1.0 / max(largest, np.finfo(float).tiny)
