"""The ways to tell a model of its groups, each with rows of its own."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit
from sklearn.metrics import r2_score, roc_auc_score

from skmixed import MixedLinearRegressor, MixedLogisticClassifier

N, M = 240, 12
#: between what predictions are worth with the groups, and without them
NUMBERS, CLASSES = 0.8, 0.8


@dataclass(frozen=True)
class Style:
    """Rows, models, and what is passed beside them.

    Attributes
    ----------
    groups : parameter of the estimators
    text : whether the labels are text
    passed : whether the labels are passed instead of being a column of X
    """

    groups: Any
    text: bool
    passed: bool

    @cached_property
    def rows(self):
        """Groups that differ by much more than their rows."""
        rng = np.random.default_rng(0)
        codes = np.arange(N) % M
        X = pd.DataFrame(rng.normal(size=(N, 2)), columns=["x0", "x1"])
        eta = X["x0"] + 0.5 * X["x1"] + rng.normal(0, 1.0, M)[codes]
        labels = np.array([f"group {c}" for c in codes], dtype=object) if self.text else codes
        uniform = rng.random(N)
        return X, labels, eta.to_numpy() + rng.normal(0, 0.3, N), expit(3 * eta) > uniform, eta

    @property
    def X(self):
        X, labels = self.rows[:2]
        return X if self.passed else X.assign(id=labels)

    @property
    def passing(self):
        """Keywords of fit, predict and score."""
        return {"groups": self.rows[1]} if self.passed else {}

    @property
    def params(self):
        """The same for functions that have ``params=``."""
        return self.passing or None

    @property
    def labels(self):
        return self.rows[1]

    @property
    def y(self):
        return self.rows[2]

    @property
    def two(self):
        """Labels of two classes."""
        return np.where(self.rows[3], "yes", "no")

    @property
    def three(self):
        """Labels of three classes."""
        return np.digitize(self.rows[4] + self.y, [-1.0, 1.0])

    def regressor(self):
        return MixedLinearRegressor(groups=self.groups)

    def classifier(self):
        return MixedLogisticClassifier(groups=self.groups, n_quadrature=1)

    def of_numbers(self, model):
        """A model fitted to numbers: how good its predictions are."""
        model.fit(self.X, self.y, **self.passing)
        return r2_score(self.y, model.predict(self.X, **self.passing)), NUMBERS

    def of_classes(self, model):
        """A model fitted to two classes."""
        model.fit(self.X, self.two, **self.passing)
        p = model.predict_proba(self.X, **self.passing)[:, 1]
        return roc_auc_score(self.two == "yes", p), CLASSES


NAME = Style("id", text=True, passed=False)
POSITION = Style(-1, text=False, passed=False)
ARGUMENT = Style(None, text=True, passed=True)
