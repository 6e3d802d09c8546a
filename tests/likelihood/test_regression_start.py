"""Starts of logistic models: what one regression and the moments of the levels say."""

import warnings

import numpy as np
import pandas as pd
import pytest

from skmixed import MixedLogisticClassifier, SkmixedWarning
from skmixed._likelihood.pql import pql_start
from skmixed._likelihood.regression import Moments, regression_start
from skmixed._model.families import BernoulliLogit
from tests.helpers.designs import logistic_example

CASES = {
    "plain": {},
    "rare": {"mean": -4.5},
    "large variance": {"variance": 25.0},
    "no variance": {"variance": 0.0},
    "few levels": {"levels": 5, "n": 300},
    "two rows per level": {"levels": 400, "n": 800},
    "steep": {"slope": 6.0},
    "offset": {"params": {"offset": "known"}},
    "slopes": {"params": {"random_effects": "(1 + x0 | g)", "groups": None}},
    "ridge": {"slope": 9.0, "params": {"alpha": 1.0}},
    "quadrature": {"params": {"n_quadrature": 5}},
}


def rows(n=1500, levels=80, mean=0.0, slope=1.0, variance=1.0, params=None):
    rng = np.random.default_rng(4)
    X = pd.DataFrame(rng.normal(size=(n, 2)), columns=["x0", "x1"])
    X["known"] = rng.normal(size=n) if params and "offset" in params else 0.5 * X["x0"] ** 2
    X["g"] = rng.integers(0, levels, n)
    effects = np.sqrt(variance) * rng.normal(size=levels)
    eta = mean + slope * X["x0"] - 0.5 * X["x1"] + effects[X["g"]]
    eta = eta + X["known"] if params and "offset" in params else eta
    return X, rng.binomial(1, 1.0 / (1.0 + np.exp(-eta)))


@pytest.mark.parametrize("case", CASES)
def test_both_starts_end_at_the_same_optimum(case, monkeypatch):
    known = CASES[case]
    X, y = rows(**known)
    params = {"groups": "g", "n_quadrature": 1} | known.get("params", {})
    weights = np.random.default_rng(0).integers(1, 4, len(y)).astype(float)
    found = []
    for start in (pql_start, regression_start):
        monkeypatch.setattr(
            "skmixed._likelihood.start._cheapest", lambda objective, start=start: start
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SkmixedWarning)
            found.append(MixedLogisticClassifier(**params).fit(X, y, sample_weight=weights))
    by_pql, ours = found
    assert by_pql.converged_ and ours.converged_
    assert ours.loglik_ == pytest.approx(by_pql.loglik_, rel=1e-9)
    assert ours.n_iter_ <= by_pql.n_iter_ + 5


def test_moments_of_the_levels():
    e = logistic_example("three effects")
    (block,) = e.design.blocks
    moments = Moments.of(block, BernoulliLogit(), e.beta)
    mean = 1.0 / (1.0 + np.exp(-e.X @ e.beta))
    (Z,) = e.Zs
    q = len(block.z[0])
    system, right = 0.0, 0.0
    for own in np.split(Z, Z.shape[1] // q, axis=1):
        A = (own * (e.weights * mean * (1.0 - mean))[:, None]).T @ own
        s = own.T @ (e.weights * (e.y - mean))
        system = system + np.kron(A, A)
        right = right + np.outer(s, s) - A
    expected = np.linalg.solve(system, right.ravel()).reshape(q, q)
    np.testing.assert_allclose(moments.covariance, expected, rtol=1e-8)
