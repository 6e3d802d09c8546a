"""A step of the alternation with a mixed logistic model."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from .._fit.glmm import GlmmFit, fit_glmm
from .._fit.model import FittedModel, name_everything
from .._sums.design import RowDesign
from ._alternation import Step
from ._parts import ClassifierPart, FixedPart, offset_weights
from ._rows import FitRows

LOGISTIC = np.pi / np.sqrt(3.0)  # standard deviation of the logistic distribution
SEARCH: dict[str, Any] = {"tol": 1e-9, "max_iter": 100}  # of the mixed model in every step


class LogisticStep:
    """A step of the alternation; the weights are made of what the classifier said in the last."""

    def __init__(self, data: FitRows, part: FixedPart, labels: np.ndarray, family: Any):
        self.data = data
        self.part = part
        self.family = family
        self.target = labels[data.training.y.astype(int)]
        self.own: np.ndarray | None = None

    def fit(self, offset: np.ndarray, n_quadrature: int | Literal["auto"]) -> GlmmFit:
        """The mixed model with an offset."""
        source = self.data.source(offset)
        design = RowDesign.of(source, self.data.reader.terms, n_fixed=0, fit_intercept=True)
        return fit_glmm(design, self.family, n_quadrature=n_quadrature, **SEARCH)

    def weights(self, random: np.ndarray) -> np.ndarray | None:
        """Of the classifier's rows."""
        given = self.data.training.weights
        if self.own is None:
            return given
        found = offset_weights(self.data.training.y, self.own, random)
        return found if given is None else given * found

    def __call__(self, random: np.ndarray) -> Step:
        offset = self.part.predictions(self.target, self.weights(random))
        self.own = offset
        fit = self.fit(offset, 1)
        return Step((fit, offset), self.data.random_part(fit.effects), LOGISTIC)

    def model(
        self, step: Step, name: Any, n_quadrature: int | Literal["auto"]
    ) -> tuple[FittedModel, ClassifierPart]:
        """The fitted model of the last step, and its fixed part."""
        fit, offset = step.model
        if n_quadrature != 1 and self.data.reader.terms:
            fit = self.fit(offset, n_quadrature)
        part = self.part.fitted(self.target, self.weights(step.random))
        training = self.data.finished(part, offset)
        classes = np.unique(self.target)
        names = name_everything(training, self.data.codes, name, str(classes[1]))
        return FittedModel(fit, training.reader, names, training, classes), part
