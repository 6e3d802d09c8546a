"""Hausman's test: are the effects of the levels unrelated to the columns of X?

With effects of its own for every level a model has the cross-products ``X'WX - sum_l B_l' A_l^-
B_l``, where ``A_l = Z_l'WZ_l`` and ``B_l = Z_l'WX``, and so for y: the *within* estimator follows
from what the fit summed up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
from scipy import stats
from scipy.linalg import block_diag

from ..._algebra.columns import independent_columns
from ..._algebra.packed import packed_index
from ..._data.checks import check_choice
from ..._fit.base import needs_residual
from ..._fit.linear import LinearFit
from ..._report.words import html_of_text, p_value
from .._arguments import fitted_model
from .._penalised import refuse_ridge

#: share of the sum of squares of a column, within levels, below which it does not vary there
CONSTANT_WITHIN = 1e-10
SINGULAR = 1e-10  # share of the largest eigenvalue of a level's block that is none
ROUNDING = 1e-9  # share of a variance below which a difference of two is none
AGREE = (
    "both estimates of the coefficients agree exactly, as in balanced data, so that there is "
    "nothing to test"
)


@dataclass(frozen=True, repr=False)
class HausmanTest:
    """Random against fixed effects.

    Attributes
    ----------
    statistic : float
    df : int
    pvalue : float
    null : str
        The null hypothesis in words.
    table : DataFrame
        By coefficient: ``fixed, random, difference, std_err`` (of the difference).

    In balanced data both estimates may be the same numbers: then ``df`` is 0, ``pvalue`` NaN, and
    ``null`` says so.
    """

    statistic: float
    df: int
    pvalue: float
    null: str
    table: pd.DataFrame

    _repr_html_ = html_of_text

    def __repr__(self):
        tested = f"chi2({self.df}) = {self.statistic:.4g}, {p_value(self.pvalue)}\n"
        return (
            f"Hausman test: {self.null}\n"
            f"{tested if self.df else ''}"
            f"{self.table.to_string(max_rows=40)}"
        )


def hausman_test(est: Any, scale: Literal["random", "own"] = "random") -> HausmanTest:
    """Hausman's specification test of a linear model with one grouping factor: random against fixed
    effects.

    Where the effects of the levels are correlated with the columns of X the fixed-effects
    ("within") estimator, which gives every level effects of its own, remains consistent, and the
    random-effects estimator does not.  With d the difference of the two on the coefficients that
    both estimate

        H = d' (V_fixed - V_random)^- d,

    chi-squared with rank(V_fixed - V_random) degrees of freedom.

    Coefficients of columns that are constant within levels have no within estimator and are left
    out, as is the intercept.  With random slopes the levels of the within model have slopes of
    their own too.

    Parameters
    ----------
    est : fitted MixedLinearRegressor
        With one grouping factor.
    scale : {"random", "own"}, default="random"
        Residual variance in the two covariance matrices: that of the random-effects model in both
        (Stata's ``sigmamore``), which makes their difference positive semidefinite, or each model's
        own, with which the statistic may come out negative.

    Returns
    -------
    HausmanTest

    Raises
    ------
    ValueError
        For a classifier, several grouping factors, or none; where nothing varies within levels
        beyond what their own slopes explain, or no residual is left.

    References
    ----------
    Hausman (1978), Specification tests in econometrics, Econometrica 46.

    Examples
    --------
    >>> from skmixed import MixedLinearRegressor
    >>> from skmixed.datasets import make_mixed_regression
    >>> from skmixed.inference import hausman_test
    >>> X, y = make_mixed_regression(n_groups=100, rows_per_group=8, random_state=0)
    >>> test = hausman_test(MixedLinearRegressor("group").fit(X, y))
    >>> test.table.index.to_list()
    ['x0', 'x1']
    """
    model = fitted_model(est)
    fit = model.fit
    _check(fit, scale)
    within = Within.of(fit)
    _check_within(within, model.names.effects[0], scale)
    random = fit.coefficients[fit.units.independent][within.places]
    V = fit.coefficient_covariance[np.ix_(within.places, within.places)]
    sigma2 = fit.sigma2 if scale == "random" else within.sigma2
    difference = within.coefficients - random
    spread = sigma2 * within.covariance - V
    size = sigma2 * np.diag(within.covariance)
    statistic, df = _quadratic_form(difference, spread, np.sqrt(size))
    table = pd.DataFrame(
        {
            "fixed": within.coefficients,
            "random": random,
            "difference": difference,
            "std_err": np.sqrt(_without_rounding(np.diag(spread), size)),
        },
        index=[model.coefficient_names[k] for k in within.places],
    )
    pvalue = float(stats.chi2.sf(statistic, df)) if df else np.nan
    return HausmanTest(statistic, df, pvalue, _in_words(df), table)


def _in_words(df):
    degrees = f"chi-squared with {df} degree{'s' * (df > 1)} of freedom" if df else AGREE
    return f"random effects are uncorrelated with the columns; {degrees}"


def _check(fit, scale):
    check_choice("scale", scale, ("random", "own"))
    refuse_ridge(fit, "the Hausman test is", "Fit without penalties to test.")
    needs_residual(fit, "the Hausman test is for", "Fit a MixedLinearRegressor.")
    if fit.state.degenerate:
        raise ValueError(
            "the fixed effects reproduce the response.\n"
            "There is no variance to compare estimators by."
        )
    factors = len(fit.covariance_model.sizes)
    if factors != 1:
        raise ValueError(
            f"the Hausman test needs a single grouping factor, the model has {factors}.\n"
            "Fit a model with the factor in question."
        )


def _check_within(within, effects, scale):
    if not len(within.places) and (slopes := [name for name in effects if name != "Intercept"]):
        raise ValueError(
            f"no coefficient is left to compare: levels with slopes of {', '.join(slopes)} of "
            "their own say nothing of the common one.\n"
            "Test the model with random intercepts only."
        )
    if not len(within.places):
        raise ValueError(
            "no fixed effect varies within levels.\n"
            "There is no fixed-effects estimator to compare with."
        )
    if scale == "own" and np.isnan(within.sigma2):
        raise ValueError(
            "scale='own': the fixed-effects model reproduces the response and has no residual "
            "variance.\nUse scale='random'."
        )


def _quadratic_form(d, V, errors):
    """``d' V^- d`` and the rank of V, judged in units of the standard errors."""
    values, vectors = np.linalg.eigh(V / np.outer(errors, errors))
    known = np.abs(values) > ROUNDING
    along = vectors[:, known].T @ (d / errors)
    return float(np.sum(along**2 / values[known])), int(known.sum())


def _without_rounding(variances, size):
    """Variances, zero where they are rounding errors of others of this size, NaN where negative."""
    proper = np.where(variances < 0, np.nan, variances)
    return np.where(np.abs(variances) <= ROUNDING * size, 0.0, proper)


class Within(NamedTuple):
    """The within estimator.

    Attributes
    ----------
    places : among the coefficients that are not aliased
    coefficients : in the units of the data
    covariance : of these, in units of the residual variance
    sigma2 : residual variance; NaN where no degrees of freedom are left
    df : these degrees of freedom
    """

    places: np.ndarray
    coefficients: np.ndarray
    covariance: np.ndarray
    sigma2: float
    df: float

    @classmethod
    def of(cls, fit: LinearFit) -> Within:
        """With effects of its own for every level: ``X'WX - sum B_l' A_l^- B_l``, and so for y."""
        standard = fit.units.standard
        S, total, rank = _standard_sums(fit, standard)
        found = independent_columns(S[:-1, :-1], CONSTANT_WITHIN * np.diag(total)[:-1])
        inverse = np.linalg.inv(S[np.ix_(found, found)])
        beta = fit.units.response * inverse @ S[found, -1]
        beta = beta + inverse @ S[found, :-1] @ standard.mixing @ standard.pilot
        rss = S[-1, -1] - S[found, -1] @ inverse @ S[found, -1]
        left = fit.n - rank - len(found)
        sigma2 = float(fit.units.variance * rss / left) if left > 0 else np.nan
        slopes = found >= fit.units.has_intercept
        units = 1.0 / standard.scales[found]
        covariance = (np.outer(units, units) * inverse)[np.ix_(slopes, slopes)]
        return cls(found[slopes], (units * beta)[slopes], covariance, sigma2, float(left))


def _standard_sums(fit, standard):
    """Cross-products within the levels, and in total, and the number of the levels' own effects.

    Of standardised columns rather than the orthonormal ones of the fit; the levels absorb their
    shifts.
    """
    back = block_diag(np.linalg.inv(standard.mixing), 1.0)
    S, rank = _within_gram(fit)
    return back.T @ S @ back, back.T @ fit.objective.gram @ back, rank


def _within_gram(fit):
    """``[X y]'W[X y]`` without what the levels' own effects explain, and the number of these
    effects.
    """
    (U,) = fit.objective.U
    (A,) = fit.level_blocks
    values, vectors = np.linalg.eigh(A[packed_index(len(U))].transpose(2, 0, 1))
    known = values > SINGULAR * values[:, -1:]
    inverse = np.where(known, 1.0 / np.where(known, values, 1.0), 0.0)
    along = vectors.transpose(0, 2, 1) @ U.transpose(2, 0, 1)
    half = (np.sqrt(inverse)[:, :, None] * along).reshape(-1, U.shape[1])
    return fit.objective.gram - half.T @ half, int(known.sum())
