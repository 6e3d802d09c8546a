"""What the functions of this package may be given: checks of the arguments that they share."""

from __future__ import annotations

from numbers import Integral

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


def check_n_samples(n_samples):
    """A positive whole number."""
    if not isinstance(n_samples, Integral) or isinstance(n_samples, bool):
        raise TypeError(f"n_samples={n_samples!r} is not a whole number.\nGive the number of samples, such as 1000.")
    if n_samples < 1:
        raise ValueError(f"n_samples={n_samples!r} is not a number of samples.\nUse at least 1, such as 1000.")
    return int(n_samples)
