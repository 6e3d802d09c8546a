"""Coordinates of a covariance in which one parameter is a coordinate, so that it can be held while
the others move.

An unstructured covariance is ``T = G L L' G'`` with L lower block triangular.  Its head is a root
of the covariance of the one or two effects concerned, the rows below are free.  For one standard
deviation s it is ``(s)``; for a correlation r, or a covariance c,

    ( s1    0               )          ( s1      0 )
    ( s2 r  s2 sqrt(1 - r^2) )    or   ( c / s1  d ).

Structures with few variances, ``T = sum_k v_k P_k`` with projections P_k, have coordinates of these
variances.  As in the charts of a structure zero is an ordinary value of every coordinate that may
vanish.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import numpy as np

from .._algebra.packed import lower_triangle
from .._algebra.roots import pivoted_root
from .charts import Chart


class Coordinates(Protocol):
    """Coordinates of a covariance that begin with a profiled one; a *state* is a point in them."""

    #: number of effects
    size: int
    #: range of the profiled coordinate
    low: float
    high: float

    def state(self, T: np.ndarray) -> Any:
        """The coordinates of T."""

    def value(self, state: Any) -> float:
        """The profiled coordinate."""

    def parameter(self, x: float, scales: np.ndarray) -> float:
        """The profiled parameter at a value of its coordinate, the two effects being scaled."""

    def opened(self, T: np.ndarray, floor: float) -> np.ndarray:
        """T, moved to where it has coordinates."""

    def lifted(self, state: Any, floor: float) -> Any:
        """A state away from the boundary in all but the profiled coordinate."""

    def matrix(self, state: Any) -> np.ndarray:
        """T."""

    def chart(self, state: Any) -> Chart:
        """All coordinates, the profiled one first."""


def squared(x, scales):
    """The variance of a scaled effect whose standard deviation is the coordinate."""
    return (x * scales[0]) ** 2


def product(x, scales):
    """The covariance of scaled effects, itself the coordinate."""
    return x * scales[0] * scales[1]


class StandardDeviation:
    """Of the first effect: its 1 x 1 root is the coordinate."""

    size = 1
    low = 0.0
    high = np.inf
    parameter = staticmethod(squared)

    @staticmethod
    def start(U):
        return np.array([np.sqrt(max(U[0, 0], 0.0))])

    @staticmethod
    def root(x):
        """The root of the covariance of the first effects, its first and its second derivatives in
        x.
        """
        return np.array([[x[0]]]), np.ones((1, 1, 1)), np.zeros((1, 1, 1, 1))


class Correlation:
    """Of the first two effects: coordinates are its arcsine and the logarithms of the standard
    deviations.
    """

    size = 2
    low = -np.pi / 2
    high = np.pi / 2

    @staticmethod
    def parameter(x, scales):
        return np.sin(x)

    @staticmethod
    def start(U):
        sd = np.sqrt(np.diag(U))
        return np.append(np.arcsin(np.clip(U[0, 1] / (sd[0] * sd[1]), -1.0, 1.0)), np.log(sd))

    @staticmethod
    def root(x):
        angle = x[0]
        first, second = np.exp(x[1:])
        row = np.array([[0.0, 0.0], [second * np.sin(angle), second * np.cos(angle)]])
        turned = np.array([[0.0, 0.0], [second * np.cos(angle), -second * np.sin(angle)]])
        top = np.array([[first, 0.0], [0.0, 0.0]])
        zero = np.zeros((2, 2))
        curved = [[-row, zero, turned], [zero, top, zero], [turned, zero, row]]
        return top + row, np.array([turned, top, row]), np.array(curved)


class Covariance:
    """Of the first two effects: the others are the logarithm of the first standard deviation and
    what is left.
    """

    size = 2
    low = -np.inf
    high = np.inf
    parameter = staticmethod(product)

    @staticmethod
    def start(U):
        first = np.sqrt(U[0, 0])
        left = U[1, 1] - (U[0, 1] / first) ** 2
        return np.array([U[0, 1], np.log(first), np.sqrt(max(left, 0.0))])

    @staticmethod
    def root(x):
        covariance = x[0]
        first = np.exp(x[1])
        left = x[2]

        def entries(top, low, last=0.0):
            return np.array([[top, 0.0], [low, last]])

        zero = np.zeros((2, 2))
        crossed = entries(0.0, -1.0 / first)
        derivatives = [
            entries(0.0, 1.0 / first),
            entries(first, -covariance / first),
            entries(0.0, 0.0, 1.0),
        ]
        curved = [
            [zero, crossed, zero],
            [crossed, entries(first, covariance / first), zero],
            [zero, zero, zero],
        ]
        return entries(first, covariance / first, left), np.array(derivatives), np.array(curved)


HEADS: dict[str, Any] = {
    "variance": StandardDeviation,
    "covariance": Covariance,
    "correlation": Correlation,
}


class Root(NamedTuple):
    """Coordinates of a lower block-triangular root of T, the profiled effects first."""

    head: np.ndarray
    below: np.ndarray
    rest: np.ndarray


class RootCoordinates:
    """``T = G L L' G'`` with L lower block triangular: a head for the profiled effects, free rows
    for what is left.

    ``rows`` are the profiled effects as combinations of those of the frame, of length one; the rest
    of the basis is orthogonal to them.
    """

    def __init__(self, rows, head):
        self.size = rows.shape[1]
        self.head = head
        self.low = head.low
        self.high = head.high
        self.parameter = head.parameter
        others = np.linalg.qr(rows.T, mode="complete")[0][:, head.size :].T
        self.inverse = np.vstack([rows, others])
        self.G = np.linalg.inv(self.inverse)

    def opened(self, T, floor):
        """A covariance of effects without variance needs some to start with."""
        needs = self.head is Covariance and np.min(np.diag(T)) <= 0
        return T + floor * np.eye(len(T)) * needs

    def state(self, T):
        """The coordinates of T."""
        h = self.head.size
        S = self.inverse @ T @ self.inverse.T
        x = self.head.start(S[:h, :h])
        below = np.linalg.lstsq(self.head.root(x)[0], S[:h, h:], rcond=1e-12)[0].T
        return self._made(x, below, S[h:, h:] - below @ below.T)

    @staticmethod
    def _made(x, below, rest):
        values, vectors = np.linalg.eigh(rest)
        return Root(x, below, vectors * np.sqrt(np.maximum(values, 0.0)))

    @staticmethod
    def value(state):
        """The profiled coordinate."""
        return float(state.head[0])

    def settled(self, state):
        """The state without redundant coordinates: nothing depends on an effect that does not
        vary."""
        if np.any(self.head.root(state.head)[0]):
            return state
        return self._made(
            state.head,
            np.zeros_like(state.below),
            state.below @ state.below.T + state.rest @ state.rest.T,
        )

    def lifted(self, state, floor):
        """A state away from the boundary in all but the profiled coordinate."""
        return self._made(
            state.head, state.below, state.rest @ state.rest.T + floor * np.eye(len(state.rest))
        )

    def _root(self, state):
        return np.block(
            [
                [self.head.root(state.head)[0], np.zeros_like(state.below.T)],
                [state.below, state.rest],
            ]
        )

    def matrix(self, state):
        """T."""
        root = self.G @ self._root(state)
        return root @ root.T

    def chart(self, state):
        """All coordinates, the profiled one first, then the rest of the head, the rows below it,
        and what is left.
        """
        rest, order = pivoted_root(state.rest @ state.rest.T)
        state = state._replace(rest=rest)
        root = self.G @ self._root(state)
        moved, curved = self._derivatives(state, order)
        half = moved @ root.T
        return Chart(
            derivatives=half + half.transpose(0, 2, 1),
            second=lambda D: self._second(D, root, moved, curved),
            move=lambda step: self._moved(state, order, step),
            radius=float(np.linalg.norm(root)),
        )

    def _places(self, order):
        """Rows and columns in L of the free entries: those below the head, then the root of the
        rest.
        """
        h = self.head.size
        left = self.size - self.head.size
        below = np.divmod(np.arange(left * h), h)
        a, b = lower_triangle(left)
        rows = order[a] if left else a
        return np.concatenate([below[0], rows]) + h, np.concatenate([below[1], b + h])

    def _derivatives(self, state, order):
        """``dL`` for every coordinate, times G, and the second derivatives of the head."""
        h = self.head.size
        _, first, second = self.head.root(state.head)
        rows, cols = self._places(order)
        moved = np.zeros((len(first) + len(rows), self.size, self.size))
        moved[: len(first), :h, :h] = first
        moved[len(first) + np.arange(len(rows)), rows, cols] = 1.0
        return self.G @ moved, self.G[:, :h] @ second

    def _second(self, D, root, moved, curved):
        out = 2.0 * np.einsum("aij,bij->ab", D @ moved, moved)
        n = len(curved)
        h = self.head.size
        out[:n, :n] += 2.0 * np.einsum("ij,abij->ab", (D @ root)[:, :h], curved)
        return out

    def _moved(self, state, order, step):
        n = len(state.head)
        h = self.head.size
        L = np.block([[np.zeros((h, self.size))], [state.below, state.rest]])
        np.add.at(L, self._places(order), step[n:])
        return self.settled(Root(state.head + step[:n], L[h:, :h], L[h:, h:]))


class SpectralCoordinates:
    """``T = sum_k v_k(x) P_k`` for orthogonal projections P_k: coordinates x of the variances of a
    structure.
    """

    def __init__(self, projections, head):
        self.size = projections.shape[1]
        self.projections = projections
        self.head = head
        self.low = head.low
        self.high = head.high
        self.parameter = head.parameter
        self._ranks = np.trace(projections, axis1=1, axis2=2)

    @staticmethod
    def opened(T, floor):
        return T

    def state(self, T):
        found = np.einsum("kij,ij->k", self.projections, T) / self._ranks
        return self.head.start(np.maximum(found, 0.0))

    @staticmethod
    def value(x):
        """The profiled coordinate."""
        return float(x[0])

    def lifted(self, x, floor):
        return np.append(x[:1], np.maximum(np.abs(x[1:]), np.sqrt(floor)))

    def matrix(self, x):
        return np.einsum("k,kij->ij", self.head.variances(x)[0], self.projections)

    def chart(self, x):
        v, first, second = self.head.variances(x)
        return Chart(
            derivatives=np.einsum("ak,kij->aij", first, self.projections),
            second=lambda D: second @ np.einsum("kij,ij->k", self.projections, D),
            move=lambda step: x + step,
            radius=float(np.sqrt(np.sum(v))),
        )


class Squares:
    """Independent variances, the profiled one first: coordinates are the standard deviations."""

    low = 0.0
    high = np.inf
    parameter = staticmethod(squared)

    def __init__(self, count, profiled):
        self.order = np.append(profiled, np.delete(np.arange(count), profiled))

    def start(self, v):
        return np.sqrt(v[self.order])

    def variances(self, x):
        """The variances, their first and their second derivatives in x."""
        to = np.eye(len(x))[self.order]
        return (x**2) @ to, 2.0 * x[:, None] * to, 2.0 * np.eye(len(x))[:, :, None] * to


class Polar:
    """An exchangeable covariance: the standard deviation s of the effects, and an angle that is
    their correlation.

    ``v = s^2 (q cos^2 a / (q - 1), q sin^2 a)``, so that the correlation is
    ``(q sin^2 a - 1) / (q - 1)``.
    """

    low = 0.0

    def __init__(self, size, angle_first):
        self.size = size
        self.factors = size * np.array([1.0 / (size - 1), 1.0])
        self.turn = -1 if angle_first else 1
        self.high = np.pi / 2 if angle_first else np.inf
        self.parameter = self._correlation if angle_first else squared

    def _correlation(self, x, scales):
        return (self.size * np.sin(x) ** 2 - 1.0) / (self.size - 1.0)

    def start(self, v):
        parts = np.sqrt(v / self.factors)
        s = np.hypot(*parts)
        angle = np.arctan2(*parts[::-1]) if s > 0 else np.arcsin(1.0 / np.sqrt(self.factors[1]))
        return np.array([s, angle])[:: self.turn]

    def variances(self, x):
        s, angle = x[:: self.turn]
        share = self.factors * np.array([np.cos(angle), np.sin(angle)]) ** 2
        turned = self.factors * np.sin(2.0 * angle) * np.array([-1.0, 1.0])
        curved = 2.0 * self.factors * np.cos(2.0 * angle) * np.array([-1.0, 1.0])
        first = np.array([2.0 * s * share, s**2 * turned])
        second = np.array([[2.0 * share, 2.0 * s * turned], [2.0 * s * turned, s**2 * curved]])
        return s**2 * share, first[:: self.turn], second[:: self.turn, :: self.turn]


class Shifted:
    """An exchangeable covariance: the common covariance c, and the root of the smaller of the two
    variances.

    The variances differ by q c.
    """

    low = -np.inf
    high = np.inf
    parameter = staticmethod(product)

    def __init__(self, size):
        self.size = size

    def start(self, v):
        return np.array([(v[1] - v[0]) / self.size, np.sqrt(np.min(v))])

    def variances(self, x):
        gap = self.size * x[0]
        larger = np.array([x[0] < 0, x[0] >= 0])
        v = x[1] ** 2 + np.where(larger, abs(gap), 0.0)
        first = np.array([larger * self.size * np.array([-1.0, 1.0]), [2.0 * x[1]] * 2])
        return v, first, np.array([[[0.0, 0.0], [0.0, 0.0]], [[0.0, 0.0], [2.0, 2.0]]])
