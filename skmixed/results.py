"""What a fit has to say: statsmodels' names over the fitted value."""

from __future__ import annotations

from functools import cached_property
from numbers import Real
from typing import Any, Literal

import numpy as np
import pandas as pd
from scipy import stats

from ._data.checks import check_level
from ._report.summary import exponentiated, linear_summary, logistic_summary
from .inference._bootstrap.bootstrap import bootstrap_limits
from .inference._coefficients.contrasts import WaldTest, wald_chi2
from .inference._coefficients.rules import linear_coefficients, logistic_coefficients
from .inference._comparison.boundary import random_effects_test
from .inference._comparison.likelihood_ratio import LikelihoodRatioTest
from .inference._profile.profile import profile_limits
from .inference._variances import variance_estimates

__all__ = ["LogisticResults", "MixedResults"]

Degrees = Literal["normal", "residual", "satterthwaite", "kenward-roger"]
Covariance = Literal["model", "CR0", "CR1", "CR2", "CR3"]


class MixedResults:
    """Estimates, standard errors and tests of a fitted mixed model, under statsmodels' names.

    Made by ``fit`` and found at ``est.results_``.  ``params`` and what goes with it are the fixed
    effects only; columns that were dropped because they depend on others do not appear.

    Attributes
    ----------
    llf, aic, bic : float
        (Restricted) log-likelihood with all constants, and the criteria from it; BIC counts
        observations.
    nobs : float
        Number of observations: the sum of the weights.
    scale : float
        Residual variance.
    reml : bool
    converged : bool
    """

    _has_residual = True
    _fingerprint = ()
    _read_coefficients = staticmethod(linear_coefficients)

    def __init__(self, fit, labels, rows=None, predict=None):
        self._fit = fit
        self._labels = labels
        self._rows = rows
        self._predict = predict

    def __repr__(self):
        return f"<{type(self).__name__}: {self.nobs:g} observations, log-likelihood {self.llf:.4f}>"

    def __getstate__(self):
        # the data are not part of the result: a pickled model stays small
        return vars(self) | {"_rows": None, "_fingerprint": self.fingerprint}

    @property
    def fingerprint(self) -> tuple:
        """Sums that tell the rows and responses of one fit from those of another.

        A pickled model keeps them.
        """
        return self._fingerprint if self._rows is None else self._rows.sums()

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
        """Number of parameters: fixed effects, covariances, and the residual variance where there
        is one.
        """
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
        return pd.Series(
            self._fit.coefficients[self._fit.design.kept], index=self._names, name="coef"
        )

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
        return pd.DataFrame(
            self._fit.coefficient_covariance, index=self._names, columns=self._names
        )

    @property
    def tvalues(self) -> pd.Series:
        return (self.params / self.bse.where(self.bse > 0)).rename("z")

    @property
    def pvalues(self) -> pd.Series:
        """Two-sided, from the normal distribution."""
        return pd.Series(
            2.0 * stats.norm.sf(np.abs(self.tvalues)), index=self._names, name="p_value"
        )

    def conf_int(self, alpha: float = 0.05) -> pd.DataFrame:
        """Normal confidence limits of the fixed effects, columns 0 and 1."""
        if not isinstance(alpha, Real) or not 0 < alpha < 1:
            raise ValueError(
                f"alpha={alpha!r} is not a probability.\nUse a number between 0 and 1, such as 0.05."
            )
        half = stats.norm.isf(alpha / 2.0) * self.bse
        return pd.DataFrame({0: self.params - half, 1: self.params + half})

    @property
    def wald_chi2(self) -> WaldTest:
        """Joint test that every coefficient but the intercept is zero."""
        slopes = self._slopes
        covariance = self._fit.coefficient_covariance
        return wald_chi2(self.params.to_numpy()[slopes], covariance[np.ix_(slopes, slopes)])

    @property
    def _slopes(self):
        """Positions of the coefficients other than the intercept."""
        return list(range(int(self._labels.intercept), len(self._names)))

    def _coefficients(self, df="normal", cov="model", clusters=None):
        return self._read_coefficients(self._fit, self._training, self._labels, df, cov, clusters)

    def coef_table(
        self,
        df: Degrees = "normal",
        cov: Covariance = "model",
        clusters: Any = None,
        level: float = 0.95,
    ) -> pd.DataFrame:
        """Fixed effects with standard errors, tests and confidence limits.

        Parameters
        ----------
        df : {"normal", "residual", "satterthwaite", "kenward-roger"}, default="normal"
            Degrees of freedom: infinitely many; observations less coefficients; ``2 v^2 / Var(v)``
            with v the estimated variance of the coefficient (Satterthwaite; with a robust ``cov``
            those of Bell and McCaffrey); or Kenward and Roger's, which also adjust the covariance.
            The last two are for the linear model; Kenward and Roger derived theirs for REML, and
            under ML they are computed at the ML estimates.
        cov : {"model", "CR0", "CR1", "CR2", "CR3"}, default="model"
            Covariance of the coefficients: the model's, or cluster-robust ones: without correction,
            times m / (m - 1) for m clusters, bias-reduced, and the jackknife.  The last two are for
            the linear model.
        clusters : str or array-like of shape (n_rows,), default=None
            Independent clusters of a robust ``cov``: a grouping factor or column of X, or labels.
            Every level of every factor must lie within one cluster.  Default: the outermost factor.
        level : float, default=0.95
            Of the confidence limits.

        Returns
        -------
        DataFrame
            ``coef, std_err, df, t, p_value, ci_low, ci_high`` by coefficient; with ``df="normal"``
            the degrees of freedom are infinite and column t is z.

        Raises
        ------
        ValueError
            For methods that the model has not, and clusters that cut through a level.

        References
        ----------
        Kenward and Roger (1997), Small sample inference for fixed effects from restricted maximum
        likelihood, Biometrics 53.  Pustejovsky and Tipton (2018), Small-sample methods for
        cluster-robust variance estimation, J. Business & Economic Statistics 36.

        Examples
        --------
        >>> from skmixed import MixedLinearRegressor
        >>> from skmixed.datasets import make_mixed_regression
        >>> X, y = make_mixed_regression(n_groups=12, rows_per_group=5, random_state=0)
        >>> results = MixedLinearRegressor(groups="group").fit(X, y).results_
        >>> results.coef_table(df="kenward-roger")["df"].round(1).to_dict()
        {'Intercept': 10.9, 'x0': 56.1, 'x1': 53.0}
        """
        return self._coefficients(df, cov, clusters).table(level)

    def t_test(
        self, spec: Any, *, df: Degrees = "normal", cov: Covariance = "model", clusters: Any = None
    ) -> Any:
        """Test rows of a linear hypothesis one by one.

        Parameters
        ----------
        spec : str, list of str, dict, array-like, DataFrame or pair
            ``"black = other"``, ``"2 * age - ttl_exp = 1"``, several separated by commas; ``{"age":
            0}``; a matrix with one column per coefficient; ``(matrix, values)``.
        df, cov, clusters
            As in :meth:`coef_table`.

        Returns
        -------
        statsmodels.stats.contrast.ContrastResults
            ``effect``, ``sd``, ``tvalue``, ``pvalue``, ``conf_int()``, ``summary_frame()``;
            ``df_denom`` unless ``df="normal"``.

        Examples
        --------
        >>> from skmixed import MixedLinearRegressor
        >>> from skmixed.datasets import make_mixed_regression
        >>> X, y = make_mixed_regression(random_state=0)
        >>> results = MixedLinearRegressor(groups="group").fit(X, y).results_
        >>> float(results.t_test("x1 - 2 * x0 = 0", df="satterthwaite").pvalue.round(2))
        0.03
        """
        return self._coefficients(df, cov, clusters).t_test(spec)

    def wald_test(
        self,
        spec: Any,
        *,
        df: Degrees = "normal",
        cov: Covariance = "model",
        clusters: Any = None,
    ) -> Any:
        """Test all rows of a linear hypothesis together.

        Parameters
        ----------
        spec, df, cov, clusters
            As in :meth:`t_test`.  With a robust ``cov`` and ``df="satterthwaite"`` the statistic is
            Hotelling's T^2 scaled to an F (Tipton and Pustejovsky 2015).  Chi-squared with
            ``df="normal"``, F otherwise.

        Returns
        -------
        statsmodels.stats.contrast.ContrastResults
            ``statistic``, ``pvalue``, ``df_num``, ``df_denom``; with ``df="normal"`` the degrees of
            freedom of the chi-squared are ``df_denom``, as in statsmodels.
        """
        return self._coefficients(df, cov, clusters).wald_test(spec)

    def f_test(
        self,
        spec: Any,
        *,
        df: Degrees = "residual",
        cov: Covariance = "model",
        clusters: Any = None,
    ) -> Any:
        """:meth:`wald_test` by an F statistic, as statsmodels names it."""
        if df == "normal":
            raise ValueError(
                "df='normal' leads to a chi-squared statistic.\nUse wald_test, or another df."
            )
        return self.wald_test(spec, df=df, cov=cov, clusters=clusters)

    def random_effects_test(
        self,
        method: Literal["chibar", "exact"] = "chibar",
        *,
        n_samples: int = 10_000,
        random_state: int = 0,
    ) -> LikelihoodRatioTest:
        """Likelihood-ratio test against the model without random effects, same rows and same
        criterion.

        Parameters
        ----------
        method : {"chibar", "exact"}, default="chibar"
            "chibar": the mixture of chi-squareds that holds for many groups, a variance being no
            less than zero; "exact": the distribution for these rows, by simulation, for a linear
            model with a single variance.
        n_samples : int, default=10_000
            Draws of the exact test.
        random_state : int, default=0
            Seed of the exact test.

        Returns
        -------
        LikelihoodRatioTest
            ``statistic``, ``df``, ``pvalue``, ``null`` (a sentence), ``distribution``, and
            ``pvalue_chi2``, the conservative one that Stata prints.
        """
        return random_effects_test(
            self._fit, method, n_samples=n_samples, random_state=random_state
        )

    @cached_property
    def _variances(self):
        return variance_estimates(self._fit)

    def variance_table(
        self,
        method: Literal["wald", "profile", "bootstrap"] = "wald",
        level: float = 0.95,
        *,
        scale: Literal["variance", "sd"] = "variance",
        n_samples: int = 1000,
        random_state: int | np.random.RandomState | None = None,
        n_jobs: int | None = None,
    ) -> pd.DataFrame:
        """Variances, covariances and the residual variance, one row each, with confidence limits.

        Parameters
        ----------
        method : {"wald", "profile", "bootstrap"}, default="wald"
            "wald": from the standard errors, on the log scale for variances and symmetric for
            covariances; "profile": where the profile of the (restricted) likelihood has fallen by
            half a chi-squared quantile; "bootstrap": quantiles of a parametric bootstrap, whose
            standard deviations then are the standard errors.
        level : float, default=0.95
        scale : {"variance", "sd"}, default="variance"
            "sd" has standard deviations and correlations in the place of variances and covariances,
            with Wald limits on the log scale and by Fisher's z.  Profile limits of correlations are
            in :func:`skmixed.inference.profile`.
        n_samples, random_state, n_jobs
            Of the bootstrap, as in :func:`skmixed.inference.bootstrap`.

        Returns
        -------
        DataFrame
            ``factor, effect, effect2, estimate, sd_or_corr, std_error, ci_low, ci_high``; a
            residual comes last.  At the boundary there is no Wald standard error.
        """
        check_level(level)
        if method not in VARIANCE_LIMITS:
            raise ValueError(
                f"method={method!r} is not known.\nUse 'wald', 'profile' or 'bootstrap'."
            )
        if scale not in ("variance", "sd") or (scale == "sd" and method != "wald"):
            raise ValueError(
                f"scale={scale!r} with method={method!r} is not known.\n"
                "Use scale='variance', or 'sd' with method='wald' (skmixed.inference.profile has correlations)."
            )
        found = self._variances
        if scale == "sd":
            (estimates, std_errors) = found.deviations()
            (low, high) = found.deviation_intervals(level)
        else:
            options = {"n_samples": n_samples, "random_state": random_state, "n_jobs": n_jobs}
            estimates = found.estimates
            (std_errors, low, high) = VARIANCE_LIMITS[method](self, level, **options)
        rows = [
            (*self._labels.entry(k, r, c), self._sd_or_corr(k, r, c)) for k, r, c in found.entries
        ]
        rows += [("Residual", "", "", np.sqrt(self.scale))] * self._has_residual
        table = pd.DataFrame(rows, columns=["factor", "effect", "effect2", "sd_or_corr"])
        table.insert(3, "estimate", estimates)
        return table.assign(std_error=std_errors, ci_low=low, ci_high=high)

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
        return {
            n: pd.DataFrame(S, e, e)
            for n, S, e in zip(names, blocks, self._labels.effects, strict=True)
        }

    @property
    def vcomp(self) -> pd.Series:
        """Variances of the random effects by (factor, effect)."""
        table = self.variance_table()
        variances = table[(table["effect"] == table["effect2"]) & (table["effect"] != "")]
        return variances.set_index(["factor", "effect"])["estimate"].rename("variance")

    @property
    def random_effects(self) -> dict[str, pd.DataFrame]:
        """Conditional modes, one DataFrame (levels x effects) per factor."""
        return {
            name: pd.DataFrame(b, index=pd.Index(levels, name=name), columns=effects)
            for name, b, levels, effects in zip(
                self._labels.factors,
                self._fit.effects,
                self._labels.levels,
                self._labels.effects,
                strict=True,
            )
        }

    @property
    def random_effects_cov(self) -> dict[str, np.ndarray]:
        """Covariances of the conditional modes given the parameters: per factor an array (levels,
        q, q).

        Levels and effects are in the order of the rows and columns of ``random_effects``.
        """
        return {
            name: self._fit.effect_covariances(f) for f, name in enumerate(self._labels.factors)
        }

    def effects_table(self) -> pd.DataFrame:
        """Conditional modes and their standard errors given the parameters, one row per level and
        effect.
        """
        columns = ["factor", "level", "effect", "estimate", "std_error"]
        parts = [self._factor_effects(f) for f in range(len(self._labels.factors))]
        return (
            pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)
        )

    def _factor_effects(self, f):
        levels = self._labels.levels[f]
        effects = self._labels.effects[f]
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
    def fittedvalues(self) -> pd.Series | np.ndarray:
        """Conditional fitted values of the training rows; a Series where X was a pandas table."""
        return self._by_row(self._training().fitted())

    @property
    def resid(self) -> pd.Series | np.ndarray:
        """Response minus conditional fitted values."""
        rows = self._training()
        return self._by_row(rows.y - rows.fitted())

    def _by_row(self, values):
        index = self._training().index
        return values if index is None else pd.Series(values, index=index)

    def _training(self):
        if self._rows is None:
            raise AttributeError(
                "The training rows are not kept in a copied or pickled model.\n"
                "Ask before pickling, fit again, or use predict on the data instead of fitted values."
            )
        return self._rows

    def predict(self, X: Any = None, **options) -> np.ndarray:
        """Predicted means: the estimator's, with its options; the fitted values without X."""
        return self.fittedvalues if X is None else self._predict(X, **options)

    def summary(
        self,
        level: float = 0.95,
        *,
        df: Degrees = "normal",
        cov: Covariance = "model",
        clusters: Any = None,
    ) -> Any:
        """Printed tables in Stata's arrangement, as a statsmodels Summary (text, HTML, LaTeX).

        Parameters
        ----------
        level : float, default=0.95
            Of the confidence limits.
        df, cov, clusters
            How the fixed effects are tested, as in :meth:`coef_table`; the summary says which.
        """
        return linear_summary(
            self, self._fit, self._labels, level, self._coefficients(df, cov, clusters)
        )


def _wald_limits(results, level, **_):
    found = results._variances
    return found.std_errors, *found.intervals(level)


def _profile_limits(results, level, **_):
    return results._variances.std_errors, *profile_limits(results._fit, level)


def _bootstrap_limits(results, level, **options):
    low, high, std_errors = bootstrap_limits(results._fit, results._training(), level, **options)
    return std_errors, low, high


VARIANCE_LIMITS = {"wald": _wald_limits, "profile": _profile_limits, "bootstrap": _bootstrap_limits}


class LogisticResults(MixedResults):
    """Estimates, standard errors and tests of a mixed logistic regression, under statsmodels'
    names.

    As :class:`MixedResults`; coefficients are changes of the log-odds of ``event``, the second
    class; ``scale`` is one, there is no residual variance, ``fittedvalues`` are probabilities and
    ``resid`` is zero or one less them.
    """

    _has_residual = False
    _read_coefficients = staticmethod(logistic_coefficients)
    reml = False
    scale = 1.0

    def __init__(self, fit, labels, rows=None, predict=None, event="1"):
        super().__init__(fit, labels, rows, predict)
        self.event = event  # the class whose log-odds are modelled

    @property
    def bse(self) -> pd.Series:
        """Standard errors from the joint information of covariances and coefficients."""
        return super().bse

    def odds_ratios(
        self,
        level: float = 0.95,
        *,
        df: Degrees = "normal",
        cov: Covariance = "model",
        clusters: Any = None,
    ) -> pd.DataFrame:
        """``exp(params)`` with standard errors by the delta method and the exponentials of the
        confidence limits.

        Parameters
        ----------
        level : float, default=0.95
        df, cov, clusters
            As in :meth:`coef_table`.

        Returns
        -------
        DataFrame
            ``odds_ratio, std_err, z, p_value, ci_low, ci_high`` by coefficient, ``df, t`` in the
            place of z unless ``df="normal"``; z, t and p are those of ``params``.  The row of the
            intercept holds the odds where all columns and random effects are zero.
        """
        table = exponentiated(self.coef_table(df, cov, clusters, level)).rename(
            columns={"coef": "odds_ratio"}
        )
        return table.drop(columns="df").rename(columns={"t": "z"}) if df == "normal" else table

    def summary(
        self,
        level: float = 0.95,
        odds_ratios: bool = False,
        *,
        df: Degrees = "normal",
        cov: Covariance = "model",
        clusters: Any = None,
    ) -> Any:
        """Printed tables in Stata's arrangement, as a statsmodels Summary (text, HTML, LaTeX).

        Parameters
        ----------
        level : float, default=0.95
            Of the confidence limits.
        odds_ratios : bool, default=False
            Print ``exp(coef)`` with standard errors by the delta method and the exponentials of the
            limits.
        df, cov, clusters
            How the fixed effects are tested, as in :meth:`coef_table`; the summary says which.
        """
        found = self._coefficients(df, cov, clusters)
        return logistic_summary(self, self._fit, self._labels, level, found, odds_ratios)
