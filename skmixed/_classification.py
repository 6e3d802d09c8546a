"""Predictions of models for two classes."""

from __future__ import annotations

from functools import partial
from typing import Any, Literal, cast, overload

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import ClassifierMixin

from ._data.class_weights import weighted_classes
from ._data.outcomes import read_outcomes
from ._engines import Answer, by_part
from ._estimator import MixedModel
from ._fit.kinds import Kind
from ._fit.model import FittedModel
from ._fit.predictions import averages, predicted_probabilities, read_rows
from ._fit.training import read_again
from ._fit.updates.further import updated
from ._fit.updates.glmm import update_glmm
from ._model.averages import Complemented


def _of_both(model: Any, *, return_std: bool = False, **options: Any) -> Answer:
    return Answer(model.classes_, count=1 + return_std)


class PredictsProbabilities(ClassifierMixin, MixedModel):
    """A classifier: predictions are probabilities, averaged over effects that are not known."""

    classes_: np.ndarray

    __metadata_request__predict_proba = {"groups": True}
    __metadata_request__predict_log_proba = {"groups": True}
    __metadata_request__decision_function = {"groups": True}

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        return tags

    def _updated(self, X: Any, y: Any, groups: Any, sample_weight: Any) -> FittedModel:
        model = self._model
        outcomes = read_outcomes(y)
        further = read_again(
            model.reader,
            X,
            outcomes.y,
            groups,
            outcomes.weights(X, sample_weight),
            lambda y: outcomes.coded_as(y, self.classes_),
            partial(weighted_classes, model.class_factors),
        )
        return updated(model, *further, update_glmm)

    @overload
    def predict_proba(
        self,
        X: Any,
        *,
        groups: ArrayLike | None = ...,
        kind: Kind = ...,
        return_std: Literal[False] = ...,
    ) -> np.ndarray: ...

    @overload
    def predict_proba(
        self,
        X: Any,
        *,
        groups: ArrayLike | None = ...,
        kind: Kind = ...,
        return_std: Literal[True],
    ) -> tuple[np.ndarray, np.ndarray]: ...

    @by_part(_of_both)
    def predict_proba(
        self,
        X: Any,
        *,
        groups: ArrayLike | None = None,
        kind: Kind = "conditional",
        return_std: bool = False,
    ) -> np.ndarray | tuple[np.ndarray, np.ndarray]:
        """Probabilities of both classes.

        Parameters
        ----------
        X : table or array of shape (n_rows, n_columns)
            With the columns of the fit.  Of Dask's tables and arrays predictions are Dask's too,
            with the same partitions and index.
        groups : array-like, default=None
            Labels, where they were passed to ``fit`` as well.
        kind : {"conditional", "population", "marginal"}, default="conditional"
            "conditional" uses the estimated effects of known levels and integrates over those of
            new ones; "population" sets every effect to zero: a typical level; "marginal" integrates
            over all effects: an average over levels.
        return_std : bool, default=False
            Also return standard errors by the delta method: from the uncertainty of the
            coefficients, of the effects of known levels, and of the covariances where effects are
            integrated over.

        Returns
        -------
        ndarray of shape (n_rows, 2), or a pair of them
            Columns in the order of ``classes_``; the standard errors of both are the same.

        Examples
        --------
        >>> from skmixed import MixedLogisticClassifier
        >>> from skmixed.datasets import make_mixed_classification
        >>> X, y = make_mixed_classification(random_state=0)
        >>> model = MixedLogisticClassifier(groups="group", n_quadrature=7).fit(X, y)
        >>> proba, std = model.predict_proba(X.head(1), return_std=True)
        >>> proba.round(2), std.round(2)
        (array([[0.17, 0.83]]), array([[0.08, 0.08]]))
        """
        return predicted_probabilities(self._model, X, groups, kind, return_std)

    @by_part(_of_both)
    def predict_log_proba(
        self, X: Any, *, groups: ArrayLike | None = None, kind: Kind = "conditional"
    ) -> np.ndarray:
        """Logarithms of :meth:`predict_proba`.

        Parameters
        ----------
        X : table or array of shape (n_rows, n_columns)
        groups : array-like, default=None
            Labels, where they were passed to ``fit`` as well.
        kind : {"conditional", "population", "marginal"}, default="conditional"
            As in :meth:`predict_proba`.

        Returns
        -------
        ndarray of shape (n_rows, 2)

        Examples
        --------
        >>> from skmixed import MixedLogisticClassifier
        >>> from skmixed.datasets import make_mixed_classification
        >>> X, y = make_mixed_classification(random_state=0)
        >>> model = MixedLogisticClassifier(groups="group", n_quadrature=7).fit(X, y)
        >>> model.predict_log_proba(X.head(1)).round(2)
        array([[-1.8 , -0.18]])
        """
        return self._logarithms(X, groups, kind)

    def _logarithms(self, X: Any, groups: Any, kind: Kind) -> np.ndarray:
        model = self._model
        found = averages(model, *read_rows(model, X, groups, kind), kind)
        return cast(Complemented, found).logarithms

    @by_part(lambda model, **options: Answer())
    def decision_function(
        self, X: Any, *, groups: ArrayLike | None = None, kind: Kind = "conditional"
    ) -> np.ndarray:
        """Log-odds of the second class: ``log(p / (1 - p))`` with p from :meth:`predict_proba`.

        Parameters
        ----------
        X : table or array of shape (n_rows, n_columns)
        groups : array-like, default=None
            Labels, where they were passed to ``fit`` as well.
        kind : {"conditional", "population", "marginal"}, default="conditional"
            As in :meth:`predict_proba`.

        Returns
        -------
        ndarray of shape (n_rows,)

        Examples
        --------
        >>> from skmixed import MixedLogisticClassifier
        >>> from skmixed.datasets import make_mixed_classification
        >>> X, y = make_mixed_classification(random_state=0)
        >>> model = MixedLogisticClassifier(groups="group", n_quadrature=7).fit(X, y)
        >>> model.decision_function(X.head(1)).round(2)
        array([1.61])
        """
        zeros, ones = self._logarithms(X, groups, kind).T
        return ones - zeros

    @by_part(lambda model, **options: Answer(dtype=model.classes_.dtype))
    def predict(
        self, X: Any, *, groups: ArrayLike | None = None, kind: Kind = "conditional"
    ) -> np.ndarray:
        """Labels of the more probable class.

        Parameters
        ----------
        X : table or array of shape (n_rows, n_columns)
        groups : array-like, default=None
            Labels, where they were passed to ``fit`` as well.
        kind : {"conditional", "population", "marginal"}, default="conditional"
            As in :meth:`predict_proba`.

        Returns
        -------
        ndarray of shape (n_rows,)

        Examples
        --------
        >>> from skmixed import MixedLogisticClassifier
        >>> from skmixed.datasets import make_mixed_classification
        >>> X, y = make_mixed_classification(random_state=0)
        >>> model = MixedLogisticClassifier(groups="group", n_quadrature=7).fit(X, y)
        >>> model.predict(X.head(3))
        array([1, 1, 0])
        """
        zeros, ones = self._logarithms(X, groups, kind).T
        return self.classes_[(ones > zeros).astype(int)]

    def score(
        self,
        X: Any,
        y: ArrayLike,
        *,
        groups: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> float:
        """Accuracy of the conditional predictions.

        Parameters
        ----------
        X : table or array of shape (n_rows, n_columns)
            As for :meth:`predict`.
        y : array-like of shape (n_rows,) or (n_rows, 2)
            Labels, or counts as at fit: each observation is right or wrong.
        groups : array-like, default=None
            Labels of the groups, where they were passed to ``fit`` as well.
        sample_weight : array-like of shape (n_rows,), default=None
            Weights of the rows.

        Returns
        -------
        float

        Examples
        --------
        >>> from skmixed import MixedLogisticClassifier
        >>> from skmixed.datasets import make_mixed_classification
        >>> X, y = make_mixed_classification(random_state=0)
        >>> model = MixedLogisticClassifier(groups="group", n_quadrature=7).fit(X, y)
        >>> round(model.score(X, y), 2)
        0.81
        """
        outcomes = read_outcomes(y)
        return outcomes.accuracy(self.predict(X, groups=groups), self.classes_, sample_weight)

    def _responses(self, drawn: np.ndarray) -> np.ndarray:
        return self.classes_[drawn.astype(int)]
