"""Sums of partitions are the sums of all rows, whatever levels a partition holds."""

from itertools import combinations, pairwise

import numpy as np
import pytest

from skmixed._algebra.layout import is_nested
from skmixed._algebra.plan import Plan
from skmixed._likelihood.linear import ProfiledDeviance
from skmixed._sums.design import Design
from skmixed._sums.onepass import cross_products
from skmixed._sums.source import InMemory
from tests.helpers.designs import design_of, term

pytestmark = pytest.mark.smoke

N = 600


def factors(kind, rng):
    """Codes of the rows: sorted by the outer factor, so that halves hold different levels."""
    outer = np.sort(rng.integers(0, 10, N))
    inner = outer * 4 + rng.integers(0, 4, N)
    found = {
        "nested": [inner, outer],
        "nested, outer first": [outer, inner],
        "crossed": [outer, rng.integers(0, 7, N)],
        "nested and crossed": [inner, outer, rng.integers(0, 7, N)],
        "nested in the first half only": [np.where(np.arange(N) < 300, inner, inner[::-1]), outer],
    }[kind]
    return [np.unique(codes, return_inverse=True)[1] for codes in found]


KINDS = [
    "nested",
    "nested, outer first",
    "crossed",
    "nested and crossed",
    "nested in the first half only",
]


def parts_and_whole(kind, cuts, weighted=True):
    rng = np.random.default_rng(0)
    codes = factors(kind, rng)
    levels = [int(c.max()) + 1 for c in codes]
    X = rng.normal(size=(N, 2))
    y = rng.normal(size=N)
    w = rng.uniform(0.5, 2.0, N) if weighted else None
    terms = [term(f, [0] * (f == 0)) for f in range(len(codes))]
    design = design_of(Design, X, y, w, codes, levels, terms)
    ends = [0, *cuts, N]
    slices = [slice(lo, hi) for lo, hi in pairwise(ends)]
    parts = [
        cross_products(
            design.frame,
            InMemory(X[s], y[s], None if w is None else w[s], [c[s] for c in codes], levels),
        )
        for s in slices
    ]
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total.with_fixed(design.cross.fixed), design.cross


@pytest.mark.parametrize("cuts", [[300], [1], [100, 200, 450]])
@pytest.mark.parametrize("kind", KINDS)
def test_partitions_add(kind, cuts):
    total, whole = parts_and_whole(kind, cuts)
    np.testing.assert_allclose(total.gram, whole.gram, rtol=1e-12, atol=1e-10)
    for ours, theirs in zip(total.sums, whole.sums, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-10)
    for key, pair in whole.pairs.items():
        np.testing.assert_array_equal(total.pairs[key].rows, pair.rows)
        np.testing.assert_array_equal(total.pairs[key].cols, pair.cols)
        np.testing.assert_allclose(total.pairs[key].values, pair.values, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("kind", KINDS)
def test_partitions_of_nested_factors_stay_nested(kind):
    """Or they would leave a dense matrix where none is needed."""
    total, whole = parts_and_whole(kind, [300])
    for f, g in combinations(range(len(whole.sums)), 2):
        assert is_nested(total, f, g) == is_nested(whole, f, g)
        assert is_nested(total, g, f) == is_nested(whole, g, f)
    plans = Plan(total), Plan(whole)
    assert plans[0].dense_order == plans[1].dense_order
    T = [np.eye(size) for size in whole.sizes]
    values = [ProfiledDeviance.of(plan, True)(T).value for plan in plans]
    assert values[0] == pytest.approx(values[1], rel=1e-12)


def test_many_nested_levels_leave_nothing_dense():
    """17,000 outer levels: the sum of two halves raised an error for want of memory."""
    outer = np.repeat(np.arange(17_000), 2)
    inner = np.arange(34_000)
    X = np.random.default_rng(0).normal(size=(34_000, 1))
    levels = [34_000, 17_000]
    design = design_of(Design, X, X[:, 0], None, [inner, outer], levels, [term(0), term(1)])
    halves = [
        cross_products(design.frame, InMemory(X[s], X[s, 0], None, [inner[s], outer[s]], levels))
        for s in (slice(0, 17_001), slice(17_001, None))
    ]
    assert Plan(halves[0] + halves[1]).dense_order == 0


def test_pairs_by_hand():
    """Against a table of all pairs, chunk by chunk; levels cross in the second chunk."""
    rng = np.random.default_rng(1)
    inner = rng.integers(0, 6, 40)
    outer = np.where(np.arange(40) < 20, inner // 2, rng.integers(0, 3, 40))
    X = rng.normal(size=(40, 2))
    design = design_of(Design, X, X[:, 0], None, [inner, outer], [6, 3], [term(0), term(1)])
    pair = design.cross.pairs[0, 1]
    expected = np.zeros((6, 3))
    np.add.at(expected, (inner, outer), 1.0)
    np.testing.assert_array_equal(pair.rows, np.nonzero(expected)[0])
    np.testing.assert_array_equal(pair.cols, np.nonzero(expected)[1])
    np.testing.assert_allclose(pair.values[0, 0], expected[expected > 0])
