"""Random effects: their variances, and their conditional modes."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pandas as pd
from scipy import stats

from .._data.checks import check_level
from .._report.summary import VarianceRow
from .._report.tables import WholeTable
from ..inference._comparison.boundary import random_effects_test
from ..inference._comparison.likelihood_ratio import LikelihoodRatioTest
from .estimates import Estimates
from .limits import limited

__all__ = ["RandomEffectsResults"]

EFFECTS_LEVEL = 0.95  # of the limits of conditional modes
EFFECT_COLUMNS = ["factor", "level", "effect", "estimate", "std_error", "ci_low", "ci_high"]


class RandomEffectsResults(Estimates):
    """Variances, covariances and conditional modes of the random effects."""

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

        Raises
        ------
        ValueError
            For an unknown method, and "exact" where it does not exist.

        Examples
        --------
        >>> from skmixed import MixedLinearRegressor
        >>> from skmixed.datasets import make_mixed_regression
        >>> X, y = make_mixed_regression(random_state=0)
        >>> results = MixedLinearRegressor(groups="group").fit(X, y).results_
        >>> results.random_effects_test().distribution
        'chibar2(01)'
        """
        return random_effects_test(
            self.fitted.fit, method, n_samples=n_samples, random_state=random_state
        )

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
            Of the confidence limits.
        scale : {"variance", "sd"}, default="variance"
            "sd" has standard deviations and correlations in the place of variances and covariances:
            Wald limits on the log scale and by Fisher's z, profile limits that are the roots of
            those of the variances, and correlations profiled, or drawn, themselves.
        n_samples, random_state, n_jobs
            Of the bootstrap, as in :func:`skmixed.inference.bootstrap`.

        Returns
        -------
        DataFrame
            ``factor, effect, effect2, estimate, sd_or_corr, std_error, ci_low, ci_high``; a
            residual comes last.  At the boundary there is no Wald standard error.

        Raises
        ------
        ValueError
            For an unknown method or scale, and a level that is not between 0 and 1.

        Examples
        --------
        >>> from skmixed import MixedLinearRegressor
        >>> from skmixed.datasets import make_mixed_regression
        >>> X, y = make_mixed_regression(random_state=0)
        >>> results = MixedLinearRegressor(groups="group").fit(X, y).results_
        >>> results.variance_table("profile")[["factor", "ci_low"]].round(2)
             factor  ci_low
        0     group    0.93
        1  Residual    1.21
        """
        check_level(level)
        options = {"n_samples": n_samples, "random_state": random_state, "n_jobs": n_jobs}
        found = limited(self, method, scale, level, **options)
        rows = [row[1:] for row in self._variance_rows(*found)]
        return WholeTable(rows, columns=VarianceRow._fields[1:])

    def _variance_rows(
        self, estimates: np.ndarray, std_errors: np.ndarray, low: np.ndarray, high: np.ndarray
    ) -> list[VarianceRow]:
        """One row per entry of the covariances; the residual variance comes last."""
        named: list[tuple[int | None, tuple[str, str, str], float]] = [
            (k, self.fitted.names.entry(k, r, c), self._size(k, r, c))
            for k, r, c in self._variances.entries
        ]
        if self.fitted.fit.family.has_residual:
            named.append((None, ("Residual", "", ""), float(np.sqrt(self.scale))))
        numbers = zip(estimates, std_errors, low, high, strict=True)
        return [
            VarianceRow(term, *names, estimate, size, std_error, start, end)
            for (term, names, size), (estimate, std_error, start, end) in zip(
                named, numbers, strict=True
            )
        ]

    def _size(self, term: int, row: int, col: int) -> float:
        """The standard deviation or correlation of an entry."""
        cov = self.fitted.fit.covariances[term]
        if row == col:
            return np.sqrt(cov[row, row])
        scale = np.sqrt(cov[row, row] * cov[col, col])
        return cov[row, col] / scale if scale > 0 else np.nan

    @property
    def cov_re(self) -> dict[str, pd.DataFrame]:
        """Covariance matrices of the random effects, one DataFrame per factor.

        Examples
        --------
        >>> from skmixed import MixedLinearRegressor
        >>> from skmixed.datasets import make_mixed_regression
        >>> X, y = make_mixed_regression(random_state=0)
        >>> results = MixedLinearRegressor(groups="group").fit(X, y).results_
        >>> results.cov_re["group"].round(1)
                   Intercept
        Intercept        1.3
        """
        fit = self.fitted.fit
        names = self.fitted.names
        blocks = fit.covariance_model.assemble(fit.covariances)
        parts = zip(names.factors, blocks, names.effects, strict=True)
        return {name: pd.DataFrame(S, effects, effects) for name, S, effects in parts}

    @property
    def vcomp(self) -> pd.Series:
        """Variances of the random effects by (factor, effect).

        Examples
        --------
        >>> from skmixed import MixedLinearRegressor
        >>> from skmixed.datasets import make_mixed_regression
        >>> X, y = make_mixed_regression(random_state=0)
        >>> results = MixedLinearRegressor(groups="group").fit(X, y).results_
        >>> results.vcomp.round(1).to_dict()
        {('group', 'Intercept'): 1.3}
        """
        table = self.variance_table()
        variances = table[(table["effect"] == table["effect2"]) & (table["effect"] != "")]
        return variances.set_index(["factor", "effect"])["estimate"].rename("variance")

    @property
    def random_effects(self) -> dict[str, pd.DataFrame]:
        """Conditional modes, one DataFrame (levels x effects) per factor.

        Examples
        --------
        >>> from skmixed import MixedLinearRegressor
        >>> from skmixed.datasets import make_mixed_regression
        >>> X, y = make_mixed_regression(random_state=0)
        >>> results = MixedLinearRegressor(groups="group").fit(X, y).results_
        >>> results.random_effects["group"].shape
        (100, 1)
        """
        names = self.fitted.names
        modes = self.fitted.fit.effects
        parts = zip(names.factors, modes, names.levels, names.effects, strict=True)
        return {
            name: pd.DataFrame(b, index=pd.Index(levels, name=name), columns=list(effects))
            for name, b, levels, effects in parts
        }

    @property
    def random_effects_cov(self) -> dict[str, np.ndarray]:
        """Covariances of the conditional modes given the parameters: per factor an array (levels,
        q, q).

        Levels and effects are in the order of the rows and columns of ``random_effects``.

        Examples
        --------
        >>> from skmixed import MixedLinearRegressor
        >>> from skmixed.datasets import make_mixed_regression
        >>> X, y = make_mixed_regression(random_state=0)
        >>> results = MixedLinearRegressor(groups="group").fit(X, y).results_
        >>> results.random_effects_cov["group"].shape
        (100, 1, 1)
        """
        factors = enumerate(self.fitted.names.factors)
        return {name: self.fitted.fit.effect_covariances(f) for f, name in factors}

    def effects_table(self) -> pd.DataFrame:
        """Conditional modes with standard errors, one row per level and effect.

        These are given the parameters for a logistic model (the diagonal of
        ``random_effects_cov``).  For a linear one they are those of the errors ``b_hat - b``, with
        what the coefficients and the covariances are not known by (Kackar and Harville 1984; Booth
        and Hobert 1998).

        Returns
        -------
        DataFrame
            ``factor, level, effect, estimate, std_error, ci_low, ci_high``; levels keep their type
            where there is a single factor, the limits are normal ones of 95 %.

        Examples
        --------
        >>> from skmixed import MixedLinearRegressor
        >>> from skmixed.datasets import make_mixed_regression
        >>> X, y = make_mixed_regression(random_state=0)
        >>> results = MixedLinearRegressor(groups="group").fit(X, y).results_
        >>> results.effects_table().shape
        (100, 7)
        """
        parts = [self._factor_effects(f) for f in range(len(self.fitted.names.factors))]
        if not parts:
            return pd.DataFrame(columns=EFFECT_COLUMNS)
        return pd.concat(parts, ignore_index=True)

    def _factor_effects(self, f: int) -> pd.DataFrame:
        names = self.fitted.names
        effects = names.effects[f]
        modes = self.fitted.fit.effects[f]
        std_errors = np.sqrt(self.fitted.fit.mode_variances(f)).ravel()
        half = stats.norm.ppf(0.5 + EFFECTS_LEVEL / 2.0) * std_errors
        columns: tuple[Any, ...] = (
            names.factors[f],
            np.repeat(np.asarray(names.levels[f]), len(effects)),
            np.tile(np.asarray(effects, dtype=object), len(modes)),
            modes.ravel(),
            std_errors,
            modes.ravel() - half,
            modes.ravel() + half,
        )
        return pd.DataFrame(dict(zip(EFFECT_COLUMNS, columns, strict=True)))
