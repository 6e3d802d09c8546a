"""The covariances of all terms together, and the parameters that may follow them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from .._algebra.packed import lower_triangle, packed_size
from .charts import Chart
from .many_charts import joined_charts
from .structures import Absent, Structure


class PlacedTerm(NamedTuple):
    """Where the covariance of one term sits.

    Attributes
    ----------
    structure : the family of its covariance
    factor : position of the grouping factor
    offset : its first effect among those of the factor
    """

    structure: Structure
    factor: int
    offset: int

    @property
    def window(self) -> slice:
        """Its effects among those of the factor."""
        return slice(self.offset, self.offset + self.structure.size)


class Covariances:
    """All terms together: one block-diagonal relative covariance per grouping factor.

    A *point* is the list of the terms' matrices.  Derivatives are exchanged with the objective in
    packed form, the lower triangles of the factors' matrices one after the other.

    Attributes
    ----------
    terms, sizes : with their places, and the number of effects of every factor
    prior : name of what is said of them beforehand
    """

    def __init__(self, terms: Iterable[PlacedTerm], sizes: Iterable[int], prior: str | None = None):
        self.terms = tuple(terms)
        self.sizes = tuple(sizes)
        self.prior = prior
        self._starts = np.concatenate([[0], np.cumsum([packed_size(q) for q in self.sizes])])

    @property
    def n_parameters(self) -> int:
        """Number of parameters of all terms."""
        return sum(term.structure.n_parameters for term in self.terms)

    @property
    def packed_size(self) -> int:
        """Length of the packed form."""
        return int(self._starts[-1])

    def assemble(self, point):
        """The q_f x q_f matrix of every factor from the matrices of the terms."""
        factors = [np.zeros((q, q)) for q in self.sizes]
        for term, T in zip(self.terms, point, strict=True):
            factors[term.factor][term.window, term.window] = T
        return factors

    def packed(self, term, matrices):
        """Rows of packed derivatives from a stack of matrices of one term."""
        q = self.sizes[term.factor]
        rows, cols = lower_triangle(q)
        if len(self.terms) == 1 and len(self.sizes) == 1:
            return matrices[:, rows, cols]
        full = self._embedded(term, matrices)
        out = np.zeros((len(matrices), self._starts[-1]))
        out[:, self._starts[term.factor] : self._starts[term.factor + 1]] = full[:, rows, cols]
        return out

    def directions(self, changes):
        """Changes (position of a term, matrix) of the covariances in packed form, (k, packed)."""
        rows = [self.packed(self.terms[k], matrix[None]) for k, matrix in changes]
        return np.vstack([np.zeros((0, self.packed_size)), *rows])

    def chart(self, point):
        """One chart for all terms; its derivatives are packed, (k, K)."""
        charts = [t.structure.chart(T) for t, T in zip(self.terms, point, strict=True)]
        if len(charts) == 1:
            return self._chart_of_one(*charts)
        ends = np.cumsum([0] + [len(chart.derivatives) for chart in charts])
        derivatives = [
            self.packed(term, chart.derivatives)
            for term, chart in zip(self.terms, charts, strict=True)
        ]

        def second(D):
            parts = zip(charts, self.split(D), strict=True)
            return block_diagonal([chart.second(d) for chart, d in parts])

        def move(s):
            parts = zip(charts, np.split(s, ends[1:-1]), strict=True)
            return [chart.move(part) for chart, part in parts]

        radius = float(np.linalg.norm([chart.radius for chart in charts]))
        return Chart(np.vstack(derivatives), second, move, radius)

    @property
    def projections(self):
        """Projections (k, q, q) the roots of whose variances are the coordinates of all terms of a
        single factor; none where these are the entries of a pivoted root, None where they are
        others.
        """
        if len(self.terms) == 1:
            return self.terms[0].structure.chart_projections
        own = [_variances_of(term.structure) for term in self.terms]
        if len(self.sizes) > 1 or any(P is None for P in own):
            return None
        return np.concatenate([self._embedded(t, P) for t, P in zip(self.terms, own, strict=True)])

    def _embedded(self, term, matrices):
        """Matrices of one term within those of its factor."""
        q = self.sizes[term.factor]
        full = np.zeros((len(matrices), q, q))
        full[:, term.window, term.window] = matrices
        return full

    def charts(self, T):
        """Charts around (b, q, q) matrices of a single factor."""
        windows = [term.window for term in self.terms]
        charts = [t.structure.charts(T[:, t.window, t.window]) for t in self.terms]
        return charts[0] if len(charts) == 1 else joined_charts(windows, charts, T.shape)

    def _chart_of_one(self, chart):
        """That of a single term."""
        return Chart(
            derivatives=self.packed(self.terms[0], chart.derivatives),
            second=lambda D: chart.second(*self.split(D)),
            move=lambda s: [chart.move(s)],
            radius=chart.radius,
        )

    def split(self, factors):
        """The blocks of the terms within the factors' matrices."""
        return [factors[term.factor][term.window, term.window] for term in self.terms]

    def start(self, factors, floors):
        """A point near the given matrices, away from the boundary by the given floors.

        ``floors`` are one vector per factor.
        """
        parts = zip(self.terms, self.split(factors), self.split_floors(floors), strict=True)
        return [term.structure.start(S, floor) for term, S, floor in parts]

    def split_floors(self, floors):
        """The parts of the terms of one vector per factor."""
        return [floors[term.factor][term.window] for term in self.terms]

    def is_interior(self, point):
        """Per term, whether its covariance has parameters, no variance of zero and no correlation
        of one.
        """
        parts = zip(self.terms, point, strict=False)
        return [bool(t.structure.n_parameters) and t.structure.is_interior(T) for t, T in parts]


def _variances_of(structure):
    """Projections whose variances are the parameters of a structure; None where it has others.

    A single effect has one variance, whatever the structure.
    """
    own = structure.chart_projections
    if own is None or len(own):
        return own
    return np.ones((1, 1, 1)) if structure.size == 1 else None


#: of rows without random effects: one effect for all of them, without variance
NO_EFFECTS = Covariances([PlacedTerm(Absent(1), 0, 0)], [1])


class Parameters:
    """Covariances and fixed effects together: a point is the list of the terms' matrices, then
    beta.
    """

    def __init__(self, covariances: Covariances, n_fixed: int):
        self.covariances = covariances
        self.n_fixed = n_fixed

    @property
    def terms(self):
        """Those of the covariances."""
        return self.covariances.terms

    def split(self, factors):
        """The blocks of the terms within the factors' matrices."""
        return self.covariances.split(factors)

    def assemble(self, point):
        """The matrices of the factors, then beta."""
        return [*self.covariances.assemble(point[:-1]), point[-1]]

    def flat(self, point):
        """The point in one vector."""
        return flat(self.assemble(point))

    def chart(self, point):
        """The chart of the covariances, and beta as it is."""
        inner = self.covariances.chart(point[:-1])
        p = self.n_fixed
        k = len(inner.derivatives)
        return Chart(
            derivatives=block_diagonal([inner.derivatives, np.eye(p)]),
            second=lambda D: block_diagonal([inner.second(D), np.zeros((p, p))]),
            move=lambda s: [*inner.move(s[:k]), point[-1] + s[k:]],
            radius=inner.radius,
        )


def flat(assembled):
    """Packed matrices of the factors and beta in one vector."""
    *factors, beta = assembled
    return np.concatenate([T[lower_triangle(len(T))] for T in factors] + [beta])


def block_diagonal(blocks):
    """One matrix of blocks; each may be without rows or columns."""
    rows = np.cumsum([0] + [len(block) for block in blocks])
    cols = np.cumsum([0] + [block.shape[1] for block in blocks])
    out = np.zeros((rows[-1], cols[-1]))
    for k, block in enumerate(blocks):
        out[rows[k] : rows[k + 1], cols[k] : cols[k + 1]] = block
    return out
