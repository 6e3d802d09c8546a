"""What penalised estimates may say: the penalties in words, and what has no meaning with them."""

from __future__ import annotations

from .._fit.base import Fit

SHRUNK = (
    "Coefficients are shrunk; errors and tests are those of a normal prior on them.",
    "AIC and BIC count them by what the data decide, not the penalty.",
)
KEPT_OFF = ("Covariances have a prior that keeps them off zero; errors are given it.",)


def penalties(fit: Fit) -> list[tuple[str, str]]:
    """Parameters of an estimator that penalise a fit, with their values."""
    return _ridge(fit) + _prior(fit)


def _ridge(fit):
    alpha = fit.design.frame.alpha
    return [("alpha", f"{alpha:g}")] if alpha else []


def _prior(fit):
    prior = fit.covariance_model.prior
    return [("covariance_prior", repr(prior))] if prior else []


def notes_on_penalties(fit: Fit) -> list[str]:
    """What a summary says of them."""
    return [*SHRUNK[: 2 * len(_ridge(fit))], *KEPT_OFF[: len(_prior(fit))]]


def refuse_penalised(fit: Fit, what: str, instead: str) -> None:
    """Refuse what is true of maximum likelihood only."""
    _refuse(penalties(fit), what, instead)


def refuse_ridge(fit: Fit, what: str, instead: str) -> None:
    """Refuse what is true of coefficients that are not shrunk."""
    _refuse(_ridge(fit), what, instead)


def _refuse(found, what, instead):
    if found:
        words = ", ".join(f"{name}={value}" for name, value in found)
        raise ValueError(
            f"{what} of estimates of maximum likelihood, and these are penalised ({words}).\n"
            f"{instead}"
        )
