"""Files and tables that are read in parts."""

import numpy as np
import pandas as pd
import pytest

from skmixed import MixedLinearRegressor, chunks
from skmixed._report import progress, rows_read
from tests.estimators.test_partial_fit import assert_same, columns, model_of, response, table

pytestmark = pytest.mark.smoke

pytestmark = pytest.mark.filterwarnings("ignore::skmixed.exceptions.SingularFitWarning")


@pytest.fixture(scope="module")
def rows():
    found = columns(table(), "crossed")
    return found.assign(y=response(table()), w=np.arange(len(found)) % 3, spare="text")


COLUMNS = ["x0", "x1", "x2", "g", "c"]


@pytest.fixture(scope="module")
def whole(rows):
    return model_of("crossed").fit(rows[COLUMNS], rows["y"])


def parquet_file(rows, folder):
    rows.to_parquet(folder / "rows.parquet", row_group_size=200)
    return folder / "rows.parquet"


def parquet_folder(rows, folder):
    for k in range(3):
        rows[500 * k : 500 * (k + 1)].to_parquet(folder / f"{k}.parquet")
    return str(folder)


def csv_file(rows, folder):
    rows.to_csv(folder / "rows.csv", index=False)
    return str(folder / "rows.csv")


def data_set(rows, folder):
    from pyarrow import dataset

    return dataset.dataset(parquet_folder(rows, folder))


def of_polars(rows, folder):
    polars = pytest.importorskip("polars")
    return [polars.from_pandas(rows[:900]), polars.from_pandas(rows[900:])]


def factory_of_batches(rows, folder):
    import pyarrow as pa

    return lambda: iter(pa.Table.from_pandas(rows).to_batches(max_chunksize=400))


def hive_folder(rows, folder):
    from pyarrow import Table, dataset

    whole = Table.from_pandas(rows.assign(year=2000 + np.arange(len(rows)) % 3))
    dataset.write_dataset(
        whole, folder, format="parquet", partitioning=["year"], partitioning_flavor="hive"
    )
    (folder / "_SUCCESS").touch()
    return folder


def arrow_file(rows, folder):
    from pyarrow import Table, feather

    feather.write_feather(Table.from_pandas(rows), folder / "rows.arrow")
    return folder / "rows.arrow"


def arrow_table(rows, folder):
    from pyarrow import Table

    return Table.from_pandas(rows)


def factory_of_readers(rows, folder):
    from pyarrow import Table

    return lambda: Table.from_pandas(rows).to_reader(max_chunksize=400)


def factory_of_tables(rows, folder):
    return lambda: rows


def lazy_frame(rows, folder):
    polars = pytest.importorskip("polars")
    lazy = polars.from_pandas(rows).lazy()
    if not hasattr(lazy, "collect_batches"):
        pytest.skip("polars before 1.34 gives no batches")
    return lazy.filter(polars.col("y").is_not_null())


def relation(rows, folder):
    duckdb = pytest.importorskip("duckdb")
    return duckdb.connect().from_df(rows).filter("y is not null")


def function_of_a_relation(rows, folder):
    query = relation(rows, folder)
    return lambda: query


SOURCES = [
    parquet_file,
    parquet_folder,
    hive_folder,
    csv_file,
    arrow_file,
    data_set,
    arrow_table,
    of_polars,
    lazy_frame,
    relation,
    factory_of_batches,
    factory_of_readers,
    factory_of_tables,
    function_of_a_relation,
]


@pytest.mark.parametrize("source", SOURCES)
def test_sources(source, rows, whole, tmp_path):
    pytest.importorskip("pyarrow")
    found = chunks(source(rows, tmp_path), COLUMNS, batch_rows=300)
    for _ in range(2):
        assert_same(model_of("crossed").fit(found, "y"), whole, 1e-8)


def test_rows_are_counted_where_the_source_knows_them(rows, tmp_path):
    pytest.importorskip("pyarrow")
    for source in (parquet_file, arrow_table, lambda rows, folder: [rows[:700], rows[700:]]):
        assert chunks(source(rows, tmp_path)).n_rows == len(rows)
    for source in (csv_file, factory_of_tables):
        assert chunks(source(rows, tmp_path)).n_rows is None


def test_types_of_columns(rows):
    """Labels from a dictionary, long text, truth values, dates and decimals are what they are in
    memory.
    """
    pa = pytest.importorskip("pyarrow")
    table = pa.table(
        {
            "x0": rows["x0"].to_numpy(np.float32),
            "x1": pa.array(rows["x1"].round(3).astype(str)).cast(pa.decimal128(10, 3)),
            "x2": (rows["x2"] > 0).to_numpy(),
            "g": pa.array([f"a label of some length, number {g}" for g in rows["g"]]),
            "c": pa.array(rows["c"].astype(str)).dictionary_encode(),
            "d": pa.array(rows["g"].to_numpy() % 7, pa.int32()).cast(pa.date32()),
            "y": rows["y"].to_numpy(),
        }
    )
    model = MixedLinearRegressor(groups=["g", "c", "d"])
    X = table.drop_columns(["y"]).to_pandas()
    expected = MixedLinearRegressor(groups=["g", "c", "d"]).fit(X, rows["y"])
    for source in (table, lambda: table.slice(0).to_batches(max_chunksize=190)):
        model.fit(chunks(source, batch_rows=400), "y")
        assert model.loglik_ == pytest.approx(expected.loglik_, abs=1e-8)
        np.testing.assert_allclose(model.predict(X), expected.predict(X), atol=1e-8)


def broken(column, value, number=2):
    """Tables of which one has another value in a column, or None for no such column."""

    def tables():
        for k, rows in enumerate((table()[:200], table()[200:300], table()[300:500]), 1):
            rows = columns(rows, "single").assign(y=1.0 * np.arange(len(rows)))
            if k == number:
                rows = (
                    rows.drop(columns=column) if value is None else rows.assign(**{column: value})
                )
            yield rows

    return tables


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("x1", None, r"chunk 2: columns=: no column 'x1'"),
        ("z", 1.0, r"chunk 2: X: column 'z' is not in the first chunk"),
        ("x1", np.nan, r"chunk 2: X: column 'x1' contains NaN in 100 of 100 rows"),
        ("x1", "text", r"chunk 2: X: column 'x1' holds text"),
        ("g", "text", r"chunk 2: groups: the levels of 'g' were numbers at fit and are text"),
        ("g", None, r"chunk 2: .*'g'"),
        ("y", None, r"chunk 2: y=: no column 'y'"),
        ("y", np.nan, r"chunk 2: Input y contains NaN or infinity in 100 rows"),
    ],
)
def test_errors_name_the_chunk_and_the_column(column, value, message):
    model = model_of("single")
    with pytest.raises(ValueError, match=message):
        model.fit(chunks(broken(column, value)), "y")
    assert "results_" not in vars(model)
    assert "_stream" not in vars(model)


def test_nulls_of_arrow(rows):
    pa = pytest.importorskip("pyarrow")
    columns = {
        "x": pa.array([1, 2, None, 4]),
        "g": pa.array([1, 1, 2, 2]),
        "y": pa.array([1.0] * 4),
    }
    with pytest.raises(ValueError, match=r"chunk 2: X: column 'x' contains NaN in 1 of 2 rows"):
        MixedLinearRegressor(groups="g").fit(chunks(pa.table(columns), batch_rows=2), "y")
    columns["x"], columns["g"] = columns["g"], pa.array(["a", "b", None, "b"])
    with pytest.raises(ValueError, match=r"chunk 2: groups: factor 'g' contains NaN"):
        MixedLinearRegressor(groups="g").fit(chunks(pa.table(columns), batch_rows=2), "y")


def test_rows_that_are_read_are_counted(rows, capsys, monkeypatch):
    monkeypatch.setattr(progress.LOG, "hasHandlers", lambda: False)
    monkeypatch.setattr(rows_read, "PAUSE", -1.0)
    parts = [rows[:500], rows[500:]]
    model_of("crossed", verbose=1).fit(chunks(parts, COLUMNS), "y")
    printed = capsys.readouterr().out
    assert "rows 500 of 1,500 (33%)" in printed
    assert "rows 1,500 of 1,500 (100%)" in printed
    assert "deviance" in printed
    model_of("crossed", verbose=1).fit(chunks(lambda: iter(parts), COLUMNS), "y")
    assert "rows 500   " in capsys.readouterr().out
    model_of("crossed").fit(chunks(parts, COLUMNS, progress=True), "y")
    shown = capsys.readouterr()
    assert "1500" in shown.err
    assert not shown.out


def test_every_column_but_the_response_and_the_weights(rows):
    parts = chunks([rows.drop(columns="spare")[:10], rows.drop(columns="spare")[10:]])
    model = model_of("crossed").fit(parts, "y", sample_weight="w")
    assert list(model.feature_names_in_) == COLUMNS
    expected = model_of("crossed").fit(rows[COLUMNS], rows["y"], sample_weight=rows["w"])
    assert_same(model, expected)
    assert model.results_.nobs == rows["w"].sum()
    assert_same(
        model.partial_fit(rows[COLUMNS], rows["y"]),
        expected.fit(pd.concat([rows, rows])[COLUMNS], pd.concat([rows, rows])["y"],
                     sample_weight=np.append(rows["w"], np.ones(len(rows)))),
    )  # fmt: skip


def test_what_breaks_off_leaves_the_estimator_as_it_was(rows, whole):
    def breaks_off():
        yield rows[:500]
        raise OSError("the disk is gone")

    model = model_of("crossed").fit(chunks([rows[:700], rows[700:]], COLUMNS), "y")
    with pytest.raises(OSError, match="disk"):
        model.fit(chunks(breaks_off, COLUMNS), "y")
    assert_same(model, whole)


@pytest.mark.parametrize(
    ("fit", "error", "message"),
    [
        (lambda rows: chunks(iter([rows])), TypeError, "only once"),
        (lambda rows: chunks(rows), TypeError, "single table into a list"),
        (lambda rows: chunks("nowhere.parquet"), FileNotFoundError, "not there"),
        (lambda rows: chunks([rows], batch_rows=0), ValueError, "batch_rows=0"),
        (lambda rows: MixedLinearRegressor().fit(chunks([{"y": 1}]), "y"), TypeError, "dict is no"),
        (
            lambda rows: MixedLinearRegressor().partial_fit(chunks([rows]), rows["y"]),
            TypeError,
            "one by one",
        ),
        (lambda rows: chunks(3), TypeError, "a int is no file"),
        (lambda rows: MixedLinearRegressor().fit(chunks([rows]), rows["y"]), TypeError, "name of"),
        (lambda rows: MixedLinearRegressor().fit(chunks([rows]), "yy"), ValueError, "'yy'"),
        (lambda rows: MixedLinearRegressor().fit(chunks([rows], ["z"]), "y"), ValueError, "'z'"),
        (lambda rows: MixedLinearRegressor().fit(chunks([rows[:0]]), "y"), ValueError, "0 rows"),
        (
            lambda rows: MixedLinearRegressor().fit(chunks([rows]), "y", groups=rows["g"]),
            TypeError,
            "are columns",
        ),
    ],
)
def test_errors(fit, error, message, rows):
    with pytest.raises(error, match=message):
        fit(rows)


def test_a_near_name_in_a_file(rows, tmp_path):
    with pytest.raises(ValueError, match=r"no column 'x00' among .*\n.*'x0'"):
        MixedLinearRegressor().fit(chunks(parquet_file(rows, tmp_path), ["x00", "x1"]), "y")


def test_from_formula(rows):
    formula = "y ~ x0 + x1 + (1 | g)"
    found = MixedLinearRegressor.from_formula(formula, chunks([rows[:700], rows[700:]]))
    whole = MixedLinearRegressor.from_formula(formula, rows)
    np.testing.assert_allclose(found.coef_, whole.coef_, rtol=1e-10)
    np.testing.assert_allclose(found.predict(rows), whole.predict(rows), rtol=1e-10)
    assert found.results_.summary().tables[0] is not None


@pytest.mark.parametrize(
    ("formula", "options", "message"),
    [
        ("log(y) ~ x0 + (1 | g)", {}, "not a column"),
        ("y ~ x0 + (1 | g)", {"missing": "drop"}, "where they are read"),
    ],
)
def test_formulas_that_need_the_rows(formula, options, message, rows):
    with pytest.raises(ValueError, match=message):
        MixedLinearRegressor.from_formula(formula, chunks([rows]), **options)
