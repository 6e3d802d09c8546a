"""The design of a data set: its frame, its terms, and its sums or its rows."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.linalg import block_diag

from .._algebra.threads import blas_threads
from .._model.covariances import Covariances, PlacedTerm
from .._model.structures import STRUCTURES, Absent
from .blocks import make_blocks
from .crossprod import CrossProducts
from .frame import (
    ROWS_PER_CHUNK,
    Frame,
    kept_columns,
    make_frame,
    row_chunks,
    with_mixing,
    with_pilot,
)
from .onepass import cross_products


@dataclass(frozen=True)
class DesignBase:
    """The frame of a data set and the random-effects terms in it."""

    frame: Frame
    terms: tuple
    kept: np.ndarray  # positions of the fixed effects that are not aliased, among the candidates

    def covariance_model(self, absent=()):
        """Structures of the terms and their places in the factors.

        Terms of ``absent`` factors get none.
        """
        used = [0] * len(self.frame.effects)
        blocks = []
        for term in self.terms:
            structure = Absent if term.factor in absent else STRUCTURES[term.covariance]
            blocks.append(PlacedTerm(structure(term.size), term.factor, used[term.factor]))
            used[term.factor] += term.size
        return Covariances(blocks, used)

    def factor_basis(self, f):
        """R of a factor: effects in the user's units are R times those in the pool's."""
        bases = [
            R for R, term in zip(self.frame.bases, self.terms, strict=True) if term.factor == f
        ]
        return block_diag(*bases)


@dataclass(frozen=True)
class Design(DesignBase):
    """The cross-products of a data set with the frame they were made in: all a linear model
    needs."""

    cross: CrossProducts

    @classmethod
    def from_rows(cls, X, y, weights, codes, n_levels, terms, fit_intercept, n_fixed=None):
        """``X`` (n, k) floats, ``codes`` per factor integers below ``n_levels``, ``weights`` None
        or positive.

        The first ``n_fixed`` columns of X (default all) are fixed effects; terms may name any.
        """
        frame = make_frame(
            X, weights, terms, len(codes), fit_intercept, X.shape[1] if n_fixed is None else n_fixed
        )
        with blas_threads():
            frame = with_pilot(frame, X, y, weights)
            cross = cross_products(frame, X, y, weights, codes, n_levels)
        kept = kept_columns(frame, cross.gram[np.ix_(frame.fixed, frame.fixed)], cross.n)
        return cls(frame, tuple(terms), kept, cross.with_fixed(frame.fixed[kept]))


@dataclass(frozen=True)
class RowDesign(DesignBase):
    """The rows of a data set in the frame's columns, ordered by level: what a generalised linear
    model needs.
    """

    blocks: list

    @classmethod
    def from_rows(cls, X, y, weights, codes, n_levels, terms, fit_intercept, n_fixed=None):
        """As :meth:`Design.from_rows`."""
        frame = make_frame(
            X, weights, terms, len(codes), fit_intercept, X.shape[1] if n_fixed is None else n_fixed
        )
        with blas_threads():
            frame = with_mixing(frame, X, weights)
            pool, gram = _pooled(frame, X, weights)
        kept = kept_columns(frame, gram, len(X) if weights is None else np.sum(weights))
        z = [np.ascontiguousarray(pool[:, list(effects)].T) for effects in frame.effects]
        m = 1.0 if weights is None else weights
        return cls(
            frame,
            tuple(terms),
            kept,
            make_blocks(pool[:, frame.fixed[kept]], z, y, m, codes, n_levels),
        )

    def without_rows(self):
        """The design without its data."""
        return replace(self, blocks=[])


def _pooled(frame, X, weights):
    """Pool columns of all rows, and the cross-products of the fixed effects."""
    pool = np.empty((len(X), frame.response))
    gram = 0.0
    for rows in row_chunks(len(X), ROWS_PER_CHUNK):
        pool[rows] = frame.pool(X[rows])
        fixed = pool[rows, len(frame.varying) :]
        gram = gram + fixed.T @ (fixed if weights is None else weights[rows, None] * fixed)
    return pool, gram
