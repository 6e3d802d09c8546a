"""All estimates of a fit in the units of the data, and the covariance of their errors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .base import Fit


@dataclass(frozen=True, eq=False)
class Joint:
    """Coefficients, entries of the covariances, and the residual variance where there is one.

    Variances are counted in units that keep their squares within floats.

    Attributes
    ----------
    entries : (term, row, column) with row >= column of the entries
    coefficients : (p,) of the columns that are not aliased
    variances : the entries, then the residual variance
    covariance : of (coefficients, variances / unit); NaN where nothing is known
    unit : of the variances
    """

    entries: tuple[tuple[int, int, int], ...]
    coefficients: np.ndarray
    variances: np.ndarray
    covariance: np.ndarray
    unit: float

    @property
    def of_variances(self) -> np.ndarray:
        """Covariance of ``variances / unit``."""
        k = len(self.coefficients)
        return self.covariance[k:, k:]


def entries_of(fit: Fit) -> tuple[tuple[int, int, int], ...]:
    """Entries (term, row, column) of the covariances that their structures do not fix at zero."""
    terms = enumerate(fit.covariance_model.terms)
    return tuple((k, r, c) for k, term in terms for r, c in term.structure.free_entries)


def estimates_of(fit: Fit, entries) -> np.ndarray:
    """The entries, then the residual variance."""
    covariances = fit.covariances
    found = [covariances[k][r, c] for k, r, c in entries]
    return np.array(found + [fit.sigma2] * fit.family.has_residual)


def joint(fit: Fit) -> Joint:
    """All estimates, their errors by the delta method from the information of the fit.

    At the boundary (a variance at zero, a correlation at plus or minus one) there is no standard
    error.
    """
    entries = entries_of(fit)
    coefficients = fit.coefficients[fit.units.independent]
    variances = estimates_of(fit, entries)
    covariance = _covariance(fit, entries, len(variances))
    return Joint(entries, coefficients, variances, covariance, fit.units.variance)


def _covariance(fit, entries, n_variances):
    information = fit.information
    p = fit.rank
    if information is None:
        out = np.full((p + n_variances, p + n_variances), np.nan)
        out[:p, :p] = fit.coefficient_covariance
        return out
    k = information.n_parameters + information.has_scale
    J = np.zeros((p + n_variances, k + p))
    J[:p, k:] = fit.units.transform
    J[p:, :k] = variance_jacobian(fit, information.parameters, entries)
    with np.errstate(over="ignore", invalid="ignore"):
        found = J @ information.covariance @ J.T
    known = [True] * p + [fit.interior[term] for term, _, _ in entries]
    known = np.array(known + [True] * (len(J) - len(known)), dtype=bool)
    return np.where(known[:, None] & known, found, np.nan)


def variance_jacobian(fit, parameters, entries):
    """Derivatives of ``sigma^2 R T R'`` and of sigma^2, in units of the squared response.

    Columns are the parameters of the covariances and sigma; without a residual variance sigma is
    one and no parameter.
    """
    has_scale = fit.family.has_residual
    sigma = np.sqrt(fit.state.sigma2) if has_scale else 1.0
    out = np.zeros((len(entries) + has_scale, len(parameters) + has_scale))
    for e, (k, r, c) in enumerate(entries):
        for a, (owner, matrix) in enumerate(parameters):
            if owner == k:
                out[e, a] = sigma**2 * fit.units.entry(k, r, c, matrix)
        if has_scale:
            out[e, -1] = 2.0 * sigma * fit.units.entry(k, r, c, fit.T[k])
    if has_scale:
        out[-1, -1] = 2.0 * sigma
    return out
