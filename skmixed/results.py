"""What a fit has to say: statsmodels' names over the fitted value."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import pandas as pd
from scipy import stats

from ._boundary import LikelihoodRatioTest, random_effects_test
from ._contrasts import WaldTest, check_level, wald_chi2
from ._summary import linear_summary, logistic_summary
from ._variances import variance_estimates

__all__ = ["LogisticResults", "MixedResults"]


class MixedResults:
    """Estimates, standard errors and tests of a fitted mixed model, under statsmodels' names.

    Made by ``fit`` and found at ``est.results_``.  ``params`` and what goes with it are the fixed effects only; columns
    that were dropped because they depend on others do not appear.

    Attributes
    ----------
    llf, aic, bic : float
        (Restricted) log-likelihood with all constants, and the criteria from it; BIC counts observations.
    nobs : float
        Number of observations: the sum of the weights.
    scale : float
        Residual variance.
    reml : bool
    converged : bool
    """

    _has_residual = True

    def __init__(self, fit, labels, rows=None):
        self._fit, self._labels, self._rows = fit, labels, rows

    def __repr__(self):
        return f"<{type(self).__name__}: {self.nobs:g} observations, log-likelihood {self.llf:.4f}>"

    def __getstate__(self):
        # the data are not part of the result: a pickled model stays small
        return {"_fit": self._fit, "_labels": self._labels, "_rows": None}

    @property
    def nobs(self) -> float:
        return self._fit.n

    @property
    def df_resid(self) -> float:
        return self._fit.df_resid

    @property
    def scale(self) -> float:
        return self._fit.sigma2

    @property
    def llf(self) -> float:
        return self._fit.loglik

    @property
    def reml(self) -> bool:
        return self._fit.reml

    @property
    def converged(self) -> bool:
        return self._fit.optimum.converged

    @property
    def n_params(self) -> int:
        """Number of parameters: fixed effects, covariances, and the residual variance where there is one."""
        return self._fit.rank + self._fit.n_variance_parameters + self._has_residual

    @property
    def aic(self) -> float:
        return 2.0 * self.n_params - 2.0 * self.llf

    @property
    def bic(self) -> float:
        return np.log(self.nobs) * self.n_params - 2.0 * self.llf

    @property
    def _names(self):
        return [self._labels.fixed[k] for k in self._fit.design.kept]

    @property
    def params(self) -> pd.Series:
        """Fixed effects."""
        return pd.Series(self._fit.coefficients[self._fit.design.kept], index=self._names, name="coef")

    @property
    def bse(self) -> pd.Series:
        """Standard errors ``sqrt diag sigma^2 (X'V^-1X)^-1``."""
        variances = np.diag(self._fit.coefficient_covariance)
        return pd.Series(np.sqrt(np.maximum(variances, 0.0)), index=self._names, name="std_err")

    @property
    def fe_params(self) -> pd.Series:
        return self.params

    @property
    def bse_fe(self) -> pd.Series:
        return self.bse

    def cov_params(self) -> pd.DataFrame:
        """Covariance matrix of the fixed effects."""
        return pd.DataFrame(self._fit.coefficient_covariance, index=self._names, columns=self._names)

    @property
    def tvalues(self) -> pd.Series:
        return (self.params / self.bse.where(self.bse > 0)).rename("z")

    @property
    def pvalues(self) -> pd.Series:
        """Two-sided, from the normal distribution."""
        return pd.Series(2.0 * stats.norm.sf(np.abs(self.tvalues)), index=self._names, name="p_value")

    def conf_int(self, alpha: float = 0.05) -> pd.DataFrame:
        """Normal confidence limits of the fixed effects, columns 0 and 1."""
        half = stats.norm.ppf(0.5 + check_level(1.0 - alpha) / 2.0) * self.bse
        return pd.DataFrame({0: self.params - half, 1: self.params + half})

    @property
    def wald_chi2(self) -> WaldTest:
        """Joint test that every coefficient but the intercept is zero."""
        slopes = list(range(int(self._labels.intercept), len(self._names)))
        covariance = self._fit.coefficient_covariance
        return wald_chi2(self.params.to_numpy()[slopes], covariance[np.ix_(slopes, slopes)])

    def random_effects_test(self, method: str = "chibar") -> LikelihoodRatioTest:
        """Likelihood-ratio test against the model without random effects, same rows and same criterion."""
        if method != "chibar":
            raise ValueError(f"method={method!r} is not known.\nUse 'chibar'.")
        return random_effects_test(self._fit)

    @cached_property
    def _variances(self):
        return variance_estimates(self._fit)

    def variance_table(self, level: float = 0.95) -> pd.DataFrame:
        """Variances, covariances and the residual variance, one row each; Wald limits.

        Limits of variances are computed on the log scale, those of covariances are symmetric.  At the boundary there is
        no standard error.
        """
        found = self._variances
        low, high = found.intervals(level)
        rows = [(*self._labels.entry(k, r, c), self._sd_or_corr(k, r, c)) for k, r, c in found.entries]
        rows += [("Residual", "", "", np.sqrt(self.scale))] * self._has_residual
        table = pd.DataFrame(rows, columns=["factor", "effect", "effect2", "sd_or_corr"])
        table.insert(3, "estimate", found.estimates)
        return table.assign(std_error=found.std_errors, ci_low=low, ci_high=high)

    def _sd_or_corr(self, term, row, col):
        cov = self._fit.covariances[term]
        if row == col:
            return np.sqrt(cov[row, row])
        scale = np.sqrt(cov[row, row] * cov[col, col])
        return cov[row, col] / scale if scale > 0 else np.nan

    @property
    def cov_re(self) -> dict[str, pd.DataFrame]:
        """Covariance matrices of the random effects, one DataFrame per factor."""
        blocks = self._fit.model.assemble(self._fit.covariances)
        names = self._labels.factors
        return {n: pd.DataFrame(S, e, e) for n, S, e in zip(names, blocks, self._labels.effects, strict=True)}

    @property
    def random_effects(self) -> dict[str, pd.DataFrame]:
        """Conditional modes, one DataFrame (levels x effects) per factor."""
        return {
            name: pd.DataFrame(b, index=pd.Index(levels, name=name), columns=effects)
            for name, b, levels, effects in zip(
                self._labels.factors, self._fit.effects, self._labels.levels, self._labels.effects, strict=True
            )
        }

    @property
    def random_effects_cov(self) -> dict[str, np.ndarray]:
        """Covariances of the conditional modes given the parameters, (levels, q, q) per factor."""
        return {name: self._fit.effect_covariances(f) for f, name in enumerate(self._labels.factors)}

    def effects_table(self) -> pd.DataFrame:
        """Conditional modes and their standard errors given the parameters, one row per level and effect."""
        columns = ["factor", "level", "effect", "estimate", "std_error"]
        parts = [self._factor_effects(f) for f in range(len(self._labels.factors))]
        return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)

    def _factor_effects(self, f):
        levels, effects = self._labels.levels[f], self._labels.effects[f]
        variances = np.diagonal(self._fit.effect_covariances(f), axis1=1, axis2=2)
        return pd.DataFrame(
            {
                "factor": self._labels.factors[f],
                "level": np.repeat(np.asarray(levels, dtype=object), len(effects)),
                "effect": np.tile(np.asarray(effects, dtype=object), len(levels)),
                "estimate": self._fit.effects[f].ravel(),
                "std_error": np.sqrt(np.maximum(variances, 0.0)).ravel(),
            }
        )

    @property
    def fittedvalues(self) -> np.ndarray:
        """Conditional fitted values of the training rows."""
        return self._training().fitted()

    @property
    def resid(self) -> np.ndarray:
        """Response minus conditional fitted values."""
        return self._training().y - self.fittedvalues

    def _training(self):
        if self._rows is None:
            raise AttributeError(
                "The training rows are not kept in a copied or pickled model.\nUse predict on the data instead."
            )
        return self._rows

    def summary(self, level: float = 0.95):
        """Printed tables in Stata's arrangement, as a statsmodels Summary (text, HTML, LaTeX)."""
        return linear_summary(self, self._fit, self._labels, level)


class LogisticResults(MixedResults):
    """Estimates, standard errors and tests of a mixed logistic regression, under statsmodels' names.

    As :class:`MixedResults`; coefficients are changes of the log-odds of ``event``, the second class; ``scale`` is one,
    there is no residual variance, ``fittedvalues`` are probabilities and ``resid`` is zero or one less them.
    """

    _has_residual = False
    reml = False
    scale = 1.0

    def __init__(self, fit, labels, rows=None, event="1"):
        super().__init__(fit, labels, rows)
        self.event = event  # the class whose log-odds are modelled

    def __getstate__(self):
        return super().__getstate__() | {"event": self.event}

    @property
    def bse(self) -> pd.Series:
        """Standard errors from the joint information of covariances and coefficients."""
        return super().bse

    def odds_ratios(self, level: float = 0.95) -> pd.DataFrame:
        """``exp(params)`` with standard errors by the delta method and the exponentials of the confidence limits.

        Returns
        -------
        DataFrame
            ``odds_ratio, std_err, z, p_value, ci_low, ci_high`` by coefficient; z and p are those of ``params``.  The
            row of the intercept holds the odds where all columns and random effects are zero.
        """
        limits = self.conf_int(1.0 - level)
        with np.errstate(over="ignore"):
            ratios = np.exp(self.params)
            table = {
                "odds_ratio": ratios,
                "std_err": ratios * self.bse,
                "z": self.tvalues,
                "p_value": self.pvalues,
                "ci_low": np.exp(limits[0]),
                "ci_high": np.exp(limits[1]),
            }
        return pd.DataFrame(table)

    def summary(self, level: float = 0.95, odds_ratios: bool = False):
        """Printed tables in Stata's arrangement, as a statsmodels Summary (text, HTML, LaTeX)."""
        return logistic_summary(self, self._fit, self._labels, level, odds_ratios)
