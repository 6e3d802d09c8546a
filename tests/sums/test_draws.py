"""Sums of drawn responses: those of a response, with the moments of the model."""

import numpy as np
import pytest

from skmixed._sums.design import Design
from skmixed._sums.draws import SumsOfDraws
from skmixed._sums.responses import SumsOfResponses
from skmixed._sums.semidefinite import Root
from skmixed._sums.source import InMemory
from tests.helpers.designs import LAYOUTS, ROWS, _codes

NAMES = [
    "three effects",
    "two terms of one factor",
    "three crossed",
    "chain",
    "nested and two crossed",
]


def case(name, weights=True):
    """A design with a column that depends on others, its rows, and A = [Z X] in the frame's units."""
    rng = np.random.default_rng(5)
    factors, terms, _ = LAYOUTS[name]
    codes = [_codes(np.random.default_rng(3))[f] for f in factors]
    levels = [int(c.max()) + 1 for c in codes]
    X = rng.normal(size=(ROWS, 3)) * [1.0, 3.0, 0.5] + [0.0, 2.0, 1.0]
    X = np.column_stack([X, X[:, 0] + X[:, 1]])
    w = rng.integers(1, 4, ROWS).astype(float) if weights else None
    source = InMemory(X, rng.normal(size=ROWS), w, codes, levels)
    design = Design.of(source, terms, n_fixed=4, fit_intercept=True)
    pool = design.frame.pool(X)
    Z = []
    for code, effects, m in zip(codes, design.frame.effects, levels, strict=True):
        own = np.zeros((ROWS, len(effects), m))
        own[np.arange(ROWS), :, code] = pool[:, list(effects)]
        Z.append(own.reshape(ROWS, -1))
    A = np.hstack([*Z, pool[:, design.cross.fixed]])
    return design, source, A, np.ones(ROWS) if w is None else w


def root_of(root):
    """L as a matrix: what a draw does to unit vectors."""

    class Unit:
        def __init__(self, k):
            self.k = k

        def standard_normal(self, shape):
            out = np.zeros(int(np.prod(shape)))
            if 0 <= self.k < len(out):
                out[self.k] = 1.0
            self.k -= len(out)
            return out.reshape(shape)

    columns, squares = [], []
    for k in range(2000):
        unit = Unit(k)
        found = root.draw(unit)
        if unit.k >= 0:
            break
        columns.append(np.concatenate([*(z.ravel() for z in found.z), found.x]))
        squares.append(found.squares)
    return np.array(columns).T, np.array(squares)


@pytest.mark.parametrize("name", NAMES)
def test_root_of_singular_cross_products(name):
    design, _, A, w = case(name)
    root = Root(design.cross)
    L, squares = root_of(root)
    gram = A.T @ (w[:, None] * A)
    np.testing.assert_allclose(L @ L.T, gram, atol=1e-9 * np.max(gram))
    assert root.rank == np.linalg.matrix_rank(A, tol=1e-7) == np.sum(squares)
    assert root.rank < A.shape[1]


@pytest.mark.smoke
@pytest.mark.parametrize("weights", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_a_draw_is_the_sums_of_a_response(name, weights):
    """From the sums a response with these sums is made; its own sums are the same."""
    design, source, A, w = case(name, weights)
    rng = np.random.default_rng(0)
    roots = [rng.normal(size=(q, q)) for q in design.cross.sizes]
    drawn = SumsOfDraws(design).draw(rng, rng.normal(size=4), roots, 0.7)
    sums = [s[:, -1].ravel() for s in drawn.cross.sums]
    v = np.concatenate([*sums, drawn.cross.gram[-1][design.cross.fixed]])
    root = np.sqrt(w)
    inside = root[:, None] * A @ np.linalg.pinv(A.T @ (w[:, None] * A), rcond=1e-10) @ v
    left = drawn.cross.gram[-1, -1] - inside @ inside
    assert left > 0.0
    outside = rng.normal(size=ROWS)
    Q = np.linalg.svd(root[:, None] * A, full_matrices=False)
    Q = Q[0][:, Q[1] > 1e-7]
    outside -= Q @ (Q.T @ outside)
    y = (inside + outside * np.sqrt(left) / np.linalg.norm(outside)) / root
    responses = SumsOfResponses(design, source)
    again = responses.design_of((y - responses.pilot) * design.frame.y_scale)
    scale = np.max(np.abs(again.cross.gram))
    np.testing.assert_allclose(again.cross.gram, drawn.cross.gram, atol=1e-8 * scale)
    for a, b in zip(again.cross.sums, drawn.cross.sums, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-8 * scale)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["three effects", "nested and two crossed"])
def test_moments_of_draws(name):
    """Means and covariances of A'Wy and of y'Wy against the dense formulas."""
    design, _, A, w = case(name)
    rng = np.random.default_rng(1)
    roots = [rng.normal(size=(q, q)) for q in design.cross.sizes]
    beta = rng.normal(size=4)
    sigma = 0.7
    sums = SumsOfDraws(design)
    width = A.shape[1] - 4
    spread = np.zeros((width, width))
    start = 0
    for R, q, m in zip(roots, design.cross.sizes, design.cross.levels, strict=True):
        size = q * m
        spread[start : start + size, start : start + size] = np.kron(R @ R.T, np.eye(m))
        start += size
    V = A[:, :width] @ spread @ A[:, :width].T + sigma**2 * np.diag(1.0 / w)
    mean = A[:, width:] @ beta
    n = 2000
    draws = [sums.draw(rng, beta, roots, sigma).cross for _ in range(n)]
    squares = np.array([cross.gram[-1, -1] for cross in draws])
    some = np.array([cross.sums[0][0, -1, :5] for cross in draws])
    within = sigma**2 * (np.sum(w) - ROWS)
    WV = w[:, None] * V
    expected = np.trace(WV) + mean @ (w * mean) + within
    variance = 2 * np.trace(WV @ WV) + 4 * (w * mean) @ V @ (w * mean)
    variance += 2 * sigma**4 * (np.sum(w) - ROWS)
    assert abs(np.mean(squares) - expected) < 4 * np.sqrt(variance / n)
    assert np.var(squares) == pytest.approx(variance, rel=0.2)
    B = A[:, : design.cross.levels[0]][:, :5]
    expected = B.T @ (w * mean)
    covariance = B.T @ WV @ (w[:, None] * B)
    assert np.all(np.abs(some.mean(axis=0) - expected) < 4 * np.sqrt(np.diag(covariance) / n))
    scale = np.sqrt(np.outer(np.diag(covariance), np.diag(covariance)))
    assert np.all(np.abs(np.cov(some.T) - covariance) < 0.1 * scale)
    along = np.cov(some[:, 0], squares)[0, 1]
    cross = 2 * B[:, 0] @ (w[:, None] * V) @ (w * mean)
    assert abs(along - cross) < 0.1 * np.sqrt(covariance[0, 0] * variance)
