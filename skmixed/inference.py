"""What may be concluded from a fit: functions of the small fitted value, not methods of a large result.

Deviances are -2 log-likelihoods throughout.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy import stats

from ._covariance import pivoted_root
from ._fitted import inverse_information
from ._optimize import pack

__all__ = ["LikelihoodRatioTest", "WaldTest", "random_effects_test", "variance_estimates", "wald_chi2"]


ROUNDING = 1e-9  # a difference of log-likelihoods below this share of them is none


class WaldTest(NamedTuple):
    """A joint test that some coefficients are zero."""

    statistic: float
    df: int
    pvalue: float


@dataclass(frozen=True)
class LikelihoodRatioTest:
    """A likelihood-ratio test; ``null`` says in words what was tested and against which distribution."""

    statistic: float
    df: int
    pvalue: float
    null: str
    distribution: str
    conservative: bool = False


def check_level(level):
    """A confidence level between 0 and 1."""
    if not 0 < level < 1:
        raise ValueError(f"level={level!r} is not a probability.\nUse a number between 0 and 1, such as 0.95.")
    return level


def wald_chi2(coefficients, covariance):
    """``b' Cov(b)^-1 b``, chi-squared with as many degrees of freedom as coefficients."""
    if len(coefficients) == 0:
        return WaldTest(0.0, 0, np.nan)
    if not np.all(np.isfinite(covariance)):
        return WaldTest(np.nan, len(coefficients), np.nan)
    if not np.all(np.diag(covariance) > 0):
        return WaldTest(np.inf, len(coefficients), 0.0)
    scale = 1.0 / np.sqrt(np.diag(covariance))
    z = coefficients * scale
    statistic = float(z @ np.linalg.lstsq(scale[:, None] * covariance * scale, z, rcond=1e-13)[0])
    return WaldTest(statistic, len(coefficients), float(stats.chi2.sf(statistic, len(coefficients))))


def random_effects_test(fit):
    """Likelihood-ratio test of the model against the one without any random effect.

    A variance cannot be negative, so under the null half of all data sets estimate a single variance as zero: the
    statistic is an equal mixture of chi-squared with 0 and 1 degrees of freedom (Self and Liang 1987).  With k > 1
    parameters the chi-squared with k degrees of freedom is used, which is conservative.
    """
    statistic = max(0.0, 2.0 * (fit.loglik - fit.loglik_without_effects))
    if statistic < ROUNDING * max(1.0, abs(fit.loglik)):
        statistic = 0.0
    k = fit.n_variance_parameters
    null = "all random-effect variances are zero"
    if k == 1:
        pvalue = 0.5 * stats.chi2.sf(statistic, 1) if statistic > 0 else 1.0
        return LikelihoodRatioTest(statistic, 1, float(pvalue), null, "chibar2(01)")
    pvalue = stats.chi2.sf(statistic, k) if k else np.nan
    return LikelihoodRatioTest(statistic, k, float(pvalue), null, f"chi2({k})", conservative=k > 0)


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
