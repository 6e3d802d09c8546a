"""What is asked of blocks of rows at a point of the search.

A single block that is here keeps everything row by row, and derivatives are computed when somebody
asks for them (:class:`Parts`).  Several blocks, and those that are elsewhere, are asked once per
point, one after the other, for the deviance and all of its derivatives together (:class:`Totals`),
and keep the conditional modes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, Protocol, Self

import numpy as np

from .._algebra.machine import computing
from .._model.families import Family
from .._store.protocol import Held, PerBlock, Store, following
from .laplace import LaplacePart
from .modes import Density, Guess, Modes, climb


class Integration(Protocol):
    """How the effects are integrated out."""

    points: int  # per dimension
    exact: bool  # whether second derivatives can be

    def root(self, f: int, T: np.ndarray) -> np.ndarray:
        """A root of the covariance of factor f."""

    def part(self, modes: Modes) -> LaplacePart:
        """Value and derivatives of a block of rows at its modes."""

    def swept(self, density: Density, guess: Guess) -> LaplacePart | None:
        """The same in one compiled visit; None where there is none for such rows, or it fails."""


class Place(NamedTuple):
    """A point of the search, and what is asked there.

    Attributes
    ----------
    family, integration : the distribution of the responses, and how effects are integrated out
    T, roots : covariances per factor, and roots of them
    beta : coefficients
    """

    family: Family
    integration: Integration
    T: list
    roots: list
    beta: np.ndarray

    def part(self, block, guess: Guess) -> LaplacePart:
        """A block of rows at its modes, searched for from a guess."""
        rows, plan = block
        density = Density(rows, plan, self.family, self.T, self.roots, self.beta)
        found = self.integration.swept(density, guess)
        return self.integration.part(climb(density, guess)) if found is None else found


class Sums(Protocol):
    """The likelihood of all rows at one place."""

    @property
    def value(self) -> float:
        """The deviance without penalties."""

    @property
    def is_finite(self) -> bool:
        """Whether it is, as far as is known without a log-determinant that takes long."""

    @property
    def loglik(self) -> float:
        """The log-likelihood of the rows at the modes."""

    @property
    def reach(self) -> float:
        """The largest linear predictor."""

    @property
    def gradient(self) -> list[np.ndarray]:
        """``dd / dT_f``, one symmetric matrix per factor."""

    @property
    def beta_gradient(self) -> np.ndarray:
        """``dd / dbeta``."""

    @property
    def hessian(self) -> np.ndarray:
        """In all parameters."""

    def near(self, change: np.ndarray | None = None) -> Any:
        """Where the modes are after a change of the parameters, or at the same ones."""


def sums_at(store: Store, place: Place, near: Any = None, *, curved: bool = True) -> Sums:
    """The rows of a store at a place; ``near`` says from where their modes are searched for, and
    ``curved`` whether somebody will ask for second derivatives.
    """
    if store.keeps_points:
        return Parts.at(store, place, near)
    handle, change = (None, None) if near is None else near
    return Answer(*store.round(evaluate, (place, change, curved), handle))


def near_modes(store: Store, c: list) -> Any:
    """From where modes are searched for, given ``T^-1 b`` per factor of every block."""
    if store.keeps_points:
        return [Guess(own) for own in c]
    return Near([Carried(own, None) for own in c], None)


def parts_of(store: Held, place: Place, near: Near) -> Iterator[LaplacePart]:
    """The blocks of a store one after the other, at modes that were found before."""
    for rows, plan, carried in zip(store.blocks, store.plans, near.handle, strict=True):
        yield place.part((rows, plan), carried.guess(near.change))


class Parts:
    """Blocks of rows that are here, one part each."""

    def __init__(self, parts: list[LaplacePart]):
        self.parts = parts

    @classmethod
    def at(cls, store, place: Place, near: list[Guess] | None) -> Self:
        """At a place, from a guess per block."""
        near = near or [Guess.zero(plan) for plan in store.plans]
        blocks = zip(store.blocks, store.plans, strict=True)
        return cls([place.part(block, guess) for block, guess in zip(blocks, near, strict=True)])

    @property
    def is_finite(self):
        return all(part.is_finite for part in self.parts)

    @cached_property
    def value(self):
        return float(sum(part.value for part in self.parts))

    @cached_property
    def loglik(self):
        return sum(part.loglik for part in self.parts)

    @cached_property
    def reach(self):
        return max(part.reach for part in self.parts)

    @property
    def gradient(self):
        each = zip(*(part.gradient for part in self.parts), strict=True)
        return [sum(parts) for parts in each]

    @property
    def beta_gradient(self):
        return sum(part.beta_gradient for part in self.parts)

    @property
    def hessian(self):
        return sum(part.hessian for part in self.parts)

    @property
    def first_modes(self):
        """``T^-1 b`` of the first block, per factor."""
        return self.parts[0].c

    def near(self, change=None):
        if change is None:
            return [part.near() for part in self.parts]
        return [part.guess(change) for part in self.parts]

    def effects(self, place, store):
        """Conditional modes per factor, in the order of the blocks."""
        return following(part.b for part in self.parts)


class Near(NamedTuple):
    """Where the modes were found of rows that were asked in a round.

    Attributes
    ----------
    handle : of the round that found them
    change : of the parameters since; None for none
    """

    handle: Any
    change: np.ndarray | None


class Carried(NamedTuple):
    """What stays with a block of rows.

    Attributes
    ----------
    c : ``T^-1 b`` per factor
    s_dot : its derivatives in the parameters, in half as many digits; None where nobody asked
    """

    c: list[np.ndarray]
    s_dot: list[np.ndarray] | None

    @classmethod
    def of(cls, part: LaplacePart, curved: bool) -> Self:
        """What a part found."""
        if not curved:
            return cls(part.c, None)
        return cls(part.c, [s.astype(np.float32) for s in part.s_dot])

    def guess(self, change) -> Guess:
        """Where the modes are after a change of the parameters, to first order."""
        if change is None or self.s_dot is None:
            return Guess(self.c)
        step = change.astype(np.float32)
        parts = zip(self.c, self.s_dot, strict=True)
        return Guess([c + np.einsum("qdm,d->qm", s_dot, step) for c, s_dot in parts])


@dataclass(frozen=True, eq=False)
class Totals:
    """Sums over the rows of some blocks, as :class:`Sums` has them."""

    value: float
    loglik: float
    reach: float
    gradient: tuple[np.ndarray, ...]
    beta_gradient: np.ndarray
    hessian: np.ndarray | float

    @classmethod
    def of(cls, part: LaplacePart, curved: bool) -> Self:
        """Of one block; the Hessian is not a number where nobody asked."""
        return cls(
            float(part.value),
            float(part.loglik),
            float(part.reach),
            tuple(part.gradient),
            part.beta_gradient,
            part.hessian if curved else np.nan,
        )

    @property
    def is_finite(self) -> bool:
        return bool(np.isfinite(self.value))

    def __add__(self, other: Totals | Unreached) -> Totals | Unreached:
        if not np.isfinite(other.value):
            return other
        return Totals(
            self.value + other.value,
            self.loglik + other.loglik,
            max(self.reach, other.reach),
            tuple(a + b for a, b in zip(self.gradient, other.gradient, strict=True)),
            self.beta_gradient + other.beta_gradient,
            self.hessian + other.hessian,
        )


class Unreached:
    """Where some modes are out of reach."""

    value = np.inf
    is_finite = False

    def __add__(self, other):
        return self


def evaluate(block, carried: Carried | None, request):
    """The likelihood of a block at a place and its derivatives, a visit of a round."""
    place, change, curved = request
    guess = Guess.zero(block.plan) if carried is None else carried.guess(change)
    with computing(block.plan.dense_order):
        try:
            part = place.part(block, guess)
            return Totals.of(part, curved), Carried.of(part, curved)
        except np.linalg.LinAlgError:
            return Unreached(), carried


@dataclass(frozen=True, eq=False)
class Answer:
    """What a round over rows that are elsewhere has found."""

    totals: Totals | Unreached
    handle: Any

    @property
    def first_modes(self):
        """``T^-1 b`` of the first block, per factor; None where it is not here."""
        return self.handle[0].c if isinstance(self.handle, list) else None

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.totals, name)

    def near(self, change=None):
        return Near(self.handle, change)

    def effects(self, place, store):
        """Conditional modes per factor, in the order of the blocks."""
        return following(store.round(modes_there, place.T, self.handle).total)


class Kept:
    """What is known at a place of rows that are asked again for anything else.

    Attributes
    ----------
    value, loglik, reach : as in :class:`Sums`
    handle : of the modes
    """

    is_finite = True

    def __init__(self, sums: Sums, store: Store, place: Place, handle: Any) -> None:
        self.value = sums.value
        self.loglik = sums.loglik
        self.reach = sums.reach
        self.handle = handle
        self._store = store
        self._place = place

    @cached_property
    def _totals(self):
        return self._store.round(evaluate, (self._place, None, True), self.handle).total

    @property
    def gradient(self):
        return list(self._totals.gradient)

    @property
    def beta_gradient(self):
        return self._totals.beta_gradient

    @property
    def hessian(self):
        return self._totals.hessian

    @property
    def first_modes(self):
        """``T^-1 b`` of the first block, per factor."""
        return self.handle[0].c

    def near(self, change=None):
        return Near(self.handle, change)

    def effects(self, place, store):
        """Conditional modes per factor, in the order of the blocks."""
        parts = [[t @ c for t, c in zip(place.T, own.c, strict=True)] for own in self.handle]
        return following(parts)


def kept(sums: Sums, store: Store, place: Place) -> Kept:
    """What is known of rows that are here, without them."""
    if isinstance(sums, Parts):
        return Kept(sums, store, place, [Carried(part.c, None) for part in sums.parts])
    return Kept(sums, store, place, sums.near().handle)


def modes_there(block, carried: Carried, T):
    """The conditional modes of a block, a visit of a round."""
    return PerBlock([[t @ c for t, c in zip(T, carried.c, strict=True)]]), carried
