"""Variances of log-odds as odds ratios.

Of two levels of a factor drawn at random, whose effects are normal with variance s, the odds of the
higher one are those of the lower one times ``exp(|d|)``, d normal with variance 2 s; the median of
that ratio is

    ratio = exp(sqrt(2 s) z),      z = Phi^-1(0.75) = 0.6745.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pandas as pd
from scipy import stats

from ..._data.checks import check_choice, check_level
from ..._report.tables import WholeTable
from .._arguments import fitted_model
from .._profile.profile import profile_limits
from .._variances import VarianceEstimates

COLUMNS = ["median_odds_ratio", "std_error", "ci_low", "ci_high"]
QUARTILE = float(stats.norm.ppf(0.75))


def median_odds_ratio(
    est: Any, level: float = 0.95, *, method: Literal["wald", "profile"] = "wald"
) -> pd.DataFrame:
    """How much the levels of each factor differ, as an odds ratio.

    ``exp(sqrt(2 s) 0.6745)`` with the variance s of the intercepts of the factor's levels: the
    median, over pairs of levels, of the odds of a row in the level with the higher odds over those
    of the same row in the other one (Larsen and Merlo 2005).  1 where levels do not differ; on the
    scale of the odds ratios of the fixed effects.

    Parameters
    ----------
    est : MixedLogisticClassifier
        Fitted, with random intercepts; of factors with slopes the intercept's variance counts: that
        of rows whose columns with slopes are zero.
    level : float, default=0.95
        Of the confidence limits.
    method : {"wald", "profile"}, default="wald"
        Limits of the variances, which are transformed: on the log scale, or by the profile
        likelihood, which needs the training rows.

    Returns
    -------
    DataFrame
        ``median_odds_ratio, std_error, ci_low, ci_high`` by factor; standard errors by the delta
        method.

    Raises
    ------
    ValueError
        For a model without odds, unknown methods and levels that are no probability.

    References
    ----------
    Larsen and Merlo (2005), Appropriate assessment of neighborhood effects on individual health,
    American Journal of Epidemiology 161.

    Examples
    --------
    >>> from skmixed import MixedLogisticClassifier
    >>> from skmixed.datasets import make_mixed_classification
    >>> from skmixed.inference import median_odds_ratio
    >>> X, y = make_mixed_classification(random_state=0)
    >>> median_odds_ratio(MixedLogisticClassifier(groups="group").fit(X, y)).round(2)
           median_odds_ratio  std_error  ci_low  ci_high
    group                2.0       0.26    1.61     2.73
    """
    model = fitted_model(est)
    check_level(level)
    check_choice("method", method, ("wald", "profile"))
    fit = model.fit
    if getattr(fit.family, "exponentiated_name", None) != "odds ratio":
        raise ValueError(
            f"median_odds_ratio: a {fit.family.name} model has no odds.\n"
            "Fit a MixedLogisticClassifier, or use icc for shares of the variance."
        )
    found = VarianceEstimates.of(fit)
    low, high = found.intervals(level) if method == "wald" else profile_limits(fit, level)
    names = [model.names.entry(*entry) for entry in found.entries]
    places = [e for e, (_, *effects) in enumerate(names) if effects == ["Intercept"] * 2]
    variances = found.estimates[places]
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        ratio, *limits = (_ratio(v) for v in (variances, low[places], high[places]))
        errors = ratio * QUARTILE / np.sqrt(2.0 * variances) * found.std_errors[places]
    columns = zip(COLUMNS, (ratio, errors, *limits), strict=True)
    return WholeTable(pd.DataFrame(dict(columns), index=[names[e][0] for e in places]))


def _ratio(variances):
    return np.exp(np.sqrt(2.0 * variances) * QUARTILE)
