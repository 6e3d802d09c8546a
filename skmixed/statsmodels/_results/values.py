"""Estimates, with the labels of the data."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy import stats

from ...results import MixedResults
from .._estimates import Estimates
from .._fitting import Assembled
from .._inputs.labels import Labels
from .._params import MixedLMParams


class Found(NamedTuple):
    """What a fit found.

    Attributes
    ----------
    assembled : the fitted model, and where everything is in it
    blocks : columns of exog_re whose effects are correlated
    estimates : in statsmodels' order
    """

    assembled: Assembled
    blocks: list[list[int]]
    estimates: Estimates


class Values:
    """Parameters with their standard errors, and what the likelihood says."""

    use_t = False
    cov_pen = None
    fe_pen = None

    def __init__(self, model: Any, found: Found, *, reml: bool, hist: Any = None) -> None:
        self.model = model
        self.reml = reml
        self.method = "REML" if reml else "ML"
        self.hist = hist
        self._found = found
        self.results_ = MixedResults(found.assembled.fitted)
        self._copy_sizes(model)
        self._take(found.estimates)

    def _copy_sizes(self, model: Any) -> None:
        self.k_fe, self.k_re, self.k_re2, self.k_vc = model.sizes
        self.k_constant = model.k_constant
        self.nobs = model.nobs
        self.use_sqrt = model.use_sqrt
        self.df_resid = int(self.results_.df_resid)
        self.df_modelwc = self.k_fe + self.k_re2 + self.k_vc
        self.converged = bool(self.results_.converged)
        self.llf = float(self.results_.llf)
        self.aic = float(self.results_.aic)
        self.bic = float(self.results_.bic)

    def _take(self, estimates: Estimates) -> None:
        """Vectors and matrices, with their labels."""
        labels = self.model.labels
        names = self.model.data
        self.scale = estimates.scale
        self.vcomp = estimates.vcomp
        self._take_params(estimates, labels, names.param_names)
        self.fe_params = labels.series(estimates.fixed, names.xnames)
        self.bse_fe = labels.series(np.asarray(self.bse)[: self.k_fe], names.xnames)
        self.bse_re = labels.series(estimates.std_errors, names.param_names[self.k_fe :])
        self.cov_re = labels.frame(estimates.cov_re, names.exog_re_names)
        with np.errstate(invalid="ignore", divide="ignore"):
            found = [estimates.cov_re / self.scale, self.vcomp / self.scale]
        self.cov_re_unscaled = labels.frame(found[0], names.exog_re_names)
        self.params_object = MixedLMParams.from_components(
            estimates.fixed, found[0], vcomp=found[1]
        )

    def _take_params(self, estimates: Estimates, labels: Labels, names: list[str]) -> None:
        """Everything that is as long as params."""
        self.params = labels.series(estimates.params, names)
        self._covariance = estimates.covariance
        with np.errstate(invalid="ignore", divide="ignore"):
            self.bse = labels.series(np.sqrt(np.diag(self._covariance)), names)
            self.tvalues = self.params / self.bse
            normalized = self._covariance / self.scale
        self.pvalues = labels.series(2.0 * stats.norm.sf(np.abs(self.tvalues)), names)
        self.normalized_cov_params = labels.frame(normalized, names)

    def cov_params(self) -> Any:
        """Covariance matrix of ``params``.

        Fixed effects have ``(X'V^-1X)^-1``, and are not correlated with the variances.

        Returns
        -------
        DataFrame or ndarray of shape (k, k)

        Examples
        --------
        >>> import skmixed.statsmodels as sm
        >>> from skmixed.datasets import make_mixed_regression
        >>> X, y = make_mixed_regression(random_state=0)
        >>> result = sm.mixedlm("y ~ x0 + x1", X.assign(y=y), groups="group").fit()
        >>> result.cov_params().shape
        (4, 4)
        """
        return self.model.labels.frame(self._covariance, self.model.data.param_names)

    def conf_int(self, alpha: float = 0.05, cols: Any = None) -> Any:
        """Normal confidence limits of ``params``.

        Parameters
        ----------
        alpha : float, default=0.05
            One less the level.
        cols : array-like of int, default=None
            Positions of some parameters.

        Returns
        -------
        DataFrame or ndarray of shape (k, 2)

        Examples
        --------
        >>> import skmixed.statsmodels as sm
        >>> from skmixed.datasets import make_mixed_regression
        >>> X, y = make_mixed_regression(random_state=0)
        >>> result = sm.mixedlm("y ~ x0 + x1", X.assign(y=y), groups="group").fit()
        >>> result.conf_int().loc["x0"].round(2).to_list()
        [1.02, 1.17]
        """
        names = self.model.data.param_names
        params, half = np.asarray(self.params), stats.norm.isf(alpha / 2.0) * np.asarray(self.bse)
        limits = np.column_stack([params - half, params + half])
        if cols is not None:
            limits, names = limits[cols], list(np.array(names, dtype=object)[cols])
        return self.model.labels.frame(limits, names, columns=[0, 1])
