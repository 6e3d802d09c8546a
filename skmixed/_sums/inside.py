"""Sums of a design whose columns are combinations of those of a larger one, from the sums of that.

With ``X_S = X_L F`` and ``Z_S = Z_L B`` in the columns of both frames, and ``y = s r + X b_0`` in
either, the response of the smaller frame is

    r_S = (s_L r_L + X_L (b_0L - F b_0S)) / s_S,

so that ``A_S'W r_S`` and ``r_S'W r_S`` are combinations of what the larger design sums.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from .design import Design

SAME = 1e-8  # share of a column that others may leave unexplained


@dataclass(frozen=True, eq=False)
class Inside:
    """A design inside of a larger one.

    Attributes
    ----------
    smaller, larger : the designs
    fixed : F, (candidates of the larger, candidates of the smaller)
    factors : per factor of the smaller design, which one of the larger it is
    effects : per factor of the smaller design B
    """

    smaller: Design
    larger: Design
    fixed: np.ndarray
    factors: tuple[int, ...]
    effects: tuple[np.ndarray, ...]

    def design(self, drawn: Design) -> Design:
        """The smaller design of the response of the larger one."""
        cross, own = drawn.cross, self.smaller.cross
        response = self._response
        gram = own.gram.copy()
        sums = [s.copy() for s in own.sums]
        row = np.zeros(len(gram))
        pairs = zip(sums, own.effects, self.factors, self.effects, strict=True)
        for s, effects, g, B in pairs:
            s[:, -1] = B.T @ np.einsum("qpm,p->qm", cross.sums[g], response)
            row[list(effects)] = s[:, -1].sum(axis=1)
        shared = cross.gram @ response
        row[self.smaller.frame.fixed] = self.fixed.T @ shared[self.larger.frame.fixed]
        row[-1] = response @ shared
        gram[-1] = gram[:, -1] = row
        return replace(self.smaller, cross=replace(own, gram=gram, sums=tuple(sums)))

    @property
    def _response(self):
        """r_S as a combination of the pool columns of the larger design."""
        small, large = self.smaller.frame, self.larger.frame
        found = np.zeros(large.response + 1)
        found[large.fixed] = large.pilot - self.fixed @ small.pilot
        found[-1] = large.y_scale
        return found / small.y_scale

    def coefficients(self, beta: np.ndarray) -> np.ndarray:
        """Coefficients of the larger design that say what some of the smaller one say."""
        small, large = self.smaller.frame, self.larger.frame
        whole = small.pilot.copy()
        whole[self.smaller.independent] += small.y_scale * beta
        found = (self.fixed @ whole - large.pilot) / large.y_scale
        return found[self.larger.independent]

    def roots(self, roots: list[np.ndarray]) -> list[np.ndarray]:
        """Roots of the covariances of the larger design's effects; zero for further factors."""
        found = [np.zeros((q, q)) for q in self.larger.cross.sizes]
        for root, g, B in zip(roots, self.factors, self.effects, strict=True):
            found[g][:, : root.shape[1]] = self.scale * B @ root
        return found

    @property
    def scale(self) -> float:
        """The unit of the smaller design's response in that of the larger one."""
        return self.smaller.frame.y_scale / self.larger.frame.y_scale


def combined_columns(smaller: Design, larger: Design, places: list[int]) -> np.ndarray | None:
    """F, where the candidates of the smaller design stand at places of the larger one; None where
    the columns of the larger one do not make them.
    """
    wanted = np.zeros((len(larger.frame.candidates), len(places)))
    wanted[places] = smaller.frame.coefficient_map
    K = larger.frame.coefficient_map
    units = np.where(np.any(K != 0, axis=1), np.max(np.abs(K), axis=1), 1.0)
    left, right = K / units[:, None], wanted / units[:, None]
    F = np.linalg.lstsq(left, right, rcond=None)[0]
    is_made = np.abs(right - left @ F) <= SAME * np.max(np.abs(right), axis=0, initial=0.0)
    return F if np.all(is_made) else None
