"""The observed information of a fit: how well its parameters are known.

Parameters are those of the covariances (of the terms, along the tangents of their structures), then
sigma where there is one, then the coefficients, all in the frame's units.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.linalg import block_diag

from .._algebra.packed import pack, packed_index, packed_size
from .._likelihood.traces import double_sandwiches, restricted_traces, sandwiches

LINEAR_STEP = 1e-4  # of numerical derivatives of the gradient, as a share of the covariance
GLMM_STEP = 1e-2  # the same, as a share of about a standard error
LARGEST_STEP = 0.1  # as a share of the way to a singular covariance
LEAST_CURVATURE = 1e-8
FLAT = 1e-7  # eigenvalues of a standardised information below are zero
STILL = 1e-3  # share of what a parameter moves below which nothing moves
LEAST_SHARE = 1e-10  # of the largest eigenvalue, below which an information is none
PROPER = 1e-12  # least eigenvalue of a standardised information


@dataclass(frozen=True, eq=False)
class Information:
    """The covariance of the estimates of all parameters.

    Attributes
    ----------
    parameters : per parameter of the covariances the position of its term, and its derivative dT
    covariance : of (these, sigma where there is one, coefficients)
    has_scale : whether there is a sigma
    """

    parameters: tuple[tuple[int, np.ndarray], ...]
    covariance: np.ndarray
    has_scale: bool

    @property
    def n_parameters(self) -> int:
        """Number of parameters of the covariances."""
        return len(self.parameters)

    @property
    def of_covariances(self) -> np.ndarray:
        """Covariance of their parameters."""
        k = self.n_parameters
        return self.covariance[:k, :k]

    @property
    def of_variances(self) -> np.ndarray:
        """Covariance of their parameters and sigma."""
        k = self.n_parameters + self.has_scale
        return self.covariance[:k, :k]

    @property
    def of_coefficients(self) -> np.ndarray:
        """Covariance of the coefficients."""
        k = self.n_parameters + self.has_scale
        return self.covariance[k:, k:]

    @property
    def without_scale(self) -> np.ndarray:
        """Covariance of the parameters of the covariances and the coefficients."""
        kept = np.arange(len(self.covariance))
        kept = kept[(kept != self.n_parameters) | (not self.has_scale)]
        return self.covariance[np.ix_(kept, kept)]


def inverse_information(hessian):
    """``2 H^-1`` for the second derivatives H of a deviance.

    None where they are not those of a proper minimum.
    """
    with np.errstate(all="ignore"):
        scale = 1.0 / np.sqrt(np.abs(np.diag(hessian)) + np.finfo(float).tiny)
        standardised = hessian * np.outer(scale, scale)
    if not np.all(np.isfinite(standardised)):
        return None
    if np.min(np.linalg.eigvalsh(standardised), initial=np.inf) < PROPER:
        return None
    return 2.0 * np.linalg.inv(standardised) * np.outer(scale, scale)


def flat_inverse(hessian, moves):
    """The same where the deviance is flat along directions that move nothing of interest.

    ``moves`` (parameters, ...) is what every parameter moves.  The pseudo-inverse: None where a
    flat direction moves it, or where the deviance falls along one.
    """
    diagonal = np.abs(np.diag(hessian))
    scale = np.where(diagonal > 0, 1.0 / np.sqrt(np.where(diagonal > 0, diagonal, 1.0)), 0.0)
    standardised = hessian * np.outer(scale, scale)
    if not np.all(np.isfinite(standardised)):
        return None
    values, vectors = np.linalg.eigh(standardised)
    scaled = np.einsum("k,k...->k...", scale, moves)
    flat = vectors[:, values < FLAT]
    along = np.einsum("ka,k...->a...", flat, scaled)
    largest = np.max(np.abs(scaled), initial=0.0)
    if np.any(values < -FLAT) or np.max(np.abs(along), initial=0.0) > STILL * largest:
        return None
    kept = vectors[:, values >= FLAT] / np.sqrt(values[values >= FLAT])
    return 2.0 * (kept @ kept.T) * np.outer(scale, scale)


def central_difference(function: Callable, h: float):
    """The derivative of a function at zero."""
    return (function(h) - function(-h)) / (2.0 * h)


def linear_information(fit) -> Information | None:
    """Of a linear model; None where nothing is known.

    The coefficients are independent of the covariances.
    """
    found = linear_curvature(fit)
    if found is None:
        return None
    parameters, joint = found
    covariance = inverse_information(joint)
    if covariance is None:
        return None
    coefficients = fit.state.sigma2 * fit.state.fixed.covariance
    return Information(parameters, block_diag(covariance, coefficients), has_scale=True)


def linear_curvature(fit):
    """Parameters of a linear model's covariances, and second derivatives of the deviance in them
    and sigma; None where no residual variation is left.

    With the profiled Hessian ``H_p`` and the tilt ``s_a = y'P V_a P y`` the joint deviance has

        H_as = 2 s_a / sigma^3,    H_ss = 4 nu / sigma^2,    H_ab = H_p + H_as H_sb / H_ss.

    A singular covariance varies with its rank held, along the directions of its chart that change
    it at all, and not where it is zero.
    """
    state = fit.state
    if state.sigma2 <= 0 or state.fixed.r2 < fit.objective.least_r2:
        return None
    terms = zip(fit.covariance_model.terms, fit.T, strict=True)
    parameters = [(k, p) for k, (t, T) in enumerate(terms) for p in t.structure.parameters(T)]
    with np.errstate(all="ignore"):
        hessian, tilt = _profiled_hessian(fit, parameters)
        sigma = np.sqrt(state.sigma2)
        cross = 2.0 * tilt / sigma**3
        last = 4.0 * fit.objective.nu / sigma**2
        own = hessian + np.outer(cross, cross) / last
        joint = np.block([[own, cross[:, None]], [cross, np.array([[last]])]])
    return tuple((k, p.matrix) for k, p in parameters), joint


def expected_information(fit, parameters) -> Information:
    """Of a linear model along changes of its covariances, also where these are singular.

    With the projection P of the restricted likelihood the deviance has

        H_ab = tr(P V_a P V_b),    H_as = 2 tr(P V_a) / sigma,    H_ss = 4 (n - p) / sigma^2

    on average.  What the design does not tell apart counts as known.
    """
    state = fit.state
    J = fit.covariance_model.directions(parameters)
    own, mixed = restricted_traces(state, J, sandwiches(state, J), double_sandwiches(state, J))
    sigma = np.sqrt(state.sigma2)
    mixed = 2.0 * mixed[:, None] / sigma
    last = np.array([[4.0 * max(fit.df_resid, 1.0) / sigma**2]])
    covariance = _pseudo_inverse(np.block([[own, mixed], [mixed.T, last]]))
    coefficients = state.sigma2 * state.fixed.covariance
    return Information(tuple(parameters), block_diag(covariance, coefficients), has_scale=True)


def _pseudo_inverse(hessian):
    """``2 H^-1`` on the space where H tells anything."""
    scale = 1.0 / np.sqrt(np.maximum(np.diag(hessian), np.finfo(float).tiny))
    units = np.outer(scale, scale)
    return 2.0 * np.linalg.pinv(hessian * units, rcond=LEAST_SHARE, hermitian=True) * units


def _profiled_hessian(fit, parameters):
    """Hessian of the profiled deviance in the parameters, and ``s_a = y'P V_a P y``.

    Exact for a single factor; central differences of the exact gradient otherwise; the average
    information where the gradient is an average over random vectors.
    """
    if not parameters:
        return np.zeros((0, 0)), np.zeros(0)
    basis = fit.covariance_model.directions([(k, p.matrix) for k, p in parameters])
    if fit.state.exact or fit.solver == "iterative":
        hessian = basis @ fit.state.hessian @ basis.T
    else:
        slopes = [
            central_difference(_slope_along(fit, k, p, basis.shape[1]), LINEAR_STEP * p.reach)
            for k, p in parameters
        ]
        hessian = np.array(slopes) @ basis.T
    hessian = hessian + _bending(fit, [k for k, _ in parameters])
    return (hessian + hessian.T) / 2, basis @ fit.state.tilt


def _slope_along(fit, k, parameter, width):
    """The packed gradient after a step of a parameter of term k."""

    def slope(step):
        point = [*fit.T[:k], parameter.move(step), *fit.T[k + 1 :]]
        state = fit.objective(fit.covariance_model.assemble(point))
        return pack(state.gradient) if np.isfinite(state.value) else np.full(width, np.nan)

    return slope


def _bending(fit, owners):
    """What curved parameters add to the Hessian; ``owners`` are the terms of all parameters."""
    out = np.zeros((len(owners), len(owners)))
    gradient = fit.covariance_model.split(fit.state.gradient)
    for k, (term, T) in enumerate(zip(fit.covariance_model.terms, fit.T, strict=True)):
        own = [a for a, owner in enumerate(owners) if owner == k]
        if own:
            out[np.ix_(own, own)] = term.structure.curvature(T, gradient[k])
    return out


def glmm_information(fit) -> Information | None:
    """Of a generalised linear model; None where it is not positive definite.

    Only the covariances inside their cones have parameters.  Exact for Laplace with a single
    factor; central differences of the exact gradient otherwise.
    """
    parameters = tangent_parameters(fit)
    J = parameter_directions(fit, parameters)
    state = fit.state
    with np.errstate(all="ignore"):
        if state.exact:
            hessian = J @ state.hessian @ J.T
        else:
            state = state.at_hand()
            slopes = [_difference(state, direction) for direction in J]
            hessian = np.array(slopes).reshape(J.shape) @ J.T
            hessian = (hessian + hessian.T) / 2
        _add_bending(fit, parameters, hessian)
        covariance = inverse_information(hessian)
    if covariance is None:
        return None
    return Information(parameters, covariance, has_scale=False)


def tangent_parameters(fit):
    """Position of the term and derivative of every parameter of an interior covariance."""
    terms = zip(fit.covariance_model.terms, fit.T, fit.interior, strict=True)
    return tuple(
        (k, matrix)
        for k, (term, T, is_inside) in enumerate(terms)
        if is_inside
        for matrix in term.structure.tangent(T)
    )


def parameter_directions(fit, parameters):
    """Directions of the parameters and of beta in packed coordinates, (parameters, packed)."""
    own = fit.covariance_model.directions(parameters)
    packed = sum(packed_size(len(T)) for T in fit.state.T)
    J = np.zeros((len(parameters) + fit.rank, packed + fit.rank))
    J[: len(parameters), :packed] = own.reshape(len(parameters), packed)
    J[len(parameters) :, packed:] = np.eye(fit.rank)
    return J


def _add_bending(fit, parameters, hessian):
    gradient = fit.covariance_model.split(fit.state.gradient)
    for k in {k for k, _ in parameters}:
        own = np.ix_(*[[a for a, (owner, _) in enumerate(parameters) if owner == k]] * 2)
        hessian[own] += fit.covariance_model.terms[k].structure.bending(fit.T[k], gradient[k])


def _difference(state, direction):
    """Derivative of the gradient along a direction of the packed coordinates."""
    curvature = direction @ state.hessian @ direction
    step = GLMM_STEP / np.sqrt(max(curvature, LEAST_CURVATURE))
    h = min(step, LARGEST_STEP * _reach(state, direction))
    return central_difference(lambda size: _slope_at(state, size * direction), h)


def _reach(state, direction):
    """How far T can move along a direction before it is singular."""
    reach = np.inf
    for root, step in zip(state.roots, _matrices(state, direction), strict=True):
        if np.any(step):
            inverse = np.linalg.pinv(root)
            largest = np.max(np.abs(np.linalg.eigvalsh(inverse @ step @ inverse.T)))
            reach = min(reach, 1.0 / largest)
    return reach


def _matrices(state, direction):
    """The changes of the factors' matrices in a packed direction."""
    sizes = [len(T) for T in state.T]
    ends = np.cumsum([packed_size(q) for q in sizes])
    parts = zip(np.split(direction, ends)[:-1], sizes, strict=True)
    return [part[packed_index(q)] for part, q in parts]


def _slope_at(state, change):
    T = [t + step for t, step in zip(state.T, _matrices(state, change), strict=True)]
    beta = state.beta + change[len(change) - len(state.beta) :]
    moved = state.at([*T, beta], curved=False)
    return moved.slope if moved.attainable else np.full(len(change), np.nan)
