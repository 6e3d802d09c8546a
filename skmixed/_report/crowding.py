"""Terms with more random effects than rows: said before a search that may be long and in vain."""

from __future__ import annotations

import numpy as np

from .._data.checks import warn
from ..exceptions import SingularFitWarning

MOST = 50  # parameters of a covariance that a search finds soon, however few the rows


def refuse_boundless(reader, codes) -> None:
    """Refuse a term with more parameters than its covariances of rows can tell.

    Rows of one level have ``n_l (n_l + 1) / 2`` variances and covariances.

    Parameters
    ----------
    reader : knows the terms and the names of the factors
    codes : per factor, levels of the rows
    """
    for term, name, parameters in _large(reader):
        counts = np.bincount(codes[term.factor])
        entries = int(np.sum(counts * (counts + 1) // 2))
        if parameters > entries:
            raise ValueError(
                f"{name}: a covariance of {term.size} random effects has {parameters:,} "
                f"parameters, and rows of the same level have {entries:,} variances and "
                "covariances to tell them by.\n"
                "Drop columns from the term, or use covariance='diagonal'."
            )


def warn_of_crowding(reader, codes, n) -> None:
    """Warn of large terms with as many effects as the n observations, or more.

    Of small ones, whose search is short, the fit says what is not identified.
    """
    for term, name, _ in _large(reader):
        levels = len(np.unique(codes[term.factor]))
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
