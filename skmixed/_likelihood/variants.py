"""The deviance of a linear model as a function of what its profiles hold or move.

The covariances are absolute, ``T* = sigma^2 T``, and ``t = log sigma^2`` is a parameter; or one
combination of the fixed effects is known, and the columns and the response are others.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from .._algebra.packed import lower_triangle, pack
from .linear import LinearState, ProfiledDeviance, Unattainable


class WithoutEffects(ProfiledDeviance):
    """The objective of the same fixed effects alone."""

    U = ()

    def __init__(self, objective):
        self.gram = objective.gram
        self.reml = objective.reml
        self.nu = objective.nu
        self.n = objective.n
        self.least_r2 = objective.least_r2


LARGEST_EXPONENT = 60.0  # of sigma^2 in the frame's units
ROUNDED = (
    1e-11  # share of the sum of squares of a fixed effect that must be left for its digits to count
)


def absolute_state(objective, point):
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
        self.inner = LinearState(KnownScale(objective, sigma2), self.relative)
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


class KnownScale(ProfiledDeviance):
    """The deviance at a given residual variance: ``nu log(2 pi sigma^2) + r^2 / sigma^2`` is its
    criterion.
    """

    def __init__(self, objective, sigma2):
        vars(self).update(vars(objective))
        self.sigma2 = sigma2

    def criterion(self, r2):
        return self.nu * np.log(2.0 * np.pi * self.sigma2) + r2 / self.sigma2

    def precision(self, r2):
        return 1.0 / self.sigma2

    def profiled(self, r2):
        return 0.0


class PinnedColumns(ProfiledDeviance):
    """The full likelihood with one combination of the fixed effects known: other columns, another
    response.
    """

    def __init__(self, objective, columns):
        self.plan = objective.plan
        self.reml = 0.0
        self.n = objective.n
        self.nu = objective.n
        self.gram = columns.T @ objective.gram @ columns
        self.U = [np.ascontiguousarray(np.einsum("qcm,cd->qdm", U, columns)) for U in objective.U]
        self.least_r2 = objective.least_r2


def full_likelihood(objective):
    """The objective of the same model by maximum likelihood."""
    return PinnedColumns(objective, np.eye(len(objective.gram)))
