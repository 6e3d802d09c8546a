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

from ..._algebra.packed import packed_size, triangle_entries
from ..._model.structures import Unstructured
from .cones import mixture_weights
from .exact import exact_test
from .information import information_without_effects
from .likelihood_ratio import likelihood_ratio, mixture_test
from .projections import FLAT

ZERO = 1e-9  # share of the largest variance of a term below which another counts as zero


def random_effects_test(fit, method="chibar", *, n_samples=10_000, random_state=0):
    """Likelihood-ratio test of the model against the one without any random effect, same rows and
    criterion.

    Parameters
    ----------
    fit : LinearFit or GlmmFit
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
    if method not in ("chibar", "exact"):
        raise ValueError(f"method={method!r} is not known.\nUse 'chibar' or 'exact'.")
    statistic = likelihood_ratio(fit.loglik, fit.loglik_without_effects)
    if method == "exact":
        return exact_test(fit, statistic, n_samples, random_state)
    tangent = TangentCone.of(fit.model)
    null = (
        "all random-effect variances are zero"
        if tangent.dimension > 1
        else "the random-effect variance is zero"
    )
    return mixture_test(
        statistic, mixture_weights(lambda: null_information(fit, tangent), tangent.cones), null
    )


def sums_of(fit):
    """The objective whose cross-products describe the rows: for a logistic model that of its
    working linear model.
    """
    return fit.objective if fit.sigma2 is not None else fit.working.objective


def null_information(fit, tangent):
    """Expected information of the covariances where all are zero, in the directions of the cones.

    ``tr(P V_a P V_b) - tr(P V_a) tr(P V_b) / nu`` with ``P = W - WX (X'WX)^-1 X'W`` under REML and
    ``P = W`` under ML. Linear models know sigma^2 from the rest; for a logistic model W holds the
    working weights at the estimates, which under the null are those without effects, sigma^2 is 1,
    and the scores of the levels count as normal.
    """
    with np.errstate(all="ignore"):
        return tangent.efficient(information_without_effects(sums_of(fit)))


@dataclass(frozen=True)
class TangentCone:
    """Covariances near a null: directions that are free there, then those of cones of semidefinite
    matrices.

    ``cones`` are the orders of these matrices; a variance that is zero under the null is a matrix
    of order one.
    """

    free: np.ndarray  # (directions, packed)
    directions: np.ndarray  # (directions, packed), cone after cone, each in packed order
    cones: tuple

    @classmethod
    def of(cls, model, within=None):
        """At covariances of ``model`` that span ``within``, one matrix per term.

        All zero if not given.
        """
        free = []
        cone = []
        sizes = []
        for k, block in enumerate(model.blocks):
            size = block.structure.size
            own, found = _split(
                block.structure, np.zeros((size, size)) if within is None else within[k]
            )
            free.append(model.packed(block, own))
            cone += [model.packed(block, matrices) for _, matrices in found]
            sizes += [order for order, _ in found]
        width = sum(packed_size(q) for q in model.sizes)
        empty = [np.zeros((0, width))]
        return cls(np.vstack(empty + free), np.vstack(empty + cone), tuple(sizes))

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


def _split(structure, within):
    """Free directions of a term at a covariance with the span of ``within``, and its (order,
    directions) of cones.
    """
    if not len(structure.basis):
        return structure.basis, []
    if isinstance(structure, Unstructured):
        values, vectors = np.linalg.eigh(within)
        zero = values <= ZERO * max(values[-1], np.finfo(float).tiny)
        vectors = vectors[:, np.argsort(~zero, kind="stable")]
        nulls = int(zero.sum())
        return _symmetric(vectors, nulls, structure.size), (
            [(nulls, _symmetric(vectors, 0, nulls))] if nulls else []
        )
    sizes = np.einsum("kij,ij->k", structure.projections, within)
    zero = sizes <= ZERO * max(sizes.max(), np.finfo(float).tiny)
    return structure.projections[~zero], [(1, P[None]) for P in structure.projections[zero]]


def _symmetric(vectors, start, stop):
    """``v_r v_c' + v_c v_r'`` (half of it for r = c) in packed order, r from ``start`` to
    ``stop``."""
    pairs = [(r, c) for r, c in triangle_entries(stop) if r >= start]
    found = [np.outer(vectors[:, r], vectors[:, c]) for r, c in pairs]
    stack = np.array([m if r == c else m + m.T for m, (r, c) in zip(found, pairs, strict=True)])
    return stack.reshape(-1, len(vectors), len(vectors))
