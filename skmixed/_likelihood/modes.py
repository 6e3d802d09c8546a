"""Conditional modes of the random effects of a block of rows."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .._algebra.elimination import Elimination

MODE_TOLERANCE = (
    1e-9  # decrement before a last Newton step; its square before one that is not quadratic
)
MAX_MODE_STEPS = 200
MAX_HALVINGS = 30
REUSE = 0.05  # a factorisation is kept while it reduces the decrement to this share


class Guess(NamedTuple):
    """Where the search for the modes of a block starts."""

    c: list  # T^-1 b per factor
    elimination: Elimination | None = None  # a factorisation nearby, for the first steps

    @classmethod
    def zero(cls, plan):
        """No effects at all."""
        return cls(
            [np.zeros(shape) for shape in zip(plan.cross.sizes, plan.cross.levels, strict=True)]
        )


class Mode:
    """The conditional modes of one block of rows, and the rows there.

    The modes are kept as ``b`` and as ``c = T^-1 b``, which is finite for a singular T; the penalty
    ``b'T^-1 b`` is ``b'c``.
    """

    def __init__(self, rows, plan, family, T, roots, beta, guess):
        self.rows = rows
        self.plan = plan
        self.family = family
        self.T = T
        self.roots = roots
        self.fixed = rows.x @ beta
        self._move(guess.c)
        self._climb(None if rows.is_separable else guess.elimination)
        self.elimination = self._factored()

    def _move(self, c):
        self.c = c
        self.b = [t @ part for t, part in zip(self.T, c, strict=True)]
        self._evaluate()

    def _evaluate(self):
        """The family at the current effects, and the penalised deviance of every part that is
        maximised on its own.
        """
        self.point = self.at(self.b)
        self.penalised = self.rows.by_part(
            -2.0 * self.point.loglik, [b * c for b, c in zip(self.b, self.c, strict=True)]
        )
        self.scores = self.rows.level_sums(self.point.score)

    def at(self, b):
        """The family at some effects."""
        return self.family.at(self.fixed + self.rows.random_part(b), self.rows.y, self.rows.m)

    def _factored(self):
        w = self.point.weight
        plan = self.plan.reweighted(self.rows.level_blocks(w), self.rows.pair_values(w))
        return Elimination(plan, self.T, self.roots, once=True)

    def _climb(self, elimination):
        """Newton steps until the decrement is negligible, and one more: the log-determinant is
        linear in the error.

        Where factorising is expensive, a factorisation is used as long as it takes the decrement
        down quickly.
        """
        last = np.inf
        is_fresh = False
        for _ in range(MAX_MODE_STEPS):
            if elimination is None:
                elimination = self._factored()
                is_fresh = True
            decrement, step = self._newton_step(elimination)
            if not is_fresh and not decrement <= REUSE * last:
                elimination = None
                continue
            if not self._step(step):
                if is_fresh:
                    raise np.linalg.LinAlgError("no step raises the conditional density")
                elimination = None
                continue
            if decrement < (MODE_TOLERANCE if is_fresh else MODE_TOLERANCE**2):
                return
            last = decrement
            is_fresh = False
            if self.rows.is_separable:
                elimination = None
        raise np.linalg.LinAlgError("the conditional modes are out of reach")

    def _newton_step(self, elimination):
        """The largest decrement of a level, and the step of c."""
        gradient = [(s - c)[:, None] for s, c in zip(self.scores, self.c, strict=True)]
        _, steps, _ = elimination.solve(gradient)
        steps = [step[:, 0] for step in steps]
        decrements = [
            np.max(np.sum((t @ step) * g[:, 0], axis=0))
            for t, step, g in zip(self.T, steps, gradient, strict=True)
        ]
        return max(decrements), steps

    def _step(self, steps):
        """Take the step, halved where the penalised deviance of a part would rise.

        False if no fraction will do.
        """
        start = self.c
        before = self.penalised
        allowed = before + 1e-9 * np.abs(before) + 1e-12
        length = np.ones_like(before)
        for _ in range(MAX_HALVINGS):
            self._move([c + length * step for c, step in zip(start, steps, strict=True)])
            rises = ~(self.penalised <= allowed)
            if not np.any(rises):
                return True
            length[rises] *= 0.5
        self._move(start)
        return False
