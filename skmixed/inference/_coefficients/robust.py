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
from itertools import product
from typing import Any

import numpy as np
from scipy.linalg import block_diag

from ..._fit.linear import LinearFit
from ..._sums.onepass import accumulate
from ..._sums.products import LevelSums
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


def cluster_robust(fit: LinearFit, rows: Any, clusters: Clusters, kind: str) -> ClusterRobust:
    """The robust rule of a linear fit, from one pass over its rows.

    ``rows`` yield chunks whose only factor are the clusters.
    """
    frame = fit.design.frame
    own = LevelSums(0, [*frame.fixed[fit.units.independent]], clusters.n, frame.response + 1)
    accumulate(frame, rows, [own])
    is_only_factor = len(fit.design.cross.sizes) == 1 and clusters.factor == 0
    batches = levels_as_clusters if is_only_factor else one_by_one
    return ClusterRobust(fit, batches(fit, own.value, clusters), clusters.n, CORRECTIONS[kind])


def levels_as_clusters(fit, products, clusters):
    """Clusters that are the levels of the only factor: all in one batch.

    ``products`` are ``X_c'W pool`` of every cluster, (columns, width, clusters).
    """
    frame = fit.design.frame
    (z,) = ([*effects] for effects in frame.effects)
    x = [*frame.fixed[fit.units.independent]]
    sums = np.concatenate([fit.design.cross.sums[0], products])
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


def one_by_one(fit, products, clusters):
    """Clusters one by one, whatever the factors within them."""
    frame = fit.design.frame
    columns = [*frame.fixed[fit.units.independent], frame.response]
    inside = LevelsOf(fit.design.cross, clusters)
    roots = fit.state.elimination.roots if inside.sizes else []
    for c, xy in enumerate(products[:, columns].transpose(2, 0, 1)):
        gram = inside.gram(c)
        shared = inside.shared(c)
        root = block_diag(
            *(np.kron(np.eye(m), root) for m, root in zip(inside.counts(c), roots, strict=True))
        )
        root = root.reshape(len(gram), len(gram))  # without a factor block_diag has one row
        ZX = root.T @ shared[:, :-1]
        whole = np.block([[root.T @ gram @ root, ZX], [ZX.T, xy[:, :-1]]])
        left = np.concatenate([root.T @ shared[:, -1], xy[:, -1]])
        left -= np.concatenate([ZX, xy[:, :-1]]) @ fit.state.fixed.beta
        rows, e = _reduced_sums(whole[None], left[None])
        used = np.any(rows[0] != 0.0, axis=1)
        Z, X = rows[:, used, : len(root)], rows[:, used, len(root) :]
        yield Batch(np.eye(int(np.sum(used))) + Z @ Z.transpose(0, 2, 1), X, e[:, used])


class LevelsOf:
    """The cross-products of the levels that lie in each of some clusters.

    Effects are ordered by factor, then by level.

    Attributes
    ----------
    cross : the sums of all levels
    sizes : number of effects of each factor
    """

    def __init__(self, cross, clusters):
        self.cross = cross
        self.sizes = cross.sizes
        self._order = [np.argsort(p, kind="stable") for p in clusters.parents]
        self._ends = [_borders(p, clusters.n) for p in clusters.parents]
        self._place = [_places(o, e) for o, e in zip(self._order, self._ends, strict=True)]
        factors = range(len(cross.sizes))
        self._shared = [cross.x_sums(f).transpose(2, 0, 1).copy() for f in factors]
        self._own = [cross.sums[f][:, list(cross.effects[f])] for f in factors]
        self._pairs = {}
        for (f, g), pair in cross.pairs.items():
            parents = clusters.parents[f][pair.rows]
            order = np.argsort(parents, kind="stable")
            self._pairs[f, g] = order, _borders(parents, clusters.n)

    def levels(self, c):
        """Of every factor, those in cluster c."""
        found = zip(self._order, self._ends, strict=True)
        return [order[ends[c] : ends[c + 1]] for order, ends in found]

    def counts(self, c):
        """How many these are."""
        return [len(levels) for levels in self.levels(c)]

    def shared(self, c):
        """``Z'W[X y]`` of cluster c."""
        width = self.cross.n_fixed + 1
        parts = zip(self._shared, self.levels(c), strict=True)
        found = [sums[levels].reshape(-1, width) for sums, levels in parts]
        return np.concatenate([np.zeros((0, width)), *found])

    def gram(self, c):
        """``Z'WZ`` of cluster c."""
        levels = self.levels(c)
        starts = np.cumsum([0, *(q * len(own) for q, own in zip(self.sizes, levels, strict=True))])
        out = np.zeros((starts[-1], starts[-1]))
        for f, own in enumerate(levels):
            first = starts[f] + self.sizes[f] * np.arange(len(own))
            _fill(out, first, first, self._own[f][:, :, own])
        for (f, g), pair in self.cross.pairs.items():
            order, ends = self._pairs[f, g]
            own = order[ends[c] : ends[c + 1]]
            rows = starts[f] + self.sizes[f] * self._place[f][pair.rows[own]]
            cols = starts[g] + self.sizes[g] * self._place[g][pair.cols[own]]
            _fill(out, rows, cols, pair.values[:, :, own])
            _fill(out, cols, rows, pair.values[:, :, own].transpose(1, 0, 2))
        return out


def _fill(out, rows, cols, values):
    """Blocks (r, c, k) at their first rows and columns."""
    for r, by_column in enumerate(values):
        for c, entries in enumerate(by_column):
            out[rows + r, cols + c] = entries


def _borders(codes, n):
    return np.concatenate([[0], np.cumsum(np.bincount(codes, minlength=n))])


def _places(order, ends):
    """The place of every level within its cluster."""
    place = np.empty(len(order), dtype=int)
    place[order] = np.arange(len(order)) - np.repeat(ends[:-1], np.diff(ends))
    return place
