"""Analysis of variance: a test for every term of a model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from scipy import stats

from ..._data.checks import check_choice
from ..._fit.model import FittedModel
from .._arguments import fitted_model
from .._coefficients.contrasts import Coefficients
from .._coefficients.rules import generalised_coefficients, linear_coefficients
from .._coefficients.terms import model_terms
from .._penalised import refuse_ridge
from .tables import TermTable, term_table
from .types import DROPPED, HYPOTHESES, ColumnSpaces, TermHypothesis

DEGREES = ("satterthwaite", "kenward-roger", "residual", "chi2", "normal")
READ = {True: linear_coefficients, False: generalised_coefficients}
TITLES = {
    1: "Type I: every term beyond those before it, in the order of the model.",
    2: (
        "Type II: every term beyond all others but those that contain it (the term with its "
        "relatives against the relatives alone, as in R's car)."
    ),
    3: "Type III: every term beyond all others, averaged over the levels that it interacts with.",
}


def anova(
    est: Any,
    type: Literal[1, 2, 3] = 3,
    df: Literal["satterthwaite", "kenward-roger", "residual", "chi2"] | None = None,
    cov: Literal["model", "CR0", "CR1", "CR2", "CR3"] = "model",
    *,
    clusters: Any = None,
    terms: Mapping[str, Any] | None = None,
) -> TermTable:
    """Analysis of variance: one test for every term of the fixed effects.

    Parameters
    ----------
    est : MixedLinearRegressor or MixedLogisticClassifier
        Fitted.
    type : {1, 2, 3}, default=3
        1: a term beyond those before it, orthogonal in ``X'X`` (as in SAS and lmerTest).  2: a term
        beyond all others but those that contain it, the covariance of the coefficients being that
        of the whole model: ``W(term and relatives) - W(relatives)`` (as in R's car; lmerTest's type
        II is SAS's, and differs where data are unbalanced).  3: a term beyond all others, averaged
        over the levels of the factors that it interacts with, numbers at zero; the same for any
        coding of the categories (as in lmerTest, and in car with sum-to-zero contrasts).  Without
        interactions 2 and 3 are the same.
    df : {"satterthwaite", "kenward-roger", "residual", "chi2"}, default=None
        F tests whose denominator has degrees of freedom by Satterthwaite, by Kenward and Roger (who
        adjust the covariance too), or observations less coefficients; "chi2" for Wald's
        chi-squared.  None: "satterthwaite" for a linear model ("residual" where its variances have
        no standard errors), "chi2" for a classifier.
    cov : {"model", "CR0", "CR1", "CR2", "CR3"}, default="model"
        Covariance of the coefficients, as in ``results_.coef_table``.
    clusters : str or array-like of shape (n_rows,), default=None
        Independent clusters of a robust ``cov``.
    terms : dict, default=None
        Columns that are one term by its name: ``{"race": ["race_2", "race_3"]}``.  What is not
        named stays a term of its own.  ``"sex:race"`` beside "sex" and "race" is their interaction.

    Returns
    -------
    DataFrame
        By term ``F`` (or ``chi2``), ``num_df``, ``den_df`` (infinite for chi-squared) and
        ``p_value``; no row for the intercept.  A term that the data do not determine, such as an
        average over an empty cell, is NaN, and a column ``note`` says why.

    Raises
    ------
    ValueError
        For a type, a rule or a column that is not there, rules that the model has not, and
        penalised estimates.

    References
    ----------
    Fox (2016), Applied Regression Analysis and Generalized Linear Models.  Fai and Cornelius
    (1996), Approximate F-tests of multiple degree of freedom hypotheses in generalized least
    squares analyses of unbalanced split-plot experiments, J. Statistical Computation and Simulation
    54.  Kenward and Roger (1997), Small sample inference for fixed effects from restricted maximum
    likelihood, Biometrics 53.

    Examples
    --------
    >>> from skmixed import MixedLinearRegressor
    >>> from skmixed.datasets import make_mixed_regression
    >>> from skmixed.inference import anova
    >>> X, y = make_mixed_regression(random_state=0)
    >>> data = X.assign(y=y, arm=["abc"[k % 3] for k in range(len(X))])
    >>> model = MixedLinearRegressor.from_formula("y ~ arm * x0 + x1 + (1 | group)", data)
    >>> anova(model)[["num_df", "p_value"]].round(2)
            num_df  p_value
    arm          2     0.90
    x0           1     0.00
    x1           1     0.00
    arm:x0       2     0.08
    """
    check_choice("type", type, HYPOTHESES)
    model = fitted_model(est)
    refuse_ridge(model.fit, "tests of terms are", "Fit without penalties to test.")
    name, coefficients = _coefficients(model, df, cov, clusters)
    every = model_terms(model, terms)
    spaces = ColumnSpaces(model, every, coefficients.covariance)
    found = dict(zip([t.name for t in spaces.terms], HYPOTHESES[type](spaces), strict=True))
    dropped = TermHypothesis(np.zeros((0, 0)), DROPPED)
    rows = [_test(coefficients, found.get(term.name, dropped)) for term in every]
    statistic = "chi2" if coefficients.is_normal else "F"
    columns = [statistic, "num_df", "den_df", "p_value", "note"]
    table = {c: [row[c] for row in rows] for c in columns}
    notes = [coefficients.method or _words(name)]
    return term_table(table, [term.name for term in every], TITLES[type], notes)


def _coefficients(model: FittedModel, df: str | None, cov: str, clusters: Any):
    """The rule that is asked for, or else the best that there is."""
    read = READ[model.fit.family.has_residual]
    if df is not None:
        check_choice("df", df, DEGREES)
        name = "normal" if df == "chi2" else df
        return name, read(model, name, cov, clusters)
    if not model.fit.family.has_residual:
        return "normal", read(model, "normal", cov, clusters)
    if cov != "model" or model.fit.rank == 0:
        return "satterthwaite", read(model, "satterthwaite", cov, clusters)
    return chosen_coefficients(model)


def chosen_coefficients(model: FittedModel) -> tuple[str, Coefficients]:
    """Satterthwaite's rule; that of the residuals where the variances have no standard errors."""
    try:
        return "satterthwaite", linear_coefficients(model, "satterthwaite", "model", None)
    except ValueError:
        return "residual", linear_coefficients(model, "residual", "model", None)


def _words(name):
    return "Wald tests by chi-squared." if name == "normal" else ""


def _test(coefficients: Coefficients, hypothesis: TermHypothesis) -> dict[str, Any]:
    """Statistic, degrees of freedom and p-value of a term; NaN where there is no hypothesis."""
    statistic = "chi2" if coefficients.is_normal else "F"
    nothing = {statistic: np.nan, "num_df": 0, "den_df": np.nan, "p_value": np.nan}
    L, note = hypothesis
    if not len(L):
        return {**nothing, "note": note}
    F, num_df, den_df = coefficients.joint(L, np.zeros(len(L)))
    if np.isnan(F):
        note = (
            "its covariance is singular, or has no degrees of freedom: use another cov or df (a "
            "robust covariance needs more clusters than coefficients)"
        )
        return {**nothing, "num_df": num_df, "note": note}
    if coefficients.is_normal:
        chi2 = F * num_df
        p = stats.chi2.sf(chi2, num_df)
        return {"chi2": chi2, "num_df": num_df, "den_df": np.inf, "p_value": p, "note": note}
    p = stats.f.sf(F, num_df, den_df)
    return {"F": F, "num_df": num_df, "den_df": den_df, "p_value": p, "note": note}
