"""Effects that are drawn for levels whose rows are in several parts."""

import numpy as np
import pandas as pd
import pytest

from skmixed import MixedLinearRegressor
from skmixed._fit.keyed import KeyedEffects
from skmixed._fit.predictions import factor_covariances

LEVELS = 4000


@pytest.fixture(scope="module")
def model():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"x": rng.normal(size=300), "g": np.arange(300) % 30})
    effects = rng.multivariate_normal([0, 0], [[4.0, 1.0], [1.0, 1.0]], 30)[X["g"]]
    y = effects[:, 0] + effects[:, 1] * X["x"] + rng.normal(size=300)
    return MixedLinearRegressor(random_effects="(1 + x | g)").fit(X, y).results_.fitted


def drawn(model, X, seed=1):
    rows = model.reader.read(X)
    draw = KeyedEffects(seed)
    (covariance,) = factor_covariances(model)
    return draw(model, 0, covariance, rows, 3, np.random.RandomState(0))


def test_moments_and_independence(model):
    at = [np.full(LEVELS, value) for value in (0.0, 1.0)]
    levels = np.arange(LEVELS) + 1000
    at_zero, at_one = (drawn(model, pd.DataFrame({"x": x, "g": levels})) for x in at)
    found = np.cov(at_zero[:, 0], (at_one - at_zero)[:, 0])
    np.testing.assert_allclose(found, factor_covariances(model)[0], atol=0.12 * np.max(found))
    between = np.corrcoef(at_zero.T)[np.triu_indices(3, 1)]
    assert np.max(np.abs(between)) < 4 / np.sqrt(LEVELS)
    other = drawn(model, pd.DataFrame({"x": at[0], "g": levels}), seed=2)
    assert abs(np.corrcoef(at_zero[:, 0], other[:, 0])[0, 1]) < 4 / np.sqrt(LEVELS)
    assert abs(np.corrcoef(at_zero[1:, 0], at_zero[:-1, 0])[0, 1]) < 4 / np.sqrt(LEVELS)


def test_a_level_has_one_effect_wherever_it_is(model):
    X = pd.DataFrame({"x": 1.0, "g": [5, 7, 5, 900]})
    first, second = drawn(model, X), drawn(model, X[2:])
    np.testing.assert_array_equal(first[2:], second)
    np.testing.assert_array_equal(first[0], first[2])
    assert np.all(first[0] != first[1])


def test_rows_without_a_label_are_levels_of_their_own(model):
    X = pd.DataFrame({"x": 0.0, "g": [np.nan, np.nan, 5.0]})
    found = drawn(model, X)
    assert np.all(found[0] != found[1])
    assert np.std(drawn(model, pd.DataFrame({"x": np.zeros(50)}))[:, 0]) > 0.5
