"""Which optimum a linear fit ends in, and what it says of it."""

import warnings

import numpy as np
import pandas as pd
import pytest

from skmixed import (
    MixedLinearRegressor,
    MixedLogisticClassifier,
    RandomEffect,
    SkmixedWarning,
)
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
        pytest.param("identity", 20, 200, 1e3, 7, marks=pytest.mark.slow),
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


def warned(model, X, y, words):
    """Whether a fit says something."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", SkmixedWarning)
        model.fit(X, y)
    return any(words in str(w.message) for w in caught)


def wards(seed, rename):
    """Stays in wards, each of which has one nursing team of its own."""
    rng = np.random.default_rng(seed)
    ward = np.repeat(np.arange(12), rng.integers(4, 9, 12))
    table = pd.DataFrame({"x": rng.normal(size=len(ward)), "ward": ward, "team": rename[ward]})
    return table, table["x"] + rng.normal(size=12)[ward] + rng.normal(size=len(ward))


@pytest.mark.parametrize("terms", ["(1 | ward) + (1 | team)", "(1 + x | ward) + (0 + x | team)"])
@pytest.mark.parametrize("seed", range(3))
def test_factors_with_the_same_groups_are_named(seed, terms):
    """Whatever the rounding of the likelihood, which is flat along their difference."""
    table, y = wards(seed, np.random.default_rng(seed).permutation(12))
    words = "team, ward: some variances are not identified"
    assert warned(MixedLinearRegressor(random_effects=terms), table, y, words)
    assert warned(MixedLogisticClassifier(random_effects=terms), table, y > 0, words)


def test_factors_that_are_told_apart_are_not():
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"a": np.arange(120) % 6, "b": np.arange(120) // 6 % 5})
    y = rng.normal(size=6)[table["a"]] + rng.normal(size=5)[table["b"]] + rng.normal(size=120)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        MixedLinearRegressor(random_effects="(1 | a) + (1 | b)").fit(table, y)


def many_slopes(q):
    rng = np.random.default_rng(4)
    columns = pd.DataFrame(rng.normal(size=(60, q)), columns=[f"x{k}" for k in range(q)])
    names = " + ".join(columns)
    return columns.assign(g=np.arange(60) // 5), rng.normal(size=60), f"(1 + {names} | g)"


def test_more_effects_than_rows_are_said_before_the_search():
    table, y, term = many_slopes(10)
    words = "g: 132 random effects (12 levels of 11) for 60 observations"
    assert warned(MixedLinearRegressor(random_effects=term), table, y, words)


@pytest.mark.parametrize("kind", [MixedLinearRegressor, MixedLogisticClassifier])
def test_more_parameters_than_covariances_of_rows_are_refused(kind):
    table, y, term = many_slopes(40)
    with pytest.raises(ValueError, match="g: a covariance of 41 random effects has 861 parameters"):
        kind(random_effects=term).fit(table, y > 0)
