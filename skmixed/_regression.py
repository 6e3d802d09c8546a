"""Predictions of linear models."""

from __future__ import annotations

from typing import Any, Literal, overload

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats
from sklearn.base import RegressorMixin

from ._data.checks import check_choice, check_level
from ._data.response import explained, finite_response
from ._engines import Answer, by_part
from ._estimator import MixedModel
from ._fit.kinds import Kind
from ._fit.model import FittedModel
from ._fit.predictions import predicted_means, prediction_errors, read_rows
from ._fit.training import read_again
from ._fit.updates.further import updated
from ._fit.updates.linear import update_linear


def _means(model: Any, *, return_std: bool = False, **options: Any) -> Answer:
    return Answer(count=1 + return_std)


class PredictsMeans(RegressorMixin, MixedModel):
    """A regressor: predictions are means, with errors that are normal."""

    #: variance of what a prediction misses besides, of the residual variance of the mixed model
    _error_of_means = 0.0

    def _updated(self, X: Any, y: Any, groups: Any, sample_weight: Any) -> FittedModel:
        model = self._model
        further = read_again(model.reader, X, y, groups, sample_weight, finite_response)
        return updated(model, *further, update_linear)

    @overload
    def predict(
        self,
        X: Any,
        *,
        groups: ArrayLike | None = ...,
        kind: Kind = ...,
        return_std: Literal[False] = ...,
    ) -> np.ndarray: ...

    @overload
    def predict(
        self,
        X: Any,
        *,
        groups: ArrayLike | None = ...,
        kind: Kind = ...,
        return_std: Literal[True],
    ) -> tuple[np.ndarray, np.ndarray]: ...

    @by_part(_means)
    def predict(
        self,
        X: Any,
        *,
        groups: ArrayLike | None = None,
        kind: Kind = "conditional",
        return_std: bool = False,
    ) -> np.ndarray | tuple[np.ndarray, np.ndarray]:
        """Predict the response.

        Parameters
        ----------
        X : table or array of shape (n_rows, n_columns)
            With the columns of the fit; grouping columns may be missing.  Of Dask's tables and
            arrays predictions are Dask's too, with the same partitions and index.
        groups : array-like, default=None
            Labels, where they were passed to ``fit`` as well.
        kind : {"conditional", "population", "marginal"}, default="conditional"
            "conditional" uses the estimated effects of known levels, and zero, their mean, for new
            ones; "population" sets every effect to zero; "marginal" averages over the distribution
            of all effects: the same mean.
        return_std : bool, default=False
            Also return the standard error of the predicted mean: of ``x'beta + z'b`` for
            "conditional" (new levels with their full variance), of ``x'beta`` for "population", and
            of a new level of every factor for "marginal".  Where a level is known it includes the
            uncertainty of the covariances (Kackar and Harville 1984), as glmmTMB's does.

        Returns
        -------
        ndarray of shape (n_rows,), or a pair of them

        Examples
        --------
        >>> from skmixed import MixedLinearRegressor
        >>> from skmixed.datasets import make_mixed_regression
        >>> X, y = make_mixed_regression(random_state=0)
        >>> model = MixedLinearRegressor(groups="group").fit(X, y)
        >>> mean, std = model.predict(X.head(2), return_std=True)
        >>> std.round(2)
        array([0.35, 0.36])
        """
        found = predicted_means(self._model, X, groups, kind, return_std)
        if not return_std:
            return found
        mean, std = found
        return mean, np.hypot(std, np.sqrt(self._error_of_means))

    @by_part(lambda model, **options: Answer(("low", "high")))
    def predict_interval(
        self,
        X: Any,
        *,
        groups: ArrayLike | None = None,
        level: float = 0.95,
        target: Literal["observation", "mean"] = "observation",
        kind: Kind = "conditional",
    ) -> np.ndarray:
        """Interval for a new observation, or for its mean.

        ``mean +- t * sqrt(v)`` with v the mean squared error of the prediction, the covariances
        being estimated (Kackar and Harville 1984; Prasad and Rao 1990): for a known level the
        effects are known up to their posterior variance, a new level adds its full variance, and an
        observation adds sigma^2.  v is a little more than the square of the standard error of
        :meth:`predict`, which is too small on average.  t is from Student's distribution on
        Satterthwaite's ``2 v^2 / Var(v)`` degrees of freedom, at least half of the levels beyond
        the effects of the factor that has fewest of these, at most n - p.

        Parameters
        ----------
        X : table or array of shape (n_rows, n_columns)
            As for :meth:`predict`.
        groups : array-like, default=None
            Labels, where they were passed to ``fit`` as well.
        level : float, default=0.95
            Of the interval.
        target : {"observation", "mean"}, default="observation"
            What is to lie inside.
        kind : {"conditional", "population", "marginal"}, default="conditional"
            As in :meth:`predict`.

        Returns
        -------
        ndarray of shape (n_rows, 2)
            Lower and upper limits.

        Raises
        ------
        ValueError
            For levels, targets and kinds that do not exist, and as :meth:`predict`.

        Examples
        --------
        >>> from skmixed import MixedLinearRegressor
        >>> from skmixed.datasets import make_mixed_regression
        >>> X, y = make_mixed_regression(random_state=0)
        >>> model = MixedLinearRegressor(groups="group").fit(X, y)
        >>> model.predict_interval(X.head(1)).round(1)
        array([[1.9, 6.7]])
        """
        check_choice("target", target, ("observation", "mean"))
        check_level(level)
        model = self._model
        rows, codes = read_rows(model, X, groups, kind)
        noise = 1.0 if target == "observation" else self._error_of_means / model.fit.sigma2
        variance, df = prediction_errors(model, rows, codes, kind, noise)
        half = stats.t.ppf(0.5 + level / 2, df) * np.sqrt(variance)
        mean = model.predictor(rows, codes)
        return np.column_stack([mean - half, mean + half])

    def score(
        self,
        X: Any,
        y: ArrayLike,
        *,
        groups: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> float:
        """Coefficient of determination R^2 of the conditional predictions.

        Parameters
        ----------
        X : table or array of shape (n_rows, n_columns)
            As for :meth:`predict`.
        y : array-like of shape (n_rows,)
            Responses.
        groups : array-like, default=None
            Labels, where they were passed to ``fit`` as well.
        sample_weight : array-like of shape (n_rows,), default=None
            Weights of the rows.

        Returns
        -------
        float

        Examples
        --------
        >>> from skmixed import MixedLinearRegressor
        >>> from skmixed.datasets import make_mixed_regression
        >>> X, y = make_mixed_regression(random_state=0)
        >>> round(MixedLinearRegressor(groups="group").fit(X, y).score(X, y), 2)
        0.84
        """
        return explained(y, self.predict(X, groups=groups), sample_weight)
