"""Logistic mixed-effects classification as a scikit-learn estimator."""

from __future__ import annotations

from dataclasses import replace
from numbers import Integral, Real
from typing import Any, ClassVar, Literal, Self, cast

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import _fit_context
from sklearn.utils._param_validation import Interval, StrOptions

from ._algebra.machine import using_threads
from ._classification import PredictsProbabilities
from ._data.class_weights import ClassWeighting
from ._data.outcomes import read_outcomes
from ._data.rows import Given, Rows, as_it_is
from ._engines import engine_of
from ._fit.glmm import GlmmFit, fit_glmm
from ._fit.model import FittedModel, events_of, name_everything
from ._fit.points import Points
from ._fit.separation import infinite_in_training
from ._fit.training import Training, read_training, source_of
from ._fit.updates.passed import Passed
from ._likelihood.quadrature import MAX_DIMENSION
from ._model.families import BernoulliLogit, Family
from ._model.priors import PRIORS
from ._parts.spilled import FitsChunks
from ._parts.watched import Reporter
from ._reader import Reader, Spec
from ._report.crowding import counted, refuse_boundless, refuse_prior
from ._report.problems import generalised_problems
from ._results.coefficients import Covariance, Degrees
from ._store.design import StoredDesign
from ._sums.design import RowDesign
from .results import LogisticResults
from .terms import RandomEffect

__all__ = ["MixedLogisticClassifier"]

LARGEST_OFFSET = 1e8  # beside which a difference of log-odds loses its digits


class MixedLogisticClassifier(FitsChunks, PredictsProbabilities):
    """Logistic regression with random effects, fitted by maximum likelihood.

    For the rows of one level of every grouping factor

        log(P(y = 1) / P(y = 0)) = X beta + Z b,      b ~ N(0, Sigma),

    with fixed effects beta and random effects b whose covariance Sigma is estimated; 1 stands for
    the second of the two classes.  The effects are integrated out by the Laplace approximation, or
    for a single grouping factor by adaptive Gauss-Hermite quadrature with as many points as it
    takes; the likelihood is maximised over covariances and coefficients together by trust-region
    Newton steps with analytic derivatives.  Columns are standardised inside and the results
    transformed back exactly.

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
    covariance : str, default="unstructured"
        Covariance structure of terms that do not name one of their own: "unstructured",
        "diagonal" (also called "independent"), "identity" or "exchangeable".
    n_quadrature : int or "auto", default="auto"
        Quadrature points per random effect: 1 is the Laplace approximation, which lme4 calls
        nAGQ=1; Stata's melogit has 7.  More than one needs a single grouping factor with at most
        three effects per level.  "auto" is then the first of 1, 3, 5, 7, 9, 15, 25, 51 and 101 (up
        to 25 with two effects per level, up to 9 with three) such that the next ones change the
        log-likelihood at the estimates by less than 0.01 and would move no estimate by more than
        0.05 standard errors; for other models it is 1.  With few points and slopes log-likelihoods
        depend a little on the origin of the slope's column, as in lme4.
    offset : str or int, default=None
        Column of X, by name or position, with a known part of the log-odds: its coefficient is
        one, it leaves the fixed effects, and predictions need it too.  ``offset(...)`` terms of a
        formula are added to it.
    class_weight : dict or "balanced", default=None
        By what ``sample_weight`` is multiplied: class -> weight, 1 for a class that is left out;
        "balanced" is ``n / (2 n_class)``, observations counted with their weights.
    alpha : float, default=0.0
        Ridge on the fixed effects: ``alpha sum_j (coef_j sd_j)^2`` is added to -2 log L, sd_j
        being the standard deviation of column j over the rows with their weights, so that units
        do not matter.  The intercept is free; the covariances are estimated given the penalty.  A
        small one, such as 0.1, has finite estimates where columns separate the outcomes; columns
        that depend on others are shrunk together and none is dropped.
    covariance_prior : {"weak"} or None, default=None
        "weak" keeps covariances off the boundary: every term's adds ``-log|T|`` to -2 log L, the
        density ``|T|^(1/2)`` of Chung and others (2015), T being the covariance.  No
        variance is zero then and no correlation one, in whatever units, and with many levels next
        to nothing changes.  A variance that effects share counts once.
    fit_intercept : bool, default=True
        Whether the fixed effects have an intercept.
    tol : float, default=1e-9
        Stop when the next step is predicted to lower the deviance by less than this.
    max_iter : int, default=100
        Largest number of Newton iterations.
    solver : {"auto", "exact", "iterative"}, default="auto"
        How crossed factors are eliminated.  "exact" factorises one dense matrix of as many columns
        as all of them but the largest have effects.  "iterative" never forms it: conjugate
        gradients, and traces by fixed random vectors, whose error of the estimates is a few
        hundredths of a standard error; the log-likelihood is known up to a Monte-Carlo error
        then, and what compares likelihoods refuses.  "auto" is exact up to 4,000 columns, and
        beyond where that takes no more than about three times as long and fits into memory.
        Without crossed factors everything is exact.
    n_jobs : int or None, default=None
        Threads for the dense matrix that crossed factors leave, in scikit-learn's sense: None is
        one unless ``joblib.parallel_config`` says otherwise (from 2,000 columns on, those of
        the linear algebra library), -1 is all processors.  Estimates are the same to rounding.
        Other models use one.
    verbose : int, default=0
        1 logs the deviance of every iteration to the logger "skmixed", or prints it where logging
        is not set up.

    Attributes
    ----------
    classes_ : ndarray of shape (2,)
        The labels; the second one is what the probabilities and coefficients are about.  Of counts
        the name of the second column, then that of the first; 0 and 1 if they have no names.
    coef_ : ndarray of shape (n_fixed_effects,)
        Fixed effects on the log-odds of the columns of X that are not grouping factors, in their
        order; 0 where a column was dropped.
    coef_names_ : ndarray of str of shape (n_fixed_effects,)
        Their names, those of dropped columns too.
    intercept_ : float
    covariances_ : list of ndarray
        Covariance matrix (q x q) of every random-effects term.
    loglik_ : float
        Log-likelihood of the zeros and ones, without binomial coefficients.
    results_ : LogisticResults
        Standard errors, tests and tables under statsmodels' names.
    solver_ : str
        "exact" or "iterative": how the random effects were eliminated.
    converged_ : bool
        True only at an optimum.
    n_iter_ : int
        Number of evaluations of the deviance.
    n_quadrature_ : int
        Quadrature points per random effect that were used.
    n_features_in_ : int
    feature_names_in_ : ndarray of str

    Notes
    -----
    ``sample_weight`` counts repetitions: weight 2 is the row twice, weight 0 is the row removed.
    Counts are as many rows, one for each observation: ``y = [[7, 3]]`` is seven rows of the event
    and three of the other class, and so are likelihood, errors and criteria.

    References
    ----------
    Breslow and Clayton (1993), Approximate inference in generalized linear mixed models, JASA 88.
    Pinheiro and Chao (2006), Efficient Laplacian and adaptive Gaussian quadrature algorithms for
    multilevel generalized linear mixed models, J. Comput. Graph. Stat. 15. Chung, Gelman,
    Rabe-Hesketh, Liu and Dorie (2015), Weakly informative prior for point estimation of covariance
    matrices in hierarchical models, J. Educ. Behav. Stat. 40.

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

    #: the distribution of the outcomes
    family: ClassVar[Family] = BernoulliLogit()

    results_: LogisticResults
    classes_: np.ndarray
    _results = LogisticResults
    _parameter_constraints: ClassVar[dict[str, list[Any] | str]] = {
        "groups": [str, Integral, list, tuple, None],
        "random_effects": "no_validation",
        "formula": [str, None],
        "covariance": [str],
        "n_quadrature": [Interval(Integral, 1, 101, closed="both"), StrOptions({"auto"})],
        "offset": [str, Integral, None],
        "class_weight": [dict, StrOptions({"balanced"}), None],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "covariance_prior": [StrOptions(set(PRIORS) - {None}), None],
        "fit_intercept": ["boolean"],
        "tol": [Interval(Real, 0, None, closed="neither")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "solver": [StrOptions({"auto", "exact", "iterative"})],
        "n_jobs": [Integral, None],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        groups: str | int | list[str | int] | None = None,
        random_effects: str | RandomEffect | list[RandomEffect] | None = None,
        *,
        formula: str | None = None,
        covariance: str = "unstructured",
        n_quadrature: int | Literal["auto"] = "auto",
        offset: str | int | None = None,
        class_weight: dict[Any, float] | Literal["balanced"] | None = None,
        alpha: float = 0.0,
        covariance_prior: Literal["weak"] | None = None,
        fit_intercept: bool = True,
        tol: float = 1e-9,
        max_iter: int = 100,
        solver: Literal["auto", "exact", "iterative"] = "auto",
        n_jobs: int | None = None,
        verbose: int = 0,
    ) -> None:
        self.groups = groups
        self.random_effects = random_effects
        self.formula = formula
        self.covariance = covariance
        self.n_quadrature = n_quadrature
        self.offset = offset
        self.class_weight = class_weight
        self.alpha = alpha
        self.covariance_prior = covariance_prior
        self.fit_intercept = fit_intercept
        self.tol = tol
        self.max_iter = max_iter
        self.solver = solver
        self.n_jobs = n_jobs
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
        X : table or array of shape (n_rows, n_columns), or chunks
            Fixed effects and, where the constructor names them, grouping columns.  Rows of
            :func:`skmixed.chunks` are read once; they wait in temporary files, of which memory
            holds a part at a time, and are gone when the fit ends.  That needs pyarrow.  Rows of
            tables and arrays of Dask wait with the workers.
        y : array-like of shape (n_rows,) or (n_rows, 2), or str
            Two labels of any kind; or two columns of counts, the event (the successes) first, whose
            names, if they have any, are the labels.  Of chunks and tables of Dask the name of the
            column of labels.
        groups : array-like of shape (n_rows,) or (n_rows, n_factors), default=None
            Labels of the grouping factors, where they are not columns of X.
        sample_weight : array-like of shape (n_rows,) or str, default=None
            Number of times each row, or each count, counts; of chunks and tables of Dask the name
            of a column.

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
            Where more quadrature points would change the log-likelihood, or move an estimate by
            more than a tenth of its standard error; it says by how much.
        SingularFitWarning, RankDeficiencyWarning, ConvergenceWarning
            Where the estimates need a second look; each names the term or the column.

        Examples
        --------
        >>> from skmixed import MixedLogisticClassifier
        >>> from skmixed.datasets import make_mixed_classification
        >>> X, y = make_mixed_classification(random_state=0)
        >>> MixedLogisticClassifier(groups="group").fit(X, y).converged_
        True
        """
        if (engine := engine_of(X)) is not None:
            return self._fit_parts(engine, X, y, groups, sample_weight)
        outcomes = read_outcomes(y)
        weighting = ClassWeighting(self.class_weight, outcomes)
        training, rows, codes = read_training(
            Spec.of(self),
            X,
            outcomes.y,
            groups,
            outcomes.weights(X, sample_weight),
            outcomes.coded,
            weighting,
        )
        reader = training.reader
        _check_offset(training.offset)
        _check_quadrature(reader, self.n_quadrature)
        refuse_boundless(reader, counted(codes))
        names = name_everything(training, codes, outcomes.name, str(outcomes.labels[1]))
        events = events_of(training, codes)
        design = self._design_of(training, rows, codes)
        del rows, codes  # the design has them in another order
        with self._watching(X, y) as report:
            fit = self._fit_rows(reader, design, report)
        infinite = infinite_in_training(fit, training, names.sizes, events)
        fit = fit.unbounded() if any(infinite) else fit
        classes, factors = outcomes.labels, weighting.factors
        model = FittedModel(fit, reader, names, training, classes, class_factors=factors)
        problems = list(generalised_problems(model, infinite))
        given = Given(X, groups, sample_weight).now()
        rows_again = Passed(reader, given, as_it_is(y), classes, factors, training.n_rows)
        kept = fit.reading_again(rows_again.source)
        self._store(replace(model, fit=kept, rows=rows_again), iter(problems))
        return self

    def _design_of(self, training: Training, rows: Rows, codes: list[np.ndarray]) -> RowDesign:
        """The design of what was read."""
        reader = training.reader
        return RowDesign.of(
            source_of(training, rows, codes),
            reader.terms,
            n_fixed=reader.n_fixed,
            fit_intercept=reader.intercept,
            alpha=float(self.alpha),
        )

    def _check_part(self, reader: Reader, rows: Rows) -> None:
        _check_offset(rows.offset)
        _check_quadrature(reader, self.n_quadrature)

    def _fit_rows(
        self, reader: Reader, design: RowDesign | StoredDesign, report: Reporter | None
    ) -> GlmmFit:
        refuse_prior(reader, design, self.covariance_prior, restricted=False)
        with using_threads(self.n_jobs):
            return fit_glmm(
                design,
                self.family,
                n_quadrature=self.n_quadrature if reader.terms else "auto",
                tol=self.tol,
                max_iter=self.max_iter,
                covariance_prior=self.covariance_prior,
                solver=self.solver,
                report=report,
            )

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
            How the fixed effects are tested, as in
            :meth:`skmixed.results.MixedResults.coef_table`.

        Returns
        -------
        statsmodels.iolib.summary.Summary
            Prints itself as text, HTML and LaTeX.

        Examples
        --------
        >>> from skmixed import MixedLogisticClassifier
        >>> from skmixed.datasets import make_mixed_classification
        >>> X, y = make_mixed_classification(random_state=0)
        >>> model = MixedLogisticClassifier(groups="group", n_quadrature=7).fit(X, y)
        >>> print(str(model.summary()).splitlines()[0].strip())
        Mixed-effects logistic regression
        """
        return cast(LogisticResults, self._found).summary(
            level=level, odds_ratios=odds_ratios, df=df, cov=cov, clusters=clusters
        )


def _check_offset(offset: np.ndarray | None) -> None:
    if offset is not None and np.max(np.abs(offset)) > LARGEST_OFFSET:
        raise ValueError(
            f"offset: {np.max(np.abs(offset)):.3g} is no difference of log-odds.\n"
            "Give the offset on the scale of the linear predictor; a constant is better left to "
            "the intercept."
        )


def _check_quadrature(reader: Reader, n_quadrature: Points) -> None:
    if n_quadrature in (1, "auto") or not reader.terms:
        return
    factors = reader.factors
    if len(factors) > 1:
        raise ValueError(
            f"n_quadrature={n_quadrature}: quadrature needs a single grouping factor, "
            f"the model has {len(factors)} ({', '.join(f.name for f in factors)}).\n"
            "Use n_quadrature=1, the Laplace approximation."
        )
    if (size := sum(term.size for term in reader.terms)) > MAX_DIMENSION:
        raise ValueError(
            f"n_quadrature={n_quadrature}: {factors[0].name} has {size} effects per level, "
            f"more than {MAX_DIMENSION}.\n"
            "Use n_quadrature=1, the Laplace approximation, or fewer slopes."
        )
