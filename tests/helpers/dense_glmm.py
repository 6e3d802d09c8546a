"""Logistic mixed models by textbook formulas on full matrices: slow, short, and meant to be
obviously right.

y ~ Bernoulli(expit(eta)),  eta = X beta + sum_t Z_t b_t,  b_t ~ N(0, I (x) T_t); weights count
repetitions of rows.

In spherical coordinates b = S u with u ~ N(0, I) the likelihood is the integral over u of exp(-h)
(2 pi)^(-k/2),

    h(u) = -sum_i w_i log p(y_i | eta_i) + u'u / 2,   u^ = argmin h,   H = h''(u^) = S'Z'WZS + I.

Laplace's approximation: -2 log L = 2 h(u^) + log|H|. Adaptive quadrature, for one factor, level by
level: the points z_k and weights omega_k of N(0, I) are moved to u^ + L^-T z_k, where H = L L', and
-2 log L_j = log|H| - 2 log sum_k omega_k exp(z_k'z_k / 2 - h(u_k)). With one point that is
Laplace's approximation. Deviances are those of zeros and ones: they have no binomial coefficients.
"""

from itertools import product
from types import SimpleNamespace

import numpy as np
from scipy.linalg import block_diag
from scipy.special import expit, logsumexp

from tests.helpers.dense import per_level, root


def lower_root(T):
    """The lower triangular L with T = L L', also of a singular T: its columns in the order the user gave them."""
    L = np.linalg.qr(root(np.asarray(T, dtype=float)))[1].T
    return L * np.where(np.diag(L) < 0, -1.0, 1.0)


def log_density(y, eta, weights):
    """log p of the rows, each as often as its weight says; eta may have a column for every
    point."""
    return (weights * (y * eta.T - np.logaddexp(0, eta.T))).sum(axis=-1)


def mode(y, offset, A, weights):
    """The minimum u of h for eta = offset + A u, and the second derivatives H there: Newton with halved steps."""

    def h(u):
        return u @ u / 2 - log_density(y, offset + A @ u, weights)

    def curvature(probability):
        return A.T @ ((weights * probability * (1 - probability))[:, None] * A) + np.eye(A.shape[1])

    u = np.zeros(A.shape[1])
    for _ in range(100):
        probability = expit(offset + A @ u)
        step = np.linalg.solve(curvature(probability), A.T @ (weights * (y - probability)) - u)
        while h(u + step) > h(u) + 1e-12 * max(1.0, abs(h(u))):
            step /= 2
        u = u + step
        if np.max(np.abs(step), initial=0.0) < 1e-11:
            return u, curvature(expit(offset + A @ u))
    raise ArithmeticError("the conditional mode was not found")


def ones_unless(weights, y):
    return np.ones(len(y)) if weights is None else np.asarray(weights, dtype=float)


def conditional(y, X, Zs, beta, Ts, weights=None):
    """Conditional modes b (levels x q per term), their covariance given the parameters, eta, and Laplace's deviance."""
    weights = ones_unless(weights, y)
    S = block_diag(*[per_level(Z, lower_root(T)) for Z, T in zip(Zs, Ts, strict=True)])
    A = np.hstack(Zs) @ S
    u, H = mode(y, X @ beta, A, weights)
    eta = X @ beta + A @ u
    parts = np.split(S @ u, np.cumsum([Z.shape[1] for Z in Zs])[:-1])
    return SimpleNamespace(
        b=[part.reshape(-1, len(T)) for part, T in zip(parts, Ts, strict=True)],
        covariance=S @ np.linalg.solve(H, S.T),
        eta=eta,
        deviance=u @ u - 2 * log_density(y, eta, weights) + np.linalg.slogdet(H)[1],
    )


def laplace_deviance(y, X, Zs, beta, Ts, weights=None):
    """-2 log-likelihood by Laplace's approximation, any number of terms."""
    return conditional(y, X, Zs, beta, Ts, weights).deviance


def normal_points(n, q):
    """The n^q points of the tensor rule for N(0, I) (one per row) and the logarithms of their weights."""
    points, weights = np.polynomial.hermite_e.hermegauss(n)
    z = np.array(list(product(points, repeat=q)))
    return z, np.log(list(product(weights / weights.sum(), repeat=q))).sum(axis=1)


def quadrature_deviance(y, X, labels, columns, beta, T, n, weights=None):
    """-2 log-likelihood by adaptive Gauss-Hermite quadrature with n points per effect of a single factor."""
    weights, columns = ones_unless(weights, y), np.asarray(columns, dtype=float).reshape(len(y), -1)
    z, log_omega = normal_points(n, len(T))
    total, codes = 0.0, np.unique(labels, return_inverse=True)[1]
    for level in range(codes.max() + 1):
        here = codes == level
        total += level_deviance(
            y[here], X[here] @ beta, columns[here] @ lower_root(T), weights[here], z, log_omega
        )
    return total


def level_deviance(y, offset, A, weights, z, log_omega):
    u, H = mode(y, offset, A, weights)
    points = u[:, None] + np.linalg.solve(np.linalg.cholesky(H).T, z.T)
    minus_h = log_density(y, offset[:, None] + A @ points, weights) - (points**2).sum(axis=0) / 2
    return np.linalg.slogdet(H)[1] - 2 * logsumexp(log_omega + (z**2).sum(axis=1) / 2 + minus_h)


def integrated_probability(eta, variance):
    """E expit(eta + N(0, variance)): the trapezoid rule, which is exact to round-off for smooth integrands."""
    eta, variance = np.broadcast_arrays(np.asarray(eta, dtype=float), variance)
    z = np.arange(-9.0, 9.01, 0.05)
    density = np.exp(-(z**2) / 2)
    return expit(eta[..., None] + np.sqrt(variance)[..., None] * z) @ (density / density.sum())
