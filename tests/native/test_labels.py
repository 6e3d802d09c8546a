"""Codes of labels, compiled and in numpy, against those of pandas."""

import numpy as np
import pandas as pd
import pytest

from skmixed._algebra.kernels import compiled, reference
from skmixed._data.factors import encode

TYPES = ["i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", ">i4"]


@pytest.mark.parametrize("name", TYPES)
def test_labels(name, native):
    rng = np.random.default_rng(0)
    values = rng.integers(5, 90, 400).astype(name)[::2]
    values.flags.writeable = False
    low, span = int(values.min()), int(np.ptp(values)) + 1
    expected = np.isin(np.arange(span), values - low)
    codes = np.cumsum(expected, dtype=np.int32) - np.int32(1)
    for kernels in (reference, compiled):
        seen, found = np.zeros(span, dtype=bool), np.empty(len(values), dtype=np.int32)
        kernels.mark_labels(values, low, seen)
        kernels.place_labels(values, low, codes, found)
        np.testing.assert_array_equal(seen, expected)
        np.testing.assert_array_equal(found, pd.factorize(values.astype(int), sort=True)[0])


@pytest.mark.parametrize("name", TYPES)
@pytest.mark.parametrize("low", [0, 3, 100])
def test_whole_numbers(name, low):
    values = (np.random.default_rng(1).integers(0, 20, 300) + low).astype(name)
    for some in (values, values[values != low + 7]):
        codes, labels = encode(some)
        expected = pd.factorize(some.astype(int), sort=True)
        np.testing.assert_array_equal(codes, expected[0])
        np.testing.assert_array_equal(labels, expected[1])
        assert codes.dtype == np.int32


def test_extremes():
    for values in ([-128, 127, -128], [2**62, 2**62 + 1], [-(2**63), -(2**63) + 5]):
        array = np.array(values, dtype=np.int8 if max(values) == 127 else np.int64)
        codes, labels = encode(array)
        np.testing.assert_array_equal(labels[codes], array)
        assert np.all(np.diff(labels) > 0)


def test_codes_that_are_labels_are_copied():
    """Whoever changes them later changes no rows of a fit, and no index of a loop."""
    values = np.array([1, 0, 2, 1], dtype=np.int32)
    codes, labels = encode(values)
    assert not np.shares_memory(codes, values)
    np.testing.assert_array_equal(codes, [1, 0, 2, 1])
    np.testing.assert_array_equal(labels, [0, 1, 2])


@pytest.mark.parametrize("values", [[-1, 1], [-1, 0, 2], [-3, 0, 0], [1, -2, 0, 1]])
@pytest.mark.parametrize("name", ["i1", "i4", "i8"])
def test_negative_labels(values, name):
    codes, labels = encode(np.array(values, dtype=name))
    expected = pd.factorize(np.array(values), sort=True)
    np.testing.assert_array_equal(codes, expected[0])
    np.testing.assert_array_equal(labels, expected[1])


def test_many_categories_with_unused_and_missing_ones():
    categories = np.arange(40_000)
    values = pd.Categorical.from_codes([39_999, -1, 0, 5], categories=categories)
    codes, labels = encode(values)
    np.testing.assert_array_equal(codes, [2, -1, 0, 1])
    np.testing.assert_array_equal(labels, [0, 5, 39_999])
    values = pd.Categorical.from_codes([2, -1, 0, 2], categories=categories)
    np.testing.assert_array_equal(encode(values)[0], [1, -1, 0, 1])
    np.testing.assert_array_equal(encode(values[values.codes >= 0])[1], [0, 2])


@pytest.mark.parametrize("many", [3, 200, 40_000])
@pytest.mark.parametrize("ordered", [False, True])
def test_categories(many, ordered):
    """Those that occur, in their order."""
    categories = [f"{(7 * k) % many}" for k in range(many)]
    values = pd.Categorical.from_codes([2, 0, 2, many - 1], categories, ordered=ordered)
    codes, labels = encode(values)
    expected = pd.factorize(values, sort=True)
    np.testing.assert_array_equal(codes, expected[0])
    np.testing.assert_array_equal(labels, np.asarray(expected[1]))


def test_categories_without_a_value():
    values = pd.Categorical(["b", None, "a", "b"], categories=["c", "b", "a"])
    codes, labels = encode(values)
    np.testing.assert_array_equal(codes, [0, -1, 1, 0])
    np.testing.assert_array_equal(labels, ["b", "a"])
    codes, labels = encode(pd.Categorical([None, None], categories=["a"]))
    np.testing.assert_array_equal(codes, [-1, -1])
    assert len(labels) == 0
    assert len(encode(pd.Categorical([]))[0]) == 0
