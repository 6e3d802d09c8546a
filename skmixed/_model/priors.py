"""Priors of covariances: what they add to a deviance as a function of T.

The weak prior of a term with q correlated effects is ``p(T) ~ |T|^(1/2)``, T being its covariance
in units of sigma^2: Wishart's density with q + 2 degrees of freedom and a scale without bounds
(Chung, Gelman, Rabe-Hesketh, Liu and Dorie 2015), of a single effect the gamma density of its
standard deviation with shape 2 and rate 0.  It adds

    -log|T|

to the deviance, which is infinite at the boundary.  It depends on no scale: rescaling columns adds
a constant.  A deviance rises with ``J log|T|``, J being the number of levels, so that with few
levels it says something, with many next to nothing.

A new prior is a class that answers :class:`Prior`, and an entry of :data:`PRIORS`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from .covariances import Covariances
from .structures import symmetric_basis


class Prior(Protocol):
    """What is added to the deviance at T, one matrix per factor."""

    def value(self, T: Sequence[np.ndarray]) -> float:
        """What is added."""

    def with_gradient(self, gradient: Sequence[np.ndarray], T: Sequence[np.ndarray]) -> tuple:
        """Gradients of the factors with those of the prior."""

    def with_hessian(self, hessian: np.ndarray, T: Sequence[np.ndarray]) -> np.ndarray:
        """Second derivatives, those in the packed T first, with those of the prior."""

    def bar(self, value: float) -> float:
        """A deviance without random effects as far as it bounds what is searched for."""


class Flat:
    """No prior."""

    def value(self, T):
        return 0.0

    def with_gradient(self, gradient, T):
        return tuple(gradient)

    def with_hessian(self, hessian, T):
        return hessian

    def bar(self, value):
        return value


@dataclass(frozen=True)
class Weak:
    """The prior above, of every term."""

    covariances: Covariances

    def _volumes(self, T):
        terms = zip(self.covariances.terms, self.covariances.split(T), strict=True)
        return [term.structure.volume(own) for term, own in terms]

    def value(self, T):
        return -float(sum(volume.log for volume in self._volumes(T)))

    def with_gradient(self, gradient, T):
        slopes = self.covariances.assemble([volume.slope for volume in self._volumes(T)])
        return tuple(D - slope for D, slope in zip(gradient, slopes, strict=True))

    def with_hessian(self, hessian, T):
        out = hessian.copy()
        for term, volume in zip(self.covariances.terms, self._volumes(T), strict=True):
            entries = self.covariances.packed(term, symmetric_basis(term.structure.size))
            places = entries.argmax(axis=1)
            out[np.ix_(places, places)] -= volume.bend
        return out

    def bar(self, value):
        return np.inf


#: nothing is said of the covariances
FLAT = Flat()

#: by the names that a user may give
PRIORS: dict[str | None, Callable[[Covariances], Prior]] = {None: lambda _: FLAT, "weak": Weak}


def prior_of(covariances: Covariances) -> Prior:
    """The prior of the terms."""
    return PRIORS[covariances.prior](covariances)
