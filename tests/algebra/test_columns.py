"""Independent columns, in blocks, against what the definition says column by column."""

import numpy as np
import pytest

from skmixed._algebra.columns import ALIASED, independent_columns, orthogonalised


@pytest.fixture
def dependent_columns():
    """150 columns in four blocks; three depend on columns of their own or of earlier blocks."""
    rng = np.random.default_rng(0)
    P = rng.normal(size=(400, 150)) * 10.0 ** rng.integers(-3, 4, 150)
    P[:, 70] = P[:, 3] - P[:, 69]
    P[:, 71] = 2.0 * P[:, 70]
    P[:, 149] = P[:, [10, 80, 148]].sum(axis=1)
    return P


def test_columns_become_orthonormal_in_order(dependent_columns):
    P = dependent_columns
    mixing, Q = orthogonalised(P)
    dependent = [70, 71, 149]
    rest = np.setdiff1d(np.arange(150), dependent)
    np.testing.assert_allclose(mixing, np.triu(mixing))
    np.testing.assert_allclose(P[:, rest] @ mixing[np.ix_(rest, rest)], Q[:, rest], atol=1e-9)
    np.testing.assert_allclose(Q[:, rest].T @ Q[:, rest], np.eye(147), atol=1e-12)
    assert not np.any(Q[:, dependent])
    own = np.linalg.norm(P[:, dependent], axis=0)
    assert np.all(np.linalg.norm((P @ mixing)[:, dependent], axis=0) < ALIASED * own)


def test_independent_columns_are_those_of_a_growing_rank(dependent_columns):
    P = dependent_columns / np.linalg.norm(dependent_columns, axis=0)
    found = independent_columns(P.T @ P, np.full(150, 1e-10))
    grows = [
        k
        for k in range(150)
        if np.linalg.matrix_rank(P[:, : k + 1], 1e-8) == len(found[found <= k])
    ]
    assert grows == list(range(150))
    assert set(range(150)) - set(found) == {70, 71, 149}
