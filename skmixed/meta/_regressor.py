"""Any regressor as the fixed part of a linear mixed model."""

from __future__ import annotations

from typing import Any, ClassVar, Literal, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.base import _fit_context
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.utils import check_random_state

from .._data.checks import AnyCase, check_choice
from .._data.response import finite_response, response_name
from .._fit.kinds import Kind
from .._reader import Spec
from .._regression import PredictsMeans
from .._report.problems import linear_problems
from ..results import MixedResults
from ..terms import RandomEffect
from ._base import CONSTRAINTS, Alternating, check_inner
from ._conformal import Conformity
from ._linear import LinearStep
from ._parts import RegressorPart
from ._rows import FitRows

__all__ = ["MixedRegressor"]


class MixedRegressor(PredictsMeans, Alternating):
    """Linear mixed model whose fixed part is any scikit-learn regressor.

    For the rows of one level of every grouping factor

        y = f(X) + mu + Z b + e,      b ~ N(0, Sigma),   e ~ N(0, sigma^2),

    with f from a regressor.  From ``b = 0`` on, these steps alternate:

        f      <-  the regressor fitted to y - Z b; in every row that of the other folds
        (mu, Sigma, sigma^2, b)  <-  the linear mixed model of y - f(X), by REML or ML

    until ``Z b`` changes by less than ``tol`` residual standard deviations (root mean square over
    the rows).  Steps are combined by Anderson's acceleration.  A regressor that answers in jumps,
    as trees do, keeps changing a little for ever: three steps in a row that change no less than the
    least so far end the fit too, converged if that was at most 0.1.  With least squares inside,
    ``cv=None`` and ``method="ml"`` the end is the maximum likelihood of
    :class:`~skmixed.MixedLinearRegressor`: the equations of f and b are Henderson's.

    Folds matter: in sample a flexible regressor explains part of b and of e, and both variances
    come out too small.  Out of fold its error counts as residual variance; ``scale_`` is freed
    of its random part by two fits to halves of the rows of the other folds, which makes as many
    fits again as one step.  What is left is the squared bias of such fits.

    Parameters
    ----------
    regressor : estimator, default=None
        The fixed part; None is ``HistGradientBoostingRegressor()``.  It gets the columns of X that
        are no grouping factors, tables as tables, and ``sample_weight`` if any was passed.
    groups : str, int or list of them, default=None
        As in :class:`~skmixed.MixedLinearRegressor`.
    random_effects : str, RandomEffect or list of RandomEffect, default=None
        As in :class:`~skmixed.MixedLinearRegressor`; columns with slopes stay in the fixed part.
    covariance : str, default="unstructured"
        Covariance structure of terms that do not name one of their own.
    cv : int, splitter, iterable or None, default=5
        Folds of the fixed part.  A number makes folds of whole levels of the first grouping factor,
        or of rows where it has fewer levels; a splitter is given the levels of the first factor as
        groups; None fits in sample.
    method : {"reml", "ml"}, default="reml"
        Restricted or full maximum likelihood of the mixed model.
    tol : float, default=0.01
        Change of the random part that ends the fit, in residual standard deviations.
    max_iter : int, default=50
        Largest number of steps.
    random_state : int, RandomState or None, default=None
        Of the folds, the halves, and the regressor where its own is None: the same in every step.
    n_jobs : int, default=None
        Folds that are fitted at a time.
    verbose : int, default=0
        1 prints the change in every step.

    Attributes
    ----------
    regressor_ : estimator
        The fixed part, fitted to all rows.
    intercept_ : float
        mu, what the mixed model adds to it.
    scale_ : float
        Residual variance sigma^2.
    fixed_error_ : float
        Mean squared error of f within levels, by which the residual variance of predictions, and
        of intervals, is larger; 0 in sample, where it cannot be told.
    covariances_ : list of ndarray
        Covariance matrix (q x q) of every random-effects term.
    loglik_ : float
        (Restricted) log-likelihood of the mixed model, given f.
    results_ : MixedResults
        The mixed model of what the fixed part leaves, ``results_.scale`` with the error of f.
    converged_ : bool
    change_ : float
        Of the random part in the last step.
    n_iter_ : int
        Number of steps.
    n_features_in_ : int
    feature_names_in_ : ndarray of str

    References
    ----------
    Hajjem, Bellavance and Larocque (2014), Mixed-effects random forest for clustered data, J. Stat.
    Comput. Simul. 84. Sela and Simonoff (2012), RE-EM trees, Machine Learning 86.

    Examples
    --------
    >>> from sklearn.linear_model import LinearRegression
    >>> from skmixed.datasets import make_mixed_regression
    >>> from skmixed.meta import MixedRegressor
    >>> X, y = make_mixed_regression(n_groups=300, random_state=0)
    >>> model = MixedRegressor(LinearRegression(), groups="group", random_state=0).fit(X, y)
    >>> model.regressor_.coef_.round(1)
    array([0.9, 2. ])
    >>> model.predict(X).shape
    (3000,)
    """

    results_: MixedResults
    _results = MixedResults
    _parameter_constraints: ClassVar[dict[str, list[Any] | str]] = CONSTRAINTS | {
        "regressor": "no_validation",
        "method": [AnyCase({"reml", "ml"})],
    }

    def __init__(
        self,
        regressor: Any = None,
        groups: str | int | list[str | int] | None = None,
        random_effects: str | RandomEffect | list[RandomEffect] | None = None,
        *,
        covariance: str = "unstructured",
        cv: Any = 5,
        method: Literal["reml", "ml"] = "reml",
        tol: float = 0.01,
        max_iter: int = 50,
        random_state: int | np.random.RandomState | None = None,
        n_jobs: int | None = None,
        verbose: int = 0,
    ) -> None:
        self.regressor = regressor
        self.groups = groups
        self.random_effects = random_effects
        self.covariance = covariance
        self.cv = cv
        self.method = method
        self.tol = tol
        self.max_iter = max_iter
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose

    def _inner(self) -> Any:
        return HistGradientBoostingRegressor() if self.regressor is None else self.regressor

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(
        self,
        X: Any,
        y: ArrayLike,
        *,
        groups: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Fit the model.

        Parameters
        ----------
        X : table or array of shape (n_rows, n_columns)
            Columns of the fixed part and, where the constructor names them, grouping columns.
        y : array-like of shape (n_rows,)
        groups : array-like of shape (n_rows,) or (n_rows, n_factors), default=None
            Labels of the grouping factors, where they are not columns of X.
        sample_weight : array-like of shape (n_rows,), default=None
            Number of times each row counts; the regressor gets them too.

        Returns
        -------
        MixedRegressor
            The fitted estimator itself.

        Raises
        ------
        TypeError
            For a regressor that is no estimator.
        ValueError
            For unknown columns, missing labels, groups given twice, folds that are no partition, or
            weights that the regressor does not take.

        Warns
        -----
        ConvergenceWarning
            Where the steps have not ended.
        GroupsWarning, SingularFitWarning
            As :class:`~skmixed.MixedLinearRegressor`.

        Examples
        --------
        >>> from sklearn.linear_model import LinearRegression
        >>> from skmixed.datasets import make_mixed_regression
        >>> from skmixed.meta import MixedRegressor
        >>> X, y = make_mixed_regression(random_state=0)
        >>> MixedRegressor(LinearRegression(), groups="group").fit(X, y).converged_
        True
        """
        check_inner("regressor", self._inner(), "predict")
        rng = check_random_state(self.random_state)
        data = FitRows.read(Spec.of(self), X, y, groups, sample_weight, finite_response)
        part = self._part(RegressorPart, data, rng)
        step = LinearStep(data, part, self.method.lower() == "reml")
        found = self._alternated(step, len(data.rows))
        model, fixed = step.model(found.step, response_name(y))
        self._keep(model, found, linear_problems(model))
        self.regressor_ = fixed.estimator
        self.scale_ = step.free_scale(found.step, rng)
        self.fixed_error_ = float(model.fit.sigma2 - self.scale_)
        self._conformity = Conformity.of(model)
        return self

    @property
    def _error_of_means(self) -> float:
        return self.fixed_error_

    def predict_interval(
        self,
        X: Any,
        *,
        groups: ArrayLike | None = None,
        level: float = 0.95,
        target: Literal["observation", "mean"] = "observation",
        kind: Kind = "conditional",
        method: Literal["normal", "conformal"] = "normal",
    ) -> np.ndarray:
        """Interval for a new observation, or for its mean.

        "normal": as of :class:`~skmixed.MixedLinearRegressor`, with the error of the fixed part on
        average: the mean squared error of an observation is ``v + sigma^2 + fixed_error_``.

        "conformal": the prediction and as many of these standard errors on either side as a share
        ``level`` of the rows of the fit needed when they were predicted from others, whatever the
        distribution of the residuals: from other folds and other rows of their level for rows of
        known levels, from other levels for those of new ones, each level counting once.

        Parameters
        ----------
        X : table or array of shape (n_rows, n_columns)
            As for :meth:`predict`.
        groups : array-like, default=None
            Labels, where they were passed to ``fit`` as well.
        level : float, default=0.95
            Of the interval.
        target : {"observation", "mean"}, default="observation"
            What is to lie inside.
        kind : {"conditional", "population", "marginal"}, default="conditional"
            As in :meth:`predict`.
        method : {"normal", "conformal"}, default="normal"
            How wide it is.

        Returns
        -------
        ndarray of shape (n_rows, 2)
            Lower and upper limits; infinite where a conformal level needs more rows or levels.

        Raises
        ------
        ValueError
            For levels, targets, kinds and methods that do not exist, and conformal intervals of
            anything but observations.

        Examples
        --------
        >>> from sklearn.linear_model import LinearRegression
        >>> from skmixed.datasets import make_mixed_regression
        >>> from skmixed.meta import MixedRegressor
        >>> X, y = make_mixed_regression(random_state=0)
        >>> model = MixedRegressor(LinearRegression(), groups="group", random_state=0).fit(X, y)
        >>> model.predict_interval(X.head(1)).round(1)
        array([[1.9, 6.7]])
        >>> model.predict_interval(X.head(1), method="conformal").shape
        (1, 2)
        """
        if check_choice("method", method, ("normal", "conformal")) == "normal":
            return super().predict_interval(X, groups=groups, level=level, target=target, kind=kind)
        if target != "observation" or kind == "population":
            raise ValueError(
                "method='conformal' is for observations, of known or new levels.\n"
                "Use target='observation' and kind='conditional' or 'marginal'."
            )
        return self._conformity.interval(self._model, X, groups, level, kind)

    def variance_components(
        self,
        level: float = 0.95,
        method: Literal["wald", "profile", "bootstrap"] = "wald",
        **options: Any,
    ) -> pd.DataFrame:
        """Variances and covariances as a table.

        The residual variance is ``scale_``, without the error of the fixed part; its limits are
        those of the mixed model in proportion.

        Parameters
        ----------
        level : float, default=0.95
            Of the confidence limits.
        method : {"wald", "profile", "bootstrap"}, default="wald"
            How the limits are found; the fixed part counts as known.
        **options
            As in :meth:`skmixed.results.MixedResults.variance_table`.

        Returns
        -------
        DataFrame
            ``factor, effect, effect2, estimate, sd_or_corr, std_error, ci_low, ci_high``; a
            residual comes last.

        Examples
        --------
        >>> from sklearn.linear_model import LinearRegression
        >>> from skmixed.datasets import make_mixed_regression
        >>> from skmixed.meta import MixedRegressor
        >>> X, y = make_mixed_regression(random_state=0)
        >>> model = MixedRegressor(LinearRegression(), groups="group", random_state=0).fit(X, y)
        >>> model.variance_components()[["factor", "estimate"]].round(1)
             factor  estimate
        0     group       1.3
        1  Residual       1.3
        """
        table = super().variance_components(level, method, **options)
        whole = self.scale_ + self.fixed_error_
        share = self.scale_ / whole if whole > 0 else 1.0
        own = np.sqrt(share) if options.get("scale") == "sd" else share
        residual = table.index[-1]
        table.loc[residual, ["estimate", "std_error", "ci_low", "ci_high"]] *= own
        table.loc[residual, "sd_or_corr"] *= np.sqrt(share)
        return table
