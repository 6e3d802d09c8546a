"""Nested covariances: those of a smaller model among those of a larger one.

With ``Z_S = Z_L A`` the smaller model's T appears in the larger one as ``A T A'``.  At such a T
some directions of the larger model are free and others must stay in a cone of semidefinite
matrices.
"""

from __future__ import annotations

import numpy as np

from ..._algebra.machine import computing
from ..._algebra.packed import lower_triangle, packed_size
from .boundary import TangentCone
from .information import expected_information, information_without_effects
from .pairs import Pair, combination

ROUNDING = 1e-9  # share of the largest entry below which another is none


class NotNested(ValueError):
    """Neither model is a special case of the other."""


class Embedding:
    """The covariances of the smaller model among those of the larger.

    Attributes
    ----------
    fit : of the larger model
    T : per factor, the smaller model's covariance there
    tangent : where the larger model's covariances may go from it
    """

    def __init__(self, pair: Pair):
        self.fit = pair.larger.fit
        sizes = self.fit.covariance_model.sizes
        self.T = [np.zeros((q, q)) for q in sizes]
        spans = [np.zeros((q, q)) for q in sizes]
        images = [np.zeros((0, self.fit.covariance_model.packed_size))]
        own = pair.smaller.fit
        for term, T in zip(own.covariance_model.terms, own.T, strict=True):
            if term.structure.n_parameters:
                g, A = self._place(pair, term)
                self.T[g] += A @ T @ A.T
                spans[g] += A @ A.T
                images.append([self._packed(g, A @ B @ A.T) for B in term.structure.hull])
        self._check_span(np.vstack(images))
        covariances = self.fit.covariance_model
        self.tangent = TangentCone.of(covariances, covariances.split(spans))

    def _place(self, pair, term):
        """The larger model's factor of a term, and its effects there."""
        g = pair.factor(term.factor)
        A = None if g is None else pair.effects(term.factor, g)
        if A is None:
            name = pair.smaller.names.factors[term.factor]
            raise NotNested(
                f"{name}: the smaller model has random effects that the larger one lacks.\n"
                "Use compare for their AIC."
            )
        return g, np.where(np.abs(A) > ROUNDING * np.max(np.abs(A)), A, 0.0)[:, term.window]

    def _packed(self, g, matrix):
        """A matrix of one factor in packed coordinates of all factors of the larger model."""
        parts = [np.zeros(packed_size(q)) for q in self.fit.covariance_model.sizes]
        parts[g] = matrix[lower_triangle(len(matrix))]
        return np.concatenate(parts)

    def _check_span(self, images):
        """Whether the larger model's structures allow the smaller one's covariances."""
        covariances = self.fit.covariance_model
        hulls = [covariances.packed(term, term.structure.hull) for term in covariances.terms]
        if len(images) and combination(images.T, np.vstack([*hulls, images[:0]]).T) is None:
            raise NotNested(
                "the smaller model's covariance structure is no special case of the larger one's.\n"
                "Use compare for their AIC."
            )

    def information(self) -> np.ndarray:
        """Of the directions in the cones, the free covariances being nuisances."""
        objective = self.fit.sums
        with computing():
            if not any(np.any(T) for T in self.T):
                return self.tangent.efficient(information_without_effects(objective))
            return self.tangent.efficient(expected_information(objective(self.T)))
