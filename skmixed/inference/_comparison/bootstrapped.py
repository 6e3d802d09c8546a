"""The likelihood-ratio test by responses drawn from the smaller model."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..._data.checks import check_n_samples, warn
from ...exceptions import ConvergenceWarning
from .._bootstrap.bootstrap import replicates
from .._bootstrap.resampling import Draws
from .._bootstrap.statistics import Statistic
from .likelihood_ratio import LikelihoodRatioTest, bootstrapped, likelihood_ratio


class LikelihoodRatio(Statistic):
    """The statistic of two models: one was fitted to a response, the other is fitted to it.

    Attributes
    ----------
    larger : fits of the larger model
    shift : what its restricted log-likelihood gains by its units of X
    """

    names = ["statistic", "converged"]

    def __init__(self, larger: Any, shift: float):
        self.larger = larger
        self.shift = shift

    def __call__(self, fit, drawn):
        larger = self.larger.refit(drawn)
        statistic = likelihood_ratio(larger.loglik - self.shift, fit.loglik)
        return np.array([statistic, larger.optimum.converged], dtype=float)


def bootstrapped_test(
    test: LikelihoodRatioTest,
    smaller: Draws,
    statistic: LikelihoodRatio,
    n_samples: int,
    **options: Any,
) -> LikelihoodRatioTest:
    """A test against the statistics of responses drawn from the smaller model.

    The p-value is ``(1 + draws at least as large) / (1 + draws)``: the observed statistic is one
    more draw under the null (Davison and Hinkley 1997, 4.2).
    """
    found = replicates(smaller, statistic, check_n_samples(n_samples), **options)
    kept = found.values[~found.failed]
    unconverged = int(np.sum(~found.converged[~found.failed] | (kept[:, 1:2].ravel() == 0)))
    n_failed = int(np.sum(found.failed))
    _report(len(found.failed), n_failed, unconverged)
    if not len(kept):
        raise ValueError(
            f"method='bootstrap': the models could be fitted to none of the {n_failed} samples.\n"
            "Use method='chi2', or simpler models."
        )
    larger = int(np.sum(kept[:, 0] >= test.statistic))
    return bootstrapped(test, (1 + larger) / (1 + len(kept)), len(kept), n_failed)


def _report(n_samples, failed, unconverged):
    if failed or unconverged:
        warn(
            f"likelihood_ratio_test: of {n_samples} samples {failed} could not be fitted and are "
            f"left out; {unconverged} did not converge, or have no finite estimate, and are kept.\n"
            "Simpler models may do.",
            ConvergenceWarning,
        )
