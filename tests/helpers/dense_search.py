"""The best of many dense searches: an optimum of a linear mixed model that owes nothing to the
package.

Covariances are squares of free parameters (a Cholesky factor, standard deviations), their gradient
is the textbook's, and BFGS starts at random points of very different sizes.
"""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import minimize

FAR = 1e10  # of a deviance that rounding spoils


@dataclass
class DenseTerm:
    """Random effects with the ``columns`` (n, q) of every row, by the levels of ``codes``."""

    codes: np.ndarray
    columns: np.ndarray
    covariance: str

    def __post_init__(self):
        self.together = np.equal.outer(self.codes, self.codes).astype(float)
        self.sizes = np.sqrt(np.mean(self.columns**2, axis=0))
        self.size = len(self.sizes)
        self.triangle = np.tril_indices(self.size)

    @property
    def n_parameters(self):
        counts = {"unstructured": len(self.triangle[0]), "diagonal": self.size, "identity": 1}
        return counts.get(self.covariance, 2)

    def matrix(self, x):
        """T, and its derivatives in x (k, q, q)."""
        if self.covariance == "unstructured":
            return self._unstructured(x)
        if self.covariance == "diagonal":
            parts = np.array([np.diag(e) for e in np.eye(self.size) / self.sizes**2])
        elif self.covariance == "identity":
            parts = np.eye(self.size)[None]
        else:
            mean = np.full((self.size, self.size), 1.0 / self.size)
            parts = np.array([np.eye(self.size) - mean, mean])
        return np.einsum("k,kij->ij", x**2, parts), 2.0 * x[:, None, None] * parts

    def _unstructured(self, x):
        root = np.zeros((self.size, self.size))
        root[self.triangle] = x
        root /= self.sizes[:, None]
        first = np.zeros((len(x), self.size, self.size))
        for k, (i, j) in enumerate(zip(*self.triangle, strict=True)):
            first[k, i, :] = root[:, j] / self.sizes[i]
        return root @ root.T, first + first.transpose(0, 2, 1)

    def random_start(self, rng):
        """Parameters of a size between a hundredth and a hundred times that of the residuals."""
        x = 10.0 ** rng.uniform(-1.0, 1.0) * rng.normal(size=self.n_parameters)
        if self.covariance in ("identity", "exchangeable"):
            x /= np.exp(rng.uniform(np.log(self.sizes.min()), np.log(self.sizes.max())))
        return x

    def variance(self, T):
        """What it adds to V."""
        return self.together * (self.columns @ T @ self.columns.T)


@dataclass
class DenseModel:
    """y, X and terms; sigma2 is profiled out."""

    y: np.ndarray
    X: np.ndarray
    terms: list[DenseTerm]
    reml: bool

    def deviance(self, Ts):
        """-2 log-likelihood, one symmetric gradient per T, and sigma2."""
        n, p = self.X.shape
        V = np.eye(n) + sum(t.variance(T) for t, T in zip(self.terms, Ts, strict=True))
        factor = cho_factor(V, lower=True)
        Vinv = cho_solve(factor, np.eye(n))
        VX = Vinv @ self.X
        inner = cho_factor(self.X.T @ VX, lower=True) if p else None
        P = Vinv - VX @ cho_solve(inner, VX.T) if p else Vinv
        Py = P @ self.y
        dof = n - p * self.reml
        sigma2 = (self.y @ Py) / dof
        value = 2 * np.log(np.diag(factor[0])).sum() + dof * (1 + np.log(2 * np.pi * sigma2))
        if self.reml and p:
            value += 2 * np.log(np.diag(inner[0])).sum()
        K = (P if self.reml else Vinv) - np.outer(Py, Py) / sigma2
        return value, [t.columns.T @ (t.together * K) @ t.columns for t in self.terms], sigma2

    def __call__(self, x):
        """Deviance and gradient in the free parameters."""
        matrices = [t.matrix(part) for t, part in zip(self.terms, self.split(x), strict=True)]
        try:
            with np.errstate(all="ignore"):
                value, gradients, _ = self.deviance([T for T, _ in matrices])
        except (np.linalg.LinAlgError, ValueError):
            return FAR, np.zeros(len(x))
        slopes = [
            np.einsum("kij,ij->k", first, D)
            for (_, first), D in zip(matrices, gradients, strict=True)
        ]
        if not np.isfinite(value):
            return FAR, np.zeros(len(x))
        return value, np.concatenate(slopes)

    def split(self, x):
        return np.split(x, np.cumsum([t.n_parameters for t in self.terms])[:-1])

    def covariances(self, x):
        return [t.matrix(part)[0] for t, part in zip(self.terms, self.split(x), strict=True)]

    def best(self, rng, starts=10):
        """The lowest deviance of some random starts and of no random effects, with its place."""
        size = sum(t.n_parameters for t in self.terms)
        found = [(self(np.zeros(size))[0], np.zeros(size))]
        for _ in range(starts):
            start = np.concatenate([t.random_start(rng) for t in self.terms])
            end = minimize(self, start, jac=True, method="BFGS", options={"gtol": 1e-7})
            found.append((end.fun, end.x))
        return min(found, key=lambda pair: pair[0])
