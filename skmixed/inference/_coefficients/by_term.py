"""Joint tests of the coefficients of every term, as statsmodels prints them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from .contrasts import Coefficients


def combined(named: Mapping[str, np.ndarray], parts: Sequence[str]) -> dict[str, np.ndarray]:
    """Positions by term, and those of all terms together whose names have a part."""
    found = dict(named)
    for part in parts:
        own = [positions for name, positions in named.items() if part in name]
        if not own:
            raise ValueError(
                f"combine_terms: no term has {part!r} in its name.\nThey are {', '.join(named)}."
            )
        found[part] = np.concatenate(own)
    return found


def terms_tested(
    wald_test: Callable[[Any], Any],
    named: Mapping[str, np.ndarray],
    coefficients: Coefficients,
    skip_single: bool,
    extra: Sequence[Any],
) -> Any:
    """statsmodels' WaldTestResults: a row a term, then further hypotheses."""
    from statsmodels.stats.contrast import WaldTestResults  # takes long to import

    identity = np.eye(len(coefficients.names))
    wanted = {n: identity[p] for n, p in named.items() if len(p) > 1 or not skip_single}
    wanted |= {f"constraint {k + 1}": spec for k, spec in enumerate(extra)}
    rows = {}
    for name, spec in wanted.items():
        test = wald_test(spec)
        row = [float(test.statistic), float(test.pvalue)]
        degrees = [test.df_denom] if coefficients.is_normal else [test.df_num, test.df_denom]
        rows[name] = row + [int(degrees[0]), *degrees[1:]]
    columns = ["statistic", "pvalue", "df_constraint", "df_denom"]
    n = 3 if coefficients.is_normal else 4
    table = pd.DataFrame.from_dict(rows, orient="index", columns=columns[:n])
    return WaldTestResults(None, "chi2" if coefficients.is_normal else "F", None, table=table)
