"""The test of one variance by the distribution of its statistic for the very rows (Crainiceanu and
Ruppert 2004).

Under the null the statistic depends on the rows through the eigenvalues of ``Z'PZ`` alone, ``P = W
- WX (X'WX)^-1 X'W``, and its distribution is simulated from as many chi-squareds as these have
different values.
"""

from __future__ import annotations

import numpy as np

from ..._algebra.packed import packed_index
from ..._data.checks import check_n_samples
from ..._fit.base import needs_residual
from ..._fit.linear import LinearFit
from ..._likelihood.linear import FixedEffects
from .likelihood_ratio import LikelihoodRatioTest

MAX_DENSE_EIGENVALUES = 3000
#: variance ratios in units of the typical one
GRID = np.concatenate([[0.0], np.exp(np.arange(-10.0, 12.0, 0.2))])
PRESENT = 1e-12  # share of the largest eigenvalue below which another is none


def exact_test(
    fit: LinearFit, statistic: float, n_samples: int, random_state: int
) -> LikelihoodRatioTest:
    """The test of one variance against the simulated distribution of its statistic for these rows.

    The p-value is ``(1 + draws at least as large) / (1 + draws)``: the observed statistic is one
    more draw under the null, so that the test holds its level for any number of draws, and is never
    zero (Davison and Hinkley 1997, 4.2).
    """
    _check(fit)
    n_samples = check_n_samples(n_samples)
    draws = simulated_statistics(fit, n_samples, random_state)
    pvalue = float(1 + np.sum(draws >= statistic)) / (1 + n_samples) if statistic > 0 else 1.0
    null = (
        f"the random-effect variance is zero; {n_samples:,} draws of the statistic for these rows"
    )
    return LikelihoodRatioTest(float(statistic), 1, pvalue, null, "RLRT" if fit.reml else "LRT")


def _check(fit):
    needs_residual(fit, "method='exact': the exact test exists for", "Use method='chibar'.")
    if fit.n_variance_parameters != 1:
        raise ValueError(
            "method='exact': the test needs one variance parameter, the model has "
            f"{fit.n_variance_parameters}.\nUse method='chibar'."
        )


def simulated_statistics(fit, n_samples, random_state):
    """Draws of ``2 (l1 - l0)`` of one variance under the null.

    With mu the eigenvalues of ``Z'PZ``, xi those that enter the log-determinant (mu under REML,
    those of ``Z'WZ`` under ML) and independent chi-squareds c_s, and c_0 with n - p - rank degrees
    of freedom, the statistic is the maximum over the variance ratio lambda of

        nu log(sum c / (c_0 + sum c_s / (1 + lambda mu_s))) - sum log(1 + lambda xi_s).
    """
    mu, multiplicities = projected_eigenvalues(fit)
    xi, copies = (mu, multiplicities) if fit.reml else eigenvalues(fit)
    present = mu > PRESENT * mu.max()
    mu = mu[present]
    multiplicities = multiplicities[present]
    rng = np.random.default_rng(random_state)
    c = rng.chisquare(multiplicities, (n_samples, len(mu)))
    rest = fit.df_resid - multiplicities.sum()
    c0 = rng.chisquare(rest, n_samples) if rest > 0 else np.zeros(n_samples)
    ratios = GRID / (multiplicities @ mu / multiplicities.sum())
    penalty = copies @ np.log1p(xi[:, None] * ratios)
    return _peaks(fit.objective.nu * _gains(mu, ratios, c0, c) - penalty)


def _gains(mu, ratios, c0, c):
    """``log(sum c / (c_0 + sum c_s / (1 + lambda mu_s)))``, (samples, ratios)."""
    left = c0[:, None] + c @ (1.0 / (1.0 + mu[:, None] * ratios))
    return np.log(c0 + c.sum(axis=1))[:, None] - np.log(left, out=left)


def _peaks(values):
    """The maximum of every row, from the parabola through the highest point and its neighbours on
    the grid.
    """
    place = np.argmax(values, axis=1)
    inner = (place > 1) & (place < values.shape[1] - 1)
    rows = np.flatnonzero(inner)
    place = place[inner]
    before, top, after = (values[rows, place + step] for step in (-1, 0, 1))
    curvature = np.maximum(2.0 * top - before - after, np.finfo(float).tiny)
    peaks = np.max(values, axis=1)
    peaks[inner] += (after - before) ** 2 / (8.0 * curvature)
    return peaks


def eigenvalues(fit):
    """Eigenvalues of ``Z'WZ`` and how often each occurs."""
    A, _ = _only_term(fit)
    return np.unique(np.linalg.eigvalsh(A).ravel(), return_counts=True)


def projected_eigenvalues(fit):
    """Eigenvalues of ``Z'PZ``, ``P = W - WX (X'WX)^-1 X'W``, and how often each occurs.

    Levels of a scalar effect with equal ``A_l = a`` are interchangeable: combinations of them that
    are orthogonal to ``B_l`` have the eigenvalue a, and p combinations are left to a small dense
    problem.
    """
    A, B = _only_term(fit)
    half = FixedEffects.from_sums(fit.objective.gram).half_inverse
    B = B @ half.T
    if A.shape[1] == 1:
        return _scalar_eigenvalues(A[:, 0, 0], B[:, 0])
    _check_dense(A.shape[0] * A.shape[1])
    flat = B.reshape(-1, B.shape[2])
    dense = -flat @ flat.T
    rows = np.arange(len(flat)).reshape(len(A), -1)
    dense[rows[:, :, None], rows[:, None, :]] += A
    return _nonnegative_eigenvalues(dense), np.ones(len(flat))


def _nonnegative_eigenvalues(dense):
    return np.maximum(np.linalg.eigvalsh(dense), 0.0)


def _only_term(fit):
    """``A_l`` (m, q, q) and ``B_l = Z_l'WX`` (m, q, p) of the only term with a variance."""
    covariances = fit.covariance_model
    term = next(term for term in covariances.terms if term.structure.n_parameters)
    q = covariances.sizes[term.factor]
    A = fit.level_blocks[term.factor][packed_index(q)][term.window, term.window]
    B = fit.objective.U[term.factor][term.window, :-1]
    return A.transpose(2, 0, 1), B.transpose(2, 0, 1)


def _scalar_eigenvalues(a, B):
    kinds, kind, counts = np.unique(a, return_inverse=True, return_counts=True)
    taken = np.minimum(counts, B.shape[1])
    _check_dense(taken.sum())
    order = np.argsort(kind, kind="stable")
    parts = np.split(B[order], np.cumsum(counts)[:-1])
    roots = np.vstack([_root_rows(part, r) for part, r in zip(parts, taken, strict=True)])
    dense = np.diag(np.repeat(kinds, taken)) - roots @ roots.T
    found = _nonnegative_eigenvalues(dense) if len(dense) else np.zeros(0)
    free = counts > taken
    return np.append(found, kinds[free]), np.append(np.ones(len(found)), (counts - taken)[free])


def _root_rows(rows, rank):
    """``rank`` rows with the same cross-products."""
    if len(rows) == rank:
        return rows
    values, vectors = np.linalg.eigh(rows.T @ rows)
    largest = slice(len(values) - rank, None)
    return (vectors[:, largest] * np.sqrt(np.maximum(values[largest], 0.0))).T


def _check_dense(order):
    if order > MAX_DENSE_EIGENVALUES:
        raise ValueError(
            f"method='exact': {order:,} groups differ from each other, more than "
            f"{MAX_DENSE_EIGENVALUES:,}.\n"
            "Use method='chibar', which is accurate for so many groups."
        )
