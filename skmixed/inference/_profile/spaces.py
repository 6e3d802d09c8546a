"""All parameters of a model in coordinates, one of which is profiled and may be held."""

from __future__ import annotations

import numpy as np

from ..._model.charts import Chart
from ..._model.covariances import Covariances, block_diagonal, flat

NO_COVARIANCES = Chart(np.zeros((0, 0)), lambda D: np.zeros((0, 0)), lambda step: [], 0.0)


def lifted(structure, T, floor):
    """A covariance, moved inside if it is at the boundary, so that no saddle holds it there."""
    return T if structure.is_interior(T) else structure.start(T, np.full(structure.size, floor))


class Space:
    """Covariances of the terms and a vector of other parameters, in coordinates one of which is
    profiled.

    ``term`` is the term whose covariance has coordinates of its own, or None; ``axes`` are the
    directions in which the vector moves, one per row.  A point is the list of the terms' states,
    then the vector.
    """

    def __init__(self, covariances, axes, coordinates=None, term=None):
        self.axes = axes
        self.term = term
        terms = list(covariances.terms)
        counts = [placed.structure.n_parameters for placed in terms]
        self.profiled = sum(counts) if term is None else sum(counts[:term])
        if term is not None:
            terms[term] = terms[term]._replace(structure=coordinates)
        self.covariances = Covariances(terms, covariances.sizes)

    def reach(self, length):
        """How far the profiled coordinate may go if the vector is to move by no more than a
        length."""
        return length / float(np.linalg.norm(self.axes[0])) if self.term is None else np.inf

    def assemble(self, point):
        """The matrix of every factor, then the vector."""
        matrices = list(point[:-1])
        if self.term is not None:
            coordinates = self.covariances.terms[self.term].structure
            matrices[self.term] = coordinates.matrix(matrices[self.term])
        return [*self.covariances.assemble(matrices), point[-1]]

    def flat(self, point):
        """The assembled point in one vector."""
        return flat(self.assemble(point))

    def chart(self, point):
        """One chart for all coordinates."""
        terms = self.covariances.terms
        inner = self.covariances.chart(point[:-1]) if terms else NO_COVARIANCES
        k = len(inner.derivatives)
        straight = np.zeros((len(self.axes), len(self.axes)))
        return Chart(
            derivatives=block_diagonal([inner.derivatives, self.axes]),
            second=lambda D: block_diagonal([inner.second(D), straight]),
            move=lambda s: [*inner.move(s[:k]), point[-1] + s[k:] @ self.axes],
            radius=inner.radius,
        )

    def lifted(self, point, floor):
        """The point with all covariances inside, as far as the profiled coordinate allows."""
        out = list(point)
        for k, term in enumerate(self.covariances.terms):
            if k == self.term:
                out[k] = term.structure.lifted(point[k], floor)
            else:
                out[k] = lifted(term.structure, point[k], floor)
        return out


class Pinned:
    """The same space with the profiled coordinate held where it is."""

    def __init__(self, space):
        self.space = space
        self.assemble = space.assemble
        self.flat = space.flat

    def chart(self, point):
        full = self.space.chart(point)
        i = self.space.profiled
        keep = np.arange(len(full.derivatives)) != i
        return Chart(
            derivatives=full.derivatives[keep],
            second=lambda D: full.second(D)[np.ix_(keep, keep)],
            move=lambda step: full.move(np.insert(step, i, 0.0)),
            radius=full.radius,
        )
