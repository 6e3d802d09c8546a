"""The observed information of the covariances, and what follows from it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .._algebra.packed import pack, packed_size
from .._algebra.roots import pivoted_root
from .base import inverse_information

DIFFERENCE = 1e-4  # step of numerical derivatives of the gradient, as a share of the covariance


def variance_entries(fit):
    """Entries (term, row, column) of the covariances that their structures do not fix at zero, row
    >= column.
    """
    return [
        (k, r, c)
        for k, block in enumerate(fit.model.blocks)
        for r, c in free_entries(block.structure)
    ]


def joint_covariance(fit, entries):
    """From the joint information of (natural parameters, beta): entries are linear in the
    parameters, ``R T R'``.
    """
    if fit.parameter_covariance is None:
        return np.full((len(entries), len(entries)), np.nan)
    jacobian = entry_jacobian(fit, entries)
    k = jacobian.shape[1]
    found = jacobian @ fit.parameter_covariance[:k, :k] @ jacobian.T
    return where_known(found, [fit.interior[term] for term, _, _ in entries])


def where_known(covariance, known):
    known = np.array(known, dtype=bool)
    return np.where(known[:, None] & known, covariance, np.nan)


def entry_jacobian(fit, entries):
    """Derivatives of the entries ``R T R'`` in the natural parameters of a generalised linear
    fit."""
    owners = fit.natural_parameters
    bases = fit.design.frame.bases
    out = np.zeros((len(entries), len(owners)))
    for e, (k, r, c) in enumerate(entries):
        out[e] = [bases[k][r] @ B @ bases[k][c] if owner == k else 0.0 for owner, B in owners]
    return out


def free_entries(structure):
    """Entries of the lower triangle that the structure does not fix at zero, variances first."""
    used = np.any(structure.basis != 0, axis=0) | np.eye(structure.size, dtype=bool)
    rows, cols = np.nonzero(np.tril(used))
    return sorted(
        zip(rows.tolist(), cols.tolist(), strict=True), key=lambda rc: (rc[0] != rc[1], rc)
    )


def linear_covariance(fit, entries):
    """Of entries and residual variance in units of the squared scale of y."""
    information = variance_information(fit)
    if information is None:
        return np.full((len(entries) + 1, len(entries) + 1), np.nan)
    jacobian = linear_entry_jacobian(fit, information.parameters, entries) / fit.y_scale**2
    interior = [
        b.structure.is_interior(T) for b, T in zip(fit.model.blocks, fit.optimum.point, strict=True)
    ]
    known = [interior[k] for k, _, _ in entries] + [True]
    return where_known(jacobian @ information.covariance @ jacobian.T, known)


def linear_entry_jacobian(fit, parameters, entries):
    """Derivatives of the entries ``sigma^2 R T R'`` and of sigma^2, in the data's units, in
    (parameters, sigma).
    """
    bases = fit.design.frame.bases
    point = fit.optimum.point
    sigma = np.sqrt(fit.state.sigma2)
    out = np.zeros((len(entries) + 1, len(parameters) + 1))
    for e, (k, r, c) in enumerate(entries):
        R = bases[k]
        out[e, :-1] = [
            sigma**2 * (R[r] @ p.matrix @ R[c]) if p.term == k else 0.0 for p in parameters
        ]
        out[e, -1] = 2.0 * sigma * (R[r] @ point[k] @ R[c])
    out[-1, -1] = 2.0 * sigma
    return out * fit.y_scale**2


@dataclass(frozen=True)
class Parameter:
    """A coordinate of the covariance of one term: its derivative, and the covariance after a
    step."""

    term: int
    matrix: np.ndarray  # dT
    move: object  # step -> T
    reach: float  # size of a step that changes T by its own order


@dataclass(frozen=True)
class VarianceInformation:
    """Covariance of the estimates of (parameters of T, sigma), sigma in the frame's units."""

    parameters: list
    covariance: np.ndarray


def variance_information(fit):
    """Inverse observed information of a linear model's covariances and sigma; None where there is
    none.

    With the profiled Hessian ``H_p`` and the tilt ``s_a = y'P V_a P y`` the joint deviance has

        H_as = 2 s_a / sigma^3,    H_ss = 4 nu / sigma^2,    H_ab = H_p + H_as H_sb / H_ss.
    """
    if fit.state.sigma2 <= 0 or fit.state.fixed.r2 < fit.objective.least_r2:
        return None
    parameters = free_parameters(fit)
    with np.errstate(all="ignore"):
        hessian, tilt = _observed_hessian(fit, parameters)
        sigma = np.sqrt(fit.state.sigma2)
        cross = 2.0 * tilt / sigma**3
        last = 4.0 * fit.objective.nu / sigma**2
        joint = np.block(
            [[hessian + np.outer(cross, cross) / last, cross[:, None]], [cross, np.array([[last]])]]
        )
        covariance = inverse_information(joint)
    return None if covariance is None else VarianceInformation(parameters, covariance)


def free_parameters(fit):
    """Coordinates in which the covariances may vary around their estimates.

    Inside the cone they are the natural, linear parameters.  A singular covariance varies with its
    rank held: along the directions of its chart that change it at all, none where it is zero.
    """
    found = []
    for k, (block, T) in enumerate(zip(fit.model.blocks, fit.optimum.point, strict=True)):
        structure = block.structure
        found += (
            _natural(k, structure, T)
            if structure.is_interior(T)
            else _in_chart(k, structure.chart(T))
        )
    return found


def _natural(k, structure, T):
    inverse = np.linalg.inv(pivoted_root(T)[0])
    for B in structure.basis:
        reach = 1.0 / np.max(np.abs(np.linalg.eigvalsh(inverse @ B @ inverse.T)))
        yield Parameter(k, B, lambda step, B=B: T + step * B, reach)


def _in_chart(k, chart):
    for a in _moving(chart):
        unit = np.eye(len(chart.derivatives))[a]
        yield Parameter(
            k, chart.derivatives[a], lambda step, unit=unit: chart.move(step * unit), chart.radius
        )


def _moving(chart):
    """Coordinates of a chart that change the covariance to first order."""
    size = np.max(np.abs(chart.derivatives), axis=(1, 2), initial=0.0)
    return np.flatnonzero(size > 1e-12 * np.max(size, initial=0.0))


def packed_directions(fit, directions):
    """Changes (term, matrix) of the covariances as those of the factors' matrices in packed form,
    (k, packed).
    """
    rows = [fit.model.packed(fit.model.blocks[term], matrix[None]) for term, matrix in directions]
    return np.vstack([np.zeros((0, sum(packed_size(q) for q in fit.model.sizes))), *rows])


def covariance_uncertainty(fit):
    """Directions of the covariance parameters in packed form, and the covariance of their
    estimates.

    None, and no directions, where nothing is known or nothing may vary.
    """
    directions, covariance = (
        _linear_uncertainty if fit.sigma2 is not None else _joint_uncertainty
    )(fit)
    return packed_directions(fit, directions), covariance


def _linear_uncertainty(fit):
    information = variance_information(fit)
    if information is None or not information.parameters:
        return [], None
    return [(p.term, p.matrix) for p in information.parameters], information.covariance[:-1, :-1]


def _joint_uncertainty(fit):
    joint = fit.parameter_covariance
    natural = fit.natural_parameters
    if joint is None or not natural:
        return [], None
    return natural, joint[: len(natural), : len(natural)]


def _observed_hessian(fit, parameters):
    """Hessian of the profiled deviance in the parameters, and ``s_a = y'P V_a P y``.

    Exact for a single factor; central differences of the exact gradient otherwise.
    """
    if not parameters:
        return np.zeros((0, 0)), np.zeros(0)
    basis = packed_directions(fit, [(p.term, p.matrix) for p in parameters])
    if fit.state.exact:
        hessian = basis @ fit.state.hessian @ basis.T
    else:
        hessian = (
            np.array([_gradient_difference(fit, p, basis.shape[1]) for p in parameters]) @ basis.T
        )
    hessian += _bending(fit, parameters)
    return (hessian + hessian.T) / 2, basis @ fit.state.tilt


def _bending(fit, parameters):
    """What the second derivatives of charts add to the Hessian."""
    out = np.zeros((len(parameters), len(parameters)))
    for k, (block, T) in enumerate(zip(fit.model.blocks, fit.optimum.point, strict=True)):
        own = [a for a, p in enumerate(parameters) if p.term == k]
        if own and not block.structure.is_interior(T):
            chart = block.structure.chart(T)
            D = fit.model.split(fit.state.gradient)[k]
            out[np.ix_(own, own)] = chart.second(D)[np.ix_(_moving(chart), _moving(chart))]
    return out


def _gradient_difference(fit, parameter, width):
    """Derivative of the packed gradient along a parameter."""
    k = parameter.term
    h = DIFFERENCE * parameter.reach
    point = fit.optimum.point

    def gradient(step):
        state = fit.objective(
            fit.model.assemble([*point[:k], parameter.move(step), *point[k + 1 :]])
        )
        return pack(state.gradient) if np.isfinite(state.value) else np.full(width, np.nan)

    return (gradient(h) - gradient(-h)) / (2.0 * h)
