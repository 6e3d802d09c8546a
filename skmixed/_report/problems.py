"""What a user should look at after a fit, in words: pairs of a message and the category of its
warning.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..exceptions import (
    ConvergenceWarning,
    GroupsWarning,
    LaplaceWarning,
    RankDeficiencyWarning,
    SeparationWarning,
    SingularFitWarning,
)

MATERIAL = 0.1  # shift of an estimate by more quadrature points, in standard errors, to warn of
MATERIAL_LOGLIK = 1.0  # the same of the log-likelihood

Problems = Iterator[tuple[str, type[Warning]]]


def linear_problems(model) -> Problems:
    """Of a linear model."""
    fit = model.fit
    yield from _missing_groups(model)
    yield from _dropped(model)
    if fit.df_resid <= 0:
        yield (
            f"{fit.n:.3g} observations (the sum of sample_weight) for {fit.rank} coefficients: no "
            "variance is left.\nAdd rows or drop columns; weights count repetitions.",
            SingularFitWarning,
        )
    else:
        yield from _confounded(model)
        yield from _flat(model)
        yield from _boundaries(model)
    if not fit.optimum.converged:
        yield _not_converged(model), ConvergenceWarning


def generalised_problems(model, infinite) -> Problems:
    """Of a generalised linear model; ``infinite`` is what has no finite estimate."""
    fit = model.fit
    yield from _missing_groups(model)
    yield from _dropped(model)
    yield from _by_chance(model)
    yield from _separations(model.names, infinite)
    if any(infinite):
        return
    yield from _flat(model)
    yield from _boundaries(model)
    if not fit.optimum.converged:
        yield _not_converged(model), ConvergenceWarning
    elif is_material(fit.shortfall):
        yield _inaccurate(fit), LaplaceWarning


def _missing_groups(model):
    if not model.names.factors:
        advice = (
            "Pass groups= to fit, or name the column in the constructor (in cross-validation "
            "without metadata routing, groups= goes to the splitter only)."
        )
        if model.reader.door.spec.formula is not None:
            advice = "Add a random-effects term to the formula, such as (1 | group)."
        yield (
            f"{model.reader.owner} was fitted without groups: fixed effects only.\n{advice}",
            GroupsWarning,
        )


def _dropped(model):
    """Columns that depend on others."""
    if not model.dropped:
        return
    what = "depends linearly on the columns before and was dropped"
    advice = "Its coefficient is set to 0; remove the column to silence this."
    if len(model.dropped) > 1:
        what = "depend linearly on the columns before and were dropped"
        advice = "Their coefficients are set to 0; remove the columns to silence this."
    names = ", ".join(map(repr, model.dropped))
    yield f"X: {names} {what}.\n{advice}", RankDeficiencyWarning


def _confounded(model):
    """Variances that are confounded with something else."""
    for f in model.fit.absent:
        source = "the fixed effects" if len(model.names.levels[f]) < 2 else "the residual"
        yield _unidentified(model, f, source)


def _by_chance(model):
    """Variances of which outcomes say nothing."""
    for f in model.fit.absent:
        chance = f"chance: {model.fit.n:g} observations (the sum of sample_weight)"
        source = "the fixed effects" if len(model.names.levels[f]) < 2 else chance
        yield _unidentified(model, f, source)


def _unidentified(model, f, source):
    count = len(model.names.levels[f])
    levels = "level" if count == 1 else "levels"
    return (
        f"{model.names.factors[f]}: its {count} {levels} cannot be told from {source}; its "
        "variance is set to 0.\nUse a grouping factor with several levels and repeated rows.",
        SingularFitWarning,
    )


def _separations(names, infinite):
    """Estimates that are infinite."""
    columns = [names.fixed[k + names.intercept] for k in infinite.columns]
    if columns:
        predict, the, its = "predicts", "column", "its coefficient"
        if len(columns) > 1:
            predict, the, its = "predict", "columns", "their coefficients"
        yield (
            f"X: {', '.join(map(repr, columns))} {predict} the outcome perfectly in some rows "
            "(separation); no finite estimate is best.\n"
            f"Drop the {the}, merge categories, set alpha=0.1 for a small ridge, or read {its} as "
            "very large.",
            SeparationWarning,
        )
    reasons = dict.fromkeys(infinite.homogeneous, "each of its levels has one outcome only")
    reasons |= dict.fromkeys(infinite.diverged, "its variance grows beyond all bounds")
    for f, reason in reasons.items():
        yield (
            f"{names.factors[f]}: {reason}; no finite variance is best.\n"
            "Use a grouping factor whose levels have both outcomes, or drop columns that predict "
            "the outcome perfectly.",
            SeparationWarning,
        )


def _flat(model):
    """Variances that are not identified."""
    names = model.names
    if flat := {names.factors[names.terms[k].factor] for k in model.fit.flat_terms}:
        yield (
            f"{', '.join(sorted(flat))}: some variances are not identified, the likelihood is flat "
            "along them.\nDrop a term: two of them describe the same thing, or a factor has too "
            "few rows per level.",
            SingularFitWarning,
        )


def _boundaries(model):
    """Variances that are zero."""
    terms = zip(model.names.terms, model.fit.interior, strict=True)
    for term, is_inside in terms:
        if term.factor not in model.fit.absent and not is_inside:
            yield (
                f"{model.names.factors[term.factor]}: a variance of ({', '.join(term.effects)}) is "
                "zero, or a correlation is 1 or -1.\nThat is an answer, not an error; a simpler "
                "random-effects term fits as well.",
                SingularFitWarning,
            )


def _not_converged(model):
    fit = model.fit
    if fit.is_degenerate:
        factors = ", ".join(model.names.factors)
        return (
            f"The residual variance goes to zero: {factors} and the fixed effects reproduce y.\n"
            "Check that y varies within the levels, and that no column is a copy of y."
        )
    stop = fit.optimum.stop
    return (
        f"The optimiser stopped early ({stop.words}, {fit.optimum.n_evaluations} evaluations).\n"
        f"{stop.advice}; the estimates are those of the last step."
    )


def is_material(shortfall) -> bool:
    """Whether too few quadrature points move the estimates."""
    if shortfall is None:
        return False
    return shortfall.shift > MATERIAL or abs(shortfall.loglik) > MATERIAL_LOGLIK


def _inaccurate(fit):
    """Without figures, so that the folds of a cross-validation say the same, and are told once."""
    side = "low" if fit.shortfall.loglik > 0 else "high"
    few = (
        f"{fit.points} quadrature points put" if fit.points > 1 else "Laplace's approximation puts"
    )
    return (
        f"{few} the log-likelihood too {side}: more points would move it, or an estimate, "
        "materially.\nUse n_quadrature='auto', or a larger number; diagnose(est) says by how much."
    )
