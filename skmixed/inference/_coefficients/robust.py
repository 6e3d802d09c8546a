"""Cluster-robust covariances of the fixed effects, and their small-sample distributions.

For clusters c with covariance V_c, ``C = (sum X_c'V_c^-1X_c)^-1`` and residuals ``e_c = y_c - X_c
b``

    CR = C (sum_c s_c s_c') C,        s_c = X_c'V_c^-1 A_c e_c,

with ``A_c = I`` for CR0, ``sqrt(m / (m - 1)) I`` for CR1 and m clusters, ``(I -
X_cCX_c'V_c^-1)^-1`` for CR3, which is the jackknife, and ``D'(D(V_c - X_cCX_c')D')^{-1/2}D`` with
``D'D = V_c`` for CR2, which makes the estimate unbiased where V is right (Bell and McCaffrey 2002;
Pustejovsky and Tipton 2018).  Outside the span of ``[Z_c X_c]`` all these matrices are the
identity, so a cluster is reduced to as many rows as that has columns.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise, product

import numpy as np

from ..._fit.linear import LinearFit
from ..._sums.onepass import level_products
from ..._sums.source import InMemory
from .clusters import Clusters

RANK = 1e-10  # eigenvalues below this share of the largest count as zero


@dataclass(frozen=True)
class Batch:
    """Clusters of equal size in the rows they were reduced to, in units of sigma^2.

    Attributes
    ----------
    V, X, e : (m, r, r) covariances, (m, r, p) columns, (m, r) residuals
    """

    V: np.ndarray
    X: np.ndarray
    e: np.ndarray


class ClusterRobust:
    """A rule as in :mod:`.dof`: a cluster-robust covariance with degrees of freedom after Bell and
    McCaffrey.

    ``correct`` is one of the functions :data:`CORRECTIONS`.  In the frame's units.
    """

    def __init__(self, fit, batches, n_clusters, correct):
        self.C = fit.state.fixed.covariance
        self.n_clusters = n_clusters
        scores = []
        self._own = []
        self._shared = []
        for batch in batches:
            AW = correct(batch, self.C, n_clusters)
            scores.append(np.einsum("mrp,mr->mp", AW, batch.e))
            self._own.append(AW.transpose(0, 2, 1) @ batch.V @ AW)
            self._shared.append(batch.X.transpose(0, 2, 1) @ AW)
        scores = np.concatenate(scores)
        self.covariance = self.C @ (scores.T @ scores) @ self.C

    @cached_property
    def _moments(self):
        """Per cluster ``W_c'A_cV_cA_c'W_c`` and ``X_c'A_c'W_c`` with ``W_c = V_c^-1X_c``, (m, p,
        p).
        """
        return np.concatenate(self._own), np.concatenate(self._shared)

    def df(self, L):
        """``2 E(v)^2 / Var(v)`` of the estimated variance v of every row, under the model's V."""
        return np.array([self._joint_df(row[None]) for row in L])

    def joint(self, L):
        """Hotelling's T^2 with that many degrees of freedom (Tipton and Pustejovsky 2015)."""
        q = len(L)
        df = self._joint_df(L)
        rest = max(df - q + 1.0, 0.0)
        return rest / df, rest

    def _joint_df(self, L):
        """``q (q + 1) / sum_st Var(D_st)`` for the estimated covariance D of L b, brought to
        expectation one.

        NaN where that expectation is singular: the clusters determine a row.
        """
        own, shared = self._moments
        LC = L @ self.C
        within = np.einsum("sp,mpr,tr->st", LC, own, LC)
        expected = within - self._overlap(shared @ LC.T)
        values, vectors = np.linalg.eigh((expected + expected.T) / 2)
        if not values[0] > RANK * np.max(np.abs(np.diag(within)), initial=0.0):
            return np.nan
        variances = self._sum_of_variances((vectors / np.sqrt(values)).T @ LC)
        return len(L) * (len(L) + 1.0) / variances if variances > 0 else np.nan

    def _sum_of_variances(self, LC):
        """``sum_st Var(D_st)`` for contrasts ``LC`` of the scores."""
        own, shared = self._moments
        v = np.einsum("sp,mpr,tr->mst", LC, own, LC)
        h = shared @ LC.T
        hh = np.einsum("mps,pr,mrt->mst", h, self.C, h)
        G = np.einsum("mps,mrt->stpr", h, h)
        total = 0.0
        for s, t in product(range(len(LC)), repeat=2):
            total += self._product(v, hh, G, (s, s), (t, t))
            total += self._product(v, hh, G, (s, t), (t, s))
        return total

    def _overlap(self, h):
        """``sum_c h_c'C h_c``, (q, q)."""
        return np.einsum("mps,pr,mrt->st", h, self.C, h)

    def _product(self, v, hh, G, left, right):
        """``sum_cd K_cd K'_cd`` with ``K_cd = [c = d] v_c - h_c'C h_d`` for two pairs of
        contrasts."""
        a, b = left
        c, d = right
        own = v[:, a, b] * v[:, c, d] - v[:, a, b] * hh[:, c, d] - v[:, c, d] * hh[:, a, b]
        return np.sum(own) + np.trace(self.C @ G[a, c] @ self.C @ G[d, b])


# The corrections: A_c'V_c^-1X_c for every cluster of a batch, (m, r, p)
def _uncorrected(batch, C, n_clusters):
    return np.linalg.solve(batch.V, batch.X)


def _scaled(batch, C, n_clusters):
    return np.sqrt(n_clusters / (n_clusters - 1.0)) * _uncorrected(batch, C, n_clusters)


def _bias_reduced(batch, C, n_clusters):
    D = _root(batch.V, 0.5)
    A = D @ _root(D @ (batch.V - _explained(batch, C)) @ D, -0.5) @ D
    return A @ _uncorrected(batch, C, n_clusters)


def _jackknife(batch, C, n_clusters):
    """``(V - XCX')^-1 X``; a generalised inverse where a cluster alone determines a coefficient."""
    return _root(batch.V - _explained(batch, C), -1.0) @ batch.X


def _explained(batch, C):
    return batch.X @ C @ batch.X.transpose(0, 2, 1)


def _root(S, power):
    """Power of symmetric matrices; eigenvalues that are zero stay zero."""
    values, vectors = np.linalg.eigh((S + S.transpose(0, 2, 1)) / 2)
    positive = values > RANK * np.max(values, axis=1, keepdims=True)
    powers = np.where(positive, np.where(positive, values, 1.0) ** power, 0.0)
    return (vectors * powers[:, None]) @ vectors.transpose(0, 2, 1)


CORRECTIONS = {"CR0": _uncorrected, "CR1": _scaled, "CR2": _bias_reduced, "CR3": _jackknife}


def cluster_robust(
    fit: LinearFit, source: InMemory, clusters: Clusters, kind: str
) -> ClusterRobust:
    """The robust rule of a linear fit, from its rows."""
    is_only_factor = len(source.codes) == 1 and clusters.factor == 0
    batches = levels_as_clusters if is_only_factor else one_by_one
    return ClusterRobust(fit, batches(fit, source, clusters), clusters.n, CORRECTIONS[kind])


def levels_as_clusters(fit, source, clusters):
    """Clusters that are the levels of the only factor, from their cross-products: all in one
    batch.
    """
    frame = fit.design.frame
    (z,) = ([*effects] for effects in frame.effects)
    x = [*frame.fixed[fit.units.independent]]
    sums = level_products(frame, source, 0, [*z, *x])
    gram = sums[:, z + x].transpose(2, 0, 1)
    fitted = np.einsum("cpm,p->cm", sums[:, x], fit.state.fixed.beta)
    ZX, e = _reduced_sums(gram, (sums[:, frame.response] - fitted).T)
    Z = ZX[:, :, : len(z)]
    (T,) = fit.state.elimination.T
    yield Batch(np.eye(len(z + x)) + Z @ T @ Z.transpose(0, 2, 1), ZX[:, :, len(z) :], e)


def _reduced_sums(gram, residual):
    """As many rows as columns that have these cross-products, and their residuals."""
    values, vectors = np.linalg.eigh(gram)
    root = np.sqrt(np.where(values > RANK * np.max(values, axis=1, keepdims=True), values, 0.0))
    inverse = np.where(root > 0, 1.0 / np.where(root > 0, root, 1.0), 0.0)
    e = inverse * np.einsum("mcr,mc->mr", vectors, residual)
    return root[:, :, None] * vectors.transpose(0, 2, 1), e


def one_by_one(fit, source, clusters):
    """Clusters one by one, whatever the factors within them."""
    order = np.argsort(clusters.codes, kind="stable")
    borders = np.concatenate([[0], np.cumsum(np.bincount(clusters.codes, minlength=clusters.n))])
    for lo, hi in pairwise(borders):
        yield _cluster(fit, source, order[lo:hi])


def _cluster(fit, source, rows):
    X, Z, y = fit.units.columns_and_response(source.X[rows], source.response[rows])
    e = y - X @ fit.state.fixed.beta
    codes = [code[rows] for code in source.codes]
    roots = fit.state.elimination.roots if Z else []
    parts = zip(Z, roots, codes, strict=True)
    ZR = np.hstack([np.empty((len(rows), 0))] + [_levels(z @ root, c) for z, root, c in parts])
    if source.weights is not None:
        w = np.sqrt(source.weights[rows])
        ZR, X, e = (w[:, None] * ZR, w[:, None] * X, w * e)
    Z, X, e = _reduced_rows(ZR, X, e)
    return Batch((np.eye(len(Z)) + Z @ Z.T)[None], X[None], e[None])


def _reduced_rows(Z, X, e):
    """As many rows as columns, if there are more."""
    if len(e) <= Z.shape[1] + X.shape[1]:
        return Z, X, e
    Q = np.linalg.qr(np.hstack([Z, X]))[0]
    return Q.T @ Z, Q.T @ X, Q.T @ e


def _levels(z, codes):
    """Columns of the levels' own effects, (n, q levels)."""
    own, levels = np.unique(codes, return_inverse=True)
    out = np.zeros((len(z), len(own), z.shape[1]))
    out[np.arange(len(z)), levels] = z
    return out.reshape(len(z), -1)
