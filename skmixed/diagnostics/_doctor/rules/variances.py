"""Variances: at zero, correlated perfectly, not told apart, or approximated too coarsely."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from ...._report.problems import is_material
from ....inference._variances import VarianceEstimates
from ..examination import Examination
from ..signs import NOTE, PROBLEM, Sign, Signs, place

ZERO = 1e-7  # of the largest of a term, or of the residual variance
PERFECT = 0.999
TRADED = -0.95  # correlation of two estimated variances
SAME = 0.85  # share of pairs of rows that two factors put together alike


def _terms(exam):
    """Per term that is identified its factor, effects and covariance."""
    fit = exam.fit
    for k, (term, S) in enumerate(zip(exam.model.names.terms, fit.covariances, strict=True)):
        if term.factor not in fit.absent:
            yield exam.model.names.factors[term.factor], term.effects, S, fit.T[k]


def variance_at_zero(exam: Examination) -> Signs:
    """Variances that are estimated as zero."""
    for factor, effects, S, T in _terms(exam):
        small = np.diag(T) <= ZERO
        if not np.any(small):
            continue
        zero = effects if np.all(small) else _without_variance(exam, effects, S)
        if zero:
            yield Sign(factor, f"The variance of ({', '.join(zero)}) by {factor} is zero.", NOTE)


def _without_variance(exam, effects, S):
    units = [1.0, *(_spread(exam, name) for name in effects if name != "Intercept")]
    own = units if effects[0] == "Intercept" else units[1:]
    sizes = np.diag(S) * np.square(own)
    least = ZERO * max(np.max(sizes), exam.fit.sigma2)
    return [name for name, size in zip(effects, sizes, strict=True) if size <= least]


def _spread(exam, name):
    return np.std(exam.X[:, exam.model.reader.names.index(name)])


def correlation_at_one(exam: Examination) -> Signs:
    """Effects that are one effect: a covariance that is singular, whatever the origin."""
    for factor, effects, _, T in _terms(exam):
        sizes = np.diag(T)
        inside = sizes > ZERO
        if np.sum(inside) < 2:
            continue
        deviations = np.sqrt(sizes[inside])
        R = T[np.ix_(inside, inside)] / np.outer(deviations, deviations)
        if np.linalg.eigvalsh(R)[0] < 1.0 - PERFECT:
            slopes = [name for name in effects if name != "Intercept"]
            yield Sign(
                place(factor, *slopes[:1]),
                f"({', '.join(effects)}) by {factor}: a correlation is 1 or -1.",
            )


def flat_likelihood(exam: Examination) -> Signs:
    """Variances of which only a combination is known."""
    names = exam.model.names
    flat = {names.factors[names.terms[k].factor] for k in exam.fit.flat_terms}
    if flat:
        yield Sign(
            place(*sorted(flat)), "The likelihood does not change along their variances.", PROBLEM
        )
        return
    for one, other in combinations(exam.factors, 2):
        if (likeness := _likeness(one, other)) > SAME:
            yield Sign(
                f"{one.name}, {other.name}",
                f"{100 * likeness:.0f} % of the pairs of rows that one of them puts together are "
                "together in the other.",
                PROBLEM,
            )
            return
    yield from _traded(exam)


def _likeness(one, other):
    """Jaccard's index of the pairs of rows of the same level."""
    cells = np.unique(one.codes.astype(np.int64) * other.n_levels + other.codes, return_counts=True)
    both, first, second = (float(np.sum(m * (m - 1.0))) for m in (cells[1], one.sizes, other.sizes))
    return both / max(first + second - both, 1.0)


def _traded(exam):
    """Variances whose estimates are correlated perfectly."""
    found = VarianceEstimates.of(exam.fit)
    errors = np.sqrt(np.diag(found.covariance))
    with np.errstate(invalid="ignore", divide="ignore"):
        R = found.covariance / np.outer(errors, errors)
    terms = [term if row == col else None for term, row, col in found.entries]
    terms += [-1] * (len(found.estimates) - len(terms))
    for a, b in combinations(range(len(terms)), 2):
        are_variances = None not in (terms[a], terms[b]) and terms[a] != terms[b]
        if are_variances and R[a, b] < TRADED:
            names = [_factor(exam, terms[k]) for k in (a, b)]
            yield Sign(
                place(*names),
                f"Estimates of the variances of {names[0]} and {names[1]} are correlated by "
                f"{R[a, b]:.3f}.",
                PROBLEM,
            )
            return


def _factor(exam, term):
    names = exam.model.names
    return "residual" if term < 0 else names.factors[names.terms[term].factor]


def laplace_error(exam: Examination) -> Signs:
    """Fewer quadrature points than needed."""
    if exam.is_linear or not is_material(exam.fit.shortfall):
        return
    error = exam.fit.shortfall
    yield Sign(
        place(*exam.model.names.factors),
        f"{exam.fit.points} quadrature point{'s' * (exam.fit.points != 1)}: {error.points} would "
        f"move an estimate by about {error.shift:.2g} standard errors, and the log-likelihood by "
        f"about {error.loglik:.2g}.",
    )
