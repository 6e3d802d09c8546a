"""Logistic mixed-effects classification as a scikit-learn estimator."""

from __future__ import annotations

from dataclasses import replace
from numbers import Integral, Real
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.special import log_expit
from sklearn.base import ClassifierMixin, _fit_context
from sklearn.metrics import accuracy_score
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import check_is_fitted

from ._data import tables
from ._data.rows import Given
from ._estimator import MixedModel
from ._fit.glmm import fit_glmm
from ._fit.kinds import Kind
from ._fit.separation import infinite_estimates
from ._fit.training import Training
from ._fit.uncertainty import Linearised, Uncertainty, prior_variances
from ._likelihood.quadrature import MAX_DIMENSION
from ._model.averages import average_bend, average_mean, average_slope
from ._model.families import BernoulliLogit
from ._model.structures import STRUCTURES
from ._report.problems import logistic_problems
from ._sums.design import RowDesign
from .results import Covariance, Degrees, LogisticResults
from .terms import RandomEffect

__all__ = ["MixedLogisticClassifier"]

FAMILY = BernoulliLogit()


class MixedLogisticClassifier(ClassifierMixin, MixedModel):
    """Logistic regression with random effects, fitted by maximum likelihood.

    For the rows of one level of every grouping factor

        log(P(y = 1) / P(y = 0)) = X beta + Z b,      b ~ N(0, Sigma),

    with fixed effects beta and random effects b whose covariance Sigma is estimated; 1 stands for
    the second of the two classes.  The effects are integrated out by the Laplace approximation, or
    for a single grouping factor by adaptive Gauss-Hermite quadrature; the likelihood is maximised
    over covariances and coefficients together by trust-region Newton steps with analytic
    derivatives.  Columns are standardised inside and the results transformed back exactly.

    Parameters
    ----------
    groups : str, int or list of them, default=None
        Columns of X that hold the grouping factors; they leave the fixed effects.  Names need a
        table, positions count columns of any X, negative ones from the end.  None: the columns are
        named by ``random_effects``, or the labels are passed as ``groups=`` to ``fit``.  Where
        ``random_effects`` is given, its terms say which factors have effects; a column named here
        and in no term only leaves the fixed effects.
    random_effects : str, RandomEffect or list of RandomEffect, default=None
        Terms in lme4's notation, such as ``"(1 + age | district) + (1 | school/class)"``, or as
        values.  None: a random intercept for every grouping factor.
    formula : str, default=None
        The whole model in lme4's notation without the response, such as ``"age + C(parity) + (1 |
        district)"``, evaluated by formulaic over the columns of X (formulas may call Python).
        Excludes ``groups`` and ``random_effects``.
    covariance : {"unstructured", "diagonal", "independent", "identity", "exchangeable"},
    default="unstructured"
        Covariance structure of terms that do not name one of their own.
    n_quadrature : int, default=1
        Quadrature points per random effect: 1 is the Laplace approximation, which lme4 calls
        nAGQ=1; Stata's melogit has 7.  More than one needs a single grouping factor with at most
        three effects per level.  Log-likelihoods of different numbers of points approximate the
        same quantity and may be compared.  With few points and slopes they depend a little on the
        origin of the slope's column, as in lme4.
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
    classes_ : ndarray of shape (2,)
        The labels; the second one is what the probabilities and coefficients are about.
    coef_ : ndarray of shape (n_fixed_effects,)
        Fixed effects on the log-odds of the columns of X that are not grouping factors, in their
        order; 0 where a column was dropped.
    intercept_ : float
    covariances_ : list of ndarray
        Covariance matrix (q x q) of every random-effects term.
    loglik_ : float
        Log-likelihood of the zeros and ones, without binomial coefficients.
    results_ : LogisticResults
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
    Binomial counts are two rows, one of each class, weighted by the successes and the failures.

    References
    ----------
    Breslow and Clayton (1993), Approximate inference in generalized linear mixed models, JASA 88.
    Pinheiro and Chao (2006), Efficient Laplacian and adaptive Gaussian quadrature algorithms for
    multilevel generalized linear mixed models, J. Comput. Graph. Stat. 15.

    Examples
    --------
    >>> from skmixed import MixedLogisticClassifier
    >>> from skmixed.datasets import make_mixed_classification
    >>> X, y = make_mixed_classification(n_groups=300, rows_per_group=20, random_state=0)
    >>> model = MixedLogisticClassifier(groups="group", n_quadrature=7).fit(X, y)
    >>> model.coef_.round(1)
    array([1. , 1.9])
    >>> model.predict_proba(X).shape
    (6000, 2)
    """

    _parameter_constraints = {
        "groups": [str, Integral, list, tuple, None],
        "random_effects": "no_validation",
        "formula": [str, None],
        "covariance": [StrOptions(set(STRUCTURES))],
        "n_quadrature": [Interval(Integral, 1, 100, closed="both")],
        "fit_intercept": ["boolean"],
        "tol": [Interval(Real, 0, None, closed="neither")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "verbose": ["verbose"],
    }

    __metadata_request__predict_proba = {"groups": True}
    __metadata_request__predict_log_proba = {"groups": True}
    __metadata_request__decision_function = {"groups": True}

    def __init__(
        self,
        groups: str | int | list | None = None,
        random_effects: str | RandomEffect | list[RandomEffect] | None = None,
        *,
        formula: str | None = None,
        covariance: str = "unstructured",
        n_quadrature: int = 1,
        fit_intercept: bool = True,
        tol: float = 1e-9,
        max_iter: int = 100,
        verbose: int = 0,
    ):
        self.groups = groups
        self.random_effects = random_effects
        self.formula = formula
        self.covariance = covariance
        self.n_quadrature = n_quadrature
        self.fit_intercept = fit_intercept
        self.tol = tol
        self.max_iter = max_iter
        self.verbose = verbose

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        return tags

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
            Two labels of any kind.
        groups : array-like of shape (n_rows,) or (n_rows, n_factors), default=None
            Labels of the grouping factors, where they are not columns of X.
        sample_weight : array-like of shape (n_rows,), default=None
            Number of times each row counts.

        Returns
        -------
        MixedLogisticClassifier
            The fitted estimator itself.

        Raises
        ------
        ValueError
            For one class or more than two, unknown columns, missing values or labels, text among
            the fixed effects, groups given twice, or quadrature where only Laplace is possible.

        Warns
        -----
        GroupsWarning
            Without any grouping factor.
        SeparationWarning
            Where a column, or every level of a factor, predicts the outcome perfectly.
        LaplaceWarning
            Where seven quadrature points would move the estimates by more than a quarter of a
            standard error.
        SingularFitWarning, RankDeficiencyWarning, ConvergenceWarning
            Where the estimates need a second look; each names the term or the column.
        """
        rows, target, weights = self._read_training(X, y, groups, sample_weight)
        self._check_both_classes(target)
        codes, self._terms = self._make_factors(rows)
        self._check_quadrature()
        design = self._make_design(RowDesign, rows, target, weights, codes)
        fit = fit_glmm(
            design,
            FAMILY,
            n_quadrature=self.n_quadrature if self._terms else 1,
            tol=self.tol,
            max_iter=self.max_iter,
            report=self._reporter(),
        )
        labels = self._make_labels(rows, codes, weights, getattr(y, "name", None))
        infinite = infinite_estimates(
            fit, rows.X[:, : rows.n_fixed], target, self._intercept, codes
        )
        fit = fit.unbounded() if any(infinite) else fit
        self.classes_ = self._labels
        self._store(
            fit, labels, Training(rows, codes, target, weights, Given.now(X, groups, sample_weight))
        )
        self._warn_about(logistic_problems(fit, labels, infinite))
        return self

    def _store(self, fit, labels, training):
        self._store_common(fit)
        training = replace(training, predictor=self._predictor, mean=FAMILY.mean)
        event = str(self.classes_[1])
        self.results_ = LogisticResults(fit, labels, training, self._with_fit(fit)._mean, event)

    def _response(self, y):
        """Zeros and ones for the two labels."""
        y = _plain(y)
        missing = tables.is_missing(y)
        if np.any(missing):
            raise ValueError(
                f"Input y contains NaN in {int(np.sum(missing))} rows.\nDrop these rows before fitting."
            )
        kind = type_of_target(y, input_name="y", raise_unknown=True)
        if kind not in ("binary", "multiclass"):
            raise ValueError(
                f"Unknown label type: {kind}. y must hold the labels of two classes.\n"
                "Use MixedLinearRegressor for a continuous response."
            )
        self._labels, codes = np.unique(y, return_inverse=True)
        if len(self._labels) > 2:
            raise ValueError(
                f"Only binary classification is supported. The type of the target is {kind}.\n"
                f"y has {len(self._labels)} classes; fit one class against the rest."
            )
        return codes.astype(np.float64)

    def _check_both_classes(self, target):
        if np.ptp(target) == 0:
            only = self._labels[int(target[0])]
            raise ValueError(
                f"y: samples of 2 classes are needed, but the data contains only one class: {only!r}.\n"
                "A constant response has no probabilities to estimate (rows of weight zero do not count)."
            )

    def _check_quadrature(self):
        if self.n_quadrature == 1 or not self._terms:
            return
        if len(self._factors) > 1:
            raise ValueError(
                f"n_quadrature={self.n_quadrature}: quadrature needs a single grouping factor, "
                f"the model has {len(self._factors)} ({', '.join(f.name for f in self._factors)}).\n"
                "Use n_quadrature=1, the Laplace approximation."
            )
        if (size := sum(t.size for t in self._terms)) > MAX_DIMENSION:
            raise ValueError(
                f"n_quadrature={self.n_quadrature}: {self._factors[0].name} has {size} effects per level, "
                f"more than {MAX_DIMENSION}.\nUse n_quadrature=1, the Laplace approximation, or fewer slopes."
            )

    def predict_proba(
        self,
        X: Any,
        *,
        groups: ArrayLike | None = None,
        kind: Kind = "conditional",
        return_std: bool = False,
    ) -> np.ndarray | tuple[np.ndarray, np.ndarray]:
        """Probabilities of both classes.

        Parameters
        ----------
        X : table or array of shape (n_rows, n_columns)
        groups : array-like, default=None
            Labels, where they were passed to ``fit`` as well.
        kind : {"conditional", "population", "marginal"}, default="conditional"
            "conditional" uses the estimated effects of known levels and integrates over those of
            new ones; "population" sets every effect to zero: a typical level; "marginal" integrates
            over all effects: an average over levels.
        return_std : bool, default=False
            Also return standard errors by the delta method: from the uncertainty of the
            coefficients, of the effects of known levels, and of the covariances where effects are
            integrated over.

        Returns
        -------
        ndarray of shape (n_rows, 2), or a pair of them
            Columns in the order of ``classes_``; the standard errors of both are the same.
        """
        rows, codes = self._read_for_prediction(X, groups, kind)
        proba = _probabilities(*self._distribution(rows, codes, kind))
        if not return_std:
            return proba
        std = np.sqrt(self._uncertainty.row_variances(self._linearised(rows, codes, kind)))
        return proba, np.column_stack([std, std])

    def _distribution(self, rows, codes, kind):
        """Mean and standard deviation of the linear predictor: what is not known is normal around
        zero.
        """
        eta = self._predictor(rows, codes)
        if kind == "population" or not self._factors:
            return eta, np.zeros(len(rows))
        z = [self._predictor.varying(rows, f) for f in range(len(self._factors))]
        return eta, np.sqrt(np.maximum(prior_variances(self._factor_covariances, z, codes), 0.0))

    def _linearised(self, rows, codes, kind):
        """Probabilities of the second class with what their derivatives are made of."""
        eta, sd = self._distribution(rows, codes, kind)
        bend = np.zeros(len(rows)) if kind == "population" else 0.5 * average_bend(FAMILY, eta, sd)
        mean = average_mean(FAMILY, eta, sd)
        slope = average_slope(FAMILY, eta, sd)
        return Linearised(mean, slope, bend, *self._pool_columns(rows), codes)

    @property
    def _uncertainty(self):
        fit = self._fit
        if fit.parameter_covariance is None:  # the covariances count as known
            return Uncertainty(fit.working, 1.0, fit.beta_covariance)
        return Uncertainty(fit.working, 1.0, fit.parameter_covariance, fit.prior_derivatives)

    def predict_log_proba(
        self, X: Any, *, groups: ArrayLike | None = None, kind: Kind = "conditional"
    ) -> np.ndarray:
        """Logarithms of :meth:`predict_proba`.

        Parameters
        ----------
        X : table or array of shape (n_rows, n_columns)
        groups : array-like, default=None
            Labels, where they were passed to ``fit`` as well.
        kind : {"conditional", "population", "marginal"}, default="conditional"
            As in :meth:`predict_proba`.

        Returns
        -------
        ndarray of shape (n_rows, 2)
        """
        rows, codes = self._read_for_prediction(X, groups, kind)
        return np.column_stack(self._log_probabilities(rows, codes, kind))

    def _log_probabilities(self, rows, codes, kind):
        """Of the first and of the second class."""
        eta, sd = self._distribution(rows, codes, kind)
        averages = np.log(np.maximum(_probabilities(eta, sd), np.finfo(float).tiny))
        return [
            np.where(sd > 0, averages[:, k], log_expit(side)) for k, side in enumerate((-eta, eta))
        ]

    def decision_function(
        self, X: Any, *, groups: ArrayLike | None = None, kind: Kind = "conditional"
    ) -> np.ndarray:
        """Log-odds of the second class: ``log(p / (1 - p))`` with p from :meth:`predict_proba`.

        Parameters
        ----------
        X : table or array of shape (n_rows, n_columns)
        groups : array-like, default=None
            Labels, where they were passed to ``fit`` as well.
        kind : {"conditional", "population", "marginal"}, default="conditional"
            As in :meth:`predict_proba`.

        Returns
        -------
        ndarray of shape (n_rows,)
        """
        rows, codes = self._read_for_prediction(X, groups, kind)
        zeros, ones = self._log_probabilities(rows, codes, kind)
        return ones - zeros

    def predict(
        self, X: Any, *, groups: ArrayLike | None = None, kind: Kind = "conditional"
    ) -> np.ndarray:
        """Labels of the more probable class.

        Parameters
        ----------
        X : table or array of shape (n_rows, n_columns)
        groups : array-like, default=None
            Labels, where they were passed to ``fit`` as well.
        kind : {"conditional", "population", "marginal"}, default="conditional"
            As in :meth:`predict_proba`.

        Returns
        -------
        ndarray of shape (n_rows,)
        """
        rows, codes = self._read_for_prediction(X, groups, kind)
        zeros, ones = self._log_probabilities(rows, codes, kind)
        return self.classes_[(ones > zeros).astype(int)]

    def score(
        self,
        X: Any,
        y: ArrayLike,
        *,
        groups: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> float:
        """Accuracy of the conditional predictions."""
        y = _plain(np.asarray(tables.without_nullable(y)))
        return accuracy_score(y, self.predict(X, groups=groups), sample_weight=sample_weight)

    def _drawn_responses(self, eta, rng):
        return self.classes_[(rng.random_sample(eta.shape) < FAMILY.mean(eta)).astype(int)]

    def _mean(self, X, **options):
        """Probabilities of the second class, which statsmodels calls predictions."""
        return self.predict_proba(X, **options)[:, 1]

    def summary(
        self,
        level: float = 0.95,
        odds_ratios: bool = False,
        *,
        df: Degrees = "normal",
        cov: Covariance = "model",
        clusters: Any = None,
    ) -> Any:
        """Printed tables: integration, groups, fixed effects, variance components, test against no
        random effects.

        Parameters
        ----------
        level : float, default=0.95
            Of the confidence limits.
        odds_ratios : bool, default=False
            Print ``exp(coef)`` with standard errors by the delta method and the exponentials of the
            limits.
        df, cov, clusters
            How the fixed effects are tested, as in :meth:`skmixed.results.MixedResults.coef_table`.
        """
        check_is_fitted(self)
        return self.results_.summary(
            level=level, odds_ratios=odds_ratios, df=df, cov=cov, clusters=clusters
        )


def _probabilities(eta, sd):
    """Of both classes, with rows that sum to one."""
    both = np.column_stack([average_mean(FAMILY, -eta, sd), average_mean(FAMILY, eta, sd)])
    return both / both.sum(axis=1, keepdims=True)


def _plain(y):
    """Labels as numpy types: booleans and numbers may come as objects, left by dropping missing
    rows.
    """
    return np.asarray(pd.Series(y).infer_objects()) if y.dtype == object else y
