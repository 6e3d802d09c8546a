"""Variances and covariances of the random effects with their standard errors.

Deviances are -2 log-likelihoods throughout.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from ._contrasts import check_level
from ._covariance import pivoted_root
from ._fitted import inverse_information
from ._optimize import pack


@dataclass(frozen=True)
class VarianceEstimates:
    """Entries of the covariance matrices with their standard errors.

    ``entries`` are (term, row, column) with row >= column; a residual variance comes last, without an entry.
    """

    entries: list
    estimates: np.ndarray
    std_errors: np.ndarray

    def intervals(self, level=0.95):
        """Confidence limits: on the log scale for variances, symmetric for covariances."""
        z = stats.norm.ppf(0.5 + check_level(level) / 2)
        low, high = self.estimates - z * self.std_errors, self.estimates + z * self.std_errors
        residual = len(self.estimates) - len(self.entries)
        variances = np.array([row == col for _, row, col in self.entries] + [True] * residual, dtype=bool)
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            width = np.exp(z * self.std_errors / self.estimates)
            low = np.where(variances, self.estimates / width, low)
            return low, np.where(variances, self.estimates * width, high)


def variance_estimates(fit):
    """Variances, covariances and the residual variance with Wald standard errors.

    The standard errors come from the observed information of all parameters; for a linear model that of (covariances,
    sigma) with the fixed effects profiled out, which is the same.  At the boundary (a variance at zero, a correlation
    at plus or minus one) there is no standard error and it is NaN.
    """
    entries = [(k, r, c) for k, block in enumerate(fit.model.blocks) for r, c in _free_entries(block.structure)]
    estimates = [fit.covariances[k][r, c] for k, r, c in entries]
    if fit.sigma2 is None:
        return VarianceEstimates(entries, np.array(estimates), _joint_standard_errors(fit, entries))
    return VarianceEstimates(entries, np.array([*estimates, fit.sigma2]), _standard_errors(fit, entries))


def _joint_standard_errors(fit, entries):
    """From the joint information of (natural parameters, beta): entries are linear in the parameters, ``R T R'``."""
    if fit.parameter_covariance is None:
        return np.full(len(entries), np.nan)
    jacobian = entry_jacobian(fit, entries)
    k = jacobian.shape[1]
    variances = np.einsum("ek,kl,el->e", jacobian, fit.parameter_covariance[:k, :k], jacobian)
    known = [fit.interior[term] for term, _, _ in entries]
    return np.where(known, np.sqrt(np.maximum(variances, 0.0)), np.nan)


def entry_jacobian(fit, entries):
    """Derivatives of the entries ``R T R'`` in the natural parameters of a generalised linear fit."""
    owners, bases = fit.natural_parameters, fit.design.frame.bases
    out = np.zeros((len(entries), len(owners)))
    for e, (k, r, c) in enumerate(entries):
        out[e] = [bases[k][r] @ B @ bases[k][c] if owner == k else 0.0 for owner, B in owners]
    return out


def _free_entries(structure):
    """Entries of the lower triangle that the structure does not fix at zero, variances first."""
    used = np.any(structure.basis != 0, axis=0) | np.eye(structure.size, dtype=bool)
    rows, cols = np.nonzero(np.tril(used))
    return sorted(zip(rows.tolist(), cols.tolist(), strict=True), key=lambda rc: (rc[0] != rc[1], rc))


def _standard_errors(fit, entries):
    interior = [b.structure.is_interior(T) for b, T in zip(fit.model.blocks, fit.optimum.point, strict=True)]
    out = np.full(len(entries) + 1, np.nan)
    if fit.state.sigma2 <= 0 or fit.state.fixed.r2 < fit.objective.least_r2:
        return out
    with np.errstate(all="ignore"):
        covariance, owners = _parameter_covariance(fit, interior)
    if covariance is None:
        return out
    jacobian = _entry_jacobian(fit, entries, interior, owners)
    variances = np.einsum("ek,kl,el->e", jacobian, covariance, jacobian)
    known = [interior[k] for k, _, _ in entries] + [True]
    return np.where(known & (variances > 0), np.sqrt(np.maximum(variances, 0.0)), np.nan) * fit.y_scale**2


def _parameter_covariance(fit, interior):
    """Covariance of (natural parameters of the interior terms, sigma), and the term of every parameter."""
    blocks = fit.model.blocks
    parameters = [(k, B) for k, block in enumerate(blocks) if interior[k] for B in block.structure.basis]
    owners = np.array([k for k, _ in parameters], dtype=int)
    hessian, tilt = observed_hessian(fit, parameters)
    sigma, nu = np.sqrt(fit.state.sigma2), fit.objective.nu
    cross = 2.0 * tilt / sigma**3
    last = 4.0 * nu / sigma**2
    joint = np.block([[hessian + np.outer(cross, cross) / last, cross[:, None]], [cross, np.array([[last]])]])
    return inverse_information(joint), owners


def observed_hessian(fit, parameters):
    """Hessian of the profiled deviance in natural parameters, and ``s_a = y'P V_a P y``.

    ``parameters`` are pairs (term, matrix).  Exact for a single factor; central differences of the exact gradient
    otherwise.
    """
    if not parameters:
        return np.zeros((0, 0)), np.zeros(0)
    basis = np.vstack([fit.model.packed(fit.model.blocks[k], B[None]) for k, B in parameters])
    tilt = basis @ fit.state.tilt
    if fit.state.exact:
        return basis @ fit.state.hessian @ basis.T, tilt
    rows = [np.broadcast_to(_gradient_difference(fit, k, B), basis.shape[1:]) for k, B in parameters]
    hessian = np.array(rows) @ basis.T
    return (hessian + hessian.T) / 2, tilt


def _gradient_difference(fit, k, B):
    """Derivative of the packed gradient along B in term k, a step that is small relative to T in every direction."""
    point = list(fit.optimum.point)
    root_inverse = np.linalg.inv(pivoted_root(point[k])[0])
    h = 1e-4 / np.max(np.abs(np.linalg.eigvalsh(root_inverse @ B @ root_inverse.T)))

    def gradient(step):
        state = fit.objective(fit.model.assemble([*point[:k], point[k] + step * B, *point[k + 1 :]]))
        return pack(state.gradient) if np.isfinite(state.value) else np.nan

    return (gradient(h) - gradient(-h)) / (2.0 * h)


def _entry_jacobian(fit, entries, interior, owners):
    """Derivatives of the entries ``sigma^2 R T R'`` and of sigma^2 in (natural parameters, sigma)."""
    bases, point = fit.design.frame.bases, fit.optimum.point
    sigma = np.sqrt(fit.state.sigma2)
    out = np.zeros((len(entries) + 1, len(owners) + 1))
    for e, (k, r, c) in enumerate(entries):
        if not interior[k]:
            continue
        R = bases[k]
        out[e, :-1][owners == k] = [sigma**2 * (R[r] @ B @ R[c]) for B in fit.model.blocks[k].structure.basis]
        out[e, -1] = 2.0 * sigma * (R[r] @ point[k] @ R[c])
    out[-1, -1] = 2.0 * sigma
    return out
