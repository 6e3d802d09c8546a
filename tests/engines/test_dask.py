"""Tables and arrays of Dask: the fit is that of all rows in memory, and predictions wait."""

import numpy as np
import pandas as pd
import pytest

from skmixed import MixedLinearRegressor, MixedLogisticClassifier, _engines, chunks
from tests.estimators.test_partial_fit import (
    MODELS,
    N,
    assert_same,
    columns,
    model_of,
    response,
    table,
)

dask = pytest.importorskip("dask")
dd = pytest.importorskip("dask.dataframe")
da = pytest.importorskip("dask.array")

pytestmark = pytest.mark.smoke

pytestmark = pytest.mark.filterwarnings("ignore::skmixed.exceptions.SingularFitWarning")


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    with dask.config.set(scheduler="synchronous"):
        yield


@pytest.fixture(scope="module")
def rows():
    return table().assign(y=response(table()), w=np.arange(N) % 3)


def parted(rows, parts):
    shuffled = rows.sample(frac=1, random_state=0)
    return dd.from_pandas(shuffled, npartitions=parts, sort=False)


@pytest.mark.parametrize("kind", MODELS)
def test_partitions_are_the_whole(kind, rows):
    X = columns(rows, kind)
    whole = model_of(kind).fit(X, rows["y"])
    ours = model_of(kind).fit(parted(X.assign(y=rows["y"]), 7), "y")
    assert_same(ours, whole)
    assert "y" in str(ours.summary())


def test_a_tree_of_sums_by_shares_of_levels_and_threads(rows, monkeypatch):
    monkeypatch.setattr("skmixed._engines.dask.sums.MANY_LEVELS", 10)
    X = columns(rows, "crossed").assign(w=rows["w"])
    whole = model_of("crossed").fit(X.drop(columns="w"), rows["y"], sample_weight=rows["w"])
    with dask.config.set(scheduler="threads"):
        ours = model_of("crossed").fit(parted(X.assign(y=rows["y"]), 20), "y", sample_weight="w")
    assert_same(ours, whole)
    assert ours.results_.nobs == rows["w"].sum()


def test_arrays_of_any_chunks(rows):
    X, y, g = (rows[names].to_numpy() for names in (["x0", "x1"], "y", "g"))
    whole = MixedLinearRegressor().fit(X, y, groups=g)
    Xd, yd, gd = (da.from_array(v, chunks=c) for v, c in ((X, (500, 1)), (y, 700), (g, 400)))
    ours = MixedLinearRegressor().fit(Xd, yd, groups=gd)
    assert_same(ours, whole)
    mean, std = ours.predict(Xd, groups=gd, return_std=True)
    expected = whole.predict(X, groups=g, return_std=True)
    np.testing.assert_allclose(dask.compute(mean, std), expected, rtol=1e-9, atol=1e-9)
    interval = ours.predict_interval(Xd, groups=gd)
    assert interval.shape == (N, 2)


def test_arrays_of_unknown_chunks(rows):
    known = dd.from_pandas(rows, npartitions=3)
    X, y = known[["x0", "x1"]].to_dask_array(), known["y"].to_dask_array()
    assert np.isnan(X.chunks[0]).all()
    ours = MixedLinearRegressor().fit(X, y, groups=known["g"])
    whole = MixedLinearRegressor().fit(rows[["x0", "x1"]].to_numpy(), rows["y"], groups=rows["g"])
    assert_same(ours, whole)
    found = ours.predict(X, groups=known["g"])
    assert np.isnan(found.shape[0])
    expected = whole.predict(rows[["x0", "x1"]].to_numpy(), groups=rows["g"])
    np.testing.assert_allclose(found.compute(), expected, rtol=1e-9, atol=1e-9)


def test_formulas(rows):
    rows = rows.assign(kind=np.where(rows["x2"] > 0, "b", "a"))
    formula = "x0 * C(kind) + (1 | g/h)"
    ours = MixedLinearRegressor(formula=formula).fit(parted(rows, 5), "y")
    assert_same(ours, MixedLinearRegressor(formula=formula).fit(rows, rows["y"]))


def test_partitions_without_rows(rows):
    X = columns(rows, "single").assign(y=rows["y"])
    X["late"] = X.index > 700
    ddf = dd.from_pandas(X, npartitions=5)
    ddf = ddf[ddf["late"]].drop(columns="late")
    late = X[X["late"]].drop(columns="late")
    ours = model_of("single").fit(ddf, "y")
    whole = model_of("single").fit(late.drop(columns="y"), late["y"])
    assert_same(ours, whole)
    formula = "x0 + x1 + x2 + (1 + x0 | g)"
    of_formula = MixedLinearRegressor(formula=formula).fit(ddf, "y")
    assert_same(of_formula, whole)
    with pytest.raises(ValueError, match="0 rows that count"):
        model_of("single").fit(ddf[ddf["x0"] > 1e9], "y")


def test_columns_of_a_table_as_series(rows):
    ddf = dd.from_pandas(rows, npartitions=4)
    ours = model_of("single").fit(ddf[["x0", "x1", "x2", "g"]], ddf["y"])
    assert_same(ours, model_of("single").fit(columns(rows, "single"), rows["y"]))


def test_further_rows_after_a_fit(rows):
    X = columns(rows, "single").assign(y=rows["y"])
    model = model_of("single").fit(dd.from_pandas(X[:900], npartitions=3), "y")
    model.partial_fit(X[900:].drop(columns="y"), X["y"][900:])
    assert_same(model, model_of("single").fit(X.drop(columns="y"), X["y"]))


def test_rows_are_read_again(rows):
    X = columns(rows, "single").assign(y=rows["y"])
    whole = model_of("single").fit(X.drop(columns="y"), X["y"])
    ours = model_of("single").fit(dd.from_pandas(X, npartitions=3), "y")
    np.testing.assert_allclose(ours.results_.resid, whole.results_.resid, rtol=1e-7, atol=1e-7)


def test_predictions_wait(rows):
    X = columns(rows, "single").set_index(np.arange(N) * 2.0)
    model = model_of("single").fit(X, rows["y"])
    asked = []

    def seen(part):
        asked.append(len(part))
        return part

    ddf = dd.from_pandas(X, npartitions=3).map_partitions(seen, meta=X.iloc[:0])
    found = model.predict(ddf)
    _, std = model.predict(ddf, return_std=True)
    limits = model.predict_interval(ddf, level=0.5)
    assert not asked
    found = found.compute()
    assert sum(asked) == N
    pd.testing.assert_series_equal(found, pd.Series(model.predict(X), X.index)[found.index])
    np.testing.assert_allclose(std.compute()[X.index], model.predict(X, return_std=True)[1])
    assert list(limits.columns) == ["low", "high"]
    np.testing.assert_allclose(limits.compute().loc[X.index], model.predict_interval(X, level=0.5))


def test_probabilities_wait(rows):
    X, y = columns(rows, "single"), np.where(rows["y"] > 1, "yes", "no")
    model = MixedLogisticClassifier(groups="g").fit(X, y)
    ddf = dd.from_pandas(X, npartitions=3)
    proba = model.predict_proba(ddf)
    assert list(proba.columns) == ["no", "yes"]
    np.testing.assert_allclose(proba.compute(), model.predict_proba(X))
    assert model.predict(ddf).compute().tolist() == model.predict(X).tolist()
    np.testing.assert_allclose(model.decision_function(ddf).compute(), model.decision_function(X))


ERRORS = [
    (lambda ddf, y: MixedLinearRegressor("g").fit(ddf, y), TypeError, "y: a Series has no"),
    (lambda ddf, y: MixedLinearRegressor("g").fit(ddf, "yy"), ValueError, "Did you mean 'y'"),
    (lambda ddf, y: MixedLinearRegressor("gg").fit(ddf, "y"), ValueError, "'gg'"),
    (
        lambda ddf, y: MixedLinearRegressor().fit(ddf, "y", groups=y),
        TypeError,
        "in the constructor",
    ),
    (lambda ddf, y: MixedLinearRegressor().fit(ddf, "y", groups="g"), TypeError, "groups='g'"),
    (
        lambda ddf, y: MixedLinearRegressor().fit(ddf.to_dask_array(), "y"),
        TypeError,
        "no columns to name",
    ),
    (
        lambda ddf, y: MixedLinearRegressor().fit(da.ones((9, 2)), da.ones(8)),
        ValueError,
        "y: 8 rows, and X has 9",
    ),
    (
        lambda ddf, y: MixedLinearRegressor().fit(ddf, ddf["y"].repartition(npartitions=2)),
        ValueError,
        "2 partitions, and X has 4",
    ),
    (lambda ddf, y: MixedLinearRegressor("g").fit(chunks([y]), y), TypeError, "name of a column"),
    (
        lambda ddf, y: (
            MixedLinearRegressor()
            .fit(ddf[["x0"]].to_dask_array(), ddf["y"], groups=ddf["g"])
            .results_.resid
        ),
        AttributeError,
        "only sums",
    ),
]


@pytest.mark.parametrize(("fit", "error", "message"), ERRORS)
def test_errors(fit, error, message, rows):
    ddf = dd.from_pandas(rows, npartitions=4)
    with pytest.raises(error, match=message):
        fit(ddf, rows["y"])


def test_what_is_wrong_in_one_partition_only(rows):
    X = columns(rows, "single").assign(y=rows["y"])
    model = model_of("single").fit(dd.from_pandas(X, npartitions=3), "y")
    before = model.loglik_
    with pytest.raises(ValueError, match="'x0' contains NaN"):
        model.fit(dd.from_pandas(X.assign(x0=X["x0"].where(X.index < 1400)), npartitions=3), "y")
    kinds = X.assign(kind=np.where(X.index < 1400, "a", "z"))
    by_formula = MixedLinearRegressor(formula="x0 + kind + (1 | g)")
    with pytest.raises(ValueError, match=r"kind.*\n?.*'z'"):
        by_formula.fit(dd.from_pandas(kinds, npartitions=3), "y")
    assert model.loglik_ == before


def test_without_the_engine(rows, monkeypatch):
    others = [engine for engine in _engines._engines() if not engine.__name__.endswith("dask")]
    monkeypatch.setattr(_engines, "_engines", lambda: others)
    X = columns(rows, "single").assign(y=rows["y"])
    in_memory = model_of("single").fit(X.drop(columns="y"), X["y"])
    assert_same(model_of("single").fit(chunks([X[:700], X[700:]]), "y"), in_memory)
    with pytest.raises(TypeError, match="not in memory"):
        in_memory.predict(dd.from_pandas(X, npartitions=2))


def test_simulations_wait(rows):
    X = columns(rows, "single")
    model = model_of("single").fit(X, rows["y"])
    ddf = dd.from_pandas(X, npartitions=3)
    found = model.simulate(ddf, n_samples=4, random_state=0)
    drawn = found.compute()
    assert drawn.shape == (N, 4)
    pd.testing.assert_frame_equal(drawn, model.simulate(ddf, n_samples=4, random_state=0).compute())
    assert np.all(drawn != model.simulate(ddf, n_samples=4, random_state=1).compute())
    kept = model.simulate(ddf, n_samples=4, kind="conditional", random_state=0).compute()
    residuals = kept.to_numpy() - model.predict(X)[:, None]
    assert np.std(residuals) == pytest.approx(np.sqrt(model.scale_), rel=0.05)
