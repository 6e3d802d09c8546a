"""Columns of every type, by name and in a formula: the same fit, or an error that names the column."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from scipy import sparse
from sklearn.model_selection import GridSearchCV, cross_val_score

from skmixed import MixedLinearRegressor, MixedLogisticClassifier

ROWS = 120


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    town, v = np.arange(ROWS) // 10, np.arange(ROWS) % 7
    effects = rng.normal(size=(12, 2))
    y = effects[town, 0] + (1 + effects[town, 1]) * v + rng.normal(size=ROWS)
    return pd.DataFrame({"v": v, "town": town}), pd.Series(y, name="mark")


def by_column(table, y):
    return MixedLinearRegressor(random_effects="(1 + v | town)").fit(table, y)


def by_formula(table, y):
    return MixedLinearRegressor(formula="v + (1 + v | town)").fit(table, y)


doors = pytest.mark.parametrize("fit", [by_column, by_formula], ids=["column", "formula"])

NUMBERS = {
    "objects": lambda v: v.astype(object),
    "decimals": lambda v: pd.Series([Decimal(int(x)) for x in v], dtype=object),
    "fractions": lambda v: pd.Series([Fraction(int(x)) for x in v], dtype=object),
    "half floats": lambda v: v.astype("float16"),
    "bytes of a kind": lambda v: v.astype("uint8"),
    "nullable integers": lambda v: v.astype("Int64"),
    "nullable floats": lambda v: v.astype("Float32"),
    "arrow integers": lambda v: v.astype("int64[pyarrow]"),
    "arrow decimals": lambda v: v.astype(pd.ArrowDtype(pa.decimal128(30, 2))),
    "sparse": lambda v: pd.Series(pd.arrays.SparseArray(v.astype(float))),
    "mixed numbers": lambda v: pd.Series([int(x) if x % 2 else float(x) for x in v], dtype=object),
}


@doors
@pytest.mark.parametrize("kind", NUMBERS)
def test_numbers(data, fit, kind):
    table, y = data
    expected = fit(table, y)
    other = table.assign(v=NUMBERS[kind](table["v"]))
    found = fit(other, y)
    assert found.loglik_ == pytest.approx(expected.loglik_, rel=1e-10)
    np.testing.assert_allclose(found.predict(other), expected.predict(table), rtol=1e-8)
    np.testing.assert_allclose(found.predict(other.head(1)), expected.predict(table.head(1)))


TABLES = {
    "polars": pl.from_pandas,
    "pyarrow": pa.Table.from_pandas,
    "polars decimals": lambda t: pl.from_pandas(t).with_columns(pl.col("v").cast(pl.Decimal(9, 2))),
}


@doors
@pytest.mark.parametrize("kind", TABLES)
def test_tables(data, fit, kind):
    table, y = data
    other = TABLES[kind](table)
    np.testing.assert_allclose(fit(other, y).predict(other), fit(table, y).predict(table))


TEXT = {
    "nullable": lambda w: w.astype("string"),
    "arrow": lambda w: w.astype("string[pyarrow]"),
    "categories": lambda w: w.astype("category"),
    "ordered": lambda w: w.astype(pd.CategoricalDtype(["a", "b", "c", "unused"], ordered=True)),
    "arrow dictionary": lambda w: w.astype(pd.ArrowDtype(pa.dictionary(pa.int32(), pa.string()))),
}


@pytest.mark.parametrize("kind", TEXT)
def test_text_is_a_factor_of_a_formula(data, kind):
    table, y = data
    table = table.assign(w=np.array(list("abc"))[np.arange(ROWS) % 3])
    model = MixedLinearRegressor(formula="v + w + (1 | town)")
    expected = model.fit(table, y).loglik_, model.predict(table)
    other = table.assign(w=TEXT[kind](table["w"]))
    found = MixedLinearRegressor(formula="v + w + (1 | town)").fit(other, y)
    assert found.loglik_ == pytest.approx(expected[0], rel=1e-10)
    np.testing.assert_allclose(found.predict(table), expected[1])
    np.testing.assert_allclose(model.predict(other), expected[1])


@doors
@pytest.mark.filterwarnings("ignore::skmixed.SingularFitWarning")
@pytest.mark.parametrize("kind", ["bool", "boolean", "bool[pyarrow]", "object"])
def test_truth_values(data, fit, kind):
    table, y = data
    late = table["v"] > 3
    expected = by_column(table.assign(v=late * 1.0), y)
    assert fit(table.assign(v=late.astype(kind)), y).loglik_ == pytest.approx(expected.loglik_)


REFUSED = {
    "dates": lambda v: pd.Timestamp("2020-01-01") + pd.to_timedelta(v, "D"),
    "days": lambda v: pd.Series([pd.Timestamp("2020-01-01").date()] * ROWS, dtype=object),
    "durations": lambda v: pd.to_timedelta(v, "D"),
    "periods": lambda v: pd.Series(pd.period_range("2020", periods=ROWS, freq="D")),
    "complex": lambda v: v + 0j,
    "lists": lambda v: pd.Series([[int(x)] for x in v], dtype=object),
    "text and numbers": lambda v: pd.Series([str(x) if x % 2 else x for x in v], dtype=object),
}


@doors
@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_no_number(data, fit, kind):
    table, y = data
    with pytest.raises(ValueError, match="column 'v' holds") as caught:
        fit(table.assign(v=REFUSED[kind](table["v"])), y)
    assert len(str(caught.value).splitlines()) == 2


def test_expressions_of_dates(data):
    """What a formula makes numbers of need not be a number."""
    table, y = data
    dates = table.assign(when=pd.Timestamp("2020-01-01") + pd.to_timedelta(table["v"], "D"))
    found = MixedLinearRegressor(formula="I(when.dt.day_of_year) + (1 | town)").fit(dates, y)
    expected = MixedLinearRegressor(formula="v + (1 | town)").fit(table, y)
    assert found.loglik_ == pytest.approx(expected.loglik_)


# ---------------------------------------------------------------------------------------------------------- responses


ONE_COLUMN = {
    "pandas": lambda y: pd.DataFrame({"mark": y}),
    "polars": lambda y: pl.DataFrame({"mark": y.to_numpy()}),
    "pyarrow": lambda y: pa.table({"mark": y.to_numpy()}),
    "array": lambda y: y.to_numpy()[:, None],
    "arrow column": lambda y: y.astype("double[pyarrow]"),
}


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.DataConversionWarning")
@pytest.mark.parametrize("kind", ONE_COLUMN)
def test_a_response_of_one_column(data, kind):
    table, y = data
    expected = by_column(table, y)
    other = ONE_COLUMN[kind](y)
    assert by_column(table, other).loglik_ == expected.loglik_
    assert expected.score(table, other) == expected.score(table, y)


@pytest.mark.slow
def test_labels_of_one_column_in_model_selection(data):
    table, y = data
    labels = pd.DataFrame({"grade": np.where(y > y.median(), "high", "low")})
    model = MixedLogisticClassifier(groups="town")
    expected = cross_val_score(model, table, labels["grade"], cv=3)
    np.testing.assert_array_equal(cross_val_score(model, table, labels, cv=3), expected)
    search = GridSearchCV(model, {"fit_intercept": [True, False]}, cv=3).fit(table, labels)
    assert search.best_score_ >= expected.mean()
    assert "grade" in str(model.fit(table, labels).summary())


@pytest.mark.parametrize("wrong", ["dates", "days", "complex"])
def test_what_is_no_response(data, wrong):
    table, _ = data
    with pytest.raises(ValueError, match=r"^y holds|[Cc]omplex"):
        by_column(table, REFUSED[wrong](table["v"]))


# ---------------------------------------------------------------------------------------------- where rows are or are not


def test_groups_in_the_index(data):
    """Levels of the index are named like columns, at fit and at predict."""
    table, y = data
    expected = MixedLinearRegressor(groups="town").fit(table, y)
    indexed = table.set_index("town", append=True)
    for model in (
        MixedLinearRegressor(groups="town"),
        MixedLinearRegressor(random_effects="(1 | town)"),
        MixedLinearRegressor(formula="v + (1 | town)"),
    ):
        model.fit(indexed, y)
        assert model.loglik_ == pytest.approx(expected.loglik_)
        np.testing.assert_allclose(model.predict(indexed), expected.predict(table))
        np.testing.assert_allclose(model.predict(table), expected.predict(table))
        assert model.results_.resid.index.equals(indexed.index)


def test_rows_that_are_not_here(data):
    table, y = data
    lazy = pl.from_pandas(table).lazy()
    for model in (MixedLinearRegressor("town"), MixedLinearRegressor(formula="v + (1 | town)")):
        with pytest.raises(TypeError, match=r"polars.LazyFrame are not in memory") as caught:
            model.fit(lazy, y)
        assert ".collect()" in str(caught.value)
        with pytest.raises(TypeError, match="LazyFrame"):
            model.fit(table, y).predict(lazy)


@pytest.mark.parametrize("what", ["X", "y", "groups", "sample_weight"])
def test_masked_arrays(data, what):
    """numpy forgets masks in silence; a mask that hides nothing does not matter."""
    table, y = data
    arguments = {
        "X": table[["v"]].to_numpy(float),
        "y": y.to_numpy(),
        "groups": table["town"].to_numpy(),
        "sample_weight": np.ones(ROWS),
    }
    expected = MixedLinearRegressor().fit(**arguments)
    masked = np.ma.masked_array(arguments[what])
    assert MixedLinearRegressor().fit(**arguments | {what: masked}).loglik_ == expected.loglik_
    masked[3] = np.ma.masked
    with pytest.raises(ValueError, match=f"{what}.* masked"):
        MixedLinearRegressor().fit(**arguments | {what: masked})


def test_sparse_matrices_are_refused_in_words(data):
    table, y = data
    with pytest.raises(TypeError, match="dense"):
        MixedLinearRegressor().fit(sparse.csr_matrix(table[["v"]]), y, groups=table["town"])


@pytest.mark.parametrize("kind", ["dates", "durations", "periods", "complex", "lists"])
def test_what_is_no_number_in_an_array(data, kind):
    table, y = data
    array = table.assign(v=REFUSED[kind](table["v"])).astype(object).to_numpy()
    with pytest.raises((TypeError, ValueError), match="X must hold finite numbers") as caught:
        MixedLinearRegressor(groups=1).fit(array, y)
    assert len(str(caught.value).splitlines()) == 2


@pytest.mark.parametrize(
    "wrong",
    [[[1.0] if k % 2 else [1.0, 2.0] for k in range(ROWS)], np.full(ROWS, 1j), 3.0],
    ids=["lists of different lengths", "complex", "one number"],
)
def test_what_is_no_column(data, wrong):
    table, _ = data
    with pytest.raises(ValueError, match=r"\by\b") as caught:
        MixedLinearRegressor("town").fit(table, wrong)
    assert len(str(caught.value).splitlines()) == 2
