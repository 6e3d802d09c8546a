"""Tables of every kind give the same fit; wrong input is named, with what to do."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.exceptions import NotFittedError

from skmixed import (
    GroupsWarning,
    MixedLinearRegressor,
    RandomEffect,
    RankDeficiencyWarning,
    SkmixedWarning,
)

TERMS = "(1 + age | school) + (1 | town)"


@pytest.fixture(scope="module")
def data():
    """Two crossed factors, one with text and one with whole numbers, and a slope."""
    rng = np.random.default_rng(1)
    n = 240
    school, town = rng.integers(0, 20, n), rng.integers(0, 8, n)
    table = pd.DataFrame({"age": rng.uniform(6, 16, n), "hours": rng.exponential(2.0, n)})
    table["school"], table["town"] = [f"school {c}" for c in school], town
    y = (
        table["age"]
        + rng.normal(0, 2, 20)[school]
        + rng.normal(0, 1, 8)[town]
        + rng.normal(0, 1, n)
    )
    y += rng.normal(0, 0.5, 20)[school] * (table["age"] - 11)
    return table, y.to_numpy()


# ----------------------------------------------------------------------------------------------------- kinds of tables

TABLES = {
    "categorical": lambda t: t.astype({"school": "category", "town": "category"}),
    "unused category": lambda t: t.assign(
        school=pd.Categorical(
            t["school"], categories=["none", *sorted(set(t["school"]), reverse=True)]
        )
    ),
    "nullable": lambda t: t.convert_dtypes(),
    "arrow-backed": lambda t: t.convert_dtypes(dtype_backend="pyarrow"),
    "object": lambda t: t.astype(object),
    "shuffled index": lambda t: t.set_index(np.arange(len(t))[::-1]),
    "other column order": lambda t: t[["town", "age", "school", "hours"]],
    "float32 ids": lambda t: t.astype({"town": "float32"}),
    "boolean column": lambda t: t,
    "polars": pl.from_pandas,
    "polars categorical": lambda t: pl.from_pandas(t).with_columns(
        pl.col("school").cast(pl.Categorical)
    ),
    "pyarrow": pa.Table.from_pandas,
    "pyarrow dictionary": lambda t: pa.Table.from_pandas(t.astype({"school": "category"})),
}


@pytest.mark.parametrize("kind", TABLES)
def test_tables_give_the_same_fit(data, kind):
    table, y = data
    expected = MixedLinearRegressor(random_effects=TERMS).fit(table, y)
    X = TABLES[kind](table)
    model = MixedLinearRegressor(random_effects=TERMS).fit(X, y)
    assert model.loglik_ == pytest.approx(expected.loglik_, rel=1e-10)
    assert list(model.feature_names_in_) == (
        list(X.column_names) if hasattr(X, "column_names") else list(X.columns)
    )
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=1e-6)
    np.testing.assert_allclose(model.predict(X), expected.predict(table), rtol=1e-6)


def test_fitted_on_one_kind_predicts_on_another(data):
    table, y = data
    model = MixedLinearRegressor(random_effects=TERMS).fit(table, y)
    for make in TABLES.values():
        if list(
            make(table)[:2].to_pandas() if hasattr(make(table), "to_pandas") else make(table)
        ) == list(table):
            np.testing.assert_allclose(model.predict(make(table)), model.predict(table), rtol=1e-10)


def test_arrays_by_position(data):
    table, y = data
    expected = MixedLinearRegressor(random_effects=TERMS).fit(table, y)
    for X in (
        table.to_numpy(),
        table.astype({"school": "category"}).assign(school=table["school"]).to_numpy(object),
    ):
        model = MixedLinearRegressor(random_effects=[RandomEffect(2, (0,)), RandomEffect(-1)]).fit(
            X, y
        )
        assert model.loglik_ == pytest.approx(expected.loglik_, rel=1e-10)
        np.testing.assert_allclose(model.predict(X), expected.predict(table), rtol=1e-6)


ARGUMENTS = {
    "list": list,
    "tuple": tuple,
    "array": np.asarray,
    "column": lambda g: np.asarray(g)[:, None],
    "Series": lambda g: pd.Series(g),
    "Series with another index": lambda g: pd.Series(g, index=range(len(g), 0, -1), name="school"),
    "Index": pd.Index,
    "Categorical": pd.Categorical,
    "string array": lambda g: pd.array(g, dtype="string"),
    "arrow Series": lambda g: pd.Series(g, dtype="string[pyarrow]"),
    "DataFrame": lambda g: pd.DataFrame({"school": g}),
    "polars": pl.Series,
    "polars frame": lambda g: pl.DataFrame({"school": g}),
    "pyarrow": pa.array,
    "pyarrow chunked": lambda g: pa.chunked_array([g]),
}


@pytest.mark.parametrize("kind", ARGUMENTS)
@pytest.mark.parametrize(
    "terms", [None, RandomEffect("school", ("age",))], ids=["default", "by name"]
)
def test_labels_of_any_kind(data, kind, terms):
    """The keyword takes what holds one label per row, positionally."""
    table, y = data
    X, labels = table[["age", "hours"]], list(table["school"])
    expected = MixedLinearRegressor("school", terms).fit(X.assign(school=labels), y)
    groups = ARGUMENTS[kind](labels)
    if kind == "column" and terms is not None:
        pytest.skip("a plain array has no names")
    model = MixedLinearRegressor(random_effects=terms).fit(X, y, groups=groups)
    assert model.loglik_ == pytest.approx(expected.loglik_, rel=1e-10)
    np.testing.assert_allclose(
        model.predict(X, groups=groups), expected.predict(X.assign(school=labels)), rtol=1e-6
    )


def test_several_factors_as_an_argument(data):
    table, y = data
    X = table[["age", "hours"]]
    expected = MixedLinearRegressor(["school", "town"]).fit(table, y).loglik_
    as_array = np.column_stack([table["school"], table["town"]])
    for groups in (table[["school", "town"]], as_array, pl.from_pandas(table[["school", "town"]])):
        assert MixedLinearRegressor().fit(X, y, groups=groups).loglik_ == pytest.approx(
            expected, rel=1e-10
        )


@pytest.mark.parametrize(
    "labels",
    [
        pd.date_range("2020", periods=10).repeat(6),
        np.array([True, False]).repeat(30),
        np.array([1, "one"], dtype=object).repeat(30),
        np.array([(1, 2), (1, 3)] * 30 + [None], dtype=object)[:60],
        np.array([2**63 - 1, -(2**63)]).repeat(30),
        np.array([0, 2**64 - 1], dtype=np.uint64).repeat(30),
        np.array([b"a", b"b"]).repeat(30),
        np.arange(60) // 6 / 7.0,
        pd.Categorical([True, False] * 30),
    ],
    ids=[
        "dates",
        "booleans",
        "mixed",
        "tuples",
        "far apart",
        "unsigned",
        "bytes",
        "floats",
        "categories of booleans",
    ],
)
def test_labels_of_any_type(labels):
    """Only equality of labels counts."""
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((60, 1)), rng.standard_normal(60)
    codes = pd.factorize(labels)[0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SkmixedWarning)
        y += codes
        model = MixedLinearRegressor().fit(X, y, groups=labels)
        expected = MixedLinearRegressor().fit(X, y, groups=codes)
    assert model.loglik_ == pytest.approx(expected.loglik_, rel=1e-10)
    np.testing.assert_allclose(
        model.predict(X, groups=labels), expected.predict(X, groups=codes), rtol=1e-8
    )


# -------------------------------------------------------------------------------------------------------------- errors


def assert_helpful(error):
    """Two sentences: what is wrong, and what to do."""
    lines = str(error.value).split("\n")
    assert len(lines) >= 2 and all(len(line) > 10 for line in lines[:2])


@pytest.mark.parametrize(
    "model",
    [MixedLinearRegressor("school"), MixedLinearRegressor(random_effects="(1 | school)")],
    ids=["groups", "random_effects"],
)
def test_both_styles_at_once(data, model):
    table, y = data
    X = table[["age", "school"]]
    with pytest.raises(ValueError, match="not both") as error:
        model.fit(X, y, groups=table["town"])
    assert_helpful(error)
    with pytest.raises(ValueError, match="not both"):
        model.fit(X, y).predict(X, groups=table["town"])
    with pytest.raises(ValueError, match="not both"):
        model.score(X, y, groups=table["town"])


def test_dict_of_groups(data):
    table, y = data
    with pytest.raises(TypeError, match="dict") as error:
        MixedLinearRegressor().fit(table[["age"]], y, groups={"school": table["school"]})
    assert_helpful(error)


MISSING = [None, np.nan, pd.NA, np.inf]


@pytest.mark.parametrize("missing", MISSING, ids=str)
def test_missing_labels(data, missing):
    """Refused at fit and at predict, in both styles, with the name of the factor."""
    table, y = data
    broken = table[["age", "school"]].astype({"school": object})
    if missing is np.inf:
        broken["school"] = table["town"].astype(float)
    complete = broken.copy()
    broken.loc[3, "school"] = missing
    model = MixedLinearRegressor("school")
    with pytest.raises(ValueError, match=r"'school'.* 1 rows") as error:
        model.fit(broken, y)
    assert_helpful(error)
    with pytest.raises(ValueError, match="'school'"):
        model.fit(complete, y).predict(broken)
    with pytest.raises(ValueError, match="groups"):
        MixedLinearRegressor().fit(table[["age"]], y, groups=broken["school"])
    by_argument = MixedLinearRegressor().fit(table[["age"]], y, groups=complete["school"])
    with pytest.raises(ValueError, match="groups"):
        by_argument.predict(table[["age"]], groups=broken["school"])


@pytest.mark.parametrize(
    "make", [pl.from_pandas, pa.Table.from_pandas, lambda t: t.convert_dtypes()]
)
def test_missing_labels_in_any_table(data, make):
    table, y = data
    broken = table[["age", "school"]].astype({"school": object})
    broken.loc[3, "school"] = None
    with pytest.raises(ValueError, match="'school'"):
        MixedLinearRegressor("school").fit(make(broken), y)


def test_missing_category(data):
    table, y = data
    broken = table[["age"]].assign(
        school=table["school"].where(table.index != 3).astype("category")
    )
    with pytest.raises(ValueError, match="'school'"):
        MixedLinearRegressor("school").fit(broken, y)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"groups": "schol"}, r"groups: no column 'schol'.*\n.*'school'"),
        ({"random_effects": "(1 | schol)"}, r"random_effects: no column 'schol'.*\n.*'school'"),
        ({"random_effects": "(1 + agee | school)"}, r"random_effects: no column 'agee'.*\n.*'age'"),
        ({"groups": 9}, r"groups=9.*only 2 features"),
        ({"groups": -3}, r"groups=-3.*only 2 features"),
        ({"groups": "school", "random_effects": RandomEffect("school", (7,))}, r"random_effects=7"),
        (
            {"groups": ["school", "nothing like it"]},
            "no column 'nothing like it' among 'age', 'school'",
        ),
    ],
    ids=str,
)
def test_unknown_columns(data, parameters, message):
    table, y = data
    with pytest.raises(ValueError, match=message) as error:
        MixedLinearRegressor(**parameters).fit(table[["age", "school"]], y)
    assert_helpful(error)


def test_unknown_slope_with_labels_as_an_argument(data):
    table, y = data
    model = MixedLinearRegressor(random_effects="(1 + agee | school)")
    with pytest.raises(ValueError, match=r"no column 'agee'.*\n.*'age'"):
        model.fit(table[["age"]], y, groups=table[["school"]])


def test_unknown_factor_among_the_argument(data):
    table, y = data
    model = MixedLinearRegressor(random_effects="(1 | school) + (1 | city)")
    with pytest.raises(ValueError, match="no column 'city'"):
        model.fit(table[["age"]], y, groups=table[["school", "town"]])


def test_text_among_the_fixed_effects(data):
    table, y = data
    with pytest.raises(ValueError, match=r"column 'school' holds text, such as 'school") as error:
        MixedLinearRegressor("town").fit(table, y)
    assert_helpful(error)
    assert "OneHotEncoder" in str(error.value)


@pytest.mark.parametrize("make", TABLES.values(), ids=TABLES)
def test_text_in_any_table(data, make):
    table, y = data
    with pytest.raises(ValueError, match="'school'"):
        MixedLinearRegressor("town").fit(make(table), y)


@pytest.mark.parametrize(
    "make", [lambda t: t, lambda t: t.convert_dtypes(), pl.from_pandas, pa.Table.from_pandas]
)
@pytest.mark.parametrize("when", ["fit", "predict"])
def test_missing_values_name_their_column(data, make, when):
    table, y = data
    broken = table.copy()
    broken.loc[[3, 5], "hours"] = None
    model = MixedLinearRegressor(["school", "town"])
    with pytest.raises(ValueError, match=r"'hours' contains NaN in 2 of 240 rows") as error:
        if when == "fit":
            model.fit(make(broken), y)
        else:
            model.fit(make(table), y).predict(make(broken))
    assert_helpful(error)


def test_infinite_values_name_their_column(data):
    table, y = data
    broken = table.copy()
    broken.loc[3, "hours"] = np.inf
    with pytest.raises(ValueError, match="'hours'"):
        MixedLinearRegressor(["school", "town"]).fit(broken, y)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_missing_response(data, bad):
    table, y = data
    with pytest.raises(ValueError, match="Input y contains NaN or infinity") as error:
        MixedLinearRegressor(["school", "town"]).fit(
            table, np.where(np.arange(len(y)) == 3, bad, y)
        )
    assert_helpful(error)


@pytest.mark.parametrize(
    "call",
    [
        lambda X, y: MixedLinearRegressor("school").fit(X, y[:-1]),
        lambda X, y: MixedLinearRegressor().fit(X[["age"]], y, groups=X["school"][:-1]),
        lambda X, y: MixedLinearRegressor("school").fit(X, y, sample_weight=np.ones(3)),
        lambda X, y: MixedLinearRegressor("school").fit(X, y, sample_weight=np.full(len(y), -1.0)),
        lambda X, y: MixedLinearRegressor("school").fit(X, y, sample_weight=np.zeros(len(y))),
        lambda X, y: MixedLinearRegressor("school").fit(X.iloc[:1], y[:1]),
        lambda X, y: MixedLinearRegressor("school").fit(X.iloc[:0], y[:0]),
        lambda X, y: MixedLinearRegressor("school", covariance="toeplitz").fit(X, y),
        lambda X, y: MixedLinearRegressor(
            "school", RandomEffect("school", covariance="toeplitz")
        ).fit(X, y),
        lambda X, y: MixedLinearRegressor("school", method="mle").fit(X, y),
        lambda X, y: MixedLinearRegressor("school", tol=0.0).fit(X, y),
        lambda X, y: MixedLinearRegressor("school", max_iter=0).fit(X, y),
        lambda X, y: MixedLinearRegressor(1.5).fit(X, y),
        lambda X, y: MixedLinearRegressor([None]).fit(X, y),
        lambda X, y: MixedLinearRegressor("school", random_effects=3).fit(X, y),
        lambda X, y: MixedLinearRegressor("school", random_effects=["(1 | school)", None]).fit(
            X, y
        ),
        lambda X, y: MixedLinearRegressor(random_effects="age").fit(X, y),
        lambda X, y: MixedLinearRegressor(random_effects="(1 | )").fit(X, y),
        lambda X, y: MixedLinearRegressor(random_effects="(0 | school)").fit(X, y),
        lambda X, y: MixedLinearRegressor(random_effects="(1 + | school").fit(X, y),
        lambda X, y: MixedLinearRegressor("school").fit(X, y).predict(X, kind="typical"),
        lambda X, y: MixedLinearRegressor("school").fit(X, y).predict_interval(X, level=95),
        lambda X, y: MixedLinearRegressor("school").fit(X, y).predict_interval(X, target="mode"),
        lambda X, y: MixedLinearRegressor("school").fit(X, y).simulate(X, kind="typical"),
    ],
)
def test_wrong_arguments(data, call):
    """An error of the package's or scikit-learn's own, never a bare one from numpy."""
    table, y = data
    with pytest.raises((ValueError, TypeError)) as error:
        call(table[["age", "school"]], y)
    assert any(name in str(error.traceback[-1].path) for name in ("skmixed", "sklearn"))


def test_weights_or_groups_by_place(data):
    """Only by keyword, so that weights are never taken for groups."""
    table, y = data
    with pytest.raises(TypeError):
        MixedLinearRegressor("school").fit(table[["age", "school"]], y, np.ones(len(y)))


@pytest.mark.parametrize(
    "method",
    ["predict", "predict_interval", "summary", "variance_components", "simulate"],
)
def test_not_fitted(data, method):
    arguments = (data[0],) if method in ("predict", "predict_interval", "simulate") else ()
    with pytest.raises(NotFittedError):
        getattr(MixedLinearRegressor("school"), method)(*arguments)


def test_table_of_effects_before_fit(data):
    with pytest.raises(NotFittedError):
        _ = MixedLinearRegressor("school").random_effects_


def test_wrong_number_of_factors(data):
    table, y = data
    X = table[["age"]]
    model = MixedLinearRegressor().fit(X, y, groups=table[["school", "town"]])
    for groups in (table["school"], table[["school"]], table[["school"]].to_numpy()):
        with pytest.raises(ValueError, match="factor") as error:
            model.predict(X, groups=groups)
        assert_helpful(error)


def test_more_factors_than_at_fit(data):
    table, y = data
    X, labels = table[["age"]], np.column_stack([table["school"], table["town"]])
    model = MixedLinearRegressor().fit(X, y, groups=labels[:, 0])
    with pytest.raises(ValueError, match="factor"):
        model.predict(X, groups=labels)


def test_three_dimensional_groups(data):
    table, y = data
    with pytest.raises(ValueError, match="shape"):
        MixedLinearRegressor().fit(table[["age"]], y, groups=np.zeros((len(y), 2, 2)))


# ------------------------------------------------------------------------------------------------------------ warnings


def test_no_groups_at_fit(data):
    table, y = data
    with pytest.warns(GroupsWarning, match="without groups"):
        model = MixedLinearRegressor().fit(table[["age", "hours"]], y)
    assert model.covariances_ == []
    expected = np.linalg.lstsq(
        np.column_stack([np.ones(len(y)), table[["age", "hours"]]]), y, rcond=None
    )[0]
    np.testing.assert_allclose([model.intercept_, *model.coef_], expected, rtol=1e-10)
    assert np.isfinite(model.predict(table[["age", "hours"]])).all()


def test_no_groups_at_predict(data):
    table, y = data
    X = table[["age", "hours"]]
    model = MixedLinearRegressor().fit(X, y, groups=table["school"])
    with pytest.warns(GroupsWarning, match="every level counts as new"):
        conditional = model.predict(X)
    np.testing.assert_array_equal(
        conditional, model.predict(X, kind="population")
    )  # which does not warn
    with pytest.warns(GroupsWarning):
        assert model.score(X, y) < model.score(X, y, groups=table["school"])


@pytest.mark.parametrize("style", ["column", "argument"])
@pytest.mark.parametrize("swap", [False, True])
def test_labels_of_another_kind_at_predict(data, style, swap):
    table, y = data
    number, text = table["town"], table["town"].astype(str)
    before, after = (number, text) if swap else (text, number)
    X = table[["age"]]
    if style == "column":
        model, known, other = (
            MixedLinearRegressor("town"),
            X.assign(town=before),
            X.assign(town=after),
        )
        model.fit(known, y)
        with pytest.warns(GroupsWarning, match="text.*numbers|numbers.*text"):
            predicted = model.predict(other)
    else:
        model = MixedLinearRegressor().fit(X, y, groups=before)
        with pytest.warns(GroupsWarning, match="text.*numbers|numbers.*text"):
            predicted = model.predict(X, groups=after)
        known = X
    np.testing.assert_array_equal(predicted, model.predict(known, kind="population"))


def test_unseen_labels_of_the_same_kind_are_silent(data):
    table, y = data
    X = table[["age", "school"]]
    model = MixedLinearRegressor("school").fit(X, y)
    new = X.assign(school="a new school")
    np.testing.assert_array_equal(model.predict(new), model.predict(X, kind="population"))


def test_whole_numbers_as_floats_are_the_same_labels(data):
    table, y = data
    model = MixedLinearRegressor("town").fit(table[["age", "town"]], y)
    floats = table[["age", "town"]].astype({"town": float})
    np.testing.assert_array_equal(model.predict(floats), model.predict(table[["age", "town"]]))


def test_dropped_column_is_named(data):
    table, y = data
    X = table[["age", "school"]].assign(months=12 * table["age"])
    with pytest.warns(RankDeficiencyWarning, match="'months' depends linearly"):
        model = MixedLinearRegressor("school").fit(X, y)
    assert model.coef_[1] == 0
    expected = MixedLinearRegressor("school").fit(table[["age", "school"]], y)
    np.testing.assert_allclose(
        model.predict(X), expected.predict(table[["age", "school"]]), rtol=1e-8
    )
