"""Parametric bootstrap: responses drawn from a fitted model, and the model fitted to each of them.

    eta = X beta + Z b,    b ~ N(0, Sigma),    y ~ N(eta, sigma^2 / w)  or  Binomial(w, mu(eta)) / w,

with new effects b for every level.  A row of weight w stands for w observations: y is their mean, and the squares
within rows add ``sigma^2 chi2`` with ``sum w - n_rows`` degrees of freedom to ``y'Wy`` of a linear model.

Only what depends on y is made anew.  A linear model keeps its frame, its plan and all cross-products but those with y;
a logistic one keeps its blocks of rows.  The search starts at the fitted covariances.  Every sample has a seed of its
own, so results do not depend on how the work is spread.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
from joblib import effective_n_jobs
from scipy import sparse, stats
from sklearn.utils import check_random_state
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import check_is_fitted

from .. import _kernels as kernels
from .._cholesky import Plan
from .._covariance import JointModel, pivoted_root
from .._crossprod import condensed
from .._fit import LinearFit
from .._fit_logistic import NO_EFFECTS, GlmmFit
from .._glmm import _null_deviance
from .._lmm import ProfiledDeviance
from .._optimize import Optimum
from .._rows import level_order
from .._search import search
from .._separation import infinite_estimates
from .._start import typical_floors
from ..exceptions import ConvergenceWarning
from ._contrasts import check_level
from ._variances import variance_entries

SAMPLES_PER_TASK = 25
METHODS = ("percentile", "basic", "normal")


class Drawn(NamedTuple):
    """A response: means of the rows, and the sum of squares of the observations within rows."""

    y: np.ndarray
    within: float = 0.0


class Predictors:
    """Draws of ``X beta + Z b`` for the rows of the fit, with new effects for every level."""

    def __init__(self, fit, training):
        unknown = [np.full(len(code), -1) for code in training.codes]
        self.mean = training.predictor(training.rows, unknown)
        self.z = [training.predictor.varying(training.rows, f) for f in range(len(training.codes))]
        self.codes, self.levels = training.codes, [len(b) for b in fit.effects]
        self.roots = [pivoted_root(S)[0] for S in fit.model.assemble(fit.covariances)]

    def __call__(self, rng):
        eta = self.mean.copy()
        for z, codes, levels, root in zip(self.z, self.codes, self.levels, self.roots, strict=False):
            b = rng.standard_normal((levels, len(root))) @ root.T
            eta += np.einsum("nq,nq->n", z, b[codes])
        return eta


class LinearResampler:
    """Responses of a linear mixed model, and its fits to them."""

    def __init__(self, fit, training, *, tol=1e-9, max_iter=100):
        self.predictors, self.weights, self.sigma2 = Predictors(fit, training), training.weights, fit.sigma2
        self.design, self.model, self.absent, self.reml = fit.design, fit.model, fit.absent, fit.reml
        self.plan, self.options = fit.objective.plan, {"tol": tol, "max_iter": max_iter}
        self.floors = typical_floors(self.plan)
        self.start = fit.model.start(fit.model.assemble(fit.optimum.point), self.floors)
        self._read(training)

    def _read(self, training):
        """What the sums with y need of the rows: the weighted pool, and ``Z'W`` of every factor."""
        n = len(training.y)
        w = np.ones(n) if self.weights is None else self.weights
        self.spread = np.sqrt(self.sigma2 / w)
        self.within_rows = max(float(np.sum(w)) - n, 0.0)
        pool = self.design.frame.pool(training.rows.X, np.zeros(n))
        self.pilot, self.w = pool[:, -1].copy(), w
        self.weighted_pool = np.ascontiguousarray((w[:, None] * pool[:, :-1]).T)
        parts = zip(training.codes, self.design.cross.effects, self.design.cross.levels, strict=True)
        self.to_levels = [
            _level_sums(code, self.weighted_pool[list(effects)], levels) for code, effects, levels in parts
        ]

    @property
    def dense_order(self):
        return self.plan.dense_order

    def draw(self, rng):
        """A response of the fitted model."""
        y = self.predictors(rng)
        y += self.spread * rng.standard_normal(len(y))
        return Drawn(y, self.sigma2 * rng.chisquare(self.within_rows) if self.within_rows > 0 else 0.0)

    def refit(self, drawn):
        """The :class:`LinearFit` of a response."""
        cross = self._with_response(drawn)
        plan, fewer = copy(self.plan), condensed(cross)
        plan.cross = cross
        objective = ProfiledDeviance(plan, self.reml)
        searched = objective if fewer is None else ProfiledDeviance(Plan(fewer), self.reml)
        optimum = self._optimum(searched)
        evaluated = fewer is None and self.model.blocks
        state = optimum.evaluation if evaluated else objective(self.model.assemble(optimum.point))
        design = replace(self.design, cross=cross)
        return LinearFit(design, objective, self.model, optimum, self.absent, state)

    def _optimum(self, objective):
        if not self.model.blocks:
            return Optimum([], None, 1, True, "no random effects")
        return search(objective, self.model, self.start, self.floors, **self.options)

    def _with_response(self, drawn):
        """The cross-products with another response."""
        scale, cross = self.design.frame.y_scale, self.design.cross
        y = drawn.y / scale + self.pilot
        gram = cross.gram.copy()
        gram[-1, :-1] = gram[:-1, -1] = self.weighted_pool @ y
        gram[-1, -1] = y @ (self.w * y) + drawn.within / scale**2
        sums = [s.copy() for s in cross.sums]
        for s, to_levels in zip(sums, self.to_levels, strict=True):
            s[:, -1] = (to_levels @ y).reshape(len(s), -1)
        return replace(cross, gram=gram, sums=tuple(sums))


def _level_sums(codes, columns, levels):
    """The matrix that sums rows times each of the columns (q, n) by level: (q * levels, n)."""
    q, n = columns.shape
    rows = (np.arange(q)[:, None] * levels + codes).ravel()
    return sparse.csr_matrix((columns.ravel(), (rows, np.tile(np.arange(n), q))), shape=(q * levels, n))


class LogisticResampler:
    """Outcomes of a mixed logistic model, and its fits to them."""

    def __init__(self, fit, training, *, tol=1e-9, max_iter=100):
        self.predictors, self.weights = Predictors(fit, training), training.weights
        self.design, self.objective, self.model, self.absent = fit.design, fit.objective, fit.model, fit.absent
        self.joint = JointModel(fit.model if fit.design.terms else NO_EFFECTS, fit.rank)
        self.options = {"tol": tol, "max_iter": max_iter, "secants": True}
        self.floors = typical_floors(fit.working.objective.plan)
        *T, beta = fit.optimum.point
        terms = self.joint.covariances
        self.start = [*terms.start(terms.assemble(T), self.floors), beta]
        self.X, self.codes = training.rows.X[:, : training.rows.n_fixed], training.codes
        self.order = _block_order(training.codes, [len(b) for b in fit.effects], len(training.y))

    @property
    def dense_order(self):
        return max(plan.dense_order for plan in self.objective.plans)

    def draw(self, rng):
        """Outcomes of the fitted model; of w observations the share of ones, what is left of w being one more."""
        mean = self.objective.family.mean(self.predictors(rng))
        if self.weights is None:
            return Drawn((rng.random(len(mean)) < mean).astype(float))
        whole = np.floor(self.weights)
        ones = rng.binomial(whole.astype(np.int64), mean) + (self.weights - whole) * (rng.random(len(mean)) < mean)
        return Drawn(ones / self.weights)

    def refit(self, drawn):
        """The :class:`GlmmFit` of outcomes."""
        if np.ptp(drawn.y) == 0 and drawn.y[0] in (0.0, 1.0):
            raise ValueError("All outcomes drawn are the same.")
        objective = self._with_response(drawn.y[self.order])
        optimum = search(objective, self.joint, self.start, self.floors, **self.options)
        design = replace(self.design, blocks=objective.blocks)
        fit = GlmmFit(design, objective, self.model, optimum, self.absent)
        return fit.unbounded() if any(self._infinite(fit, drawn.y)) else fit

    def _with_response(self, y):
        """The objective of other outcomes, in the order of the blocks."""
        other, ends = copy(self.objective), np.cumsum([0] + [len(block.y) for block in self.objective.blocks])
        other.blocks = [replace(b, y=y[lo:hi]) for b, (lo, hi) in zip(other.blocks, pairwise(ends), strict=True)]
        other.null_deviance = _null_deviance(other.blocks, other.family, other.n)
        return other

    def _infinite(self, fit, y):
        """What has no finite estimate; rows with both outcomes count as one of each."""
        both = np.flatnonzero((y > 0) & (y < 1))
        rows = np.concatenate([np.arange(len(y)), both])
        outcomes = np.concatenate([np.ceil(y), np.zeros(len(both))])
        codes = [code[rows] for code in self.codes]
        return infinite_estimates(fit, self.X[rows], outcomes, self.design.frame.fit_intercept, codes)


def _block_order(codes, levels, n):
    """The rows in the order in which a design cuts them into blocks: by the levels of the largest factor."""
    if not codes:
        return np.arange(n)
    largest = int(np.argmax(levels))
    return level_order(codes[largest], levels[largest])


def resampler(fit, training, **options):
    """What draws from a fit and refits; ``options`` are the tolerance and limit of the search."""
    kind = LogisticResampler if fit.sigma2 is None else LinearResampler
    return kind(fit, training, **options)


class Replicates(NamedTuple):
    """Values of a statistic, one row per sample, and what became of the fits."""

    values: np.ndarray  # NaN where the fit failed
    failed: np.ndarray
    converged: np.ndarray


def replicates(source, statistic, n_samples, *, n_jobs=None, random_state=None, progress=False):
    """Values of ``statistic(fit, y)`` for refits to responses of ``source``."""
    seeds = np.random.SeedSequence(_entropy(random_state)).spawn(n_samples)
    tasks = [seeds[lo : lo + SAMPLES_PER_TASK] for lo in range(0, n_samples, SAMPLES_PER_TASK)]
    at_once, found = 4 * effective_n_jobs(n_jobs), []
    with Parallel(n_jobs=n_jobs) as parallel:
        for lo in range(0, len(tasks), at_once):
            parts = parallel(delayed(_run)(source, statistic, task) for task in tasks[lo : lo + at_once])
            found += [value for part in parts for value in part]
            if progress:
                print(f"\rbootstrap: {len(found)} of {n_samples} samples", end="", file=sys.stderr, flush=True)
    if progress:
        print(file=sys.stderr)
    return _collected(found)


def _collected(found):
    """A row of NaN for every sample that is None."""
    width = next((len(sample[0]) for sample in found if sample), 0)
    values = [sample[0] if sample else np.full(width, np.nan) for sample in found]
    failed = np.array([sample is None for sample in found])
    return Replicates(np.array(values), failed, np.array([bool(sample and sample[1]) for sample in found]))


def _entropy(random_state):
    return check_random_state(random_state).randint(0, 2**31 - 1, size=4).tolist()


def _run(source, statistic, seeds):
    """Value and convergence for every seed.

    Warnings are silenced: what they say about samples is summed up by the caller.
    """
    with kernels.blas_threads(source.dense_order), np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [_replicate(source, statistic, seed) for seed in seeds]


def _replicate(source, statistic, seed):
    """None where the fit fails."""
    drawn = source.draw(np.random.default_rng(seed))
    try:
        fit = source.refit(drawn)
        return np.asarray(statistic(fit, drawn.y), dtype=float), fit.optimum.converged
    except (ArithmeticError, ValueError):
        return None


@dataclass(frozen=True)
class VarianceEntries:
    """The statistic whose values are those of :func:`skmixed.inference._variances.variance_estimates`."""

    entries: list

    def __call__(self, fit, y=None):
        found = [fit.covariances[k][r, c] for k, r, c in self.entries]
        return np.array(found if fit.sigma2 is None else [*found, fit.sigma2])


@dataclass(frozen=True)
class AllParameters:
    """The statistic of all fixed effects, then all variances and covariances."""

    names: list
    kept: np.ndarray
    variances: VarianceEntries

    @classmethod
    def of(cls, est):
        """Coefficients by name, entries as the summary calls them, with their factor."""
        fit, labels = est._fit, est.results_._labels
        variances, names = VarianceEntries(variance_entries(fit)), [labels.fixed[k] for k in fit.design.kept]
        for entry in variances.entries:
            factor, first, second = labels.entry(*entry)
            names.append(f"{factor}: var({first})" if first == second else f"{factor}: cov({first},{second})")
        return cls(names + ["var(Residual)"] * (fit.sigma2 is not None), fit.design.kept, variances)

    def __call__(self, fit, y):
        return np.concatenate([fit.coefficients[self.kept], self.variances(fit)])


class OfEstimator:
    """A statistic of a fitted estimator: what a refit gives is put into a copy of it."""

    def __init__(self, est, training, statistic):
        self.statistic, self.training, self.est = statistic, training, copy(est)
        self.results, self.methods = _template(est.results_, est)
        self.est._fit = self.est.results_ = None
        self.names = None  # known once it was called for the original fit

    def __call__(self, fit, y):
        names, values = _named(self.statistic(self.estimator(fit, y)))
        if self.names is not None and names != self.names:
            raise ValueError("statistic: the names or the number of values changed from one sample to the next.")
        self.names = names
        return values

    def estimator(self, fit, y):
        """The estimator as it would be after a fit to y."""
        est, results = copy(self.est), copy(self.results)
        est._store_common(fit)
        if fit.sigma2 is not None:
            est.scale_ = float(fit.sigma2)
        results._fit, results._rows = fit, replace(self.training, predictor=est._predictor, y=y)
        for name, method in self.methods.items():
            setattr(results, name, getattr(est, method))
        est.results_ = results
        return est


def _template(results, est):
    """Results without a fit and what was computed from it, and the methods of the estimator that they hold, by name."""
    kind, made = type(results), {"_fit": None, "_rows": None}
    methods = {name: value.__name__ for name, value in vars(results).items() if getattr(value, "__self__", None) is est}
    for name, value in vars(results).items():
        if name not in methods and not isinstance(getattr(kind, name, None), cached_property):
            made.setdefault(name, value)
    template = kind.__new__(kind)
    vars(template).update(made)
    return template, methods


def _named(value):
    """Names and values of what a statistic returned."""
    if isinstance(value, pd.Series | Mapping):
        names, values = list(value.keys()), list(value.values() if isinstance(value, Mapping) else value)
    else:
        values = np.asarray(value)
        names = ["statistic"] if values.ndim == 0 else list(range(len(values)))
    try:
        values = np.atleast_1d(np.array(values, dtype=float))
    except (TypeError, ValueError):
        values = np.empty((0, 0))
    if value is None or values.ndim != 1:
        raise TypeError(
            f"statistic: its value is no number, nor a list of them (it is of type {type(value).__name__}).\n"
            "Return a number, a 1-D array, a dict or a Series of numbers."
        )
    return names, values


@dataclass(frozen=True, eq=False)
class BootstrapResult:
    """What :func:`bootstrap` found: the samples, and what follows from them.

    Attributes
    ----------
    samples : DataFrame of shape (n_samples, n_statistics)
        One refit per row; NaN where it failed.
    estimate : Series
        The statistics of the model that was drawn from.
    level : float
        Confidence level of :meth:`conf_int` and :meth:`table`, unless they are told another one.
    n_failed : int
        Refits that ended in an exception.
    n_unconverged : int
        Refits that are kept although their search did not converge, or no finite estimate is best.
    """

    samples: pd.DataFrame
    estimate: pd.Series
    level: float
    n_failed: int
    n_unconverged: int

    @property
    def std_error(self) -> pd.Series:
        """Standard deviations of the samples."""
        return self.samples.std().rename("std_error")

    @property
    def bias(self) -> pd.Series:
        """Mean of the samples less the estimate."""
        return (self.samples.mean() - self.estimate).rename("bias")

    def conf_int(
        self, level: float | None = None, method: Literal["percentile", "basic", "normal"] = "percentile"
    ) -> pd.DataFrame:
        """Confidence limits.

        Parameters
        ----------
        level : float, default=None
            Confidence level; that of the bootstrap if None.
        method : {"percentile", "basic", "normal"}, default="percentile"
            With quantiles q of the samples and the estimate t: "percentile" is ``(q_low, q_high)``, "basic" reflects
            them, ``(2 t - q_high, 2 t - q_low)``, and "normal" is ``t - bias -+ z std_error`` (Davison and Hinkley
            1997, chapter 5).

        Returns
        -------
        DataFrame
            ``ci_low, ci_high`` by statistic.
        """
        tail = (1.0 - check_level(self.level if level is None else level)) / 2.0
        if method not in METHODS:
            raise ValueError(f"method={method!r} is not known.\nUse {', '.join(map(repr, METHODS))}.")
        low, high = (self.samples.quantile(share) for share in (tail, 1.0 - tail))
        if method == "basic":
            low, high = 2.0 * self.estimate - high, 2.0 * self.estimate - low
        if method == "normal":
            middle, half = self.estimate - self.bias, stats.norm.isf(tail) * self.std_error
            low, high = middle - half, middle + half
        return pd.DataFrame({"ci_low": low, "ci_high": high})

    def table(
        self, level: float | None = None, method: Literal["percentile", "basic", "normal"] = "percentile"
    ) -> pd.DataFrame:
        """Everything in one table: ``name, estimate, bias, std_error, ci_low, ci_high``, a row per statistic."""
        columns = {"estimate": self.estimate, "bias": self.bias, "std_error": self.std_error}
        table = pd.concat([pd.DataFrame(columns), self.conf_int(level, method)], axis=1)
        return table.rename_axis("name").reset_index()


def bootstrap(
    est: Any,
    statistic: Callable | None = None,
    *,
    n_samples: int = 1000,
    n_jobs: int | None = None,
    random_state: int | np.random.RandomState | None = None,
    progress: bool = False,
    level: float = 0.95,
) -> BootstrapResult:
    """Parametric bootstrap of any function of a fitted model.

    Responses of the training rows are drawn from the model, with new random effects for every level and new residuals
    or outcomes, and the model is fitted to each of them (Efron and Tibshirani 1993, chapter 6; lme4's ``bootMer`` with
    ``use.u = FALSE``).  A row of weight w stands for w independent observations.

    Parameters
    ----------
    est : MixedLinearRegressor or MixedLogisticClassifier
        Fitted, with its training rows: not a copied or unpickled estimator.
    statistic : callable, default=None
        Takes a fitted estimator and returns a number, a 1-D array, a dict or a Series, whose names are kept.  None:
        all fixed effects, variances, covariances, and the residual variance.
    n_samples : int, default=1000
    n_jobs : int, default=None
        Number of processes, as in scikit-learn; the samples do not depend on it.
    random_state : int, RandomState or None, default=None
    progress : bool, default=False
        Print the number of samples so far to stderr.
    level : float, default=0.95
        Confidence level of the limits.

    Returns
    -------
    BootstrapResult
        ``samples``, ``estimate``, ``bias``, ``std_error``, ``conf_int()``, ``table()``.

    Raises
    ------
    AttributeError
        Where the training rows are not kept.
    TypeError
        Where ``statistic`` returns something that is not made of numbers.

    Warns
    -----
    ConvergenceWarning
        Once, with the number of refits that failed (NaN among the samples) or did not converge (kept).

    Examples
    --------
    >>> from skmixed import MixedLinearRegressor
    >>> from skmixed.datasets import make_mixed_regression
    >>> from skmixed.inference import bootstrap
    >>> X, y = make_mixed_regression(n_groups=40, random_state=0)
    >>> model = MixedLinearRegressor(groups="group").fit(X, y)
    >>> found = bootstrap(model, lambda m: {"ratio": m.coef_[1] / m.coef_[0]}, n_samples=100, random_state=0)
    >>> found.table().columns.to_list()
    ['name', 'estimate', 'bias', 'std_error', 'ci_low', 'ci_high']
    """
    check_is_fitted(est)
    check_level(level)
    if n_samples < 1:
        raise ValueError(f"n_samples={n_samples!r} is not a number of samples.\nUse at least 1, such as 1000.")
    training, fit = est.results_._training(), est._fit
    function = AllParameters.of(est) if statistic is None else OfEstimator(est, training, statistic)
    estimate = function(fit, training.y)
    source = resampler(fit, training, tol=est.tol, max_iter=est.max_iter)
    found = replicates(source, function, n_samples, n_jobs=n_jobs, random_state=random_state, progress=progress)
    return _result(found, function.names, estimate, level)


def _result(found, names, estimate, level, stacklevel=4):
    failed, unconverged = int(np.sum(found.failed)), int(np.sum(~found.failed & ~found.converged))
    if failed or unconverged:
        _warn(failed, unconverged, len(found.failed), stacklevel)
    values = found.values if found.values.shape[1] else np.full((len(found.values), len(names)), np.nan)
    samples = pd.DataFrame(values, columns=names)
    return BootstrapResult(samples, pd.Series(estimate, names, name="estimate"), level, failed, unconverged)


def _warn(failed, unconverged, n_samples, stacklevel):
    warnings.warn(
        f"bootstrap: of {n_samples} refits {failed} failed and count as missing; {unconverged} did not converge, or "
        "have no finite estimate, and are kept.\nLook at the distribution of the samples; a simpler model may do.",
        ConvergenceWarning,
        stacklevel=stacklevel,
    )


def bootstrap_limits(fit, training, level=0.95, *, n_samples=1000, n_jobs=None, random_state=None, **options):
    """Percentile limits and standard errors of the entries of :func:`skmixed.inference._variances.variance_estimates`.

    Returns (low, high, std_errors); ``options`` are ``tol`` and ``max_iter`` of the refits.
    """
    statistic = VarianceEntries(variance_entries(fit))
    estimate, source = statistic(fit), resampler(fit, training, **options)
    found = replicates(source, statistic, n_samples, n_jobs=n_jobs, random_state=random_state)
    names = list(range(len(estimate)))
    result = _result(found, names, estimate, check_level(level), stacklevel=6)  # the caller of variance_table
    limits = result.conf_int()
    return limits["ci_low"].to_numpy(), limits["ci_high"].to_numpy(), result.std_error.to_numpy()
