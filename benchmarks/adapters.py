"""How each Python engine is called.

``arrange`` brings the data into the form the engine likes best and is not timed; ``fit`` is timed
as a whole; ``loglik`` reads the log-likelihood off the fit and is not timed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from types import SimpleNamespace

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Adapter:
    """One engine behind three functions.

    Parameters
    ----------
    package : str
        What is imported to read the version.
    arrange : callable
        ``(case, frame) -> arguments``
    fit : callable
        ``(case, *arguments) -> model``
    loglik : callable
        ``(model, *arguments) -> float``
    """

    package: str
    arrange: Callable
    fit: Callable
    loglik: Callable


def design(case: SimpleNamespace, frame: pd.DataFrame) -> np.ndarray:
    """Return the fixed-effects design with its column of ones."""
    return np.column_stack([np.ones(len(frame)), *(frame[name] for name in case.fixed)])


def arrange_skmixed(case, frame):
    """X with its grouping columns, and y."""
    return frame[[*case.fixed, *case.factors]], frame[case.response]


def fit_skmixed(case, X, y):
    """Terms name columns of X."""
    from skmixed import MixedLinearRegressor

    return MixedLinearRegressor(random_effects=case.terms, method=case.method).fit(X, y)


def fit_skmixed_logistic(case, X, y):
    """The same for zeros and ones; one point is the Laplace approximation."""
    from skmixed import MixedLogisticClassifier

    return MixedLogisticClassifier(random_effects=case.terms, n_quadrature=case.points).fit(X, y)


def arrange_mixedlm(case, frame):
    """The data frame as it is."""
    return (frame,)


def fit_mixedlm(case, frame):
    """The formula of lme4."""
    from mixedlm import lmer

    return lmer(case.formula, frame, REML=case.method == "reml")


def fit_mixedlm_logistic(case, frame):
    """The binomial family is its default."""
    from mixedlm import glmer

    return glmer(case.formula, frame, nAGQ=case.points)


def arrange_gpboost(case, frame):
    """Arrays: the design, the response, a column of labels per factor."""
    return (
        design(case, frame),
        frame[case.response].to_numpy(),
        frame[list(case.factors)].to_numpy(),
    )


def gpboost_model(likelihood, inversion, groups):
    """Declare the random effects."""
    from gpboost import GPModel

    return GPModel(group_data=groups, likelihood=likelihood, matrix_inversion_method=inversion)


def fit_gpboost(likelihood, inversion, case, X, y, groups):
    """Default settings besides the linear algebra."""
    return gpboost_model(likelihood, inversion, groups).fit(y=y, X=X)


def loglik_gpboost(likelihood, model, X, y, groups):
    """Evaluate at the estimates, without the random numbers that `fit` reports by default."""
    mean, variances = (
        X @ model.get_coef().to_numpy().ravel(),
        model.get_cov_pars().to_numpy().ravel(),
    )
    return -gpboost_model(likelihood, "cholesky", groups).neg_log_likelihood(
        variances, y, fixed_effects=mean
    )


def gpboost(likelihood, inversion) -> Adapter:
    """Return the adapter for a likelihood.

    ``inversion`` is iterative by default with several factors, else exact.
    """
    fit, loglik = partial(fit_gpboost, likelihood, inversion), partial(loglik_gpboost, likelihood)
    return Adapter("gpboost", arrange_gpboost, fit, loglik)


def arrange_statsmodels(case, frame):
    """Arrays: the response, the designs of both kinds of effects, the labels."""
    ((factor, slopes),) = case.factors.items()
    Z = np.column_stack([np.ones(len(frame)), *(frame[name] for name in slopes)])
    return frame[case.response].to_numpy(), design(case, frame), frame[factor].to_numpy(), Z


def fit_statsmodels(case, y, X, groups, Z):
    """Default optimiser."""
    from statsmodels.regression.mixed_linear_model import MixedLM

    return MixedLM(y, X, groups=groups, exog_re=Z).fit(reml=case.method == "reml")


def loglik_skmixed(model, *arguments):
    """With all constants, as everywhere below."""
    return model.loglik_


def loglik_mixedlm(model, *arguments):
    """The value of the object it returns."""
    return model.logLik().value


def loglik_statsmodels(model, *arguments):
    """An attribute as well."""
    return model.llf


ADAPTERS = {
    ("skmixed", "gaussian"): Adapter("skmixed", arrange_skmixed, fit_skmixed, loglik_skmixed),
    ("skmixed", "binomial"): Adapter(
        "skmixed", arrange_skmixed, fit_skmixed_logistic, loglik_skmixed
    ),
    ("mixedlm", "gaussian"): Adapter("mixedlm", arrange_mixedlm, fit_mixedlm, loglik_mixedlm),
    ("mixedlm", "binomial"): Adapter(
        "mixedlm", arrange_mixedlm, fit_mixedlm_logistic, loglik_mixedlm
    ),
    ("gpboost", "gaussian"): gpboost("gaussian", "default"),
    ("gpboost", "binomial"): gpboost("bernoulli_logit", "default"),
    ("gpboost_cholesky", "gaussian"): gpboost("gaussian", "cholesky"),
    ("gpboost_cholesky", "binomial"): gpboost("bernoulli_logit", "cholesky"),
    ("statsmodels", "gaussian"): Adapter(
        "statsmodels", arrange_statsmodels, fit_statsmodels, loglik_statsmodels
    ),
}
