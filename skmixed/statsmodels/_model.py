"""The model, with statsmodels' arguments."""

from __future__ import annotations

from inspect import signature
from typing import Any, Self

import numpy as np

from .._data.checks import nearest, warn
from ..exceptions import SkmixedWarning
from ._distribution import Distribution
from ._estimates import estimates_of
from ._free import blocks_of
from ._inputs.arrays import from_arrays
from ._inputs.formulas import Formulas, environment_of, from_formulas
from ._penalty import penalised
from ._results import Found, MixedLMResults

__all__ = ["MixedLM"]

#: of statsmodels' optimisers, without use here
OPTIMISERS = {"gtol", "maxiter", "eps", "maxcor", "ftol", "tol", "disp", "maxls"}
OF_FORMULAS = ("missing_idx", "model_spec", "design_info", "formula")


class MixedLM(Distribution):
    """A linear mixed model with statsmodels' arguments, fitted by this library.

    For the rows of one group

        y = X beta + Z gamma + sum_k V_k u_k + e

    with ``gamma ~ N(0, cov_re)``, ``u_k ~ N(0, vcomp_k I)`` and ``e ~ N(0, scale I)``.

    Parameters
    ----------
    endog : array-like of shape (n_rows,)
        Response y.
    exog : array-like of shape (n_rows, k_fe)
        Columns X of the fixed effects, with the constant if there is to be one.
    groups : array-like of shape (n_rows,)
        Labels of the groups.
    exog_re : array-like of shape (n_rows, k_re), default=None
        Columns Z of the correlated random effects; None: an intercept, unless there is ``exog_vc``.
    exog_vc : VCSpec or dict, default=None
        Columns V of the variance components, per group; ``exog_vc[name][group]`` for a dict.
    use_sqrt : bool, default=True
        How :meth:`loglike` reads a vector: roots of the variances, or the variances.
    missing : {"none", "drop", "raise"}, default="none"
        Rows with missing values are an error, or left out.
    **kwargs
        Nothing else is taken.

    Attributes
    ----------
    endog, exog, exog_re : ndarray
        The data; ``exog_re`` is None without correlated random effects.
    endog_name, exog_names : str, list of str
        Names of the response (also ``endog_names``) and of the fixed effects.
    group_labels : list
        Labels of the groups, sorted.
    k_fe, k_re, k_re2, k_vc, k_params, nobs, n_totobs, n_groups : int
        Numbers of fixed effects, random effects, entries of their covariance, components, rows and
        groups.
    data : namespace
        ``xnames``, ``ynames``, ``param_names``, ``exog_re_names``, ``exog_re_names_full``,
        ``vcomp_names``.

    Notes
    -----
    What differs from statsmodels on purpose: ``docs/coming_from/statsmodels_dropin.md``.

    Examples
    --------
    >>> import numpy as np
    >>> import skmixed.statsmodels as sm
    >>> from skmixed.datasets import make_mixed_regression
    >>> X, y = make_mixed_regression(random_state=0)
    >>> exog = np.column_stack([np.ones(len(X)), X["x0"], X["x1"]])
    >>> sm.MixedLM(np.asarray(y), exog, X["group"]).fit().fe_params.round(2)
    array([0.03, 1.1 , 2.  ])
    """

    def __init__(
        self,
        endog: Any,
        exog: Any,
        groups: Any,
        exog_re: Any = None,
        exog_vc: Any = None,
        use_sqrt: bool = True,
        missing: str = "none",
        **kwargs: Any,
    ) -> None:
        for name in kwargs:
            if name not in OF_FORMULAS:
                raise ValueError(
                    f"argument {name} not permitted for MixedLM initialization.\n"
                    "It has endog, exog, groups, exog_re, exog_vc, use_sqrt and missing."
                )
        self._take(from_arrays(endog, exog, groups, exog_re, exog_vc, missing), use_sqrt)

    @classmethod
    def from_formula(
        cls,
        formula: str,
        data: Any,
        re_formula: str | None = None,
        vc_formula: dict[str, str] | None = None,
        subset: Any = None,
        use_sparse: bool = False,
        missing: str = "none",
        *,
        groups: Any,
        eval_env: Any = 0,
        use_sqrt: bool = True,
    ) -> Self:
        """The model of formulas, which patsy reads.

        Parameters
        ----------
        formula : str
            ``"y ~ x + C(arm)"``: response and fixed effects.
        data : table
            With the columns of the formulas.
        re_formula : str, default=None
            Correlated random effects, such as ``"1 + x"``; None: an intercept, unless there is
            ``vc_formula``.
        vc_formula : dict of str, default=None
            A formula per variance component, such as ``{"class": "0 + C(class)"}``.
        subset : array-like, default=None
            Rows of data by ``data.loc``.
        use_sparse : bool, default=False
            Taken for statsmodels' sake: components of one categorical variable are never dense.
        missing : {"none", "drop", "raise"}, default="none"
            Rows without a value in a column that is used are an error, or left out.
        groups : str or array-like of shape (n_rows,)
            Column of data with the labels of the groups, or these labels.
        eval_env : int or patsy.EvalEnvironment, default=0
            Where formulas look up functions: how many frames above the caller; -1 for nowhere.
        use_sqrt : bool, default=True
            As in the constructor.

        Returns
        -------
        MixedLM

        Raises
        ------
        ValueError
            For unknown columns and missing values.

        Examples
        --------
        >>> import skmixed.statsmodels as sm
        >>> from skmixed.datasets import make_mixed_regression
        >>> X, y = make_mixed_regression(random_state=0)
        >>> data = X.assign(y=y)
        >>> model = sm.MixedLM.from_formula("y ~ x0", data, groups="group", re_formula="1 + x0")
        >>> model.data.param_names
        ['Intercept', 'x0', 'group Var', 'group x x0 Cov', 'x0 Var']
        """
        environment = environment_of(eval_env, reference=1)
        formulas = Formulas(formula, re_formula, dict(vc_formula or {}), environment)
        model = cls.__new__(cls)
        model._take(from_formulas(formulas, data, groups, subset, missing), use_sqrt)
        return model

    def fit(
        self,
        start_params: Any = None,
        reml: bool = True,
        niter_sa: int = 0,
        do_cg: bool = True,
        fe_pen: Any = None,
        cov_pen: Any = None,
        free: Any = None,
        full_output: bool = False,
        method: Any = None,
        **fit_kwargs: Any,
    ) -> MixedLMResults:
        """Maximise the restricted or the full likelihood.

        Parameters
        ----------
        start_params : object, default=None
            Taken and not used: the search starts from moments.
        reml : bool, default=True
            Whether the likelihood is restricted.
        niter_sa : int, default=0
            Taken and not used.
        do_cg : bool, default=True
            False is refused: estimates are always optima.
        fe_pen, cov_pen : default=None
            Penalties are refused.
        free : MixedLMParams, default=None
            Ones for what is estimated: an identity matrix for ``cov_re`` means independent random
            effects.  Only covariances between blocks of effects can be held, at zero.
        full_output : bool, default=False
            Whether ``hist`` says how long the search was.
        method : object, default=None
            Taken and not used: there is one method.
        **fit_kwargs
            Of statsmodels' optimisers (``gtol``, ``maxiter``, ``disp`` and the like): taken and not
            used.  What statsmodels does not use either, such as ``cov_type``, is warned of.

        Returns
        -------
        MixedLMResults

        Raises
        ------
        NotImplementedError
            For penalties, ``do_cg=False`` and other parameters that are held.

        Warns
        -----
        SingularFitWarning, RankDeficiencyWarning, ConvergenceWarning
            Where the estimates need a second look.

        Examples
        --------
        >>> import skmixed.statsmodels as sm
        >>> from skmixed.datasets import make_mixed_regression
        >>> X, y = make_mixed_regression(random_state=0)
        >>> sm.mixedlm("y ~ x0", X.assign(y=y), groups="group").fit(reml=False).method
        'ML'
        """
        _refuse(fe_pen=fe_pen, cov_pen=cov_pen, do_cg=do_cg)
        _warn_of_unused(sorted(set(fit_kwargs) - OPTIMISERS))
        self.reml = bool(reml)
        blocks = blocks_of(free, *(self.sizes[k] for k in (0, 1, 3)))
        assembled = self._assembled(blocks, self.reml)
        if free is None:
            self._whole[self.reml] = assembled
        estimates = estimates_of(assembled, blocks, self.k_re)
        optimum = assembled.fitted.fit.optimum
        hist = [{"converged": optimum.converged, "iterations": optimum.n_evaluations}]
        found = Found(assembled, blocks, estimates)
        return MixedLMResults(self, found, reml=self.reml, hist=hist if full_output else None)

    def fit_regularized(
        self,
        start_params: Any = None,
        method: str = "l1",
        alpha: Any = 0,
        ceps: float = 1e-4,
        ptol: float = 1e-6,
        maxit: int = 200,
        **fit_kwargs: Any,
    ) -> MixedLMResults:
        """Fixed effects under an L1 penalty, the variances being those without it.

        Minimises ``(y - X b)'V^-1(y - X b) + sum alpha_j |b_j|``.

        Parameters
        ----------
        start_params : object, default=None
            Taken and not used.
        method : {"l1"}, default="l1"
            Penalty objects are refused.
        alpha : float or array-like of shape (k_fe,), default=0
            Weights.
        ceps : float, default=1e-4
            Coefficients closer to zero are taken for zero.
        ptol : float, default=1e-6
            Largest change of a coefficient at the end.
        maxit : int, default=200
            Largest number of iterations.
        **fit_kwargs
            As for :meth:`fit`.

        Returns
        -------
        MixedLMResults
            Without standard errors of the coefficients that are zero.

        Raises
        ------
        ValueError
            For another method.

        Examples
        --------
        >>> import skmixed.statsmodels as sm
        >>> from skmixed.datasets import make_mixed_regression
        >>> X, y = make_mixed_regression(random_state=0)
        >>> model = sm.MixedLM(y, X[["x0", "x1"]], X["group"])
        >>> model.fit_regularized(alpha=2000).fe_params.round(2).to_dict()
        {'x0': 0.0, 'x1': 0.47}
        """
        if not isinstance(method, str) or method.lower() != "l1":
            raise ValueError(f"method={method!r} is an invalid regularization method.\nUse 'l1'.")
        result = self.fit(**fit_kwargs)
        weights = np.broadcast_to(np.asarray(alpha, dtype=float), (self.k_fe,))
        plain = result._found.estimates
        estimates = penalised(plain, weights, zero=ceps, tol=ptol, max_iter=maxit)
        found = result._found._replace(estimates=estimates)
        return MixedLMResults(self, found, reml=self.reml, hist=result.hist)


def _refuse(**given: Any) -> None:
    refused = [name for name in ("fe_pen", "cov_pen") if given[name] is not None]
    refused += [] if given["do_cg"] else ["do_cg=False"]
    if refused:
        raise NotImplementedError(
            f"{', '.join(refused)}: not available here.\n"
            "Leave it out; fit_regularized has an L1 penalty of the fixed effects."
        )


def _warn_of_unused(names: list[str]) -> None:
    if names:
        warn(
            f"Argument{'s' * (len(names) > 1)} {', '.join(names)} not used by MixedLM.fit, here as "
            f"in statsmodels.\n{_instead_of(names)}",
            SkmixedWarning,
        )


def _instead_of(names: list[str]) -> str:
    if any(name.startswith("cov") for name in names):
        return "Robust standard errors: result.results_.coef_table(cov='CR2')."
    known = list(signature(MixedLM.fit).parameters)[1:-1]
    meant = next(filter(None, (nearest(name, known) for name in names)), None)
    return f"Did you mean {meant!r}?" if meant else "Leave it out."
