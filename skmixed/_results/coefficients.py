"""Tests of the fixed effects."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pandas as pd

from .._report.tables import CoefficientTable
from ..inference._coefficients.by_term import combined, terms_tested
from ..inference._coefficients.codings import coding_of
from ..inference._coefficients.pairwise import pairwise_tests
from .estimates import Estimates

__all__ = ["CoefficientTests"]

Degrees = Literal["normal", "residual", "satterthwaite", "kenward-roger"]
Covariance = Literal["model", "CR0", "CR1", "CR2", "CR3"]


class CoefficientTests(Estimates):
    """Fixed effects by the rules that a user may choose."""

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
        return CoefficientTable(self._coefficients(df, cov, clusters).table(level))

    def t_test(
        self, spec: Any, *, df: Degrees = "normal", cov: Covariance = "model", clusters: Any = None
    ) -> Any:
        """Test rows of a linear hypothesis one by one.

        Parameters
        ----------
        spec : str, list of str, dict, array-like, DataFrame or pair
            ``"black = other"``, ``"2 * age - ttl_exp = 1"``, several separated by commas; ``{"age":
            0}``; a matrix with one column per coefficient; ``(matrix, values)``; or the name of a
            term of the formula, ``"C(race)"``: all of its coefficients.
        df, cov, clusters
            As in :meth:`coef_table`.

        Returns
        -------
        statsmodels.stats.contrast.ContrastResults
            ``effect``, ``sd``, ``tvalue``, ``pvalue``, ``conf_int()``, ``summary_frame()``;
            ``df_denom`` unless ``df="normal"``.

        Raises
        ------
        ValueError
            For no hypothesis about the fixed effects, and as :meth:`coef_table`.

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

        Raises
        ------
        ValueError
            For rows whose covariance is singular, and as :meth:`t_test`.

        Examples
        --------
        >>> from skmixed import MixedLinearRegressor
        >>> from skmixed.datasets import make_mixed_regression
        >>> X, y = make_mixed_regression(random_state=0)
        >>> results = MixedLinearRegressor(groups="group").fit(X, y).results_
        >>> results.wald_test("x0 = 1, x1 = 0.5").df_denom
        2
        """
        return self._coefficients(df, cov, clusters).wald_test(spec)

    def wald_test_terms(
        self,
        skip_single: bool = False,
        extra_constraints: list[Any] | None = None,
        combine_terms: list[str] | None = None,
        scalar: bool | None = None,
        *,
        df: Degrees = "normal",
        cov: Covariance = "model",
        clusters: Any = None,
    ) -> Any:
        """Test all coefficients of each term together, as statsmodels does.

        Where terms have interactions these are tests at the reference of the other variables, and
        depend on the coding: :func:`skmixed.inference.anova` has the types I, II and III.

        Parameters
        ----------
        skip_single : bool, default=False
            Whether to leave out terms of one coefficient.
        extra_constraints : list, default=None
            Further hypotheses, as in :meth:`wald_test`.
        combine_terms : list of str, default=None
            Parts of names: all terms whose names have one are tested together as well.
        scalar : bool, default=None
            Taken for statsmodels' sake: statistics are numbers.
        df, cov, clusters
            As in :meth:`coef_table`.

        Returns
        -------
        statsmodels.stats.contrast.WaldTestResults
            Its ``table`` has ``statistic, pvalue, df_constraint`` by term, the intercept among
            them; chi-squared with ``df="normal"``, else F with ``df_denom``.

        Raises
        ------
        ValueError
            As :meth:`wald_test`.

        Examples
        --------
        >>> from skmixed import MixedLinearRegressor
        >>> from skmixed.datasets import make_mixed_regression
        >>> X, y = make_mixed_regression(random_state=0)
        >>> data = X.assign(y=y, arm=["abc"[k % 3] for k in range(len(X))])
        >>> model = MixedLinearRegressor.from_formula("y ~ arm + x0 + (1 | group)", data)
        >>> model.results_.wald_test_terms().table["df_constraint"].to_dict()
        {'Intercept': 1, 'arm': 2, 'x0': 1}
        """
        found = self._coefficients(df, cov, clusters)
        first = {"Intercept": np.array([0])} if self.fitted.names.intercept else {}
        named = combined(first | dict(found.terms), combine_terms or ())
        return terms_tested(found.wald_test, named, found, skip_single, extra_constraints or ())

    def t_test_pairwise(
        self,
        term_name: str,
        method: str | list[str] = "hs",
        alpha: float = 0.05,
        factor_labels: list[str] | None = None,
        *,
        df: Degrees = "normal",
        cov: Covariance = "model",
        clusters: Any = None,
    ) -> Any:
        """Test all differences between the levels of a categorical variable of the formula.

        Parameters
        ----------
        term_name : str
            The variable as the formula has it, such as ``"C(race)"``.
        method : str or list of str, default="hs"
            Corrections of the p-values for the number of pairs, as in
            ``statsmodels.stats.multitest.multipletests``: "hs" (Holm and Sidak), "bonferroni",
            "fdr_bh" and others.
        alpha : float, default=0.05
            Level of the decisions.
        factor_labels : list of str, default=None
            Names of the levels.
        df, cov, clusters
            As in :meth:`coef_table`.

        Returns
        -------
        statsmodels.stats.contrast.MultiCompResult
            ``result_frame`` has a row a pair: estimate, standard error, test and limits, and per
            method the corrected p-value and the decision.  With interactions these are differences
            where the other variables are at their reference.

        Raises
        ------
        ValueError
            For what is no categorical variable of the formula, and as :meth:`coef_table`.

        Examples
        --------
        >>> from skmixed import MixedLinearRegressor
        >>> from skmixed.datasets import make_mixed_regression
        >>> X, y = make_mixed_regression(random_state=0)
        >>> data = X.assign(y=y, arm=["abc"[k % 3] for k in range(len(X))])
        >>> model = MixedLinearRegressor.from_formula("y ~ arm + (1 | group)", data)
        >>> model.results_.t_test_pairwise("arm").result_frame.index.to_list()
        ['b-a', 'c-a', 'c-b']
        """
        coding = coding_of(self.fitted, term_name)
        tests = self._coefficients(df, cov, clusters)
        return pairwise_tests(tests.t_test, coding, len(tests.names), method, alpha, factor_labels)

    def f_test(
        self,
        spec: Any,
        *,
        df: Degrees = "residual",
        cov: Covariance = "model",
        clusters: Any = None,
    ) -> Any:
        """:meth:`wald_test` by an F statistic, as statsmodels names it.

        Parameters
        ----------
        spec, df, cov, clusters
            As in :meth:`wald_test`; not ``df="normal"``.

        Returns
        -------
        statsmodels.stats.contrast.ContrastResults

        Raises
        ------
        ValueError
            For ``df="normal"``, and as :meth:`wald_test`.

        Examples
        --------
        >>> from skmixed import MixedLinearRegressor
        >>> from skmixed.datasets import make_mixed_regression
        >>> X, y = make_mixed_regression(random_state=0)
        >>> results = MixedLinearRegressor(groups="group").fit(X, y).results_
        >>> results.f_test("x0 = 1, x1 = 0.5").df_num
        2
        """
        if df == "normal":
            raise ValueError(
                "df='normal' leads to a chi-squared statistic.\nUse wald_test, or another df."
            )
        return self.wald_test(spec, df=df, cov=cov, clusters=clusters)
