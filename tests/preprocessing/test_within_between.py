"""Means of groups and deviations from them, in tables of all kinds."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.model_selection import KFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import (
    check_dataframe_column_names_consistency,
    parametrize_with_checks,
)

from skmixed import MixedLinearRegressor
from skmixed.preprocessing import WithinBetween


@parametrize_with_checks(
    [WithinBetween(0), WithinBetween(0, [1], unknown="error")],
    expected_failed_checks=lambda estimator: {
        "check_estimators_nan_inf": "labels of groups may be missing when rows are transformed"
    },
)
@pytest.mark.filterwarnings("ignore")
def test_scikit_learn_checks(estimator, check):
    check(estimator)


def test_a_check_for_scikit_learns_own():
    check_dataframe_column_names_consistency("WithinBetween", WithinBetween(0))


@pytest.fixture
def pupils():
    rng = np.random.default_rng(0)
    n = 400
    school = rng.integers(0, 25, n)
    context = rng.normal(0, 1, 25)[school]
    X = pd.DataFrame({"ses": context + rng.normal(0, 1, n), "age": rng.uniform(6, 16, n)})
    X["school"] = [f"school {c}" for c in school]
    X.index = rng.permutation(n) + 100
    y = X["ses"] + 3 * context + 0.1 * X["age"] + rng.normal(0, 1, 25)[school] + rng.normal(0, 1, n)
    return X, y


def by_hand(X, name="ses"):
    means = X.groupby("school")[name].transform("mean")
    return X[name] - means, means


def test_means_and_deviations(pupils):
    X, _ = pupils
    found = WithinBetween("school", "ses").fit_transform(X)
    assert list(found) == ["ses_within", "age", "school", "ses_between"]
    assert found.index.equals(X.index)
    within, between = by_hand(X)
    np.testing.assert_allclose(found["ses_within"], within, atol=1e-12)
    np.testing.assert_allclose(found["ses_between"], between, atol=1e-12)
    pd.testing.assert_series_equal(found["school"], X["school"])
    every = WithinBetween("school").fit_transform(X)
    assert list(every) == ["ses_within", "age_within", "school", "ses_between", "age_between"]


def test_the_deviations_have_the_coefficient_of_fixed_effects(pupils):
    """Mundlak's result, whatever the variances."""
    X, y = pupils
    model = make_pipeline(
        WithinBetween("school", ["ses", "age"]), MixedLinearRegressor("school")
    ).fit(X, y)
    centred = np.column_stack([by_hand(X, name)[0] for name in ("ses", "age")])
    fixed = np.linalg.lstsq(centred, y, rcond=None)[0]
    coefficients = model[-1].results_.params
    np.testing.assert_allclose(coefficients[["ses_within", "age_within"]], fixed, rtol=1e-8)
    assert coefficients["ses_between"] > coefficients["ses_within"] + 1.0
    plain = cross_val_score(MixedLinearRegressor("school"), X, y, cv=KFold(5))
    assert cross_val_score(model, X, y, cv=KFold(5)).mean() > plain.mean() - 0.05


class TestUnknownGroups:
    def new(self, X):
        return X.head(3).assign(school=["new", "new", None], ses=[1.0, 2.0, 7.0])

    def test_overall(self, pupils):
        X, _ = pupils
        found = WithinBetween("school", "ses").fit(X).transform(self.new(X))
        np.testing.assert_allclose(found["ses_between"], X["ses"].mean())
        np.testing.assert_allclose(found["ses_within"], self.new(X)["ses"] - X["ses"].mean())

    def test_own(self, pupils):
        X, _ = pupils
        found = WithinBetween("school", "ses", unknown="own").fit(X).transform(self.new(X))
        np.testing.assert_allclose(found["ses_between"], [1.5, 1.5, X["ses"].mean()])
        known = WithinBetween("school", "ses", unknown="own").fit(X).transform(X)
        np.testing.assert_allclose(known["ses_between"], by_hand(X)[1])

    def test_error(self, pupils):
        X, _ = pupils
        with pytest.raises(ValueError, match="3 rows belong to groups that were not in the fit"):
            WithinBetween("school", unknown="error").fit(X).transform(self.new(X))

    def test_means_are_those_of_the_fit(self, pupils):
        X, _ = pupils
        transformer = WithinBetween("school", "ses").fit(X)
        row = transformer.transform(X.iloc[[5]])
        pd.testing.assert_frame_equal(row, transformer.transform(X).iloc[[5]])


@pytest.mark.parametrize("kind", ["polars", "pyarrow"])
def test_other_tables_come_back_as_they_are(pupils, kind):
    X, _ = pupils
    expected = WithinBetween("school", "ses").fit_transform(X)
    table = pl.from_pandas(X)
    table = table if kind == "polars" else table.to_arrow()
    found = WithinBetween("school", "ses").fit_transform(table)
    assert type(found) is type(table)
    frame = found.to_pandas()
    pd.testing.assert_frame_equal(frame, expected.reset_index(drop=True), check_dtype=False)


def test_arrays(pupils):
    X, _ = pupils
    codes = pd.factorize(X["school"])[0]
    array = np.column_stack([codes, X["ses"], X["age"]])
    transformer = WithinBetween(0, [1]).fit(array)
    found = transformer.transform(array)
    assert found.dtype == float
    np.testing.assert_array_equal(found[:, [0, 2]], array[:, [0, 2]])
    np.testing.assert_allclose(found[:, [1, 3]], np.column_stack(by_hand(X)), atol=1e-12)
    names = ["x0", "x1_within", "x2", "x1_between"]
    assert list(transformer.get_feature_names_out()) == names
    assert list(transformer.get_feature_names_out(list("abc")))[1] == "b_within"
    mixed = WithinBetween(-1, [0]).fit_transform(X.to_numpy())
    np.testing.assert_allclose(mixed[:, 0].astype(float), by_hand(X)[0], atol=1e-12)


@pytest.mark.parametrize("kind", ["pandas", "polars"])
def test_set_output(pupils, kind):
    X, _ = pupils
    for table in (X, pl.from_pandas(X)):
        found = WithinBetween("school", "ses").set_output(transform=kind).fit_transform(table)
        assert type(found).__module__.startswith(kind)
        assert list(found.columns) == ["ses_within", "age", "school", "ses_between"]
        np.testing.assert_allclose(found["ses_within"].to_numpy(), by_hand(X)[0], atol=1e-12)


def test_several_columns_of_groups(pupils):
    X, _ = pupils
    X = X.assign(band=(X["age"] > 10).astype(int))
    found = WithinBetween(["school", "band"], "ses").fit_transform(X)
    means = X.groupby(["school", "band"])["ses"].transform("mean")
    np.testing.assert_allclose(found["ses_between"], means)


def test_copies(pupils):
    X, _ = pupils
    transformer = WithinBetween("school", "ses").fit(X)
    copy = pickle.loads(pickle.dumps(transformer))
    pd.testing.assert_frame_equal(copy.transform(X), transformer.transform(X))
    assert repr(clone(transformer)) == "WithinBetween(columns='ses', groups='school')"


@pytest.mark.parametrize(
    ("options", "change", "error"),
    [
        ({}, {}, "no means without groups"),
        ({"groups": "shool"}, {}, "Did you mean 'school'"),
        ({"groups": "school", "columns": ["school"]}, {}, "grouping column as well"),
        ({"groups": "school", "columns": ["ses", "ses"]}, {}, "named twice"),
        ({"groups": "school"}, {"ses": np.nan}, "'ses' contains NaN"),
        ({"groups": "school"}, {"school": None}, "'school' contains NaN"),
        (
            {"groups": "school", "columns": "ses"},
            {"ses_between": 1.0},
            "a column 'ses_between' already",
        ),
    ],
)
def test_wrong_arguments(pupils, options, change, error):
    X, _ = pupils
    with pytest.raises(ValueError, match=error):
        WithinBetween(**options).fit(X.assign(**change))
