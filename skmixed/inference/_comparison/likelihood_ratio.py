"""Likelihood-ratio statistics against mixtures of chi-squareds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special, stats

ROUNDING = 1e-9  # a difference of log-likelihoods below this share of them is none


@dataclass(frozen=True, repr=False)
class LikelihoodRatioTest:
    """A likelihood-ratio test; ``null`` says in words what was tested.

    Attributes
    ----------
    statistic : float
        Twice the difference of the (restricted) log-likelihoods.
    df : int
        Number of parameters that the null fixes.
    pvalue : float
    null : str
        The null hypothesis and its distribution, in words.
    distribution : str
        As printed: "chi2(2)", "chibar2(01)", "chibar2(0:3)", or "RLRT" and "LRT" for the exact
        tests.
    weights : tuple of float
        Weights of the chi-squareds with 0, 1, 2, ... degrees of freedom; empty for an exact test.
    """

    statistic: float
    df: int
    pvalue: float
    null: str
    distribution: str
    weights: tuple = ()

    def __repr__(self):
        weights = ", ".join(f"{w:.3g}" for w in self.weights)
        mixture = f", weights {weights}" if len(self.weights) > 1 else ""
        return (
            f"Likelihood-ratio test: {self.null}\n{self.distribution} = {self.statistic:.4g}, "
            f"df = {self.df}, {_p_value(self.pvalue)}{mixture}"
        )

    @property
    def pvalue_chi2(self) -> float:
        """From the chi-squared with ``df`` degrees of freedom: too large where variances are
        tested.
        """
        return float(stats.chi2.sf(self.statistic, self.df)) if self.df else np.nan


def _p_value(p):
    return "p < 0.0001" if p < 1e-4 else f"p = {p:.4f}"


def likelihood_ratio(larger, smaller):
    """``2 (l1 - l0)``, and zero where the difference is rounding."""
    statistic = 2.0 * (larger - smaller)
    return statistic if statistic >= ROUNDING * max(1.0, abs(larger)) else 0.0


def mixture_test(statistic, weights, null, free=0):
    """The test of a statistic against a mixture of chi-squareds.

    ``weights`` are those of cones, and ``free`` is the number of parameters that may move either
    way besides.
    """
    df = free + len(weights) - 1
    if df == 0:
        return LikelihoodRatioTest(
            statistic, 0, np.nan, f"{null}: nothing to test", "chi2(0)", (1.0,)
        )
    degrees = np.arange(free, df + 1)
    pvalue = weights @ special.gammaincc(degrees / 2.0, statistic / 2.0) if statistic > 0 else 1.0
    name, words = _distribution(free, df)
    padded = (0.0,) * free + tuple(float(w) for w in weights)
    return LikelihoodRatioTest(
        float(statistic), df, float(pvalue), f"{null}; {words}", name, padded
    )


def _distribution(free, df):
    """What it is called, and in words."""
    if free == df:
        return f"chi2({df})", f"chi-squared with {df} degree{'s' * (df > 1)} of freedom"
    name = "chibar2(01)" if df == 1 else f"chibar2({free}:{df})"
    return name, f"mixture of chi-squareds with {free} to {df} degrees of freedom"
