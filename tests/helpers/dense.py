"""Linear mixed models by textbook formulas on full matrices: slow, short, and meant to be obviously
right.

y = X beta + sum_t Z_t b_t + e,  b_t ~ N(0, sigma2 I (x) T_t),  e ~ N(0, sigma2 W^-1), V = sum_t Z_t
(I (x) T_t) Z_t' + W^-1.  T_t is relative to sigma2, which is profiled out unless given.

Weights count repetitions: weight w stands for w identical rows, 0 for none. Compared with n rows of
residual variance sigma2 / w that changes two things: there are N = sum w observations, and the
deviance has no sum of log weights (log|V| of the repeated rows = log|V| + sum log w).
"""

from types import SimpleNamespace

import numpy as np
from scipy.linalg import block_diag


def term_design(labels, columns, levels=None):
    """n x (levels * q): the q columns of a term in each level's own block; levels without rows are zero."""
    columns = np.asarray(columns, dtype=float).reshape(len(labels), -1)
    levels = np.unique(labels) if levels is None else levels
    return np.hstack([columns * (labels == level)[:, None] for level in levels])


def per_level(Z, T):
    """I (x) T: one copy of T for each level."""
    return np.kron(np.eye(Z.shape[1] // len(T)), T)


def directions(Zs, Ts):
    """dV for a unit change of every entry of the lower triangle (column by column) of each symmetric T."""
    found = []
    for Z, T in zip(Zs, Ts, strict=True):
        for j, i in zip(*np.triu_indices(len(T)), strict=True):
            E = np.outer(np.eye(len(T))[i], np.eye(len(T))[j])
            found.append(Z @ per_level(Z, np.maximum(E, E.T)) @ Z.T)
    return found


def gls(y, X, Zs, Ts, weights=None, reml=True):
    """Generalised least squares given T: estimates, and the matrices that the derivatives need."""
    weights = np.ones(len(y)) if weights is None else np.asarray(weights, dtype=float)
    kept = weights > 0
    y, X, Zs, weights = y[kept], X[kept], [Z[kept] for Z in Zs], weights[kept]
    V = sum(Z @ per_level(Z, T) @ Z.T for Z, T in zip(Zs, Ts, strict=True)) + np.diag(1 / weights)
    Vinv = np.linalg.inv(V)
    C = np.linalg.inv(X.T @ Vinv @ X)
    beta = C @ X.T @ Vinv @ y
    P = Vinv - Vinv @ X @ C @ X.T @ Vinv
    dof = weights.sum() - reml * X.shape[1]
    sigma2 = (y - X @ beta) @ Vinv @ (y - X @ beta) / dof
    logdet = np.linalg.slogdet(V)[1] + np.log(weights).sum() - reml * np.linalg.slogdet(C)[1]
    found = {"beta": beta, "cov_beta": sigma2 * C, "sigma2": sigma2, "dof": dof, "logdet": logdet}
    return SimpleNamespace(y=y, X=X, Zs=Zs, weights=weights, P=P, M=P if reml else Vinv, **found)


def dense_deviance(y, X, Zs, Ts, weights=None, reml=True):
    """-2 log-likelihood (restricted: with all the constants of lme4), sigma2 profiled out."""
    g = gls(y, X, Zs, Ts, weights, reml)
    return g.logdet + g.dof * (1 + np.log(2 * np.pi * g.sigma2))


def dense_gradient(y, X, Zs, Ts, weights=None, reml=True):
    """One symmetric D per T, d(deviance) = tr(D dT): D_ij = tr(M V_ij) - y'P V_ij P y / sigma2."""
    g = gls(y, X, Zs, Ts, weights, reml)
    K = g.M - np.outer(g.P @ g.y, g.P @ g.y) / g.sigma2
    corners = [
        (Z.T @ K @ Z).reshape(-1, len(T), Z.shape[1] // len(T), len(T))
        for Z, T in zip(g.Zs, Ts, strict=True)
    ]
    return [np.einsum("lilj->ij", corner) for corner in corners]


def trace_and_square_forms(g, Va):
    """tr(M V_a), y'P V_a P y, tr(M V_a M V_b), y'P V_a P V_b P y over all directions."""
    MV, VPy = [g.M @ V for V in Va], np.array([V @ g.P @ g.y for V in Va])
    pairs = np.array([[np.sum(A * B.T) for B in MV] for A in MV])
    return np.array([np.trace(A) for A in MV]), VPy @ g.P @ g.y, pairs, VPy @ g.P @ VPy.T


def dense_hessian(y, X, Zs, Ts, weights=None, reml=True):
    """Observed, average and expected second derivatives of the profiled deviance along `directions`."""
    g = gls(y, X, Zs, Ts, weights, reml)
    traces, squares, pairs, quads = trace_and_square_forms(g, directions(g.Zs, Ts))
    profiled = np.outer(squares, squares) / (g.dof * g.sigma2**2)
    average, expected = quads / g.sigma2 - profiled, pairs - np.outer(traces, traces) / g.dof
    return quads / g.sigma2 - pairs + average, average, expected


def dense_information(y, X, Zs, Gs, sigma2, weights=None, reml=True):
    """Observed information of the absolute variances: `directions` of the G's, then sigma2 (not profiled)."""
    g = gls(y, X, Zs, [G / sigma2 for G in Gs], weights, reml)
    g.P, g.M = g.P / sigma2, g.M / sigma2
    _, _, pairs, quads = trace_and_square_forms(g, directions(g.Zs, Gs) + [np.diag(1 / g.weights)])
    quads[-1, -1] -= (
        (g.weights.sum() - len(g.y)) / sigma2**2 / 2
    )  # the repetitions: (N - n) log sigma2
    return quads - pairs / 2


def henderson(y, X, Zs, Ts, weights=None, reml=True):
    """Mixed-model equations: beta, b (levels x q per term), cov(b | beta, y), joint covariance of the errors."""
    g = gls(y, X, Zs, Ts, weights, reml)
    S = block_diag(
        *[per_level(Z, root(T)) for Z, T in zip(Zs, Ts, strict=True)]
    )  # b = S u, so that T may be singular
    p, A = X.shape[1], np.hstack([g.X, np.hstack(g.Zs) @ S])
    left = A.T @ (g.weights[:, None] * A) + np.diag(np.repeat([0.0, 1.0], [p, len(S)]))
    back = block_diag(np.eye(p), S)
    beta, effects = np.split(back @ np.linalg.solve(left, A.T @ (g.weights * g.y)), [p])
    parts = np.split(effects, np.cumsum([Z.shape[1] for Z in Zs])[:-1])
    b = [part.reshape(-1, len(T)) for part, T in zip(parts, Ts, strict=True)]
    conditional, joint = S @ np.linalg.inv(left[p:, p:]) @ S.T, back @ np.linalg.inv(left) @ back.T
    covariances = {"conditional": g.sigma2 * conditional, "joint": g.sigma2 * joint}
    return SimpleNamespace(beta=beta, b=b, sigma2=g.sigma2, **covariances)


def root(T):
    """The symmetric square root."""
    values, vectors = np.linalg.eigh(T)
    return vectors * np.sqrt(values.clip(0)) @ vectors.T


def row_variance(solution, x, z):
    """Error variance of x'beta + z'b, z over the columns of all Z (a level without rows is a new one)."""
    rows = np.hstack([np.atleast_2d(x), np.atleast_2d(z)])
    return np.sum(rows @ solution.joint * rows, axis=1)
