"""Results under statsmodels' names."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
import pandas as pd
from scipy import stats

from ..inference._coefficients.contrasts import Coefficients
from ..inference._coefficients.dof import Constant
from ..results import MixedResults
from ._estimates import Estimates, conditional_covariance, modes_of
from ._fitting import Assembled
from ._likelihood import profiled
from ._summary import print_summary

__all__ = ["MixedLMResults"]


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


class MixedLMResults:
    """Results of a :class:`MixedLM` with the attributes and shapes of statsmodels.

    Made by ``fit``.  Vectors and matrices are labelled where the data were pandas tables.

    Parameters
    ----------
    model : MixedLM
        What was fitted.
    found : Found
        What the fit found.

    Attributes
    ----------
    params : of length k_fe + k_re2 + k_vc
        Fixed effects; then the lower triangle of ``cov_re`` row by row and ``vcomp``, both divided
        by ``scale``.
    bse, tvalues, pvalues : of the same length
        Standard errors, and normal tests.
    fe_params, bse_fe : of length k_fe
        Fixed effects and their standard errors.
    cov_re : of shape (k_re, k_re)
        Covariance matrix of the random effects; ``cov_re_unscaled`` is divided by ``scale``.
    vcomp : ndarray of shape (k_vc,)
        Variance components.
    bse_re : of length k_re2 + k_vc
        Standard errors of the lower triangle of ``cov_re`` and of ``vcomp`` themselves, from the
        observed information; NaN at the boundary.
    scale : float
        Residual variance.
    llf, aic, bic : float
        (Restricted) log-likelihood, and the criteria from it, for REML too.
    results_ : MixedResults
        The same fit under this library's names: degrees of freedom, robust standard errors,
        profile and bootstrap limits of the variances, tests.
    model, method, reml, converged, nobs, df_resid, df_modelwc, use_t, k_fe, k_re, k_re2, k_vc, hist
        As in statsmodels.

    Examples
    --------
    >>> import skmixed.statsmodels as sm
    >>> from skmixed.datasets import make_mixed_regression
    >>> X, y = make_mixed_regression(random_state=0)
    >>> result = sm.mixedlm("y ~ x0 + x1", X.assign(y=y), groups="group").fit()
    >>> result.fe_params.round(2).to_dict()
    {'Intercept': 0.03, 'x0': 1.1, 'x1': 2.0}
    >>> result.params.index.to_list()
    ['Intercept', 'x0', 'x1', 'group Var']
    """

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
        series, every = labels.series, names.param_names
        self.scale = estimates.scale
        self.params = series(estimates.params, every)
        self._covariance = estimates.covariance
        with np.errstate(invalid="ignore", divide="ignore"):
            self.bse = series(np.sqrt(np.diag(self._covariance)), every)
            self.tvalues = self.params / self.bse
            self.pvalues = series(2.0 * stats.norm.sf(np.abs(self.tvalues)), every)
            unscaled = estimates.cov_re / estimates.scale
        self.normalized_cov_params = labels.frame(self._covariance / self.scale, every)
        self.fe_params = series(estimates.fixed, names.xnames)
        self.bse_fe = series(np.asarray(self.bse)[: self.k_fe], names.xnames)
        self.bse_re = series(estimates.std_errors, every[self.k_fe :])
        self.cov_re = labels.frame(estimates.cov_re, names.exog_re_names)
        self.cov_re_unscaled = labels.frame(unscaled, names.exog_re_names)
        self.vcomp = estimates.vcomp
        self.params_object = self.model.packed(estimates.fixed, unscaled, estimates.vcomp)

    def __repr__(self) -> str:
        return (
            f"<MixedLMResults: {self.nobs} observations, log-likelihood {self.llf:.4f}; "
            "summary() prints the tables>"
        )

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

    @property
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

    @property
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
            Z, G, names = self.model.effects_of(g, np.asarray(self.cov_re), self.vcomp)
            covariance = conditional_covariance(Z, G, self.scale)
            found[label] = pd.DataFrame(covariance, index=names, columns=names)
        return found

    @property
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

    @property
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
        [3.12, 5.94]
        """
        found = self.model.fixed_columns(exog, transform)
        values = self.model.predict(np.asarray(self.fe_params), np.asarray(found))
        index = exog.index if isinstance(exog, pd.DataFrame | pd.Series) else None
        return values if index is None else pd.Series(values, index=index)

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
        0.2
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
        from statsmodels.stats.contrast import t_test_pairwise

        if self.model.data.model_spec is None:
            raise ValueError(
                "t_test_pairwise needs the categories of a formula.\nUse from_formula, or t_test."
            )
        return t_test_pairwise(
            self, term_name, method=method, alpha=alpha, factor_labels=factor_labels
        )

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

    def summary(
        self,
        yname: str | None = None,
        xname_fe: list[str] | None = None,
        xname_re: list[str] | None = None,
        title: str | None = None,
        alpha: float = 0.05,
    ) -> Any:
        """Printed tables in statsmodels' arrangement.

        Standard errors of variances are those of the variances that are printed beside them.

        Parameters
        ----------
        yname : str, default=None
            Name of the response.
        xname_fe, xname_re : list of str, default=None
            Names of the fixed effects, and of the variances and covariances.
        title : str, default=None
            Of the whole.
        alpha : float, default=0.05
            One less the level of the confidence limits.

        Returns
        -------
        statsmodels.iolib.summary2.Summary

        Raises
        ------
        ValueError
            For another number of names.

        Examples
        --------
        >>> import skmixed.statsmodels as sm
        >>> from skmixed.datasets import make_mixed_regression
        >>> X, y = make_mixed_regression(random_state=0)
        >>> result = sm.mixedlm("y ~ x0 + x1", X.assign(y=y), groups="group").fit()
        >>> print(str(result.summary()).splitlines()[0].strip())
        Mixed Linear Model Regression Results
        """
        known = self.model.data.param_names
        fixed = _renamed("xname_fe", xname_fe, known[: self.k_fe])
        effects = _renamed("xname_re", xname_re, known[self.k_fe :])
        return print_summary(self, yname, [*fixed, *effects], title, alpha)

    def profile_re(
        self,
        re_ix: int | str,
        vtype: str,
        num_low: int = 5,
        dist_low: float = 1.0,
        num_high: int = 5,
        dist_high: float = 1.0,
        **fit_kwargs: Any,
    ) -> np.ndarray:
        """Profile of the log-likelihood in one variance.

        The others are where it is largest.  ``results_.variance_table("profile")`` has limits.

        Parameters
        ----------
        re_ix : int or str
            Position of the random effect, or the name of the component.
        vtype : {"re", "vc"}
            Which of the two.
        num_low, num_high : int, default=5
            Numbers of points below and above the estimate.
        dist_low, dist_high : float, default=1.0
            How far the points reach.
        **fit_kwargs
            Taken for statsmodels' sake.

        Returns
        -------
        ndarray of shape (num_low + num_high + 1, 2)
            The variance, being the point in units of the residual variance times ``scale``, and
            the log-likelihood.

        Raises
        ------
        ValueError
            For an unknown ``vtype`` or component, and points below zero.

        Examples
        --------
        >>> import skmixed.statsmodels as sm
        >>> from skmixed.datasets import make_mixed_regression
        >>> X, y = make_mixed_regression(random_state=0)
        >>> result = sm.mixedlm("y ~ x0 + x1", X.assign(y=y), groups="group").fit()
        >>> result.profile_re(0, "re", num_low=1, dist_low=0.5, num_high=1).round(1)
        array([[    0.8, -1683.6],
               [    1.3, -1681.7],
               [    2.3, -1685. ]])
        """
        which = self._position(re_ix, vtype)
        variances = np.concatenate([np.diag(self.params_object.cov_re), self.params_object.vcomp])
        free = np.arange(len(variances)) != which
        low = variances[which] - dist_low / self.scale
        if not low > 0:
            raise ValueError(
                f"dist_low={dist_low} is too large and would result in a negative variance.\n"
                "Try a smaller value."
            )
        left = np.linspace(low, variances[which], num_low + 1)
        right = np.linspace(
            variances[which], variances[which] + dist_high / self.scale, num_high + 1
        )[1:]
        found = self.model.unconstrained(self.reml)
        points = np.concatenate([left, right])
        values = [profiled(found, self.params_object, free, point) for point in points]
        return np.column_stack([points * self.scale, values])

    def _position(self, re_ix: int | str, vtype: str) -> int:
        if vtype not in ("re", "vc"):
            raise ValueError(f"vtype={vtype!r} is not known.\nUse 're' or 'vc'.")
        if vtype == "re":
            return int(re_ix)
        names = [component.name for component in self.model.components]
        if re_ix not in names:
            raise ValueError(
                f"re_ix={re_ix!r} is no variance component.\nThe components are {', '.join(names)}."
            )
        return self.k_re + names.index(str(re_ix))

    def remove_data(self) -> None:
        """Leave out the rows: estimates, tests and the summary stay.

        Examples
        --------
        >>> import skmixed.statsmodels as sm
        >>> from skmixed.datasets import make_mixed_regression
        >>> X, y = make_mixed_regression(random_state=0)
        >>> result = sm.mixedlm("y ~ x0 + x1", X.assign(y=y), groups="group").fit()
        >>> result.remove_data()
        >>> result.model.endog is None
        True
        """
        self.model.remove_data()
        self._found = self._found._replace(
            assembled=pickle.loads(pickle.dumps(self._found.assembled))
        )
        self.results_ = MixedResults(self._found.assembled.fitted)

    def save(self, fname: str | Path, remove_data: bool = False) -> None:
        """Pickle the results.

        Parameters
        ----------
        fname : str or Path
            Name of the file.
        remove_data : bool, default=False
            Whether to leave out the rows first.

        Examples
        --------
        >>> import tempfile, pathlib
        >>> import skmixed.statsmodels as sm
        >>> from skmixed.datasets import make_mixed_regression
        >>> X, y = make_mixed_regression(random_state=0)
        >>> result = sm.mixedlm("y ~ x0 + x1", X.assign(y=y), groups="group").fit()
        >>> with tempfile.TemporaryDirectory() as place:
        ...     result.save(pathlib.Path(place) / "fit.pickle")
        ...     sm.MixedLMResults.load(pathlib.Path(place) / "fit.pickle").nobs
        1000
        """
        if remove_data:
            self.remove_data()
        Path(fname).write_bytes(pickle.dumps(self))

    @classmethod
    def load(cls, fname: str | Path) -> Self:
        """Results from a file of :meth:`save`; only from sources that are trusted.

        Parameters
        ----------
        fname : str or Path
            Name of the file.

        Returns
        -------
        MixedLMResults

        Examples
        --------
        >>> import tempfile, pathlib
        >>> import skmixed.statsmodels as sm
        >>> from skmixed.datasets import make_mixed_regression
        >>> X, y = make_mixed_regression(random_state=0)
        >>> result = sm.mixedlm("y ~ x0 + x1", X.assign(y=y), groups="group").fit()
        >>> with tempfile.TemporaryDirectory() as place:
        ...     result.save(pathlib.Path(place) / "fit.pickle")
        ...     sm.MixedLMResults.load(pathlib.Path(place) / "fit.pickle").method
        'REML'
        """
        return pickle.loads(Path(fname).read_bytes())


def _is_words(spec: Any) -> bool:
    return isinstance(spec, list) and any(isinstance(row, str) for row in spec)


def _renamed(argument: str, names: list[str] | None, known: list[str]) -> list[str]:
    if names is None:
        return known
    if len(names) != len(known):
        raise ValueError(
            f"{argument} should be a list of length {len(known)}, it has {len(names)} names.\n"
            f"Name {', '.join(known)}."
        )
    return list(names)
