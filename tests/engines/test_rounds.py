"""Classifiers of tables and arrays of Dask: a level's rows are moved to one place and asked there."""

import numpy as np
import pytest

from skmixed import MixedLogisticClassifier
from skmixed.datasets import make_mixed_classification

dask = pytest.importorskip("dask")
dd = pytest.importorskip("dask.dataframe")
da = pytest.importorskip("dask.array")

MODELS = {
    "single": ("(1 + x0 | g)", {}),
    "points": ("(1 | g)", {"n_quadrature": 5}),
    "nested": ("(1 | g/h)", {}),
    "crossed": ("(1 | g) + (1 | c)", {}),
    "weighted classes": ("(1 | g)", {"class_weight": "balanced"}),
}


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    with dask.config.set(scheduler="synchronous"):
        yield


@pytest.fixture(autouse=True)
def small_shares(monkeypatch):
    monkeypatch.setattr("skmixed._fit.placing.FEWEST_ROWS", 300)


@pytest.fixture(scope="module")
def rows():
    X, _ = make_mixed_classification(n_groups=60, rows_per_group=20, random_state=0)
    rng = np.random.default_rng(1)
    n = len(X)
    found = X.rename(columns={"group": "g"}).assign(
        h=rng.integers(0, 3, n), c=rng.integers(0, 9, n)
    )
    eta = found["x0"] + rng.normal(size=60)[found["g"]] * (1 + 0.5 * found["x0"])
    eta += rng.normal(size=180)[3 * found["g"] + found["h"]] + rng.normal(size=9)[found["c"]]
    found["y"] = np.where(rng.uniform(size=n) < 1 / (1 + np.exp(-eta)), "yes", "no")
    return found.assign(w=1.0 + np.arange(n) % 2)


def columns(terms):
    return ["x0", "x1", *(name for name in "ghc" if name in terms.replace("x0", ""))]


def parted(rows, parts):
    return dd.from_pandas(rows.sample(frac=1, random_state=0), npartitions=parts, sort=False)


def assert_same(ours, theirs, tol=1e-6):
    assert ours.loglik_ == pytest.approx(theirs.loglik_, rel=1e-11)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=tol)
    for a, b in zip(ours.covariances_, theirs.covariances_, strict=True):
        np.testing.assert_allclose(a, b, atol=10 * tol)
    effects, expected = ours.random_effects_, theirs.random_effects_
    assert effects["level"].tolist() == expected["level"].tolist()
    for name in ("estimate", "std_error"):
        np.testing.assert_allclose(effects[name], expected[name], atol=10 * tol)
    np.testing.assert_allclose(ours.results_.bse, theirs.results_.bse, rtol=1e-4)
    assert ours.classes_.tolist() == theirs.classes_.tolist()


CASES = [pytest.param(name, marks=[] if name == "nested" else pytest.mark.slow) for name in MODELS]


@pytest.mark.parametrize("kind", CASES)
def test_partitions_are_the_whole(kind, rows):
    terms, params = MODELS[kind]
    X = rows[columns(terms)]
    whole = MixedLogisticClassifier(random_effects=terms, **params).fit(X, rows["y"])
    ours = MixedLogisticClassifier(random_effects=terms, **params)
    ours.fit(parted(X.assign(y=rows["y"]), 11), "y")
    assert_same(ours, whole)
    assert "yes" in str(ours.summary())


@pytest.mark.slow
@pytest.mark.smoke
def test_weights_arrays_and_columns_that_depend_on_others(rows):
    X = np.column_stack([rows["x0"], rows["x1"], rows["x0"] - rows["x1"]])
    y = np.where(rows["y"] == "yes", 1, 0)
    given = {"groups": rows["g"].to_numpy(), "sample_weight": rows["w"].to_numpy()}
    with pytest.warns(UserWarning, match="x2"):
        whole = MixedLogisticClassifier().fit(X, y, **given)
    cut = {name: da.from_array(values, chunks=250) for name, values in given.items()}
    with pytest.warns(UserWarning, match="x2"):
        ours = MixedLogisticClassifier().fit(
            da.from_array(X, chunks=(250, 3)), da.from_array(y, chunks=250), **cut
        )
    assert_same(ours, whole)
    proba = ours.predict_proba(da.from_array(X, chunks=(400, 3)), groups=cut["groups"])
    np.testing.assert_allclose(
        proba.compute(), whole.predict_proba(X, groups=given["groups"]), atol=1e-6
    )


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::skmixed.exceptions.GroupsWarning")
@pytest.mark.smoke
def test_without_groups(rows):
    X = rows[["x0", "x1"]]
    whole = MixedLogisticClassifier().fit(X, rows["y"])
    ours = MixedLogisticClassifier().fit(parted(X.assign(y=rows["y"]), 3), "y")
    assert ours.loglik_ == pytest.approx(whole.loglik_, rel=1e-12)


ERRORS = [
    (lambda rows: rows.assign(y=np.arange(len(rows)) % 3), "y", "3 classes|more than two"),
    (lambda rows: rows.assign(y="yes"), "y", "class"),
    (lambda rows: rows.assign(x0=rows["x0"].where(rows["g"] != 3)), "y", "'x0' contains NaN"),
    (lambda rows: rows[rows["x0"] > 99], "y", "0 rows that count"),
    (lambda rows: rows, "z", "'z'"),
]


@pytest.mark.parametrize(("change", "y", "message"), ERRORS)
def test_errors(change, y, message, rows):
    X = rows[["x0", "g", "y"]]
    with pytest.raises(ValueError, match=message):
        MixedLogisticClassifier("g").fit(parted(change(X), 3), y)


def test_scores_are_of_collected_values(rows):
    X = rows[["x0", "g", "y"]]
    model = MixedLogisticClassifier("g").fit(X[["x0", "g"]], X["y"])
    ddf = parted(X, 3)
    with pytest.raises(TypeError, match="y: values of a Series of Dask"):
        model.score(ddf, ddf["y"])
    y = ddf["y"].compute()
    assert model.score(ddf, y) == model.score(X[["x0", "g"]], X["y"])


def test_rows_that_must_be_in_one_place_and_are_too_many(rows, monkeypatch):
    monkeypatch.setattr("skmixed._fit.placing.MOST_TOGETHER", 1000)
    X = rows[["x0", "g", "c", "y"]]
    with pytest.raises(ValueError, match="hang together by the levels of 'g' and 'c'"):
        MixedLogisticClassifier(["g", "c"]).fit(parted(X, 3), "y")
