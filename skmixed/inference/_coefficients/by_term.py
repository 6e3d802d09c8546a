"""Joint tests of the coefficients of every term, as statsmodels prints them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from .contrasts import Coefficients

Named = list[tuple[str, np.ndarray]]


def combined(named: Mapping[str, np.ndarray], parts: Sequence[str]) -> Named:
    """Positions by term, and those of all terms together whose names have a part."""
    found = list(named.items())
    for part in parts:
        own = [positions for name, positions in named.items() if part in name]
        if not own:
            raise ValueError(
                f"combine_terms: no term has {part!r} in its name.\nThey are {', '.join(named)}."
            )
        found.append((part, np.concatenate(own)))
    return found


def terms_tested(
    wald_test: Callable[[Any], Any],
    named: Named,
    coefficients: Coefficients,
    skip_single: bool,
    extra: Sequence[Any],
) -> Any:
    """statsmodels' WaldTestResults: a row a term, then further hypotheses."""
    from statsmodels.stats.contrast import WaldTestResults  # takes long to import

    identity = np.eye(len(coefficients.names))
    wanted = [(n, identity[p]) for n, p in named if len(p) > 1 or not skip_single]
    wanted += [(f"constraint {k + 1}", spec) for k, spec in enumerate(extra)]
    rows = [_row(wald_test(spec), coefficients.is_normal) for _, spec in wanted]
    columns = ["statistic", "pvalue", "df_constraint", "df_denom"]
    n = 3 if coefficients.is_normal else 4
    table = pd.DataFrame(rows, index=[name for name, _ in wanted], columns=columns[:n])
    return WaldTestResults(None, "chi2" if coefficients.is_normal else "F", None, table=table)


def _row(test, is_normal):
    """Statistic, p-value and degrees of freedom."""
    found = [float(test.statistic), float(test.pvalue)]
    return [*found, int(test.df_denom)] if is_normal else [*found, int(test.df_num), test.df_denom]
