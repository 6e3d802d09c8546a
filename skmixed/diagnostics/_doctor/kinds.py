"""The kinds of findings: what each means, what to do, and which others follow from it.

Causes stand before their consequences: a finding that follows from one above it becomes a note.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .examination import Examination
from .rules import (
    coefficients,
    copies,
    design,
    grouping,
    influential,
    means,
    order,
    recording,
    residuals,
    slopes,
    variances,
)
from .signs import Signs


@dataclass(frozen=True)
class Kind:
    """A kind of finding.

    Attributes
    ----------
    name : one word
    rule : what looks for it
    meaning, advice : in a sentence
    explains : kinds that follow from it
    """

    name: str
    rule: Callable[[Examination], Signs]
    meaning: str
    advice: str
    explains: tuple[str, ...] = ()


VARIANCES = ("flat_likelihood", "variance_at_zero", "correlation_at_one", "skewed_effects")
INFLUENTIAL = ("influential_row", "influential_group")
SHAPES = ("heteroscedastic", "heavy_tails", "skewed_effects", "y_at_bounds")
MEANS = ("nonlinear", "omitted_between", "missing_not_at_random", "omitted_slope")
ROWS = ("autocorrelated", "overdispersed_rows")
EVERYTHING = (*VARIANCES, *INFLUENTIAL, *SHAPES, *MEANS, *ROWS, "laplace_error", "rare_outcome")

KINDS = (
    Kind(
        "wrong_unit_level",
        recording.wrong_unit_level,
        "A level is recorded in another unit: mean and spread of a column, or of y, are off by "
        "the same factor.",
        "Convert the values of that level.",
        (*EVERYTHING, "scales", "collinearity"),
    ),
    Kind(
        "duplicated_rows",
        copies.duplicated_rows,
        "Many rows are exact copies of others, more than coarse columns would give by chance.",
        "Find out why (a file read twice, a merge), and drop the copies.",
        EVERYTHING,
    ),
    Kind(
        "id_as_number",
        coefficients.id_as_number,
        "An identifier is a fixed effect, as if it were a quantity.",
        "Leave the column out; as labels of groups it belongs to groups or random_effects.",
    ),
    Kind(
        "tiny_standard_error",
        coefficients.tiny_standard_error,
        "A standard error is nil beside its coefficient: the column is the response in another "
        "dress.",
        "Leave the column out, or explain something that is not computed from it.",
        EVERYTHING,
    ),
    Kind(
        "separation",
        coefficients.separation,
        "A column, or a combination of some, decides the outcome in some rows: no finite "
        "coefficient is best.",
        "Drop the column, merge categories, or set alpha=0.1 for a small ridge.",
        EVERYTHING,
    ),
    Kind(
        "constant_slope",
        grouping.constant_slope,
        "A random slope of a column that does not vary within the levels of its factor: no "
        "level has a slope of its own.",
        "Leave the column among the fixed effects and take its random slope out.",
        (*VARIANCES, *INFLUENTIAL),
    ),
    Kind(
        "nested_ids_repeat",
        grouping.nested_ids_repeat,
        "Labels of a factor start anew within another factor, but the model takes equal labels "
        "for the same group.",
        "Nest them, (1 | outer/inner), or give every group a label of its own.",
        (*VARIANCES, *INFLUENTIAL, *MEANS, *ROWS, "few_levels"),
    ),
    Kind(
        "collinearity",
        design.collinearity,
        "Some columns nearly depend on each other: their separate effects are hardly known.",
        "Drop one of them, or combine them; predictions do not mind.",
        VARIANCES[:1],
    ),
    Kind(
        "single_row_levels",
        grouping.single_row_levels,
        "Most levels of a factor have one row: the others alone tell its variance from the "
        "residual.",
        "Read the variance with its limits, or use a coarser factor.",
        (*VARIANCES, "laplace_error"),
    ),
    Kind(
        "few_levels",
        grouping.few_levels,
        "Fewer than five levels: too few to estimate a variance from.",
        "Make the factor a categorical fixed effect, C(factor), or read its variance with "
        "limits by profile.",
        (*VARIANCES, *INFLUENTIAL),
    ),
    Kind(
        "flat_likelihood",
        variances.flat_likelihood,
        "Variances can be traded against each other at almost no loss of likelihood.",
        "Drop one of the terms: they describe nearly the same.",
        VARIANCES[1:],
    ),
    Kind(
        "y_at_bounds",
        residuals.y_at_bounds,
        "A good part of the responses is at the smallest or at the largest value.",
        "Model whether the bound is reached with MixedLogisticClassifier, and the rest by "
        "itself; or use a censored model.",
        (*SHAPES[:3], *MEANS),
    ),
    Kind(
        "rare_outcome",
        coefficients.rare_outcome,
        "Fewer than ten events, or non-events, per coefficient.",
        "Use fewer columns; read limits by profile or bootstrap instead of standard errors.",
        ("laplace_error", *VARIANCES[1:], *INFLUENTIAL, *MEANS),
    ),
    Kind(
        "overdispersed_rows",
        copies.overdispersed_rows,
        "Counts of rows with equal values vary more than binomial ones: rows share something "
        "that the model does not know.",
        "Add a grouping factor for what they share.",
        (*MEANS, "autocorrelated", *VARIANCES[1:]),
    ),
    Kind(
        "laplace_error",
        variances.laplace_error,
        "Fitted with fewer quadrature points than needed: more would move the estimates.",
        "Use n_quadrature='auto', or a larger number.",
        ("skewed_effects", "variance_at_zero", "omitted_slope"),
    ),
    Kind(
        "nonlinear",
        means.nonlinear,
        "A column acts as a curve.",
        "Add its square, a spline (SplineTransformer) or a logarithm.",
        (*MEANS[1:2], "omitted_slope", "autocorrelated", *SHAPES[:3], *INFLUENTIAL, *VARIANCES[1:]),
    ),
    Kind(
        "omitted_between",
        means.omitted_between,
        "The effect of a column within levels is not that between them: one coefficient is "
        "neither.",
        "Add the mean of the column by level.",
        ("skewed_effects", "influential_group"),
    ),
    Kind(
        "missing_not_at_random",
        means.missing_not_at_random,
        "The number of rows of a level goes with its effect.",
        "Find out why rows are missing; as a check, add the number of rows per level as a column.",
        ("skewed_effects",),
    ),
    Kind(
        "autocorrelated",
        order.autocorrelated,
        "Residuals of neighbouring rows of a level are correlated: they say less than their "
        "number.",
        "Add a curve over time or a factor for periods, and use standard errors clustered by "
        "level (summary(cov='CR2')).",
        ("omitted_slope",),
    ),
    Kind(
        "omitted_slope",
        slopes.omitted_slope,
        "The slope of a column varies between levels, the model says that it does not.",
        "Add a random slope, (1 + column | factor).",
        (*SHAPES[:3], *INFLUENTIAL),
    ),
    Kind(
        "heteroscedastic",
        residuals.heteroscedastic,
        "The residual standard deviation goes with the fitted value or a column, or differs "
        "between categories.",
        "Take logarithms of y where it grows with the fitted value; else use robust standard "
        "errors (summary(cov='CR2')).",
        ("heavy_tails", *INFLUENTIAL),
    ),
    Kind(
        "heavy_tails",
        residuals.heavy_tails,
        "The residuals as a whole have heavier tails than the normal.",
        "Transform y, or check the largest residuals; the coefficients suffer least, limits of "
        "single predictions most.",
        INFLUENTIAL,
    ),
    Kind(
        "influential_row",
        influential.influential_row,
        "One row moves a coefficient by about two standard errors or more, and no other nearly "
        "as much.",
        "Check the row; report the estimates without it too.",
        ("influential_group", "skewed_effects"),
    ),
    Kind(
        "influential_group",
        influential.influential_group,
        "One level moves a coefficient by about two standard errors or more, and no other "
        "nearly as much.",
        "Check the level; report the estimates without it too.",
        ("skewed_effects",),
    ),
    Kind(
        "skewed_effects",
        residuals.skewed_effects,
        "The random effects of a factor are far from normal: skewed, or of two kinds.",
        "Look for a column that tells the kinds apart; coefficients hold, predictions of new "
        "levels suffer.",
    ),
    Kind(
        "correlation_at_one",
        variances.correlation_at_one,
        "Two effects of a factor are estimated as one: their correlation is 1 or -1.",
        "Use uncorrelated effects, (1 + x || factor), or drop one of them.",
        ("variance_at_zero",),
    ),
    Kind(
        "variance_at_zero",
        variances.variance_at_zero,
        "A variance is estimated as zero: the levels differ no more than chance makes them.",
        "That is an answer, not an error; the term may be dropped.",
    ),
    Kind(
        "scales",
        design.scales,
        "Standard deviations of columns differ by more than four powers of ten.",
        "The fit does not mind, but the coefficients are hard to read: use larger units.",
    ),
)
