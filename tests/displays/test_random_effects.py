"""Caterpillars."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from matplotlib import pyplot

from skmixed import MixedLinearRegressor
from skmixed.datasets import make_mixed_regression
from skmixed.displays import RandomEffectsDisplay


def drawn(display, panel):
    return display.artists_["points"][panel].get_xdata(orig=False)


@pytest.mark.smoke
def test_levels_are_sorted_by_the_first_effect_in_all_panels(sleep):
    display = RandomEffectsDisplay.from_estimator(sleep)
    modes = sleep.results_.random_effects["Subject"].sort_values("Intercept", ascending=False)
    np.testing.assert_allclose(drawn(display, 0), modes["Intercept"])
    np.testing.assert_allclose(drawn(display, 1), modes["Days"])
    names = [text.get_text() for text in display.ax_[0].get_yticklabels()]
    assert names == [str(level) for level in modes.index]
    assert [ax.get_xlabel() for ax in display.ax_] == [
        "Intercept, 95 % limits",
        "Days, 95 % limits",
    ]


def test_bars_are_the_limits(sleep):
    display = RandomEffectsDisplay.from_estimator(sleep, effect="Days")
    ends = np.array([s[:, 0] for s in display.artists_["bars"][0].get_segments()])
    table = sleep.random_effects_.query("effect == 'Days'").sort_values("estimate")[::-1]
    np.testing.assert_allclose(ends, table[["ci_low", "ci_high"]])
    narrow = RandomEffectsDisplay.from_estimator(sleep, effect="Days", level=0.5)
    inner = np.array([s[:, 0] for s in narrow.artists_["bars"][0].get_segments()])
    assert np.all(np.ptp(inner, axis=1) < np.ptp(ends, axis=1) * 0.4)


def test_many_levels_are_thinned_and_keep_their_ends():
    X, y = make_mixed_regression(n_groups=20_000, rows_per_group=3, random_state=0)
    model = MixedLinearRegressor(groups="group").fit(X, y)
    display = RandomEffectsDisplay.from_estimator(model)
    estimates = np.sort(model.random_effects_["estimate"])
    np.testing.assert_allclose(drawn(display, 0), estimates)
    bars = display.artists_["bars"][0].get_segments()
    assert len(bars) == 200
    np.testing.assert_allclose(bars[-1][:, 0].mean(), estimates[-1])
    assert display.ax_.get_ylabel() == "rank among 20,000 levels of group"


def test_axes_and_styles_of_the_caller_are_used(sleep):
    figure, ax = pyplot.subplots()
    display = RandomEffectsDisplay.from_estimator(sleep, effect="Days", ax=ax, color="black")
    assert display.ax_ is ax
    assert display.figure_ is figure
    assert display.artists_["points"][0].get_color() == "black"
    again = display.plot()
    assert again is display
    assert display.figure_ is not figure


def test_a_polars_table_draws_the_same(sleep):
    X, y = make_mixed_regression(n_groups=10, random_state=0)
    found = [
        RandomEffectsDisplay.from_estimator(MixedLinearRegressor(groups="group").fit(table, y))
        for table in (X, pl.from_pandas(X))
    ]
    np.testing.assert_allclose(drawn(found[0], 0), drawn(found[1], 0))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"factor": "Subject_"}, r"factor: no column 'Subject_'.*\nDid you mean 'Subject'\?"),
        ({"effect": "Dais"}, r"effect: no column 'Dais'.*\nDid you mean 'Days'\?"),
        ({"level": 95}, r"level=95 is not a probability"),
    ],
)
def test_what_is_wrong_is_named(sleep, options, message):
    with pytest.raises(ValueError, match=message):
        RandomEffectsDisplay.from_estimator(sleep, **options)


def test_a_model_without_random_effects_has_none(without_effects):
    with pytest.raises(ValueError, match=r"no random effects.\nFit it with groups="):
        RandomEffectsDisplay.from_estimator(without_effects)
