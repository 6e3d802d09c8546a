"""Which optimum a linear fit ends in, and what it says of it."""

import warnings

import numpy as np
import pandas as pd
import pytest

from skmixed import MixedLinearRegressor, RandomEffect, SkmixedWarning
from tests.helpers.dense_search import DenseModel, DenseTerm


def fitted(model, X, y):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SkmixedWarning)
        return model.fit(X, y)


@pytest.mark.parametrize(
    ("covariance", "levels", "rows", "scale", "seed"),
    [
        ("identity", 20, 200, 100.0, 1),
        ("exchangeable", 6, 27, 50.0, 2),
        ("identity", 20, 200, 1e3, 7),
    ],
)
@pytest.mark.parametrize("method", ["reml", "ml"])
def test_effects_of_unlike_size_share_a_variance(covariance, levels, rows, scale, seed, method):
    """The deviance has an optimum at the size of the slopes and another at that of the intercepts."""
    rng = np.random.default_rng(seed)
    groups = rng.integers(0, levels, rows)
    table = pd.DataFrame({"x": scale * rng.normal(size=rows), "g": groups})
    y = 2 * rng.normal(size=levels)[groups] + rng.normal(size=rows)
    term = RandomEffect("g", ("x",), covariance=covariance)
    model = fitted(MixedLinearRegressor(random_effects=[term], method=method), table, y)
    columns = np.column_stack([np.ones(rows), table["x"]])
    dense = DenseModel(y, columns, [DenseTerm(groups, columns, covariance)], method == "reml")
    best, _ = dense.best(np.random.default_rng(0), starts=5)
    assert -2 * model.loglik_ <= best + 1e-6


@pytest.mark.parametrize("seed", [13, 3])
def test_converged_means_stationary(seed):
    """One outlier of a million: doubling a covariance must not help where the fit says it ended."""
    rng = np.random.default_rng(seed)
    n = 35
    x = rng.integers(-3, 4, n).astype(float)
    g, h = rng.integers(0, 11, n), rng.integers(0, 10, n)
    y = rng.normal(size=n) + rng.normal(size=11)[g]
    y[0] = 1e6
    table = pd.DataFrame({"x": x, "g": g, "h": h})
    terms = "(1 | g) + (1 + x | h)"
    model = fitted(MixedLinearRegressor(random_effects=terms, method="ml"), table, y)
    columns = np.column_stack([np.ones(n), x])
    terms = [DenseTerm(g, columns[:, :1], "unstructured"), DenseTerm(h, columns, "unstructured")]
    dense = DenseModel(y, columns, terms, reml=False)
    Ts = [np.asarray(C) / model.scale_ for C in model.covariances_]
    here = dense.deviance(Ts)[0]
    shares = [(1, 2), (1, 0.5), (2, 1), (0.5, 1), (1, 1.05), (1, 0.95), (1.05, 1), (0.95, 1)]
    nearby = [dense.deviance([a * Ts[0], b * Ts[1]])[0] for a, b in shares]
    assert not model.converged_ or min(nearby) > here - 1e-2


def one_level():
    rng = np.random.default_rng(0)
    x = rng.normal(size=60)
    return pd.DataFrame({"x": x, "g": 0}), x + 50 + rng.normal(size=60)


def test_one_level_is_identified_without_a_fixed_intercept():
    """The only level's effect is the intercept, and its variance about the square of that."""
    table, y = one_level()
    model = fitted(MixedLinearRegressor("g", fit_intercept=False), table, y)
    dense = DenseModel(
        y,
        table[["x"]].to_numpy(),
        [DenseTerm(table["g"].to_numpy(), np.ones((60, 1)), "identity")],
        True,
    )
    ratio = model.covariances_[0] / model.scale_
    assert model.converged_ and model.covariances_[0][0, 0] == pytest.approx(2500, rel=0.02)
    assert -2 * model.loglik_ == pytest.approx(dense.deviance([ratio])[0], rel=1e-10)
    assert -2 * model.loglik_ < dense.deviance([np.zeros((1, 1))])[0] - 400


def test_one_level_is_not_identified_beside_an_intercept():
    table, y = one_level()
    with pytest.warns(SkmixedWarning, match="g: its 1 level cannot be told from the fixed effects"):
        model = MixedLinearRegressor("g").fit(table, y)
    assert model.covariances_[0][0, 0] == 0.0


@pytest.mark.parametrize("seed", [0, 6, 11])
def test_the_likelihood_is_that_of_the_estimates(seed):
    rng = np.random.default_rng(seed)
    n = 60
    x = rng.normal(size=n)
    g, h = rng.integers(0, 8, n), rng.integers(0, 6, n)
    y = x + rng.normal(size=8)[g] * x + rng.normal(size=6)[h] + rng.normal(size=n)
    table = pd.DataFrame({"x": x, "g": g, "h": h})
    model = fitted(MixedLinearRegressor(random_effects="(1 + x | g) + (1 | h)"), table, y)
    columns = np.column_stack([np.ones(n), x])
    terms = [DenseTerm(g, columns, "unstructured"), DenseTerm(h, columns[:, :1], "unstructured")]
    dense = DenseModel(y, columns, terms, reml=True)
    deviance = dense.deviance([C / model.scale_ for C in model.covariances_])[0]
    assert -2 * model.loglik_ == pytest.approx(deviance, abs=1e-8)
