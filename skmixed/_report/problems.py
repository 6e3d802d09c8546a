"""What a user should look at after a fit, in words: pairs of a message and the category of its
warning.
"""

from __future__ import annotations

from ..exceptions import (
    ConvergenceWarning,
    LaplaceWarning,
    RankDeficiencyWarning,
    SeparationWarning,
    SingularFitWarning,
)

ADVICE = {
    "max_iter reached": "Raise max_iter, or simplify the random effects",
    "degenerate": "All outcomes are predicted perfectly: drop columns or random effects",
    None: "The likelihood is too flat to certify an optimum: simplify the random effects",
}
MATERIAL = 0.25  # shift of the estimates by Laplace, in standard errors, that is worth a warning


def linear_problems(fit, labels):
    """What a user should look at after a linear fit: pairs of message and category."""
    yield from _dropped(fit, labels)
    if fit.n <= fit.rank:
        yield (
            f"{fit.n:.3g} observations (the sum of sample_weight) for {fit.rank} coefficients: no variance is left.\n"
            "Add rows or drop columns; weights count repetitions.",
            SingularFitWarning,
        )
    else:
        yield from ((message, SingularFitWarning) for message in _confounded(fit, labels))
        yield from ((message, SingularFitWarning) for message in _boundaries(fit, labels))
    if not fit.optimum.converged:
        yield _not_converged(fit, labels), ConvergenceWarning


def logistic_problems(fit, labels, infinite):
    """What a user should look at after a logistic fit; ``infinite`` is what has no finite
    estimate."""
    yield from _dropped(fit, labels)
    for f in fit.absent:
        yield _single_outcomes(fit, labels, f), SingularFitWarning
    yield from ((message, SeparationWarning) for message in _separations(labels, infinite))
    if any(infinite):
        return
    yield from (
        (message, SingularFitWarning)
        for message in (*_flat(fit, labels), *_boundaries(fit, labels))
    )
    if not fit.optimum.converged:
        yield _stopped_early(fit), ConvergenceWarning
    elif fit.laplace_shift > MATERIAL:
        error = fit.laplace_error.loglik
        yield (
            f"The Laplace approximation puts the log-likelihood about {abs(error):.2g} too "
            f"{'low' if error > 0 else 'high'}; seven quadrature points would move the estimates by about "
            f"{fit.laplace_shift:.1f} standard errors.\n"
            "Use n_quadrature=7, or more until the log-likelihood stays the same.",
            LaplaceWarning,
        )


def _single_outcomes(fit, labels, f):
    """Why the variance of a factor cannot be estimated."""
    levels = len(labels.levels[f])
    source = (
        "the intercept"
        if levels < 2
        else f"chance: {fit.n:g} observations (the sum of sample_weight)"
    )
    return (
        f"{labels.factors[f]}: its {levels} level(s) cannot be told from {source}; its variance is set to 0.\n"
        "Use a grouping factor with several levels and repeated rows."
    )


def _separations(labels, infinite):
    """Estimates that are infinite."""
    names = [labels.fixed[k + labels.intercept] for k in infinite.columns]
    if names:
        yield (
            f"X: {', '.join(map(repr, names))} predicts the outcome perfectly in some rows (separation); "
            "no finite estimate is best.\nDrop the column, merge categories, or read its coefficient as very large."
        )
    reasons = dict.fromkeys(infinite.homogeneous, "each of its levels has one outcome only")
    reasons |= dict.fromkeys(infinite.diverged, "its variance grows beyond all bounds")
    for f, reason in reasons.items():
        yield (
            f"{labels.factors[f]}: {reason}; no finite variance is best.\n"
            "Use a grouping factor whose levels have both outcomes, or drop columns that predict the outcome perfectly."
        )


def _confounded(fit, labels):
    """Variances that are confounded with something else, or not identified."""
    for f in fit.absent:
        source = "the intercept" if len(labels.levels[f]) < 2 else "the residual"
        yield (
            f"{labels.factors[f]}: its {len(labels.levels[f])} levels cannot be told from {source}; "
            "its variance is set to 0.\nUse a grouping factor with several levels and repeated rows."
        )
    yield from _flat(fit, labels)


def _flat(fit, labels):
    """Variances that are not identified."""
    if flat := {labels.factors[labels.terms[k][0]] for k in fit.flat_terms}:
        yield (
            f"{', '.join(sorted(flat))}: some variances are not identified, the likelihood is flat along them.\n"
            "Drop a term: two of them describe the same thing, or a factor has too few rows per level."
        )


def _boundaries(fit, labels):
    """Variances that are zero."""
    for k, (block, T) in enumerate(zip(fit.model.blocks, fit.optimum.point, strict=False)):
        if labels.terms and block.factor not in fit.absent and not block.structure.is_interior(T):
            factor, _, effects = labels.terms[k]
            which = f"{labels.factors[factor]}: a variance of ({', '.join(effects)})"
            yield (
                f"{which} is zero, or a correlation is 1 or -1.\n"
                "That is an answer, not an error; a simpler random-effects term fits as well."
            )


def _dropped(fit, labels):
    """Columns that depend on others."""
    names = [n for k, n in enumerate(labels.fixed) if k not in set(fit.design.kept.tolist())]
    if names:
        yield (
            f"X: {', '.join(map(repr, names))} depends linearly on the columns before and was dropped.\n"
            "Its coefficient is set to 0; remove the column to silence this.",
            RankDeficiencyWarning,
        )


def _not_converged(fit, labels):
    if fit.is_degenerate:
        return (
            f"The residual variance goes to zero: {', '.join(labels.factors)} and the fixed effects reproduce y.\n"
            "Check that y varies within the levels, and that no column is a copy of y."
        )
    return _stopped_early(fit)


def _stopped_early(fit):
    return (
        f"The optimiser stopped early ({fit.optimum.message}, {fit.optimum.n_evaluations} evaluations).\n"
        f"{ADVICE.get(fit.optimum.message, ADVICE[None])}; the estimates are those of the last step."
    )
