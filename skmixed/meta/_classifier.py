"""Any classifier of two classes as the fixed part of a mixed logistic model."""

from __future__ import annotations

from numbers import Integral
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import _fit_context
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions

from .._classification import PredictsProbabilities
from .._data.outcomes import Labels
from .._fit.separation import infinite_estimates
from .._model.families import BernoulliLogit
from .._reader import Spec
from .._report.problems import generalised_problems
from ..results import LogisticResults
from ..terms import RandomEffect
from ._base import CONSTRAINTS, Alternating, check_inner
from ._logistic import LogisticStep
from ._parts import ClassifierPart
from ._rows import FitRows

__all__ = ["MixedClassifier"]


class MixedClassifier(PredictsProbabilities, Alternating):
    """Mixed logistic model whose fixed part is any scikit-learn classifier.

    For the rows of one level of every grouping factor

        log(P(y = 1) / P(y = 0)) = f(X) + mu + Z b,      b ~ N(0, Sigma),

    with f the log-odds of a classifier.  From ``b = 0`` on, these steps alternate:

        f  <-  the classifier fitted to y with weights w; in every row that of the other folds
        (mu, Sigma, b)  <-  the mixed logistic model with the offset f(X), by Laplace

    until ``Z b`` changes by less than ``tol`` (root mean square over the rows), or by no less than
    before, as in :class:`MixedRegressor`.  Classifiers have no offset.  What makes one see the
    random effects are its weights: with ``q = expit(f)`` of the step before and ``p = expit(f + Z
    b)``

        w = (1 - p) / (1 - q)  where y = 1,      w = p / q  where y = 0,

    so that its score ``sum w (y - q) df`` is ``sum (y - p) df``, that of the likelihood with Z b,
    and its expected curvature is too.  With logistic regression inside, the end maximises the joint
    likelihood of f and b given Sigma.

    Parameters
    ----------
    classifier : estimator, default=None
        The fixed part, with ``predict_proba`` and ``sample_weight`` in ``fit``; None is
        ``HistGradientBoostingClassifier()``.  Its probabilities count within 0.0001 and 0.9999.
    groups : str, int or list of them, default=None
        As in :class:`~skmixed.MixedLogisticClassifier`.
    random_effects : str, RandomEffect or list of RandomEffect, default=None
        As in :class:`~skmixed.MixedLogisticClassifier`; columns with slopes stay in the fixed part.
    covariance : str, default="unstructured"
        Covariance structure of terms that do not name one of their own.
    n_quadrature : int or "auto", default="auto"
        Of the last mixed model, as in :class:`~skmixed.MixedLogisticClassifier`.
    cv : int, splitter, iterable or None, default=5
        As in :class:`MixedRegressor`; folds of a number are stratified.
    tol : float, default=0.01
        Change of the random part that ends the fit, in standard deviations ``pi / sqrt(3)`` of the
        logistic distribution.
    max_iter : int, default=50
        Largest number of steps.
    random_state : int, RandomState or None, default=None
        Of the folds, and of the classifier where its own is None: the same in every step.
    n_jobs : int, default=None
        Folds that are fitted at a time.
    verbose : int, default=0
        1 prints the change in every step.

    Attributes
    ----------
    classes_ : ndarray of shape (2,)
    classifier_ : estimator
        The fixed part, fitted to all rows.
    intercept_ : float
        mu, what the mixed model adds to its log-odds.
    covariances_ : list of ndarray
        Covariance matrix (q x q) of every random-effects term.
    loglik_ : float
        Log-likelihood of the mixed model, given f.
    results_ : LogisticResults
        The mixed model of what the fixed part leaves.
    converged_ : bool
    change_ : float
        Of the random part in the last step.
    n_iter_ : int
        Number of steps.
    n_quadrature_ : int
    n_features_in_ : int
    feature_names_in_ : ndarray of str

    Notes
    -----
    The error of f on held-out rows blurs the log-odds, and effects of groups come out a little too
    small: Sigma is that of the model with f as it is.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skmixed.datasets import make_mixed_classification
    >>> from skmixed.meta import MixedClassifier
    >>> X, y = make_mixed_classification(random_state=0)
    >>> model = MixedClassifier(LogisticRegression(), groups="group", random_state=0).fit(X, y)
    >>> model.predict_proba(X).shape
    (1000, 2)
    """

    results_: LogisticResults
    _results = LogisticResults
    family = BernoulliLogit()
    _parameter_constraints: ClassVar[dict[str, list[Any] | str]] = CONSTRAINTS | {
        "classifier": "no_validation",
        "n_quadrature": [Interval(Integral, 1, 101, closed="both"), StrOptions({"auto"})],
    }

    def __init__(
        self,
        classifier: Any = None,
        groups: str | int | list[str | int] | None = None,
        random_effects: str | RandomEffect | list[RandomEffect] | None = None,
        *,
        covariance: str = "unstructured",
        n_quadrature: int | Literal["auto"] = "auto",
        cv: Any = 5,
        tol: float = 0.01,
        max_iter: int = 50,
        random_state: int | np.random.RandomState | None = None,
        n_jobs: int | None = None,
        verbose: int = 0,
    ) -> None:
        self.classifier = classifier
        self.groups = groups
        self.random_effects = random_effects
        self.covariance = covariance
        self.n_quadrature = n_quadrature
        self.cv = cv
        self.tol = tol
        self.max_iter = max_iter
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose

    def _inner(self) -> Any:
        return HistGradientBoostingClassifier() if self.classifier is None else self.classifier

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
            Two labels of any kind.
        groups : array-like of shape (n_rows,) or (n_rows, n_factors), default=None
            Labels of the grouping factors, where they are not columns of X.
        sample_weight : array-like of shape (n_rows,), default=None
            Number of times each row counts; those of the classifier are multiplied by it.

        Returns
        -------
        MixedClassifier
            The fitted estimator itself.

        Raises
        ------
        TypeError
            For a classifier that is no estimator with ``predict_proba``.
        ValueError
            For one class or more than two, unknown columns, missing labels, groups given twice,
            folds that are no partition, or a classifier that takes no ``sample_weight``.

        Warns
        -----
        ConvergenceWarning
            Where the steps have not ended.
        GroupsWarning, SingularFitWarning, LaplaceWarning
            As :class:`~skmixed.MixedLogisticClassifier`.

        Examples
        --------
        >>> from sklearn.linear_model import LogisticRegression
        >>> from skmixed.datasets import make_mixed_classification
        >>> from skmixed.meta import MixedClassifier
        >>> X, y = make_mixed_classification(random_state=0)
        >>> MixedClassifier(LogisticRegression(), groups="group").fit(X, y).converged_
        True
        """
        check_inner("classifier", self._inner(), "predict_proba")
        rng = check_random_state(self.random_state)
        outcomes = Labels(y)
        data = FitRows.read(Spec.of(self), X, y, groups, sample_weight, outcomes.coded)
        part = self._part(ClassifierPart, data, rng)
        step = LogisticStep(data, part, outcomes.labels, self.family)
        found = self._alternated(step, len(data.rows))
        model, fixed = step.model(found.step, outcomes.name, self.n_quadrature)
        infinite = infinite_estimates(model.fit, data.rows.X[:, :0], data.training.y, data.codes)
        self._keep(model, found, generalised_problems(model, infinite))
        self.classifier_ = fixed.estimator
        return self
