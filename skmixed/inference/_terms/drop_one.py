"""Every term left out in turn, and the likelihood-ratio test of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from scipy import stats

from ..._data.checks import check_choice
from ..._fit.base import needs_exact
from .._arguments import fitted_model
from .._coefficients.terms import are_dropped, model_terms, relatives
from .._comparison.bootstrapped import LikelihoodRatio, bootstrapped_test
from .._comparison.drawn import drawn_for
from .._comparison.likelihood_ratio import likelihood_ratio, mixture_test
from .._comparison.pairs import pair_of
from .._penalised import refuse_penalised
from .smaller import without
from .tables import TermTable, term_table
from .types import CONFOUNDED, DROPPED, NOTHING

METHODS = ("chi2", "bootstrap")
COLUMNS = ["statistic", "df", "p_value", "loglik", "aic", "delta_aic", "note"]
TITLE = "Likelihood-ratio tests of the model without each term, by maximum likelihood."


def drop_one(
    est: Any,
    *,
    method: Literal["chi2", "bootstrap"] = "chi2",
    terms: Mapping[str, Any] | None = None,
    n_samples: int = 999,
    random_state: int | np.random.RandomState | None = None,
    n_jobs: int | None = None,
) -> TermTable:
    """Likelihood-ratio tests of the terms of the fixed effects, each left out in turn.

    The model and those without a term are fitted by maximum likelihood, whatever ``est`` was fitted
    by: restricted likelihoods of models with different fixed effects cannot be compared.

    Parameters
    ----------
    est : MixedLinearRegressor or MixedLogisticClassifier
        Fitted, with its training rows.
    method : {"chi2", "bootstrap"}, default="chi2"
        "chi2" is for many groups; "bootstrap" draws responses from the model without the term, as
        in :func:`likelihood_ratio_test`.
    terms : dict, default=None
        Columns that are one term, as in :func:`anova`.
    n_samples : int, default=999
        Of the bootstrap, for each term.
    random_state : int, RandomState or None, default=None
        Seed of the bootstrap.
    n_jobs : int, default=None
        Number of processes of the bootstrap, as in scikit-learn.

    Returns
    -------
    DataFrame
        By term ``statistic`` (twice the difference of the log-likelihoods), ``df``, ``p_value``,
        ``loglik`` and ``aic`` without the term, and ``delta_aic``, what the AIC rises by when it is
        left out.  Terms that others contain stay, as in R's drop1, and have no row.  A term that
        other columns can stand for is NaN, and a column ``note`` says so.

    Raises
    ------
    ValueError
        For a method or a column that is not there, and penalised estimates.
    AttributeError
        Where the training rows are not kept.

    Notes
    -----
    Of chunks, which are read again for every term; the bootstrap draws the sums of responses.

    References
    ----------
    Halekoh and Hojsgaard (2014), A Kenward-Roger approximation and parametric bootstrap methods for
    tests in linear mixed models, J. Statistical Software 59.

    Examples
    --------
    >>> from skmixed import MixedLinearRegressor
    >>> from skmixed.datasets import make_mixed_regression
    >>> from skmixed.inference import drop_one
    >>> X, y = make_mixed_regression(random_state=0)
    >>> data = X.assign(y=y, arm=["abc"[k % 3] for k in range(len(X))])
    >>> model = MixedLinearRegressor.from_formula("y ~ arm + x0 + x1 + (1 | group)", data)
    >>> drop_one(model)[["df", "p_value"]].round(2)
         df  p_value
    arm   2     0.89
    x0    1     0.00
    x1    1     0.00
    """
    check_choice("method", method, METHODS)
    model = fitted_model(est)
    refuse_penalised(model.fit, "likelihood-ratio tests are", "Fit without penalties to test.")
    needs_exact(model.fit, "likelihood-ratio tests")
    search = {"tol": est.tol, "max_iter": est.max_iter}
    every = model_terms(model, terms)
    droppable = [term for term in every if not relatives(term, every)]
    options = {"n_jobs": n_jobs, "random_state": random_state}
    draws = _Draws(n_samples, options) if method == "bootstrap" else None
    rows = _rows(model, droppable, are_dropped(model, every), search, draws)
    notes = [] if draws is None else [draws.words]
    if stay := [term.name for term in every if term not in droppable]:
        notes.append(f"Contained in others, and so not left out: {', '.join(stay)}.")
    return term_table(
        pd.DataFrame(rows, columns=COLUMNS), [term.name for term in droppable], TITLE, notes
    )


def _rows(model, droppable, absent, search, draws):
    """A row for every term that may be left out; those that were dropped are out already."""
    nowhere = np.concatenate([NOTHING, *(term.columns for term in absent)])
    whole = without(model, nowhere, **search)
    rows = []
    for term in droppable:
        smaller = without(model, np.union1d(nowhere, term.columns), **search)
        row = _row(whole, smaller, DROPPED if term in absent else CONFOUNDED)
        if draws is not None and row["df"]:
            row["p_value"] = draws.p_value(row, whole, smaller, search)
        rows.append(row)
    return rows


def _row(whole, smaller, note):
    df = whole.fit.rank - smaller.fit.rank
    statistic = likelihood_ratio(whole.fit.loglik, smaller.fit.loglik) if df else np.nan
    aic, other = (2.0 * (m.fit.n_parameters - m.fit.loglik) for m in (smaller, whole))
    return {
        "statistic": statistic,
        "df": df,
        "p_value": float(stats.chi2.sf(statistic, df)) if df else np.nan,
        "loglik": smaller.fit.loglik,
        "aic": aic,
        "delta_aic": aic - other,
        "note": "" if df else note,
    }


@dataclass(frozen=True)
class _Draws:
    """A bootstrap."""

    n_samples: int
    options: dict[str, Any]

    @property
    def words(self):
        """What was done."""
        return f"p-values by {self.n_samples:,} samples from the model without the term."

    def p_value(self, row, whole, smaller, search):
        """Of a row."""
        test = mixture_test(row["statistic"], np.ones(1), "", free=row["df"])
        source, larger = drawn_for(pair_of(smaller, whole), search, search)
        statistic = LikelihoodRatio(larger, 0.0)
        return bootstrapped_test(test, source, statistic, self.n_samples, **self.options).pvalue
