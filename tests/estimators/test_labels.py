"""Labels of groups: never merged in silence, found again, and refused where they can't be told apart."""

from __future__ import annotations

import datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from skmixed import GroupsWarning, MixedLinearRegressor

N = 60
CODES = np.arange(N) % 6
RNG = np.random.default_rng(0)
X = RNG.normal(size=N)
Y = X + RNG.normal(size=6)[CODES] + 0.5 * RNG.normal(size=N)
EXPECTED = MixedLinearRegressor("g").fit(pd.DataFrame({"x": X, "g": CODES}), Y)

KINDS = {
    "large whole numbers": lambda k: 2**62 + k,
    "beyond signed integers": lambda k: np.uint64(2**63 + k),
    "beyond all integers": lambda k: 2**70 + k,
    "numbers and text": lambda k: k if k % 2 else str(k),
    "dates": lambda k: datetime.date(2020, 1, 1 + k),
    "times with zones": lambda k: pd.Timestamp("2020-01-01", tz="UTC") + pd.Timedelta(k, "h"),
    "periods": lambda k: pd.Period("2020-01", "M") + k,
    "intervals": lambda k: pd.Interval(k, k + 1),
    "tuples": lambda k: (k, "a"),
    "bytes": lambda k: str(k).encode(),
    "decimals": lambda k: Decimal(k) / 10,
    "truth values": lambda k: k > 2,
    "text that looks alike": lambda k: "a" + " " * k,
    "accents": lambda k: ["é", "e\u0301", "e", "E", "É", "ee"][k],
}


def table_of(labels):
    column = np.empty(N, dtype=object)
    column[:] = labels
    return pd.DataFrame({"x": X}).assign(g=pd.Series(list(column), dtype=object))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("style", ["column", "list", "formula"])
def test_as_many_levels_as_labels(kind, style):
    labels = [KINDS[kind](int(k)) for k in CODES]
    table = table_of(labels)
    if style == "list":
        model = MixedLinearRegressor().fit(X[:, None], Y, groups=labels)
        again = model.predict(X[:, None], groups=labels)
    else:
        parameters = {"groups": "g"} if style == "column" else {"formula": "x + (1 | g)"}
        model = MixedLinearRegressor(**parameters).fit(table, Y)
        again = model.predict(table)
    n_levels = 2 if kind == "truth values" else 6
    (effects,) = model.results_.random_effects.values()
    assert len(effects) == n_levels
    if n_levels == 6:
        np.testing.assert_allclose(again, EXPECTED.predict(pd.DataFrame({"x": X, "g": CODES})))


def test_rows_of_lists_keep_their_labels():
    """An array of floats would make one of neighbouring ids."""
    rows = [[x, 2**62 + int(k)] for x, k in zip(X, CODES, strict=True)]
    model = MixedLinearRegressor(groups=1).fit(rows, Y.tolist())
    np.testing.assert_allclose(
        model.predict(rows), EXPECTED.predict(pd.DataFrame({"x": X, "g": CODES}))
    )


@pytest.mark.parametrize("dtype", ["float16", "float32", "int8", "uint64", "Int64", "category"])
def test_the_same_numbers_in_another_type(dtype):
    table = pd.DataFrame({"x": X, "g": CODES})
    other = table.assign(g=pd.Series(CODES).astype(dtype))
    np.testing.assert_allclose(EXPECTED.predict(other), EXPECTED.predict(table))
    fitted = MixedLinearRegressor("g").fit(other, Y)
    np.testing.assert_allclose(fitted.predict(table), EXPECTED.predict(table))


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([[int(k)] for k in CODES], "type list"),
        ([k == 1 or int(k) for k in CODES], "truth values and numbers"),
        ([np.inf if k == 0 else int(k) for k in CODES], "NaN or inf"),
        ([complex(k, 1) for k in CODES], "complex"),
    ],
    ids=["lists", "truth values among numbers", "infinity", "complex"],
)
def test_what_cannot_be_told_apart(labels, message):
    for fit in (
        lambda: MixedLinearRegressor("g").fit(table_of(labels), Y),
        lambda: MixedLinearRegressor(formula="x + (1 | g)").fit(table_of(labels), Y),
    ):
        with pytest.raises(ValueError, match=message) as caught:
            fit()
        assert len(str(caught.value).splitlines()) == 2


def test_missing_labels_of_new_rows_are_new_levels():
    """One by one: two rows without a label share nothing."""
    table = table_of([None] * 2 + CODES[2:].tolist())
    model = MixedLinearRegressor("g").fit(pd.DataFrame({"x": X, "g": CODES}), Y)
    new = pd.DataFrame({"x": X, "g": CODES}).assign(g=[-1, -2, *CODES[2:]])
    np.testing.assert_allclose(model.predict(table), model.predict(new))
    std = model.predict(table, return_std=True)[1]
    np.testing.assert_allclose(std, model.predict(new, return_std=True)[1])
    drawn = model.simulate(table[["x", "g"]].head(2), n_samples=4000, random_state=0)
    assert abs(np.corrcoef(drawn)[0, 1]) < 0.1


def test_all_labels_missing_is_no_other_kind():
    """Nothing is said of types where there is nothing to compare."""
    table = table_of([None] * N)
    np.testing.assert_allclose(EXPECTED.predict(table), EXPECTED.predict(table, kind="population"))
    with pytest.warns(GroupsWarning, match="they were numbers at fit and are text now"):
        EXPECTED.predict(table_of(["a"] * N))


def test_new_levels_of_another_kind_are_drawn_without_a_word():
    """Simulation of other levels asks no questions about those of the fit."""
    table = table_of([f"new {k}" for k in CODES])
    assert EXPECTED.simulate(table, random_state=0).shape == (N, 1)


@pytest.mark.parametrize("make", [pl.from_pandas, pa.Table.from_pandas], ids=["polars", "pyarrow"])
def test_times_with_zones_in_other_tables(make):
    """They forget their zone on the way to numpy, and would be other labels."""
    hours = pd.Timestamp("2020-01-01", tz="Europe/Paris") + pd.to_timedelta(CODES, "h")
    table = pd.DataFrame({"x": X, "g": hours})
    model = MixedLinearRegressor("g").fit(table, Y)
    np.testing.assert_allclose(model.predict(make(table)), model.predict(table))
    again = MixedLinearRegressor("g").fit(make(table), Y)
    np.testing.assert_allclose(again.predict(table), model.predict(table))


@pytest.mark.parametrize("make", [pl.DataFrame, pa.table], ids=["polars", "pyarrow"])
@pytest.mark.parametrize("parameters", [{"groups": "g"}, {"formula": "x + (1 | g)"}])
@pytest.mark.parametrize("label", [lambda k: [k], lambda k: {"a": k, "b": 0}], ids=["list", "dict"])
def test_nested_labels_of_other_tables(make, parameters, label):
    table = make({"x": X, "g": [label(int(k)) for k in CODES]})
    with pytest.raises(ValueError, match="factor 'g' holds values of type") as caught:
        MixedLinearRegressor(**parameters).fit(table, Y)
    assert len(str(caught.value).splitlines()) == 2


def test_missing_labels_of_an_arrow_dictionary():
    labels = pd.Categorical.from_codes(CODES - 1, range(1, 6))
    table = pa.Table.from_pandas(pd.DataFrame({"x": X, "g": labels}))
    with pytest.raises(ValueError, match="'g' contains NaN"):
        MixedLinearRegressor("g").fit(table, Y)
