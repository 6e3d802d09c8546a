"""What may be asked of a fitted mixed model, whatever its kind."""

from __future__ import annotations

from functools import cached_property
from typing import Any, NamedTuple, Protocol, Self

import numpy as np

from .._likelihood.linear import LinearState, ProfiledDeviance
from .._model.covariances import Covariances
from .._model.families import Response
from .._search.boundary import flat_terms
from .._search.minimize import Optimum
from .._sums.design import DesignBase
from .information import Information
from .uncertainty import Uncertainty
from .units import Units


class Criterion(NamedTuple):
    """What was maximised: two likelihoods may be compared where these agree.

    Attributes
    ----------
    family : name of the distribution and its link
    reml : whether the likelihood is restricted
    points : quadrature points per dimension; 1 for Laplace, 0 where nothing is approximated
    """

    family: str
    reml: bool
    points: int


class Maximum(Protocol):
    """Where the search ended, and what the likelihood is there."""

    @property
    def design(self) -> DesignBase:
        """Frame, terms, and sums or rows."""

    @property
    def optimum(self) -> Optimum:
        """Where the search ended."""

    @property
    def absent(self) -> tuple[int, ...]:
        """Factors whose variance is not identified."""

    @property
    def criterion(self) -> Criterion:
        """What was maximised."""

    @property
    def loglik(self) -> float:
        """The log-likelihood with all constants."""

    @property
    def solver(self) -> str:
        """How the effects were eliminated: "exact" or "iterative"."""

    @property
    def loglik_error(self) -> float:
        """Its Monte-Carlo error; zero where it is exact."""

    @property
    def loglik_without_effects(self) -> float:
        """The same with every random effect left out."""

    @property
    def n(self) -> float:
        """Number of observations: the sum of the weights."""

    @property
    def rank(self) -> int:
        """Number of fixed effects that are not aliased."""

    @property
    def effective_rank(self) -> float:
        """The same, less what a ridge decides: the trace of the data's share in them."""

    @property
    def is_penalised(self) -> bool:
        """Whether the estimates are not those of maximum likelihood."""

    @property
    def df_resid(self) -> float:
        """Observations less fixed effects, in effect."""

    @property
    def n_variance_parameters(self) -> int:
        """Number of parameters of the covariances."""

    @property
    def n_parameters(self) -> float:
        """Number of all: fixed effects, in effect, covariances, and the residual variance where
        there is one.
        """

    @property
    def interior(self) -> list[bool]:
        """Per term, whether its covariance is inside its cone, so that it has a standard error."""

    @property
    def flat_terms(self) -> list[int]:
        """Terms that are not identified: along some direction the likelihood does not change."""

    @property
    def is_degenerate(self) -> bool:
        """Whether no residual variation is left to search by."""

    @property
    def is_identified(self) -> bool:
        """Whether there is a likelihood to profile."""


class Estimates(Protocol):
    """The estimates, in the units of the data unless they say otherwise."""

    @property
    def family(self) -> Response:
        """The distribution of the response."""

    @property
    def covariance_model(self) -> Covariances:
        """The structures of the terms."""

    @property
    def units(self) -> Units:
        """From the frame's units to those of the data."""

    @property
    def T(self) -> list[np.ndarray]:
        """Relative covariances of the terms, in the frame's units."""

    @property
    def beta(self) -> np.ndarray:
        """Fixed effects in the frame's units."""

    @property
    def scale(self) -> float:
        """Residual variance in the frame's units; one where there is none."""

    @property
    def sigma2(self) -> float:
        """Residual variance; one where there is none."""

    @property
    def coefficients(self) -> np.ndarray:
        """Fixed effects of all candidates, intercept first if there is one; 0 for aliased ones."""

    @property
    def coefficient_covariance(self) -> np.ndarray:
        """Covariance of those that are not aliased."""

    @property
    def covariances(self) -> list[np.ndarray]:
        """Covariance matrix of every term."""

    @property
    def effects(self) -> list[np.ndarray]:
        """Conditional modes of every factor, (levels, q)."""

    def effect_covariances(self, f: int) -> np.ndarray:
        """Covariances of the modes of factor f given the parameters, (levels, q, q)."""

    def mode_variances(self, f: int) -> np.ndarray:
        """Variances of the errors of the modes of factor f, (levels, q)."""


class Fit(Maximum, Estimates, Protocol):
    """A fitted mixed model: what inference, prediction and printing are functions of."""

    @property
    def state(self) -> Any:
        """The objective at the optimum, with its derivatives."""

    @property
    def linear(self) -> LinearState:
        """The linear model at the optimum: its own, or the working one."""

    @property
    def sums(self) -> ProfiledDeviance:
        """Its sums over the rows."""

    @property
    def level_blocks(self) -> list[np.ndarray]:
        """Packed ``Z_f'WZ_f`` of the levels of every factor, W the prior weights."""

    @property
    def information(self) -> Information | None:
        """How well the parameters are known; None where nothing is."""

    @property
    def uncertainty(self) -> Uncertainty:
        """What predictions do not know."""

    @property
    def dense_order(self) -> int:
        """Order of the largest dense matrix of an evaluation."""

    def refit(self, design: DesignBase, **options: Any) -> Self:
        """The same model of other responses, searched for from these estimates."""

    def at_hand(self) -> Self:
        """The same fit with what it needs for many questions in memory."""

    def stripped(self) -> Self:
        """The fit without rows, and without what follows from the rest: what a pickle holds."""


class Estimated:
    """What follows from the design and the optimum of a :class:`Fit`, whatever its kind."""

    design: DesignBase
    optimum: Optimum
    covariance_model: Covariances
    family: Response
    linear: LinearState
    n: float
    beta: np.ndarray
    scale: float

    @cached_property
    def units(self) -> Units:
        return Units(self.design)

    def at_hand(self) -> Self:
        return self

    @property
    def rank(self) -> int:
        return len(self.design.independent)

    @cached_property
    def effective_rank(self) -> float:
        return self.rank - self.design.ridge.taken(self._of_ridge)

    @property
    def _of_ridge(self) -> np.ndarray:
        """``(X'V^-1X + X_0'X_0)^-1`` of a ridge's rows X_0; nothing where there is none."""
        return np.zeros(0) if self.design.ridge.is_none else self.linear.fixed.covariance

    @property
    def is_penalised(self) -> bool:
        return not self.design.ridge.is_none or self.covariance_model.prior is not None

    @property
    def df_resid(self) -> float:
        return self.n - self.effective_rank

    @property
    def n_variance_parameters(self) -> int:
        return self.covariance_model.n_parameters

    @property
    def n_parameters(self) -> float:
        return self.effective_rank + self.n_variance_parameters + self.family.has_residual

    @property
    def T(self) -> list[np.ndarray]:
        return self.optimum.point[: len(self.covariance_model.terms)]

    @property
    def interior(self) -> list[bool]:
        return self.covariance_model.is_interior(self.T)

    @cached_property
    def flat_terms(self) -> list[int]:
        found = flat_terms(self.covariance_model, self.optimum)
        return sorted({*found, *self._confounded_terms()})

    def _confounded_terms(self) -> list[int]:
        """Terms that the design cannot tell apart, whatever the response."""
        raise NotImplementedError

    @property
    def sigma2(self) -> float:
        return self.scale * self.units.variance

    @cached_property
    def coefficients(self) -> np.ndarray:
        return self.units.coefficients(self.beta)

    @cached_property
    def covariances(self) -> list[np.ndarray]:
        return self.units.covariances(self.T, self.scale)

    def effect_covariances(self, f: int) -> np.ndarray:
        found = self.linear.posterior.covariances[f]
        return self.units.effect_covariances(f, found, self.scale)

    def mode_variances(self, f: int) -> np.ndarray:
        """Given the parameters."""
        return np.maximum(np.diagonal(self.effect_covariances(f), axis1=1, axis2=2), 0.0)


def rows_missing(*, only_sums: bool = False, are_read_again: bool = False) -> AttributeError:
    """The error for what needs the training rows, which a pickled model has not, nor one of rows
    that came in parts.
    """
    if are_read_again:
        return AttributeError(
            "The rows are read part by part, and this needs all of them in memory at once.\n"
            "Give them by results_.attach(X, y) if they fit there, or fit a part of them by "
            "fit(X, y)."
        )
    if only_sums:
        return AttributeError(
            "The rows came in parts, of which only sums were kept, and this needs the rows.\n"
            "Say where to read them again, results_.attach(chunks(...), 'y'), or give them by "
            "results_.attach(X, y) if they fit into memory."
        )
    return AttributeError(
        "The training rows are not kept in a pickled model, and this needs them.\n"
        "Give them back by results_.attach(X, y), or ask for it before pickling: what is known is "
        "kept."
    )


def needs_exact(fit: Fit, what: str) -> None:
    """Refuse what compares likelihoods that are known only up to chance."""
    if fit.solver == "iterative":
        raise ValueError(
            f"{what}: not with solver_='iterative', whose log-likelihood, and traces, have a "
            f"Monte-Carlo error ({fit.loglik_error:.1f} here).\n"
            "Fit with solver='exact', if need be to fewer rows."
        )


def needs_solutions(fit: Fit, what: str) -> None:
    """Refuse what takes a solution for every row."""
    if fit.solver == "iterative":
        raise ValueError(
            f"{what}: with solver_='iterative' every row or level would take a solution by "
            "conjugate gradients.\nFit with solver='exact', if need be to fewer rows."
        )


def needs_residual(fit: Fit, what: str, instead: str) -> None:
    """Refuse what only a model with a residual variance has."""
    if not fit.family.has_residual:
        raise ValueError(
            f"{what} linear models only: a classifier has no residual variance.\n{instead}"
        )
