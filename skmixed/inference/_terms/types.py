"""What analyses of variance of types I, II and III test: a hypothesis ``L b = 0`` for every term.

A term is tested by two models, the larger of which is the smaller with the columns of the term.
Models are spaces of columns; with X the columns that were kept and the smaller one's columns ``X
C``, L is what vanishes on C:  ``L C = 0``.  So columns that were dropped count as what they are,
combinations of others.

    I    the terms before; orthogonal in X'X, as in SAS and lmerTest
    II   all terms but those that contain it; within the covariance of the whole model, as in car
    III  all other columns in sum-to-zero coding
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from ..._fit.model import FittedModel
from .._coefficients.terms import ModelTerm, are_dropped, relatives
from .recoding import differences, recoded, zero_sums

DROPPED = "dropped: it depends on columns before it"
CONFOUNDED = "not estimable: its columns depend on those of other terms"
NOTHING = np.zeros(0, dtype=int)
INDEPENDENT = 1e-7  # share of the largest singular value below which columns depend on others


class TermHypothesis(NamedTuple):
    """``L b = 0`` in the coefficients that were kept; ``note`` says why there is none."""

    L: np.ndarray
    note: str = ""


class ColumnSpaces:
    """The columns of a model in those that were kept.

    Attributes
    ----------
    model : fitted
    terms : its terms
    covariance : of the coefficients that were kept
    """

    def __init__(self, model: FittedModel, terms: Sequence[ModelTerm], covariance: np.ndarray):
        self.model = model
        self.covariance = covariance
        self.kept = model.fit.units.independent
        dropped = are_dropped(model, terms)
        self.terms = [t for t in terms if t not in dropped]
        absent = {k for t in dropped for k in t.columns.tolist()}
        everything = np.arange(len(model.names.fixed))
        self.present = np.array([k for k in everything if k not in absent], dtype=int)

    @cached_property
    def scales(self) -> np.ndarray:
        """Of the columns that were kept."""
        return self.model.fit.units.standard.scales

    @cached_property
    def standardised(self) -> np.ndarray:
        """All columns, (kept, candidates), with what the kept ones are divided by taken out."""
        dependencies = self.model.fit.units.dependencies
        found = np.zeros((len(self.kept), len(self.model.names.fixed)))
        found[np.arange(len(self.kept)), self.kept] = 1.0
        dropped = dependencies.dropped
        if len(dropped):
            N = dependencies.null
            found[:, dropped] = -np.linalg.solve(N[dropped].T, N[self.kept].T).T
        candidates = dependencies.frame.candidates
        back = np.diag(candidates.scales)
        if self.model.reader.intercept:
            back[0] += np.where(np.arange(len(back)) > 0, candidates.shifts, 0.0)
        return found @ back

    @cached_property
    def with_zero_sums(self) -> np.ndarray | None:
        """Columns in sum-to-zero coding; None where the coding is not known."""
        return recoded(self.model, zero_sums)

    @cached_property
    def with_differences(self) -> np.ndarray:
        """Columns as differences from the first level, where the coding is known."""
        found = recoded(self.model, differences)
        return self.standardised if found is None else self.standardised @ found

    def in_differences(self, L: np.ndarray, term: ModelTerm) -> np.ndarray:
        """The rows of a hypothesis that are about one difference each.

        Degrees of freedom of several rows depend on which rows these are; so they do not depend on
        the coding, and are those of lmerTest.
        """
        own = (L / self.scales) @ self.with_differences[:, term.columns]
        if own.shape[0] != own.shape[1] or np.linalg.cond(own) > 1.0 / INDEPENDENT:
            return L
        return np.linalg.solve(own, L)

    def vanishing(self, columns: np.ndarray, recoding: np.ndarray | None = None) -> np.ndarray:
        """L, in the units of the data, that is zero on some columns: independent rows."""
        C = self.standardised if recoding is None else self.standardised @ recoding
        C = C[:, columns]
        has_intercept = self.model.reader.intercept and 0 in columns
        C = C[int(has_intercept) :]
        sizes = np.linalg.norm(C, axis=0)
        L = _left_null(C[:, sizes > 0] / sizes[sizes > 0])
        if has_intercept:
            L = np.column_stack([np.zeros(len(L)), L])
        return L * self.scales

    def others(self, term: ModelTerm, *more: ModelTerm) -> np.ndarray:
        """Columns of everything but some terms."""
        left_out = np.concatenate([t.columns for t in (term, *more)])
        return np.setdiff1d(self.present, left_out)

    def names_of(self, columns: np.ndarray) -> list[str]:
        """Those of some columns that were dropped."""
        return [self.model.names.fixed[k] for k in columns if k not in self.kept]


def _left_null(C):
    """Orthonormal rows with ``L C = 0``."""
    if not C.size:
        return np.eye(len(C))
    U, values, _ = np.linalg.svd(C, full_matrices=True)
    rank = int(np.sum(values > INDEPENDENT * values[0]))
    return U[:, rank:].T


def sequential(spaces: ColumnSpaces) -> list[TermHypothesis]:
    """Type I."""
    W = spaces.model.fit.units.root_of_columns
    own = [np.flatnonzero(np.isin(spaces.kept, term.columns)) for term in spaces.terms]
    first = np.setdiff1d(np.arange(len(W)), np.concatenate([NOTHING, *own]))
    order = np.concatenate([first, *own])
    R = np.linalg.qr(W[:, order], mode="r")
    rows = np.zeros(R.shape)
    rows[:, order] = R / np.diag(R)[:, None]
    ends = np.cumsum([len(columns) for columns in (first, *own)])
    return [TermHypothesis(rows[start:end]) for start, end in pairwise(ends)]


def marginal(spaces: ColumnSpaces) -> list[TermHypothesis]:
    """Type II: a term with those that contain it, against these alone."""
    return [_among_relatives(spaces, term) for term in spaces.terms]


def _among_relatives(spaces, term):
    more = relatives(term, spaces.terms)
    L = spaces.vanishing(spaces.others(term, *more))
    if more:
        inner = spaces.vanishing(np.union1d(spaces.others(term, *more), term.columns))
        L = _orthogonal_to(L, inner, spaces.covariance)
    return _tested(spaces, term, L)


def _tested(spaces, term, L):
    if not len(L):
        return _confounded(spaces)
    return TermHypothesis(spaces.in_differences(L, term))


def _orthogonal_to(L, inner, V):
    """Combinations of the rows of L that are not correlated with those of ``inner``."""
    if not len(inner):
        return L
    L, inner = _in_standard_errors(L, V), _in_standard_errors(inner, V)
    U, _, _ = np.linalg.svd(L @ V @ inner.T)
    return U[:, len(inner) :].T @ L  # inner is within L: as many singular values are not zero


def _in_standard_errors(L, V):
    """Rows that are uncorrelated and of variance one."""
    values, vectors = np.linalg.eigh(L @ V @ L.T)
    return (vectors / np.sqrt(np.maximum(values, np.finfo(float).tiny))).T @ L


def averaged(spaces: ColumnSpaces) -> list[TermHypothesis]:
    """Type III: averaged over the levels of what a term interacts with."""
    return [_average(spaces, term) for term in spaces.terms]


def _average(spaces, term):
    more = relatives(term, spaces.terms)
    A = spaces.with_zero_sums if more else None
    if more and A is None:
        return _nothing(
            spaces,
            f"{more[0].name} contains it, and how its columns are coded is not known: use a "
            "formula, or type=2",
        )
    L = spaces.vanishing(spaces.others(term), A)
    missing = [name for other in (term, *more) for name in spaces.names_of(other.columns)]
    if more and missing and len(L) < len(term.columns):
        return _empty_cell(spaces, missing)
    return _tested(spaces, term, L)


def _empty_cell(spaces, missing):
    return _nothing(
        spaces,
        f"not estimable: an average over cells of which some have no rows ({', '.join(missing)} "
        "dropped); type=2 is",
    )


def _confounded(spaces):
    return _nothing(spaces, CONFOUNDED)


def _nothing(spaces, note):
    return TermHypothesis(np.zeros((0, len(spaces.kept))), note)


#: by type
HYPOTHESES: dict[int, Callable[[ColumnSpaces], list[TermHypothesis]]] = {
    1: sequential,
    2: marginal,
    3: averaged,
}
