"""An elimination for every part of the levels, and what they say together."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import sparse

from ..roots import pivoted_root


class Explained(NamedTuple):
    """What is left of a reduction that is put together from parts.

    Attributes
    ----------
    explained : ``U' M U``
    """

    explained: np.ndarray


class ApartElimination:
    """The factorisation at one T, part by part.

    Attributes
    ----------
    T, roots : per factor its relative covariance, and a root of it
    parts : the eliminations
    log_determinant : their sum
    """

    def __init__(self, plan, T, roots=None, *, once=False):
        self.plan = plan
        self.T = T
        self.roots = [pivoted_root(t)[0] for t in T] if roots is None else roots
        self.parts = [part.eliminate(T, self.roots, once=once) for part in plan.parts]
        self.log_determinant = sum(part.log_determinant for part in self.parts)

    def reduce(self, U):
        """Forward elimination of right-hand sides, (q_f, k, m_f) per factor."""
        parts = zip(self.parts, self.plan.split(U), strict=True)
        return Explained(sum(part.reduce(own).explained for part, own in parts))

    def solve(self, U):
        """Effects and residual sums as :meth:`Elimination.solve` has them, and ``U' M U``."""
        parts = zip(self.parts, self.plan.split(U), strict=True)
        B, F, explained = zip(*(part.solve(own) for part, own in parts), strict=True)
        return self.plan.joined(B), self.plan.joined(F), sum(explained)

    def posterior(self):
        """Blocks of the covariance of the effects."""
        return ApartPosterior(self)

    def taken(self, Z):
        """Pairs (left, right) with ``ZMZ'`` the sum of ``left right'``, for sparse rows Z."""
        found = list(self._taken_by_parts(Z))
        if found:
            rows, left, right = zip(*found, strict=True)
            rows = np.concatenate(rows)
            gather = sparse.csc_matrix(
                (np.ones(len(rows)), rows, np.arange(len(rows) + 1)),
                shape=(Z.shape[0], len(rows)),
            )
            yield tuple(gather @ sparse.block_diag(own, format="csr") for own in (left, right))

    def _taken_by_parts(self, Z):
        """Rows of Z that a part concerns, and its pairs for these."""
        Z = Z.tocsc()[:, self.plan.columns()]
        stop = 0
        for part in self.parts:
            lo, hi = Z.indptr[[stop, stop := stop + part.plan.width]]
            if lo < hi:
                own = Z[:, stop - part.plan.width : stop].tocoo()
                rows, place = np.unique(own.row, return_inverse=True)
                some = sparse.csr_matrix(
                    (own.data, (place, own.col)), shape=(len(rows), own.shape[1])
                )
                yield from ((rows, left, right) for left, right in part.taken(some))


class ApartPosterior:
    """Diagonal blocks of ``Z'V^-1 Z`` and of the posterior covariance, part by part.

    Attributes
    ----------
    precisions : packed diagonal blocks of ``Z_f'V^-1 Z_f``, per factor
    covariances : those of the posterior covariance
    """

    def __init__(self, elimination):
        self.plan = elimination.plan
        self.parts = [part.posterior() for part in elimination.parts]
        self.precisions = self.plan.joined([part.precisions for part in self.parts])
        self.covariances = self.plan.joined([part.covariances for part in self.parts])

    def pairs(self):
        """Covariances of the levels that meet: (f, g) -> (q_f, q_g, pairs), in the order of the
        pair sums.
        """
        found = [part.pairs() for part in self.parts]
        return {
            key: sorting.joined([pairs[key] for pairs in found])
            for key, sorting in self.plan.pairs.items()
        }
