"""Parametric bootstrap: the distribution of a statistic over responses drawn from the fitted model.

Every sample has a seed of its own, so results do not depend on how the work is spread.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
from joblib import effective_n_jobs
from scipy import stats
from sklearn.utils import check_random_state
from sklearn.utils.parallel import Parallel, delayed

from ..._algebra.machine import computing
from ..._data.checks import check_choice, check_level, check_n_samples, warn
from ..._fit.model import FittedModel
from ..._report.progress import Progress
from ..._report.words import html_of_text
from ..._sums.source import slices
from ...exceptions import ConvergenceWarning
from .._arguments import fitted_model
from .resampling import Draws
from .statistics import AllParameters, Deviations, OfEstimator, Statistic, VarianceEntries
from .sums import resampler_of

SAMPLES_PER_TASK = 25
MOST_PER_TASK = 125  # where responses are fitted together
METHODS = ("percentile", "basic", "normal")


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

    Responses of the training rows are drawn from the model, with new random effects for every level
    and new residuals or outcomes, and the model is fitted to each of them (Efron and Tibshirani
    1993, chapter 6; lme4's ``bootMer`` with ``use.u = FALSE``).  A row of weight w stands for w
    independent observations.

    Parameters
    ----------
    est : MixedLinearRegressor or MixedLogisticClassifier
        Fitted; a classifier with its training rows: not an unpickled estimator.
    statistic : callable, default=None
        Takes a fitted estimator and returns a number, a 1-D array, a dict or a Series, whose names
        are kept.  None: all fixed effects, variances, covariances, and the residual variance.
    n_samples : int, default=1000
        Number of refits.
    n_jobs : int, default=None
        Number of processes, as in scikit-learn; the samples do not depend on it.
    random_state : int, RandomState or None, default=None
        Seed of the draws.
    progress : bool, default=False
        Show the number of samples so far on stderr, by tqdm where it is installed.
    level : float, default=0.95
        Confidence level of the limits.

    Returns
    -------
    BootstrapResult
        ``samples``, ``estimate``, ``bias``, ``std_error``, ``conf_int()``, ``table()``.

    Raises
    ------
    AttributeError
        For a classifier whose training rows are not kept, and a statistic that needs rows of a
        model that has none.
    TypeError
        Where ``statistic`` returns something that is not made of numbers, or ``n_samples`` is not a
        whole number.
    ValueError
        Where the weights of a linear model add up to less than one observation per row.

    Warns
    -----
    ConvergenceWarning
        Once, with the number of refits that failed (NaN among the samples) or did not converge
        (kept).

    Notes
    -----
    A linear model whose rows are not in memory, one of chunks, of ``partial_fit`` or unpickled,
    needs none: what a fit asks of a response are its sums, and these are drawn.  With ``A = [Z
    X]``, ``A'We`` is normal with covariance ``sigma^2 A'WA``, and ``e'We`` is its length there plus
    ``sigma^2 chi2`` with as many degrees of freedom as there are observations beyond the rank of A.
    Samples of a seed are others than those of the rows, with the same distribution.

    Examples
    --------
    >>> from skmixed import MixedLinearRegressor
    >>> from skmixed.datasets import make_mixed_regression
    >>> from skmixed.inference import bootstrap
    >>> X, y = make_mixed_regression(n_groups=40, random_state=0)
    >>> model = MixedLinearRegressor(groups="group").fit(X, y)
    >>> ratio = lambda m: {"ratio": m.coef_[1] / m.coef_[0]}
    >>> found = bootstrap(model, ratio, n_samples=100, random_state=0)
    >>> found.table().columns.to_list()
    ['name', 'estimate', 'bias', 'std_error', 'ci_low', 'ci_high']
    """
    model = fitted_model(est)
    check_level(level)
    n_samples = check_n_samples(n_samples)
    every = statistic is None
    function = AllParameters.of(model) if every else OfEstimator(est, model, statistic)
    source = resampler_of(model, tol=est.tol, max_iter=est.max_iter)
    estimate = function(model.fit, source.observed)
    options = {"n_jobs": n_jobs, "random_state": random_state, "progress": progress}
    found = replicates(source, function, n_samples, **options)
    return _result(found, function.names, estimate, level)


@dataclass(frozen=True, eq=False, repr=False)
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

    _repr_html_ = html_of_text

    def __repr__(self):
        return (
            f"{self.table().to_string(index=False, max_rows=40)}\n"
            f"Bootstrap: {len(self.samples):,} samples, {self.n_failed} failed, "
            f"{self.n_unconverged} not converged; {100.0 * self.level:g} % limits"
        )

    @property
    def std_error(self) -> pd.Series:
        """Standard deviations of the samples."""
        return self.samples.std().rename("std_error")

    @property
    def bias(self) -> pd.Series:
        """Mean of the samples less the estimate."""
        return (self.samples.mean() - self.estimate).rename("bias")

    def conf_int(
        self,
        level: float | None = None,
        method: Literal["percentile", "basic", "normal"] = "percentile",
    ) -> pd.DataFrame:
        """Confidence limits.

        Parameters
        ----------
        level : float, default=None
            Confidence level; that of the bootstrap if None.
        method : {"percentile", "basic", "normal"}, default="percentile"
            With quantiles q of the samples and the estimate t: "percentile" is ``(q_low, q_high)``,
            "basic" reflects them, ``(2 t - q_high, 2 t - q_low)``, and "normal" is ``t - bias -+ z
            std_error`` (Davison and Hinkley 1997, chapter 5).

        Returns
        -------
        DataFrame
            ``ci_low, ci_high`` by statistic.

        Examples
        --------
        >>> from skmixed import MixedLinearRegressor
        >>> from skmixed.datasets import make_mixed_regression
        >>> from skmixed.inference import bootstrap
        >>> X, y = make_mixed_regression(n_groups=40, random_state=0)
        >>> found = bootstrap(MixedLinearRegressor("group").fit(X, y), n_samples=50, random_state=0)
        >>> found.conf_int(0.9).shape
        (5, 2)
        """
        tail = (1.0 - check_level(self.level if level is None else level)) / 2.0
        check_choice("method", method, METHODS)
        low, high = (self.samples.quantile(share) for share in (tail, 1.0 - tail))
        if method == "basic":
            low, high = 2.0 * self.estimate - high, 2.0 * self.estimate - low
        if method == "normal":
            middle = self.estimate - self.bias
            half = stats.norm.isf(tail) * self.std_error
            low = middle - half
            high = middle + half
        return pd.DataFrame({"ci_low": low, "ci_high": high})

    def table(
        self,
        level: float | None = None,
        method: Literal["percentile", "basic", "normal"] = "percentile",
    ) -> pd.DataFrame:
        """Everything in one table.

        Parameters
        ----------
        level : float, default=None
            Confidence level; that of the bootstrap if None.
        method : {"percentile", "basic", "normal"}, default="percentile"
            As in :meth:`conf_int`.

        Returns
        -------
        DataFrame
            ``name, estimate, bias, std_error, ci_low, ci_high``, a row per statistic.

        Examples
        --------
        >>> from skmixed import MixedLinearRegressor
        >>> from skmixed.datasets import make_mixed_regression
        >>> from skmixed.inference import bootstrap
        >>> X, y = make_mixed_regression(n_groups=40, random_state=0)
        >>> found = bootstrap(MixedLinearRegressor("group").fit(X, y), n_samples=50, random_state=0)
        >>> found.table()["name"].to_list()
        ['Intercept', 'x0', 'x1', 'group: var(Intercept)', 'var(Residual)']
        """
        columns = {"estimate": self.estimate, "bias": self.bias, "std_error": self.std_error}
        table = pd.concat([pd.DataFrame(columns), self.conf_int(level, method)], axis=1)
        return table.rename_axis("name").reset_index()


def bootstrap_limits(
    model: FittedModel,
    level: float = 0.95,
    *,
    n_samples: int = 1000,
    n_jobs: int | None = None,
    random_state: Any = None,
    scale: str = "variance",
    **options: Any,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Percentile limits and standard errors of the entries of
    :class:`skmixed.inference._variances.VarianceEstimates`, or with ``scale="sd"`` of their
    standard deviations and correlations.

    Returns (low, high, std_errors); ``options`` are ``tol`` and ``max_iter`` of the refits.
    """
    n_samples = check_n_samples(n_samples)
    statistic = Deviations(model.fit) if scale == "sd" else VarianceEntries(model.fit)
    source = resampler_of(model, **options)
    estimate = statistic(model.fit, source.observed)
    found = replicates(source, statistic, n_samples, n_jobs=n_jobs, random_state=random_state)
    result = _result(found, statistic.names, estimate, check_level(level))
    limits = result.conf_int()
    return limits["ci_low"].to_numpy(), limits["ci_high"].to_numpy(), result.std_error.to_numpy()


def _result(found, names, estimate, level):
    failed = int(np.sum(found.failed))
    unconverged = int(np.sum(~found.failed & ~found.converged))
    if failed or unconverged:
        warn(
            f"bootstrap: of {len(found.failed)} refits {failed} failed and count as missing; "
            f"{unconverged} did not converge, or have no finite estimate, and are kept.\n"
            "Look at the distribution of the samples; a simpler model may do.",
            ConvergenceWarning,
        )
    is_empty = not found.values.shape[1]
    values = np.full((len(found.values), len(names)), np.nan) if is_empty else found.values
    samples = pd.DataFrame(values, columns=names)
    series = pd.Series(estimate, names, name="estimate")
    return BootstrapResult(samples, series, level, failed, unconverged)


class Replicates(NamedTuple):
    """Values of a statistic, one row per sample, and what became of the fits.

    Attributes
    ----------
    values : NaN where the fit failed
    failed, converged : of every sample
    """

    values: np.ndarray
    failed: np.ndarray
    converged: np.ndarray


def replicates(
    source: Draws,
    statistic: Statistic,
    n_samples: int,
    *,
    n_jobs: int | None = None,
    random_state: Any = None,
    progress: bool = False,
    what: str = "bootstrap",
) -> Replicates:
    """Values of ``statistic(fit, drawn)`` for refits to responses of ``source``; ``what`` is the
    name of its progress.
    """
    seeds = np.random.SeedSequence(_entropy(random_state)).spawn(n_samples)
    size = max(SAMPLES_PER_TASK, min(source.at_once, MOST_PER_TASK))
    tasks = [seeds[lo : lo + size] for lo in range(0, n_samples, size)]
    at_once = 4 * effective_n_jobs(n_jobs)
    found: list = []
    bar = {"what": what, "unit": "sample", "wanted": progress}
    with Parallel(n_jobs=n_jobs) as parallel, Progress(n_samples, **bar) as counted:
        for lo in range(0, len(tasks), at_once):
            batch = tasks[lo : lo + at_once]
            parts = parallel(delayed(_run)(source, statistic, task) for task in batch)
            found += [value for part in parts for value in part]
            counted.advance(sum(map(len, parts)))
    return _collected(found)


def _collected(found):
    """A row of NaN for every sample that is None."""
    width = next((len(sample[0]) for sample in found if sample), 0)
    values = [sample[0] if sample else np.full(width, np.nan) for sample in found]
    failed = np.array([sample is None for sample in found])
    converged = np.array([bool(sample and sample[1]) for sample in found])
    return Replicates(np.array(values), failed, converged)


def _entropy(random_state):
    return check_random_state(random_state).randint(0, 2**31 - 1, size=4).tolist()


def _run(source, statistic, seeds):
    """Value and convergence for every seed.

    Warnings are silenced: what they say about samples is summed up by the caller.
    """
    with computing(source.dense_order), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        parts = slices(len(seeds), source.at_once)
        return [value for part in parts for value in _together(source, statistic, seeds[part])]


def _together(source, statistic, seeds):
    """The same for those that are drawn together."""
    drawn = [source.draw(np.random.default_rng(seed)) for seed in seeds]
    found = source.refits(drawn)
    values = statistic.of_several(found) if np.any(found.settled) else None
    if values is None:
        return [_replicate(source, statistic, *pair) for pair in zip(drawn, found, strict=True)]
    return [
        (values[b], True) if settled else _replicate(source, statistic, drawn[b], None)
        for b, settled in enumerate(found.settled)
    ]


def _replicate(source, statistic, drawn, fit):
    """None where the fit fails; ``fit`` is None where it was not made together with others."""
    try:
        fit = source.refit(drawn) if fit is None else fit
        return np.asarray(statistic(fit, drawn), dtype=float), fit.optimum.converged
    except (ArithmeticError, ValueError):
        return None
