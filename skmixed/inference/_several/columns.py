"""What a table of several models says of one of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ..._fit.model import FittedModel
from ..._report.summary import exponentiated
from .._coefficients.rules import generalised_coefficients, linear_coefficients
from .._describe.r_squared import r_squared
from .._describe.shares import correlations
from .._variances import VarianceEstimates

READ = {True: linear_coefficients, False: generalised_coefficients}
FIGURES = ["estimate", "std_error", "ci_low", "ci_high", "p_value"]


class Measure(NamedTuple):
    """A figure of the fit, with its number of decimals."""

    value: float
    decimals: int


class ModelColumn(NamedTuple):
    """One model.

    Attributes
    ----------
    coefficients, variances : FIGURES by name
    measures : figures of the fit by name
    method : how the coefficients were tested, where that is not the default
    """

    coefficients: pd.DataFrame
    variances: pd.DataFrame
    measures: dict[str, Measure]
    method: str


def column_of(
    est: Any, model: FittedModel, level: float, rule: tuple[str, str, Any], *, as_ratios: bool
) -> ModelColumn:
    """Of a fitted estimator."""
    found = READ[model.fit.family.has_residual](model, *rule)
    table = found.table(level)
    if as_ratios and model.fit.family.exponentiated_name:
        table = exponentiated(table)
    table = table.rename(columns={"coef": "estimate", "std_err": "std_error"})[FIGURES]
    return ModelColumn(table, _variances(model, level), _measures(est, model), found.method)


def _variances(model: FittedModel, level: float) -> pd.DataFrame:
    found = VarianceEstimates.of(model.fit)
    low, high = found.intervals(level)
    names = [_entry(*model.names.entry(*entry)) for entry in found.entries]
    names += ["Var(Residual)"] * (len(found.estimates) - len(names))
    figures = [found.estimates, found.std_errors, low, high, np.full(len(low), np.nan)]
    return pd.DataFrame(dict(zip(FIGURES, figures, strict=True)), index=names)


def _entry(factor, effect, other):
    if effect == other:
        return f"Var({effect} | {factor})"
    return f"Cov({effect}, {other} | {factor})"


def _measures(est: Any, model: FittedModel) -> dict[str, Measure]:
    fit = model.fit
    found = _known(_shares, model)
    if not model.has_estimator:
        found |= _known(_explained, est)
    found["Observations"] = Measure(fit.n, 0 if float(fit.n).is_integer() else 2)
    sizes = zip(model.names.factors, model.names.sizes, strict=True)
    found |= {f"Groups ({factor})": Measure(len(size), 0) for factor, size in sizes}
    restricted = "Log-likelihood (REML)" if fit.criterion.reml else "Log-likelihood"
    found[restricted] = Measure(fit.loglik, 2)
    if not model.has_estimator and fit.solver == "exact":  # else nobody knows it
        found["AIC"] = Measure(est.results_.aic, 2)
    return found


def _shares(model):
    shares = correlations(model)["icc"]
    return {f"ICC ({name})": Measure(value, 3) for name, value in shares.items()}


def _explained(est):
    found = r_squared(est)
    return {
        "R² marginal": Measure(found.marginal, 3),
        "R² conditional": Measure(found.conditional, 3),
    }


def _known(measures: Callable[[Any], dict[str, Measure]], of: Any) -> dict[str, Measure]:
    """Measures; none where they need rows of the fit that are not kept."""
    try:
        return measures(of)
    except AttributeError:
        return {}
