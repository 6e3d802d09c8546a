"""Terms with more random effects than rows: said before a search that may be long and in vain."""

from __future__ import annotations

import numpy as np

from .._data.checks import warn
from ..exceptions import SingularFitWarning

MOST = 50  # parameters of a covariance that a search finds soon, however few the rows


def refuse_boundless(terms, factors, codes) -> None:
    """Refuse a term with more parameters than its covariances of rows can tell.

    Rows of one level have ``n_l (n_l + 1) / 2`` variances and covariances.

    Parameters
    ----------
    terms : by positions
    factors : their names
    codes : per factor, levels of the rows
    """
    for term in terms:
        counts = np.bincount(codes[term.factor])
        entries = int(np.sum(counts * (counts + 1) // 2))
        parameters = term.structure.n_parameters
        if parameters > max(entries, MOST):
            raise ValueError(
                f"{factors[term.factor]}: a covariance of {term.size} random effects has "
                f"{parameters:,} parameters, and rows of the same level have {entries:,} variances "
                "and covariances to tell them by.\nDrop columns from the term, or use "
                "covariance='diagonal'."
            )


def warn_of_crowding(terms, factors, codes, n) -> None:
    """Warn of terms with as many effects as the n observations, or more, if they are a long
    search; of the others the fit says what is not identified.
    """
    for term in terms:
        levels = len(np.unique(codes[term.factor]))
        effects = levels * term.size
        if effects >= n and term.structure.n_parameters > MOST:
            warn(
                f"{factors[term.factor]}: {effects:,} random effects ({levels:,} levels of "
                f"{term.size}) for {n:,.10g} observations: their variances and the residual "
                "variance are not identified, and the search may be long.\n"
                "Drop columns from the term, or add rows.",
                SingularFitWarning,
            )
