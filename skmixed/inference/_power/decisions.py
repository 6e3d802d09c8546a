"""p-values of one hypothesis in fits to drawn responses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from scipy import stats

from ..._data.checks import check_choice
from ..._fit.model import FittedModel
from .._bootstrap.resampling import Resampler
from .._bootstrap.statistics import OfEstimator, Statistic
from .._coefficients.contrasts import Coefficients
from .._coefficients.dof import Constant
from .._coefficients.hypotheses import Hypothesis, read_hypothesis
from .._coefficients.rules import (
    DEGREES_OF_FREEDOM,
    check_generalised,
    check_penalised,
    constant_df,
)
from .._coefficients.terms import positions_of
from .._comparison.likelihood_ratio import likelihood_ratio
from .._terms.smaller import without
from .studies import Study

LIKELIHOOD_RATIO = "likelihood-ratio"
TESTS = (*DEGREES_OF_FREEDOM, LIKELIHOOD_RATIO)
#: p-value of t with degrees of freedom
TAILS: dict[str, Callable] = {
    "two-sided": lambda t, df: 2.0 * stats.t.sf(np.abs(t), df),
    "greater": stats.t.sf,
    "less": stats.t.cdf,
}


class Wald(Statistic):
    """Estimate of a contrast, and p-value of its test; of several rows the p-value alone.

    Attributes
    ----------
    rows : the hypothesis
    """

    names = ["estimate", "p_value"]

    def __init__(self, model: FittedModel, rows: Hypothesis, df: str, alternative: str):
        self.coefficient_names = model.coefficient_names
        self.rows = rows
        self.df = df
        self.alternative = alternative

    def __call__(self, fit, drawn):
        units = fit.units
        found = Coefficients(
            self.coefficient_names,
            fit.coefficients[units.independent],
            units.transform,
            self._rule(fit),
        )
        L, c = self.rows
        if len(L) > 1:
            F, num, den = found.joint(L, c)
            return np.array([np.nan, stats.f.sf(F, num, den)])
        estimate = float(L[0] @ found.estimates)
        t = (estimate - c[0]) / found.std_errors(L)[0]
        return np.array([estimate, TAILS[self.alternative](t, found.df(L)[0])])

    def _rule(self, fit):
        if fit.family.has_residual:
            return DEGREES_OF_FREEDOM[self.df].rule(fit)
        return Constant(fit.beta_covariance, constant_df(fit, self.df))


class Ratio(Statistic):
    """The same by the likelihood ratio of two fits by maximum likelihood.

    Attributes
    ----------
    smaller : fits of the model without the coefficients
    df : number of the coefficients
    place : of the coefficient, where there is one
    """

    names = ["estimate", "p_value"]

    def __init__(self, smaller: Resampler, df: int, place: int | None):
        self.smaller = smaller
        self.df = df
        self.place = place

    def __call__(self, fit, drawn):
        statistic = likelihood_ratio(fit.loglik, self.smaller.refit(drawn).loglik)
        estimate = np.nan if self.place is None else fit.coefficients[self.place]
        return np.array([estimate, stats.chi2.sf(statistic, self.df)])


class Called(OfEstimator):
    """The same by a function of a fitted estimator."""

    def __call__(self, fit, drawn):
        return np.array([np.nan, float(super().__call__(fit, drawn)[0])])


def decision(study: Study, effect: Any, test: Any, alternative: str) -> tuple[Resampler, Statistic]:
    """What draws and fits, and the statistic of a fit: estimate and p-value."""
    if callable(test):
        return study.source(), Called(study.est, study.model, test)
    model = study.model
    spec = None if effect is None else hypothesis_of(effect)
    rows = read_hypothesis(spec, model.coefficient_names, positions_of(model))
    name = _chosen(model, test)
    if len(rows.L) > 1 and alternative != "two-sided":
        raise ValueError(
            f"alternative={alternative!r} is for one coefficient, and effect names "
            f"{len(rows.L)}.\nUse 'two-sided', or name one of them."
        )
    if name == LIKELIHOOD_RATIO:
        return _by_ratio(study, rows, alternative)
    return study.source(), Wald(model, rows, name, alternative)


def hypothesis_of(effect: Any) -> Any:
    """What is tested: the coefficients that are named are zero."""
    return dict.fromkeys(effect, 0.0) if isinstance(effect, Mapping) else effect


def _chosen(model, test):
    """The test by name; the default is that of the kind of model."""
    fit = model.fit
    if test is None:
        return "satterthwaite" if fit.family.has_residual and not fit.is_penalised else "normal"
    check_choice("test", test, TESTS)
    if test != LIKELIHOOD_RATIO:
        check_penalised(fit, test, "model")
        if not fit.family.has_residual:
            check_generalised(test, "model")
    return test


def _by_ratio(study, rows, alternative):
    """By maximum likelihood, whatever the estimator is fitted by."""
    places = np.flatnonzero(np.any(rows.L != 0.0, axis=0))
    if len(places) != len(rows.L) or np.any(rows.c) or alternative != "two-sided":
        raise ValueError(
            "test='likelihood-ratio' leaves coefficients out: effect has to name them, and "
            "alternative to be 'two-sided'.\nUse another test for contrasts and one side."
        )
    model = study.model
    columns = model.fit.units.independent[places]
    search = {"tol": study.est.tol, "max_iter": study.est.max_iter}
    whole = without(model, np.zeros(0, dtype=int), **search)
    smaller = Resampler(without(model, columns, **search), **search)
    place = int(columns[0]) if len(columns) == 1 else None
    return study.source(whole), Ratio(smaller, len(columns), place)
