"""Tests of what a likelihood-ratio test says: its bootstrap, its likely size, its printed form."""

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from skmixed import MixedLinearRegressor, MixedLogisticClassifier
from skmixed.inference import likelihood_ratio_test
from skmixed.inference._bootstrap.resampling import Resampler
from skmixed.inference._comparison.size import size_of_chi2

pytestmark = pytest.mark.filterwarnings("ignore::skmixed.SkmixedWarning")

GROUPS = 12


def table(n_groups=GROUPS, rows=5):
    rng = np.random.default_rng(0)
    g = np.repeat(np.arange(n_groups), rows)
    X = pd.DataFrame({"x": rng.normal(size=len(g)), "w": rng.normal(size=n_groups)[g], "g": g})
    y = X["x"] + rng.normal(size=n_groups)[g] + rng.normal(size=len(g))
    return X, y.rename("y")


def pair(kind, columns=("x",), more=("w",), **options):
    X, y = table()
    y = (y > 0).astype(int) if kind is MixedLogisticClassifier else y
    options = {"groups": "g"} | options
    return [kind(**options).fit(X[[*names, "g"]], y) for names in (columns, (*columns, *more))]


ML = {"method": "ml"}
KINDS = [(MixedLinearRegressor, ML), (MixedLogisticClassifier, {"n_quadrature": 1})]


@pytest.mark.smoke
@pytest.mark.parametrize("kind, options", KINDS, ids=["linear", "logistic"])
def test_bootstrap_by_hand(kind, options):
    """Responses of the smaller model, both fitted anew by the estimators themselves."""
    smaller, larger = pair(kind, **options)
    found = likelihood_ratio_test(larger, smaller, method="bootstrap", n_samples=9, random_state=5)
    entropy = np.random.RandomState(5).randint(0, 2**31 - 1, size=4).tolist()
    source = Resampler(smaller.results_.fitted)
    X, _ = table()
    statistics = []
    for seed in np.random.SeedSequence(entropy).spawn(9):
        y = source.draw(np.random.default_rng(seed)).y
        logliks = [
            kind(**({"groups": "g"} | options)).fit(X[[*names, "g"]], y).loglik_
            for names in (("x",), ("x", "w"))
        ]
        statistics.append(2.0 * (logliks[1] - logliks[0]))
    expected = (1 + np.sum(np.array(statistics) >= found.statistic)) / 10
    assert found.pvalue == expected
    assert (found.n_samples, found.n_failed, found.distribution) == (9, 0, "bootstrap")
    assert found.statistic == likelihood_ratio_test(smaller, larger).statistic


def test_a_bootstrap_of_variances_by_reml():
    X, y = table()
    plain = MixedLinearRegressor(groups="g").fit(X, y)
    slopes = MixedLinearRegressor(random_effects="(1 + x | g)").fit(X, y)
    options = {"method": "bootstrap", "n_samples": 19, "random_state": 0}
    found = likelihood_ratio_test(plain, slopes, **options)
    assert found == likelihood_ratio_test(plain, slopes, **options)
    assert found.df == 2 and 0.05 <= found.pvalue <= 1.0


def test_a_bootstrap_of_classifiers_needs_rows():
    smaller, larger = pair(MixedLogisticClassifier)
    with pytest.raises(AttributeError, match="training rows"):
        likelihood_ratio_test(
            pickle.loads(pickle.dumps(smaller)), larger, method="bootstrap", n_samples=2
        )
    linear, larger = pair(MixedLinearRegressor, **ML)
    assert likelihood_ratio_test(copy.deepcopy(linear), larger).size


def test_a_bootstrap_of_linear_models_draws_sums_where_rows_are_not_kept():
    smaller, larger = pair(MixedLinearRegressor, **ML)
    options = {"method": "bootstrap", "n_samples": 59, "random_state": 0}
    by_row = likelihood_ratio_test(smaller, larger, **options)
    saved = pickle.loads(pickle.dumps(smaller))
    by_sum = likelihood_ratio_test(saved, larger, **options)
    assert by_sum.statistic == pytest.approx(by_row.statistic)
    assert by_sum.n_samples == 59
    assert abs(by_sum.pvalue - by_row.pvalue) < 0.25
    assert by_sum == likelihood_ratio_test(saved, larger, **options)


def test_arguments_of_the_bootstrap():
    smaller, larger = pair(MixedLinearRegressor, **ML)
    with pytest.raises(ValueError, match="method='exact' is not known"):
        likelihood_ratio_test(smaller, larger, method="exact")
    with pytest.raises(ValueError, match="n_samples=0"):
        likelihood_ratio_test(smaller, larger, method="bootstrap", n_samples=0)


def test_size_of_an_effect_between_balanced_groups():
    """The statistic is m log(1 + t^2 / (m - p)) of the regression of the groups' means."""
    t = np.random.default_rng(0).standard_t(10, 400_000)
    share = np.mean(GROUPS * np.log1p(t**2 / 10) > stats.chi2.isf(0.05, 1))
    assert size_of_chi2(1, 10.0, 2.0) == pytest.approx(share, abs=2e-3)
    assert size_of_chi2(2, 1e8, 3.0) == pytest.approx(0.05, abs=1e-6)


@pytest.mark.parametrize("kind, options", KINDS, ids=["linear", "logistic"])
def test_few_groups_are_said(kind, options):
    found = likelihood_ratio_test(*pair(kind, **options))
    assert found.size == pytest.approx(size_of_chi2(1, 10.0, 2.0), abs=0.005)
    assert "With 12 levels of g the chi-squared rejects about 8 %" in found.note
    assert "method='bootstrap'" in found.note
    assert ("kenward-roger" in found.note) == (kind is MixedLinearRegressor)
    assert str(found).endswith(found.note)


def test_effects_within_groups_need_no_note():
    smaller, larger = pair(MixedLinearRegressor, ("w",), ("x",), **ML)
    found = likelihood_ratio_test(smaller, larger)
    assert (found.size, found.note) == (None, "")


def test_the_mean_of_random_slopes_is_decided_between_groups():
    options = ML | {"random_effects": "(1 + x | g)", "groups": None}
    X, y = table()
    smaller = MixedLinearRegressor.from_formula("y ~ 1 + (1 + x | g)", X.assign(y=y), method="ml")
    larger = MixedLinearRegressor(**options).fit(X[["x", "g"]], y)
    assert 0.05 < likelihood_ratio_test(smaller, larger).size < 0.09


def test_printed_form():
    smaller, larger = pair(MixedLinearRegressor, **ML)
    lines = str(likelihood_ratio_test(smaller, larger)).splitlines()
    assert lines[0].endswith("chi-squared with 1 degree of freedom")
    assert lines[1].startswith("smaller: y ~ 1 + x + (1 | g), log-likelihood ")
    assert lines[2].startswith("larger:  y ~ 1 + x + w + (1 | g), log-likelihood ")
    assert lines[2].endswith(", 5 parameters")
    assert "weights" not in lines[3]
    diagonal = MixedLinearRegressor(random_effects="(1 + x || g)").fit(*table())
    mixture = str(likelihood_ratio_test(MixedLinearRegressor("g").fit(*table()), diagonal))
    assert "(1 | g) + (0 + x | g)" in mixture
    assert mixture.endswith(", weights 0.5, 0.5")
