"""Two fitted models side by side: whether their likelihoods may be compared, and how their columns
are related.

Columns of the smaller model are combinations of the larger one's, ``X_S = X_L A`` and ``Z_S = Z_L
A``, or they are not; A is found on the rows of the fit, or by the names of columns where these rows
are not kept.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cached_property

import numpy as np
import pandas as pd

from ..._fit.base import Criterion
from ..._fit.model import FittedModel
from ..._fit.training import OFFSET_SUMS
from .._arguments import refuse_estimator

CONTAINED = 1e-6  # share of the norm of a column that others may leave unexplained
NO_SHIFT = 1e-8  # of log-likelihoods
SAME_SUMS = 1e-10  # relative difference of sums that are the same


def comparable(smaller: FittedModel, larger: FittedModel) -> Pair:
    """The two models side by side, once it is certain that their likelihoods may be compared."""
    for model in (smaller, larger):
        refuse_estimator(model, "likelihoods", "Compare predictions by cross-validation.")
    _check_criteria(smaller.fit.criterion, larger.fit.criterion)
    pair = pair_of(smaller, larger)
    if not pair.same_data:
        raise ValueError(
            "the models were fitted to different rows, responses or weights.\n"
            "Fit both to the same rows in the same order (drop rows with missing values first)."
        )
    if smaller.fit.criterion.reml and not pair.same_fixed_effects:
        raise ValueError(
            "restricted likelihoods of models with different fixed effects cannot be compared.\n"
            "Refit both with method='ml'."
        )
    return pair


def pair_of(smaller: FittedModel, larger: FittedModel) -> Pair:
    """The two side by side: by their rows where these are in memory."""
    keep_rows = smaller.has_rows_in_memory and larger.has_rows_in_memory
    return (ByRows if keep_rows else ByName)(smaller, larger)


def _check_criteria(first: Criterion, second: Criterion) -> None:
    if first.family != second.family:
        raise ValueError(
            "a regressor and a classifier have likelihoods of different responses.\n"
            "Compare two of a kind."
        )
    if first.reml != second.reml:
        raise ValueError(
            "one model was fitted by REML, the other by ML.\nRefit both with the same method."
        )
    if first.points != second.points and first.points and second.points:
        raise ValueError(
            f"n_quadrature: {first.points} and {second.points} points give different "
            "approximations.\nRefit both with the same n_quadrature."
        )


class Pair(ABC):
    """Two models, and how the columns of the smaller are combinations of the larger one's.

    Attributes
    ----------
    fixed : A with ``X_S = X_L A``; None where there is none
    shift : what the restricted log-likelihood of the larger gains by its units of X
    """

    fixed: np.ndarray | None
    shift: float

    def __init__(self, smaller: FittedModel, larger: FittedModel):
        self.smaller = smaller
        self.larger = larger

    @property
    def both(self) -> tuple[FittedModel, FittedModel]:
        """The two."""
        return self.smaller, self.larger

    @property
    @abstractmethod
    def same_data(self) -> bool:
        """Whether rows, responses and weights are the same."""

    @property
    def same_fixed_effects(self) -> bool:
        """Whether the fixed effects span the same columns."""
        return self.fixed is not None and self.smaller.fit.rank == self.larger.fit.rank

    @abstractmethod
    def factor(self, f: int) -> int | None:
        """The larger model's factor with the levels of the smaller one's factor f, if any."""

    @abstractmethod
    def effects(self, f: int, g: int) -> np.ndarray | None:
        """A with ``Z_S = Z_L A`` for a pair of factors; None where there is none."""


class ByRows(Pair):
    """Combinations found on the rows of the fit."""

    @cached_property
    def _rows(self):
        """Rows and codes of each."""
        return [model.training.read() for model in self.both]

    @cached_property
    def _columns(self):
        """Columns of the fixed effects, and of the effects of every factor."""
        return [
            model.fit.units.columns(rows.X)
            for model, (rows, _) in zip(self.both, self._rows, strict=True)
        ]

    @property
    def same_data(self):
        first, second = (model.training for model in self.both)
        weights = [np.ones(len(t.y)) if t.weights is None else t.weights for t in (first, second)]
        return np.array_equal(first.y, second.y) and np.array_equal(*weights)

    @cached_property
    def fixed(self):
        """Where the offsets differ, the larger model's columns must make up for it."""
        smaller, larger = (X for X, _ in self._columns)
        between = self._between_offsets
        A = combination(np.hstack([smaller, between]), larger)
        return None if A is None else A[:, : smaller.shape[1]]

    @property
    def _between_offsets(self):
        """The difference of the offsets as a column, none where they are the same."""
        known = [
            np.zeros(len(rows)) if rows.offset is None else rows.offset for rows, _ in self._rows
        ]
        between = known[0] - known[1]
        return between[:, None] if np.any(between) else np.empty((len(between), 0))

    @cached_property
    def shift(self):
        if not self.larger.fit.criterion.reml:
            return 0.0
        first, second = (model.fit.units.log_scale for model in self.both)
        shift = first - second + np.linalg.slogdet(self.fixed)[1]
        return shift if abs(shift) > NO_SHIFT else 0.0

    def factor(self, f):
        own, others = ([pd.factorize(c)[0] for c in codes] for _, codes in self._rows)
        return next((g for g, code in enumerate(others) if np.array_equal(own[f], code)), None)

    def effects(self, f, g):
        (_, own), (_, others) = self._columns
        return combination(own[f], others[g])


class ByName(Pair):
    """Combinations by the names of columns and factors, for models that were pickled without their
    rows.
    """

    shift = 0.0

    @property
    def same_data(self):
        return self._same_sums(slice(-OFFSET_SUMS))

    def _same_sums(self, of):
        first, second = (model.fingerprint for model in self.both)
        if min(len(first), len(second)) == 1:  # of rows in parts only their number is kept so
            first, second = ((n, *_moments_of_response(m)) for (n, *_), m in self._printed)
            return np.allclose(first, second, rtol=SAME_SUMS, atol=0.0)
        first, second = first[of], second[of]
        return np.allclose(first, second, rtol=SAME_SUMS, atol=0.0)

    @property
    def _printed(self):
        return [(model.fingerprint, model) for model in self.both]

    @cached_property
    def fixed(self):
        """Columns of one name are the same where their means and deviations are; what different
        offsets have to do with the columns is not known.
        """
        if not self._same_sums(slice(-OFFSET_SUMS, None)):
            return None
        return _selection(*(_moments(model) for model in self.both))

    def factor(self, f):
        own, others = (model.names.factors for model in self.both)
        return others.index(own[f]) if own[f] in others else None

    def effects(self, f, g):
        A = _selection(self.smaller.names.effects[f], self.larger.names.effects[g])
        if A is None:
            return None
        own = self.smaller.fit.units.basis(f)
        other = self.larger.fit.units.basis(g)
        return np.linalg.solve(other, A @ own)


def combination(columns: np.ndarray, others: np.ndarray) -> np.ndarray | None:
    """A with ``columns = others A``, or None."""
    if not columns.shape[1]:
        return np.zeros((others.shape[1], 0))
    if not others.shape[1]:
        return None
    A = np.linalg.lstsq(others, columns, rcond=None)[0]
    left = np.linalg.norm(columns - others @ A, axis=0)
    return A if np.all(left <= CONTAINED * np.linalg.norm(columns, axis=0)) else None


def _moments_of_response(model):
    """Number of observations, and the sum of squares of the response less its offset, from sums."""
    fit = model.fit
    frame, gram = fit.design.frame, fit.design.products[0]
    weights = np.zeros(len(gram))
    weights[frame.fixed] = frame.pilot
    weights[-1] = frame.y_scale
    return fit.n, weights @ gram @ weights


def _moments(model):
    """Names of the fixed effects with the mean and standard deviation of their columns, to nine
    digits.
    """
    standard = model.fit.units.standard
    found = zip(model.coefficient_names, standard.shifts, standard.scales, strict=True)
    return [(name, f"{shift:.9g}", f"{scale:.9g}") for name, shift, scale in found]


def _selection(names, others):
    """The same for columns that are known by name."""
    if not set(names) <= set(others):
        return None
    A = np.zeros((len(others), len(names)))
    A[[list(others).index(name) for name in names], np.arange(len(names))] = 1.0
    return A
