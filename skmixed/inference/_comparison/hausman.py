"""Hausman's test: are the effects of the levels unrelated to the columns of X?

With effects of its own for every level a model has the cross-products ``X'WX - sum_l B_l' A_l^-
B_l``, where ``A_l = Z_l'WZ_l`` and ``B_l = Z_l'WX``, and so for y: the *within* estimator follows
from what the fit summed up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from scipy import stats
from scipy.linalg import block_diag

from ..._algebra.columns import independent_columns
from ..._algebra.packed import packed_index
from .._arguments import check_estimator

CONSTANT_WITHIN = 1e-10  # share of the sum of squares of a column, within levels, below which it does not vary there


AGREE = "both estimates of the coefficients agree exactly, as in balanced data, so that there is nothing to test"


@dataclass(frozen=True)
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


def hausman_test(est: Any, scale: Literal["random", "own"] = "random") -> HausmanTest:
    """Hausman's specification test of a linear model with one grouping factor: random against fixed
    effects.

    Where the effects of the levels are correlated with the columns of X the fixed-effects
    ("within") estimator, which gives every level effects of its own, remains consistent, and the
    random-effects estimator does not.  With d the difference of the two on the coefficients that
    both estimate

        H = d' (V_fixed - V_random)^- d,     chi-squared with rank(V_fixed - V_random) degrees of freedom.

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
    fit = check_estimator(est)._fit
    _check(fit, scale)
    within = Within.of(fit)
    _check_within(within, est.results_._labels.effects[0], scale)
    random = fit.coefficients[fit.design.kept][within.places]
    V = fit.coefficient_covariance[np.ix_(within.places, within.places)]
    sigma2 = fit.sigma2 if scale == "random" else within.sigma2
    difference = within.coefficients - random
    spread = sigma2 * within.covariance - V
    size = sigma2 * np.diag(within.covariance)
    statistic, df = _quadratic_form(difference, spread, np.sqrt(size))
    errors = np.sqrt(_without_rounding(np.diag(spread), size))
    columns = {
        "fixed": within.coefficients,
        "random": random,
        "difference": difference,
        "std_err": errors,
    }
    names = [est.results_.params.index[k] for k in within.places]
    null = "random effects are uncorrelated with the columns; "
    null += f"chi-squared with {df} degree{'s' * (df > 1)} of freedom" if df else AGREE
    pvalue = float(stats.chi2.sf(statistic, df)) if df else np.nan
    return HausmanTest(statistic, df, pvalue, null, pd.DataFrame(columns, index=names))


def _check(fit, scale):
    if scale not in ("random", "own"):
        raise ValueError(f"scale={scale!r} is not known.\nUse 'random' or 'own'.")
    if fit.sigma2 is None:
        raise ValueError("the Hausman test is for linear models.\nFit a MixedLinearRegressor.")
    if fit.state.degenerate:
        raise ValueError(
            "the fixed effects reproduce the response.\nThere is no variance to compare estimators by."
        )
    if len(fit.model.sizes) != 1:
        raise ValueError(
            f"the Hausman test needs a single grouping factor, the model has {len(fit.model.sizes)}.\n"
            "Fit a model with the factor in question."
        )


def _check_within(within, effects, scale):
    if not len(within.places) and (slopes := [name for name in effects if name != "Intercept"]):
        raise ValueError(
            f"no coefficient is left to compare: levels with slopes of {', '.join(slopes)} of their own say nothing "
            "of the common one.\nTest the model with random intercepts only."
        )
    if not len(within.places):
        raise ValueError(
            "no fixed effect varies within levels.\nThere is no fixed-effects estimator to compare with."
        )
    if scale == "own" and np.isnan(within.sigma2):
        raise ValueError(
            "scale='own': the fixed-effects model reproduces the response and has no residual variance.\n"
            "Use scale='random'."
        )


def _quadratic_form(d, V, errors):
    """``d' V^- d`` and the rank of V, judged in units of the standard errors."""
    values, vectors = np.linalg.eigh(V / np.outer(errors, errors))
    known = np.abs(values) > 1e-9
    along = vectors[:, known].T @ (d / errors)
    return float(np.sum(along**2 / values[known])), int(known.sum())


def _without_rounding(variances, size):
    """Variances, zero where they are rounding errors of others of this size, NaN where negative."""
    return np.where(
        np.abs(variances) <= 1e-9 * size, 0.0, np.where(variances < 0, np.nan, variances)
    )


@dataclass(frozen=True)
class Within:
    """The within estimator, from cross-products."""

    places: np.ndarray  # among the kept coefficients
    coefficients: np.ndarray
    covariance: np.ndarray  # in units of the residual variance
    sigma2: float  # NaN where no degrees of freedom are left

    @classmethod
    def of(cls, fit):
        """With effects of its own for every level: ``X'WX - sum B_l' A_l^- B_l``, and so for y."""
        frame = fit.design.frame
        kept = fit.design.kept
        mixing = frame.mixing[np.ix_(kept, kept)]
        (S, rank) = _within_gram(fit)
        # the orthonormal columns of the fit back to standardised ones, whose shifts the levels absorb
        back = block_diag(np.linalg.inv(mixing), 1.0)
        S = back.T @ S @ back
        total = back.T @ fit.objective.gram @ back
        found = independent_columns(S[:-1, :-1], CONSTANT_WITHIN * np.diag(total)[:-1])
        inverse = np.linalg.inv(S[np.ix_(found, found)])
        beta = (
            frame.y_scale * inverse @ S[found, -1]
            + inverse @ S[found, :-1] @ mixing @ frame.pilot[kept]
        )
        rss = S[-1, -1] - S[found, -1] @ inverse @ S[found, -1]
        left = fit.n - rank - len(found)
        sigma2 = frame.y_scale**2 * rss / left if left > 0 else np.nan
        units = 1.0 / frame.candidates.scales[kept[found]]
        slopes = found >= frame.fit_intercept
        covariance = (np.outer(units, units) * inverse)[np.ix_(slopes, slopes)]
        return cls(found[slopes], (units * beta)[slopes], covariance, float(sigma2))


def _within_gram(fit):
    """``[X y]'W[X y]`` without what the levels' own effects explain, and the number of these
    effects.
    """
    q = fit.model.sizes[0]
    gram = fit.objective.gram
    A = fit.objective.plan.blocks[0][packed_index(q)].transpose(2, 0, 1)
    U = fit.objective.U[0].transpose(2, 0, 1)
    values, vectors = np.linalg.eigh(A)
    known = values > 1e-10 * values[:, -1:]
    inverse = np.where(known, 1.0 / np.where(known, values, 1.0), 0.0)
    half = (np.sqrt(inverse)[:, :, None] * (vectors.transpose(0, 2, 1) @ U)).reshape(
        -1, gram.shape[0]
    )
    return gram - half.T @ half, int(known.sum())
