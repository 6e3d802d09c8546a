"""What a user should look at after a fit, in words: pairs of a message and the category of its warning."""

from __future__ import annotations

import numpy as np

from .exceptions import (
    ConvergenceWarning,
    LaplaceWarning,
    RankDeficiencyWarning,
    SeparationWarning,
    SingularFitWarning,
)

MATERIAL = 0.25  # shift of the estimates by Laplace, in standard errors, that is worth a warning
DIVERGED = 225.0  # variance of the log-odds: typical levels differ by a factor of e^15 in their odds


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


def logistic_problems(fit, labels, separated, homogeneous):
    """What a user should look at after a logistic fit.

    ``separated`` names the fixed effects that predict the outcome perfectly, ``homogeneous`` are the factors each of
    whose levels has one outcome only.
    """
    yield from _dropped(fit, labels)
    for f in fit.absent:
        yield _single_outcomes(labels, f), SingularFitWarning
    yield from ((message, SingularFitWarning) for message in _boundaries(fit, labels))
    yield from ((message, SeparationWarning) for message in _separations(fit, labels, separated, homogeneous))
    if not fit.optimum.converged and not separated:
        yield _stopped_early(fit), ConvergenceWarning
    elif fit.laplace_shift > MATERIAL:
        error = fit.laplace_error.loglik
        yield (
            f"The Laplace approximation puts the log-likelihood {abs(error):.2g} too {'low' if error > 0 else 'high'}; "
            f"seven quadrature points would move the estimates by {fit.laplace_shift:.1f} standard errors.\n"
            "Use n_quadrature=7, or more until the log-likelihood stays the same.",
            LaplaceWarning,
        )


def _single_outcomes(labels, f):
    source = "the intercept" if len(labels.levels[f]) < 2 else "chance: there is one observation in each"
    return (
        f"{labels.factors[f]}: its {len(labels.levels[f])} level(s) cannot be told from {source}; "
        "its variance is set to 0.\nUse a grouping factor with several levels and repeated rows."
    )


def _separations(fit, labels, separated, homogeneous):
    """Estimates that are infinite."""
    if separated:
        yield (
            f"X: {', '.join(map(repr, separated))} predicts the outcome perfectly in some rows (separation); "
            "no finite estimate is best.\nDrop the column, merge categories, or read its coefficient as very large."
        )
    diverged = {b.factor for b, T in zip(fit.model.blocks, fit.T, strict=True) if np.max(np.diag(T)) > DIVERGED}
    for f in sorted({*homogeneous, *diverged}):
        reason = (
            "each of its levels has one outcome only" if f in homogeneous else "its variance grows beyond all bounds"
        )
        yield (
            f"{labels.factors[f]}: {reason}; its effects may have no finite variance that is best.\n"
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
        "Raise max_iter, or simplify the random effects; the estimates are those of the last step."
    )
