"""Tests of the parameters."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ...inference._coefficients.contrasts import Coefficients
from ...inference._coefficients.dof import Constant
from ...inference._coefficients.pairwise import pairwise_tests
from .codings import coding_of
from .values import Values


class Tests(Values):
    """Linear hypotheses."""

    def t_test(self, r_matrix: Any, use_t: bool | None = None) -> Any:
        """Test rows of a linear hypothesis about the fixed effects one by one.

        Parameters
        ----------
        r_matrix : array-like of shape (rows, k_fe), str, dict or pair
            ``"x = z"`` and the like besides what statsmodels takes.
        use_t : bool, default=None
            Whether to use t with ``df_resid`` degrees of freedom instead of the normal
            distribution.  ``results_.t_test(..., df="satterthwaite")`` has better ones.

        Returns
        -------
        statsmodels.stats.contrast.ContrastResults

        Raises
        ------
        ValueError
            For a matrix of another width.

        Examples
        --------
        >>> import skmixed.statsmodels as sm
        >>> from skmixed.datasets import make_mixed_regression
        >>> X, y = make_mixed_regression(random_state=0)
        >>> result = sm.mixedlm("y ~ x0 + x1", X.assign(y=y), groups="group").fit()
        >>> float(result.t_test([[0, 2, -1]]).effect[0].round(2))
        0.19
        """
        if isinstance(r_matrix, np.ndarray | list) and not _is_words(r_matrix):
            r_matrix = np.atleast_2d(np.asarray(r_matrix, dtype=float))
            if r_matrix.shape[1] != self.k_fe:
                raise ValueError(
                    f"r_matrix for t-test should have {self.k_fe} columns, it has "
                    f"{r_matrix.shape[1]}.\nGive every fixed effect a column, and no variance."
                )
        return self._tests(self.model.data.xnames, use_t).t_test(r_matrix)

    def t_test_pairwise(
        self, term_name: str, method: str = "hs", alpha: float = 0.05, factor_labels: Any = None
    ) -> Any:
        """All differences between the levels of a categorical variable of the formula.

        Parameters
        ----------
        term_name : str
            The variable as the formula has it, such as ``"C(race)"``.
        method : str, default="hs"
            Correction for the number of tests, as in
            ``statsmodels.stats.multitest.multipletests``.
        alpha : float, default=0.05
            Level of the decisions.
        factor_labels : list of str, default=None
            Names of the levels.

        Returns
        -------
        object
            Its ``result_frame`` has a row a pair.

        Raises
        ------
        ValueError
            Without a formula.

        Examples
        --------
        >>> import skmixed.statsmodels as sm
        >>> from skmixed.datasets import make_mixed_regression
        >>> X, y = make_mixed_regression(random_state=0)
        >>> data = X.assign(y=y, arm=["abc"[k % 3] for k in range(len(X))])
        >>> result = sm.mixedlm("y ~ arm", data, groups="group").fit()
        >>> result.t_test_pairwise("arm").result_frame.index.to_list()
        ['b-a', 'c-a', 'c-b']
        """
        design = self._formula("t_test_pairwise needs the categories of a formula")
        coding = coding_of(design, term_name)
        return pairwise_tests(self.t_test, coding, self.k_fe, method, alpha, factor_labels)

    def wald_test(self, r_matrix: Any, use_f: bool | None = None, scalar: Any = None) -> Any:
        """Test all rows of a linear hypothesis about ``params`` together.

        Parameters
        ----------
        r_matrix : array-like of shape (rows, k) or (rows, k_fe), str, dict or pair
            About all parameters, or about the fixed effects only.
        use_f : bool, default=None
            Whether to use F with ``df_resid`` degrees of freedom instead of chi-squared.
        scalar : bool, default=None
            Taken for statsmodels' sake: the statistic is a number.

        Returns
        -------
        statsmodels.stats.contrast.ContrastResults

        Raises
        ------
        ValueError
            For no hypothesis about these parameters, and a singular one.

        Examples
        --------
        >>> import skmixed.statsmodels as sm
        >>> from skmixed.datasets import make_mixed_regression
        >>> X, y = make_mixed_regression(random_state=0)
        >>> result = sm.mixedlm("y ~ x0 + x1", X.assign(y=y), groups="group").fit()
        >>> bool(result.wald_test("x0 = 0, x1 = 0").pvalue < 1e-9)
        True
        """
        names = self.model.data.param_names
        if isinstance(r_matrix, np.ndarray | list) and not _is_words(r_matrix):
            r_matrix = np.atleast_2d(np.asarray(r_matrix, dtype=float))
            names = names if r_matrix.shape[1] != self.k_fe else self.model.data.xnames
        return self._tests(names, use_f).wald_test(r_matrix)

    def wald_test_terms(self, skip_single: bool = False, scalar: Any = None) -> Any:
        """Test all coefficients of each term of the formula together.

        Parameters
        ----------
        skip_single : bool, default=False
            Whether to leave out terms of one coefficient.
        scalar : bool, default=None
            Taken for statsmodels' sake: statistics are numbers.

        Returns
        -------
        statsmodels.stats.contrast.WaldTestResults
            Its ``table`` has ``statistic, pvalue, df_constraint`` by term.

        Raises
        ------
        ValueError
            Without a formula.

        Examples
        --------
        >>> import skmixed.statsmodels as sm
        >>> from skmixed.datasets import make_mixed_regression
        >>> X, y = make_mixed_regression(random_state=0)
        >>> result = sm.mixedlm("y ~ x0 + x1", X.assign(y=y), groups="group").fit()
        >>> result.wald_test_terms().table["df_constraint"].to_dict()
        {'Intercept': 1, 'x0': 1, 'x1': 1}
        """
        from statsmodels.stats.contrast import WaldTestResults

        design = self._formula("wald_test_terms needs the terms of a formula")
        rows = {}
        for name, columns in design.term_name_slices.items():
            L = np.eye(self.k_fe)[columns]
            if len(L) > 1 or not skip_single:
                found = self.wald_test(L)
                rows[name] = (float(found.statistic), float(found.pvalue), len(L))
        names = ["statistic", "pvalue", "df_constraint"]
        table = pd.DataFrame.from_dict(rows, orient="index", columns=names)
        return WaldTestResults(None, "chi2", None, table=table)

    def _formula(self, what: str) -> Any:
        """What patsy knows of the formula, or an error that there is none."""
        if self.model.data.model_spec is None:
            raise ValueError(f"{what}.\nUse from_formula, and tests before pickling; or t_test.")
        return self.model.data.model_spec

    def f_test(self, r_matrix: Any) -> Any:
        """The F test of a linear hypothesis, with ``df_resid`` degrees of freedom.

        Parameters
        ----------
        r_matrix : array-like, str, dict or pair
            As for :meth:`wald_test`.

        Returns
        -------
        statsmodels.stats.contrast.ContrastResults

        Examples
        --------
        >>> import skmixed.statsmodels as sm
        >>> from skmixed.datasets import make_mixed_regression
        >>> X, y = make_mixed_regression(random_state=0)
        >>> result = sm.mixedlm("y ~ x0 + x1", X.assign(y=y), groups="group").fit()
        >>> int(result.f_test("x0 = 0, x1 = 0").df_num)
        2
        """
        return self.wald_test(r_matrix, use_f=True)

    def _tests(self, names: list[str], use_t: bool | None) -> Coefficients:
        k = len(names)
        df = float(self.df_resid) if use_t else np.inf
        return Coefficients(
            names=names,
            estimates=np.asarray(self.params)[:k],
            transform=np.eye(k),
            rule=Constant(self._covariance[:k, :k], df),
            is_normal=not use_t,
        )


def _is_words(spec: Any) -> bool:
    return isinstance(spec, list) and any(isinstance(row, str) for row in spec)
