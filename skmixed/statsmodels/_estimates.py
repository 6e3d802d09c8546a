"""The estimates of a fit in statsmodels' order and units.

With the residual variance s and the other variances v, statsmodels' parameters are v / s.  Their
covariance follows by the delta method from that of (v, s):

    Cov(v_i / s, v_j / s) = [C_ij - r_i C_js - r_j C_is + r_i r_j C_ss] / s^2,   r = v / s.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ..inference._variances import VarianceEstimates
from ._fitting import Assembled
from ._inputs.components import Component
from ._inputs.groups import Groups


@dataclass(frozen=True, eq=False)
class Estimates:
    """Estimates in the order of statsmodels.

    Attributes
    ----------
    fixed, fixed_covariance : (k_fe,) and its covariance; zero with NaN for what was dropped
    cov_re : (k_re, k_re)
    vcomp : (k_vc,)
    scale : residual variance
    std_errors : of the lower triangle of cov_re, then vcomp
    ratio_covariance : of the same, divided by scale
    """

    fixed: np.ndarray
    fixed_covariance: np.ndarray
    cov_re: np.ndarray
    vcomp: np.ndarray
    scale: float
    std_errors: np.ndarray
    ratio_covariance: np.ndarray

    @property
    def ratios(self) -> np.ndarray:
        """Variances and covariances divided by the residual variance."""
        entries = self.cov_re[np.tril_indices(len(self.cov_re))]
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.concatenate([entries, self.vcomp]) / self.scale

    @property
    def params(self) -> np.ndarray:
        return np.concatenate([self.fixed, self.ratios])

    @property
    def covariance(self) -> np.ndarray:
        """Of params; fixed effects and variances are not correlated."""
        k = len(self.fixed)
        out = np.zeros((k + len(self.ratio_covariance),) * 2)
        out[:k, :k] = self.fixed_covariance
        out[k:, k:] = self.ratio_covariance
        return out


class Entry(NamedTuple):
    """A parameter of the covariances: term, row >= column there; None for one that is zero."""

    term: int
    row: int
    column: int


def estimates_of(found: Assembled, blocks: list[list[int]], k_re: int) -> Estimates:
    """Of a fit whose first terms are blocks of ``cov_re``; the others are variance components."""
    fit = found.fitted.fit
    entries = _entries(found, blocks, k_re)
    errors, ratios = _variances(VarianceEstimates.of(fit), entries)
    return Estimates(
        *_fixed(found),
        cov_re=_cov_re(found, blocks, k_re),
        vcomp=np.array([S[0, 0] for S in fit.covariances[len(blocks) :]]),
        scale=float(fit.sigma2),
        std_errors=errors,
        ratio_covariance=ratios,
    )


def _fixed(found):
    """Coefficients of all columns, and their covariance."""
    fit = found.fitted.fit
    p = len(fit.coefficients)
    covariance = np.full((p, p), np.nan)
    kept = fit.units.independent
    covariance[np.ix_(kept, kept)] = fit.coefficient_covariance
    return fit.coefficients[found.fixed], covariance[np.ix_(found.fixed, found.fixed)]


def _cov_re(found, blocks, k_re):
    out = np.zeros((k_re, k_re))
    for block, place, S in zip(blocks, found.places, found.fitted.fit.covariances, strict=False):
        out[np.ix_(block, block)] = S[np.ix_(place.within, place.within)]
    return out


def _entries(found, blocks, k_re):
    """The lower triangle row by row, then the components."""
    home = {column: (term, at) for term, b in enumerate(blocks) for at, column in enumerate(b)}
    triangle = zip(*np.tril_indices(k_re), strict=True)
    entries = [_entry(found, home[r], home[c]) for r, c in triangle]
    return [*entries, *(Entry(k, 0, 0) for k in range(len(blocks), len(found.places)))]


def _entry(found, row, column):
    if row[0] != column[0]:
        return None
    within = found.places[row[0]].within
    pair = within[row[1]], within[column[1]]
    return Entry(row[0], int(max(pair)), int(min(pair)))


def _variances(estimates, entries):
    """Standard errors, and the covariance of the ratios."""
    known = {entry: k for k, entry in enumerate(estimates.entries)}
    places = np.array([-1 if e is None else known[tuple(e)] for e in entries], dtype=int)
    C = np.pad(estimates.covariance, (0, 1))  # what is fixed at zero has no error
    v = np.append(estimates.estimates, 0.0) / estimates.unit
    places = np.where(places < 0, len(v) - 1, places)
    s = len(v) - 2
    with np.errstate(divide="ignore", invalid="ignore"):
        r = v[places] / v[s]
        beside = np.outer(r, C[places, s])
        ratios = C[np.ix_(places, places)] - beside - beside.T + np.outer(r, r) * C[s, s]
        ratios = ratios / v[s] ** 2
        errors = np.sqrt(np.diag(C)[places]) * estimates.unit
    return errors, ratios


class Modes(NamedTuple):
    """Conditional modes and their covariance in one group, with their names."""

    names: list[str]
    values: np.ndarray


def modes_of(
    found: Assembled,
    blocks: list[list[int]],
    names: list[str],
    components: list[Component],
    groups: Groups,
) -> list[Modes]:
    """Per group: the correlated effects, then those of the components."""
    per_part = [_by_level(found, place) for place in found.places]
    effects = np.zeros((len(groups.labels), len(names)))
    for block, values in zip(blocks, per_part, strict=False):
        effects[:, block] = values
    rest = list(zip(components, per_part[len(blocks) :], strict=True))
    return [
        Modes(
            component_names(names, components, g),
            np.concatenate([effects[g], *(c.modes(g, values) for c, values in rest)]),
        )
        for g in range(len(groups.labels))
    ]


def component_names(names: list[str], components: list[Component], group: int) -> list[str]:
    """Names of all effects of a group."""
    more = [f"{c.name}[{column}]" for c in components for column in c.names(group)]
    return [*names, *more]


def _by_level(found, place):
    """Modes of one part, (levels, q); zero for levels without rows."""
    modes = found.fitted.fit.effects[place.factor][:, place.columns]
    padded = np.vstack([modes, np.zeros(modes.shape[1])])
    return padded[place.levels]


def conditional_covariance(Z: np.ndarray, G: np.ndarray, scale: float) -> np.ndarray:
    """``G - G Z'V^-1 Z G`` of one group, ``V = Z G Z' + scale I``, for any G: with the root L of G
    it is ``scale L (L'Z'ZL + scale I)^-1 L'``.
    """
    values, vectors = np.linalg.eigh(G)
    L = vectors * np.sqrt(np.maximum(values, 0.0))
    ZL = Z @ L
    return scale * L @ np.linalg.solve(ZL.T @ ZL + scale * np.eye(len(G)), L.T)


def effects_of(
    model: Any, group: int, cov_re: np.ndarray, vcomp: np.ndarray
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """All random effects of one group: their columns, covariance matrix and names."""
    rows = model.grouping.rows[group]
    parts = [] if model.exog_re is None else [model.exog_re[rows]]
    parts += [c.matrix(group, rows) for c in model.components]
    widths = [len(c.names(group)) for c in model.components]
    k = model.k_re
    G = np.diag(np.concatenate([np.zeros(k), np.repeat(vcomp, widths)]))
    G[:k, :k] = cov_re
    names = component_names(model.data.exog_re_names, model.components, group)
    return np.column_stack(parts), G, names
