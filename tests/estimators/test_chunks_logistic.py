"""Classifiers of rows that are read in parts and wait in files."""

import pickle
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from skmixed import MixedLogisticClassifier, chunks
from skmixed.exceptions import SeparationWarning
from skmixed.inference import conditional_aic
from tests.estimators.test_partial_fit import cuts

pytest.importorskip("pyarrow")
pytestmark = [
    pytest.mark.filterwarnings(f"ignore::skmixed.exceptions.{name}Warning")
    for name in ("SingularFit", "Laplace", "Groups")
]

N = 1600
PARAMS = {
    "single": {"random_effects": "(1 + x0 | g)", "n_quadrature": 1},
    "quadrature": {"groups": "g", "n_quadrature": 3},
    "nested": {"random_effects": "(1 | g/h)"},
    "crossed": {"random_effects": "(1 | g) + (1 | c)"},
    "formula": {"formula": "x0 * C(k) + (1 | g)", "n_quadrature": 1},
    "nothing": {},
}
COLUMNS = {
    "single": ["x0", "x1", "g"],
    "quadrature": ["x0", "x1", "g"],
    "nested": ["x0", "x1", "g", "h"],
    "crossed": ["x0", "x1", "g", "c"],
    "formula": ["x0", "k", "g"],
    "nothing": ["x0", "x1"],
}


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch, tmp_path):
    """Blocks, starts and files as of many rows."""
    monkeypatch.setattr("skmixed._store.spill.ROWS_PER_BLOCK", 200)
    monkeypatch.setattr("skmixed._store.spill.BUCKETS", 3)
    for module in ("_likelihood.start", "_fit.points", "_fit.separation"):
        monkeypatch.setattr(f"skmixed.{module}.SAMPLE_ROWS", 600)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    yield
    assert not list(Path(tmp_path).glob("skmixed-*"))


def table(seed=0):
    rng = np.random.default_rng(seed)
    rows = pd.DataFrame(rng.normal(size=(N, 2)), columns=["x0", "x1"])
    rows["g"] = rng.integers(0, 40, N)
    rows["h"] = rng.integers(0, 4, N)
    rows["c"] = np.array(["p", "q", "r", "s", "t", "u"])[rng.integers(0, 6, N)]
    rows["k"] = rng.integers(0, 3, N)
    slopes, inner, outer = 0.6 * rng.normal(size=40), rng.normal(size=160), rng.normal(size=40)
    eta = rows["x0"] * (1 + slopes[rows["g"]]) + inner[4 * rows["g"] + rows["h"]] + outer[rows["g"]]
    eta += (rows["c"] > "r") - 0.5
    rows["y"] = np.where(rng.random(N) < 1 / (1 + np.exp(-eta)), "won", "lost")
    rows["w"] = rng.integers(0, 3, N)
    return rows


def in_parts(rows, parts):
    return [rows[part] for part in cuts(len(rows), parts)]


def assert_same(ours, theirs, tol=1e-7):
    assert ours.loglik_ == pytest.approx(theirs.loglik_, rel=1e-10)
    assert ours.classes_.tolist() == theirs.classes_.tolist()
    for name in ("coef_", "intercept_"):
        a, b = getattr(ours, name), getattr(theirs, name)
        np.testing.assert_allclose(a, b, atol=tol * np.max(np.abs(b)), err_msg=name)
    for a, b in zip(ours.covariances_, theirs.covariances_, strict=True):
        np.testing.assert_allclose(a, b, atol=5 * tol * np.max(np.abs(b)))
    np.testing.assert_allclose(ours.results_.bse, theirs.results_.bse, rtol=10 * tol)
    if theirs.covariances_:
        effects, expected = ours.random_effects_, theirs.random_effects_
        assert effects["level"].tolist() == expected["level"].tolist()
        for name in ("estimate", "std_error"):
            np.testing.assert_allclose(effects[name], expected[name], atol=10 * tol)


@pytest.mark.smoke
@pytest.mark.parametrize("kind", ["single", "nested"])
def test_parts_are_the_whole(kind):
    check_parts(kind, 7)


@pytest.mark.slow
@pytest.mark.parametrize("parts", [1, 64])
@pytest.mark.parametrize("kind", PARAMS)
def test_any_parts_are_the_whole(kind, parts):
    check_parts(kind, parts)


def check_parts(kind, parts):
    rows = table()
    model = MixedLogisticClassifier(**PARAMS[kind], tol=1e-11)
    found = pickle.loads(pickle.dumps(model)).fit(
        chunks(in_parts(rows, parts), COLUMNS[kind]), "y", sample_weight="w"
    )
    assert_same(found, model.fit(rows[COLUMNS[kind]], rows["y"], sample_weight=rows["w"]))


@pytest.mark.parametrize("kind", ["nested", "crossed"])
def test_components_that_are_too_long_are_read_in_pieces(kind, monkeypatch):
    monkeypatch.setattr("skmixed._store.spill.LONG", 300)
    rows = table()
    rows.loc[rows["g"] < 15, "g"] = 0
    X = rows[COLUMNS[kind]]
    model = MixedLogisticClassifier(**PARAMS[kind], tol=1e-11)
    found = MixedLogisticClassifier(**PARAMS[kind], tol=1e-11)
    found.fit(chunks(in_parts(rows, 5), COLUMNS[kind]), "y")
    assert_same(found, model.fit(X, rows["y"]))


def test_what_is_known_without_rows():
    rows = table()
    X, y = rows[["x0", "x1", "g"]], rows["y"] == "won"
    parts = in_parts(rows.assign(y=y), 4)
    params = {"groups": "g", "n_quadrature": 3, "class_weight": "balanced", "alpha": 1.0}
    params["tol"] = 1e-11
    model = MixedLogisticClassifier(**params).fit(chunks(parts, list(X.columns)), "y")
    whole = MixedLogisticClassifier(**params).fit(X, y)
    assert_same(model, whole, 1e-6)
    assert model.classes_.dtype == bool
    for found in (model, pickle.loads(pickle.dumps(model))):
        np.testing.assert_allclose(found.predict_proba(X), whole.predict_proba(X), atol=1e-6)
        assert str(found.summary()) == str(whole.summary())
        assert found.results_.nobs == pytest.approx(whole.results_.nobs)
        assert str(conditional_aic(found)) == str(conditional_aic(whole))
        with pytest.raises(AttributeError, match=r"came in parts|part by part"):
            _ = found.results_.fitted.fit.state


HAZARDS = {
    "a column that grows": lambda z: z * np.exp(18 * np.linspace(0, 1, N)),
    "a time stamp": lambda z: np.where(np.arange(N) < 100, 0.0, 1e9 + z),
    "a dummy that is zero at first": lambda z: np.where(np.arange(N) < 100, 0.0, z > 0.5),
    "sorted by group": lambda z: z,
    "sorted by y": lambda z: z,
}


@pytest.mark.slow
@pytest.mark.parametrize("hazard", HAZARDS)
def test_hazards(hazard):
    rows = table()
    rows["x1"] = HAZARDS[hazard](rows["x1"].to_numpy())
    by = {"sorted by group": "g", "sorted by y": "y"}.get(hazard)
    rows = rows if by is None else rows.sort_values(by, kind="stable")
    parts = [rows[:0], rows[:1], rows[1:2], rows[:0], *in_parts(rows[2:], 9)]
    model = MixedLogisticClassifier("g", n_quadrature=1, tol=1e-12)
    found = MixedLogisticClassifier("g", n_quadrature=1, tol=1e-12)
    found.fit(chunks(parts, COLUMNS["single"]), "y")
    assert_same(found, model.fit(rows[COLUMNS["single"]], rows["y"]), 1e-8)


@pytest.mark.slow
def test_separation_is_seen():
    rows = table()
    rng = np.random.default_rng(1)
    rows["x1"] = 1.0 * ((rows["y"] == "won") & (rng.random(N) < 0.2))
    model = MixedLogisticClassifier("g", n_quadrature=1)
    with pytest.warns(SeparationWarning, match="'x1'"):
        model.fit(chunks(in_parts(rows, 3), COLUMNS["single"]), "y")
    rows.loc[rows.index[-3:], ["x1", "y"]] = [1.0, "lost"]
    assert model.fit(chunks(in_parts(rows, 3), COLUMNS["single"]), "y").converged_


def test_what_breaks_off_leaves_the_estimator_as_it_was():
    rows = table()
    X = rows[["x0", "g"]]
    model = MixedLogisticClassifier("g", n_quadrature=1).fit(X, rows["y"])
    before = model.loglik_

    def breaks_off():
        yield rows[:500]
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="disk"):
        model.fit(chunks(breaks_off, ["x0", "g"]), "y")
    assert model.loglik_ == before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: rows.assign(y=["a", "b", "c", "d"] * 400), "Only binary"),
        (lambda rows: rows.assign(y=1), "only one class"),
        (lambda rows: rows.assign(y=np.arange(N) / 7), "Unknown label type"),
        (lambda rows: rows[:0], "0 rows"),
    ],
)
def test_errors(change, message):
    rows = change(table())
    with pytest.raises(ValueError, match=message):
        MixedLogisticClassifier("g").fit(chunks(in_parts(rows, 3), ["x0", "g"]), "y")


def test_without_pyarrow(monkeypatch):
    rows = chunks([table()], ["x0", "g"])
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ImportError, match="pip install pyarrow"):
        MixedLogisticClassifier("g").fit(rows, "y")
