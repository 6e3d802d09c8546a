"""The rows of a fit: those of the mixed model, the columns of the fixed part, and the folds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    StratifiedGroupKFold,
    StratifiedKFold,
    check_cv,
)

from .._data.rows import Given, Rows
from .._fit.training import Training, training_of, weights_of
from .._model.predictor import LinearPredictor
from .._reader import Reader, Spec
from .._report.crowding import counted, refuse_boundless
from .._sums.source import InMemory
from ._columns import open_split
from ._parts import Folds


@dataclass(frozen=True, eq=False)
class FitRows:
    """What a fit alternates over.

    Attributes
    ----------
    training : responses and weights, and how the rows are read again
    rows, codes : of the mixed model, without an offset
    columns : of the fixed part
    """

    training: Training
    rows: Rows
    codes: list[np.ndarray]
    columns: Any

    @classmethod
    def read(
        cls, spec: Spec, X: Any, y: Any, groups: Any, sample_weight: Any, coded: Callable
    ) -> FitRows:
        """Of what was passed to ``fit``."""
        weights, keep = weights_of(sample_weight, X)
        given = Given(X, groups, sample_weight).take(keep).now()
        *opened, columns = open_split(spec, given.X, given.groups)
        training, codes = training_of(spec, opened, given, y, (weights, keep), coded)
        refuse_boundless(training.reader, counted(codes))
        return cls(training, opened[2], codes, columns)

    @property
    def reader(self) -> Reader:
        """Of new rows, without a fixed part."""
        return self.training.reader

    def source(self, offset: np.ndarray, y: np.ndarray | None = None) -> InMemory:
        """The rows with an offset; with other responses, if any are given."""
        n_levels = [factor.n_levels for factor in self.reader.factors]
        y = self.training.y if y is None else y
        return InMemory(self.rows.X, y, self.training.weights, self.codes, n_levels, offset)

    def random_part(self, effects: list[np.ndarray]) -> np.ndarray:
        """``Zb`` of all rows."""
        return LinearPredictor(np.zeros(0), 0.0, effects, self.reader.terms)(self.rows, self.codes)

    def finished(self, part: Any, offset: np.ndarray) -> Training:
        """The training rows of a model whose fixed part is fitted, with the offset of the fit."""
        reader = replace(self.reader, door=replace(self.reader.door, part=part))
        return replace(self.training, reader=reader, offset=offset)

    def folds(self, cv: Any, rng: np.random.RandomState, *, is_classifier: bool) -> Folds | None:
        """Train and test rows; None for ``cv=None``.

        A number of folds holds whole levels of the first factor where it has as many.
        """
        if cv is None:
            return None
        y = self.training.y
        first = self.codes[0] if self.codes else None
        if isinstance(cv, Integral):
            levels = self.reader.factors[0].n_levels if self.codes else 0
            cv = _splitter(int(cv), levels, rng, is_classifier)
        splitter = check_cv(cv, y, classifier=is_classifier)
        groups = first if _asks_for_groups(splitter) else None
        found = list(splitter.split(np.zeros((len(y), 1)), y, groups))
        if not hasattr(cv, "split"):
            found = _of_kept(found, self.training.keep)
        _check_partition(found, len(y))
        return found


def _splitter(count, levels, rng, is_classifier):
    if levels >= count:
        return StratifiedGroupKFold(count) if is_classifier else GroupKFold(count)
    kind = StratifiedKFold if is_classifier else KFold
    return kind(count, shuffle=True, random_state=int(rng.randint(2**31 - 1)))


def _asks_for_groups(splitter):
    """Whether a splitter makes use of groups; those that have nothing to say about it may."""
    if not hasattr(splitter, "get_metadata_routing"):
        return True
    return bool(splitter.get_metadata_routing().split.requests.get("groups"))


def _of_kept(folds, keep):
    """Folds of all rows that were passed as folds of those that count; ``keep`` says which do."""
    if keep is None:
        return folds
    place = np.cumsum(keep) - 1
    return [tuple(place[rows[keep[rows]]] for rows in map(np.asarray, fold)) for fold in folds]


def _check_partition(folds, n):
    tested = np.bincount(np.concatenate([test for _, test in folds]), minlength=n)
    if len(tested) > n or np.any(tested != 1):
        raise ValueError(
            "cv: some rows are in no test fold, or in several.\n"
            "Use a splitter whose test folds are a partition, such as KFold or GroupKFold."
        )
