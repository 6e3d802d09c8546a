"""Statistics of refits: functions of a fit and its response that return an array of numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from ..._fit.information import variance_entries


@dataclass(frozen=True)
class VarianceEntries:
    """The statistic whose values are those of
    :func:`skmixed.inference._variances.variance_estimates`.
    """

    entries: list

    def __call__(self, fit, y=None):
        found = [fit.covariances[k][r, c] for k, r, c in self.entries]
        return np.array(found if fit.sigma2 is None else [*found, fit.sigma2])


@dataclass(frozen=True)
class AllParameters:
    """The statistic of all fixed effects, then all variances and covariances."""

    names: list
    kept: np.ndarray
    variances: VarianceEntries

    @classmethod
    def of(cls, est):
        """Coefficients by name, entries as the summary calls them, with their factor."""
        fit = est._fit
        labels = est.results_._labels
        entries = variance_entries(est._fit)
        names = [labels.fixed[k] for k in fit.design.kept] + [
            _entry_name(*labels.entry(*entry)) for entry in entries
        ]
        names += ["var(Residual)"] * (fit.sigma2 is not None)
        return cls(names, fit.design.kept, VarianceEntries(entries))

    def __call__(self, fit, y):
        return np.concatenate([fit.coefficients[self.kept], self.variances(fit)])


def _entry_name(factor, first, second):
    return f"{factor}: var({first})" if first == second else f"{factor}: cov({first},{second})"


class OfEstimator:
    """A statistic of a fitted estimator: what a refit gives is put into a copy of it."""

    def __init__(self, est, training, statistic):
        self.statistic = statistic
        self.training = training
        self.labels = est.results_._labels
        self.est = est._with_fit(None)
        self.names = None  # known once it was called for the original fit

    def __call__(self, fit, y):
        names, values = _named(self.statistic(self.estimator(fit, y)))
        if self.names is not None and names != self.names:
            raise ValueError(
                "statistic: the names or the number of values changed from one sample to the next."
            )
        self.names = names
        return values

    def estimator(self, fit, y):
        """The estimator as it would be after a fit to y."""
        est = self.est._with_fit(fit)
        est._store(fit, self.labels, replace(self.training, y=y))
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
            f"statistic: its value is no number, nor a list of them (it is of type {type(value).__name__}).\n"
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
