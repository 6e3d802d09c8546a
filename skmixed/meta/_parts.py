"""The fixed part: an estimator fitted to what the random effects leave, on all rows or out of fold.

A regressor explains ``y - Zb``.  A classifier has no offset; it is fitted to y with the weights

    (1 - p) / (1 - q)  of an event,    p / q  of any other row,

where q is what it said last, on its own, and p the probability with the random effects.  Then its
score equations at q are those of the likelihood with the offset, and its expected curvature too:
``p q (1 - p) + (1 - p) (1 - q) p = p (1 - p)``.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import expit, logit
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from sklearn.utils.parallel import Parallel, delayed

from .._data.tables import some_rows

LEAST_PROBABILITY = 1e-4  # of a fixed part: a probability of zero would have infinite log-odds

Folds = Sequence[tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True, eq=False)
class RegressorPart:
    """A fitted regressor."""

    estimator: Any

    def predicted(self, X: Any) -> np.ndarray:
        return np.asarray(self.estimator.predict(X), dtype=np.float64).ravel()


@dataclass(frozen=True, eq=False)
class ClassifierPart:
    """A fitted classifier, which answers with log-odds."""

    estimator: Any

    def predicted(self, X: Any) -> np.ndarray:
        proba = self.estimator.predict_proba(X)[:, 1]
        return logit(np.clip(proba, LEAST_PROBABILITY, 1.0 - LEAST_PROBABILITY))


@dataclass(frozen=True, eq=False)
class FixedPart:
    """An estimator to be fitted again and again to the same rows.

    Attributes
    ----------
    kind : RegressorPart or ClassifierPart
    estimator : that is cloned for every fit
    X : its columns
    folds : train and test rows; None for predictions in sample
    n_jobs : folds at a time
    """

    kind: Any
    estimator: Any
    X: Any
    folds: Folds | None
    n_jobs: int | None = None

    def fitted(self, target: np.ndarray, weights: np.ndarray | None, rows: Any = None) -> Any:
        """Fitted to some rows, or to all."""
        if rows is None:
            return self.kind(_fit(clone(self.estimator), self.X, target, weights))
        X, w = some_rows(self.X, rows), None if weights is None else weights[rows]
        return self.kind(_fit(clone(self.estimator), X, target[rows], w))

    def predictions(self, target: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
        """For every row, from the rows of other folds; in sample where there are none."""
        if self.folds is None:
            return self.fitted(target, weights).predicted(self.X)
        return self._of_folds(target, weights, [[train] for train, _ in self.folds])[0]

    def of_halves(
        self, target: np.ndarray, weights: np.ndarray | None, rng: np.random.RandomState
    ) -> np.ndarray:
        """Two for every row, (2, n), from halves of the rows of other folds, which share none."""
        mixed = [rng.permutation(train) for train, _ in self.folds or ()]
        return self._of_folds(target, weights, [np.array_split(rows, 2) for rows in mixed])

    def _of_folds(self, target, weights, parts):
        """Per row one prediction from every part of the rows of other folds."""
        tests = [test for _, test in self.folds]
        jobs = [
            delayed(self._predicted)(target, weights, rows, test)
            for own, test in zip(parts, tests, strict=True)
            for rows in own
        ]
        found = iter(Parallel(n_jobs=self.n_jobs)(jobs))
        out = np.empty((len(parts[0]), len(target)))
        for own, test in zip(parts, tests, strict=True):
            for k in range(len(own)):
                out[k, test] = next(found)
        return out

    def _predicted(self, target, weights, rows, test):
        return self.fitted(target, weights, rows).predicted(some_rows(self.X, test))


def _fit(estimator, X, target, weights):
    if weights is None:
        return estimator.fit(X, target)
    return estimator.fit(X, target, **{_weight_name(estimator): weights})


def _weight_name(estimator):
    """How an estimator calls the weights of its rows."""
    last = estimator
    prefix = ""
    while isinstance(last, Pipeline):
        prefix += f"{last.steps[-1][0]}__"
        last = last.steps[-1][1]
    parameters = inspect.signature(last.fit).parameters.values()
    known = any(p.name == "sample_weight" or p.kind is p.VAR_KEYWORD for p in parameters)
    if not known:
        raise ValueError(
            f"{type(last).__name__}: its fit takes no sample_weight, which is needed here.\n"
            "Choose an estimator that does, or for a regressor leave the weights out."
        )
    return f"{prefix}sample_weight"


def offset_weights(y: np.ndarray, own: np.ndarray, random: np.ndarray) -> np.ndarray:
    """By what the rows of a classifier are weighted, from its log-odds and the random part."""
    q, p = expit(own), expit(own + random)
    return np.where(y > 0.5, (1.0 - p) / (1.0 - q), p / q)


def seeded(estimator: Any, rng: np.random.RandomState) -> Any:
    """A clone that answers the same for the same rows: seeds that are None become numbers."""
    copy = clone(estimator)
    names = [name for name in sorted(copy.get_params(deep=True)) if _is_seed(name)]
    unset = [name for name in names if copy.get_params(deep=True)[name] is None]
    return copy.set_params(**{name: int(rng.randint(2**31 - 1)) for name in unset})


def _is_seed(name):
    return name == "random_state" or name.endswith("__random_state")
