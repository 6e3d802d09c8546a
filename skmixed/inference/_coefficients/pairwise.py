"""All differences between the levels of a categorical variable."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np


class Coding(NamedTuple):
    """How a categorical variable enters.

    Attributes
    ----------
    levels : its levels
    matrix : (levels, columns), what the coefficients are multiplied by at each
    positions : (columns,) of the coefficients
    """

    levels: list[Any]
    matrix: np.ndarray
    positions: np.ndarray


def pairwise_tests(
    t_test: Callable[[np.ndarray], Any],
    coding: Coding,
    n_coefficients: int,
    method: str | Sequence[str],
    alpha: float,
    labels: Sequence[str] | None = None,
) -> Any:
    """A row a pair, later levels less earlier ones, with p-values corrected for their number:
    statsmodels' MultiCompResult.
    """
    from statsmodels.stats.contrast import MultiCompResult  # takes long to import
    from statsmodels.stats.multitest import multipletests

    names = list(map(str, coding.levels if labels is None else labels))
    if len(names) != len(coding.levels):
        raise ValueError(
            f"factor_labels has {len(names)} names for {len(coding.levels)} levels.\n"
            f"Name {', '.join(map(str, coding.levels))}."
        )
    pairs = list(combinations(range(len(names)), 2))
    contrasts = np.zeros((len(pairs), n_coefficients))
    for row, (first, second) in zip(contrasts, pairs, strict=True):
        row[coding.positions] = coding.matrix[second] - coding.matrix[first]
    called = [f"{names[second]}-{names[first]}" for first, second in pairs]
    found = t_test(contrasts)
    frame = found.summary_frame(xname=called)
    for name in [method] if isinstance(method, str) else method:
        rejected, corrected = multipletests(found.pvalue, alpha=alpha, method=name)[:2]
        frame[f"pvalue-{name}"] = corrected
        frame[f"reject-{name}"] = rejected
    return MultiCompResult(
        result_frame=frame,
        contrasts=contrasts,
        term=None,
        contrast_labels=called,
        term_encoding_matrix=coding.matrix,
    )
