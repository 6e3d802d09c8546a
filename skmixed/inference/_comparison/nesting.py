"""Nested covariances: those of a smaller model among those of a larger one.

With ``Z_S = Z_L A`` the smaller model's T appears in the larger one as ``A T A'``.  At such a T
some directions of the larger model are free and others must stay in a cone of semidefinite
matrices.
"""

from __future__ import annotations

import numpy as np

from ..._algebra.packed import lower_triangle, packed_size
from ..._algebra.threads import blas_threads
from .boundary import TangentCone, sums_of
from .information import expected_information, information_without_effects
from .pairs import combination


class NotNested(ValueError):
    """Neither model is a special case of the other."""


class Embedding:
    """The covariances of the smaller model among those of the larger."""

    def __init__(self, pair):
        self.fit = pair.larger._fit
        own = pair.smaller._fit
        sizes = self.fit.model.sizes
        self.T, span = ([np.zeros((q, q)) for q in sizes] for _ in range(2))
        estimates = own.model.assemble(own.optimum.point[: len(own.model.blocks)])
        images = [np.zeros((0, sum(map(packed_size, sizes))))]
        for block in own.model.blocks:
            if len(block.structure.basis):
                g, A = self._place(pair, block)
                self.T[g] += A @ estimates[block.factor][block.window, block.window] @ A.T
                span[g] += A @ A.T
                images.append(
                    np.array([self._packed(g, A @ B @ A.T) for B in block.structure.basis])
                )
        self._check_span(np.vstack(images))
        self.tangent = TangentCone.of(self.fit.model, self.fit.model.split(span))

    def _place(self, pair, block):
        """The larger model's factor of a term, and its effects there."""
        g = pair.factor(block.factor)
        A = None if g is None else pair.effects(block.factor, g)
        if A is None:
            name = pair.smaller.results_._labels.factors[block.factor]
            raise NotNested(
                f"{name}: the smaller model has random effects that the larger one lacks.\nUse compare for their AIC."
            )
        return g, np.where(np.abs(A) > 1e-9 * np.max(np.abs(A)), A, 0.0)[:, block.window]

    def _packed(self, g, matrix):
        """A matrix of one factor in packed coordinates of all factors of the larger model."""
        parts = [np.zeros(packed_size(q)) for q in self.fit.model.sizes]
        parts[g] = matrix[lower_triangle(len(matrix))]
        return np.concatenate(parts)

    def _check_span(self, images):
        """Whether the larger model's structures allow the smaller one's covariances."""
        model = self.fit.model
        basis = [model.packed(block, block.structure.basis) for block in model.blocks]
        if len(images) and combination(images.T, np.vstack([*basis, images[:0]]).T) is None:
            raise NotNested(
                "the smaller model's covariance structure is no special case of the larger one's.\n"
                "Use compare for their AIC."
            )

    def information(self):
        """Of the directions in the cones, the free covariances being nuisances."""
        objective = sums_of(self.fit)
        with blas_threads(), np.errstate(all="ignore"):
            if not any(np.any(T) for T in self.T):
                return self.tangent.efficient(information_without_effects(objective))
            return self.tangent.efficient(expected_information(objective(self.T)))
