"""Cross-products with responses that are drawn from a model, without its rows.

With ``A = [Z X]``, effects b and errors e of variance ``sigma^2 W^-1``, the response ``y = X beta +
Z b + e`` enters a linear model through ``A'Wy`` and ``y'Wy`` only, and

    A'Wy = A'WA [b; beta] + A'We,
    y'Wy = [b; beta]'A'WA[b; beta] + 2 [b; beta]'A'We + e'We.

``A'We`` is normal with covariance ``sigma^2 A'WA``: ``sigma L u`` with ``L L' = A'WA`` and standard
normal u.  Given it, ``e'We`` is ``sigma^2 (u'u + chi^2)``, the last with as many degrees of freedom
as there are observations beyond the rank of A: what A determines of e has the length of u.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from .design import Design
from .semidefinite import Root


class SumsOfDraws:
    """Designs of responses that are drawn from the model of one.

    Attributes
    ----------
    design : whose cross-products with the response are replaced
    df : observations beyond the rank of its columns
    """

    def __init__(self, design: Design):
        self.design = design
        cross = design.cross
        self._root = Root(cross)
        self.df = cross.n - self._root.rank
        self._gram = cross.fixed_gram()[:-1, :-1]
        self._shared = [cross.x_sums(f)[:, :-1] for f in range(len(cross.sizes))]

    def draw(
        self,
        rng: np.random.Generator,
        beta: np.ndarray,
        roots: Sequence[np.ndarray],
        sigma: float,
    ) -> Design:
        """The design of a draw, everything in the frame's units.

        ``beta`` are coefficients of the columns that are not aliased, ``roots`` those of the
        covariances of the effects, per factor.
        """
        levels = self.design.cross.levels
        b = [R @ rng.standard_normal((len(R), m)) for R, m in zip(roots, levels, strict=True)]
        noise = self._root.draw(rng)
        z, x = self._of_mean(beta, b)
        along = beta @ x + sum(np.sum(own * mean) for own, mean in zip(b, z, strict=True))
        shared = beta @ noise.x + sum(np.sum(o * e) for o, e in zip(b, noise.z, strict=True))
        left = noise.squares + (rng.chisquare(self.df) if self.df > 0 else 0.0)
        z = [mean + sigma * e for mean, e in zip(z, noise.z, strict=True)]
        squares = along + 2.0 * sigma * shared + sigma**2 * left
        return self._with(z, x + sigma * noise.x, squares)

    def _of_mean(self, beta, b):
        """``A'W(X beta + Z b)``."""
        x = self._gram @ beta
        z = []
        if b:
            for own, sums in zip(b, self._shared, strict=True):
                x = x + np.einsum("qpm,qm->p", sums, own)
            z = [sums[:, 0] for sums in self._root.plan.multiply([own[:, None] for own in b])]
        return [
            own + np.einsum("qpm,p->qm", sums, beta)
            for own, sums in zip(z, self._shared, strict=True)
        ], x

    def _with(self, z, x, squares):
        """The design with these cross-products of the response."""
        cross = self.design.cross
        gram = cross.gram.copy()
        sums = [s.copy() for s in cross.sums]
        own = np.zeros(len(gram))
        for s, values, effects in zip(sums, z, cross.effects, strict=True):
            s[:, -1] = values
            own[list(effects)] = values.sum(axis=1)
        own[cross.fixed] = x
        own[-1] = squares
        gram[-1] = gram[:, -1] = own
        return replace(self.design, cross=replace(cross, gram=gram, sums=tuple(sums)))
