"""A single factor in one sweep: the same deviance and derivatives as by elimination."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from skmixed import MixedLinearRegressor
from skmixed._likelihood.one_factor import OneFactor, is_one_factor
from skmixed.datasets import make_mixed_regression
from tests.helpers.counting import BEYOND, evaluations

pytestmark = pytest.mark.smoke

TERMS = ["(1 | group)", "(1 + x0 | group)", "(0 + x0 + x1 | group)", "(1 + x0 + x1 | group)"]


def deviances(term, method, n=3, **params):
    """The deviance of some responses, and covariances to look at, one of them singular."""
    X, y = make_mixed_regression(n_groups=12, rows_per_group=6, random_state=0)
    rng = np.random.default_rng(1)
    found = []
    for _ in range(n):
        model = MixedLinearRegressor(random_effects=term, method=method, max_iter=2, **params)
        fit = model.fit(X, y + rng.normal(size=len(y))).results_.fitted.fit
        found.append(fit.objective)
    q = len(found[0].U[0])
    roots = rng.normal(size=(n, q, q))
    roots[0, :, 0] = 0.0
    return found, roots @ roots.transpose(0, 2, 1)


@pytest.mark.filterwarnings("ignore::skmixed.SkmixedWarning")
@pytest.mark.parametrize("method", ["reml", "ml"])
@pytest.mark.parametrize("term", TERMS)
def test_sweep_is_the_elimination(term, method):
    objectives, T = deviances(term, method)
    sweep = OneFactor.of(objectives)(T)
    for b, objective in enumerate(objectives):
        state = objective([T[b]])
        assert_allclose(sweep.value[b], state.value, rtol=1e-12)
        assert_allclose(sweep.beta[b], state.fixed.beta, rtol=1e-10, atol=1e-12)
        assert_allclose(sweep.r2[b], state.fixed.r2, rtol=1e-11)
        assert_allclose(sweep.gradient[b], state.gradient[0], rtol=1e-9, atol=1e-9)
        assert_allclose(sweep.slope[b], state.slope, rtol=1e-9, atol=1e-9)
        assert_allclose(sweep.hessian[b], state.hessian, rtol=1e-8, atol=1e-8)
        assert_allclose(sweep.noise[b], state.noise)
        assert sweep.degenerate[b] == state.degenerate
    some = OneFactor.of(objectives).of_some(np.array([2, 0]))(T[[2, 0]])
    assert_allclose(some.value, sweep.value[[2, 0]], rtol=1e-13)


@pytest.mark.filterwarnings("ignore::skmixed.SkmixedWarning")
def test_a_ridge_is_part_of_it():
    (objective,), T = deviances("(1 + x0 | group)", "ml", n=1, alpha=3.0)
    T = T + np.eye(2)
    found, wanted = OneFactor.of([objective])(T), objective([T[0]])
    assert_allclose(found.value[0], wanted.value, rtol=1e-12)
    assert_allclose(found.slope[0], wanted.slope, rtol=1e-9)
    assert_allclose(found.hessian[0], wanted.hessian, rtol=1e-9)


@pytest.mark.filterwarnings("ignore::skmixed.SkmixedWarning")
def test_a_prior_is_not():
    (objective,), _ = deviances("(1 + x0 | group)", "ml", n=1, covariance_prior="weak")
    assert not is_one_factor(objective)
    (objective,), _ = deviances("(1 + x0 | group)", "ml", n=1)
    assert is_one_factor(objective)


def test_condensed_levels_count_as_often_as_they_are_there():
    X, y = make_mixed_regression(n_groups=200, rows_per_group=4, random_state=0)
    fit = MixedLinearRegressor("group").fit(X, y).results_.fitted.fit
    condensed = fit.objective.condensed()
    assert condensed.plan.cross.counts is not None
    for T in (0.0, 0.7):
        found = OneFactor.of([condensed])(np.array([[[T]]]))
        wanted = fit.at([np.array([[T]])])
        assert_allclose(found.value[0], wanted.value, rtol=1e-12)
        assert_allclose(found.gradient[0], wanted.gradient[0], rtol=1e-9)
        assert_allclose(found.hessian[0], wanted.hessian, rtol=1e-9)


def test_several_factors_are_eliminated():
    X, y = make_mixed_regression(n_groups=20, random_state=0)
    X["other"] = np.arange(len(y)) % 7
    fit = MixedLinearRegressor(["group", "other"]).fit(X, y).results_.fitted.fit
    assert not is_one_factor(fit.objective)


def test_what_a_fit_knows_is_what_its_state_says():
    """Nothing is evaluated for the estimates again."""
    X, y = make_mixed_regression(n_groups=30, random_state=0)
    with evaluations() as counted:
        model = MixedLinearRegressor(random_effects="(1 + x0 | group)").fit(X, y)
    assert counted.linear == model.n_iter_ + BEYOND
    fit = model.results_.fitted.fit
    state = fit.at(fit.T)
    assert_allclose(fit.beta, state.fixed.beta, rtol=1e-10)
    assert_allclose(fit.scale, state.sigma2, rtol=1e-11)
    assert_allclose(fit.deviance, state.value, rtol=1e-13)
