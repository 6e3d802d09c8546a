"""Response distributions: the log-likelihood of a row and its derivatives in the linear predictor.

A family of a generalised linear mixed model answers what :class:`Family` lists; a new one is a
class of this size.  What it says of rows at a linear predictor eta (:class:`RowValues`) is per row
and times the row's weight m, the number of trials:

    loglik      l(eta)
    score       r   =  l'
    weight      w   = -l''
    skew        w'  =  dw / deta
    curvature   w'' =  d2w / deta2
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cached_property
from typing import Any, ClassVar, Protocol

import numpy as np
from scipy.special import expit, logit

from .averages import Averages, Certain, LogisticAverages
from .separation import separating_columns


class RowValues(Protocol):
    """Rows at one linear predictor."""

    @property
    def loglik(self) -> np.ndarray: ...

    @property
    def score(self) -> np.ndarray: ...

    @property
    def weight(self) -> np.ndarray: ...

    @property
    def skew(self) -> np.ndarray: ...

    @property
    def curvature(self) -> np.ndarray: ...


class Response(Protocol):
    """What predictions ask of a distribution."""

    #: by which two likelihoods are told to be of one kind
    name: ClassVar[str]
    #: whether a residual variance is estimated
    has_residual: ClassVar[bool]
    #: whether the mean is no straight line, so that effects do not average out
    is_curved: ClassVar[bool]

    def mean(self, eta: np.ndarray) -> np.ndarray:
        """The mean at a linear predictor."""

    def averaged(self, eta: np.ndarray, sd: np.ndarray) -> Averages:
        """The mean averaged over linear predictors that are normal around eta.

        For a classifier these are :class:`~skmixed._model.averages.Probabilities`.
        """

    def has_estimates(self, y: np.ndarray) -> bool:
        """Whether anything can be learned from these responses."""

    def residual_variance(self, mean: float | None = None) -> float:
        """In units of sigma^2, on the scale of the linear predictor: of the latent response, or, at
        a mean, observed.
        """

    def draw(
        self,
        rng: np.random.RandomState,
        eta: np.ndarray,
        scale: float = 1.0,
        weights: np.ndarray | None = None,
    ) -> np.ndarray:
        """Responses; one with a weight is the mean of that many."""


class Family(Response, Protocol):
    """What a generalised linear mixed model asks of the distribution of its response."""

    #: what ``exp(coefficient)`` is called; None where nobody asks for it
    exponentiated_name: ClassVar[str | None]
    #: the model in a word, as in "Mixed-effects ... regression"
    word: ClassVar[str]

    def at(self, eta: np.ndarray, y: np.ndarray, m: Any) -> RowValues:
        """The rows at a linear predictor."""

    def link(self, mean: np.ndarray) -> np.ndarray:
        """Linear predictor of a mean."""

    def start(self, y: np.ndarray) -> np.ndarray:
        """A linear predictor near the data."""

    def saturated(self, y: np.ndarray, m: Any) -> float:
        """The log-likelihood of rows that are predicted perfectly."""

    def identified(self, n: float, levels: int) -> bool:
        """Whether n observations tell the variance of an effect with as many levels."""

    def separation(self, X: np.ndarray, y: np.ndarray, intercept: bool) -> list[int]:
        """Columns that send the likelihood to its bound: their coefficients have no estimate."""

    def is_homogeneous(self, codes: np.ndarray, y: np.ndarray, n: float) -> bool:
        """Whether the levels predict the response perfectly, so that no variance is best."""


class Gaussian:
    """Normal responses with a residual variance."""

    name: ClassVar[str] = "normal"
    has_residual: ClassVar[bool] = True
    is_curved: ClassVar[bool] = False

    def mean(self, eta: np.ndarray) -> np.ndarray:
        return eta

    def averaged(self, eta: np.ndarray, sd: np.ndarray) -> Averages:
        return Certain(eta, sd)

    def has_estimates(self, y: np.ndarray) -> bool:
        return True

    def residual_variance(self, mean: float | None = None) -> float:
        """In units of sigma^2."""
        return 1.0

    def draw(
        self,
        rng: np.random.RandomState,
        eta: np.ndarray,
        scale: float = 1.0,
        weights: np.ndarray | None = None,
    ) -> np.ndarray:
        spread = np.sqrt(scale if weights is None else scale / weights)
        return eta + spread * rng.standard_normal(eta.shape)


class BernoulliRows:
    """Bernoulli rows at one linear predictor; everything comes from ``t = exp(-|eta|)``, which
    cannot overflow.
    """

    def __init__(self, eta: np.ndarray, y: np.ndarray, m: Any) -> None:
        self.eta = eta
        self.y = y
        self.m = m

    @cached_property
    def _t(self) -> np.ndarray:
        t = np.abs(self.eta)
        np.negative(t, out=t)
        return np.exp(t, out=t)

    @cached_property
    def _larger(self) -> np.ndarray:
        """The larger of both probabilities."""
        return 1.0 / (1.0 + self._t)

    @cached_property
    def mean(self) -> np.ndarray:
        """``mu``, the probability of a one."""
        mu = np.copysign(self._larger - 0.5, self.eta)
        mu += 0.5
        return mu

    @cached_property
    def loglik(self) -> np.ndarray:
        """``m (y eta - log(1 + exp(eta)))``, the logarithm as ``max(eta, 0) - log(larger)``."""
        out = (self.y - 0.5) * self.eta
        out -= 0.5 * np.abs(self.eta)
        out += np.log(self._larger)
        return self.m * out

    @cached_property
    def score(self) -> np.ndarray:
        """``m (y - mu)``."""
        return self.m * (self.y - self.mean)

    @cached_property
    def weight(self) -> np.ndarray:
        """``m mu (1 - mu)``."""
        return self.m * (self._t * self._larger * self._larger)

    @cached_property
    def skew(self) -> np.ndarray:
        """``w (1 - 2 mu)``."""
        return self.weight * (1.0 - 2.0 * self.mean)

    @cached_property
    def curvature(self) -> np.ndarray:
        """``w (1 - 6 mu (1 - mu))``."""
        return self.weight * (1.0 - 6.0 * self._t * self._larger * self._larger)


class Bernoulli(ABC):
    """Zeros and ones, whatever the link; m counts repetitions of a row."""

    has_residual: ClassVar[bool] = False
    is_curved: ClassVar[bool] = True

    @abstractmethod
    def mean(self, eta: np.ndarray) -> np.ndarray:
        """Probability of a one."""

    def draw(
        self,
        rng: np.random.RandomState,
        eta: np.ndarray,
        scale: float = 1.0,
        weights: np.ndarray | None = None,
    ) -> np.ndarray:
        """Outcomes; of w observations the share of ones, what is left of w being one more."""
        mean = self.mean(eta)
        if weights is None:
            return (rng.random(mean.shape) < mean).astype(float)
        whole = np.floor(weights)
        ones = rng.binomial(whole.astype(np.int64), mean)
        return (ones + (weights - whole) * (rng.random(len(mean)) < mean)) / weights

    def has_estimates(self, y: np.ndarray) -> bool:
        """Not from outcomes that are all the same."""
        return bool(np.ptp(y) > 0 or 0.0 < y[0] < 1.0)

    def saturated(self, y: np.ndarray, m: Any) -> float:
        return 0.0

    def identified(self, n: float, levels: int) -> bool:
        """With one trial per level only the mean of an outcome is known, whatever the variance."""
        return levels >= 2 and n > levels

    def separation(self, X: Any, y: np.ndarray, intercept: bool) -> list[int]:
        return separating_columns(X, y, intercept)

    def is_homogeneous(self, codes: np.ndarray, y: np.ndarray, n: float) -> bool:
        """Whether every level has one outcome only, and some level several of the observations."""
        counts = np.bincount(codes)
        ones = np.bincount(codes, y)
        return bool(1 < len(counts) < n and np.all((ones == 0) | (ones == counts)))


class BernoulliLogit(Bernoulli):
    """With ``log(mu / (1 - mu)) = eta``."""

    name: ClassVar[str] = "logit"
    word: ClassVar[str] = "logistic"
    exponentiated_name: ClassVar[str | None] = "odds ratio"

    def at(self, eta: np.ndarray, y: np.ndarray, m: Any) -> RowValues:
        return BernoulliRows(eta, y, m)

    def mean(self, eta: np.ndarray) -> np.ndarray:
        return expit(eta)

    def link(self, mean: np.ndarray) -> np.ndarray:
        return logit(mean)

    def start(self, y: np.ndarray) -> np.ndarray:
        """Log-odds of shrunken shares: half a success and half a failure are added to each row."""
        return np.log((y + 0.5) / (1.5 - y))

    def averaged(self, eta: np.ndarray, sd: np.ndarray) -> Averages:
        return LogisticAverages(eta, sd)

    def residual_variance(self, mean: float | None = None) -> float:
        """That of the logistic distribution, or of observed log-odds."""
        return np.pi**2 / 3.0 if mean is None else 1.0 / (mean * (1.0 - mean))
