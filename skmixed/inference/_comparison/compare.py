"""Comparisons of fitted models: likelihood-ratio tests and information criteria.

One model is nested in another if its fixed effects lie in the other's column space and its
covariances among the other's; the directions that are open to the larger model there make the
distribution of the statistic a mixture of chi-squareds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any, Literal

import numpy as np
import pandas as pd

from ..._data.checks import check_choice
from ..._fit.base import needs_exact
from ..._fit.model import FittedModel
from ..._report.tables import WholeTable
from .._arguments import fitted_model
from .._penalised import refuse_penalised
from .bootstrapped import LikelihoodRatio, bootstrapped_test
from .cones import mixture_weights
from .drawn import drawn_for
from .likelihood_ratio import LikelihoodRatioTest, likelihood_ratio, mixture_test, named
from .nesting import Embedding, NotNested
from .pairs import Pair, comparable
from .size import NOTABLE, likely_size

#: what else there is for small samples, by whether there is a residual variance
INSTEAD = {True: " or results_.wald_test(..., df='kenward-roger')", False: ""}


BY_PREDICTION = "Compare predictions by cross-validation, or fit without penalties."
METHODS = ("chi2", "bootstrap")


def likelihood_ratio_test(
    smaller: Any,
    larger: Any,
    *,
    method: Literal["chi2", "bootstrap"] = "chi2",
    n_samples: int = 999,
    random_state: int | np.random.RandomState | None = None,
    n_jobs: int | None = None,
    progress: bool = False,
) -> LikelihoodRatioTest:
    """Likelihood-ratio test between two nested models fitted to the same rows.

    The statistic is ``2 (l_larger - l_smaller)``.  Where the models differ by fixed effects, or by
    covariances in the interior of their range (diagonal against unstructured), it is compared with
    a chi-squared.  Where the larger model has variances that the smaller fixes at zero it is
    compared with the mixture of chi-squareds that the directions open to it give (Self and Liang
    1987): one more slope next to q unstructured effects is half chi2(q), half chi2(q + 1).  Where
    no closed form exists the weights are simulated with a fixed seed, in the metric of the
    information at the smaller model's estimates: the expected information for a single grouping
    factor or where the smaller model has no random effects, the average information otherwise.

    Parameters
    ----------
    smaller, larger : fitted estimators
        Two linear models by the same method, or two classifiers with as many quadrature points.
        The order does not matter: the one with fewer parameters is the null.
    method : {"chi2", "bootstrap"}, default="chi2"
        "chi2" compares with a chi-squared or a mixture of them, which hold for many groups.
        "bootstrap" draws responses from the smaller model and fits both to each: ``p = (1 + draws
        at least as large) / (1 + draws)``.
    n_samples : int, default=999
        Of the bootstrap.  A test at 5 % holds its level exactly, but for the parameters being
        estimates, where 0.05 (n_samples + 1) is a whole number: 99, 199, 999.
    random_state : int, RandomState or None, default=None
        Seed of the bootstrap.
    n_jobs : int, default=None
        Number of processes of the bootstrap, as in scikit-learn; the samples do not depend on it.
    progress : bool, default=False
        Show the number of samples so far, as :func:`skmixed.inference.bootstrap` does.

    Returns
    -------
    LikelihoodRatioTest
        ``statistic, df, pvalue, null, distribution, weights, models, note, size, n_samples,
        n_failed``, and ``pvalue_chi2`` for the plain chi-squared.

    Raises
    ------
    ValueError
        For other rows, another response or other weights; different methods; restricted likelihoods
        of different fixed effects; models that are not nested.
    AttributeError
        For a bootstrap of classifiers whose training rows are not kept.

    Warns
    -----
    ConvergenceWarning
        With the number of samples that could not be fitted (left out) or did not converge (kept).

    Notes
    -----
    Fixed effects that vary between m groups are tested with d = m - p_b degrees of freedom, p_b
    being the coefficients that groups decide, and the chi-squared counts them as infinitely many.
    The statistic of k such coefficients is about ``m log(1 + k F / d)`` with F(k, d), which gives
    ``size``: what the test is likely to reject at 5 % where the null is true, 8 % for one of two
    coefficients and 12 groups.  d is Kenward and Roger's for a linear model.  ``note`` says so from
    5.5 % on.

    References
    ----------
    Stram and Lee (1994), Variance components testing in the longitudinal mixed effects model,
    Biometrics 50.  Halekoh and Hojsgaard (2014), A Kenward-Roger approximation and parametric
    bootstrap methods for tests in linear mixed models, J. Statistical Software 59.

    Examples
    --------
    >>> from skmixed import MixedLinearRegressor
    >>> from skmixed.datasets import make_mixed_regression
    >>> from skmixed.inference import likelihood_ratio_test
    >>> X, y = make_mixed_regression(n_groups=100, rows_per_group=8, random_state=0)
    >>> intercepts = MixedLinearRegressor("group").fit(X, y)
    >>> slopes = MixedLinearRegressor(random_effects="(1 + x0 | group)").fit(X, y)
    >>> test = likelihood_ratio_test(intercepts, slopes)
    >>> test.distribution, test.df
    ('chibar2(1:2)', 2)
    """
    check_choice("method", method, METHODS)
    models = [(fitted_model(est, "models"), est) for est in (smaller, larger)]
    for model, _ in models:
        refuse_penalised(model.fit, "likelihood-ratio tests are", BY_PREDICTION)
        needs_exact(model.fit, "likelihood-ratio tests")
    (null, null_est), (alternative, est) = sorted(models, key=lambda pair: _n_params(pair[0]))
    pair = comparable(null, alternative)
    test = named(_nested_test(pair), _described(null), _described(alternative))
    if method == "chi2":
        return _with_size(test, pair)
    searches = ({"tol": e.tol, "max_iter": e.max_iter} for e in (null_est, est))
    source, other = drawn_for(pair, *searches)
    options = {"n_jobs": n_jobs, "random_state": random_state, "progress": progress}
    return bootstrapped_test(test, source, LikelihoodRatio(other, pair.shift), n_samples, **options)


def _described(model: FittedModel) -> tuple[str, float, int]:
    """Notation, log-likelihood and number of parameters."""
    return model.names.notation, model.fit.loglik, model.fit.n_parameters


def _with_size(test: LikelihoodRatioTest, pair: Pair) -> LikelihoodRatioTest:
    """The test with its likely size, where fixed effects alone are tested and groups are few."""
    if test.df != pair.larger.fit.rank - pair.smaller.fit.rank or not test.df:
        return test
    found = likely_size(pair)
    if found is None:
        return test
    between, size = found
    if size < NOTABLE:
        return replace(test, size=size)
    model = pair.larger
    note = (
        f"With {between.levels} levels of {model.names.factors[between.factor]} the chi-squared "
        f"rejects about {100 * size:.0f} % of true nulls at 5 %; use method='bootstrap'"
        f"{INSTEAD[model.fit.family.has_residual]}."
    )
    return replace(test, size=size, note=note)


def compare(
    models: Sequence | Mapping[str, Any], names: Sequence[str] | None = None
) -> pd.DataFrame:
    """Models side by side, from few to many parameters.

    Parameters
    ----------
    models : list of fitted estimators, or dict of them by name
        All of the same rows and response.
    names : list of str, default=None
        Names of the models of a list; "model 1", "model 2", ... if not given.

    Returns
    -------
    DataFrame
        By model: ``loglik, n_params, aic, bic, delta_aic, weight`` (Akaike weights,
        ``exp(-delta_aic / 2)`` in shares), and ``statistic, df, p_value`` of the likelihood-ratio
        test against the row above, NaN where that one is not nested in it.  Restricted
        log-likelihoods are those in the units of the first row's columns.

    Raises
    ------
    ValueError
        For other rows, another response or other weights; different methods; restricted likelihoods
        of different fixed effects.

    Examples
    --------
    >>> from skmixed import MixedLinearRegressor
    >>> from skmixed.datasets import make_mixed_regression
    >>> from skmixed.inference import compare
    >>> X, y = make_mixed_regression(n_groups=100, rows_per_group=8, random_state=0)
    >>> intercepts = MixedLinearRegressor("group").fit(X, y)
    >>> slopes = MixedLinearRegressor(random_effects="(1 + x0 | group)").fit(X, y)
    >>> compare({"intercepts": intercepts, "slopes": slopes})["n_params"].to_list()
    [5, 7]
    """
    named = sorted(_named(models, names), key=lambda pair: _n_params(pair[1]))
    fitted = [model for _, model in named]
    for model in fitted:
        refuse_penalised(model.fit, "tests and weights of models are", BY_PREDICTION)
        needs_exact(model.fit, "tests and weights of models")
    table = _criteria(fitted)
    table.index = pd.Index([name for name, _ in named], name="model")
    tests = [_test_or_nan(smaller, larger) for smaller, larger in pairwise(fitted)]
    table[["statistic", "df", "p_value"]] = np.array([(np.nan,) * 3, *tests], dtype=float)
    return WholeTable(table)


def _criteria(fitted):
    """Log-likelihoods in the units of the first model's columns, and what follows from them."""
    shifts = [0.0] + [comparable(fitted[0], model).shift for model in fitted[1:]]
    loglik = np.array([m.fit.loglik - shift for m, shift in zip(fitted, shifts, strict=True)])
    n_params = np.array([_n_params(model) for model in fitted])
    aic = 2.0 * n_params - 2.0 * loglik
    likelihoods = np.exp(-0.5 * (aic - aic.min()))
    return pd.DataFrame(
        {
            "loglik": loglik,
            "n_params": n_params,
            "aic": aic,
            "bic": np.log(fitted[0].fit.n) * n_params - 2.0 * loglik,
            "delta_aic": aic - aic.min(),
            "weight": likelihoods / likelihoods.sum(),
        }
    )


def _n_params(model: FittedModel) -> float:
    return model.fit.n_parameters


def _named(models, names):
    if isinstance(models, Mapping):
        names = list(models)
        models = list(models.values())
    if not isinstance(models, Sequence):
        raise TypeError(
            f"models: expected a list or a dict, got {type(models).__name__}.\n"
            "Write compare([m1, m2])."
        )
    names = [f"model {k + 1}" for k in range(len(models))] if names is None else list(names)
    if not models or len(names) != len(models):
        raise ValueError(
            f"names: {len(names)} names for {len(models)} models.\n"
            "Pass at least one model, and one name for each."
        )
    fitted = [fitted_model(est, "models") for est in models]
    return list(zip(names, fitted, strict=True))


def _test_or_nan(smaller, larger):
    try:
        test = _nested_test(comparable(smaller, larger))
    except NotNested:
        return (np.nan,) * 3
    return test.statistic, test.df, test.pvalue


def _nested_test(pair: Pair) -> LikelihoodRatioTest:
    """The test of a comparable pair; raises :class:`NotNested`."""
    smaller = pair.smaller.fit
    larger = pair.larger.fit
    df = larger.n_parameters - smaller.n_parameters
    if df == 0:
        raise NotNested(
            "the models have equally many parameters: neither is a special case of the other.\n"
            "Use compare."
        )
    if pair.fixed is None:
        raise NotNested(
            "the smaller model has fixed effects that the larger one lacks.\n"
            "Use compare for their AIC."
        )
    null = Embedding(pair)
    statistic = likelihood_ratio(larger.loglik - pair.shift, smaller.loglik)
    weights = mixture_weights(null.information, null.tangent.cones)
    coefficients = larger.rank - smaller.rank
    words = _in_words(coefficients, df - coefficients)
    return mixture_test(statistic, weights, words, free=df + 1 - len(weights))


def _in_words(coefficients, covariances):
    counted = ((coefficients, "fixed effect"), (covariances, "covariance parameter"))
    parts = [f"{count} {name}{'s' * (count > 1)}" for count, name in counted if count]
    return f"the smaller model holds ({' and '.join(parts)} fewer)"
