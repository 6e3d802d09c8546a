"""What the fixed effects say of the columns of a random-effects term, from cross-products alone.

Where the columns Z of a term are combinations ``X C`` of the fixed effects, the fixed part of the
model is ``X beta = Z m`` plus what others say, with

    m = argmin | Z m - X_S beta_S |,

S being the fixed effects that take part in C: ``C_S^-1 beta_S`` where these are as many as the
columns of Z.  So the mean of a slope does not depend on how the fixed effects spell its column.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from scipy.linalg import solve_triangular

from .._algebra.columns import orthogonalised
from .._model.terms import ONES, Term
from .dependencies import NOTHING, regression
from .frame import Frame

SAME = 1e-6  # a column is a combination when this share of its norm, or less, is left
DIGITS = 1e-14  # of a sum of squares


class Means(NamedTuple):
    """Means of the effects of a term.

    Attributes
    ----------
    rows : (q, kept) derivatives in the coefficients of the frame's kept columns
    known : (q,) whether the fixed effects have such a column; the mean is zero elsewhere
    """

    rows: np.ndarray
    known: np.ndarray


@dataclass(frozen=True, eq=False)
class Counterparts:
    """Combinations of the fixed effects that are columns of the random effects.

    Attributes
    ----------
    frame, terms : units of the columns, and the random-effects terms
    kept : positions of the fixed effects that are not aliased, among the candidates
    gram, n : cross-products of the pool's columns, and the number of observations
    """

    frame: Frame
    terms: tuple[Term, ...]
    kept: np.ndarray
    gram: np.ndarray
    n: float

    def means(self, k: int) -> Means:
        """Of the effects of term k."""
        own, known = self._coordinates(k)
        q = len(known)
        rows = np.zeros((q, len(self.kept)))
        C = np.column_stack([own[:, known], *self._company(k)])
        P = self._root.T @ C
        chosen = np.flatnonzero(np.any(orthogonalised(P)[1] != 0.0, axis=0))
        places = np.flatnonzero(known)[chosen[chosen < np.sum(known)]]
        if not len(places):
            return Means(rows, np.zeros(q, dtype=bool))
        support = self._support(C[:, chosen])
        explained = self._root.T @ self._back[:, support]
        found = np.linalg.lstsq(P[:, chosen], explained, rcond=None)[0]
        rows[places] = found[: len(places)] @ self._mixing[support]
        return Means(rows, np.isin(np.arange(q), places))

    def _company(self, k):
        """Columns that vary together with those of a term: the constant, and those of the other
        terms of its factor.
        """
        others = [
            j for j, t in enumerate(self.terms) if j != k and t.factor == self.terms[k].factor
        ]
        constant = () if self._constant is None else (self._constant[:, None],)
        return *constant, *(C[:, known] for C, known in map(self._coordinates, others))

    def _support(self, C):
        """Kept fixed effects that take part in combinations of the frame's columns."""
        standard = np.abs(self._mixing @ C)
        varying = standard[int(self.frame.fit_intercept) :]
        largest = np.max(varying, axis=0, initial=0.0)
        largest = np.where(largest > 0, largest, np.max(standard, axis=0, initial=0.0))
        return np.any(standard > NOTHING * largest, axis=1)

    def _coordinates(self, k):
        """A term's columns, in units of the data, on the frame's kept columns, and which are
        combinations of them.
        """
        term = self.terms[k]
        pool = self._pool_columns(k)
        inverse = np.linalg.inv(self.frame.bases[k])
        c = regression(self.gram, self._own, pool)
        left, size = self._leftover(pool, c)
        is_one = self.frame.varying.sources[pool] == ONES
        if self._constant is not None:
            c[:, is_one] = self._constant[:, None] / self.frame.varying.scales[pool][is_one]
            left[is_one] = left[:, is_one] = 0.0
        C = c @ inverse
        rest = np.einsum("ir,ij,jr->r", inverse, left, inverse)
        scale = np.diag(inverse) ** 2
        own = scale * np.diag(self.gram)[pool]
        known = rest <= SAME**2 * scale * size + DIGITS * own
        for r, source in enumerate(term.sources):
            place = self._places.get(source)
            if place is not None:
                C[:, r] = self._exact(place)
                known[r] = True
        return C, known

    def _leftover(self, pool, c):
        """Cross-products of what the kept columns leave of pool columns, and squared norms of the
        columns around their means, where there is an intercept.
        """
        products = self.gram[np.ix_(pool, pool)]
        size = np.diag(products).copy()
        if self.frame.fit_intercept:
            first = self._own[0]
            size -= self.gram[first, pool] ** 2 / self.gram[first, first]
        return products - c.T @ self.gram[np.ix_(self._own, pool)], size

    def _pool_columns(self, k):
        term = self.terms[k]
        before = sum(t.size for t in self.terms[:k] if t.factor == term.factor)
        return np.array(self.frame.effects[term.factor][before : before + term.size])

    @cached_property
    def _own(self):
        """Pool columns of the kept fixed effects."""
        return self.frame.fixed[self.kept]

    @cached_property
    def _places(self):
        """Positions among the kept columns by raw column; the intercept is ONES."""
        sources = self.frame.candidates.sources[self.kept]
        return {int(source): place for place, source in enumerate(sources)}

    def _exact(self, place):
        """A fixed effect in units of the data on the frame's kept columns."""
        candidate = self.kept[place]
        columns = self.frame.candidates
        found = columns.scales[candidate] * self._back[:, place]
        shift = columns.shifts[candidate]
        return found + shift * self._constant if shift else found

    @cached_property
    def _constant(self):
        """The constant on the frame's kept columns; None where it is no combination of them."""
        if self.frame.fit_intercept:
            return self._back[:, 0]
        sums = self.n * self.frame.means @ self.frame.mixing[:, self.kept]
        found = np.linalg.solve(self.gram[np.ix_(self._own, self._own)], sums)
        return found if self.n - sums @ found <= SAME**2 * self.n else None

    @cached_property
    def _mixing(self):
        return self.frame.mixing[np.ix_(self.kept, self.kept)]

    @cached_property
    def _back(self):
        """Standardised columns are the frame's times it."""
        return solve_triangular(self._mixing, np.eye(len(self.kept)))

    @cached_property
    def _root(self):
        """Cholesky factor of the cross-products of the kept columns."""
        return np.linalg.cholesky(self.gram[np.ix_(self._own, self._own)])
