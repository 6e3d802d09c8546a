"""The random-intercept model of zeros and ones for one factor, from counts of both per level.

With ``k_j`` ones among ``n_j`` rows, log-odds ``eta_j = beta + b_j`` and ``b_j ~ N(0, v)``, the
Laplace deviance is, at the conditional modes ``b_j = v r_j`` with ``r = k - n p`` and
``a = n p (1 - p)``,

    d(beta, v) = sum_j [ -2 (k eta - n log(1 + e^eta)) + v r^2 + log(1 + v a) ].

Levels with the same rows have the same mode, so that a sum over the different pairs (n, k) is all
there is.  With ``s = 1 / (1 + v a)`` and primes for derivatives of a in eta,

    d_beta = sum -2 r + v a' s^2,              d_v = sum -r^2 + a s + v a' r s^2.
"""

from __future__ import annotations

from functools import cached_property
from typing import NamedTuple

import numpy as np
from scipy.special import expit, logit

from ._one_way import OneWay, known

STARTS = (0.03, 0.3, 1.0, 3.0, 10.0)
HALVINGS = 12
LARGEST = 100.0  # variance of log-odds; what separates levels perfectly has no other end
MODE_STEPS = 60
MODE_TOLERANCE = 1e-12
SEARCH_STEPS = 40
TOLERANCE = 1e-10  # of the decrease that the last step promised
ZERO = 1e-9  # a variance that will not come back


class Outcomes(NamedTuple):
    """Levels with the same rows, counted.

    Attributes
    ----------
    n, k : rows, and ones among them
    number : of levels that have them
    """

    n: np.ndarray
    k: np.ndarray
    number: np.ndarray


class Laplace:
    """Value, gradient and Hessian of the Laplace deviance in (beta, v)."""

    def __init__(self, outcomes, beta, v):
        n, k, self.number = outcomes
        self.beta, self.v = beta, v
        self.b = _modes(n, k, beta, v)
        eta = beta + self.b
        self.p = p = expit(eta)
        self.r = k - n * p
        self.a = n * p * (1.0 - p)
        self.s = 1.0 / (1.0 + v * self.a)
        loglik = k * eta - n * np.logaddexp(0.0, eta)
        value = -2.0 * loglik + v * self.r**2 + np.log1p(v * self.a)
        self.value = float(self.number @ value)

    @cached_property
    def gradient(self):
        v, r, a, s = self.v, self.r, self.a, self.s
        a1 = a * (1.0 - 2.0 * self.p)
        each = [-2.0 * r + v * a1 * s**2, -(r**2) + a * s + v * a1 * r * s**2]
        return np.array([self.number @ g for g in each])

    @cached_property
    def hessian(self):
        v, r, a, s, p = self.v, self.r, self.a, self.s, self.p
        a1 = a * (1.0 - 2.0 * p)
        a2 = a * (1.0 - 6.0 * p * (1.0 - p))
        rise = a + v * a1 * r * s  # of v a along the modes, when v moves
        bb = 2.0 * a * s + v * a2 * s**3 - 2.0 * (v * a1) ** 2 * s**4
        bv = 2.0 * a * r * s + a1 * s**2 + v * a2 * r * s**3 - 2.0 * v * a1 * s**3 * rise
        vv = 2.0 * a * r**2 * s + 2.0 * a1 * r * s**2 - (a + 2.0 * v * a1 * r * s) * s**2 * rise
        vv += v * r * (a2 * r - a * a1) * s**3
        bb, bv, vv = (self.number @ h for h in (bb, bv, vv))
        return np.array([[bb, bv], [bv, vv]])


def _modes(n, k, beta, v):
    """``b = v (k - n p(beta + b))`` by Newton steps between bounds that close in."""
    first = v * (k - n * expit(beta))
    low, high = np.minimum(first, 0.0), np.maximum(first, 0.0)
    b = np.zeros_like(first)
    last = np.full_like(first, np.inf)
    for _ in range(MODE_STEPS):
        p = expit(beta + b)
        f = v * (k - n * p) - b
        low, high = np.where(f >= 0.0, b, low), np.where(f <= 0.0, b, high)
        new = b + f / (1.0 + v * n * p * (1.0 - p))
        small = np.abs(new - b) <= MODE_TOLERANCE * (1.0 + np.abs(b))
        poor = (new < low) | (new > high) | (np.abs(new - b) > 0.5 * last)
        new = np.where(poor & ~small, 0.5 * (low + high), new)
        last, b = np.abs(new - b), new
        if small.all():
            break
    return b


def one_way_logistic(codes: np.ndarray, y: np.ndarray, m: int) -> OneWay:
    """Maximum likelihood by Laplace's approximation for log-odds ``beta + b[codes]``.

    Parameters
    ----------
    codes : (n,) levels of the rows, 0 to m - 1, or -1 for rows that do not count
    y : (n,) zeros and ones
    m : number of levels

    Returns
    -------
    OneWay
        Without effects where the data do not determine their variance: one level, no level with
        two rows, or one outcome only.
    """
    codes, y = known(codes, y)
    n = np.bincount(codes, minlength=m)
    k = np.bincount(codes, weights=y, minlength=m).astype(np.int64)
    total, ones = int(n.sum()), int(k.sum())
    if np.sum(n > 0) < 2 or n.max() < 2 or ones in (0, total):
        share = (ones + 0.5) / (total + 1.0) if ones in (0, total) else ones / total
        return OneWay(float(logit(share)), 0.0, np.zeros(m))
    pairs, place, number = np.unique(n * (total + 1) + k, return_inverse=True, return_counts=True)
    n_k = (x.astype(float) for x in np.divmod(pairs, total + 1))
    outcomes = Outcomes(*n_k, number.astype(float))
    found = _lowest(outcomes, float(logit(ones / total)))
    return OneWay(float(found.beta), float(found.v), np.where(n > 0, found.b[place], 0.0))


def _lowest(outcomes, beta):
    """The lowest of the deviances reached from the best start; a variance may be zero."""
    none = Laplace(outcomes, beta, 0.0)
    starts = [Laplace(outcomes, beta, v) for v in STARTS]
    best = min(starts, key=lambda found: found.value)
    if best.value > none.value and none.gradient[1] >= 0.0:
        return none
    found = _descend(outcomes, best)
    return found if found.v > ZERO and found.value < none.value else none


def _descend(outcomes, found):
    """Damped Newton steps in beta and log v, which has an end."""
    for _ in range(SEARCH_STEPS):
        g = found.gradient * (1.0, found.v)
        H = found.hessian * np.outer((1.0, found.v), (1.0, found.v))
        H[1, 1] += g[1]
        if found.v >= LARGEST and g[1] < 0.0:
            g, H = g * (1.0, 0.0), np.diag([H[0, 0], 1.0])
        values, vectors = np.linalg.eigh(H)
        values = np.maximum(np.abs(values), 1e-10 * np.abs(values).max())
        step = -vectors @ ((vectors.T @ g) / values)
        promised = float(-step @ g)
        new = _next(outcomes, found, step / max(1.0, np.abs(step).max() / 2.0))
        if new is None:
            return found
        found = new
        if promised < TOLERANCE or found.v < ZERO:
            return found
    return found


def _next(outcomes, found, step):
    """The first halving of a step that does not raise the deviance."""
    noise = 1e-13 * abs(found.value)
    for _ in range(HALVINGS):
        new = Laplace(outcomes, found.beta + step[0], min(found.v * np.exp(step[1]), LARGEST))
        if new.value <= found.value + noise:
            return new
        step = step / 2.0
    return None
