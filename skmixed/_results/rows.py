"""What a fit says of the rows it was made from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd

from .._fit.model import FittedModel
from .._fit.parts import by_row
from ..inference._influence.residuals import residuals_of
from .estimates import Estimates

__all__ = ["RowResults"]


class RowResults(Estimates):
    """Fitted values, residuals and predictions."""

    #: predictions of a fitted model for new rows
    _predictions: ClassVar[Callable[..., Any]]

    #: gives a fitted model its rows back
    _attached: ClassVar[Callable[..., FittedModel]]

    def attach(self, X: Any, y: Any, *, groups: Any = None, sample_weight: Any = None) -> Self:
        """Give the rows of the fit back to a model that was saved without them.

        A pickled model keeps estimates, not data.  With its rows it answers again what needs them:
        fitted values and residuals, robust covariances, bootstrap, influence, and most tables of a
        classifier.  The estimator of these results has them too.  Of chunks a linear model keeps
        where its rows can be read again, never the rows.

        Parameters
        ----------
        X : table or array of shape (n_rows, n_columns), or chunks
            What was passed to ``fit``, in the same order; after ``from_formula(...,
            missing="drop")`` without the rows that were left out.
        y : array-like of shape (n_rows,) or (n_rows, 2), or str
            The same responses; of a formula, its left side evaluated; of chunks the name of their
            column.
        groups : array-like, default=None
            Labels, where they were passed to ``fit`` as well.
        sample_weight : array-like of shape (n_rows,) or str, default=None
            Weights, where they were passed to ``fit`` as well; of chunks the name of their column.

        Returns
        -------
        MixedResults
            These results.

        Raises
        ------
        ValueError
            For other rows, responses, groups or weights than those of the fit.

        Examples
        --------
        >>> import pickle
        >>> from skmixed import MixedLinearRegressor
        >>> from skmixed.datasets import make_mixed_regression
        >>> X, y = make_mixed_regression(random_state=0)
        >>> model = MixedLinearRegressor(groups="group").fit(X, y)
        >>> loaded = pickle.loads(pickle.dumps(model))
        >>> loaded.results_.attach(X, y).resid.head(2).round(2).to_list()
        [-1.09, -0.49]
        """
        self.fitted = self._attached(self.fitted, X, y, groups, sample_weight)
        return self

    @property
    def n_missing(self) -> int:
        """Number of rows that ``from_formula(..., missing="drop")`` left out.

        Examples
        --------
        >>> from skmixed import MixedLinearRegressor
        >>> from skmixed.datasets import make_mixed_regression
        >>> X, y = make_mixed_regression(random_state=0)
        >>> results = MixedLinearRegressor(groups="group").fit(X, y).results_
        >>> results.n_missing
        0
        """
        return self.fitted.n_missing

    @property
    def fittedvalues(self) -> pd.Series | np.ndarray:
        """Conditional fitted values of the training rows; a Series where X was a pandas table.

        Examples
        --------
        >>> from skmixed import MixedLinearRegressor
        >>> from skmixed.datasets import make_mixed_regression
        >>> X, y = make_mixed_regression(random_state=0)
        >>> results = MixedLinearRegressor(groups="group").fit(X, y).results_
        >>> results.fittedvalues.head(2).round(2).to_list()
        [4.3, 7.13]
        """
        return self._by_row(self._fitted_means())

    @property
    def resid(self) -> pd.Series | np.ndarray:
        """Response minus conditional fitted values.

        Examples
        --------
        >>> from skmixed import MixedLinearRegressor
        >>> from skmixed.datasets import make_mixed_regression
        >>> X, y = make_mixed_regression(random_state=0)
        >>> results = MixedLinearRegressor(groups="group").fit(X, y).results_
        >>> results.resid.head(2).round(2).to_list()
        [-1.09, -0.49]
        """
        return self._by_row(residuals_of(self.fitted, "response"))

    @property
    def resid_pearson(self) -> pd.Series | np.ndarray:
        """Residuals in standard deviations: :func:`skmixed.inference.residuals`, "pearson".

        Examples
        --------
        >>> from skmixed import MixedLinearRegressor
        >>> from skmixed.datasets import make_mixed_regression
        >>> X, y = make_mixed_regression(random_state=0)
        >>> results = MixedLinearRegressor(groups="group").fit(X, y).results_
        >>> results.resid_pearson.head(2).round(2).to_list()
        [-0.95, -0.43]
        """
        return self._by_row(residuals_of(self.fitted, "pearson"))

    @property
    def resid_standardized(self) -> pd.Series | np.ndarray:
        """The same, each in its own standard deviation, which leverage makes smaller.

        Examples
        --------
        >>> from skmixed import MixedLinearRegressor
        >>> from skmixed.datasets import make_mixed_regression
        >>> X, y = make_mixed_regression(random_state=0)
        >>> results = MixedLinearRegressor(groups="group").fit(X, y).results_
        >>> results.resid_standardized.head(2).round(2).to_list()
        [-1.0, -0.45]
        """
        return self._by_row(residuals_of(self.fitted, "standardized"))

    def _fitted_means(self) -> np.ndarray:
        mean = self.fitted.fit.family.mean
        predictor = self.fitted.predictor
        return by_row(self.fitted, lambda part: mean(predictor(*part.read())))

    def _by_row(self, values: np.ndarray) -> pd.Series | np.ndarray:
        index = self.fitted.index
        return values if index is None else pd.Series(values, index=index)

    def predict(self, X: Any = None, **options: Any) -> Any:
        """Predicted means: the estimator's, with its options; the fitted values without X.

        Parameters
        ----------
        X : table or array of shape (n_rows, n_columns), default=None
            As for the estimator's ``predict``.
        **options
            ``groups``, ``kind`` and ``return_std`` of the estimator.

        Returns
        -------
        ndarray of shape (n_rows,)
            Probabilities of the event for a classifier.

        Examples
        --------
        >>> from skmixed import MixedLinearRegressor
        >>> from skmixed.datasets import make_mixed_regression
        >>> X, y = make_mixed_regression(random_state=0)
        >>> results = MixedLinearRegressor(groups="group").fit(X, y).results_
        >>> results.predict(X[:3], kind="population").shape
        (3,)
        """
        return self.fittedvalues if X is None else self._predictions(self.fitted, X, **options)
