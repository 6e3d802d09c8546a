"""Linear mixed-effects regression as a scikit-learn estimator."""

from __future__ import annotations

from dataclasses import replace
from numbers import Integral, Real
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats
from sklearn.base import RegressorMixin, _fit_context
from sklearn.metrics import r2_score
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from ._data.checks import check_level
from ._data.rows import Given
from ._estimator import MixedModel
from ._fit.kinds import Kind
from ._fit.linear import fit_linear
from ._fit.training import Training
from ._fit.uncertainty import Uncertainty, error_variances, linear
from ._model.structures import STRUCTURES
from ._report.problems import linear_problems
from ._sums.design import Design
from .results import Covariance, Degrees, MixedResults
from .terms import RandomEffect

__all__ = ["MixedLinearRegressor"]


class MixedLinearRegressor(RegressorMixin, MixedModel):
    """Linear mixed-effects model, fitted by restricted or full maximum likelihood.

    For the rows of one level of every grouping factor

        y = X beta + Z b + e,      b ~ N(0, Sigma),   e ~ N(0, sigma^2),

    with fixed effects beta, random effects b whose covariance Sigma is estimated, and the residual
    variance sigma^2. Rows are reduced to cross-products once; the profiled deviance is then
    minimised by trust-region Newton steps with analytic derivatives.  Columns and the response are
    standardised inside and the results transformed back exactly, so units and origins do not
    matter.

    Parameters
    ----------
    groups : str, int or list of them, default=None
        Columns of X that hold the grouping factors; they leave the fixed effects.  Names need a
        table, positions count columns of any X, negative ones from the end.  None: the columns are
        named by ``random_effects``, or the labels are passed as ``groups=`` to ``fit``.  Where
        ``random_effects`` is given, its terms say which factors have effects; a column named here
        and in no term only leaves the fixed effects.
    random_effects : str, RandomEffect or list of RandomEffect, default=None
        Terms in lme4's notation, such as ``"(1 + age | idcode) + (1 | school/class)"``, or as
        values.  None: a random intercept for every grouping factor.
    formula : str, default=None
        The whole model in lme4's notation without the response, such as ``"ttl_exp + C(race) + age
        + (1 | idcode)"``, evaluated by formulaic over the columns of X (formulas may call Python).
        Excludes ``groups`` and ``random_effects``.
    covariance : {"unstructured", "diagonal", "independent", "identity", "exchangeable"},
    default="unstructured"
        Covariance structure of terms that do not name one of their own.
    method : {"reml", "ml"}, default="reml"
        Restricted or full maximum likelihood.  Compare models with different fixed effects by "ml".
    fit_intercept : bool, default=True
        Whether the fixed effects have an intercept.
    tol : float, default=1e-9
        Stop when the next step is predicted to lower the deviance by less than this.
    max_iter : int, default=100
        Largest number of Newton iterations.
    verbose : int, default=0
        1 prints the deviance of every iteration.

    Attributes
    ----------
    coef_ : ndarray of shape (n_fixed_effects,)
        Fixed effects of the columns of X that are not grouping factors, in their order; 0 where a
        column was dropped.
    intercept_ : float
    scale_ : float
        Residual variance.
    covariances_ : list of ndarray
        Covariance matrix (q x q) of every random-effects term.
    loglik_ : float
        (Restricted) log-likelihood with all constants.
    results_ : MixedResults
        Standard errors, tests and tables under statsmodels' names.
    converged_ : bool
        True only at an optimum.
    n_iter_ : int
        Number of evaluations of the deviance.
    n_features_in_ : int
    feature_names_in_ : ndarray of str

    Notes
    -----
    ``sample_weight`` counts repetitions: weight 2 is the row twice, weight 0 is the row removed.

    References
    ----------
    Bates, Maechler, Bolker and Walker (2015), Fitting linear mixed-effects models using lme4, J.
    Stat. Software 67. Henderson (1975), Best linear unbiased estimation and prediction under a
    selection model, Biometrics 31.

    Examples
    --------
    >>> from skmixed import MixedLinearRegressor
    >>> from skmixed.datasets import make_mixed_regression
    >>> X, y = make_mixed_regression(n_groups=300, rows_per_group=10, random_state=0)
    >>> model = MixedLinearRegressor(random_effects="(1 + x0 | group)").fit(X, y)
    >>> model.coef_.round(1)
    array([0.9, 2. ])
    >>> model.predict(X).shape
    (3000,)
    """

    _parameter_constraints = {
        "groups": [str, Integral, list, tuple, None],
        "random_effects": "no_validation",
        "formula": [str, None],
        "covariance": [StrOptions(set(STRUCTURES))],
        "method": [StrOptions({"reml", "ml"})],
        "fit_intercept": ["boolean"],
        "tol": [Interval(Real, 0, None, closed="neither")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        groups: str | int | list | None = None,
        random_effects: str | RandomEffect | list[RandomEffect] | None = None,
        *,
        formula: str | None = None,
        covariance: str = "unstructured",
        method: Literal["reml", "ml"] = "reml",
        fit_intercept: bool = True,
        tol: float = 1e-9,
        max_iter: int = 100,
        verbose: int = 0,
    ):
        self.groups = groups
        self.random_effects = random_effects
        self.formula = formula
        self.covariance = covariance
        self.method = method
        self.fit_intercept = fit_intercept
        self.tol = tol
        self.max_iter = max_iter
        self.verbose = verbose

    @_fit_context(prefer_skip_nested_validation=True)
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
            Fixed effects and, where the constructor names them, grouping columns.
        y : array-like of shape (n_rows,)
        groups : array-like of shape (n_rows,) or (n_rows, n_factors), default=None
            Labels of the grouping factors, where they are not columns of X.
        sample_weight : array-like of shape (n_rows,), default=None
            Number of times each row counts.

        Returns
        -------
        MixedLinearRegressor
            The fitted estimator itself.

        Raises
        ------
        ValueError
            For unknown columns, missing values or labels, text among the fixed effects, or groups
            given twice.

        Warns
        -----
        GroupsWarning
            Without any grouping factor.
        SingularFitWarning, RankDeficiencyWarning, ConvergenceWarning
            Where the estimates need a second look; each names the term or the column.
        """
        rows, target, weights = self._read_training(X, y, groups, sample_weight)
        codes, self._terms = self._make_factors(rows)
        design = self._make_design(Design, rows, target, weights, codes)
        fit = fit_linear(
            design,
            reml=self.method == "reml",
            tol=self.tol,
            max_iter=self.max_iter,
            report=self._reporter(),
        )
        labels = self._make_labels(rows, codes, weights, getattr(y, "name", None))
        self._store(
            fit, labels, Training(rows, codes, target, weights, Given.now(X, groups, sample_weight))
        )
        self._warn_about(linear_problems(fit, labels))
        return self

    def _store(self, fit, labels, training):
        self._store_common(fit)
        self.scale_ = float(fit.sigma2)
        training = replace(training, predictor=self._predictor)
        self.results_ = MixedResults(fit, labels, training, self._with_fit(fit).predict)

    def _response(self, y):
        """The response as finite floats."""
        try:
            y = np.asarray(y, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"y: the response must be numbers, got {str(y[0])!r}.\nConvert it before fitting."
            ) from error
        if not np.all(np.isfinite(y)):
            raise ValueError(
                f"Input y contains NaN or infinity in {int(np.sum(~np.isfinite(y)))} rows.\n"
                "Drop these rows before fitting."
            )
        return y

    def predict(
        self,
        X: Any,
        *,
        groups: ArrayLike | None = None,
        kind: Kind = "conditional",
        return_std: bool = False,
    ) -> np.ndarray | tuple[np.ndarray, np.ndarray]:
        """Predict the response.

        Parameters
        ----------
        X : table or array of shape (n_rows, n_columns)
        groups : array-like, default=None
            Labels, where they were passed to ``fit`` as well.
        kind : {"conditional", "population", "marginal"}, default="conditional"
            "conditional" uses the estimated effects of known levels, and zero, their mean, for new
            ones; "population" sets every effect to zero; "marginal" averages over the distribution
            of all effects: the same mean.
        return_std : bool, default=False
            Also return the standard error of the predicted mean: of ``x'beta + z'b`` for
            "conditional" (new levels with their full variance), of ``x'beta`` for "population", and
            of a new level of every factor for "marginal".

        Returns
        -------
        ndarray of shape (n_rows,), or a pair of them
        """
        rows, codes = self._read_for_prediction(X, groups, kind)
        mean = self._predictor(rows, codes)
        if not return_std:
            return mean
        return mean, np.sqrt(self._error_variance(rows, codes, prior=kind != "population"))

    def predict_interval(
        self,
        X: Any,
        *,
        groups: ArrayLike | None = None,
        level: float = 0.95,
        target: Literal["observation", "mean"] = "observation",
        kind: Kind = "conditional",
    ) -> np.ndarray:
        """Interval for a new observation, or for its mean.

        ``mean +- t * sqrt(v)`` with t from Student's distribution on n - p degrees of freedom and v
        the variance of the prediction error given the covariances (Henderson 1975): for a known
        level the effects are known up to their posterior variance, a new level adds its full
        variance, and an observation adds sigma^2.

        Parameters
        ----------
        X : table or array of shape (n_rows, n_columns)
        groups : array-like, default=None
        level : float, default=0.95
        target : {"observation", "mean"}, default="observation"
        kind : {"conditional", "population", "marginal"}, default="conditional"
            As in :meth:`predict`.

        Returns
        -------
        ndarray of shape (n_rows, 2)
            Lower and upper limits.
        """
        if target not in ("observation", "mean"):
            raise ValueError(f"target={target!r} is not known.\nUse 'observation' or 'mean'.")
        check_level(level)
        rows, codes = self._read_for_prediction(X, groups, kind)
        variance = self._error_variance(rows, codes, prior=kind != "population")
        variance += self.scale_ * (target == "observation")
        half = stats.t.ppf(0.5 + level / 2, max(self._fit.df_resid, 1.0)) * np.sqrt(variance)
        mean = self._predictor(rows, codes)
        return np.column_stack([mean - half, mean + half])

    def _error_variance(self, rows, codes, *, prior):
        variances = error_variances(self._fit.state, *self._pool_columns(rows), codes, prior=prior)
        return self._fit.sigma2 * variances

    def _linearised(self, rows, codes, kind):
        """Predictions with what their derivatives are made of: new levels count with the mean of
        their effects.
        """
        return linear(self._predictor(rows, codes), *self._pool_columns(rows), codes)

    @property
    def _uncertainty(self):
        fit = self._fit
        return Uncertainty(fit.state, fit.sigma2, fit.sigma2 * fit.state.fixed.covariance)

    def score(
        self,
        X: Any,
        y: ArrayLike,
        *,
        groups: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> float:
        """Coefficient of determination R^2 of the conditional predictions."""
        return r2_score(y, self.predict(X, groups=groups), sample_weight=sample_weight)

    def _drawn_responses(self, eta, rng):
        return eta + np.sqrt(self.scale_) * rng.standard_normal(eta.shape)

    def summary(
        self,
        level: float = 0.95,
        *,
        df: Degrees = "normal",
        cov: Covariance = "model",
        clusters: Any = None,
    ) -> Any:
        """Printed tables: method, groups, fixed effects, variance components, test against no
        random effects.

        Parameters
        ----------
        level : float, default=0.95
            Of the confidence limits.
        df, cov, clusters
            How the fixed effects are tested, as in :meth:`skmixed.results.MixedResults.coef_table`.
        """
        check_is_fitted(self)
        return self.results_.summary(level=level, df=df, cov=cov, clusters=clusters)
