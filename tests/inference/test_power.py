"""Power by simulation, beside formulas and itself."""

import numpy as np
import pandas as pd
import pytest

from skmixed import MixedLinearRegressor, MixedLogisticClassifier
from skmixed.datasets import make_mixed_regression
from skmixed.displays import PowerDisplay
from skmixed.exceptions import ConvergenceWarning
from skmixed.inference import design, power, simulate_design

#: clusters per arm, rows per cluster, variance between and within, effect, sides, power: two balanced arms of
#: clusters, P(|T| > q) for T noncentral t with 2 J - 2 df, standard error sqrt(2 (v_b + v_w / n) / J);
#: where the variance between is often estimated as zero, 2 million draws of the two mean squares
TRIALS = {
    "p01": (10, 20, 0.05, 0.95, 0.4, 0.773),
    "p02": (15, 30, 0.05, 0.95, 0.3, 0.7925121),
    "p03": (6, 25, 0.1, 0.9, 0.6, 0.71922),
    "p04": (20, 10, 0.2, 0.8, 0.4, 0.6442281),
    "p05": (8, 50, 0.02, 0.98, 0.25, 0.6472),
    "p06": (12, 5, 0.3, 0.7, 0.7, 0.6952891),
    "p07": (25, 8, 0.15, 0.85, 0.3, 0.5371998),
    "p08": (4, 40, 0.05, 0.95, 0.6, 0.7397),
    "p09": (10, 20, 0.05, 0.95, 0.0, 0.0491),
}


def trial_of(between, within, effect):
    return design(
        MixedLinearRegressor(groups="g"),
        groups={"g": {"t": [0, 1]}},
        effects={"t": effect},
        variances={"g": between, "Residual": within},
    )


def errors_from(found, truth):
    row = found.to_frame().iloc[0]
    return abs(row["power"] - truth) / np.sqrt(truth * (1.0 - truth) / row["n_samples"])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["p03", "p06", "p09"])
def test_balanced_trials_have_the_power_of_the_formula(name):
    J, n, between, within, effect, truth = TRIALS[name]
    trial = trial_of(between, within, effect)
    found = power(trial, "t", n_groups=2 * J, group_size=n, n_samples=500, random_state=0)
    assert errors_from(found, truth) < 3


@pytest.fixture(scope="module")
def trial():
    return trial_of(0.05, 0.95, 0.4)


@pytest.fixture(scope="module")
def pilot():
    X, y = make_mixed_regression(n_groups=8, rows_per_group=5, random_state=0)
    return MixedLinearRegressor(groups="group").fit(X, y)


@pytest.fixture(scope="module")
def found(trial):
    return power(trial, "t", n_groups=[10, 40], group_size=10, n_samples=60, random_state=0)


def test_more_groups_have_more_power_and_the_error_is_binomial(found):
    table = found.to_frame()
    assert table["power"].is_monotonic_increasing
    share = table["power"]
    assert np.allclose(table["std_error"], np.sqrt(share * (1 - share) / 60))
    assert ((table["ci_low"] < share) & (share < table["ci_high"])).all()
    assert found.samples.groupby("n_groups")["p_value"].agg(
        lambda p: np.mean(p < 0.05)
    ).tolist() == list(share)


@pytest.mark.slow
def test_a_size_has_the_same_samples_alone_and_in_processes(trial, found):
    sizes = {"n_groups": 40, "group_size": 10, "n_samples": 60}
    alone = power(trial, "t", **sizes, n_jobs=2, random_state=0)
    both = found.samples[found.samples["n_groups"] == 40]
    np.testing.assert_allclose(alone.samples["p_value"], both["p_value"], rtol=1e-6, atol=1e-12)


def test_estimates_lie_around_the_stated_effect(found):
    estimate = found.samples.loc[found.samples["n_groups"] == 40, "estimate"]
    assert abs(estimate.mean() - 0.4) < 4 * estimate.std() / np.sqrt(len(estimate))


def test_it_prints_its_figures(found):
    head, columns, *rows = repr(found).splitlines()
    assert head == "Power to find t at level 0.05, 60 samples of each design:"
    assert columns.split()[:4] == ["n_groups", "group_size", "n_rows", "power"]
    assert len(rows) == 2


def test_the_smallest_design_with_enough_power(found):
    least = found.to_frame()["power"].iloc[0]
    assert found.smallest(least + 1e-6)["n_groups"].tolist() == [40]
    assert found.smallest(least)["n_groups"].tolist() == [10]


def test_p_values_are_those_of_the_estimator_fitted_to_the_same_responses(trial):
    size = {"n_groups": 10, "group_size": 6, "n_samples": 5, "random_state": 1}
    by_name = power(trial, "t", test="kenward-roger", **size).samples["p_value"]

    def p_value(model):
        return model.results_.coef_table(df="kenward-roger").loc["t", "p_value"]

    by_function = power(trial, "t", test=p_value, **size).samples["p_value"]
    assert np.allclose(by_name, by_function, rtol=1e-8)


def test_likelihood_ratios_are_those_of_two_fits(trial):
    size = {"n_groups": 10, "group_size": 6, "random_state": 1}
    _, Y = simulate_design(trial, n_samples=3, **size)
    assert Y.shape == (60, 3)
    found = power(trial, "t", test="likelihood-ratio", n_samples=15, **size)
    wald = power(trial, "t", test="normal", n_samples=15, **size)
    assert np.corrcoef(found.samples["p_value"], wald.samples["p_value"])[0, 1] > 0.95


def test_one_side_has_half_the_p_value(trial):
    size = {"n_groups": 10, "group_size": 6, "n_samples": 10, "random_state": 1}
    two = power(trial, "t", **size).samples
    one = power(trial, "t", alternative="greater", **size).samples
    expected = np.where(two["estimate"] > 0, two["p_value"] / 2, 1 - two["p_value"] / 2)
    assert np.allclose(one["p_value"], expected)


def test_several_coefficients_are_tested_together():
    trial = design(
        MixedLinearRegressor(formula="~ dose + (1 | g)"),
        columns={"dose": ["a", "b", "c"]},
        groups="g",
        effects={"dose[T.b]": 2.0, "dose[T.c]": 2.0},
        variances={"g": 0.5, "Residual": 1.0},
    )
    found = power(trial, "dose", n_groups=12, n_samples=20, random_state=0)
    assert found.to_frame()["power"].item() > 0.9
    assert found.samples["estimate"].isna().all()
    with pytest.raises(ValueError, match=r"alternative='less' is for one coefficient"):
        power(trial, "dose", n_groups=12, n_samples=2, alternative="less")


def test_simulated_moments_are_those_of_the_design():
    trial = design(
        MixedLinearRegressor(formula="~ w + (1 + w | g)"),
        columns={"w": [0.0, 1.0]},
        groups="g",
        effects={"Intercept": 3.0, "w": -1.0},
        variances={"g": [[2.0, 0.5], [0.5, 1.0]], "Residual": 0.25},
    )
    X, y = simulate_design(trial, n_groups=20_000, random_state=0)
    first, second = y.to_numpy().reshape(-1, 2).T
    assert list(X["w"][:4]) == [0, 1, 0, 1]
    assert np.allclose([first.mean(), second.mean()], [3, 2], atol=0.06)
    assert np.allclose(np.cov(first, second), [[2.25, 2.5], [2.5, 4.25]], atol=0.15)


def test_a_classifier_has_power_and_labels():
    trial = design(
        MixedLogisticClassifier(groups="clinic"),
        columns={"t": [0, 1], "x": lambda rng, n: rng.normal(size=n)},
        groups="clinic",
        effects={"t": 1.5},
        variances={"clinic": {"Intercept": 0.5}},
    )
    X, y = simulate_design(trial, n_groups=10, group_size=12, random_state=0)
    assert set(y) == {0, 1}
    assert X["x"].nunique() == len(X)
    found = power(trial, "t", n_groups=10, group_size=12, n_samples=8, random_state=0)
    assert found.to_frame()["power"].item() > 0.5
    with pytest.raises(ValueError, match="is a method for linear models"):
        power(trial, "t", n_groups=10, group_size=12, n_samples=2, test="satterthwaite")


def test_fits_that_fail_count_as_not_found():
    trial = design(
        MixedLogisticClassifier(groups="g"),
        columns={"t": [0, 1]},
        groups="g",
        effects={"Intercept": -4.0},
        variances={"g": 0.1},
    )
    with pytest.warns(ConvergenceWarning, match=r"gave no p-value and count as not found"):
        found = power(trial, "t", n_groups=3, group_size=4, n_samples=20, random_state=0)
    assert found.to_frame()["n_failed"].item() > 0
    assert "n_failed" in repr(found)


@pytest.mark.parametrize("size", [{}, {"n_groups": 20}, {"n_groups": 4, "group_size": 7}])
def test_rows_of_a_pilot_come_again(pilot, size):
    X, y = simulate_design(pilot, random_state=0, **size)
    n, m = size.get("n_groups", 8), size.get("group_size", 5)
    assert X["group"].value_counts().eq(m).all()
    assert X["group"].nunique() == n
    assert len(y) == n * m
    assert set(X["x0"]) <= set(pilot.results_.fitted.training.given.X["x0"])


def test_an_effect_may_be_stated_beside_its_name(pilot):
    found = power(pilot, {"x0": 5.0}, n_groups=10, n_samples=20, random_state=0)
    assert abs(found.samples["estimate"].mean() - 5.0) < 0.5


@pytest.mark.parametrize("nested", ["(1 | a / b)", "(1 | a) + (1 | c)"])
def test_what_is_nested_in_a_group_comes_again_with_it(nested):
    rng = np.random.default_rng(0)
    a = np.repeat(np.arange(6), 8)
    data = pd.DataFrame({"a": a, "b": np.tile(np.repeat([0, 1], 4), 6), "y": rng.normal(size=48)})
    data["c"] = [f"{i}-{j}" for i, j in zip(data["a"], data["b"], strict=True)]
    data["y"] += rng.normal(size=6)[a] + rng.normal(size=(6, 2))[a, data["b"]]
    model = MixedLinearRegressor.from_formula(f"y ~ 1 + {nested}", data)
    X, _ = simulate_design(model, n_groups=15, random_state=0)
    assert X["a"].nunique() == 15
    inner = "c" if "c" in nested else ["a", "b"]
    assert X.groupby(inner).ngroups == 30


def test_crossed_factors_have_to_be_chosen_from():
    rng = np.random.default_rng(0)
    data = pd.DataFrame({"s": np.repeat(range(8), 6), "i": np.tile(range(6), 8)})
    y = rng.normal(size=8)[data["s"]] + rng.normal(size=6)[data["i"]] + rng.normal(size=48)
    model = MixedLinearRegressor(groups=["s", "i"]).fit(data, y)
    with pytest.raises(ValueError, match=r"group: levels of which column.*\nName one of them"):
        simulate_design(model, n_groups=20)
    X, _ = simulate_design(model, n_groups=20, group="s", random_state=0)
    assert (X["s"].nunique(), X["i"].nunique()) == (20, 6)


def test_groups_that_were_passed_and_arrays():
    X, y = make_mixed_regression(n_groups=8, rows_per_group=5, random_state=0)
    apart = MixedLinearRegressor().fit(X[["x0", "x1"]], y, groups=X["group"])
    array = MixedLinearRegressor(groups=2).fit(X.to_numpy(), y)
    for model in (apart, array):
        name = model.results_.params.index[1]
        found = power(model, {name: 1.0}, n_groups=12, n_samples=3, random_state=0)
        assert found.to_frame()["n_rows"].tolist() == [60]


def test_a_table_is_a_plan():
    table = pd.DataFrame({"school": [0, 0, 1, 1], "room": range(4), "t": [0, 0, 1, 1]})
    table = table.loc[table.index.repeat(3)].reset_index(drop=True)
    plan = design(
        MixedLinearRegressor(groups=["school", "room"]),
        table,
        groups="school",
        effects={"t": 1.0},
        variances={"school": 0.1, "room": 0.1, "Residual": 1.0},
    )
    X, _ = simulate_design(plan, n_groups=10, random_state=0)
    assert (X["school"].nunique(), X["room"].nunique(), len(X)) == (10, 20, 60)


VARIANCES = {"g": 0.1, "Residual": 1.0}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            {"effects": {"tt": 1}},
            r"effects: no column 'tt' among 'Intercept', 't'\.\nDid you mean 't'",
        ),
        ({"variances": {"g": 1}}, r"variances: that of 'Residual' is missing\.\nGive one for each"),
        ({"variances": {**VARIANCES, "h": 1}}, r"variances: no column 'h' among"),
        ({"variances": {**VARIANCES, "g": -1}}, r"variances\['g'\]=-1 is negative"),
        (
            {"variances": {**VARIANCES, "g": np.eye(2)}},
            r"its effects are Intercept.*\nGive them by",
        ),
        ({"variances": {**VARIANCES, "g": [[-1.0]]}}, r"is no covariance matrix"),
        ({"effects": {"t": "much"}}, r"effects\['t'\]='much' is not a finite number"),
        ({"columns": {"t": "much"}}, r"columns\['t'\]='much': no values"),
        ({"columns": {"t": 3}}, r"columns\['t'\]=3 is a single value"),
    ],
)
def test_designs_say_what_is_wrong(change, words):
    options = {
        "columns": {"t": [0, 1]},
        "groups": "g",
        "effects": {"t": 1},
        "variances": VARIANCES,
    } | change
    with pytest.raises(ValueError, match=words):
        simulate_design(design(MixedLinearRegressor(groups="g"), **options), n_groups=5)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, r"n_groups: how many levels 'g' has is not said"),
        ({"n_groups": 5}, r"group_size: how many rows"),
        ({"n_groups": 1.5, "group_size": 3}, r"n_groups=1.5 is not a whole number"),
        ({"n_groups": [], "group_size": 3}, r"n_groups=\[\]"),
        ({"n_groups": 5, "group_size": 3, "test": "wald"}, "test"),
        ({"n_groups": 5, "group_size": 3, "alpha": 5}, "level=5"),
        ({"n_groups": 5, "group_size": 3, "alternative": "up"}, "alternative"),
    ],
)
def test_power_says_what_is_wrong(trial, options, words):
    with pytest.raises(ValueError, match=words):
        power(trial, "t", n_samples=2, **options)


def test_other_things_are_refused(trial):
    with pytest.raises(TypeError, match="est: expected a mixed model, got int"):
        design(3, groups="g", effects={}, variances={})
    with pytest.raises(TypeError, match=r"est_or_design: expected a mixed model, got int"):
        power(3, "t")
    with pytest.raises(TypeError, match="does not name one grouping column"):
        design(MixedLinearRegressor(groups="g"), groups={}, effects={}, variances={})
    with pytest.raises(ValueError, match=r"tt"):
        power(trial, "tt", n_groups=5, group_size=3, n_samples=2)


def test_the_picture_has_a_line_per_group_size(trial):
    pytest.importorskip("matplotlib")
    found = power(trial, "t", n_groups=[6, 12], group_size=[3, 6], n_samples=5, random_state=0)
    display = PowerDisplay(found, target=0.9).plot()
    assert len(display.artists_["lines"]) == 2
    assert display.artists_["target"][0].get_ydata()[0] == 0.9
    assert display.ax_.get_ylabel() == "power to find t"
    options = {"n_groups": [6, 12], "group_size": 3, "n_samples": 3, "random_state": 0}
    assert PowerDisplay.from_estimator(trial, "t", options=options).ax_.get_legend() is None
