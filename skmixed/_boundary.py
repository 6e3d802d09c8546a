"""Tests of variances, which cannot be negative: the null is on the boundary of the parameters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

ROUNDING = 1e-9  # a difference of log-likelihoods below this share of them is none


@dataclass(frozen=True)
class LikelihoodRatioTest:
    """A likelihood-ratio test; ``null`` says in words what was tested and against which distribution."""

    statistic: float
    df: int
    pvalue: float
    null: str
    distribution: str
    conservative: bool = False


def random_effects_test(fit):
    """Likelihood-ratio test of the model against the one without any random effect.

    A variance cannot be negative, so under the null half of all data sets estimate a single variance as zero: the
    statistic is an equal mixture of chi-squared with 0 and 1 degrees of freedom (Self and Liang 1987).  With k > 1
    parameters the chi-squared with k degrees of freedom is used, which is conservative.
    """
    statistic = max(0.0, 2.0 * (fit.loglik - fit.loglik_without_effects))
    if statistic < ROUNDING * max(1.0, abs(fit.loglik)):
        statistic = 0.0
    k = fit.n_variance_parameters
    null = "all random-effect variances are zero"
    if k == 1:
        pvalue = 0.5 * stats.chi2.sf(statistic, 1) if statistic > 0 else 1.0
        return LikelihoodRatioTest(statistic, 1, float(pvalue), null, "chibar2(01)")
    pvalue = stats.chi2.sf(statistic, k) if k else np.nan
    return LikelihoodRatioTest(statistic, k, float(pvalue), null, f"chi2({k})", conservative=k > 0)
