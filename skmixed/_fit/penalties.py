"""What penalised estimates may say: the penalties in words, and what has no meaning with them."""

from __future__ import annotations

from .base import Fit

SHRUNK = (
    "Coefficients are shrunk; errors and tests are those of a normal prior on them.",
    "AIC and BIC count them by what the data decide, not the penalty.",
)


def penalties(fit: Fit) -> list[tuple[str, str]]:
    """Parameters of an estimator that penalise a fit, with their values."""
    alpha = fit.design.frame.alpha
    return [("alpha", f"{alpha:g}")] if alpha else []


def notes_on_penalties(fit: Fit) -> list[str]:
    """What a summary says of them."""
    return list(SHRUNK) if fit.design.frame.alpha else []


def refuse_penalised(fit: Fit, what: str, instead: str) -> None:
    """Refuse what is true of maximum likelihood only."""
    if found := penalties(fit):
        words = ", ".join(f"{name}={value}" for name, value in found)
        raise ValueError(
            f"{what} of estimates of maximum likelihood, and these are penalised ({words}).\n"
            f"{instead}"
        )
