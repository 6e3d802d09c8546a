"""Files and tables that are read in parts."""

import numpy as np
import pandas as pd
import pytest

from skmixed import MixedLinearRegressor, chunks
from tests.estimators.test_partial_fit import assert_same, columns, model_of, response, table

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


SOURCES = [parquet_file, parquet_folder, csv_file, data_set, of_polars, factory_of_batches]


@pytest.mark.parametrize("source", SOURCES)
def test_sources(source, rows, whole, tmp_path):
    pytest.importorskip("pyarrow")
    found = chunks(source(rows, tmp_path), COLUMNS, batch_rows=300)
    for _ in range(2):
        assert_same(model_of("crossed").fit(found, "y"), whole, 1e-8)


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
