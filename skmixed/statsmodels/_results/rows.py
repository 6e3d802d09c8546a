"""Random effects, fitted values and predictions."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from .._estimates import conditional_covariance, effects_of, modes_of
from .values import Values


class RowValues(Values):
    """What is known of groups and rows."""

    @cached_property
    def random_effects(self) -> dict[Any, pd.Series]:
        """Conditional modes of the random effects, a Series per group.

        Also where a variance is zero, which statsmodels refuses.

        Examples
        --------
        >>> import skmixed.statsmodels as sm
        >>> from skmixed.datasets import make_mixed_regression
        >>> X, y = make_mixed_regression(random_state=0)
        >>> result = sm.mixedlm("y ~ x0 + x1", X.assign(y=y), groups="group").fit()
        >>> len(result.random_effects), result.random_effects[0].index.to_list()
        (100, ['group'])
        """
        model = self.model
        names = model.data.exog_re_names
        found = modes_of(
            self._found.assembled, self._found.blocks, names, model.components, model.grouping
        )
        pairs = zip(model.group_labels, found, strict=True)
        return {label: pd.Series(modes.values, index=modes.names) for label, modes in pairs}

    @cached_property
    def random_effects_cov(self) -> dict[Any, pd.DataFrame]:
        """Covariance matrices of the random effects given the data, one DataFrame per group.

        Given the parameters: ``G - G Z'V^-1 Z G``.

        Examples
        --------
        >>> import skmixed.statsmodels as sm
        >>> from skmixed.datasets import make_mixed_regression
        >>> X, y = make_mixed_regression(random_state=0)
        >>> result = sm.mixedlm("y ~ x0 + x1", X.assign(y=y), groups="group").fit()
        >>> result.random_effects_cov[0].shape
        (1, 1)
        """
        found = {}
        for g, label in enumerate(self.model.group_labels):
            Z, G, names = effects_of(self.model, g, np.asarray(self.cov_re), self.vcomp)
            covariance = conditional_covariance(Z, G, self.scale)
            found[label] = pd.DataFrame(covariance, index=names, columns=names)
        return found

    @cached_property
    def fittedvalues(self) -> Any:
        """Fixed effects and conditional modes of the rows of the fit.

        Examples
        --------
        >>> import skmixed.statsmodels as sm
        >>> from skmixed.datasets import make_mixed_regression
        >>> X, y = make_mixed_regression(random_state=0)
        >>> result = sm.mixedlm("y ~ x0 + x1", X.assign(y=y), groups="group").fit()
        >>> result.fittedvalues.head(2).round(2).to_list()
        [4.3, 7.13]
        """
        found = self._found.assembled
        own = self.results_.fittedvalues
        values = self.model.endog * 0.0 + np.asarray(own)
        shift = np.asarray(self.fe_params) - found.fitted.fit.coefficients[found.fixed]
        return self.model.labels.rows(values + self.model.exog @ shift)

    @cached_property
    def resid(self) -> Any:
        """Response less fitted values.

        Examples
        --------
        >>> import skmixed.statsmodels as sm
        >>> from skmixed.datasets import make_mixed_regression
        >>> X, y = make_mixed_regression(random_state=0)
        >>> result = sm.mixedlm("y ~ x0 + x1", X.assign(y=y), groups="group").fit()
        >>> result.resid.head(2).round(2).to_list()
        [-1.09, -0.49]
        """
        return self.model.labels.rows(self.model.endog - np.asarray(self.fittedvalues))

    def predict(self, exog: Any = None, transform: bool = True) -> Any:
        """Means by the fixed effects alone, as in statsmodels.

        ``fittedvalues`` have the random effects of the rows of the fit;
        ``MixedLinearRegressor.predict`` has those of the groups of new rows.

        Parameters
        ----------
        exog : table or array of shape (n_rows, k_fe), default=None
            New rows: a table with the variables of the formula, or the fixed effects' columns.
            None: the rows of the fit.
        transform : bool, default=True
            Whether the formula is evaluated on exog.

        Returns
        -------
        Series or ndarray of shape (n_rows,)
            A Series where exog is a pandas table.

        Examples
        --------
        >>> import skmixed.statsmodels as sm
        >>> from skmixed.datasets import make_mixed_regression
        >>> X, y = make_mixed_regression(random_state=0)
        >>> result = sm.mixedlm("y ~ x0 + x1", X.assign(y=y), groups="group").fit()
        >>> result.predict(X.head(2)).round(2).to_list()
        [2.77, 5.6]
        """
        found = self.model.fixed_columns(exog, transform)
        values = self.model.predict(np.asarray(self.fe_params), np.asarray(found))
        index = exog.index if isinstance(exog, pd.DataFrame | pd.Series) else None
        return values if index is None else pd.Series(values, index=index)
