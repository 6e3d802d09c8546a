"""Sums of a smaller design from those of a larger one."""

import numpy as np
import pytest

from skmixed._model.terms import Term
from skmixed._sums.design import Design
from skmixed._sums.draws import SumsOfDraws
from skmixed._sums.inside import Inside, combined_columns
from skmixed._sums.source import InMemory

ROWS = 300


@pytest.fixture(scope="module")
def designs():
    """Two designs of the same rows on awkward scales; the larger has a copy of a column."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(ROWS, 3)) * [1.0, 300.0, 0.01] + [5.0, 20.0, 1.0]
    X = np.column_stack([X, X[:, 0] - 2 * X[:, 1]])
    y = 3.0 + 40.0 * rng.normal(size=ROWS) + X[:, 1]
    w = rng.integers(1, 4, ROWS).astype(float)
    codes = [rng.integers(0, 20, ROWS), rng.integers(0, 6, ROWS)]

    def design(columns, factors, terms):
        own, levels = [codes[f] for f in factors], [(20, 6)[f] for f in factors]
        source = InMemory(X[:, columns], y, w, own, levels)
        return Design.of(source, terms, n_fixed=len(columns), fit_intercept=True)

    smaller = design([2, 0], [1], [Term(0, (1,), True, "unstructured")])
    terms = [Term(0, (), True, "unstructured"), Term(1, (0, 2), True, "unstructured")]
    larger = design([0, 1, 2, 3], [0, 1], terms)
    F = combined_columns(smaller, larger, [0, 3, 1])
    P = np.zeros((3, 2))
    P[0, 0] = P[1, 1] = 1.0
    B = np.linalg.solve(larger.factor_basis(1), P @ smaller.factor_basis(0))
    return smaller, larger, Inside(smaller, larger, F, (1,), (B,))


def test_the_sums_of_the_response(designs):
    smaller, larger, inside = designs
    found = inside.design(larger).cross
    scale = np.max(np.abs(smaller.cross.gram))
    np.testing.assert_allclose(found.gram, smaller.cross.gram, atol=1e-10 * scale)
    np.testing.assert_allclose(found.sums[0], smaller.cross.sums[0], atol=1e-10 * scale)


def test_draws_of_the_smaller_model(designs):
    """Without noise the coefficients and effects are there to be read off."""
    smaller, larger, inside = designs
    beta = np.array([1.0, -2.0, 0.5])
    rng = np.random.default_rng(1)
    none = [np.zeros((q, q)) for q in smaller.cross.sizes]
    drawn = SumsOfDraws(larger).draw(rng, inside.coefficients(beta), inside.roots(none), 0.0)
    S = inside.design(drawn).cross.fixed_gram()
    np.testing.assert_allclose(np.linalg.solve(S[:-1, :-1], S[:-1, -1]), beta, rtol=1e-8)
    root = [np.array([[0.7, 0.0], [0.3, 0.2]])]
    Z = larger.cross.level_blocks(1), smaller.cross.level_blocks(0)
    ours, own = inside.roots(root)[1], root[0]
    variances = []
    for blocks, R in ((Z[0], ours), (Z[1], own)):
        q = len(R)
        A = np.zeros((q, q, blocks.shape[1]))
        A[np.tril_indices(q)] = blocks
        full = A + np.swapaxes(A, 0, 1) - A * np.eye(q)[:, :, None]
        variances.append(np.einsum("ij,jkm,ki->m", R @ R.T, full, np.eye(q)))
    np.testing.assert_allclose(variances[0] / inside.scale**2, variances[1], rtol=1e-8)
    assert not np.any(inside.roots(root)[0])
