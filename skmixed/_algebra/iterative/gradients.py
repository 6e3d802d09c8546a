"""Preconditioned conjugate gradients for blocks of right-hand sides.

Every column has its own coefficients; one product with the operator serves all of them.  With steps
``alpha_k`` and ratios ``beta_k`` the operator is, in the basis that the iterations build, the
tridiagonal matrix

    T_kk = 1 / alpha_k + beta_{k-1} / alpha_{k-1},      T_{k,k+1} = sqrt(beta_k) / alpha_k

(Saad 2003, Iterative Methods for Sparse Linear Systems, 6.7.3).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

MAX_ITERATIONS = 2000


class Solution(NamedTuple):
    """What the iterations found.

    Attributes
    ----------
    x : (width, columns)
    alphas, betas : (iterations, columns), NaN where a column had come to an end
    """

    x: np.ndarray
    alphas: np.ndarray
    betas: np.ndarray

    def tridiagonal(self, column):
        """Diagonal and off-diagonal of the Lanczos matrix of a column."""
        done = int(np.sum(np.isfinite(self.alphas[:, column])))
        alpha = self.alphas[:done, column]
        beta = self.betas[: max(done - 1, 0), column]
        diagonal = 1.0 / alpha
        diagonal[1:] += beta / alpha[:-1]
        return diagonal, np.sqrt(beta) / alpha[:-1]


def conjugate_gradients(operator, preconditioner, rhs, tol):
    """Solve ``S x = rhs`` until the residual, in the norm of the preconditioner, is ``tol`` times
    the right-hand side.

    ``operator(x)`` multiplies with S, ``preconditioner(r)`` approximates its inverse.

    Raises
    ------
    LinAlgError
        Where they do not come to an end.
    """
    x = np.zeros_like(rhs)
    r = rhs.copy()
    z = preconditioner(r)
    rho = _products(r, z)
    goal = tol**2 * rho
    active = np.flatnonzero(rho > 0)
    r, p, rho = r[:, active], z[:, active], rho[active]
    alphas, betas = [], []
    for _ in range(MAX_ITERATIONS):
        if not len(active):
            return Solution(x, _stacked(alphas, rhs), _stacked(betas, rhs))
        product = operator(p)
        alpha = rho / _products(p, product)
        x[:, active] += alpha * p
        r -= alpha * product
        z = preconditioner(r)
        after = _products(r, z)
        beta = after / rho
        alphas.append(_among(alpha, active, rhs))
        betas.append(_among(beta, active, rhs))
        going = after > goal[active]
        if np.all(going):
            p *= beta
            p += z
            rho = after
        else:
            p = z[:, going] + beta[going] * p[:, going]
            active, r, rho = active[going], r[:, going], after[going]
    raise np.linalg.LinAlgError("conjugate gradients did not come to an end")


def _products(a, b):
    """``a_k'b_k`` of every column."""
    return np.einsum("nk,nk->k", a, b)


def _among(values, active, rhs):
    out = np.full(rhs.shape[1], np.nan)
    out[active] = values
    return out


def _stacked(rows, rhs):
    return np.array(rows).reshape(len(rows), rhs.shape[1])
