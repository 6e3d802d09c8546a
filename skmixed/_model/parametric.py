"""Covariance structures in parameters of their own.

``T(x)`` is a smooth function of a few numbers x, the first of which is the standard deviation that
all effects have: ``T(x) = x_1^2 R(x_2, ...)`` with a correlation matrix R.  A new structure of this
kind says what T and its derivatives are, and which x a matrix has.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import NamedTuple

import numpy as np

from .charts import Chart
from .coordinates import Coordinates, squared
from .structures import (
    INTERIOR,
    LARGEST_LIFT,
    Cone,
    Structure,
    commonly_scaled,
    distinct_scales,
)


class Place(NamedTuple):
    """T at some parameters, with its first and second derivatives in them.

    Attributes
    ----------
    T : (q, q)
    first, second : (k, q, q) and (k, k, q, q)
    """

    T: np.ndarray
    first: np.ndarray
    second: np.ndarray


class Parametric(Structure):
    """A family ``T(x) = x_1^2 R(x_2, ...)``."""

    standardise = staticmethod(commonly_scaled)

    @abstractmethod
    def at(self, x: np.ndarray) -> Place:
        """The member at some parameters."""

    @abstractmethod
    def parameters_of(self, T: np.ndarray) -> np.ndarray:
        """The parameters of a member; any correlations where it has no variance."""

    def chart(self, T):
        x = self.parameters_of(T)
        place = self.at(x)
        return Chart(
            derivatives=place.first,
            second=lambda D: np.einsum("abij,ij->ab", place.second, D),
            move=lambda step: self.at(x + step).T,
            radius=float(np.linalg.norm(x)),
        )

    def start(self, S, floor):
        """With the correlations of ``S``, as far as the family has them."""
        least = np.mean(floor)
        x = self.parameters_of(S)
        x[0] = np.sqrt(np.clip(np.mean(np.diag(S)), least, LARGEST_LIFT * least))
        return self.at(x).T

    def starts(self, typical):
        sizes = [np.full(self.size, scale) for scale in distinct_scales(typical)]
        return [self.start(np.diag(size), size) for size in sizes]

    def snapped(self, T, least):
        return T if np.mean(np.diag(T)) >= least else np.zeros_like(T)

    def is_interior(self, T):
        values = np.linalg.eigvalsh(T)
        return bool(values[0] > INTERIOR * values[-1])

    def cone_at(self, span):
        """At zero only the variance may move: no correlation is known there."""
        if np.any(span):
            return Cone(self.chart(span).derivatives, [])
        return Cone(self.hull[:0], [(1, np.eye(self.size)[None])])

    def coordinates(self, kind, rows, row, col):
        return (StandardDeviationFirst(self), ()) if kind == "variance" else None


class StandardDeviationFirst(Coordinates):
    """The parameters of a family, the common standard deviation being profiled."""

    low = 0.0
    high = np.inf
    parameter = staticmethod(squared)

    def __init__(self, family: Parametric):
        self.family = family
        self.size = family.size

    def opened(self, T, floor):
        return T

    def lifted(self, state, floor):
        return state

    def state(self, T):
        return self.family.parameters_of(T)

    def value(self, state):
        return float(state[0])

    def matrix(self, state):
        return self.family.at(state).T

    def chart(self, state):
        place = self.family.at(state)
        return Chart(
            derivatives=place.first,
            second=lambda D: np.einsum("abij,ij->ab", place.second, D),
            move=lambda step: state + step,
            radius=float(np.linalg.norm(state)),
        )
