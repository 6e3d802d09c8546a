"""Where a profile has risen by enough: Newton's method on the nearly straight ``zeta(phi) =
sqrt(d_p(phi) - d)``.

It converges in two or three steps, each from where the last minimum leads, and is kept within a
bracket.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy import stats

#: distance of zeta from its target that one more Newton step, not evaluated, takes to its square
CLOSE = 5e-3
MAX_POINTS = 60
NARROW = 1e-7
NARROW_FAILURE = 0.1  # bracket as a share of the distance from the estimate; below a failure
LONGEST_STEP = 4.0  # factor by which the distance from the estimate may grow in one step
FARTHEST = 1e4  # times the first step, where a profile that has not risen by enough never will
FAR = 1e2
FLAT = 0.1  # share of its target below which a zeta at FAR times the first step never gets there
MAX_FAILURES = 4  # attempts to come closer to values without a constrained minimum


@dataclass(frozen=True)
class Limits:
    """Limits in the coordinate, NaN where the search was given up, and the lowest deviance met on
    the way to them.
    """

    low: float
    high: float
    lowest: float


def limits(path, deviance, level, max_evaluations):
    """Both limits of the coordinate of a path; a function makes one for each side from the deviance
    to be reached.

    A side takes no more than about ``max_evaluations`` of the deviance.
    """
    target = stats.norm.ppf(0.5 + level / 2.0)
    found = []
    lowest = np.inf
    for side in (-1, 1):
        crossing = Crossing(path(deviance + target**2), deviance, target, side, max_evaluations)
        found.append(crossing.limit())
        lowest = min(lowest, crossing.lowest)
    return Limits(*found, lowest)


def _first(path, side, target):
    """First guess: the quadratic one, bent to stay in the range.

    A standard deviation grows on its log scale.
    """
    step = side * target * path.unit
    room = (path.high if side > 0 else path.low) - path.phi
    if np.isfinite(room):
        bends = path.low < 0 or abs(step) < abs(room)
        return path.phi + room * np.tanh(step / room) if bends else path.low
    if path.low == 0.0 and path.phi > 0:
        return path.phi * np.exp(min(step / path.phi, 1.5))
    return path.phi + step


class Bracket(NamedTuple):
    """What is known of the place of a crossing.

    ``outside`` is the end of the range until a value beyond the crossing was met, at which there
    may be no minimum.
    """

    estimate: float
    inside: float
    outside: float
    is_closed: bool = False
    is_failure: bool = False
    failures: int = 0

    def narrowed(self, phi, gap):
        """With a value whose zeta is that far from its target."""
        if gap < 0:
            return self._replace(inside=phi)
        failed = bool(np.isposinf(gap))
        return self._replace(
            outside=phi, is_closed=True, is_failure=failed, failures=self.failures + failed
        )

    @property
    def is_narrow(self):
        width = NARROW_FAILURE if self.is_failure else NARROW
        distance = abs(self.outside - self.estimate)
        return self.is_closed and abs(self.outside - self.inside) < width * distance

    def next(self, phi, newton):
        """Newton's step from phi, unless it leaves the bracket or is too long."""
        if self.is_closed:
            is_inside = _is_between(newton, self.inside, self.outside)
            return newton if is_inside else (self.inside + self.outside) / 2
        farthest = self.estimate + LONGEST_STEP * (phi - self.estimate)
        return newton if _is_between(newton, phi, farthest) else farthest


class Crossing:
    """Where zeta reaches its target on one side of the estimate."""

    def __init__(self, path, deviance, target, side, max_evaluations):
        self.path = path
        self.deviance = deviance
        self.target = target
        self.side = side
        self.max_evaluations = max_evaluations
        self.end = path.high if side > 0 else path.low
        self.lowest = np.inf

    def limit(self):
        """Where it is, NaN where the numbers on the way are not finite or the evaluations are used
        up.
        """
        if self.path.phi == self.end:
            return self.end
        try:
            return self.find(_first(self.path, self.side, self.target))
        except np.linalg.LinAlgError:
            return np.nan

    def find(self, first):
        """The value of the coordinate; the end of its range where the target is not reached."""
        estimate = self.path.phi
        phi = first
        bracket = Bracket(estimate, estimate, self.end)
        step = abs(first - estimate)
        for _ in range(MAX_POINTS):
            phi = self.end if self.side * (phi - self.end) >= 0 else phi
            gap, newton = self._evaluate(phi)
            if abs(gap) < CLOSE:
                return newton if _is_between(newton, estimate, self.end) else phi
            if self._is_low(phi, gap, step) or bracket.failures > MAX_FAILURES:
                return self.end
            if self.path.n_evaluations > self.max_evaluations:
                return np.nan
            bracket = bracket.narrowed(phi, gap)
            if bracket.is_narrow:
                break
            phi = bracket.next(phi, newton)
        return self.end if bracket.is_failure else bracket.outside

    def _is_low(self, phi, gap, step):
        """Whether the target is not reached anywhere, by a value as far out as this."""
        distance = abs(phi - self.path.phi)
        is_flat = gap < (FLAT - 1.0) * self.target
        return gap < 0 and (phi == self.end or distance > (FAR if is_flat else FARTHEST) * step)

    def _evaluate(self, phi):
        """Distance of zeta from its target, and where Newton's method goes from here."""
        value, slope = self.path(phi)
        self.lowest = min(self.lowest, value)
        zeta = np.sqrt(max(value - self.deviance, 0.0))
        gap = zeta - self.target
        rate = slope / (2.0 * zeta) if zeta > 0 else 0.0
        return gap, phi - gap / rate if rate * self.side > 0 and np.isfinite(gap) else np.nan


def _is_between(phi, one, other):
    return min(one, other) < phi < max(one, other)
