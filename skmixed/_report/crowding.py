"""Terms with more random effects than rows: said before a search that may be long and in vain."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .._data.checks import warn
from ..exceptions import SingularFitWarning

EMPTY = 1e-12  # mean square of an effect's standardised column that is nothing
MOST = 50  # parameters of a covariance that a search finds soon, however few the rows

Counts = Callable[[int], np.ndarray]


def refuse_boundless(reader, counts: Counts) -> None:
    """Refuse a term with more parameters than its covariances of rows can tell.

    Rows of one level have ``n_l (n_l + 1) / 2`` variances and covariances.

    Parameters
    ----------
    reader : knows the terms and the names of the factors
    counts : rows of every level of a factor
    """
    for term, name, parameters in _large(reader):
        rows = counts(term.factor)
        entries = int(np.sum(rows * (rows + 1) // 2))
        if parameters > entries:
            raise ValueError(
                f"{name}: a covariance of {term.size} random effects has {parameters:,} "
                f"parameters, and rows of the same level have {entries:,} variances and "
                "covariances to tell them by.\n"
                "Drop columns from the term, or use covariance='diagonal'."
            )


def refuse_prior(reader, design, prior, *, restricted) -> None:
    """Refuse a prior of covariances where none is best.

    The likelihood of J levels falls like the density rises to the power J, J - 1 where restricted;
    of an effect whose column is empty it says nothing.
    """
    if prior is None:
        return
    least = 3 if restricted else 2
    sizes = np.diag(design.products[0]) / design.products[1]
    for f, (factor, columns) in enumerate(zip(reader.factors, design.frame.effects, strict=True)):
        if len(columns) and factor.n_levels < least:
            raise ValueError(_too_few_levels(prior, factor.name, factor.n_levels, restricted))
        for name, column in zip(reader.effect_names(f), columns, strict=True):
            if sizes[column] < EMPTY:
                raise ValueError(
                    f"covariance_prior={prior!r}: nothing tells the effect of {name!r} in "
                    f"{factor.name}, a column that does not vary.\n"
                    "Drop it from the random effects, or use covariance_prior=None."
                )


def _too_few_levels(prior, name, levels, restricted):
    least = 3 if restricted else 2
    advice = " or method='ml'" if restricted and levels == least - 1 else ""
    return (
        f"covariance_prior={prior!r}: {name} has {levels} level{'s' * (levels > 1)}, with "
        "which no variance is best: the larger the better.\n"
        f"Use covariance_prior=None{advice}, or a factor with {least} levels or more."
    )


def counted(codes) -> Counts:
    """Rows of every level of a factor, from the codes per factor."""
    return lambda f: np.bincount(codes[f])


def warn_of_crowding(reader, counts: Counts, n) -> None:
    """Warn of large terms with as many effects as the n observations, or more.

    Of small ones, whose search is short, the fit says what is not identified.
    """
    for term, name, _ in _large(reader):
        levels = np.count_nonzero(counts(term.factor))
        effects = levels * term.size
        if effects >= n:
            warn(
                f"{name}: {effects:,} random effects ({levels:,} levels of {term.size}) for "
                f"{n:,.10g} observations: their variances and the residual variance are not "
                "identified, and the search may be long.\n"
                "Drop columns from the term, or add rows.",
                SingularFitWarning,
            )


def _large(reader):
    """Terms whose search may be long, with the names of their factors and their parameters."""
    for term in reader.terms:
        parameters = term.structure.n_parameters
        if parameters > MOST:
            yield term, reader.factor_names[term.factor], parameters
