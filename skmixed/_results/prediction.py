"""Predictions with their errors and limits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats
from scipy.special import expit, logit

from .._data.checks import check_level
from .._fit.kinds import Kind
from .._fit.model import FittedModel
from .._fit.predictions import (
    Errors,
    mean_variances,
    predicted_events,
    prediction_errors,
    read_rows,
)


@dataclass(frozen=True, eq=False)
class MeanPrediction:
    """Predicted means of a regression.

    Attributes
    ----------
    predicted_mean, se_mean : (n,) means and their standard errors
    mean_errors, observation_errors : mean squared errors, as those of intervals
    row_labels : index of the rows
    """

    predicted_mean: np.ndarray
    se_mean: np.ndarray
    mean_errors: Errors
    observation_errors: Errors
    row_labels: pd.Index

    def conf_int(self, obs: bool = False, alpha: float = 0.05) -> np.ndarray:
        """Limits of the means, or of an observation each, (n, 2)."""
        errors = self.observation_errors if obs else self.mean_errors
        half = stats.t.ppf(0.5 + check_level(1.0 - alpha) / 2.0, errors.df) * np.sqrt(
            errors.variance
        )
        return np.column_stack([self.predicted_mean - half, self.predicted_mean + half])

    def summary_frame(self, alpha: float = 0.05) -> pd.DataFrame:
        """A row a prediction."""
        limits = np.hstack([self.conf_int(obs, alpha) for obs in (False, True)])
        columns = {"mean": self.predicted_mean, "mean_se": self.se_mean}
        names = ("mean_ci_lower", "mean_ci_upper", "obs_ci_lower", "obs_ci_upper")
        columns |= dict(zip(names, limits.T, strict=True))
        return pd.DataFrame(columns, index=self.row_labels)


@dataclass(frozen=True, eq=False)
class EventPrediction:
    """Predicted probabilities of the event.

    Attributes
    ----------
    predicted_mean, se_mean : (n,) probabilities and their standard errors
    row_labels : index of the rows
    """

    predicted_mean: np.ndarray
    se_mean: np.ndarray
    row_labels: pd.Index

    def conf_int(self, obs: bool = False, alpha: float = 0.05) -> np.ndarray:
        """Limits of the probabilities, (n, 2), symmetric for the log-odds."""
        if obs:
            raise ValueError(
                "obs=True: an observation is zero or one, and has no interval.\n"
                "Leave obs at False for the limits of its probability."
            )
        p = self.predicted_mean
        with np.errstate(divide="ignore", invalid="ignore"):
            half = stats.norm.ppf(0.5 + check_level(1.0 - alpha) / 2.0) * self.se_mean
            half = np.where(half > 0, half / (p * (1.0 - p)), 0.0)
        return np.column_stack([expit(logit(p) - half), expit(logit(p) + half)])

    def summary_frame(self, alpha: float = 0.05) -> pd.DataFrame:
        """A row a prediction."""
        low, high = self.conf_int(alpha=alpha).T
        columns = {
            "mean": self.predicted_mean,
            "mean_se": self.se_mean,
            "mean_ci_lower": low,
            "mean_ci_upper": high,
        }
        return pd.DataFrame(columns, index=self.row_labels)


def predict_means(model: FittedModel, X: Any, groups: Any, kind: Kind) -> Any:
    """Of a linear model."""
    rows, codes = read_rows(model, X, groups, kind)
    mean = model.predictor(rows, codes)
    std = np.sqrt(mean_variances(model, rows, codes, kind))
    of_means, of_observations = (
        prediction_errors(model, rows, codes, kind, noise) for noise in (0.0, 1.0)
    )
    return MeanPrediction(mean, std, of_means, of_observations, _labels(X, len(mean)))


def predict_events(model: FittedModel, X: Any, groups: Any, kind: Kind) -> Any:
    """Of a model of two classes."""
    mean, std = predicted_events(model, X, groups, kind, True)
    return EventPrediction(mean, std, _labels(X, len(mean)))


def _labels(X: Any, n: int) -> pd.Index:
    return X.index if isinstance(X, pd.DataFrame) else pd.RangeIndex(n)
