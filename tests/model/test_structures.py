"""Structures and charts: parameters, derivatives, boundaries."""

import numpy as np
import pytest

from skmixed._algebra.roots import pivoted_root
from skmixed._model.structures import STRUCTURES

pytestmark = pytest.mark.smoke

structures = pytest.mark.parametrize("name", sorted(STRUCTURES))
sizes = pytest.mark.parametrize("size", [1, 2, 4])


def random_point(structure, seed=0):
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(structure.size, structure.size))
    return structure.start(root @ root.T, np.full(structure.size, 0.05))


def coordinates(structure, T):
    """Natural parameters of T: its coordinates in the basis."""
    basis = structure.basis.reshape(len(structure.basis), -1)
    return np.linalg.lstsq(basis.T, T.ravel(), rcond=None)[0]


@structures
@sizes
def test_natural_parameters_are_linear(name, size):
    structure = STRUCTURES[name](size)
    T = random_point(structure)
    np.testing.assert_allclose(
        np.einsum("k,kij->ij", coordinates(structure, T), structure.basis), T, atol=1e-12
    )


@structures
@sizes
def test_chart_derivatives(name, size):
    """First and second derivatives of the map against central differences."""
    structure = STRUCTURES[name](size)
    chart, h = structure.chart(random_point(structure)), 1e-4
    D = np.random.default_rng(1).normal(size=(size, size))
    D = D + D.T
    unit = np.eye(len(chart.derivatives))
    for a, E in enumerate(chart.derivatives):
        np.testing.assert_allclose(
            (chart.move(h * unit[a]) - chart.move(-h * unit[a])) / (2 * h), E, atol=1e-9
        )
    second = np.array(
        [
            [
                np.sum(
                    D
                    * (
                        chart.move(h * (u + v))
                        - chart.move(h * u)
                        - chart.move(h * v)
                        + chart.move(0 * u)
                    )
                )
                / h**2
                for v in unit
            ]
            for u in unit
        ]
    )
    np.testing.assert_allclose(chart.second(D), second, atol=1e-6)


@structures
def test_zero_is_stationary_and_inside_the_family(name):
    structure = STRUCTURES[name](3)
    chart = structure.chart(np.zeros((3, 3)))
    assert not np.any(chart.derivatives)
    np.testing.assert_array_equal(structure.start(np.zeros((3, 3)), np.zeros(3)), 0.0)
    assert not structure.is_interior(np.zeros((3, 3)))
    assert structure.is_interior(random_point(structure))


def test_pivoted_root_of_a_singular_matrix():
    root = np.array([[0.0, 0.0], [1.0, 0.0], [2.0, 1.0]])
    T = root @ root.T
    found, order = pivoted_root(T)
    np.testing.assert_allclose(found @ found.T, T, atol=1e-14)
    assert order[0] == 2 and not np.any(found[:, 2])


def test_small_pivots_snap_to_zero():
    structure = STRUCTURES["unstructured"](2)
    T = np.array([[1.0, 0.5], [0.5, 0.25 + 1e-9]])
    snapped = structure.snapped(T, 1e-6)
    assert np.linalg.matrix_rank(snapped) == 1
    np.testing.assert_allclose(snapped, T, atol=2e-9)


def test_exchangeable_has_one_variance_and_one_covariance():
    structure = STRUCTURES["exchangeable"](3)
    T = random_point(structure)
    assert np.ptp(np.diag(T)) < 1e-12 and np.ptp(T[np.tril_indices(3, -1)]) < 1e-12
    assert coordinates(structure, T) == pytest.approx([T[0, 0], T[1, 0]])
