"""Conditional modes of the random effects of a block of rows.

With ``eta = X beta + Z b`` the mode b maximises ``l(eta) - b'T^-1 b / 2``.  Modes are kept as ``b``
and as ``c = T^-1 b``, which is finite for a singular T; the penalty ``b'T^-1 b`` is ``b'c``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from .._algebra.elimination import Elimination
from .._algebra.plan import Plan
from .._model.families import Family, RowValues
from .._sums.blocks import RowBlock
from .chords import FOUND, TOO_OLD, UPHILL, along_chords

MODE_TOLERANCE = 1e-9  # decrement before a last step; its square before one that is not Newton's
MAX_MODE_STEPS = 200
MAX_HALVINGS = 30
ROUNDING = 1e-9  # rise of a part's penalised deviance, as a share of it, that is rounding
LEAST_ROUNDING = 1e-12
REUSE = 0.05  # a factorisation is kept while it reduces the decrement to this share
RULES = (MODE_TOLERANCE, MODE_TOLERANCE**2, REUSE, ROUNDING, LEAST_ROUNDING, MAX_MODE_STEPS)


class Guess(NamedTuple):
    """Where the search for the modes of a block starts.

    Attributes
    ----------
    c : T^-1 b per factor
    elimination : a factorisation nearby, for the first steps
    swept : what a compiled visit has found there, which is used where nothing has changed
    """

    c: list
    elimination: Elimination | None = None
    swept: Any = None

    @classmethod
    def zero(cls, plan):
        """No effects at all."""
        return cls(
            [np.zeros(shape) for shape in zip(plan.cross.sizes, plan.cross.levels, strict=True)]
        )


@dataclass(frozen=True, eq=False)
class Density:
    """The conditional density of the effects of one block of rows, given T and beta.

    Attributes
    ----------
    rows, plan, family : the block, its elimination, and the distribution of its responses
    T, roots : covariances per factor, and roots of them
    beta : coefficients
    """

    rows: RowBlock
    plan: Plan
    family: Family
    T: list
    roots: list
    beta: np.ndarray

    @cached_property
    def fixed(self):
        """``X beta``, with the offset."""
        return self.rows.fixed_part(self.beta)

    def point(self, b) -> RowValues:
        """The family at some effects."""
        return self.family.at(self.fixed + self.rows.random_part(b), self.rows.y, self.rows.m)

    def at(self, c) -> Modes:
        """The density at ``T^-1 b``."""
        b = [t @ part for t, part in zip(self.T, c, strict=True)]
        point, loglik, scores = self.rows.sweep(self.family, self.fixed, b)
        penalties = [effect * part for effect, part in zip(b, c, strict=True)]
        penalised = self.rows.by_part(-2.0 * loglik, penalties)
        return Modes(self, c, b, point, penalised, scores)

    def placed(self, c, point, penalised, scores) -> Modes:
        """The same where all else is known."""
        b = [t @ part for t, part in zip(self.T, c, strict=True)]
        return Modes(self, c, b, point, penalised, scores)

    def curvature(self, point) -> Elimination:
        """The factorisation of ``T^-1 + Z'WZ`` at some rows."""
        plan = self.plan.reweighted(*self.rows.weighed(point.weight))
        return plan.eliminate(self.T, self.roots, once=True)


@dataclass(frozen=True, eq=False)
class Modes:
    """A place in the density; the modes are where the search for them ended.

    Attributes
    ----------
    density : of which
    c, b : T^-1 b and b per factor, (q_f, m_f)
    point : the family there
    penalised : ``-2 l + b'T^-1 b`` of every part that is maximised on its own
    scores : ``Z'r`` per factor, (q_f, m_f)
    """

    density: Density
    c: list
    b: list
    point: RowValues
    penalised: np.ndarray
    scores: list

    @property
    def rows(self):
        """The block of rows."""
        return self.density.rows

    @property
    def roots(self):
        """Roots of the covariances."""
        return self.density.roots

    @cached_property
    def elimination(self):
        """The curvature here."""
        return self.density.curvature(self.point)

    def newton_step(self, elimination):
        """The largest decrement of a level, and the step of c."""
        gradient = [(s - c)[:, None] for s, c in zip(self.scores, self.c, strict=True)]
        _, found, _ = elimination.solve(gradient)
        steps = [step[:, 0] for step in found]
        parts = zip(self.density.T, steps, gradient, strict=True)
        decrements = [np.max(np.sum((t @ step) * g[:, 0], axis=0)) for t, step, g in parts]
        return max(decrements), steps

    def moved(self, steps) -> Modes | None:
        """After a step, halved where the penalised deviance of a part would rise.

        None if no fraction will do.
        """
        before = self.penalised
        allowed = before + ROUNDING * np.abs(before) + LEAST_ROUNDING
        length = np.ones_like(before)
        for _ in range(MAX_HALVINGS):
            there = self.density.at([c + length * s for c, s in zip(self.c, steps, strict=True)])
            rises = ~(there.penalised <= allowed)
            if not np.any(rises):
                return there
            length[rises] *= 0.5
        return None


def climb(density: Density, guess: Guess) -> Modes:
    """Newton steps until the decrement is negligible, and one more: the log-determinant is linear
    in the error.

    Where factorising is expensive, a factorisation is used as long as it takes the decrement down
    quickly.
    """
    modes = density.at(guess.c)
    is_cheap = density.rows.is_separable
    elimination = None if is_cheap else guess.elimination
    last = np.inf
    for _ in range(MAX_MODE_STEPS):
        is_fresh = elimination is None
        elimination = density.curvature(modes.point) if is_fresh else elimination
        ending, there = along_chords(modes, elimination, RULES, is_fresh)
        if ending == UPHILL:
            is_fresh = is_fresh and there is modes
            ending, there, last = _one_step(there, elimination, is_fresh, last)
        modes = there
        if ending == FOUND:
            return modes
        elimination = None if is_cheap or ending == TOO_OLD else elimination
    raise np.linalg.LinAlgError("the conditional modes are out of reach")


def _one_step(modes: Modes, elimination, is_fresh, last):
    """How a step ended that is halved where it goes uphill; where, and its decrement."""
    decrement, steps = modes.newton_step(elimination)
    is_slow = not (is_fresh or decrement <= REUSE * last)
    there = None if is_slow else modes.moved(steps)
    if there is None:
        _check_another(is_fresh)
        return TOO_OLD, modes, last
    is_last = decrement < (MODE_TOLERANCE if is_fresh else MODE_TOLERANCE**2)
    return FOUND if is_last else UPHILL, there, decrement


def _check_another(is_fresh):
    """Whether another factorisation may help where a step did not."""
    if is_fresh:
        raise np.linalg.LinAlgError("no step raises the conditional density")
