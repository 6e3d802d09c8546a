"""Estimates and criteria under statsmodels' names."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from numbers import Real
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from scipy import stats

from .._fit.base import Fit, needs_exact
from .._fit.model import FittedModel
from ..inference._coefficients.contrasts import Coefficients, WaldTest, wald_chi2
from ..inference._variances import VarianceEstimates

__all__ = ["Estimates"]


class Estimates:
    """Fixed effects with their standard errors, and what the likelihood says.

    Attributes
    ----------
    fitted : the fitted model
    """

    #: reads the fixed effects by rules for their covariance and degrees of freedom
    _read_coefficients: ClassVar[Callable[..., Coefficients]]

    def __init__(self, fitted: FittedModel) -> None:
        self.fitted = fitted

    def __repr__(self) -> str:
        return (
            f"<{type(self).__name__}: {self.nobs:g} observations, log-likelihood {self.llf:.4f}; "
            "summary() prints the tables>"
        )

    @property
    def _fit(self) -> Fit:
        return self.fitted.fit

    @property
    def nobs(self) -> float:
        """Number of observations: the sum of the weights.

        Examples
        --------
        >>> from skmixed import MixedLinearRegressor
        >>> from skmixed.datasets import make_mixed_regression
        >>> X, y = make_mixed_regression(random_state=0)
        >>> results = MixedLinearRegressor(groups="group").fit(X, y).results_
        >>> results.nobs
        1000.0
        """
        return self._fit.n

    @property
    def df_resid(self) -> float:
        """Observations less coefficients, of which ``alpha`` leaves an effective number.

        Examples
        --------
        >>> from skmixed import MixedLinearRegressor
        >>> from skmixed.datasets import make_mixed_regression
        >>> X, y = make_mixed_regression(random_state=0)
        >>> results = MixedLinearRegressor(groups="group").fit(X, y).results_
        >>> results.df_resid
        997.0
        """
        return self._fit.df_resid

    @property
    def scale(self) -> float:
        """Residual variance; one where there is none.

        Examples
        --------
        >>> from skmixed import MixedLinearRegressor
        >>> from skmixed.datasets import make_mixed_regression
        >>> X, y = make_mixed_regression(random_state=0)
        >>> results = MixedLinearRegressor(groups="group").fit(X, y).results_
        >>> round(results.scale, 2)
        1.33
        """
        return float(self._fit.sigma2)

    @property
    def llf(self) -> float:
        """The (restricted) log-likelihood with all constants, at the estimates and without what
        ``alpha`` adds to it.  With ``solver_="iterative"`` it has a Monte-Carlo error, which the
        summary prints.

        Examples
        --------
        >>> from skmixed import MixedLinearRegressor
        >>> from skmixed.datasets import make_mixed_regression
        >>> X, y = make_mixed_regression(random_state=0)
        >>> results = MixedLinearRegressor(groups="group").fit(X, y).results_
        >>> round(results.llf, 1)
        -1681.7
        """
        return self._fit.loglik

    @property
    def reml(self) -> bool:
        """Whether the likelihood is restricted.

        Examples
        --------
        >>> from skmixed import MixedLinearRegressor
        >>> from skmixed.datasets import make_mixed_regression
        >>> X, y = make_mixed_regression(random_state=0)
        >>> results = MixedLinearRegressor(groups="group").fit(X, y).results_
        >>> results.reml
        True
        """
        return self._fit.criterion.reml

    @property
    def converged(self) -> bool:
        """Whether the search ended at an optimum.

        Examples
        --------
        >>> from skmixed import MixedLinearRegressor
        >>> from skmixed.datasets import make_mixed_regression
        >>> X, y = make_mixed_regression(random_state=0)
        >>> results = MixedLinearRegressor(groups="group").fit(X, y).results_
        >>> results.converged
        True
        """
        return self._fit.optimum.converged

    @property
    def n_params(self) -> float:
        """Number of parameters: fixed effects, covariances, and the residual variance where there
        is one.  With ``alpha`` the fixed effects count by what the data decide of them.

        Examples
        --------
        >>> from skmixed import MixedLinearRegressor
        >>> from skmixed.datasets import make_mixed_regression
        >>> X, y = make_mixed_regression(random_state=0)
        >>> results = MixedLinearRegressor(groups="group").fit(X, y).results_
        >>> results.n_params
        5
        """
        return self._fit.n_parameters

    @property
    def aic(self) -> float:
        """Akaike's criterion.

        Examples
        --------
        >>> from skmixed import MixedLinearRegressor
        >>> from skmixed.datasets import make_mixed_regression
        >>> X, y = make_mixed_regression(random_state=0)
        >>> results = MixedLinearRegressor(groups="group").fit(X, y).results_
        >>> round(results.aic, 1)
        3373.4
        """
        needs_exact(self._fit, "AIC")
        return 2.0 * self.n_params - 2.0 * self.llf

    @property
    def bic(self) -> float:
        """Schwarz's criterion, which counts observations.

        Examples
        --------
        >>> from skmixed import MixedLinearRegressor
        >>> from skmixed.datasets import make_mixed_regression
        >>> X, y = make_mixed_regression(random_state=0)
        >>> results = MixedLinearRegressor(groups="group").fit(X, y).results_
        >>> round(results.bic, 1)
        3397.9
        """
        needs_exact(self._fit, "BIC")
        return float(np.log(self.nobs)) * self.n_params - 2.0 * self.llf

    @property
    def fingerprint(self) -> tuple[Any, ...]:
        """Sums that tell the rows and responses of one fit from those of another.

        A pickled model keeps them.

        Examples
        --------
        >>> from skmixed import MixedLinearRegressor
        >>> from skmixed.datasets import make_mixed_regression
        >>> X, y = make_mixed_regression(random_state=0)
        >>> results = MixedLinearRegressor(groups="group").fit(X, y).results_
        >>> len(results.fingerprint)
        8
        """
        return self.fitted.fingerprint

    @property
    def _names(self) -> list[str]:
        return self.fitted.coefficient_names

    @property
    def params(self) -> pd.Series:
        """Fixed effects.

        Examples
        --------
        >>> from skmixed import MixedLinearRegressor
        >>> from skmixed.datasets import make_mixed_regression
        >>> X, y = make_mixed_regression(random_state=0)
        >>> results = MixedLinearRegressor(groups="group").fit(X, y).results_
        >>> results.params.round(2).to_dict()
        {'Intercept': 0.03, 'x0': 1.1, 'x1': 2.0}
        """
        found = self._fit.coefficients[self._fit.units.independent]
        return pd.Series(found, index=self._names, name="coef")

    @property
    def bse(self) -> pd.Series:
        """Standard errors: ``sqrt diag sigma^2 (X'V^-1X)^-1``, or from the joint information of
        covariances and coefficients where the model is not linear.

        Examples
        --------
        >>> from skmixed import MixedLinearRegressor
        >>> from skmixed.datasets import make_mixed_regression
        >>> X, y = make_mixed_regression(random_state=0)
        >>> results = MixedLinearRegressor(groups="group").fit(X, y).results_
        >>> results.bse.round(3).to_dict()
        {'Intercept': 0.118, 'x0': 0.039, 'x1': 0.039}
        """
        variances = np.diag(self._fit.coefficient_covariance)
        return pd.Series(np.sqrt(np.maximum(variances, 0.0)), index=self._names, name="std_err")

    @property
    def fe_params(self) -> pd.Series:
        """The same as ``params``.

        Examples
        --------
        >>> from skmixed import MixedLinearRegressor
        >>> from skmixed.datasets import make_mixed_regression
        >>> X, y = make_mixed_regression(random_state=0)
        >>> results = MixedLinearRegressor(groups="group").fit(X, y).results_
        >>> results.fe_params.round(2).to_dict()
        {'Intercept': 0.03, 'x0': 1.1, 'x1': 2.0}
        """
        return self.params

    @property
    def bse_fe(self) -> pd.Series:
        """The same as ``bse``.

        Examples
        --------
        >>> from skmixed import MixedLinearRegressor
        >>> from skmixed.datasets import make_mixed_regression
        >>> X, y = make_mixed_regression(random_state=0)
        >>> results = MixedLinearRegressor(groups="group").fit(X, y).results_
        >>> results.bse_fe.round(3).to_dict()
        {'Intercept': 0.118, 'x0': 0.039, 'x1': 0.039}
        """
        return self.bse

    def cov_params(self) -> pd.DataFrame:
        """Covariance matrix of the fixed effects.

        Returns
        -------
        DataFrame

        Examples
        --------
        >>> from skmixed import MixedLinearRegressor
        >>> from skmixed.datasets import make_mixed_regression
        >>> X, y = make_mixed_regression(random_state=0)
        >>> results = MixedLinearRegressor(groups="group").fit(X, y).results_
        >>> results.cov_params().shape
        (3, 3)
        """
        covariance = self._fit.coefficient_covariance
        return pd.DataFrame(covariance, index=self._names, columns=self._names)

    @property
    def tvalues(self) -> pd.Series:
        """Fixed effects divided by their standard errors.

        Examples
        --------
        >>> from skmixed import MixedLinearRegressor
        >>> from skmixed.datasets import make_mixed_regression
        >>> X, y = make_mixed_regression(random_state=0)
        >>> results = MixedLinearRegressor(groups="group").fit(X, y).results_
        >>> results.tvalues.round(1).to_dict()
        {'Intercept': 0.3, 'x0': 28.0, 'x1': 51.4}
        """
        return (self.params / self.bse.where(self.bse > 0)).rename("z")

    @property
    def pvalues(self) -> pd.Series:
        """Two-sided, from the normal distribution.

        Examples
        --------
        >>> from skmixed import MixedLinearRegressor
        >>> from skmixed.datasets import make_mixed_regression
        >>> X, y = make_mixed_regression(random_state=0)
        >>> results = MixedLinearRegressor(groups="group").fit(X, y).results_
        >>> results.pvalues.round(2).to_dict()
        {'Intercept': 0.78, 'x0': 0.0, 'x1': 0.0}
        """
        p = 2.0 * stats.norm.sf(np.abs(self.tvalues))
        return pd.Series(p, index=self._names, name="p_value")

    def conf_int(self, alpha: float = 0.05) -> pd.DataFrame:
        """Normal confidence limits of the fixed effects.

        Parameters
        ----------
        alpha : float, default=0.05
            One less the level.

        Returns
        -------
        DataFrame
            Columns 0 and 1.

        Raises
        ------
        ValueError
            For an alpha that is not between 0 and 1.

        Examples
        --------
        >>> from skmixed import MixedLinearRegressor
        >>> from skmixed.datasets import make_mixed_regression
        >>> X, y = make_mixed_regression(random_state=0)
        >>> results = MixedLinearRegressor(groups="group").fit(X, y).results_
        >>> results.conf_int().loc["x0"].round(2).to_list()
        [1.02, 1.17]
        """
        if not isinstance(alpha, Real) or not 0 < alpha < 1:
            raise ValueError(
                f"alpha={alpha!r} is not a probability.\n"
                "Use a number between 0 and 1, such as 0.05."
            )
        half = stats.norm.isf(alpha / 2.0) * self.bse
        return pd.DataFrame({0: self.params - half, 1: self.params + half})

    @property
    def wald_chi2(self) -> WaldTest:
        """Joint test that every coefficient but the intercept is zero.

        Examples
        --------
        >>> from skmixed import MixedLinearRegressor
        >>> from skmixed.datasets import make_mixed_regression
        >>> X, y = make_mixed_regression(random_state=0)
        >>> results = MixedLinearRegressor(groups="group").fit(X, y).results_
        >>> results.wald_chi2.df
        2
        """
        slopes = self._slopes
        covariance = self._fit.coefficient_covariance
        found = self._fit.coefficients[self._fit.units.independent]
        return wald_chi2(found[slopes], covariance[np.ix_(slopes, slopes)])

    @property
    def _slopes(self) -> list[int]:
        """Positions of the coefficients other than the intercept."""
        return list(range(int(self.fitted.names.intercept), len(self._names)))

    @cached_property
    def _variances(self) -> VarianceEstimates:
        return VarianceEstimates.of(self._fit)

    def _coefficients(
        self, df: str = "normal", cov: str = "model", clusters: Any = None
    ) -> Coefficients:
        return self._read_coefficients(self.fitted, df, cov, clusters)
