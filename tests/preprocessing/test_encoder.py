"""The encoder as a user and as scikit-learn meet it."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GroupKFold, KFold, StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import (
    check_dataframe_column_names_consistency,
    check_param_validation,
    parametrize_with_checks,
)

from skmixed import GroupsWarning, MixedLinearRegressor, MixedLogisticClassifier
from skmixed.preprocessing import MixedEffectsEncoder


@parametrize_with_checks(
    [
        MixedEffectsEncoder(),
        MixedEffectsEncoder(columns=[0]),
        MixedEffectsEncoder(-1, target_type="continuous", random_state=0),
    ]
)
@pytest.mark.filterwarnings("ignore")
def test_scikit_learn_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize(
    "check", [check_dataframe_column_names_consistency, check_param_validation]
)
def test_checks_for_scikit_learns_own(check):
    check("MixedEffectsEncoder", MixedEffectsEncoder())


@pytest.fixture
def rows():
    """Two columns with categories that matter, one of them text, and a number."""
    rng = np.random.default_rng(0)
    n = 600
    shop, month = rng.integers(0, 40, n), rng.integers(1, 13, n)
    y = 5 + rng.normal(0, 1, 40)[shop] + rng.normal(0, 0.5, 13)[month] + rng.normal(0, 1, n)
    X = pd.DataFrame({"shop": [f"shop {c}" for c in shop], "month": month, "x": rng.normal(size=n)})
    return X, y


def test_encodings_are_conditional_modes(rows):
    X, y = rows
    encoder = MixedEffectsEncoder(["shop", "month"]).fit(X, y)
    for k, name in enumerate(["shop", "month"]):
        model = MixedLinearRegressor(name, tol=1e-12).fit(X[[name]], y)
        effects = model.random_effects_
        assert list(encoder.categories_[k]) == list(effects["level"])
        np.testing.assert_allclose(encoder.encodings_[k], effects["estimate"], atol=1e-6)
        assert encoder.intercepts_[k] == pytest.approx(model.intercept_, abs=1e-6)
        assert encoder.variances_[k] == pytest.approx(model.covariances_[0][0, 0], abs=1e-6)


def test_a_binary_target_means_log_odds(rows):
    X, y = rows
    labels = np.where(y > 5, "sold", "left")
    encoder = MixedEffectsEncoder("shop").fit(X, labels)
    assert encoder.target_type_ == "binary" and list(encoder.classes_) == ["left", "sold"]
    model = MixedLogisticClassifier("shop", n_quadrature=1, tol=1e-12).fit(X[["shop"]], labels)
    np.testing.assert_allclose(encoder.encodings_[0], model.random_effects_["estimate"], atol=1e-6)


@pytest.mark.parametrize("is_binary", [False, True])
def test_fit_transform_is_cross_fitted(rows, is_binary):
    X, y = rows
    y = (y > 5).astype(int) if is_binary else y
    encoder = MixedEffectsEncoder(["shop", "month"], cv=4, random_state=3)
    found = encoder.fit_transform(X, y)
    kind = StratifiedKFold if is_binary else KFold
    for train, test in kind(4, shuffle=True, random_state=3).split(X, y):
        fold = clone(encoder).fit(X.iloc[train], y[train])
        np.testing.assert_allclose(found[test], fold.transform(X.iloc[test]), atol=1e-12)
    np.testing.assert_allclose(encoder.transform(X), clone(encoder).fit(X, y).transform(X))
    splitter = kind(4, shuffle=True, random_state=3)
    again = MixedEffectsEncoder(["shop", "month"], cv=splitter).fit_transform(X, y)
    np.testing.assert_array_equal(again, found)
    in_order = MixedEffectsEncoder("shop", shuffle=False).fit_transform(X, y)
    np.testing.assert_array_equal(
        in_order, MixedEffectsEncoder("shop", cv=kind(5)).fit_transform(X, y)
    )


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA])
def test_new_and_missing_categories_are_zero(rows, missing):
    X, y = rows
    X = X.astype({"shop": object})
    X.loc[::7, "shop"] = missing
    encoder = MixedEffectsEncoder("shop", random_state=0)
    assert np.all(encoder.fit_transform(X, y)[::7] == 0.0)
    assert np.all(encoder.transform(X)[::7] == 0.0)
    assert encoder.transform(X.head(1).assign(shop="shop 99")) == 0.0
    there = X["shop"].notna()
    same = MixedEffectsEncoder("shop").fit(X[there], y[there])
    np.testing.assert_array_equal(same.encodings_[0], encoder.encodings_[0])


def test_categories_of_another_kind(rows):
    X, y = rows
    encoder = MixedEffectsEncoder("month").fit(X, y)
    with pytest.warns(
        GroupsWarning, match="'month' is known; they were numbers at fit and are text"
    ):
        assert not np.any(encoder.transform(X.astype({"month": str})))
    assert not np.any(encoder.transform(X.assign(month=np.nan)))
    assert not np.any(encoder.transform(X.assign(month=99)))


@pytest.mark.parametrize(
    "change",
    [
        lambda X: X.astype({"shop": "category", "month": "category"}),
        lambda X: X.convert_dtypes(dtype_backend="pyarrow"),
        lambda X: X.astype({"month": "Int64"}),
        pl.from_pandas,
        lambda X: pl.from_pandas(X).with_columns(pl.col("shop").cast(pl.Categorical)),
        lambda X: pl.from_pandas(X).to_arrow(),
        lambda X: X.to_numpy(),
    ],
)
def test_tables_of_all_kinds(rows, change):
    X, y = rows
    expected = MixedEffectsEncoder([0, 1], random_state=0).fit(X, y)
    encoder = MixedEffectsEncoder([0, 1], random_state=0)
    crossed = encoder.fit_transform(change(X), y)
    np.testing.assert_allclose(encoder.transform(change(X)), expected.transform(X), atol=1e-12)
    np.testing.assert_allclose(crossed, clone(encoder).fit_transform(X, y), atol=1e-12)


@pytest.mark.parametrize("kind", ["pandas", "polars"])
def test_set_output(rows, kind):
    X, y = rows
    encoder = MixedEffectsEncoder(["month", "shop"], random_state=0).set_output(transform=kind)
    plain = MixedEffectsEncoder(["month", "shop"], random_state=0)
    for found, expected in [
        (encoder.fit_transform(X, y), plain.fit_transform(X, y)),
        (encoder.transform(X), plain.transform(X)),
    ]:
        assert type(found).__module__.startswith(kind)
        assert list(found.columns) == ["month", "shop"]
        np.testing.assert_array_equal(found.to_numpy(), expected)
    if kind == "pandas":
        assert encoder.transform(X.iloc[::-1]).index.equals(X.index[::-1])
    assert list(encoder.get_feature_names_out()) == ["month", "shop"]
    nameless = plain.set_params(columns=[2, 0]).fit(X.to_numpy(), y)
    assert list(nameless.get_feature_names_out()) == ["x2", "x0"]


def test_tags_and_copies(rows):
    X, y = rows
    tags = get_tags(MixedEffectsEncoder())
    assert tags.target_tags.required and tags.input_tags.allow_nan
    assert tags.input_tags.categorical and tags.input_tags.string
    encoder = MixedEffectsEncoder("shop", random_state=0).fit(X, y)
    copy = pickle.loads(pickle.dumps(encoder))
    np.testing.assert_array_equal(copy.transform(X), encoder.transform(X))
    assert repr(clone(encoder)) == "MixedEffectsEncoder(columns='shop', random_state=0)"


def test_target_types(rows):
    X, y = rows
    stars = np.clip(np.round(y), 1, 9)
    assert MixedEffectsEncoder("shop").fit(X, stars).target_type_ == "continuous"
    two = (y > 5).astype(float)
    assert MixedEffectsEncoder("shop").fit(X, two).target_type_ == "binary"
    as_numbers = MixedEffectsEncoder("shop", target_type="continuous").fit(X, two)
    assert as_numbers.classes_ is None
    with pytest.raises(ValueError, match="is about two"):
        MixedEffectsEncoder("shop", target_type="binary").fit(X, stars)
    with pytest.raises(ValueError, match="or one of two labels"):
        MixedEffectsEncoder("shop").fit(X, np.resize(["a", "b", "c"], len(y)))


class TestMetadata:
    def test_groups_reach_the_splitter(self, rows):
        X, y = rows
        encoder = MixedEffectsEncoder("month", cv=GroupKFold(4))
        with sklearn.config_context(enable_metadata_routing=True):
            found = encoder.fit_transform(X, y, groups=X["shop"])
            model = make_pipeline(encoder, LinearRegression()).fit(X, y, groups=X["shop"])
        folds = GroupKFold(4).split(X, y, X["shop"])
        expected = MixedEffectsEncoder("month", cv=list(folds)).fit_transform(X, y)
        np.testing.assert_array_equal(found, expected)
        assert model[-1].coef_ == pytest.approx(LinearRegression().fit(expected, y).coef_)

    def test_without_routing(self, rows):
        X, y = rows
        with pytest.raises(TypeError, match="metadata routing is off"):
            MixedEffectsEncoder("month").fit_transform(X, y, groups=X["shop"])


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"columns": "shopp"}, "Did you mean 'shop'"),
        ({"columns": ["shop", 0]}, "named twice"),
        ({"columns": 7}, "only 3 features"),
        ({"cv": [(np.arange(600), np.arange(10))]}, "not in exactly one test fold"),
    ],
)
def test_wrong_arguments(rows, options, error):
    X, y = rows
    with pytest.raises(ValueError, match=error):
        MixedEffectsEncoder(**options).fit_transform(X, y)


def test_wrong_rows(rows):
    X, y = rows
    with pytest.raises(ValueError, match="y has 10 values"):
        MixedEffectsEncoder().fit(X, y[:10])
    with pytest.raises(ValueError, match="type list, which can't be labels"):
        MixedEffectsEncoder("shop").fit(X.assign(shop=[[1]] * len(X)), y)
    with pytest.raises(TypeError, match="not in memory"):
        MixedEffectsEncoder("shop").fit(pl.from_pandas(X).lazy(), y)


class TestLeaks:
    @pytest.mark.parametrize("rows_of_an_id", [1, 2, 5])
    def test_noise_stays_noise(self, rows_of_an_id):
        """Categories that say nothing explain nothing of held-out rows."""
        rng = np.random.default_rng(rows_of_an_id)
        X = rng.permutation(np.arange(2000) // rows_of_an_id).astype(str).reshape(-1, 1)
        y = rng.normal(size=2000)
        model = make_pipeline(MixedEffectsEncoder(random_state=0), LinearRegression())
        assert cross_val_score(model, X, y, cv=KFold(5)).mean() <= 0.005
        if rows_of_an_id == 1:
            assert cross_val_score(model, X, y, cv=KFold(5)).mean() <= 0.0

    def test_categories_that_matter_are_worth_more_than_their_codes(self, rows):
        X, y = rows

        def score(encoder):
            encoded = make_column_transformer((encoder, ["shop", "month"]), remainder="passthrough")
            return cross_val_score(make_pipeline(encoded, LinearRegression()), X, y).mean()

        assert score(MixedEffectsEncoder(random_state=0)) > score(OrdinalEncoder()) + 0.3


class TestTargets:
    X = pd.DataFrame({"shop": list("aabbcc")})

    @pytest.mark.parametrize(
        "y", [[1.0, np.nan, 3.0, 4.5, 2.0, 1.0], ["u", None, "v", "u", "v", "u"]]
    )
    def test_missing_values_are_counted(self, y):
        with pytest.raises(ValueError, match="y contains NaN or infinity in 1 rows"):
            MixedEffectsEncoder().fit(self.X, np.array(y, dtype=object if "u" in y else float))

    def test_numbers_are_no_two_labels(self):
        with pytest.raises(ValueError, match=r"y holds numbers.*\n.*target_type='continuous'"):
            MixedEffectsEncoder(target_type="binary").fit(self.X, np.arange(6) + 0.5)
