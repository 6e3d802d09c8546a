"""Exponentials, logarithms and logistic rows of the compiled loops, against those of numpy and of the family."""

import numpy as np
import pytest

from skmixed._model.families import BernoulliLogit

ULP = np.finfo(float).eps
SPECIAL = [0.0, -0.0, 1e-300, -1e-300, 1e-17, 708.0, -708.0, 0.5 * np.log(2.0), -0.5 * np.log(2.0)]


def test_exponentials(native):
    rng = np.random.default_rng(0)
    x = np.concatenate([SPECIAL, rng.uniform(-708, 708, 3001), rng.normal(size=1001)])
    out = np.empty_like(x)
    native.exponentials(x, out)
    np.testing.assert_allclose(out, np.exp(x), rtol=4 * ULP)
    native.exponentials(np.array([-np.inf, -1e4, np.nan]), short := np.empty(3))
    assert np.all(short[:2] < 1e-300)
    assert np.isnan(short[2])


def test_logarithms(native):
    rng = np.random.default_rng(1)
    near_one = 1.0 + np.array([0.0, ULP, -ULP, 1e-8])
    x = np.concatenate(
        [near_one, 10.0 ** rng.uniform(-307, 308, 2001), rng.uniform(0.5, 3.0, 1001)]
    )
    out = np.empty_like(x)
    native.logarithms(x, out)
    np.testing.assert_allclose(out, np.log(x), rtol=4 * ULP)


@pytest.mark.parametrize("n", [0, 1, 7, 2000])
def test_logit_rows(native, n):
    rng = np.random.default_rng(n)
    eta = np.resize([*SPECIAL, *rng.normal(size=100), *rng.uniform(-50, 50, 100)], n)
    y = rng.choice([0.0, 1.0, 0.25], n)
    loglik, mean, variance = np.empty((3, n))
    native.logit_rows(eta, y, loglik, mean, variance)
    expected = BernoulliLogit().at(eta, y, 1.0)
    np.testing.assert_allclose(loglik, expected.loglik, rtol=1e-14, atol=1e-15)
    np.testing.assert_allclose(mean, expected.mean, rtol=1e-14, atol=2 * ULP)
    np.testing.assert_allclose(variance, expected.weight, rtol=1e-14, atol=ULP)
