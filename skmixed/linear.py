"""Linear mixed-effects regression as a scikit-learn estimator."""

from __future__ import annotations

import warnings
from numbers import Integral, Real
from typing import Any, Literal, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import stats
from sklearn.base import RegressorMixin, _fit_context
from sklearn.metrics import r2_score
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from ._base import LinearPredictor, MixedModel
from ._covariance import STRUCTURES
from ._design import Design, Factor
from ._fit import fit_linear
from ._prediction import error_variances
from ._summary import Labels
from .exceptions import ConvergenceWarning, RankDeficiencyWarning, SingularFitWarning
from .formula import evaluate_response, split_formula
from .inference import check_level
from .results import MixedResults
from .terms import RandomEffect

__all__ = ["MixedLinearRegressor"]

Kind = Literal["conditional", "population", "marginal"]


class MixedLinearRegressor(RegressorMixin, MixedModel):
    """Linear mixed-effects model, fitted by restricted or full maximum likelihood.

    For the rows of one level of every grouping factor

        y = X beta + Z b + e,      b ~ N(0, Sigma),   e ~ N(0, sigma^2),

    with fixed effects beta, random effects b whose covariance Sigma is estimated, and the residual variance sigma^2.
    Rows are reduced to cross-products once; the profiled deviance is then minimised by trust-region Newton steps with
    analytic derivatives.  Columns and the response are standardised inside and the results transformed back exactly, so
    units and origins do not matter.

    Parameters
    ----------
    groups : str, int or list of them, default=None
        Columns of X that hold the grouping factors; they leave the fixed effects.  Names need a table, positions
        count columns of any X, negative ones from the end.  None: the columns are named by ``random_effects``, or the
        labels are passed as ``groups=`` to ``fit``.  Where ``random_effects`` is given, its terms say which factors
        have effects; a column named here and in no term only leaves the fixed effects.
    random_effects : str, RandomEffect or list of RandomEffect, default=None
        Terms in lme4's notation, such as ``"(1 + age | idcode) + (1 | school/class)"``, or as values.  None: a random
        intercept for every grouping factor.
    formula : str, default=None
        The whole model in lme4's notation without the response, such as ``"ttl_exp + C(race) + age + (1 | idcode)"``,
        evaluated by formulaic over the columns of X (formulas may call Python).  Excludes ``groups`` and
        ``random_effects``.
    covariance : {"unstructured", "diagonal", "independent", "identity", "exchangeable"}, default="unstructured"
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
        Fixed effects of the columns of X that are not grouping factors, in their order; 0 where a column was dropped.
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
    Bates, Maechler, Bolker and Walker (2015), Fitting linear mixed-effects models using lme4, J. Stat. Software 67.
    Henderson (1975), Best linear unbiased estimation and prediction under a selection model, Biometrics 31.

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

    @classmethod
    def from_formula(cls, formula: str, data: Any, *, sample_weight: ArrayLike | None = None, **params) -> Self:
        """Fit the model of a two-sided formula.

        Parameters
        ----------
        formula : str
            ``"ln_wage ~ ttl_exp + C(race) + age + (1 | idcode)"``.
        data : table
        sample_weight : array-like of shape (n_rows,), default=None
        **params
            Parameters of the constructor.

        Returns
        -------
        MixedLinearRegressor
            Fitted; ``predict`` takes tables with the columns of the right-hand side.

        Examples
        --------
        >>> from skmixed import MixedLinearRegressor
        >>> from skmixed.datasets import make_mixed_regression
        >>> X, y = make_mixed_regression(random_state=0)
        >>> model = MixedLinearRegressor.from_formula("y ~ x0 + x1 + (1 + x0 | group)", X.assign(y=y))
        >>> model.results_.params.index.to_list()
        ['Intercept', 'x0', 'x1']
        """
        response, *_ = split_formula(formula)
        if not response:
            raise ValueError(f"formula={formula!r} has no response.\nWrite 'y ~ x + (1 | group)'.")
        model = cls(formula=formula.rpartition("~")[2].strip(), **params)
        return model.fit(data, evaluate_response(response, data), sample_weight=sample_weight)

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self, X: Any, y: ArrayLike, *, groups: ArrayLike | None = None, sample_weight: ArrayLike | None = None
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
            For unknown columns, missing values or labels, text among the fixed effects, or groups given twice.

        Warns
        -----
        GroupsWarning
            Without any grouping factor.
        SingularFitWarning, RankDeficiencyWarning, ConvergenceWarning
            Where the estimates need a second look; each names the term or the column.
        """
        self._argument_style = groups is not None
        rows = self._read(X, groups, reset=True)
        target = self._read_target(y, rows)
        weights, keep = self._read_weights(sample_weight, rows)
        self._intercept = self.fit_intercept and rows.intercept
        rows, target = self._kept(rows, target, keep)
        if not rows.labels:
            self._warn_without_groups()
        codes, self._terms = self._make_factors(rows)
        levels = [f.n_levels for f in self._factors]
        design = Design.from_rows(rows.X, target, weights, codes, levels, self._terms, self._intercept, rows.n_fixed)
        fit = fit_linear(
            design, reml=self.method == "reml", tol=self.tol, max_iter=self.max_iter, report=self._reporter()
        )
        self._store(fit, rows, target, codes, weights, getattr(y, "name", None))
        self._warn_about(fit)
        return self

    def _kept(self, rows, y, keep):
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
        return (rows, y) if isinstance(keep, slice) else (rows.take(keep), y[keep])

    def _reporter(self):
        if not self.verbose:
            return None
        return lambda value, decrease, radius: print(
            f"deviance {value:.8g}   predicted decrease {decrease:.3g}   radius {radius:.3g}"
        )

    def _store(self, fit, rows, y, codes, weights, response):
        """Fitted attributes: numpy only."""
        first = int(self._intercept)
        coefficients = fit.coefficients
        self.intercept_ = float(coefficients[0]) if self._intercept else 0.0
        self.coef_ = coefficients[first:]
        self.scale_ = float(fit.sigma2)
        self.covariances_ = fit.covariances
        self.loglik_ = fit.loglik
        self.converged_ = bool(fit.optimum.converged)
        self.n_iter_ = int(fit.optimum.n_evaluations)
        self._fit = fit
        self._predictor = LinearPredictor(self.coef_, self.intercept_, fit.effects, self._terms)
        self._column_names = list(rows.names)
        labels = self._make_labels(rows, codes, weights, response)
        self.results_ = MixedResults(fit, labels, Training(self._predictor, rows, codes, y))

    def _make_labels(self, rows, codes, weights, response):
        fixed = (["Intercept"] if self._intercept else []) + rows.names[: rows.n_fixed]
        sizes = [np.bincount(c, weights, f.n_levels) for c, f in zip(codes, self._factors, strict=True)]
        names = [["Intercept" if s < 0 else rows.names[s] for s in t.sources] for t in self._terms]
        return Labels(
            response=str(response) if response is not None else "y",
            fixed=tuple(fixed),
            intercept=self._intercept,
            factors=tuple(f.name for f in self._factors),
            levels=tuple(f.labels for f in self._factors),
            effects=tuple(self._effect_names(f) for f in range(len(self._factors))),
            sizes=tuple(sizes),
            terms=tuple((t.factor, t.covariance, n) for t, n in zip(self._terms, names, strict=True)),
        )

    def _warn_about(self, fit):
        labels = self.results_._labels
        dropped = [n for k, n in enumerate(labels.fixed) if k not in set(fit.design.kept.tolist())]
        if dropped:
            warnings.warn(
                f"X: {', '.join(map(repr, dropped))} depends linearly on the columns before and was dropped.\n"
                "Its coefficient is set to 0; remove the column to silence this.",
                RankDeficiencyWarning,
                stacklevel=4,
            )
        for message, category in fit_problems(fit, labels):
            warnings.warn(message, category, stacklevel=4)

    def predict(
        self, X: Any, *, groups: ArrayLike | None = None, kind: Kind = "conditional", return_std: bool = False
    ) -> np.ndarray | tuple[np.ndarray, np.ndarray]:
        """Predict the response.

        Parameters
        ----------
        X : table or array of shape (n_rows, n_columns)
        groups : array-like, default=None
            Labels, where they were passed to ``fit`` as well.
        kind : {"conditional", "population", "marginal"}, default="conditional"
            "conditional" uses the estimated effects of known levels, and zero, their mean, for new ones; "population"
            sets every effect to zero; "marginal" averages over the distribution of all effects: the same mean.
        return_std : bool, default=False
            Also return the standard error of the predicted mean: of ``x'beta + z'b`` for "conditional" (new levels with
            their full variance), of ``x'beta`` for "population", and of a new level of every factor for "marginal".

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

        ``mean +- t * sqrt(v)`` with t from Student's distribution on n - p degrees of freedom and v the variance of the
        prediction error given the covariances (Henderson 1975): for a known level the effects are known up to their
        posterior variance, a new level adds its full variance, and an observation adds sigma^2.

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
        design = self._fit.design
        pool = design.frame.pool(rows.X)
        z = [pool[:, list(e)] for e in design.frame.effects]
        x = pool[:, design.frame.fixed[design.kept]]
        return self._fit.sigma2 * np.maximum(error_variances(self._fit.state, x, z, codes, prior=prior), 0.0)

    def score(
        self, X: Any, y: ArrayLike, *, groups: ArrayLike | None = None, sample_weight: ArrayLike | None = None
    ) -> float:
        """Coefficient of determination R^2 of the conditional predictions."""
        return r2_score(y, self.predict(X, groups=groups), sample_weight=sample_weight)

    def simulate(
        self,
        X: Any,
        *,
        groups: ArrayLike | None = None,
        n_samples: int = 1,
        random_state: int | np.random.RandomState | None = None,
        kind: Kind = "marginal",
    ) -> np.ndarray:
        """Draw responses from the fitted model.

        Parameters
        ----------
        X : table or array of shape (n_rows, n_columns)
        groups : array-like, default=None
        n_samples : int, default=1
        random_state : int, RandomState or None, default=None
        kind : {"marginal", "conditional", "population"}, default="marginal"
            "marginal" draws new effects for every level, known or not, as a parametric bootstrap needs; "conditional"
            keeps the estimated effects of known levels and draws those of new ones; "population" leaves them at zero.

        Returns
        -------
        ndarray of shape (n_rows, n_samples)
        """
        rng = check_random_state(random_state)
        rows, codes = self._read_for_prediction(X, groups, "conditional")
        if kind not in ("conditional", "population", "marginal"):
            raise ValueError(f"kind={kind!r} is not known.\nUse 'conditional', 'population' or 'marginal'.")
        known = codes if kind == "conditional" else [np.full(len(rows), -1)] * len(codes)
        draws = np.repeat(self._predictor(rows, known)[:, None], n_samples, axis=1)
        if kind != "population":
            for f, covariance in enumerate(self._fit.model.assemble(self.covariances_)):
                draws += self._new_effects(f, covariance, rows, codes[f], known[f], n_samples, rng)
        return draws + np.sqrt(self.scale_) * rng.standard_normal(draws.shape)

    def _new_effects(self, f, covariance, rows, codes, known, n_samples, rng):
        """``z'b`` with b drawn anew for every level whose effects are not held fixed."""
        labels = [rows.labels[c] for c in self._factor_columns[f]] if rows.labels else [np.zeros(len(rows))]
        level = Factor.from_columns("", labels)[1]
        b = rng.multivariate_normal(np.zeros(len(covariance)), covariance, size=(level.max() + 1, n_samples))
        drawn = np.einsum("nq,nsq->ns", self._predictor.varying(rows, f), b[level])
        return np.where((known >= 0)[:, None], 0.0, drawn)

    def variance_components(self, level: float = 0.95) -> pd.DataFrame:
        """Variances and covariances as a table.

        Returns
        -------
        DataFrame
            ``factor, effect, effect2, estimate, sd_or_corr, std_error, ci_low, ci_high``; the residual comes last.
        """
        check_is_fitted(self)
        return self.results_.variance_table(level=level)

    def _random_effects_table(self) -> pd.DataFrame:
        """Conditional modes of the random effects as a table.

        Returns
        -------
        DataFrame
            ``factor, level, effect, estimate, std_error``, the standard error given the estimated parameters.
        """
        check_is_fitted(self)
        return self.results_.effects_table()

    def summary(self, level: float = 0.95) -> Any:
        """Printed tables: method, groups, fixed effects, variance components, test against no random effects."""
        check_is_fitted(self)
        return self.results_.summary(level=level)


class Training:
    """The rows of the fit, for fitted values and residuals on request."""

    def __init__(self, predictor, rows, codes, y):
        self._predictor, self._rows, self._codes, self._y = predictor, rows, codes, y

    def fitted(self):
        return self._predictor(self._rows, self._codes)

    def response(self):
        return self._y


def fit_problems(fit, labels):
    """Messages for what a user should look at, with their categories."""
    if fit.n <= fit.rank:
        yield (
            f"{fit.n:.3g} observations (the sum of sample_weight) for {fit.rank} coefficients: no variance is left.\n"
            "Add rows or drop columns; weights count repetitions.",
            SingularFitWarning,
        )
    else:
        yield from ((message, SingularFitWarning) for message in _singularities(fit, labels))
    if not fit.optimum.converged:
        yield _not_converged(fit, labels), ConvergenceWarning


def _singularities(fit, labels):
    """Variances that are confounded, not identified, or zero."""
    for f in fit.absent:
        source = "the intercept" if len(labels.levels[f]) < 2 else "the residual"
        yield (
            f"{labels.factors[f]}: its {len(labels.levels[f])} levels cannot be told from {source}; "
            "its variance is set to 0.\nUse a grouping factor with several levels and repeated rows."
        )
    if flat := {labels.factors[labels.terms[k][0]] for k in fit.flat_terms}:
        yield (
            f"{', '.join(sorted(flat))}: some variances are not identified, the likelihood is flat along them.\n"
            "Drop a term: two of them describe the same thing, or a factor has too few rows per level."
        )
    for k, (block, T) in enumerate(zip(fit.model.blocks, fit.optimum.point, strict=True)):
        if block.factor not in fit.absent and not block.structure.is_interior(T):
            factor, _, effects = labels.terms[k]
            which = f"{labels.factors[factor]}: a variance of ({', '.join(effects)})"
            yield (
                f"{which} is zero, or a correlation is 1 or -1.\n"
                "That is an answer, not an error; a simpler random-effects term fits as well."
            )


def _not_converged(fit, labels):
    if fit.is_degenerate:
        return (
            f"The residual variance goes to zero: {', '.join(labels.factors)} and the fixed effects reproduce y.\n"
            "Check that y varies within the levels, and that no column is a copy of y."
        )
    return (
        f"The optimiser stopped early ({fit.optimum.message}, {fit.optimum.n_evaluations} evaluations).\n"
        "Raise max_iter, or simplify the random effects; the estimates are those of the last step."
    )
