"""Weights of the classes of an outcome, as scikit-learn has them."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real
from typing import Any

import numpy as np


def class_factors(
    class_weight: Any, labels: np.ndarray, y: np.ndarray, weights: np.ndarray | None
) -> np.ndarray | None:
    """By what the observations of either class are multiplied; None for nothing."""
    if class_weight is None:
        return None
    if isinstance(class_weight, Mapping):
        return _of_mapping(class_weight, labels)
    totals = np.sum(_observed(y, weights), axis=1)
    return np.sum(totals) / (2.0 * totals)


def weighted_classes(
    factors: np.ndarray | None, y: np.ndarray, weights: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray | None]:
    """Shares of the second class in every row, and weights of the rows, once the observations of
    the classes are weighted.
    """
    if factors is None:
        return y, weights
    first, second = factors[:, None] * _observed(y, weights)
    return second / (first + second), first + second


class ClassWeighting:
    """Weights the observations of the rows of a fit, and notes the factors.

    Attributes
    ----------
    factors : of both classes, once rows were weighted; None for nothing
    """

    factors: np.ndarray | None = None

    def __init__(self, class_weight: Any, outcomes: Any):
        self.class_weight = class_weight
        self.outcomes = outcomes

    def __call__(
        self, y: np.ndarray, weights: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray | None]:
        self.factors = class_factors(self.class_weight, self.outcomes.labels, y, weights)
        return weighted_classes(self.factors, y, weights)


def _observed(y, weights):
    """A row of weight w with a share y of the second class holds ``w (1 - y)`` and ``w y``
    observations.
    """
    w = np.ones(len(y)) if weights is None else weights
    return np.array([w * (1.0 - y), w * y])


def _of_mapping(class_weight, labels):
    """One for a class that is not named, as long as no other is."""
    strange = [label for label in class_weight if label not in labels.tolist()]
    if strange and len(class_weight) - len(strange) < len(labels):
        raise ValueError(
            f"class_weight names {strange}, but the classes are {labels.tolist()}.\n"
            "Give the weights of these classes; a class that is left out has weight 1."
        )
    factors = [class_weight.get(label, 1.0) for label in labels.tolist()]
    if not all(isinstance(factor, Real) and 0 < factor < np.inf for factor in factors):
        raise ValueError(
            f"class_weight={dict(class_weight)!r}: weights of classes must be positive numbers.\n"
            "Leave out the rows of a class that is not to count."
        )
    return np.array(factors, dtype=np.float64)
