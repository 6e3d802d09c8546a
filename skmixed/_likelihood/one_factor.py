"""The deviance of a single grouping factor, of several responses at a time.

Given the fixed effects the levels of one factor are independent, so that the sums of
:mod:`skmixed._likelihood.linear` are loops over levels and nothing else.  With ``T = RR'``, ``R'AR
+ I = LL'`` and ``V = L^-1 R'`` of every level,

    M = V'V,    Z'V^-1 Z = A - (AV')(AV')',    Z'V^-1 [X y] = U - AV' (V U),

and ``[X y]'V^-1 [X y]`` is what ``sum (V U)'(V U)`` leaves.  Arrays are (effects, ..., responses,
levels): the responses share the levels, and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np

from .._algebra.packed import (
    halves,
    lower_triangle,
    packed_index,
    pair_traces,
    symmetric_directions,
)
from .._model.priors import FLAT
from .linear import LEAST_SHARE, Profiled, ProfiledDeviance, least_r2

EPS = np.finfo(float).eps


@dataclass(frozen=True, eq=False)
class OneFactor:
    """``-2 log L`` of b responses to the same rows, as functions of their covariances.

    Attributes
    ----------
    blocks : packed (K, m) blocks of the levels
    counts : (m,) levels that each one stands for; None for one
    X : (q, p, m) sums of the levels with the fixed effects
    y : (b, q, m) the same with the responses
    gram : (b, p + 1, p + 1) cross-products, with those of a ridge
    squares : (b,) of the responses, without
    least_r2 : (b,) residual sums of squares that count as zero
    n, nu, reml : as in :class:`~skmixed._likelihood.linear.ProfiledDeviance`
    """

    blocks: np.ndarray
    counts: np.ndarray | None
    X: np.ndarray
    y: np.ndarray
    gram: np.ndarray
    squares: np.ndarray
    least_r2: np.ndarray
    n: float
    nu: float
    reml: float

    @classmethod
    def of(cls, objectives: list[ProfiledDeviance]) -> Self:
        """Of deviances that differ by their responses."""
        first = objectives[0]
        return cls(
            blocks=first.plan.blocks[0],
            counts=first.plan.cross.counts,
            X=first.U[0][:, :-1],
            y=np.array([o.U[0][:, -1] for o in objectives]),
            gram=np.array([o.ridge.joined(o.gram) for o in objectives]),
            squares=np.array([o.gram[-1, -1] for o in objectives]),
            least_r2=np.array([o.least_r2 for o in objectives]),
            n=first.n,
            nu=first.nu,
            reml=first.reml,
        )

    @classmethod
    def of_responses(cls, objective: ProfiledDeviance, sums: Any) -> Self:
        """Of a deviance with other responses: ``sums`` are
        :class:`~skmixed._sums.responses.SeveralSums`.
        """
        cross = objective.plan.cross
        products = sums.products[cross.fixed].T
        gram = np.repeat(objective.gram[None], len(sums), axis=0)
        gram[:, -1, :-1] = gram[:, :-1, -1] = products
        gram[:, -1, -1] = sums.squares
        return cls(
            blocks=objective.plan.blocks[0],
            counts=cross.counts,
            X=objective.U[0][:, :-1],
            y=np.ascontiguousarray(sums.by_level[0].transpose(2, 0, 1)),
            gram=objective.ridge.joined(gram),
            squares=sums.squares,
            least_r2=least_r2(sums.squares, objective.n),
            n=objective.n,
            nu=objective.nu,
            reml=objective.reml,
        )

    @property
    def without_effects(self) -> FixedPart:
        """The deviances without random effects."""
        return FixedPart(self, self.gram, 0.0)

    @property
    def shape(self) -> tuple[int, ...]:
        """Numbers of effects, columns and levels."""
        q, p, m = self.X.shape
        return q, p + 1, m

    @cached_property
    def A(self) -> np.ndarray:
        """The blocks in full, (q, q, m)."""
        return self.blocks[packed_index(len(self.X))]

    @cached_property
    def U(self) -> np.ndarray:
        """All sums, (q, p + 1, b, m)."""
        q, p, m = self.X.shape
        U = np.empty((q, p + 1, len(self.y), m))
        U[:, :p] = self.X[:, :, None]
        U[:, p] = self.y.transpose(1, 0, 2)
        return U

    def of_some(self, places: np.ndarray) -> Self:
        """The same of some of the responses."""
        return type(self)(
            self.blocks,
            self.counts,
            self.X,
            self.y[places],
            self.gram[places],
            self.squares[places],
            self.least_r2[places],
            self.n,
            self.nu,
            self.reml,
        )

    def __call__(self, T: np.ndarray) -> Sweep:
        """The deviances at (b, q, q) covariances.

        Raises
        ------
        LinAlgError
            Where one of them cannot be factored.
        """
        return Sweep(self, T)


def is_one_factor(deviance: ProfiledDeviance) -> bool:
    """Whether the deviance is one of these."""
    is_profiled = isinstance(deviance.scale, Profiled) and deviance.plan.solver == "exact"
    return len(deviance.U) == 1 and is_profiled and deviance.prior is FLAT


class FixedPart:
    """The deviances of cross-products ``S = [X y]'V^-1[X y]``, (b, p + 1, p + 1).

    Attributes
    ----------
    value : (b,) the deviances
    beta, r2 : (b, p) coefficients and (b,) residual sums of squares
    log_determinant : of the covariances
    """

    def __init__(self, factor: OneFactor, S: np.ndarray, log_determinant: Any):
        self.factor = factor
        self.S = S
        self.log_determinant = log_determinant
        if not np.isfinite(S.sum()):
            raise np.linalg.LinAlgError("sums of squares overflow")
        self.chol = np.linalg.cholesky(S[:, :-1, :-1])
        self.half_inverse = np.linalg.inv(self.chol)
        half = np.einsum("bij,bj->bi", self.half_inverse, S[:, :-1, -1])
        self.beta = np.einsum("bij,bi->bj", self.half_inverse, half)
        self.r2 = S[:, -1, -1] - np.einsum("bi,bi->b", half, half)

    @cached_property
    def _floored(self):
        return np.maximum(self.r2, LEAST_SHARE * self.factor.least_r2)

    @cached_property
    def value(self) -> np.ndarray:
        nu = self.factor.nu
        value = self.log_determinant + nu * (1.0 + np.log(2.0 * np.pi / nu * self._floored))
        if not self.factor.reml:
            return value
        diagonal = np.einsum("bii->bi", self.chol)
        return value + 2.0 * self.factor.reml * np.log(diagonal).sum(axis=1)

    @property
    def precision(self) -> np.ndarray:
        """``1 / sigma^2``."""
        return self.factor.nu / self._floored

    @property
    def degenerate(self) -> np.ndarray:
        """Whether no residual variation is left."""
        return self.r2 < self.factor.least_r2

    @property
    def noise(self) -> np.ndarray:
        """Rounding error to expect in the deviances."""
        lost = 4.0 * self.precision * self.factor.squares
        return 4.0 * EPS * (np.abs(self.value) + self.factor.n + lost)


class Sweep(FixedPart):
    """The same at one covariance each, with derivatives in packed coordinates."""

    def __init__(self, factor: OneFactor, T: np.ndarray):
        self.T = T
        A = factor.A
        root = _roots(T)
        AR = np.einsum("rkm,bkc->rcbm", A, root)
        V, log_determinant = _half_inverse(np.einsum("bkr,kcbm->rcbm", root, AR), root)
        counts = factor.counts
        total = log_determinant.sum(axis=1) if counts is None else log_determinant @ counts
        taken = np.einsum("krbm,rcbm->kcbm", V, factor.U)
        self.AV = np.einsum("rsm,ksbm->rkbm", A, V)
        self.F = factor.U - np.einsum("rkbm,kcbm->rcbm", self.AV, taken)
        rows = taken.transpose(2, 1, 0, 3).reshape(len(T), factor.U.shape[1], -1)
        super().__init__(factor, factor.gram - rows @ rows.transpose(0, 2, 1), total)

    @cached_property
    def N(self) -> np.ndarray:
        """``Z'V^-1 Z`` of every level, (q, q, b, m)."""
        return self.factor.A[:, :, None] - np.einsum("rkbm,skbm->rsbm", self.AV, self.AV)

    @cached_property
    def _outer(self):
        """``sum F F'``, (b, q, p + 1, q, p + 1)."""
        q, columns, b, m = self.F.shape
        rows = self.F.transpose(2, 0, 1, 3).reshape(b, q * columns, m)
        return (rows @ rows.transpose(0, 2, 1)).reshape(b, q, columns, q, columns)

    @cached_property
    def _contrast(self):
        """Residuals are ``[X y]`` times it."""
        return np.concatenate([-self.beta, np.ones((len(self.beta), 1))], axis=1)

    @cached_property
    def _covariance(self):
        return self.half_inverse.transpose(0, 2, 1) @ self.half_inverse

    @cached_property
    def _residual_outer(self):
        """``sum F g'``, (b, q, p + 1, q)."""
        return np.einsum("bapcr,br->bapc", self._outer, self._contrast)

    @cached_property
    def _squares(self):
        """``sum g g'``, (b, q, q)."""
        return np.einsum("bapc,bp->bac", self._residual_outer, self._contrast)

    @cached_property
    def gradient(self) -> np.ndarray:
        """Derivatives in the covariances, (b, q, q)."""
        counts = self.factor.counts
        N = self.N.sum(axis=3) if counts is None else self.N @ counts
        found = N.transpose(2, 0, 1) - self.precision[:, None, None] * self._squares
        if not self.factor.reml:
            return found
        fixed = self._outer[:, :, :-1, :, :-1]
        return found - self.factor.reml * np.einsum("bapcr,bpr->bac", fixed, self._covariance)

    @cached_property
    def slope(self) -> np.ndarray:
        """The same in packed coordinates, (b, K)."""
        rows, cols = lower_triangle(len(self.F))
        return 2.0 * halves(len(self.F)) * self.gradient[:, rows, cols]

    @cached_property
    def hessian(self) -> np.ndarray:
        """Second derivatives in packed coordinates, (b, K, K)."""
        q = len(self.F)
        rows, cols = lower_triangle(q)
        N = self.N[rows, cols].transpose(1, 0, 2)
        g = np.einsum("rcbm,bc->rbm", self.F, self._contrast)
        squares = (g[rows] * g[cols]).transpose(1, 0, 2)
        C = self._covariance
        along_x = symmetric_directions(self._residual_outer[:, :, :-1].transpose(0, 2, 1, 3))
        shared = along_x.transpose(0, 2, 1) @ (C @ along_x)
        tilt = 2.0 * halves(q) * self._squares[:, rows, cols]
        single = pair_traces(squares @ N.transpose(0, 2, 1)) - shared
        outer = tilt[:, :, None] * tilt[:, None] / self._floored[:, None, None]
        found = self.precision[:, None, None] * (2.0 * single - outer)
        return found - self._trace_products(N, C)

    def _trace_products(self, N, C):
        """``tr(P V_a P V_b)``, or ``tr(V^-1 V_a V^-1 V_b)``."""
        counts = self.factor.counts
        counted = N if counts is None else N * counts
        traces = pair_traces(counted @ N.transpose(0, 2, 1))
        if not self.factor.reml or not C.shape[1]:
            return traces
        rows, cols = lower_triangle(len(self.F))
        half = np.einsum("bpc,rcbm->rpbm", self.half_inverse, self.F[:, :-1])
        FCF = np.einsum("rpbm,rpbm->rbm", half[rows], half[cols]).transpose(1, 0, 2)
        crossed = pair_traces(FCF @ N.transpose(0, 2, 1))
        inner = self._outer[:, :, :-1, :, :-1].transpose(0, 2, 4, 1, 3)
        CPhi = np.einsum("bpr,brsk->bkps", C, symmetric_directions(inner))
        both = np.einsum("bkps,blsp->bkl", CPhi, CPhi)
        return traces - crossed - crossed.transpose(0, 2, 1) + both


def _roots(T):
    """``R`` with ``T = RR'`` of (b, q, q) matrices."""
    if T.shape[1] == 1:
        return np.sqrt(np.maximum(T, 0.0))
    values, vectors = np.linalg.eigh(T)
    return vectors * np.sqrt(np.maximum(values, 0.0))[:, None]


def _half_inverse(H, root):
    """``V = L^-1 R'`` with ``H + I = LL'`` of (q, q, b, m) matrices, and ``log|H + I|``, (b, m)."""
    q = len(H)
    L = np.empty_like(H)
    V = np.empty_like(H)
    determinant = 1.0
    for r in range(q):
        for c in range(r):
            rest = H[r, c] - sum(L[r, k] * L[c, k] for k in range(c))
            L[r, c] = rest * L[c, c]
        pivot = 1.0 + H[r, r] - sum(L[r, k] * L[r, k] for k in range(r))
        determinant = determinant * pivot
        L[r, r] = 1.0 / np.sqrt(pivot)
        for c in range(q):
            above = sum(L[r, k] * V[k, c] for k in range(r))
            V[r, c] = (root[:, c, r, None] - above) * L[r, r]
    return V, np.log(determinant)
