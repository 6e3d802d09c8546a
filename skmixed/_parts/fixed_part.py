"""What the coefficients are, and what they multiply."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator

from .._fit.model import FittedModel
from .._results.by_level import coefficients_by_level


class FixedPart(BaseEstimator):
    """Coefficients by level, and the columns of the fixed effects.

    Attributes
    ----------
    coef_ : ndarray of shape (n_fixed_effects,)
    coef_names_ : ndarray of str of shape (n_fixed_effects,)
    intercept_ : float
    """

    coef_: np.ndarray
    coef_names_: np.ndarray
    intercept_: float

    @property
    def _model(self) -> FittedModel:
        raise NotImplementedError

    def coefficients_by_level(self, factor: str | None = None) -> pd.DataFrame:
        """Fixed effects plus the conditional modes of every level, as lme4's ``coef()``.

        The line of each level: ``beta + b_j``, an effect that does not vary being the same for all
        of them.  Effects that vary around zero, without a fixed effect, come first.

        Parameters
        ----------
        factor : str, default=None
            A grouping factor.  None: the only one; of several all, one below the other.

        Returns
        -------
        DataFrame
            A row per level, a column per coefficient, ``Intercept`` among them.  Of several factors
            the index is ``factor, level``, and what does not vary with a factor has its fixed
            effect.

        Raises
        ------
        ValueError
            For a factor that is not there.

        Examples
        --------
        >>> from skmixed import MixedLinearRegressor
        >>> from skmixed.datasets import make_mixed_regression
        >>> X, y = make_mixed_regression(random_state=0)
        >>> model = MixedLinearRegressor(random_effects="(1 + x0 | group)").fit(X, y)
        >>> model.coefficients_by_level().loc[0].round(2).to_dict()
        {'Intercept': 1.56, 'x0': 1.13, 'x1': 1.99}
        """
        return coefficients_by_level(self._model, factor)

    def fixed_design(self, X: Any) -> pd.DataFrame | np.ndarray:
        """The columns that ``coef_`` multiplies.

        ``fixed_design(X) @ coef_ + intercept_`` is the linear predictor of
        ``predict(X, kind="population")``, but for an offset.  Grouping columns are not among them,
        terms of a formula are evaluated, and columns that were dropped are there, with coefficients
        of 0: what tools for linear models need, such as ``shap.LinearExplainer((coef_,
        intercept_), fixed_design(X))``.

        Parameters
        ----------
        X : table or array of shape (n_rows, n_columns)
            As for ``predict``; grouping columns may be missing.

        Returns
        -------
        DataFrame or ndarray of shape (n_rows, n_fixed_effects)
            With the index of X and ``coef_names_`` for columns where X is a pandas table.

        Examples
        --------
        >>> from skmixed import MixedLinearRegressor
        >>> from skmixed.datasets import make_mixed_regression
        >>> X, y = make_mixed_regression(random_state=0)
        >>> model = MixedLinearRegressor(formula="x0 * x1 + (1 | group)").fit(X, y)
        >>> model.fixed_design(X).columns.to_list()
        ['x0', 'x1', 'x0:x1']
        """
        reader = self._model.reader
        columns = reader.read(X).X[:, : reader.n_fixed]
        if not isinstance(X, pd.DataFrame):
            return columns
        names = list(reader.names[: reader.n_fixed])
        return pd.DataFrame(columns, index=X.index, columns=names)
