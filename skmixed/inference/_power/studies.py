"""A design of one size, with a model fitted to it, so that responses are all that changes."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import clone

from ..._fit.model import FittedModel
from .._arguments import fitted_model
from .._bootstrap.resampling import Resampler, Truth
from .design import StudyDesign
from .layouts import Laid


@dataclass(frozen=True)
class Study:
    """A design of one size.

    Attributes
    ----------
    est : fitted to a response that was drawn from the truth
    laid : the rows
    truth : what is drawn from
    """

    est: Any
    laid: Laid
    truth: Truth

    @property
    def model(self) -> FittedModel:
        """Of the estimator."""
        return fitted_model(self.est)

    def source(self, model: FittedModel | None = None) -> Resampler:
        """What draws responses, and fits a model of these rows to them."""
        search = {"tol": self.est.tol, "max_iter": self.est.max_iter}
        return Resampler(self.model if model is None else model, truth=self.truth, **search)


def study(
    plan: StudyDesign, n_groups: int | None, group_size: int | None, rng: np.random.Generator
) -> Study:
    """The design at a size.

    The estimator is fitted twice: to noise, for the names and the order of the coefficients, and to
    a response of the truth, from whose estimates later searches start.
    """
    laid = plan.layout.table(n_groups, group_size, rng)
    est = _fitted(clone(plan.est), laid, _noise(len(laid.X), plan.classes, rng))
    found = Study(est, laid, plan.truth.truth(fitted_model(est)))
    y = found.source().draw(rng).y
    if not found.model.fit.family.has_estimates(y):
        return found
    return Study(_fitted(clone(plan.est), laid, labelled(found.model, y)), laid, found.truth)


def labelled(model: FittedModel, y: np.ndarray) -> np.ndarray:
    """Responses as a user has them."""
    return y if model.classes is None else model.classes[np.asarray(y, dtype=int)]


def _noise(n, classes, rng):
    """Numbers that are no constant and may be the two classes."""
    labels = np.array([0, 1]) if classes is None else classes
    return labels[rng.permutation(np.arange(n) % 2)]


def _fitted(est, laid, y):
    """Its warnings are about a response that nobody observed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return est.fit(laid.X, y, groups=laid.groups, sample_weight=laid.sample_weight)
