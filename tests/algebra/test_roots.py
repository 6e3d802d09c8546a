"""Roots of small matrices, number by number, are those of large ones."""

import numpy as np
import pytest

from skmixed._algebra.roots import _root_by_columns, pivoted_root


@pytest.mark.parametrize("size", [0, 1, 2, 3, 4, 5])
@pytest.mark.parametrize("rank", [0, 1, 2, 5])
def test_small_and_large_matrices_have_the_same_root(size, rank):
    rng = np.random.default_rng(size + 10 * rank)
    half = rng.normal(size=(size, min(rank, size))) * 10.0 ** rng.integers(-3, 4, size=(size, 1))
    T = half @ half.T

    root, order = pivoted_root(T)
    twin, twin_order = _root_by_columns(T, 1e-14)

    np.testing.assert_array_equal(root, twin)
    np.testing.assert_array_equal(order, twin_order)
    np.testing.assert_allclose(root @ root.T, T, rtol=1e-10, atol=1e-10 * np.abs(T).max(initial=0))
