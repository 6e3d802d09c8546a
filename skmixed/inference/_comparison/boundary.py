"""Tests of variances, which cannot be negative: the null is on the boundary of the parameters.

Near the null the log-likelihood of the covariances t is ``u't - t'It / 2`` with scores ``u ~ N(0,
I)`` and I the information with beta and sigma^2 profiled out.  Its maximum over the cone K of
covariances makes the likelihood-ratio statistic the squared length of a normal vector projected on
K in the metric I: a mixture of chi-squareds, *chi-bar squared* (Self and Liang 1987).  K is a
product of cones of positive semidefinite matrices, numbers among them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..._data.checks import check_choice
from ..._fit.base import Fit, needs_exact
from ..._model.covariances import Covariances
from .._penalised import refuse_penalised
from .cones import mixture_weights
from .exact import exact_test
from .information import information_without_effects
from .likelihood_ratio import LikelihoodRatioTest, likelihood_ratio, mixture_test
from .projections import FLAT

METHODS = ("chibar", "exact")
SINGLE = "the random-effect variance is"


def random_effects_test(
    fit: Fit, method: str = "chibar", *, n_samples: int = 10_000, random_state: int = 0
) -> LikelihoodRatioTest:
    """Likelihood-ratio test of the model against the one without any random effect, same rows and
    criterion.

    Parameters
    ----------
    fit : Fit
    method : {"chibar", "exact"}, default="chibar"
        "chibar" is the mixture of chi-squareds that holds for many groups.  Where no closed form of
        its weights exists they are simulated with a fixed seed.  "exact" simulates the distribution
        for these very rows; linear models with one variance only.
    n_samples : int, default=10_000
        Draws of the exact test.
    random_state : int, default=0
        Seed of the exact test.

    Returns
    -------
    LikelihoodRatioTest

    References
    ----------
    Self and Liang (1987), Asymptotic properties of maximum likelihood estimators under nonstandard
    conditions, JASA 82. Crainiceanu and Ruppert (2004), Likelihood ratio tests in linear mixed
    models with one variance component, JRSS B 66.
    """
    check_choice("method", method, METHODS)
    refuse_penalised(fit, "the likelihood-ratio test is", "Fit without penalties to test.")
    needs_exact(fit, "the likelihood-ratio test")
    statistic = likelihood_ratio(fit.loglik, fit.loglik_without_effects)
    if method == "exact":
        return exact_test(fit, statistic, n_samples, random_state)
    tangent = TangentCone.of(fit.covariance_model)
    variances = "all random-effect variances are" if tangent.dimension > 1 else SINGLE
    weights = mixture_weights(lambda: null_information(fit, tangent), tangent.cones)
    return mixture_test(statistic, weights, f"{variances} zero")


def null_information(fit: Fit, tangent: TangentCone) -> np.ndarray:
    """Expected information of the covariances where all are zero, in the directions of the cones.

    ``tr(P V_a P V_b) - tr(P V_a) tr(P V_b) / nu`` with ``P = W - WX (X'WX)^-1 X'W`` under REML and
    ``P = W`` under ML. Linear models know sigma^2 from the rest; for a logistic model W holds the
    working weights at the estimates, which under the null are those without effects, sigma^2 is 1,
    and the scores of the levels count as normal.
    """
    with np.errstate(all="ignore"):
        return tangent.efficient(information_without_effects(fit.sums))


@dataclass(frozen=True)
class TangentCone:
    """Covariances near a null: directions that are free there, then those of cones of semidefinite
    matrices.

    Attributes
    ----------
    free : (directions, packed)
    directions : (directions, packed), cone after cone, each in packed order
    cones : orders of the matrices; a variance that is zero under the null is one of order one
    """

    free: np.ndarray
    directions: np.ndarray
    cones: tuple[int, ...]

    @classmethod
    def of(cls, covariances: Covariances, spans=None) -> TangentCone:
        """At covariances with the column spaces of ``spans``, one matrix per term.

        All zero if not given.
        """
        terms = covariances.terms
        if spans is None:
            spans = [np.zeros((term.structure.size,) * 2) for term in terms]
        empty = np.zeros((0, covariances.packed_size))
        free = [empty]
        pointed = [empty]
        orders = []
        for term, span in zip(terms, spans, strict=True):
            cone = term.structure.cone_at(span)
            free.append(covariances.packed(term, cone.free))
            pointed += [covariances.packed(term, matrices) for _, matrices in cone.pointed]
            orders += [order for order, _ in cone.pointed]
        return cls(np.vstack(free), np.vstack(pointed), tuple(orders))

    @property
    def dimension(self):
        """Number of directions of the cones."""
        return len(self.directions)

    def efficient(self, information):
        """The information (packed) in the directions of the cones, the free ones being
        nuisances."""
        own = self.directions @ information @ self.directions.T
        if not len(self.free):
            return own
        shared = self.free @ information @ self.directions.T
        known = self.free @ information @ self.free.T
        return own - shared.T @ np.linalg.lstsq(known, shared, rcond=FLAT)[0]
