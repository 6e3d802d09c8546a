"""The deviance of a linear model as a function of what its profiles move.

The covariances are absolute, ``T* = sigma^2 T``, and ``t = log sigma^2`` is a parameter.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from .._algebra.packed import lower_triangle, pack
from .linear import LinearState, ProfiledDeviance, Unattainable

LARGEST_EXPONENT = 60.0  # of sigma^2 in the frame's units
ROUNDED = (
    1e-11  # share of a fixed effect's sum of squares that must be left for its digits to count
)


def absolute_state(objective: ProfiledDeviance, point):
    """The linear model of an objective at absolute covariances and ``t = log sigma^2``."""
    *T, (t,) = point
    if not abs(t) < LARGEST_EXPONENT:
        return Unattainable()
    try:
        return AbsoluteState(objective, T, float(np.exp(t)))
    except np.linalg.LinAlgError:
        return Unattainable()


class AbsoluteState:
    """The model at one point.

    Derivatives are those of ``F(T, t)`` by the chain rule along ``T = T* exp(-t)``.
    """

    degenerate = False

    def __init__(self, objective, T, sigma2):
        self.objective = objective
        self.sigma2 = sigma2
        self.relative = [t / sigma2 for t in T]
        self.inner = LinearState(objective.at_scale(sigma2), self.relative)
        left = np.diag(self.inner.fixed.chol) ** 2 / np.diag(objective.gram)[:-1]
        if not np.isfinite(self.value) or np.any(left < ROUNDED):
            raise np.linalg.LinAlgError("the deviance overflows, or is nothing but rounding")

    def at(self, point):
        """The same model at another point."""
        return absolute_state(self.objective, point)

    @property
    def value(self):
        return self.inner.value

    @property
    def exact(self):
        return self.inner.exact or not self.relative

    @property
    def noise(self):
        return self.inner.noise

    @property
    def gradient(self):
        """``dd / dT*_f``, one symmetric matrix per factor."""
        return tuple(D / self.sigma2 for D in self.inner.gradient)

    @cached_property
    def _packed(self):
        """T and ``dF / dT`` in packed coordinates."""
        if not self.relative:
            return np.zeros(0), np.zeros(0)
        T = np.concatenate([t[lower_triangle(len(t))] for t in self.relative])
        return T, pack(self.inner.gradient)

    @property
    def _share(self):
        """``r^2 / sigma^2``."""
        return self.inner.r2 / self.sigma2

    @cached_property
    def slope(self):
        """The gradient in (packed T*, t)."""
        T, F = self._packed
        return np.append(F / self.sigma2, self.inner.objective.nu - self._share - F @ T)

    @cached_property
    def hessian(self):
        """Second derivatives, or the average information, in (packed T*, t)."""
        if not self.relative:
            return np.array([[self._share]])
        T, F = self._packed
        H = self.inner.hessian
        crossed = self.inner.tilt / self.sigma2
        along = (crossed - F - H @ T) / self.sigma2
        last = self._share - 2.0 * crossed @ T + T @ H @ T + F @ T
        return np.block([[H / self.sigma2**2, along[:, None]], [along, np.array([[last]])]])
