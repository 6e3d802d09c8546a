"""The random-intercept model of one factor and nothing else, from counts and sums per level.

With ``y_ij = mu + b_j + e_ij``, ``Var(b) = rho sigma^2`` and ``w_j = n_j / (1 + n_j rho)`` the
profiled restricted deviance needs the counts n_j, the means m_j and the sum of squares S within
levels only,

    d(rho) = sum_j log(1 + n_j rho) + log(sum_j w_j) + (N - 1) log R,
    R = S + sum_j w_j (m_j - mu)^2,      mu = sum_j w_j m_j / sum_j w_j,

and its slope, mu being at its optimum, is

    sum_j w_j - sum_j w_j^2 / sum_j w_j - (N - 1) sum_j w_j^2 (m_j - mu)^2 / R.

The conditional modes are ``b_j = rho w_j (m_j - mu)``.  Levels with the same count enter through
how many they are, and the mean and the squares of their means.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq

GRID = 1.0 - np.geomspace(1.0, 1e-8, 33)[:-1]  # shares of the variance of a level's mean
REFINED = 9
ROUNDS = 4
NOTHING = 1e-14  # a share of the sum of squares that is rounding


class OneWay(NamedTuple):
    """What a factor does to a response.

    Attributes
    ----------
    intercept : of a level without an effect: a mean, or log-odds
    variance : of the effects
    effects : (m,) conditional modes; zero for levels without rows
    """

    intercept: float
    variance: float
    effects: np.ndarray


def known(codes: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows whose code is not negative."""
    if codes.min(initial=0) >= 0:
        return codes, y
    counts = codes >= 0
    return codes[counts], y[counts]


class Levels(NamedTuple):
    """Counts and means of the levels of a factor.

    Attributes
    ----------
    counts, means : (m,) of the rows of a level; the mean of no rows is zero
    within : sum of squares around these means
    """

    counts: np.ndarray
    means: np.ndarray
    within: float

    @classmethod
    def of(cls, codes, y, m):
        """Of rows with these codes."""
        counts = np.bincount(codes, minlength=m).astype(float)
        means = np.bincount(codes, weights=y, minlength=m) / np.maximum(counts, 1.0)
        residuals = y - means[codes]
        return cls(counts, means, float(residuals @ residuals))


class Restricted:
    """The restricted deviance as a function of rho; many values at once."""

    def __init__(self, levels):
        seen = levels.counts > 0
        n, place = np.unique(levels.counts[seen], return_inverse=True)
        self.n = n
        self.number = np.bincount(place).astype(float)
        self.mean = np.bincount(place, weights=levels.means[seen]) / self.number
        spread = (levels.means[seen] - self.mean[place]) ** 2
        self.squares = np.bincount(place, weights=spread)  # of the means, around their mean
        self.within = levels.within
        self.df = float(n @ self.number) - 1.0

    def at(self, rho):
        """Deviances and slopes."""
        rho = np.asarray(rho, dtype=float)[..., None]
        w = self.n / (1.0 + rho * self.n)
        total = w @ self.number
        mu = (w @ (self.number * self.mean)) / total
        squares = self.squares + self.number * (self.mean - mu[..., None]) ** 2
        R = self.within + np.sum(w * squares, axis=-1)
        value = np.log1p(rho * self.n) @ self.number + np.log(total) + self.df * np.log(R)
        w2 = w**2
        slope = total - (w2 @ self.number) / total - self.df * np.sum(w2 * squares, axis=-1) / R
        return value, slope

    def slope(self, rho):
        """At one value."""
        return float(self.at(rho)[1])


def one_way_linear(codes: np.ndarray, y: np.ndarray, m: int) -> OneWay:
    """Restricted maximum likelihood for ``y = mu + b[codes] + e``.

    Parameters
    ----------
    codes : (n,) levels of the rows, 0 to m - 1, or -1 for rows that do not count
    y : (n,)
    m : number of levels

    Returns
    -------
    OneWay
        Without effects where the data do not determine their variance: one level, or no level with
        two rows.
    """
    codes, y = known(codes, y)
    origin = float(np.mean(y)) if len(y) else 0.0
    levels = Levels.of(codes, y - origin, m)
    seen = levels.counts > 0
    N = float(levels.counts.sum())
    between = float(levels.counts @ levels.means**2)
    if seen.sum() < 2 or seen.sum() >= N or between <= (NOTHING * origin) ** 2 * N:
        return OneWay(origin, 0.0, np.zeros(m))
    if levels.within <= NOTHING * between:  # rho is infinite
        mu = float(levels.means[seen].mean())
        effects = np.where(seen, levels.means - mu, 0.0)
        return OneWay(origin + mu, float(np.var(levels.means[seen], ddof=1)), effects)
    return _found(levels, origin, N)


def _found(levels, origin, N):
    objective = Restricted(levels)
    rho = _lowest(objective, N / len(levels.counts))
    w = levels.counts / (1.0 + rho * levels.counts)
    mu = float(w @ levels.means / w.sum())
    effects = rho * w * (levels.means - mu)
    R = levels.within + float(w @ (levels.means - mu) ** 2)
    return OneWay(origin + mu, rho * R / objective.df, effects)


def _lowest(objective, size):
    """The rho of the lowest deviance: the best of a grid, then the zero of the slope beside it."""
    grid = GRID / (1.0 - GRID) / size
    for _ in range(ROUNDS):
        value, slope = objective.at(grid)
        k = int(np.argmin(value))
        if k == 0 and slope[0] >= 0.0:
            return float(grid[0])
        low, high = (k, k + 1) if slope[k] < 0.0 else (k - 1, k)
        if high == len(grid):
            return float(grid[-1])
        if slope[low] < 0.0 < slope[high]:
            return brentq(objective.slope, grid[low], grid[high], xtol=1e-300)
        grid = np.linspace(grid[low], grid[high], REFINED)
    return float(grid[k])
