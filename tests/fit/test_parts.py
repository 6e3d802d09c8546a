"""What needs rows again after a fit to chunks: the rows are read again, part by part."""

import pickle

import numpy as np
import pandas as pd
import pytest

from skmixed import MixedLinearRegressor, MixedLogisticClassifier, chunks
from skmixed._fit.parts import in_memory, words_of_rows
from skmixed.inference import average_predictions, r_squared, residuals
from skmixed.inference._influence.residuals import residuals_of
from tests.estimators.test_partial_fit import columns, cuts, model_of, response, table

pytestmark = pytest.mark.filterwarnings("ignore::skmixed.exceptions.SingularFitWarning")

KINDS = ["single", "nested", "crossed"]


def both(kind, parts=7, **params):
    """A fit to shuffled rows in chunks, and the fit to the same rows in memory."""
    found = columns(table(), kind).assign(y=response(table()))
    found["w"] = np.random.default_rng(3).integers(0, 3, len(found))
    found["half"] = np.where(found["g"] % 2, "odd", "even")
    X = [name for name in found if name not in ("y", "w", "half")]
    rows = found.sample(frac=1.0, random_state=4, ignore_index=True)
    source = chunks([rows[part] for part in cuts(len(rows), parts)], [*X, "half"])
    formula = f"x0 + x1 + x2 + {model_of(kind).random_effects}"
    model = MixedLinearRegressor(formula=formula, **params)
    whole = MixedLinearRegressor(formula=formula, **params)
    whole.fit(rows[[*X, "half"]], rows["y"], sample_weight=rows["w"])
    return model.fit(source, "y", sample_weight="w"), whole, source, rows


@pytest.fixture(scope="module", params=KINDS)
def fits(request):
    return both(request.param)


def same(ours, theirs, tol=1e-9):
    theirs = np.asarray(theirs)
    np.testing.assert_allclose(ours, theirs, rtol=tol, atol=tol * np.nanmax(np.abs(theirs)))


@pytest.mark.smoke
def test_rows_are_read_again(fits):
    model, whole, _, _ = fits
    for name in ("resid", "fittedvalues", "resid_pearson", "resid_standardized"):
        ours = getattr(model.results_, name)
        assert isinstance(ours, np.ndarray)
        same(ours, getattr(whole.results_, name))
    same(
        residuals(model, "standardized", "population"),
        residuals(whole, "standardized", "population"),
    )
    same(model.results_.predict(), whole.results_.predict())
    with pytest.raises(AttributeError, match="all of them in memory"):
        residuals(model, "decorrelated", "population")


@pytest.mark.parametrize("cov", ["CR0", "CR2"])
def test_robust_covariances(fits, cov):
    """Clusters straddle the chunks; they are the outermost factor, a column, or labels."""
    model, whole, _, rows = fits
    if "c" in whole.feature_names_in_:
        with pytest.raises(ValueError, match="crossed"):
            model.results_.coef_table(cov=cov)
        return
    for clusters in (None, "half", rows["half"].to_numpy()):
        options = {"cov": cov, "clusters": clusters, "df": "satterthwaite"}
        same(model.results_.coef_table(**options), whole.results_.coef_table(**options))


def test_a_pickle_keeps_no_rows_and_takes_chunks_again(fits):
    model, _, source, rows = fits
    text = pickle.dumps(model.results_.fitted)
    assert len(text) < 300_000
    loaded = pickle.loads(pickle.dumps(model))
    with pytest.raises(AttributeError, match=r"attach\(chunks"):
        _ = loaded.results_.resid
    resid = loaded.results_.attach(source, "y", sample_weight="w").resid
    assert np.array_equal(resid, model.results_.resid)
    other = chunks([rows.assign(x0=rows["x1"])], source._columns)
    with pytest.raises(ValueError, match="columns or the groups are not the same"):
        loaded.results_.attach(other, "y", sample_weight="w")
    with pytest.raises(TypeError, match="name of a column"):
        loaded.results_.attach(source, rows["y"])


def test_more_rows_have_no_source_any_more():
    model, _, _, rows = both("single", 3)
    model.partial_fit(rows.drop(columns=["y", "w"])[:50], rows["y"][:50])
    with pytest.raises(AttributeError, match="only sums were kept"):
        _ = model.results_.resid


def test_a_source_that_changed_is_noticed():
    rows = columns(table(), "single").assign(y=response(table()))
    source = [rows[:800], rows[800:]]
    model = model_of("single").fit(chunks(source), "y")
    source[1] = rows[801:]
    with pytest.raises(ValueError, match="1,499, and were 1,500"):
        _ = model.results_.resid
    source[1] = pd.concat([rows[800:], rows[:1]])
    with pytest.raises(ValueError, match="more of them"):
        _ = model.results_.resid
    source[1] = rows[800:].assign(g=99)
    with pytest.raises(ValueError, match="chunk 2 has levels"):
        _ = model.results_.resid


def test_labels_of_clusters_are_checked_over_all_parts():
    model, _, _, rows = both("single", 3)
    for labels, message in [
        (np.arange(10), "expected 500 labels"),
        (np.arange(700), "expected 1000 or more labels"),
        (np.arange(1600), "expected 1500 labels"),
        (rows["x0"].to_numpy(), "several clusters"),
        (np.where(np.arange(len(rows)) > 1400, None, "a"), "labels are missing"),
        (np.zeros(len(rows)), "single level"),
        ("nothing", "'nothing'"),
    ]:
        with pytest.raises(ValueError, match=message):
            model.results_.coef_table(cov="CR1", clusters=labels)


def test_an_unpickled_classifier_reads_chunks():
    """Labels are words, and their classes are weighted."""
    rows = columns(table(), "single")
    y = pd.Series(np.where(response(table()) > 1.0, "yes", "no"))
    model = MixedLogisticClassifier("g", class_weight={"yes": 2.0, "no": 1.0}).fit(rows, y)
    expected = {kind: residuals(model, kind) for kind in ("deviance", "standardized", "working")}
    averages = average_predictions(model, by="g")["estimate"]
    shares = r_squared(model, "delta")
    loaded = pickle.loads(pickle.dumps(model))
    source = chunks([part.assign(y=y) for part in (rows[:400], rows[400:])])
    loaded.results_.attach(source, "y")
    for kind, values in expected.items():
        same(residuals(loaded, kind), values)
    same(average_predictions(loaded, by="g")["estimate"], averages)
    same(r_squared(loaded, "delta")[:7], shares[:7])
    with pytest.raises(ValueError, match="not the rows of the fit"):
        loaded.results_.attach(chunks([rows.assign(y=y, x0=0.0)]), "y")


@pytest.mark.slow
def test_partitions_of_dask_are_fetched_again():
    dd = pytest.importorskip("dask.dataframe")
    rows = columns(table(), "single").assign(y=response(table()), w=1.0, unused="text")
    whole = model_of("single").fit(rows.drop(columns=["y", "w", "unused"]), rows["y"])
    parts = dd.from_pandas(rows.drop(columns="unused"), npartitions=3, sort=False)
    model = model_of("single").fit(parts, "y", sample_weight="w")
    same(model.results_.resid, whole.results_.resid, 1e-8)
    same(average_predictions(model)["estimate"], average_predictions(whole)["estimate"], 1e-8)
    arrays = parts[["x0", "x1"]].to_dask_array(lengths=True)
    labels = parts["g"].to_dask_array(lengths=True)
    y = parts["y"].to_dask_array(lengths=True)
    model = MixedLinearRegressor().fit(arrays, y, groups=labels)
    with pytest.raises(AttributeError, match="only sums were kept"):
        _ = model.results_.resid


def test_many_rows_are_thinned(fits):
    """Rows that are spread evenly, labelled by their places in the source."""
    model, whole = (est.results_.fitted for est in fits[:2])
    some = in_memory(model, 300)
    assert words_of_rows(model, some) == f"{some.n_rows} of {model.n_rows:,} rows"
    places = some.index.to_numpy()
    every = -(-model.n_rows // 300)
    assert np.array_equal(places, np.arange(0, model.n_rows, every))
    np.testing.assert_array_equal(some.training.y, whole.training.y[places])
    same(residuals_of(some, "pearson"), residuals_of(whole, "pearson")[places])
    assert in_memory(model).n_rows == model.n_rows
    assert words_of_rows(model, in_memory(model)) == ""
