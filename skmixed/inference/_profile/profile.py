"""Profile likelihood: how far a parameter can move before the deviance has risen by a quantile of
chi-squared.

For a value phi of one parameter ``d_p(phi)`` is the minimum of the deviance over all others, and
the limits solve

    d_p(phi) - d = chi2_{1, level}.

The parameter is made a coordinate of its own, so that a constrained minimum is one over the other
coordinates, found by the minimiser of :mod:`skmixed._search.minimize`: the standard deviation, and
the correlation or covariance, of two effects are entries of a root of T that begins with these
effects.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from ..._algebra.machine import computing
from ..._data.checks import warn
from ..._data.tables import unknown_column
from ..._fit.base import Fit, needs_exact
from ..._fit.joint import entries_of
from ..._report.tables import WholeTable
from ...exceptions import ConvergenceWarning
from .._arguments import fitted_model
from .._penalised import refuse_penalised
from .profilers import Profiler, profiler_of

NEGLIGIBLE_FALL = 1e-6  # of the deviance below that of the fit
PROFILES = "limits by profile likelihood are"
BOOTSTRAP = "Use method='wald' of the tables, or inference.bootstrap."
COLUMNS = ["parameter", "factor", "effect", "effect2", "estimate", "ci_low", "ci_high"]


def profile(
    est: Any, parameters: str | Sequence[str] | None = None, *, level: float = 0.95
) -> pd.DataFrame:
    """Profile-likelihood confidence intervals of every parameter.

    A value belongs to the interval if the best model that has it is not rejected against the best
    model of all by a likelihood-ratio test:  ``d_p(c) - d <= chi2_{1, level}`` with ``d_p(c)`` the
    minimum of the deviance over all other parameters.  Such intervals are not symmetric, never
    leave the range of the parameter, and do not depend on how it is measured: limits of a standard
    deviation are the square roots of those of the variance.

    Variances, covariances and correlations are profiled under the criterion that was maximised, so
    for ``method="reml"`` under the restricted likelihood.  The fixed effects of a linear model are
    always profiled under the full likelihood, as in lme4: a restricted likelihood has no fixed
    effects.

    Parameters
    ----------
    est : MixedLinearRegressor or MixedLogisticClassifier
        Fitted; a classifier needs its training rows.
    parameters : {"fixed", "variances"}, name or list of names, default=None
        Which parameters: all (None), the fixed effects, the parameters of the covariances and the
        residual variance, or the fixed effects of these names.  Every limit is a search of its own,
        so fewer parameters take less time.
    level : float, default=0.95
        Confidence level of every interval.

    Returns
    -------
    DataFrame
        One row per parameter.  ``parameter`` says what it is ("fixed effect", "variance",
        "covariance", "correlation" or "residual variance"), ``factor``, ``effect`` and ``effect2``
        which, ``estimate`` what the fit says; ``ci_low`` and ``ci_high`` are the limits, in the
        units of the data.  Where the deviance never rises by enough the limit is the end of the
        range: 0 for a variance, -1 or 1 for a correlation, infinity above.  NaN where the data say
        nothing: factors with a single level, responses without residual variation; and where the
        search for a limit was given up.

    Raises
    ------
    ValueError
        For a level that is not a probability and for unknown names.
    TypeError
        For parameters that are no names.

    Warns
    -----
    ConvergenceWarning
        If a profile finds a better fit than the estimate, or limits could not be found: then the
        random effects are more than the data determine.

    References
    ----------
    Venzon and Moolgavkar (1988), A method for computing profile-likelihood-based confidence
    intervals, Applied Statistics 37.  Bates, Maechler, Bolker and Walker (2015), section 5.1.

    Examples
    --------
    >>> from skmixed import MixedLinearRegressor
    >>> from skmixed.datasets import make_mixed_regression
    >>> from skmixed.inference import profile
    >>> X, y = make_mixed_regression(n_groups=50, rows_per_group=5, random_state=0)
    >>> model = MixedLinearRegressor(groups="group").fit(X, y)
    >>> profile(model, "variances")[["factor", "estimate", "ci_low", "ci_high"]].round(2)
         factor  estimate  ci_low  ci_high
    0     group      0.88    0.52     1.49
    1  Residual      1.38    1.14     1.69
    """
    model = fitted_model(est)
    fit = model.fit
    refuse_penalised(fit, PROFILES, BOOTSTRAP)
    needs_exact(fit, "profiles")
    names = model.coefficient_names
    fixed, variances = _selected(parameters, names)
    profiler = profiler_of(fit, level)
    with computing(fit.dense_order):
        estimates = fit.coefficients[fit.units.independent]
        rows = [
            ("fixed effect", "", names[k], "", estimates[k], *profiler.fixed_effect(k))
            for k in fixed
        ]
        rows += _variance_rows(profiler, model) if variances else []
    _warn_about(profiler)
    return WholeTable(rows, columns=COLUMNS)


def profile_limits(
    fit: Fit, level: float = 0.95, scale: str = "variance"
) -> tuple[np.ndarray, np.ndarray]:
    """Profile-likelihood limits of variances and covariances, residual variance last: ``(low,
    high)``; with ``scale="sd"`` of standard deviations and correlations.

    In the order of :class:`skmixed.inference._variances.VarianceEstimates` and in the units of the
    data; NaN where nothing is identified.
    """
    refuse_penalised(fit, PROFILES, BOOTSTRAP)
    needs_exact(fit, "profiles")
    profiler = profiler_of(fit, level)
    one = _deviation if scale == "sd" else Profiler.variance
    with computing(fit.dense_order):
        found = [one(profiler, *entry) for entry in entries_of(fit)]
        if fit.family.has_residual:
            limits = profiler.residual()
            found.append(tuple(np.sqrt(limits)) if scale == "sd" else limits)
    _warn_about(profiler)
    low, high = np.array(found, dtype=float).reshape(-1, 2).T
    return low, high


def _deviation(profiler, term, row, col):
    """Limits of a standard deviation: roots of those of the variance; or of a correlation."""
    if row != col:
        return profiler.correlation(term, row, col)
    return tuple(np.sqrt(profiler.variance(term, row, col)))


def _selected(parameters, names):
    """Positions of the fixed effects asked for, and whether those of the covariances are."""
    if parameters is None:
        return range(len(names)), True
    if isinstance(parameters, str) and parameters in ("fixed", "variances"):
        return (range(len(names)), False) if parameters == "fixed" else ((), True)
    if not isinstance(parameters, str | list | tuple | pd.Index):
        raise TypeError(
            f"parameters={parameters!r} are no names of fixed effects.\n"
            "Give one name, a list of names, 'fixed', 'variances', or None for all."
        )
    wanted = [parameters] if isinstance(parameters, str) else list(parameters)
    for name in wanted:
        if name not in names:
            raise unknown_column("parameters", name, names)
    return [names.index(name) for name in wanted], False


def _variance_rows(profiler, model):
    fit = model.fit
    rows = []
    for k, r, c in entries_of(fit):
        S = fit.covariances[k]
        names = model.names.entry(k, r, c)
        kind = "variance" if r == c else "covariance"
        rows.append((kind, *names, S[r, c], *profiler.variance(k, r, c)))
        if r != c:
            limits = profiler.correlation(k, r, c)
            rows.append(("correlation", *names, _correlation(S, r, c), *limits))
    if fit.family.has_residual:
        rows.append(("residual variance", "Residual", "", "", fit.sigma2, *profiler.residual()))
    return rows


def _correlation(S, r, c):
    scale = np.sqrt(S[r, r] * S[c, c])
    return S[r, c] / scale if scale > 0 else np.nan


def _warn_about(profiler):
    if profiler.given_up:
        warn(
            "Profile limits that could not be found are NaN: the deviance overflows on the way to "
            "them, or has no clear minimum.\n"
            "Simplify the random effects, or look at the Wald limits.",
            ConvergenceWarning,
        )
    if profiler.lowest_gap < -NEGLIGIBLE_FALL:
        warn(
            "On the way to the profile limits the deviance fell "
            f"{-profiler.lowest_gap:.3g} below that of the fit: there is a better optimum, and the "
            "estimates and limits are not to be trusted.\n"
            "Simplify the random effects, or fit again with a smaller tol and a larger max_iter.",
            ConvergenceWarning,
        )
