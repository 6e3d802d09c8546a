"""What the functions of this package may be given."""

from __future__ import annotations

from typing import Any

from sklearn.utils.validation import check_is_fitted

from .._fit.model import FittedModel


def fitted_model(est: Any, role: str = "est") -> FittedModel:
    """What a fitted mixed model found, or an error that says what was passed instead."""
    if not hasattr(type(est), "random_effects_"):
        raise TypeError(
            f"{role}: expected a mixed model, got {type(est).__name__}.\n"
            "Pass the fitted model itself: not its results, and of a pipeline the last step (X as "
            "it arrives there)."
        )
    check_is_fitted(est, "results_")
    return est.results_.fitted


def refuse_estimator(model: FittedModel, what: str, instead: str) -> None:
    """Refuse what takes the fixed effects of a mixed model for all of its fixed part."""
    if model.has_estimator:
        raise ValueError(
            f"{what}: the fixed part of this model is another estimator, taken for known.\n"
            f"{instead}"
        )
