"""What goes wrong in sums of parts elsewhere: every fit is that of all rows in memory."""

import numpy as np
import pandas as pd
import pytest

from skmixed import MixedLinearRegressor, chunks
from skmixed._fit import stream
from tests.estimators.test_partial_fit import assert_same, columns, cuts, model_of, response, table

pytestmark = [
    pytest.mark.filterwarnings("ignore::skmixed.exceptions.SingularFitWarning"),
    pytest.mark.filterwarnings("ignore::skmixed.exceptions.RankDeficiencyWarning"),
]

N = 400


def late(rows, share=0.1):
    return np.arange(len(rows)) >= share * len(rows)


def sorted_by_response(rows):
    return rows.loc[response(rows).sort_values().index]


#: what happens to the rows, and into how many parts they go
HAZARDS = {
    "as they are": (lambda rows: rows, 12),
    "growing by e^18": (
        lambda rows: rows.assign(x0=np.exp(18 * np.arange(N) / N) * (1 + 0.3 * rows["x0"])),
        12,
    ),
    "falling by e^18": (
        lambda rows: rows.assign(x1=np.exp(-18 * np.arange(N) / N) * (1 + 0.3 * rows["x1"])),
        12,
    ),
    "time stamp that begins at 0": (
        lambda rows: rows.assign(x0=np.where(late(rows), 1e9 + 1e4 * rows["x0"], 0.0)),
        12,
    ),
    "late dummy": (lambda rows: rows.assign(x2=1.0 * (late(rows, 0.2) & (rows["x2"] > 1))), 12),
    "late noise of a constant": (
        lambda rows: rows.assign(x1=np.where(late(rows), 1e6 + rows["x1"], 1e6)),
        12,
    ),
    "all constant at first": (
        lambda rows: rows.assign(
            **{name: np.where(late(rows), rows[name], 1.0) for name in ("x0", "x1", "x2")}
        ),
        10,
    ),
    "aliased": (lambda rows: rows.assign(x2=rows["x0"] - 2 * rows["x1"]), 12),
    "single precision": (
        lambda rows: rows.astype({"x0": np.float32, "x1": np.float32, "x2": np.float32}),
        12,
    ),
    "sorted by group": (lambda rows: rows.sort_values("g", kind="stable"), 12),
    "sorted by response": (sorted_by_response, 12),
    "parts of a single row": (lambda rows: rows[:60], 60),
    "parts without a row": (lambda rows: rows[:5], 9),
}


@pytest.fixture
def at_once(monkeypatch):
    """Every part is summed when it comes."""
    monkeypatch.setattr(stream, "MOST_WAITING", 1)


@pytest.mark.parametrize("weighted", [False, True], ids=["", "weights"])
@pytest.mark.parametrize("hazard", HAZARDS)
@pytest.mark.usefixtures("at_once")
def test_hazards(hazard, weighted):
    change, parts = HAZARDS[hazard]
    rows = change(table(N))
    if hazard == "parts without a row":
        rows = table(N)
        slices = [slice(0, 0), slice(0, 150), slice(150, 150), slice(150, N), slice(N, N)]
    else:
        slices = cuts(len(rows), parts)
    X, y = columns(rows, "crossed"), response(rows)
    w = 1.0 + np.arange(len(rows)) % 3 if weighted else None
    expected = model_of("crossed").fit(X, y, sample_weight=w)
    ours = model_of("crossed")
    for part in slices:
        ours.partial_fit(X[part], y[part], sample_weight=None if w is None else w[part])
    assert_same(ours, expected, 1e-8)
    whole = X.assign(y=y, w=w if weighted else 1.0)
    found = chunks([whole[part] for part in slices], list(X.columns))
    ours = model_of("crossed").fit(found, "y", sample_weight="w" if weighted else None)
    assert_same(ours, expected, 1e-8)


def test_rows_that_wait_are_those_that_are_summed_at_once(monkeypatch):
    rows = table(N)
    X, y = columns(rows, "nested"), response(rows)
    expected = model_of("nested").fit(X, y)
    for most in (1, 50, 10_000):
        monkeypatch.setattr(stream, "MOST_WAITING", most)
        ours = model_of("nested")
        for part in cuts(N, 20):
            ours.partial_fit(X[part], y[part])
            if most == 50 and part.stop == 200:
                assert ours.loglik_ < 0
        assert_same(ours, expected)


@pytest.mark.usefixtures("at_once")
def test_levels_that_cross_late():
    """Nested at first, by the finer factor or the coarser one, and crossed from some part on."""
    rng = np.random.default_rng(0)
    a = rng.integers(0, 30, N)
    b = np.where(np.arange(N) < 250, a // 3, rng.integers(0, 10, N))
    X = pd.DataFrame({"x0": rng.normal(size=N), "a": a, "b": b})
    y = X["x0"] + rng.normal(size=30)[a] + rng.normal(size=10)[b] + rng.normal(size=N)
    for groups in (["a", "b"], ["b", "a"]):
        expected = MixedLinearRegressor(groups=groups).fit(X, y)
        ours = MixedLinearRegressor(groups=groups)
        for part in cuts(N, 12):
            ours.partial_fit(X[part], y[part])
        assert_same(ours, expected)


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize(
    "labelled",
    [
        lambda g: g.astype("category"),
        lambda g: "a name that is much longer than others " + g.astype(str),
        lambda g: g.astype(np.int8) - 100,
        lambda g: g.astype(np.uint64) * 2**57,
        lambda g: g * 10_000_019,
        lambda g: g / 8,
        lambda g: g > 20,
        lambda g: pd.Timestamp("2020-01-01") + pd.to_timedelta(g, unit="D"),
    ],
    ids=["categories", "text", "small", "huge", "sparse", "floats", "truth", "dates"],
)
def test_labels_of_every_kind(labelled):
    rows = table(N)
    X = columns(rows, "single").assign(g=labelled(rows["g"]))
    y = response(rows) + pd.factorize(X["g"])[0] % 7
    ours = MixedLinearRegressor(groups="g")
    for part in cuts(N, 6):
        ours.partial_fit(X[part], y[part])
    assert_same(ours, MixedLinearRegressor(groups="g").fit(X, y))
    assert np.all(np.isfinite(ours.predict(X[:5])))
