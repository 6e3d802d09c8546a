"""Pictures of residuals."""

from __future__ import annotations

import numpy as np
import pytest

from skmixed import MixedLinearRegressor
from skmixed.datasets import make_mixed_regression
from skmixed.displays import ResidualsDisplay
from skmixed.inference import residuals


@pytest.fixture(scope="module")
def large():
    X, y = make_mixed_regression(n_groups=20_000, rows_per_group=3, random_state=0)
    return MixedLinearRegressor(groups="group").fit(X, y)


@pytest.mark.smoke
def test_against_fitted_values(sleep):
    display = ResidualsDisplay.from_estimator(sleep)
    points = np.asarray(display.artists_["rows"][0].get_offsets())
    np.testing.assert_allclose(points[:, 0], sleep.results_.fittedvalues)
    np.testing.assert_allclose(points[:, 1], residuals(sleep, "standardized"))
    assert display.ax_.get_xlabel() == "fitted reaction (ms)"


def test_the_trend_is_the_mean_of_equal_shares_of_the_rows(sleep):
    display = ResidualsDisplay.from_estimator(sleep, "scale")
    x, y = display.artists_["trend"][0].get_data(orig=False)
    assert len(x) == 9
    np.testing.assert_allclose(y.mean(), np.sqrt(np.abs(residuals(sleep, "standardized"))).mean())


def test_quantiles_are_sorted_residuals_within_limits(sleep):
    display = ResidualsDisplay.from_estimator(sleep, "qq")
    x, y = display.artists_["points"][0].get_data(orig=False)
    np.testing.assert_allclose(y, np.sort(residuals(sleep, "standardized")))
    np.testing.assert_allclose(x, -x[::-1], atol=1e-12)
    assert np.all((display.data["low"] < x) & (x < display.data["high"]))


def test_groups_are_sorted_by_their_medians(sleep):
    display = ResidualsDisplay.from_estimator(sleep, "group")
    labels = sleep.results_.fitted.training.given.X["Subject"]
    medians = residuals(sleep, "standardized").groupby(labels).median()
    np.testing.assert_allclose(
        display.artists_["medians"][0].get_xdata(orig=False), np.sort(medians)[::-1]
    )
    first = display.ax_.get_yticklabels()[0].get_text()
    assert first == str(medians.idxmax())


def test_bins_of_a_classifier(contraception):
    display = ResidualsDisplay.from_estimator(contraception)
    assert display.kind == "binned"
    data = display.data
    assert data["n"].sum() == contraception.results_.nobs
    total = np.sum(np.asarray(contraception.results_.resid))
    np.testing.assert_allclose(np.sum(data["n"] * data["residual"]), total)
    p = data["fitted"]
    assert np.all(data["half"] <= 2.0 * np.sqrt(p * (1 - p) / data["n"]) + 1e-12)
    assert display.ax_.get_xlabel() == "fitted probability of use = Y"


def test_bins_of_a_regressor_have_standard_errors(sleep):
    data = ResidualsDisplay.from_estimator(sleep, "binned").data
    np.testing.assert_allclose(data["half"], 2.0 * np.sqrt(sleep.scale_ / data["n"]))


@pytest.mark.parametrize("kind", ["fitted", "scale"])
def test_many_rows_are_counted_in_hexagons(large, kind):
    display = ResidualsDisplay.from_estimator(large, kind)
    assert display.artists_["rows"][0].get_array().sum() == large.results_.nobs


def test_many_rows_and_groups_are_thinned(large):
    groups = ResidualsDisplay.from_estimator(large, "group").artists_["medians"][0]
    assert len(groups.get_xdata()) == 200
    points = ResidualsDisplay.from_estimator(large, "qq").artists_["points"][0]
    drawn = points.get_ydata(orig=False)
    assert len(drawn) < 1_200
    found = np.sort(residuals(large, "standardized"))
    np.testing.assert_allclose(drawn[[0, 1, -2, -1]], found[[0, 1, -2, -1]])


@pytest.mark.parametrize("kind", ["qq", "scale", "group"])
def test_zeros_and_ones_have_no_normal_quantiles(contraception, kind):
    with pytest.raises(ValueError, match=r"zeros and ones.*\nUse kind='binned'"):
        ResidualsDisplay.from_estimator(contraception, kind)


def test_what_is_wrong_is_named(sleep, without_effects):
    with pytest.raises(ValueError, match=r"kind='q' is not known.\nUse 'fitted', 'qq'"):
        ResidualsDisplay.from_estimator(sleep, "q")
    with pytest.raises(ValueError, match=r"no random effects"):
        ResidualsDisplay.from_estimator(without_effects, "group")
    assert ResidualsDisplay.from_estimator(without_effects, "qq").kind == "qq"
