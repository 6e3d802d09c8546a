"""Likelihood-ratio statistics against mixtures of chi-squareds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from textwrap import shorten

import numpy as np
from scipy import special, stats

from ..._report.words import html_of_text, p_value

LR = "2 (l1 - l0)"  # as a statistic without a named distribution is printed
LONGEST = 200  # characters of a model in words
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
        As printed: "chi2(2)", "chibar2(01)", "chibar2(0:3)", "bootstrap", or "RLRT" and "LRT" for
        the exact tests.
    weights : tuple of float
        Weights of the chi-squareds with 0, 1, 2, ... degrees of freedom; empty where the
        distribution was simulated.
    models : tuple of str
        The smaller model and the larger one in lme4's notation, with their log-likelihoods.
    note : str
        What to know of the p-value; empty where there is nothing.
    size : float or None
        Share of true null hypotheses that the chi-squared is likely to reject at 5 %, where fixed
        effects are tested between few groups.
    n_samples, n_failed : int
        Samples of the bootstrap that count, and those that could not be fitted.
    """

    statistic: float
    df: int
    pvalue: float
    null: str
    distribution: str
    weights: tuple = ()
    models: tuple[str, ...] = ()
    note: str = ""
    size: float | None = None
    n_samples: int = 0
    n_failed: int = 0

    _repr_html_ = html_of_text

    def __repr__(self):
        roles = zip(("smaller: ", "larger:  "), self.models, strict=False)
        models = [role + model for role, model in roles]
        name = LR if self.n_samples else self.distribution
        result = f"{name} = {self.statistic:.4g}, df = {self.df}, {p_value(self.pvalue)}"
        lines = [f"Likelihood-ratio test: {self.null}", *models, result + self._mixture, self.note]
        return "\n".join(filter(None, lines))

    @property
    def _mixture(self):
        """The weights in words, of a mixture of several chi-squareds."""
        taken = np.flatnonzero(self.weights)
        if len(taken) < 2:
            return ""
        shown = self.weights[taken[0] : taken[-1] + 1]  # without zeros at the ends
        return f", weights {', '.join(f'{weight:.3g}' for weight in shown)}"

    @property
    def pvalue_chi2(self) -> float:
        """From the chi-squared with ``df`` degrees of freedom: too large where variances are
        tested.
        """
        return float(stats.chi2.sf(self.statistic, self.df)) if self.df else np.nan


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


def named(test: LikelihoodRatioTest, smaller, larger) -> LikelihoodRatioTest:
    """A test with its models named, each by its notation and log-likelihood."""
    models = [
        f"{shorten(notation, LONGEST, placeholder=' ...')}, log-likelihood {loglik:.6g}, "
        f"{n_parameters} parameter{'s' * (n_parameters != 1)}"
        for notation, loglik, n_parameters in (smaller, larger)
    ]
    return replace(test, models=tuple(models))


def bootstrapped(
    test: LikelihoodRatioTest, pvalue: float, n_samples: int, n_failed: int
) -> LikelihoodRatioTest:
    """The same statistic with the p-value of a bootstrap."""
    null = f"{test.null.split('; ')[0]}; {n_samples:,} samples from the smaller model"
    failed = f"; {n_failed:,} more could not be fitted" if n_failed else ""
    return replace(
        test,
        pvalue=float(pvalue),
        null=null + failed,
        distribution="bootstrap",
        weights=(),
        note="",
        size=None,
        n_samples=n_samples,
        n_failed=n_failed,
    )
