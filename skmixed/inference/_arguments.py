"""What the functions of this package may be given: checks of the arguments that they share."""

from __future__ import annotations

from sklearn.utils.validation import check_is_fitted


def check_estimator(est, role="est"):
    """A fitted mixed model, or an error that says what was passed instead."""
    if not hasattr(est, "_linearised"):
        raise TypeError(
            f"{role}: expected a mixed model, got {type(est).__name__}.\n"
            "Pass the fitted model itself: not its results, and of a pipeline the last step (X as it arrives there)."
        )
    check_is_fitted(est, "results_")
    return est
