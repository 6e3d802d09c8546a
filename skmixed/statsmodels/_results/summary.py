"""The printed summary, in statsmodels' arrangement."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

TITLE = "Mixed Linear Model Regression Results"


def print_summary(
    results: Any, yname: str | None, names: list[str], title: str | None, alpha: float
) -> Any:
    """A Summary of ``statsmodels.iolib.summary2``."""
    from statsmodels.iolib.summary2 import Summary

    out = Summary()
    out.add_dict(_header(results, yname or results.model.endog_names))
    out.add_title(TITLE if title is None else title)
    out.add_df(_coefficients(results, names, alpha), align="r")
    return out


def _header(results: Any, yname: str) -> dict[str, Any]:
    sizes = results.model.group_sizes
    return {
        "Model:": "MixedLM",
        "No. Observations:": str(results.nobs),
        "No. Groups:": str(len(sizes)),
        "Min. group size:": f"{np.min(sizes)}",
        "Max. group size:": f"{np.max(sizes)}",
        "Mean group size:": f"{np.mean(sizes):.1f}",
        "Dependent Variable:": yname,
        "Method:": results.method,
        "Scale:": results.scale,
        "Log-Likelihood:": results.llf,
        "Converged:": "Yes" if results.converged else "No",
    }


def _coefficients(results: Any, names: list[str], alpha: float) -> pd.DataFrame:
    """Fixed effects with their tests, variances with their standard errors."""
    k = results.k_fe
    table = pd.DataFrame(np.nan, index=names, columns=_titles(alpha))
    cov_re = np.asarray(results.cov_re)
    variances = np.concatenate([cov_re[np.tril_indices(len(cov_re))], results.vcomp])
    table.iloc[:, 0] = np.concatenate([np.asarray(results.fe_params), variances])
    table.iloc[:, 1] = np.concatenate([results.bse_fe, results.bse_re])
    z = table.iloc[:k, 0] / table.iloc[:k, 1]
    half = stats.norm.isf(alpha / 2.0) * table.iloc[:k, 1]
    table.iloc[:k, 2] = z
    table.iloc[:k, 3] = 2.0 * stats.norm.sf(np.abs(z))
    table.iloc[:k, 4] = table.iloc[:k, 0] - half
    table.iloc[:k, 5] = table.iloc[:k, 0] + half
    return table.map(lambda value: f"{value:.3f}" if np.isfinite(value) else "")


def _titles(alpha: float) -> list[str]:
    return ["Coef.", "Std.Err.", "z", "P>|z|", f"[{alpha / 2}", f"{1 - alpha / 2}]"]
