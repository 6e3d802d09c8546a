"""Standard errors and degrees of freedom of what follows from a fit, by the rules of ``df`` and
``cov``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from ..._fit.model import FittedModel
from ..._fit.uncertainty import Estimates, Uncertainty
from .._coefficients.clusters import find_clusters
from .._coefficients.contrasts import Coefficients
from .._coefficients.robust_scores import SCALES, robust_joint
from .._coefficients.rules import (
    DEGREES_OF_FREEDOM,
    check_generalised,
    check_penalised,
    check_rule,
    constant_df,
    linear_coefficients,
    robust_words,
)

ALL_ALIKE = ("normal", "residual")  # rules that need nothing but the model's own covariance


class Errors(Protocol):
    """How estimates are distributed.

    Attributes
    ----------
    words : how that was found, in sentences, where it is not the default
    """

    words: str

    def covariance(self, estimates: Estimates) -> np.ndarray:
        """Covariance matrix."""

    def std_errors(self, estimates: Estimates) -> np.ndarray:
        """Standard errors."""

    def df(self, estimates: Estimates) -> np.ndarray:
        """Degrees of freedom of each."""


@dataclass(frozen=True, eq=False)
class ByDelta:
    """The delta method, with the same degrees of freedom for everything."""

    uncertainty: Uncertainty
    constant: float
    words: str = ""

    def covariance(self, estimates):
        """Covariance matrix."""
        return self.uncertainty.covariances(estimates)

    def std_errors(self, estimates):
        """Standard errors."""
        return np.sqrt(self.uncertainty.variances(estimates))

    def df(self, estimates):
        """The same for each."""
        return np.full(len(estimates.values), float(self.constant))


@dataclass(frozen=True, eq=False)
class ByRule:
    """A rule for contrasts of the fixed effects of a linear model; ``unit`` is that of y."""

    coefficients: Coefficients
    unit: float

    @property
    def words(self):
        """How it was done."""
        return self.coefficients.method

    def _rows(self, estimates):
        return self.unit * estimates.parameters

    def covariance(self, estimates):
        """Covariance matrix."""
        rows = self._rows(estimates)
        return rows @ self.coefficients.rule.covariance @ rows.T

    def std_errors(self, estimates):
        """Standard errors."""
        return self.coefficients.row_errors(self._rows(estimates))

    def df(self, estimates):
        """Of each; NaN for what has no variance."""
        found = np.full(len(estimates.values), np.nan)
        rows = self._rows(estimates)
        vary = np.any(rows != 0.0, axis=1)
        if np.any(vary):
            found[vary] = self.coefficients.rule.df(rows[vary])
        return found


@dataclass(frozen=True, eq=False)
class Unknown:
    """Of a fixed part that is another estimator: it does not say how well it is known."""

    words: str = "No standard errors: the estimator that is the fixed part has none."

    def covariance(self, estimates):
        """NaN between all."""
        return np.full((len(estimates.values), len(estimates.values)), np.nan)

    def std_errors(self, estimates):
        """NaN for each."""
        return np.full(len(estimates.values), np.nan)

    df = std_errors


def errors_of(
    model: FittedModel, df: str, cov: str, clusters: Any, *, has_levels: bool = False
) -> Errors:
    """The errors of estimates; ``has_levels`` says whether estimated effects are part of them."""
    check_rule(df, cov, clusters)
    check_penalised(model.fit, df, cov)
    if model.has_estimator:
        return Unknown()
    if not model.fit.family.has_residual:
        return _generalised(model, df, cov, clusters)
    if cov == "model" and df in ALL_ALIKE:
        return _delta(model, df)
    if has_levels:
        name, value = ("df", df) if df not in ALL_ALIKE else ("cov", cov)
        raise ValueError(
            f"{name}={value!r} is about fixed effects, and kind='conditional' has the estimated "
            "effects of levels too.\n"
            "Use df='normal' with cov='model', or kind='marginal'."
        )
    return ByRule(linear_coefficients(model, df, cov, clusters), model.fit.units.response)


def chosen_errors(model: FittedModel, *, has_levels: bool) -> Errors:
    """Satterthwaite's where there are such; those of the residuals where the variances have no
    standard errors.
    """
    if has_levels or not model.fit.family.has_residual:
        return _delta(model, "normal")
    try:
        return errors_of(model, "satterthwaite", "model", None)
    except ValueError:
        return _delta(model, "residual")


def _delta(model, df):
    words = DEGREES_OF_FREEDOM[df].words
    return ByDelta(model.fit.uncertainty, constant_df(model.fit, df), words)


def _generalised(model, df, cov, clusters):
    check_generalised(df, cov)
    found = _delta(model, df)
    if cov not in SCALES:
        return found
    groups = find_clusters(model, clusters)
    joint = robust_joint(model, groups, cov)
    robust = replace(found.uncertainty, covariance=joint)
    return replace(found, uncertainty=robust, words=robust_words(cov, groups, df))
