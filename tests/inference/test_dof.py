"""Satterthwaite, Kenward and Roger, and the cluster-robust rules against textbook formulas on full
matrices.

Weights count repetitions, so the dense twins work on repeated rows.
"""

import functools
import warnings
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from skmixed import MixedLinearRegressor, SingularFitWarning
from skmixed._fit.information import flat_inverse
from skmixed._fit.linear import fit_linear
from skmixed._sums.design import Design
from skmixed._sums.source import InMemory
from skmixed.datasets import make_mixed_regression
from skmixed.inference._coefficients.clusters import Clusters, Parents
from skmixed.inference._coefficients.dof import KenwardRoger, Satterthwaite
from skmixed.inference._coefficients.robust import CORRECTIONS, cluster_robust
from tests.helpers.dense import per_level, term_design
from tests.helpers.designs import LAYOUTS, ROWS, _codes

CONTRASTS = np.array([[0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, -2.0], [1.0, 0.5, 0.0, 0.3]])
#: data whose estimates are inside the cone
SEEDS = {"chain": 1, "chain, outermost first": 10, "nested and two crossed": 1}


@functools.cache
def fitted(name, reml=True, seed=None):
    """A fit of repeated rows, and the rows repeated."""
    seed = SEEDS.get(name, 3) if seed is None else seed
    rng = np.random.default_rng(seed)
    factors, terms, _ = LAYOUTS[name]
    codes = [_codes(np.random.default_rng(seed))[f] for f in factors]
    levels = [int(c.max()) + 1 for c in codes]
    X = rng.normal(size=(ROWS, 3)) * [1.0, 3.0, 0.5] + [0.0, 2.0, 1.0]
    y = X @ [1.0, 0.1, 2.0] + 0.5 * rng.normal(size=ROWS)
    for c, m in zip(codes, levels, strict=True):
        y += rng.normal(size=m)[c] + (rng.normal(size=(m, 3))[c] * X).sum(axis=1)
    weights = rng.integers(1, 4, ROWS).astype(float)
    source = InMemory(X, y, weights, codes, levels)
    design = Design.of(source, terms, n_fixed=3, fit_intercept=True)
    fit = fit_linear(design, reml=reml, tol=1e-12, max_iter=200)
    rows = np.repeat(np.arange(ROWS), weights.astype(int))
    return SimpleNamespace(
        fit=fit, source=source, X=X, y=y, rows=rows, codes=codes, levels=levels, terms=terms
    )


class Dense:
    """Everything on repeated rows: ``V = sum_a tau_a G_a`` with the residual component last, in the data's units."""

    def __init__(self, case):
        rows, fit = case.rows, case.fit
        self.X = np.column_stack([np.ones(len(rows)), case.X[rows]])
        self.y, self.G, self.tau = case.y[rows], [], []
        for term, S, block in zip(
            case.terms, fit.covariances, fit.covariance_model.terms, strict=True
        ):
            columns = [np.ones(len(rows)) if s < 0 else case.X[rows][:, s] for s in term.sources]
            Z = term_design(
                case.codes[term.factor][rows],
                np.column_stack(columns),
                range(case.levels[term.factor]),
            )
            basis = (
                block.structure.basis
            )  # covariances are linear in the same parameters, whatever the units
            self.G += [Z @ per_level(Z, B) @ Z.T for B in basis]
            self.tau += list(
                np.linalg.lstsq(basis.reshape(len(basis), -1).T, S.ravel(), rcond=None)[0]
            )
        self.G.append(np.eye(len(rows)))
        self.tau.append(fit.sigma2)
        self.V = sum(t * G for t, G in zip(self.tau, self.G, strict=True))
        self.Vi = np.linalg.inv(self.V)
        self.C = np.linalg.inv(self.X.T @ self.Vi @ self.X)
        self.P = self.Vi - self.Vi @ self.X @ self.C @ self.X.T @ self.Vi

    def information(self, M):
        """Observed information, ``-tr(MG_aMG_b) / 2 + y'PG_aPG_bPy``."""
        MG, PGy = [M @ G for G in self.G], [self.P @ G @ self.P @ self.y for G in self.G]
        traces = np.array([[np.sum(A * B.T) for B in MG] for A in MG])
        squares = np.array([[a @ self.V @ b for b in PGy] for a in PGy])
        return squares - traces / 2

    def satterthwaite(self, L, reml):
        covariance = np.linalg.inv(self.information(self.P if reml else self.Vi))
        VX = self.Vi @ self.X @ self.C @ L.T
        slope = np.array([np.sum(VX * (G @ VX), axis=0) for G in self.G])
        variance = np.diag(L @ self.C @ L.T)
        return 2 * variance**2 / np.einsum("al,ab,bl->l", slope, covariance, slope)

    def kenward_roger(self):
        """Adjusted covariance, ``P_r`` and the weights, from the definitions."""
        VX = self.Vi @ self.X
        P = [-VX.T @ G @ VX for G in self.G]
        Q = [[VX.T @ G @ self.Vi @ H @ VX for H in self.G] for G in self.G]
        W = np.linalg.inv(
            [[0.5 * np.trace(self.P @ G @ self.P @ H) for H in self.G] for G in self.G]
        )
        k = range(len(self.G))
        bias = sum(W[r, s] * (Q[r][s] - P[r] @ self.C @ P[s]) for r in k for s in k)
        return self.C + 2 * self.C @ bias @ self.C, P, W

    def robust(self, codes, kind):
        """The covariance by the definitions, cluster by cluster; CR2 with the Cholesky root."""
        scores = []
        for c in np.unique(codes):
            own = codes == c
            V, X, e = self.V[np.ix_(own, own)], self.X[own], (self.y - self.X @ self.beta)[own]
            scores.append(
                X.T @ np.linalg.solve(V, corrected(kind, V, X, self.C, len(np.unique(codes))) @ e)
            )
        scores = np.array(scores)
        return self.C @ scores.T @ scores @ self.C

    @property
    def beta(self):
        return self.C @ self.X.T @ self.Vi @ self.y


def corrected(kind, V, X, C, m):
    rest = V - X @ C @ X.T
    if kind in ("CR0", "CR1"):
        return np.eye(len(V)) * (1.0 if kind == "CR0" else np.sqrt(m / (m - 1)))
    if kind == "CR3":
        return np.linalg.inv(np.eye(len(V)) - X @ C @ X.T @ np.linalg.inv(V))
    D = np.linalg.cholesky(V).T
    values, vectors = np.linalg.eigh(D @ rest @ D.T)
    half = np.where(values > 1e-10 * values.max(), 1 / np.sqrt(np.maximum(values, 1e-300)), 0.0)
    return D.T @ (vectors * half) @ vectors.T @ D


def in_frame(fit, L):
    """Contrasts of the data's coefficients in the frame's."""
    return L @ fit.units.transform


@pytest.mark.parametrize("reml", [True, False])
@pytest.mark.parametrize("name", LAYOUTS)
def test_satterthwaite_is_the_dense_formula(name, reml):
    case = fitted(name, reml)
    fit = case.fit
    interior = all(
        b.structure.is_interior(T)
        for b, T in zip(fit.covariance_model.terms, fit.optimum.point, strict=True)
    )
    assert interior, "the twin differentiates in all directions"
    expected = Dense(case).satterthwaite(CONTRASTS, reml)
    assert np.allclose(Satterthwaite(fit).df(in_frame(fit, CONTRASTS)), expected, rtol=2e-5)


def test_a_variance_of_zero_changes_no_degrees_of_freedom():
    """The estimate stays where it is on the boundary: the df are those of the model without it."""
    X, y = make_mixed_regression(n_groups=15, rows_per_group=6, random_state=1)
    X["other"] = np.tile(np.arange(6), 15)
    with_zero = MixedLinearRegressor(random_effects="(1 | group) + (1 | other)")
    with pytest.warns(SingularFitWarning):
        with_zero.fit(X, y)
    assert with_zero.covariances_[1] == 0.0
    without = MixedLinearRegressor(random_effects="(1 | group)").fit(X.drop(columns="other"), y)
    tables = [est.results_.coef_table(df="satterthwaite") for est in (with_zero, without)]
    assert np.allclose(*tables, rtol=1e-6)


@pytest.mark.parametrize("reml", [True, pytest.param(False, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", LAYOUTS)
def test_kenward_roger_is_the_dense_formula(name, reml):
    case = fitted(name, reml)
    dense, rule, B = Dense(case), KenwardRoger(case.fit), in_frame(case.fit, np.eye(4))
    covariance, P, W = dense.kenward_roger()
    assert np.allclose(
        B @ rule.covariance @ B.T, covariance, rtol=1e-7, atol=1e-9 * np.abs(covariance).max()
    )
    for L in (CONTRASTS[:1], CONTRASTS[1:]):
        assert np.allclose(
            rule.joint(in_frame(case.fit, L)), textbook_f(L, dense.C, P, W), rtol=1e-6
        )


def textbook_f(L, Phi, P, W):
    """Scale and denominator degrees of freedom as the paper writes them."""
    l, k = len(L), range(len(P))
    Theta = L.T @ np.linalg.inv(L @ Phi @ L.T) @ L
    A1 = sum(
        W[r, s] * np.trace(Theta @ Phi @ P[r] @ Phi) * np.trace(Theta @ Phi @ P[s] @ Phi)
        for r in k
        for s in k
    )
    A2 = sum(
        W[r, s] * np.trace(Theta @ Phi @ P[r] @ Phi @ Theta @ Phi @ P[s] @ Phi)
        for r in k
        for s in k
    )
    B = (A1 + 6 * A2) / (2 * l)
    g = ((l + 1) * A1 - (l + 4) * A2) / ((l + 2) * A2)
    c1, c2, c3 = (c / (3 * l + 2 * (1 - g)) for c in (g, l - g, l + 2 - g))
    E, V = 1 / (1 - A2 / l), 2 / l * (1 + c1 * B) / ((1 - c2 * B) ** 2 * (1 - c3 * B))
    rho = V / (2 * E**2)
    m = 4 + (l + 2) / (l * rho - 1)
    return m / (E * (m - 2)), m


def robust(case, f, kind, **changes):
    """The levels of a factor as clusters."""
    parents = [Parents(m) for m in case.levels]
    for each, codes in zip(parents, case.codes, strict=True):
        each.add(codes, case.codes[f])
    options = {"factor": f} | changes
    clusters = Clusters(case.levels[f], [each.of for each in parents], None, **options)
    rows = replace(case.source, codes=[case.codes[f]], n_levels=[case.levels[f]])
    return cluster_robust(case.fit, rows, clusters, kind)


@pytest.mark.parametrize("kind", CORRECTIONS)
@pytest.mark.parametrize(
    "name", ["intercept", "three effects", "diagonal", "two terms of one factor"]
)
def test_robust_covariances_are_the_dense_formula(name, kind):
    """One factor: from cross-products; and the same cluster by cluster from rows."""
    case = fitted(name)
    B, dense = in_frame(case.fit, np.eye(4)), Dense(case)
    rule = robust(case, 0, kind)
    expected = dense.robust(case.codes[0][case.rows], kind)
    assert np.allclose(
        B @ rule.covariance @ B.T, expected, rtol=1e-7, atol=1e-9 * np.abs(expected).max()
    )
    again = robust(case, 0, kind, factor=None)
    assert np.allclose(again.covariance, rule.covariance, rtol=1e-8)
    assert np.allclose(again.df(B), rule.df(B), rtol=1e-8)


@pytest.mark.parametrize("kind", CORRECTIONS)
def test_robust_covariances_of_nested_factors(kind):
    """Clusters are the districts, which hold schools and classes."""
    case = fitted("chain")
    B = in_frame(case.fit, np.eye(4))
    rule = robust(case, 2, kind)
    expected = Dense(case).robust(case.codes[2][case.rows], kind)
    assert np.allclose(
        B @ rule.covariance @ B.T, expected, rtol=1e-6, atol=1e-8 * np.abs(expected).max()
    )


@pytest.mark.parametrize("kind", CORRECTIONS)
def test_robust_degrees_of_freedom_are_moments_of_the_estimate(kind):
    """2 E^2 / Var of the estimated variance and Hotelling's eta, from the quadratic forms on full matrices."""
    case = fitted("three effects")
    dense, codes = Dense(case), case.codes[0][case.rows]
    rule = robust(case, 0, kind)
    H = dense.X @ dense.C @ dense.X.T @ dense.Vi
    Sigma = (np.eye(len(H)) - H) @ dense.V @ (np.eye(len(H)) - H).T  # of the residuals
    A = np.zeros_like(H)
    for c in np.unique(codes):
        own = np.ix_(codes == c, codes == c)
        A[own] = corrected(kind, dense.V[own], dense.X[codes == c], dense.C, case.levels[0])
    U = A.T @ dense.Vi @ dense.X @ dense.C @ CONTRASTS.T  # block by block: V is block diagonal

    def form(s, t):
        """The matrix of the quadratic form in the residuals that estimates the covariance of contrasts s and t."""
        same = codes[:, None] == codes
        return (np.outer(U[:, s], U[:, t]) + np.outer(U[:, t], U[:, s])) / 2 * same

    F = form(0, 0) @ Sigma
    assert np.allclose(
        rule.df(in_frame(case.fit, CONTRASTS))[0], np.trace(F) ** 2 / np.trace(F @ F), rtol=1e-6
    )
    L = in_frame(case.fit, CONTRASTS[:2])
    expected = np.array([[np.trace(form(s, t) @ Sigma) for t in range(2)] for s in range(2)])
    half = np.linalg.inv(np.linalg.cholesky(expected))
    U = U[:, :2] @ half.T
    total = sum(
        2 * np.sum((form(s, t) @ Sigma) * (form(s, t) @ Sigma).T)
        for s in range(2)
        for t in range(2)
    )
    eta = 2 * 3 / total
    assert np.allclose(rule.joint(L), ((eta - 1) / eta, eta - 1), rtol=1e-6)


@pytest.mark.parametrize("df", ["satterthwaite", "kenward-roger"])
def test_as_many_effects_as_rows_of_a_level(df):
    """The variances are not identified, V is: two rows of a level have a free 2 x 2 covariance, and
    the tests are paired t-tests on one less than as many levels degrees of freedom."""
    rng = np.random.default_rng(20)
    levels = np.tile(np.arange(30), 2)
    data = pd.DataFrame({"id": levels, "t": np.repeat([0.0, 1.0], 30)})
    data["y"] = 0.8 * rng.normal(size=30)[levels] + rng.normal(size=60)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = MixedLinearRegressor.from_formula("y ~ t + (t | id)", data)
    table = model.results_.coef_table(df=df)
    np.testing.assert_allclose(table["df"], 29.0, rtol=1e-3)
    pairs = data["y"][30:].to_numpy() - data["y"][:30].to_numpy()
    assert table.loc["t", "std_err"] == pytest.approx(pairs.std(ddof=1) / np.sqrt(30), rel=1e-5)


def test_a_flat_direction_that_moves_something_has_no_inverse():
    hessian = np.array([[1.0, 1.0], [1.0, 1.0]])
    still, moved = np.array([[1.0], [1.0]]), np.array([[1.0], [2.0]])
    np.testing.assert_allclose(flat_inverse(hessian, still), np.full((2, 2), 0.5))
    assert flat_inverse(hessian, moved) is None
    assert flat_inverse(np.diag([1.0, -1.0]), still) is None
