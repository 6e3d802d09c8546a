"""Linear mixed-effects regression as a scikit-learn estimator."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar, Literal, Self

from numpy.typing import ArrayLike
from sklearn.base import _fit_context
from sklearn.utils._param_validation import Interval, StrOptions

from ._algebra.machine import using_threads
from ._data.checks import AnyCase
from ._data.response import finite_response, response_name
from ._engines import engine_of
from ._fit.linear import LinearFit, fit_linear
from ._fit.model import FittedModel, name_everything
from ._fit.stream import Stream
from ._fit.training import read_training, source_of
from ._model.priors import PRIORS
from ._parts.streamed import Streamed, streamed_model
from ._parts.watched import Watched
from ._reader import Reader, Spec
from ._regression import PredictsMeans
from ._report.crowding import counted, refuse_boundless, refuse_prior, warn_of_crowding
from ._report.problems import linear_problems
from ._results.coefficients import Covariance, Degrees
from ._sums.design import Design
from .results import MixedResults
from .terms import RandomEffect

__all__ = ["MixedLinearRegressor"]


class MixedLinearRegressor(Streamed, Watched, PredictsMeans):
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
    covariance : str, default="unstructured"
        Covariance structure of terms that do not name one of their own: "unstructured",
        "diagonal" (also called "independent"), "identity" or "exchangeable".
    method : {"reml", "ml"}, default="reml"
        Restricted or full maximum likelihood.  Compare models with different fixed effects by "ml".
    offset : str or int, default=None
        Column of X, by name or position, with a known part of the response: its coefficient is
        one, it leaves the fixed effects, and predictions need it too.  ``offset(...)`` terms of a
        formula are added to it.
    alpha : float, default=0.0
        Ridge on the fixed effects: ``alpha sum_j (coef_j sd_j)^2 / sigma^2`` is added to -2 log L,
        sd_j being the standard deviation of column j over the rows with their weights, so that
        units do not matter.  The intercept is free; the variances are estimated given the
        penalty.  Columns that depend on others are shrunk together and none is dropped.
    covariance_prior : {"weak"} or None, default=None
        "weak" keeps covariances off the boundary: every term's adds ``-log|T|`` to -2 log L, the
        density ``|T|^(1/2)`` of Chung and others (2015), T being the covariance in units of
        sigma^2.  No
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
    coef_ : ndarray of shape (n_fixed_effects,)
        Fixed effects of the columns of X that are not grouping factors, in their order; 0 where a
        column was dropped.
    coef_names_ : ndarray of str of shape (n_fixed_effects,)
        Their names, those of dropped columns too.
    intercept_ : float
    scale_ : float
        Residual variance.
    covariances_ : list of ndarray
        Covariance matrix (q x q) of every random-effects term.
    loglik_ : float
        (Restricted) log-likelihood with all constants.
    results_ : MixedResults
        Standard errors, tests and tables under statsmodels' names.
    solver_ : str
        "exact" or "iterative": how the random effects were eliminated.
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
    selection model, Biometrics 31. Chung, Gelman, Rabe-Hesketh, Liu and Dorie (2015), Weakly
    informative prior for point estimation of covariance matrices in hierarchical models, J. Educ.
    Behav. Stat. 40.

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

    _results = MixedResults
    _parameter_constraints: ClassVar[dict[str, list[Any] | str]] = {
        "groups": [str, Integral, list, tuple, None],
        "random_effects": "no_validation",
        "formula": [str, None],
        "covariance": [str],
        "method": [AnyCase({"reml", "ml"})],
        "offset": [str, Integral, None],
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
        method: Literal["reml", "ml"] = "reml",
        offset: str | int | None = None,
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
        self.method = method
        self.offset = offset
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
            :func:`skmixed.chunks` are read part by part and forgotten, as by :meth:`partial_fit`;
            tables and arrays of Dask are summed where they are.
        y : array-like of shape (n_rows,), or str
            The response; of chunks, and of a table of Dask, the name of its column.
        groups : array-like of shape (n_rows,) or (n_rows, n_factors), default=None
            Labels of the grouping factors, where they are not columns of X.
        sample_weight : array-like of shape (n_rows,) or str, default=None
            Number of times each row counts; of chunks and tables of Dask the name of a column.

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

        Examples
        --------
        >>> from skmixed import MixedLinearRegressor
        >>> from skmixed.datasets import make_mixed_regression
        >>> X, y = make_mixed_regression(random_state=0)
        >>> MixedLinearRegressor(groups="group").fit(X, y).converged_
        True
        """
        if (engine := engine_of(X)) is not None:
            return self._fit_parts(engine, X, y, groups, sample_weight)
        spec = Spec.of(self)
        training, rows, codes = read_training(spec, X, y, groups, sample_weight, finite_response)
        reader = training.reader
        refuse_boundless(reader, counted(codes))
        warn_of_crowding(reader, counted(codes), training.n)
        design = Design.of(
            source_of(training, rows, codes),
            reader.terms,
            n_fixed=reader.n_fixed,
            fit_intercept=reader.intercept,
            alpha=float(self.alpha),
        )
        with self._watching(X, y) as report:
            fit = self._fitted(reader, design, report)
        names = name_everything(training, codes, response_name(y), design=design)
        model = FittedModel(fit, reader, names, training)
        self.__dict__.pop("_stream", None)
        self._store(model, linear_problems(model))
        return self

    def _fitted(self, reader: Reader, design: Design, report: Any) -> LinearFit:
        is_restricted = self.method.lower() == "reml"
        refuse_prior(reader, design, self.covariance_prior, restricted=is_restricted)
        with using_threads(self.n_jobs):
            return fit_linear(
                design,
                reml=is_restricted,
                tol=self.tol,
                max_iter=self.max_iter,
                covariance_prior=self.covariance_prior,
                solver=self.solver,
                report=report,
            )

    def _store_fit(self, stream: Stream) -> None:
        reader = stream.reader
        refuse_boundless(reader, stream.counts)
        warn_of_crowding(reader, stream.counts, stream.tally.seen.n)
        with self._watching(None, None) as report:
            fit = self._fitted(reader, Design.of_tally(stream.tally), report)
        model = streamed_model(fit, stream)
        self._store(model, linear_problems(model))

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
            How the fixed effects are tested, as in
            :meth:`skmixed.results.MixedResults.coef_table`.

        Returns
        -------
        statsmodels.iolib.summary.Summary
            Prints itself as text, HTML and LaTeX.

        Examples
        --------
        >>> from skmixed import MixedLinearRegressor
        >>> from skmixed.datasets import make_mixed_regression
        >>> X, y = make_mixed_regression(random_state=0)
        >>> summary = MixedLinearRegressor(groups="group").fit(X, y).summary()
        >>> print(str(summary).splitlines()[0].strip())
        Mixed-effects REML regression
        """
        return self._found.summary(level=level, df=df, cov=cov, clusters=clusters)
