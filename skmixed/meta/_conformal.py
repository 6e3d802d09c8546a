"""Conformal intervals: as many standard errors as held-out rows needed.

The score of a row is what its prediction missed by without it, in the standard errors that the
mixed model gives such a prediction.  With the leverage h of a row of a known level, ``v = sigma^2``
times it being its posterior variance,

    |e| / (sigma sqrt(1 - h)),     e = y - f - x'beta - z'b,

is the score of the row left out of its level; that of a row of a new level is

    |y - f - mu| / sqrt(sigma^2 + z' Sigma z),

each level counting as one (the pooling of Dunn, Wasserman and Ramdas 2023, Distribution-free
prediction sets for two-layer hierarchical models, JASA 118).  f is that of the other folds.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .._data.checks import check_level
from .._fit.kinds import Kind
from .._fit.model import FittedModel
from .._fit.predictions import prediction_errors, read_rows
from .._fit.uncertainty import error_variances

MOST_LEVERAGE = 1.0 - 1e-9  # of a row: its prediction without itself is known from others


class Scores(NamedTuple):
    """Scores in ascending order, with the share that is at most each.

    One score that nobody knows, and that may be anything, counts as well.
    """

    values: np.ndarray
    shares: np.ndarray

    @classmethod
    def of(cls, values: np.ndarray, weights: np.ndarray, count: float) -> Scores:
        """Weighted scores that count as so many."""
        order = np.argsort(values)
        share = np.cumsum(weights[order]) / np.sum(weights) * count / (count + 1.0)
        return cls(values[order], share)

    def quantile(self, level: float) -> float:
        """What a share of the scores does not exceed; infinite where there are too few."""
        place = np.searchsorted(self.shares, level * (1.0 - 1e-12))
        return float(self.values[place]) if place < len(self.values) else np.inf


class Conformity(NamedTuple):
    """Scores of rows of known levels, and of new ones."""

    known: Scores
    new: Scores

    @classmethod
    def of(cls, model: FittedModel) -> Conformity:
        """Of the rows of a fit."""
        rows, codes = model.training.read()
        weights = model.training.weights
        w = np.ones(len(rows)) if weights is None else weights
        first = codes[0] if codes else np.arange(len(rows))
        sizes = np.bincount(first, w)
        known, new = _scores(model, rows, codes, w)
        return cls(
            Scores.of(known, w, float(np.sum(w))),
            Scores.of(new, w / sizes[first], float(np.sum(sizes > 0))),
        )

    def interval(
        self, model: FittedModel, X: Any, groups: Any, level: float, kind: Kind
    ) -> np.ndarray:
        """Limits of new observations, (n, 2)."""
        check_level(level)
        rows, codes = read_rows(model, X, groups, kind)
        std = np.sqrt(prediction_errors(model, rows, codes, kind, 1.0).variance)
        is_new = codes[0] < 0 if codes else np.ones(len(rows), dtype=bool)
        half = std * np.where(is_new, self.new.quantile(level), self.known.quantile(level))
        mean = model.predictor(rows, codes)
        return np.column_stack([mean - half, mean + half])


def _scores(model, rows, codes, w):
    """Of every row, left out of its levels, and as one of new levels."""
    fit = model.fit
    x, z = fit.units.columns(rows.X)
    unknown = [np.full(len(rows), -1)] * len(codes)
    leverage = w * error_variances(fit.linear, x, z, codes)
    variances = (
        1.0 - np.clip(leverage, 0.0, MOST_LEVERAGE),
        1.0 + error_variances(fit.linear, x, z, unknown),
    )
    missed = (np.abs(model.training.y - model.predictor(rows, each)) for each in (codes, unknown))
    return [_over(m, np.sqrt(fit.sigma2 * v)) for m, v in zip(missed, variances, strict=True)]


def _over(error, std):
    return np.divide(error, std, out=np.zeros_like(error), where=std > 0)
