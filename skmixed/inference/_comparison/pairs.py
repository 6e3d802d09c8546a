"""Two fitted models side by side: whether their likelihoods may be compared, and how their columns
are related.

Columns of the smaller model are combinations of the larger one's, ``X_S = X_L A`` and ``Z_S = Z_L
A``, or they are not; A is found on the rows of the fit, or by the names of columns where these rows
are not kept.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
import pandas as pd

CONTAINED = 1e-6  # share of the norm of a column that others may leave unexplained


def comparable(smaller, larger):
    """The two models side by side, once it is certain that their likelihoods may be compared."""
    _check_methods(smaller, larger)
    by_name = smaller.results_._rows is None or larger.results_._rows is None
    pair = (ByName if by_name else ByRows)(smaller, larger)
    if not pair.same_data:
        raise ValueError(
            "the models were fitted to different rows, responses or weights.\n"
            "Fit both to the same rows in the same order (drop rows with missing values first)."
        )
    if smaller.results_.reml and not pair.same_fixed_effects:
        raise ValueError(
            "restricted likelihoods of models with different fixed effects cannot be compared.\n"
            "Refit both with method='ml'."
        )
    return pair


def _check_methods(smaller, larger):
    if (smaller._fit.sigma2 is None) != (larger._fit.sigma2 is None):
        raise ValueError(
            "a regressor and a classifier have likelihoods of different responses.\nCompare two of a kind."
        )
    if smaller.results_.reml != larger.results_.reml:
        raise ValueError(
            "one model was fitted by REML, the other by ML.\nRefit both with the same method."
        )
    if _points(smaller) != _points(larger) and 0 not in (_points(smaller), _points(larger)):
        raise ValueError(
            f"n_quadrature: {_points(smaller)} and {_points(larger)} points give different approximations.\n"
            "Refit both with the same n_quadrature."
        )


def _points(est):
    """Quadrature points; 0 where nothing is integrated, or nothing needs approximation."""
    return (
        0 if est._fit.sigma2 is not None or not est._fit.n_variance_parameters else est._fit.points
    )


class Pair:
    """Two models, and how the columns of the smaller are combinations of the larger one's.

    Kinds of pairs say ``same_data``, ``fixed``, ``shift``, ``factor`` and ``effects``.
    """

    def __init__(self, smaller, larger):
        self.smaller = smaller
        self.larger = larger

    @property
    def both(self):
        return self.smaller, self.larger

    @property
    def same_fixed_effects(self):
        """Whether the fixed effects span the same columns."""
        return self.fixed is not None and self.smaller._fit.rank == self.larger._fit.rank


class ByRows(Pair):
    """Combinations found on the rows of the fit."""

    @cached_property
    def rows(self):
        return [est.results_._training() for est in self.both]

    @property
    def frames(self):
        return [est._fit.design.frame for est in self.both]

    @cached_property
    def pools(self):
        return [
            frame.pool(training.rows.X)
            for frame, training in zip(self.frames, self.rows, strict=True)
        ]

    @property
    def same_data(self):
        first, second = self.rows
        weights = [np.ones(len(t.y)) if t.weights is None else t.weights for t in self.rows]
        return np.array_equal(first.y, second.y) and np.array_equal(*weights)

    @cached_property
    def fixed(self):
        """A with ``X_S = X_L A``; None where there is none."""
        designs = [est._fit.design for est in self.both]
        return combination(
            *(pool[:, d.frame.fixed[d.kept]] for pool, d in zip(self.pools, designs, strict=True))
        )

    @cached_property
    def shift(self):
        """What the restricted log-likelihood of the larger gains by its units of X."""
        if not self.larger.results_.reml:
            return 0.0
        first, second = (est._fit.design.frame.log_scale(est._fit.design.kept) for est in self.both)
        shift = first - second + np.linalg.slogdet(self.fixed)[1]
        return shift if abs(shift) > 1e-8 else 0.0

    def factor(self, f):
        """The larger model's factor with the levels of the smaller one's factor f.

        None where there is none.
        """
        codes = [[pd.factorize(c)[0] for c in training.codes] for training in self.rows]
        return next((g for g, c in enumerate(codes[1]) if np.array_equal(codes[0][f], c)), None)

    def effects(self, f, g):
        """A with ``Z_S = Z_L A`` for a pair of factors; None where there is none."""
        columns = (
            p[:, list(fr.effects[h])]
            for p, fr, h in zip(self.pools, self.frames, (f, g), strict=True)
        )
        return combination(*columns)


class ByName(Pair):
    """Combinations by the names of columns and factors, for models that were pickled without their
    rows.
    """

    shift = 0.0

    @property
    def labels(self):
        return [est.results_._labels for est in self.both]

    @property
    def same_data(self):
        return np.allclose(*(est.results_.fingerprint for est in self.both), rtol=1e-10, atol=0.0)

    @cached_property
    def fixed(self):
        """Columns of one name are the same where their means and deviations are."""
        return _selection(*(_moments(est) for est in self.both))

    def factor(self, f):
        first, second = (labels.factors for labels in self.labels)
        return second.index(first[f]) if first[f] in second else None

    def effects(self, f, g):
        A = _selection(self.labels[0].effects[f], self.labels[1].effects[g])
        if A is None:
            return None
        own = self.smaller._fit.design.factor_basis(f)
        other = self.larger._fit.design.factor_basis(g)
        return np.linalg.solve(other, A @ own)


def combination(columns, others):
    """A with ``columns = others A``, or None."""
    if not columns.shape[1]:
        return np.zeros((others.shape[1], 0))
    if not others.shape[1]:
        return None
    A = np.linalg.lstsq(others, columns, rcond=None)[0]
    left = np.linalg.norm(columns - others @ A, axis=0)
    return A if np.all(left <= CONTAINED * np.linalg.norm(columns, axis=0)) else None


def _moments(est):
    """Names of the fixed effects with the mean and standard deviation of their columns, to nine
    digits.
    """
    candidates = est._fit.design.frame.candidates
    kept = est._fit.design.kept
    numbers = zip(
        est.results_.params.index, candidates.shifts[kept], candidates.scales[kept], strict=True
    )
    return [(name, f"{shift:.9g}", f"{scale:.9g}") for name, shift, scale in numbers]


def _selection(names, others):
    """The same for columns that are known by name."""
    if not set(names) <= set(others):
        return None
    A = np.zeros((len(others), len(names)))
    A[[list(others).index(name) for name in names], np.arange(len(names))] = 1.0
    return A
