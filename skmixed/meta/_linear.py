"""A step of the alternation with a linear mixed model."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._fit.linear import LinearFit, fit_linear
from .._fit.model import FittedModel, name_everything
from .._sums.design import Design
from ._alternation import Step
from ._error import residual_variance
from ._parts import FixedPart, RegressorPart
from ._rows import FitRows

SEARCH = {"tol": 1e-9, "max_iter": 100}  # of the mixed model in every step


class LinearStep:
    """A step of the alternation."""

    def __init__(self, data: FitRows, part: FixedPart, reml: bool):
        self.data = data
        self.part = part
        self.reml = reml

    def fit(self, offset: np.ndarray, y: np.ndarray | None = None) -> LinearFit:
        """The mixed model of what an offset leaves."""
        source = self.data.source(offset, y)
        design = Design.of(source, self.data.reader.terms, n_fixed=0, fit_intercept=True)
        return fit_linear(design, reml=self.reml, **SEARCH)

    def __call__(self, random: np.ndarray) -> Step:
        y, weights = self.data.training.y, self.data.training.weights
        offset = self.part.predictions(y - random, weights)
        fit = self.fit(offset)
        scale = np.sqrt(fit.sigma2) or np.std(y) or 1.0
        return Step((fit, offset), self.data.random_part(fit.effects), float(scale))

    def model(self, step: Step, name: Any) -> tuple[FittedModel, RegressorPart]:
        """The fitted model of the last step, and its fixed part."""
        fit, offset = step.model
        y, weights = self.data.training.y, self.data.training.weights
        part = self.part.fitted(y - step.random, weights)
        training = self.data.finished(part, offset)
        names = name_everything(training, self.data.codes, name)
        return FittedModel(fit, training.reader, names, training), part

    def free_scale(self, step: Step, rng: np.random.RandomState) -> float:
        """The residual variance without the random part of the error of the fixed part; that of
        the mixed model in sample.
        """
        fit, _ = step.model
        if self.part.folds is None:
            return float(fit.sigma2)
        target = self.data.training.y - step.random
        found = residual_variance(self.data, self.part, target, self.fit, rng)
        return float(np.clip(found, 0.0, fit.sigma2))
