"""What is to be explained, with the figures that several sentences share, each made once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from ..._data.tables import some_rows
from ..._fit.model import FittedModel
from ..._fit.predictions import distribution, known_variances, prediction_errors, read_rows
from ...inference._describe.shares import Shares, shares
from ...inference._margins.sample import Sample
from .effects import Effect, columns_of, effects_of, sample_of, typical_row

LARGE = 1_500  # order of the dense equations of a model, from which its information is slow


@dataclass(frozen=True, eq=False)
class Subject:
    """A fitted model as sentences see it.

    Attributes
    ----------
    est : the estimator
    model : what it found
    level : of all limits
    """

    est: Any
    model: FittedModel
    level: float

    @property
    def is_linear(self) -> bool:
        """Whether the response is a number, not a class."""
        return self.model.fit.family.has_residual

    @property
    def factors(self) -> tuple[str, ...]:
        """Names of the grouping factors."""
        return self.model.names.factors

    @property
    def event(self) -> str:
        """What the probability is of."""
        return f"{self.model.names.response} = {self.model.names.event}"

    @cached_property
    def sample(self) -> Sample:
        """The rows of the fit."""
        return sample_of(self.model)

    @cached_property
    def columns(self) -> dict:
        """The columns of the fixed effects."""
        return columns_of(self.sample)

    @cached_property
    def effects(self) -> list[Effect]:
        """What changes of them go with, the strongest first."""
        return effects_of(self.sample, self.columns, self.level)

    @cached_property
    def shares(self) -> Shares:
        """Variances of the factors and of what is left."""
        return shares(self.model.fit, has_errors=False)

    @property
    def deviations(self) -> np.ndarray:
        """Standard deviation of what the levels of every factor add, averaged over the rows."""
        return np.sqrt(self.model.fit.sigma2 * self.shares.variances)

    @property
    def is_large(self) -> bool:
        """Whether second derivatives take longer than a reader waits: limits that need them are
        left out.
        """
        return self.model.fit.dense_order > LARGE

    @cached_property
    def variances(self) -> pd.DataFrame:
        """Standard deviations and correlations, with limits if they are to be had soon."""
        if self.is_large:
            return _without_limits(self.model)
        return self.est.results_.variance_table(level=self.level, scale="sd")

    @cached_property
    def _typical(self):
        table = typical_row(self.sample, self.columns)
        row = some_rows(table.X, np.array([0]))
        return read_rows(self.model, row, None, "marginal", warns=False)

    def expected_mean(self) -> tuple[float, float, float]:
        """Mean of a typical row of a new group, with the limits of ``predict_interval``."""
        rows, codes = self._typical
        if self.is_large:
            variance, df = known_variances(self.model, rows, codes, "marginal"), [np.inf]
        else:
            variance, df = prediction_errors(self.model, rows, codes, "marginal")
        mean = self.model.predictor(rows, codes)[0]
        half = stats.t.ppf(0.5 + self.level / 2.0, df[0]) * np.sqrt(variance[0])
        return float(mean), float(mean - half), float(mean + half)

    def expected_probability(self) -> tuple[float, float, float]:
        """Probability of a typical row in a typical group, and between which limits those of groups
        lie.
        """
        rows, codes = self._typical
        eta, sd = distribution(self.model, rows, codes, "marginal")
        half = stats.norm.ppf(0.5 + self.level / 2.0) * sd
        mean = self.model.fit.family.mean(np.array([eta, eta - half, eta + half]))
        return tuple(mean.ravel().tolist())


def _without_limits(model):
    """``factor, effect, effect2, sd_or_corr`` and no limits."""
    rows = []
    for term, S in zip(model.names.terms, model.fit.covariances, strict=True):
        factor = model.names.factors[term.factor]
        sd = np.sqrt(np.diag(S))
        with np.errstate(divide="ignore", invalid="ignore"):
            R = S / np.outer(sd, sd)
        for i, effect in enumerate(term.effects):
            rows.append((factor, effect, "", sd[i]))
            rows += [(factor, effect, term.effects[j], R[i, j]) for j in range(i + 1, len(sd))]
    table = pd.DataFrame(rows, columns=["factor", "effect", "effect2", "sd_or_corr"])
    return table.assign(ci_low=np.nan, ci_high=np.nan)
