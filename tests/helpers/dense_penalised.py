"""Penalised likelihoods by textbook formulas on full matrices: slow, short, and meant to be obviously right.

A ridge adds alpha sum_j (s_j beta_j)^2 / sigma2 to -2 log L, s_j being the standard deviation of column j over the
rows with their weights, and 0 for the intercept. The restricted likelihood integrates the penalised one over beta.
"""

from types import SimpleNamespace

import numpy as np

from tests.helpers import dense_glmm
from tests.helpers.dense import per_level


def spread(X, weights=None):
    """Standard deviations of the columns over the repeated rows."""
    weights = np.ones(len(X)) if weights is None else np.asarray(weights, dtype=float)
    share = weights / weights.sum()
    return np.sqrt(share @ (X - share @ X) ** 2)


def ridge_gls(y, X, Zs, Ts, alpha, weights=None, reml=True):
    """The penalised deviance of a linear model with beta and sigma2 at their best, and these."""
    weights = np.ones(len(y)) if weights is None else np.asarray(weights, dtype=float)
    V = sum(Z @ per_level(Z, T) @ Z.T for Z, T in zip(Zs, Ts, strict=True)) + np.diag(1 / weights)
    Vinv = np.linalg.inv(V)
    s = spread(X, weights)
    S = X.T @ Vinv @ X + alpha * np.diag(s**2)
    beta = np.linalg.solve(S, X.T @ Vinv @ y)
    left = y - X @ beta
    squares = left @ Vinv @ left + alpha * np.sum((s * beta) ** 2)
    nu = weights.sum() - reml * X.shape[1]
    logdet = np.linalg.slogdet(V)[1] + np.log(weights).sum()
    deviance = logdet + reml * np.linalg.slogdet(S)[1] + nu * (1 + np.log(2 * np.pi * squares / nu))
    sigma2 = squares / nu
    effective = np.trace(np.linalg.solve(S, X.T @ Vinv @ X))
    return SimpleNamespace(
        deviance=deviance,
        beta=beta,
        sigma2=sigma2,
        cov_beta=sigma2 * np.linalg.inv(S),
        effective=effective,
        likelihood=logdet
        + weights.sum() * np.log(2 * np.pi * sigma2)
        + left @ Vinv @ left / sigma2,
    )


def ridge_laplace(y, X, Zs, beta, Ts, alpha, weights=None):
    """The penalised deviance of a logistic model by Laplace's approximation."""
    penalty = alpha * np.sum((spread(X, weights) * beta) ** 2)
    return dense_glmm.laplace_deviance(y, X, Zs, beta, Ts, weights) + penalty


def symmetric(entries, sizes):
    """L L' of lower triangles in one vector, one matrix per size."""
    found = []
    for q in sizes:
        L = np.zeros((q, q))
        L[np.tril_indices(q)], entries = (
            np.split(entries, [q * (q + 1) // 2])[0],
            entries[q * (q + 1) // 2 :],
        )
        found.append(L @ L.T)
    return found


def roots(Ts):
    """Lower triangles in one vector."""
    return np.concatenate([np.linalg.cholesky(T)[np.tril_indices(len(T))] for T in Ts])


def weak_prior(Ts):
    """-2 log of the density |T|^(1/2) of every T: what "weak" adds to -2 log L."""
    return -sum(np.linalg.slogdet(T)[1] for T in Ts)
