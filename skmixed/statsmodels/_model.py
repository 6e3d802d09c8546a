"""The model, with statsmodels' arguments."""

from __future__ import annotations

import warnings
from functools import cached_property
from types import SimpleNamespace
from typing import Any, Self

import numpy as np
import pandas as pd

from .._data.checks import warn
from ..exceptions import SkmixedWarning
from ._components import Component, Part
from ._estimates import component_names, estimates_of
from ._fitting import Assembled, assemble
from ._formulas import Formulas, environment_of, from_formulas
from ._free import blocks_of
from ._groups import Groups
from ._inputs import Inputs, Matrix, from_arrays
from ._labels import Labels
from ._likelihood import loglike
from ._params import MixedLMParams, VCSpec
from ._penalty import penalised
from ._results import Found, MixedLMResults

__all__ = ["MixedLM"]

#: of statsmodels' optimisers, without use here
OPTIMISERS = {"gtol", "maxiter", "eps", "maxcor", "ftol", "tol", "disp", "maxls"}
OF_FORMULAS = ("missing_idx", "model_spec", "design_info", "formula")


class MixedLM:
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
    What differs from statsmodels on purpose is listed in ``docs/statsmodels.md``.

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

    def _take(self, inputs: Inputs, use_sqrt: bool) -> None:
        """Everything that statsmodels' model has as an attribute."""
        self.endog, self.exog = inputs.endog, inputs.exog.values
        self.exog_re = inputs.exog_re.values if inputs.exog_re.names else None
        self.endog_names, self.exog_names = inputs.endog_name, inputs.exog.names
        self.formula = inputs.formula
        self.use_sqrt = use_sqrt
        self.reml = True
        self.fe_pen = self.cov_pen = self.re_pen = None
        self.grouping: Groups = inputs.groups
        self.group_name = inputs.group_name
        self.group_labels = inputs.groups.labels
        self.components: list[Component] = inputs.components
        self.labels = Labels(inputs.index)
        self.nobs = self.n_totobs = len(inputs.endog)
        self.n_groups = len(self.group_labels)
        self.k_fe, self.k_re = len(inputs.exog.names), len(inputs.exog_re.names)
        self.k_re2, self.k_vc = self.k_re * (self.k_re + 1) // 2, len(inputs.components)
        self.k_params = self.k_fe + self.k_re2
        self.k_constant = int(np.any(np.ptp(self.exog, axis=0) == 0)) if self.k_fe else 0
        self.data = _names(inputs)
        self._design = inputs.design
        self._whole: dict[bool, Assembled] = {}

    def __getstate__(self) -> dict[str, Any]:
        """Formulas that patsy has read cannot be pickled."""
        data = SimpleNamespace(**{**vars(self.data), "model_spec": None, "design_info": None})
        return vars(self) | {"_design": None, "data": data}

    @property
    def sizes(self) -> tuple[int, int, int, int]:
        """``k_fe, k_re, k_re2, k_vc``.

        Examples
        --------
        >>> import skmixed.statsmodels as sm
        >>> from skmixed.datasets import make_mixed_regression
        >>> X, y = make_mixed_regression(random_state=0)
        >>> sm.MixedLM(y, X[["x0", "x1"]], X["group"]).sizes
        (2, 1, 1, 0)
        """
        return self.k_fe, self.k_re, self.k_re2, self.k_vc

    @property
    def group_sizes(self) -> np.ndarray:
        """Numbers of rows of the groups.

        Examples
        --------
        >>> import skmixed.statsmodels as sm
        >>> from skmixed.datasets import make_mixed_regression
        >>> X, y = make_mixed_regression(random_state=0)
        >>> int(sm.MixedLM(y, X[["x0", "x1"]], X["group"]).group_sizes[0])
        10
        """
        return self.grouping.sizes

    @cached_property
    def row_indices(self) -> dict[Any, list[int]]:
        """Positions of the rows by group.

        Examples
        --------
        >>> import skmixed.statsmodels as sm
        >>> from skmixed.datasets import make_mixed_regression
        >>> X, y = make_mixed_regression(random_state=0)
        >>> len(sm.MixedLM(y, X[["x0", "x1"]], X["group"]).row_indices[0])
        10
        """
        pairs = zip(self.group_labels, self.grouping.rows, strict=True)
        return {label: rows.tolist() for label, rows in pairs}

    @cached_property
    def exog_vc(self) -> VCSpec:
        """The variance components with their matrices.

        Examples
        --------
        >>> import skmixed.statsmodels as sm
        >>> from skmixed.datasets import make_mixed_regression
        >>> X, y = make_mixed_regression(random_state=0)
        >>> data = X.assign(y=y)
        >>> vc = {"slope": "0 + x0"}
        >>> sm.mixedlm("y ~ x0", data, groups="group", vc_formula=vc).exog_vc.mats[0][0].shape
        (10, 1)
        """
        rows = list(enumerate(self.grouping.rows))
        return VCSpec(
            [c.name for c in self.components],
            [[c.names(g) for g, _ in rows] for c in self.components],
            [[c.matrix(g, own) for g, own in rows] for c in self.components],
        )

    def group_list(self, array: np.ndarray | None) -> list[np.ndarray] | None:
        """Rows of an array, group by group.

        Parameters
        ----------
        array : ndarray of shape (n_rows, ...) or None
            One row for each of the data.

        Returns
        -------
        list of ndarray
            None for None.

        Examples
        --------
        >>> import skmixed.statsmodels as sm
        >>> from skmixed.datasets import make_mixed_regression
        >>> X, y = make_mixed_regression(random_state=0)
        >>> model = sm.MixedLM(y, X[["x0", "x1"]], X["group"])
        >>> len(model.group_list(model.endog))
        100
        """
        return self.grouping.split(array)

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
        niter_sa, full_output, method, **fit_kwargs
            Of statsmodels' optimisers (``gtol``, ``maxiter``, ``disp`` and the like): taken and not
            used.  What statsmodels does not use either, such as ``cov_type``, is warned of.
        do_cg : bool, default=True
            False is refused: estimates are always optima.
        fe_pen, cov_pen : default=None
            Penalties are refused.
        free : MixedLMParams, default=None
            Ones for what is estimated: an identity matrix for ``cov_re`` means independent random
            effects.  Only covariances between blocks of effects can be held, at zero.

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
        {'x0': 0.0, 'x1': 0.71}
        """
        if not isinstance(method, str) or method.lower() != "l1":
            raise ValueError(f"method={method!r} is an invalid regularization method.\nUse 'l1'.")
        result = self.fit(**fit_kwargs)
        weights = np.broadcast_to(np.asarray(alpha, dtype=float), (self.k_fe,))
        plain = result._found.estimates
        estimates = penalised(plain, weights, zero=ceps, tol=ptol, max_iter=maxit)
        found = result._found._replace(estimates=estimates)
        return MixedLMResults(self, found, reml=self.reml, hist=result.hist)

    def predict(self, params: Any, exog: Any = None) -> np.ndarray:
        """Means by given fixed effects.

        Parameters
        ----------
        params : MixedLMParams or array-like of shape (k,)
            Begins with the fixed effects.
        exog : array-like of shape (n_rows, k_fe), default=None
            Their columns; None: those of the fit.

        Returns
        -------
        ndarray of shape (n_rows,)

        Examples
        --------
        >>> import skmixed.statsmodels as sm
        >>> from skmixed.datasets import make_mixed_regression
        >>> X, y = make_mixed_regression(random_state=0)
        >>> model = sm.MixedLM(y, X[["x0", "x1"]], X["group"])
        >>> model.predict([1.0, 2.0], [[1.0, 1.0]])
        array([3.])
        """
        fixed = params.fe_params if hasattr(params, "fe_params") else params
        columns = self.exog if exog is None else np.asarray(exog)
        return columns @ np.asarray(fixed)[: self.k_fe]

    def fixed_columns(self, exog: Any = None, transform: bool = True) -> np.ndarray:
        """What the fixed effects multiply in new rows.

        Parameters
        ----------
        exog : table or array, default=None
            With the variables of the formula, or these columns; None: the rows of the fit.
        transform : bool, default=True
            Whether the formula is evaluated.

        Returns
        -------
        ndarray of shape (n_rows, k_fe)

        Raises
        ------
        ValueError
            After pickling, for what a formula has to be evaluated on.

        Examples
        --------
        >>> import skmixed.statsmodels as sm
        >>> from skmixed.datasets import make_mixed_regression
        >>> X, y = make_mixed_regression(random_state=0)
        >>> model = sm.mixedlm("y ~ x0", X.assign(y=y), groups="group")
        >>> model.fixed_columns({"x0": [2.0]})
        array([[1., 2.]])
        """
        if exog is None:
            return self.exog
        if not (transform and self.formula is not None and not isinstance(exog, np.ndarray)):
            found = np.asarray(exog, dtype=float)
            return found[:, None] if found.ndim == 1 and self.k_fe == 1 else np.atleast_2d(found)
        if self._design is None:
            raise ValueError(
                "the formula is not kept in a pickled model.\n"
                "Pass the columns of the fixed effects as an array."
            )
        from patsy import NAAction, dmatrix

        action = NAAction(NA_types=[])
        table = exog.to_frame().T.infer_objects() if isinstance(exog, pd.Series) else exog
        return np.asarray(dmatrix(self._design, table, NA_action=action))

    def loglike(self, params: Any, profile_fe: bool = True) -> float:
        """The log-likelihood at given parameters, with the residual variance profiled out.

        Restricted if the last fit was.

        Parameters
        ----------
        params : MixedLMParams or array-like
            Variances in units of the residual variance; a vector holds them packed, as
            ``use_sqrt`` says.
        profile_fe : bool, default=True
            Whether the fixed effects are the best ones rather than those of ``params``.

        Returns
        -------
        float

        Examples
        --------
        >>> import skmixed.statsmodels as sm
        >>> from skmixed.datasets import make_mixed_regression
        >>> X, y = make_mixed_regression(random_state=0)
        >>> model = sm.mixedlm("y ~ x0 + x1", X.assign(y=y), groups="group")
        >>> round(model.loglike(model.fit().params_object), 1)
        -1681.7
        """
        if not hasattr(params, "cov_re"):
            has_fe = not profile_fe
            params = MixedLMParams.from_packed(
                params, self.k_fe, self.k_re, self.use_sqrt, has_fe=has_fe
            )
        return loglike(self.unconstrained(self.reml), params, profile_fe=profile_fe)

    def unconstrained(self, reml: bool) -> Assembled:
        """The fit with all covariances.

        Parameters
        ----------
        reml : bool
            Whether the likelihood is restricted.

        Returns
        -------
        Assembled

        Examples
        --------
        >>> import skmixed.statsmodels as sm
        >>> from skmixed.datasets import make_mixed_regression
        >>> X, y = make_mixed_regression(random_state=0)
        >>> model = sm.mixedlm("y ~ x0 + x1", X.assign(y=y), groups="group")
        >>> model.unconstrained(reml=True).fitted.fit.reml
        True
        """
        if reml not in self._whole:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", SkmixedWarning)
                blocks = blocks_of(None, *(self.sizes[k] for k in (0, 1, 3)))
                self._whole[reml] = self._assembled(blocks, reml)
        return self._whole[reml]

    def _assembled(self, blocks: list[list[int]], reml: bool) -> Assembled:
        names = self.data.exog_re_names
        Z = self.exog_re
        parts = [
            Part(None, self.group_labels, Z[:, block], [names[k] for k in block], "unstructured")
            for block in blocks
            if Z is not None
        ]
        parts += [component.part(self.grouping) for component in self.components]
        return assemble(
            self.endog,
            Matrix(self.exog, self.exog_names),
            self.endog_names,
            self.grouping,
            self.group_name,
            parts,
            reml=reml,
        )

    def packed(self, fixed: np.ndarray, cov_re: np.ndarray, vcomp: np.ndarray) -> MixedLMParams:
        """Parameters.

        Parameters
        ----------
        fixed, cov_re, vcomp : ndarray
            Its parts, the variances in units of the residual variance.

        Returns
        -------
        MixedLMParams

        Examples
        --------
        >>> import numpy as np
        >>> import skmixed.statsmodels as sm
        >>> from skmixed.datasets import make_mixed_regression
        >>> X, y = make_mixed_regression(random_state=0)
        >>> model = sm.mixedlm("y ~ x0", X.assign(y=y), groups="group")
        >>> model.packed(np.zeros(2), np.eye(1), np.zeros(0)).k_tot
        3
        """
        return MixedLMParams.from_components(fixed, cov_re, vcomp=vcomp)

    def effects_of(
        self, group: int, cov_re: np.ndarray, vcomp: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, list[str]]:
        """All random effects of one group.

        Parameters
        ----------
        group : int
            Its position.
        cov_re, vcomp : ndarray
            Variances.

        Returns
        -------
        tuple of ndarray, ndarray and list of str
            Columns, covariance matrix, and names.

        Examples
        --------
        >>> import numpy as np
        >>> import skmixed.statsmodels as sm
        >>> from skmixed.datasets import make_mixed_regression
        >>> X, y = make_mixed_regression(random_state=0)
        >>> model = sm.mixedlm("y ~ x0", X.assign(y=y), groups="group")
        >>> model.effects_of(0, np.eye(1), np.zeros(0))[0].shape
        (10, 1)
        """
        rows = self.grouping.rows[group]
        parts = [] if self.exog_re is None else [self.exog_re[rows]]
        parts += [c.matrix(group, rows) for c in self.components]
        Z = np.column_stack(parts)
        widths = [len(c.names(group)) for c in self.components]
        G = np.diag(np.concatenate([np.zeros(self.k_re), np.repeat(vcomp, widths)]))
        G[: self.k_re, : self.k_re] = cov_re
        return Z, G, component_names(self.data.exog_re_names, self.components, group)

    def remove_data(self) -> None:
        """Forget the rows.

        Examples
        --------
        >>> import skmixed.statsmodels as sm
        >>> from skmixed.datasets import make_mixed_regression
        >>> X, y = make_mixed_regression(random_state=0)
        >>> model = sm.mixedlm("y ~ x0", X.assign(y=y), groups="group")
        >>> model.remove_data()
        >>> model.exog is None
        True
        """
        self._whole = {}
        self.endog = self.exog = self.exog_re = None  # type: ignore[assignment]


def _names(inputs: Inputs) -> SimpleNamespace:
    """All names, as statsmodels has them in ``model.data``."""
    effects = list(inputs.exog_re.names)
    full = inputs.full_names or [
        f"{effects[r]} Var" if r == c else f"{effects[c]} x {effects[r]} Cov"
        for r in range(len(effects))
        for c in range(r + 1)
    ]
    components = [component.name for component in inputs.components]
    return SimpleNamespace(
        ynames=inputs.endog_name,
        xnames=list(inputs.exog.names),
        param_names=[*inputs.exog.names, *full, *(f"{name} Var" for name in components)],
        exog_re_names=effects,
        exog_re_names_full=full,
        vcomp_names=components,
        model_spec=inputs.design,
        design_info=inputs.design,
        row_labels=inputs.index,
    )


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
            "in statsmodels.\nRobust standard errors: result.results_.coef_table(cov='CR2').",
            SkmixedWarning,
        )
