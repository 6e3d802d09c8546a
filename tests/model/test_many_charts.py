"""Charts around several covariances in one array each are those around every one of them."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from skmixed._algebra.roots import pivoted_root
from skmixed._model.many_charts import pivoted_roots
from skmixed._model.structures import Diagonal, Exchangeable, Identity, Unstructured

pytestmark = pytest.mark.smoke


def members(structure, count=5):
    """Covariances of a family, some of them singular, one of them zero."""
    rng = np.random.default_rng(structure.size)
    q = structure.size
    found = []
    for scale in 10.0 ** rng.uniform(-3, 3, count):
        root = rng.normal(size=(q, q))
        found.append(structure.start(scale * root @ root.T, np.full(q, 1e-4)))
    flattened = structure.snapped(found[0], np.max(np.diag(found[0])))
    return np.array([*found, flattened, 0.0 * found[0]])


@pytest.mark.parametrize("size", [1, 2, 3, 5])
@pytest.mark.parametrize("family", [Unstructured, Diagonal, Identity, Exchangeable])
def test_charts_are_those_of_every_point(family, size):
    structure = family(size)
    T = members(structure)
    rng = np.random.default_rng(0)
    D = rng.normal(size=T.shape)
    D = D + D.transpose(0, 2, 1)
    charts = structure.charts(T)
    steps = rng.normal(size=charts.derivatives.shape[:2])
    bent, moved = charts.second(D), charts.move(steps)
    for b, own in enumerate(T):
        chart = structure.chart(own)
        assert_allclose(charts.derivatives[b], chart.derivatives, rtol=1e-9, atol=1e-9)
        assert_allclose(bent[b], chart.second(D[b]), rtol=1e-9, atol=1e-9)
        assert_allclose(moved[b], chart.move(steps[b]), rtol=1e-9, atol=1e-9)
        assert_allclose(charts.radius[b], chart.radius, rtol=1e-9)


@pytest.mark.parametrize("size", [1, 2, 4])
def test_pivoted_roots(size):
    T = members(Unstructured(size))
    roots, orders = pivoted_roots(T)
    assert_allclose(roots @ roots.transpose(0, 2, 1), T, atol=1e-9 * np.max(T))
    for root, order, own in zip(roots, orders, T, strict=True):
        wanted, places = pivoted_root(own)
        assert_allclose(root, wanted, rtol=1e-8, atol=1e-8)
        if np.all(np.any(wanted, axis=0)):
            assert order.tolist() == places.tolist()
