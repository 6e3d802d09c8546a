"""Responses that are fitted together have the fits that each of them has alone."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from skmixed import MixedLinearRegressor, MixedLogisticClassifier
from skmixed.datasets import make_mixed_classification, make_mixed_regression
from skmixed.inference import bootstrap
from skmixed.inference._bootstrap.resampling import Resampler
from skmixed.inference._bootstrap.statistics import (
    AllParameters,
    Deviations,
    VarianceEntries,
)


def source_of(term, groups=40, rows=6, weights=False, **params):
    X, y = make_mixed_regression(n_groups=groups, rows_per_group=rows, random_state=0)
    X["z"] = np.linspace(-1.0, 1.0, len(y))
    w = np.arange(len(y)) % 3 + 1 if weights else None
    model = MixedLinearRegressor(random_effects=term, **params).fit(X, y, sample_weight=w)
    return model, Resampler(model.results_.fitted)


def draws(source, count):
    return [source.draw(np.random.default_rng(seed)) for seed in range(count)]


@pytest.mark.smoke
@pytest.mark.filterwarnings("ignore::skmixed.exceptions.SingularFitWarning")
@pytest.mark.parametrize(
    ("term", "params"),
    [
        ("(1 | group)", {}),
        ("(1 + x0 | group)", {"method": "ml"}),
        ("(1 + x0 + x1 || group)", {}),
        ("(1 + x0 + x1 | group)", {"covariance": "diagonal"}),
        ("(1 + x0 | group)", {"covariance": "exchangeable"}),
        ("(1 | group)", {"weights": True, "offset": "z"}),
        ("(1 | group)", {"alpha": 2.0}),
    ],
)
def test_fits_together_are_those_of_each(term, params):
    _, source = source_of(term, **params)
    assert source.at_once > 1
    drawn = draws(source, 12)
    found = source.refits(drawn)
    assert sum(fit is not None for fit in found) >= 4
    for fit, own in zip(found, drawn, strict=True):
        if fit is None:
            continue
        alone = source.refit(own)
        assert fit.optimum.converged
        assert 0 <= alone.optimum.n_evaluations - fit.optimum.n_evaluations <= 2
        assert_allclose(fit.loglik, alone.loglik, rtol=1e-11)
        assert_allclose(fit.coefficients, alone.coefficients, rtol=1e-8)
        assert_allclose(fit.covariances[0], alone.covariances[0], rtol=1e-7, atol=1e-8)
        assert_allclose(fit.sigma2, alone.sigma2, rtol=1e-9)
        assert_allclose(fit.effects[0], alone.effects[0], rtol=1e-6, atol=1e-8)
        assert_allclose(fit.coefficient_covariance, alone.coefficient_covariance, rtol=1e-8)


@pytest.mark.filterwarnings("ignore::skmixed.SkmixedWarning")
def test_a_bootstrap_is_that_of_fits_one_by_one(monkeypatch):
    """On the boundary too, where fits are left to be made alone."""
    model, source = source_of("(1 + x0 | group)", groups=12, rows=10)
    assert any(fit is None for fit in source.refits(draws(source, 40)))
    together = bootstrap(model, n_samples=40, random_state=1)
    monkeypatch.setattr(Resampler, "at_once", 1)
    alone = bootstrap(model, n_samples=40, random_state=1)
    assert_allclose(together.samples, alone.samples, rtol=1e-7, atol=1e-9)
    assert together.n_unconverged == alone.n_unconverged


@pytest.mark.parametrize("make", [VarianceEntries, Deviations, AllParameters.of])
def test_statistics_of_several_fits_are_those_of_each(make):
    model, source = source_of("(1 + x0 | group)")
    fitted = model.results_.fitted
    statistic = make(fitted if make == AllParameters.of else fitted.fit)
    found = source.refits(draws(source, 6))
    values = statistic.of_several(found)
    assert np.all(found.settled)
    for own, fit in zip(values, found, strict=True):
        assert_allclose(own, statistic(fit, None), rtol=1e-12)


@pytest.mark.filterwarnings("ignore::skmixed.SkmixedWarning")
@pytest.mark.parametrize("case", ["few rows", "crossed", "prior", "classifier"])
def test_what_is_fitted_alone(case):
    """Several factors, few rows, priors and classes have searches of their own."""
    X, y = make_mixed_regression(n_groups=40, rows_per_group=6, random_state=0)
    model = MixedLinearRegressor("group")
    if case == "few rows":
        X, y = X[:60], y[:60]
        model = MixedLinearRegressor(random_effects="(1 + x0 | group)")
    if case == "crossed":
        X["other"] = np.arange(len(y)) % 7
        model = MixedLinearRegressor(["group", "other"])
    if case == "prior":
        model = MixedLinearRegressor("group", covariance_prior="weak")
    if case == "classifier":
        X, y = make_mixed_classification(n_groups=20, random_state=0)
        model = MixedLogisticClassifier("group", n_quadrature=1)
    source = Resampler(model.fit(X, y).results_.fitted)
    assert source.at_once == 1
    assert list(source.refits(draws(source, 2))) == [None, None]


def test_large_data_are_drawn_a_few_at_a_time():
    _, source = source_of("(1 | group)")
    source.X = np.broadcast_to(np.zeros((1, 1)), (1 << 21, 1))
    assert source.at_once == 2
