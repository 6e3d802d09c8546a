"""What a summary says of a fit, before it is printed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, cast

import numpy as np

from .._fit.base import Fit
from .._fit.glmm import GlmmFit
from .._fit.model import FittedModel
from .._report.summary import JointLine, Report, exponentiated
from ..inference._coefficients.contrasts import Coefficients
from ..inference._penalised import notes_on_penalties, penalties
from ..inference._terms.collinearity import notable_collinearity


class Heading(NamedTuple):
    """What the summaries of kinds of models have of their own.

    Attributes
    ----------
    title : of the whole
    likelihood : name of the log-likelihood
    plain : the model without random effects
    details : further pairs (name, words) for the header
    """

    title: str
    likelihood: str
    plain: str
    details: Sequence[tuple[str, str]] = ()


def linear_heading(model: FittedModel) -> Heading:
    """Of a linear model."""
    is_restricted = model.fit.criterion.reml
    method = "REML" if is_restricted else "ML"
    title = f"Linear regression by {method}"
    if model.names.factors:
        title = f"Mixed-effects {method} regression"
    restricted = "Log restricted-likelihood:" if is_restricted else "Log-likelihood:"
    return Heading(title, restricted, "linear model")


def generalised_heading(model: FittedModel) -> Heading:
    """Of a generalised linear model."""
    fit = cast(GlmmFit, model.fit)
    family = fit.family
    word = family.word
    details = [("Odds of:" if family.exponentiated_name else "Event:", model.names.event)]
    title = f"{word.capitalize()} regression"
    if model.names.factors:
        title = f"Mixed-effects {word} regression"
        points = fit.points
        integration = "Laplace" if points == 1 else f"{points}-point quadrature"
        details.append(("Integration:", integration))
    return Heading(title, "Log-likelihood:", f"{word} model", details)


def make_report(results: Any, level: float, heading: Heading, coefficients: Coefficients) -> Report:
    """Header, groups, fixed effects, variance components and the test against the model without
    random effects.
    """
    joint = _joint_line(results, coefficients)
    methods = _methods(coefficients, has_test=joint is not None or not results._slopes)
    found = results._variances
    limits = found.intervals(level)
    return Report(
        title=heading.title,
        names=results.fitted.names,
        nobs=results.nobs,
        converged=results.converged,
        criteria=criteria(results, heading, ".3f"),
        details=[*heading.details, *_penalty_lines(results.fitted.fit)],
        joint=joint,
        coefficients=coefficients.table(level),
        coefficient_title="coef",
        is_normal=coefficients.is_normal,
        variances=results._variance_rows(found.estimates, found.std_errors, *limits),
        level=level,
        notes=[*methods, *_notes(results, heading.plain)],
    )


def criteria(results: Any, heading: Heading, digits: str) -> list[tuple[str, str]]:
    """Log-likelihood, AIC and BIC with their names; of an iterative fit about the first."""
    fit = results.fitted.fit
    if fit.solver == "iterative":
        return [(heading.likelihood, f"about {fit.loglik:.1f}"), ("Solver:", "iterative")]
    found = (results.llf, results.aic, results.bic)
    names = (heading.likelihood, "AIC:", "BIC:")
    return [(name, f"{value:{digits}}") for name, value in zip(names, found, strict=True)]


def notes_on_solver(fit: Fit) -> list[str]:
    """What a summary says where the log-likelihood is known up to chance."""
    if fit.solver == "exact":
        return []
    return [
        f"Log-likelihood about {fit.loglik:,.0f} (Monte-Carlo error {fit.loglik_error:.1f}).",
        "AIC, BIC and likelihood-ratio tests need solver='exact'.",
    ]


def _penalty_lines(fit: Fit) -> list[tuple[str, str]]:
    return [(f"{name}:", value) for name, value in penalties(fit)]


def as_ratios(report: Report, name: str) -> dict[str, Any]:
    """What changes where coefficients are printed as ratios, such as odds ratios."""
    kind = name.split()[0]
    notes = list(report.notes)
    if report.names.intercept:
        notes.append(
            f"The {name} of the intercept is the {kind} where all columns and random effects are "
            "zero."
        )
    table = exponentiated(report.coefficients)
    return {"coefficients": table, "coefficient_title": name, "notes": notes}


def _methods(coefficients: Coefficients, has_test: bool) -> list[str]:
    """How the fixed effects were tested, where that is not the default."""
    lines = [coefficients.method] if coefficients.method else []
    if lines and not has_test:
        lines.append(
            "No joint test: it needs more clusters, or degrees of freedom, than coefficients."
        )
    return lines


def _joint_line(results: Any, coefficients: Coefficients) -> JointLine | None:
    """The test that all coefficients but the intercept are zero."""
    if not coefficients.method:
        wald = results.wald_chi2
        title = f"Wald chi2({wald.df}):"
        return JointLine(title, "chi2", wald.statistic, wald.pvalue) if wald.df else None
    if not results._slopes:
        return None
    test = coefficients.joint_test(results._slopes)
    if np.isnan(test.statistic):
        return None
    name = "chi2" if coefficients.is_normal else "F"
    degrees = f"{test.df}" if coefficients.is_normal else f"{test.df}, {test.df_denom:.1f}"
    title = f"{'Wald ' * coefficients.is_normal}{name}({degrees}):"
    return JointLine(title, name, test.statistic, test.pvalue)


def _notes(results: Any, plain: str) -> list[str]:
    fit = results.fitted.fit
    lines = notes_on_penalties(fit) + notes_on_solver(fit)
    is_tested = not fit.is_penalised and fit.solver == "exact"
    test = results.random_effects_test() if is_tested else None
    if test is not None and test.df:
        name = test.distribution.split("(")[0]
        found = f"{test.distribution} = {test.statistic:.2f}"
        lines.append(f"LR test vs. {plain}: {found}   Prob >= {name} = {test.pvalue:.4f}")
    if np.any(np.isnan(results._variances.std_errors)):
        lines.append(
            "A variance is zero, a correlation one, or the likelihood flat: no standard errors "
            "there."
        )
    if collinear := notable_collinearity(results.fitted):
        lines.append(collinear)
    if dropped := results.fitted.dropped:
        lines.append(f"Dropped because they depend on other columns: {', '.join(dropped)}.")
    if left_out := results.n_missing:
        lines.append(f"{left_out} row{'s' * (left_out > 1)} dropped for missing values.")
    return lines
