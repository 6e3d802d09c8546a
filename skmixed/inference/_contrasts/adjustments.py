"""Corrections of p-values and limits for the number of comparisons in a family.

Each is one small class, an entry of :data:`ADJUSTMENTS`: p-values of all contrasts together, and
the multiple of the standard error that limits are away.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
from scipy import stats

from .studentized import range_isf, range_sf


class Family(NamedTuple):
    """Contrasts that are tested together.

    Attributes
    ----------
    contrasts : their number
    means : number of the means they compare
    is_pairwise : whether they are differences of pairs
    """

    contrasts: int
    means: int
    is_pairwise: bool


class Adjustment(Protocol):
    """A correction."""

    words: str

    def p_values(self, t: np.ndarray, df: np.ndarray, family: Family) -> np.ndarray:
        """Corrected p-values."""

    def critical(self, level: float, df: np.ndarray, family: Family) -> np.ndarray:
        """How many standard errors the limits are away."""


def two_sided(t: np.ndarray, df: np.ndarray) -> np.ndarray:
    """p-values of t statistics."""
    return 2.0 * stats.t.sf(np.abs(t), df)


class Unadjusted:
    """Every comparison on its own."""

    words = "not adjusted"

    def p_values(self, t, df, family):
        """p-values of t."""
        return two_sided(t, df)

    def critical(self, level, df, family):
        """Quantiles of t."""
        return stats.t.isf((1.0 - level) / 2.0, df)


class Corrected:
    """Corrections of statsmodels' ``multipletests``; ``share`` is what a comparison has of the
    error that limits may make together.
    """

    def __init__(self, method, words, share):
        self.method = method
        self.words = words
        self.share = share

    def p_values(self, t, df, family):
        """Corrected p-values."""
        from statsmodels.stats.multitest import multipletests  # takes long to import

        return multipletests(two_sided(t, df), method=self.method)[1]

    def critical(self, level, df, family):
        """Quantiles of t."""
        return stats.t.isf(self.share(1.0 - level, family.contrasts) / 2.0, df)


class Tukey:
    """The studentised range: all pairs of means."""

    words = "adjusted by Tukey's method"

    def p_values(self, t, df, family):
        """Of the range of so many means."""
        self._check(family)
        if family.means <= 2:
            return two_sided(t, df)
        return range_sf(np.sqrt(2.0) * np.abs(t), family.means, df)

    def critical(self, level, df, family):
        """Quantiles of the range."""
        if family.means <= 2:
            return stats.t.isf((1.0 - level) / 2.0, df)
        return range_isf(1.0 - level, family.means, df) / np.sqrt(2.0)

    def _check(self, family):
        if not family.is_pairwise:
            raise ValueError(
                "adjust='tukey' is for all pairs of means, and these are other contrasts.\n"
                "Use adjust='holm' or 'sidak', or contrasts('pairwise')."
            )


def _bonferroni(alpha, m):
    return alpha / m


#: by the names that a user may give
ADJUSTMENTS: dict[str, Adjustment] = {
    "none": Unadjusted(),
    "holm": Corrected("holm", "adjusted by Holm's method, limits by Bonferroni's", _bonferroni),
    "bonferroni": Corrected("bonferroni", "adjusted by Bonferroni's method", _bonferroni),
    "tukey": Tukey(),
    "sidak": Corrected(
        "sidak", "adjusted by Sidak's method", lambda a, m: -np.expm1(np.log1p(-a) / m)
    ),
    "fdr": Corrected(
        "fdr_bh",
        "adjusted for the false discovery rate (Benjamini and Hochberg), limits not",
        lambda alpha, m: alpha,
    ),
}


def in_words(adjust: str, families: Sequence[tuple[np.ndarray, Family]]) -> str:
    """What p-values and limits are corrected for, in a sentence."""
    counts = sorted({family.contrasts for _, family in families if family.contrasts}) or [0]
    n = sum(family.contrasts > 0 for _, family in families)
    count = " to ".join(map(str, dict.fromkeys([counts[0], counts[-1]])))
    each = f" in each of {n} families" if n > 1 else ""
    plural = "" if counts[-1] == 1 else "s"
    return f"p-values and limits: {ADJUSTMENTS[adjust].words}, {count} comparison{plural}{each}."
