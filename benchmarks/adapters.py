"""How each Python engine is called.

``arrange`` brings the data into the form the engine likes best and is not timed; ``fit`` is timed as a whole;
``loglik`` reads the log-likelihood off the fit and is not timed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
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


def arrange_mixedlm(case, frame):
    """The data frame as it is."""
    return (frame,)


def fit_mixedlm(case, frame):
    """The formula of lme4."""
    from mixedlm import lmer

    return lmer(case.formula, frame, REML=case.method == "reml")


def arrange_gpboost(case, frame):
    """Arrays: the design, the response, a column of labels per factor."""
    return design(case, frame), frame[case.response].to_numpy(), frame[list(case.factors)].to_numpy()


def gpboost_model(groups, inversion):
    """Declare the random effects; ``inversion`` is iterative by default with several factors."""
    from gpboost import GPModel

    return GPModel(group_data=groups, likelihood="gaussian", matrix_inversion_method=inversion)


def fit_gpboost(case, X, y, groups):
    """Default settings."""
    return gpboost_model(groups, "default").fit(y=y, X=X)


def fit_gpboost_cholesky(case, X, y, groups):
    """Exact linear algebra."""
    return gpboost_model(groups, "cholesky").fit(y=y, X=X)


def loglik_gpboost(model, X, y, groups):
    """Evaluate at the estimates without the random numbers in the value that `fit` reports by default."""
    mean, variances = X @ model.get_coef().to_numpy().ravel(), model.get_cov_pars().to_numpy().ravel()
    return -gpboost_model(groups, "cholesky").neg_log_likelihood(variances, y, fixed_effects=mean)


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
    "skmixed": Adapter("skmixed", arrange_skmixed, fit_skmixed, loglik_skmixed),
    "mixedlm": Adapter("mixedlm", arrange_mixedlm, fit_mixedlm, loglik_mixedlm),
    "gpboost": Adapter("gpboost", arrange_gpboost, fit_gpboost, loglik_gpboost),
    "gpboost_cholesky": Adapter("gpboost", arrange_gpboost, fit_gpboost_cholesky, loglik_gpboost),
    "statsmodels": Adapter("statsmodels", arrange_statsmodels, fit_statsmodels, loglik_statsmodels),
}
