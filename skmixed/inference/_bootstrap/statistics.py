"""Statistics of refits: functions of a fit and its response that return an array of numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from ..._fit.base import Fit
from ..._fit.joint import entries_of, estimates_of
from ..._fit.model import FittedModel
from .._variances import as_deviations
from .resampling import Drawn
from .together import Refits


class Statistic:
    """A function of a fit and the response it was fitted to."""

    names: list | None

    def __call__(self, fit: Any, drawn: Drawn) -> np.ndarray:
        raise NotImplementedError

    def of_several(self, refits: Refits) -> np.ndarray | None:
        """Its values for fits that were found together, a row each; None where it is asked of one
        after the other.
        """
        return None


class VarianceEntries(Statistic):
    """The statistic whose values are those of
    :class:`skmixed.inference._variances.VarianceEstimates`.
    """

    def __init__(self, fit: Fit):
        self.entries = entries_of(fit)
        self.names = list(range(len(estimates_of(fit, self.entries))))

    def __call__(self, fit, drawn):
        return estimates_of(fit, self.entries)

    def of_several(self, refits):
        covariances = refits.covariances
        found = [covariances[k][:, r, c] for k, r, c in self.entries]
        return np.column_stack([*found, refits.sigma2])


class Deviations(VarianceEntries):
    """The same as standard deviations and correlations."""

    def __call__(self, fit, drawn):
        return as_deviations(self.entries, super().__call__(fit, drawn))

    def of_several(self, refits):
        return np.array([as_deviations(self.entries, row) for row in super().of_several(refits)])


@dataclass(frozen=True)
class AllParameters(Statistic):
    """The statistic of all fixed effects, then all variances and covariances."""

    names: list[str]
    independent: np.ndarray
    variances: VarianceEntries

    @classmethod
    def of(cls, model: FittedModel) -> AllParameters:
        """Coefficients by name, entries as the summary calls them, with their factor."""
        variances = VarianceEntries(model.fit)
        entries = [_entry_name(*model.names.entry(*entry)) for entry in variances.entries]
        residual = ["var(Residual)"] * model.fit.family.has_residual
        names = [*model.coefficient_names, *entries, *residual]
        return cls(names, model.fit.units.independent, variances)

    def __call__(self, fit, drawn):
        return np.concatenate([fit.coefficients[self.independent], self.variances(fit, drawn)])

    def of_several(self, refits):
        own = refits.coefficients[:, self.independent]
        return np.hstack([own, self.variances.of_several(refits)])


def _entry_name(factor, first, second):
    return f"{factor}: var({first})" if first == second else f"{factor}: cov({first},{second})"


class OfEstimator(Statistic):
    """A statistic of a fitted estimator: what a refit gives is put into a copy of it."""

    def __init__(self, est: Any, model: FittedModel, statistic: Callable):
        self.statistic = statistic
        self.est = est
        self.model = model
        # which a pickled model leaves behind
        self.training = model.training if model.has_rows_in_memory else None
        self.names = None  # known once it was called for the original fit

    def __call__(self, fit, drawn):
        names, values = _named(self.statistic(self.estimator(fit, drawn)))
        if self.names is not None and names != self.names:
            raise ValueError(
                "statistic: the names or the number of values changed from one sample to the next."
            )
        self.names = names
        return values

    def estimator(self, fit: Fit, drawn: Drawn) -> Any:
        """The estimator as it would be after a fit to what was drawn."""
        rows = None if drawn.y is None else self.training.with_response(drawn.y)
        model = replace(self.model, fit=fit, rows=rows)
        est = copy(self.est)
        results = type(self.est.results_)(model)
        vars(est).update(model.attributes(), results_=results)
        return est


def _named(value):
    """Names and values of what a statistic returned."""
    if isinstance(value, pd.Series | Mapping):
        names = list(value.keys())
        values = list(value.values() if isinstance(value, Mapping) else value)
    else:
        values = np.asarray(value)
        names = ["statistic"] if values.ndim == 0 else list(range(len(values)))
    numbers = _numbers(values)
    if value is None or numbers is None:
        raise TypeError(
            "statistic: its value is no number, nor a list of them (it is of type "
            f"{type(value).__name__}).\n"
            "Return a number, a 1-D array, a dict or a Series of numbers."
        )
    return names, numbers


def _numbers(values):
    """As an array of one dimension; None where it is none."""
    try:
        found = np.atleast_1d(np.array(values, dtype=float))
    except (TypeError, ValueError):
        return None
    return found if found.ndim == 1 else None
