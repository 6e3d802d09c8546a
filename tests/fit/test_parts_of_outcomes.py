"""What needs rows of a classifier after a fit to chunks: they are read again, part by part."""

import pickle

import numpy as np
import pytest

from skmixed import MixedLogisticClassifier, chunks, diagnostics
from skmixed.displays import CalibrationByGroupDisplay, ResidualsDisplay
from skmixed.inference import average_effects, average_predictions, influence, r_squared, residuals
from tests.estimators.test_partial_fit import columns, cuts, response, table

pytest.importorskip("pyarrow")


@pytest.fixture(scope="module")
def fits():
    found = columns(table(), "nested")
    found["y"] = np.where(response(table()) > 1.0, "won", "lost")
    found["w"] = np.random.default_rng(3).integers(0, 3, len(found))
    rows = found.sample(frac=1.0, random_state=4, ignore_index=True)
    model = MixedLogisticClassifier("g", n_quadrature=1, class_weight={"won": 2.0, "lost": 1.0})
    whole = MixedLogisticClassifier(**model.get_params())
    X = [name for name in rows if name not in ("y", "w")]
    whole.fit(rows[X], rows["y"], sample_weight=rows["w"])
    source = chunks([rows[part] for part in cuts(len(rows), 7)], X)
    return model.fit(source, "y", sample_weight="w"), whole, source


def same(ours, theirs, tol=1e-6):
    theirs = np.asarray(theirs, dtype=float)
    np.testing.assert_allclose(ours, theirs, rtol=tol, atol=tol * np.nanmax(np.abs(theirs)))


@pytest.mark.parametrize("kind", ["response", "pearson", "standardized", "deviance", "working"])
def test_residuals(fits, kind):
    model, whole, _ = fits
    same(residuals(model, kind), residuals(whole, kind))


def test_averages_and_shares(fits):
    model, whole, _ = fits
    for ask in (average_effects, lambda est: average_predictions(est, kind="conditional")):
        same(ask(model)[["estimate", "std_error"]], ask(whole)[["estimate", "std_error"]], 1e-5)
    same(r_squared(model, "delta")[:7], r_squared(whole, "delta")[:7])
    ours, theirs = (influence(est, by="g").cooks_distance for est in (model, whole))
    same(ours, theirs, 1e-5)


def test_pictures_and_the_doctor(fits):
    pytest.importorskip("matplotlib")
    model, whole, _ = fits
    for picture, table_of in ((CalibrationByGroupDisplay, "table"), (ResidualsDisplay, "data")):
        ours, theirs = (getattr(picture.from_estimator(est), table_of) for est in (model, whole))
        numbers = theirs.select_dtypes("number").columns
        same(ours[numbers], theirs[numbers])
    found = diagnostics.diagnose(model)
    assert not found.rows
    assert [f.kind for f in found] == [f.kind for f in diagnostics.diagnose(whole)]


def test_what_needs_all_rows_and_what_a_pickle_keeps(fits):
    model, _, source = fits
    for ask in (
        lambda: model.results_.coef_table(cov="CR1"),
        lambda: model.results_.variance_table(method="profile"),
        lambda: model.results_.variance_table(method="bootstrap", n_samples=2),
    ):
        with pytest.raises(AttributeError, match="all of them in memory at once"):
            ask()
    loaded = pickle.loads(pickle.dumps(model))
    with pytest.raises(AttributeError, match=r"attach\(chunks"):
        _ = loaded.results_.resid
    resid = loaded.results_.attach(source, "y", sample_weight="w").resid
    assert np.array_equal(resid, model.results_.resid)
