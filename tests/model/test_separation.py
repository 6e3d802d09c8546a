"""Every column that takes part in a separation is named, and no other."""

import numpy as np
import pandas as pd

from skmixed._model.separation import separating_columns


def cells(empty, full=(), reference=("A", "x")):
    """Dummies of an interaction; outcomes are all zero in some cells and all one in others."""
    rows = [(t, s, y) for t in "ABCD" for s in "xy" for y in (0, 1, 0)]
    data = pd.DataFrame(rows, columns=["t", "s", "y"])
    cell = list(zip(data["t"], data["s"], strict=True))
    data["y"] = [
        0 if c in empty else 1 if c in full else y for c, y in zip(cell, data["y"], strict=True)
    ]
    t = pd.get_dummies(data["t"]).drop(columns=reference[0]).astype(float)
    s = (data["s"] != reference[1]).astype(float)
    X = pd.concat([t, s.rename("s"), t.mul(s, axis=0).add_suffix(":s")], axis=1)
    return X, data["y"].to_numpy(float)


def named(X, y, intercept=True):
    found = separating_columns(X.to_numpy(), y, intercept)
    return X.columns[found].to_list()


def test_every_separated_cell_is_named():
    X, y = cells({("C", "x"), ("D", "x")})
    assert named(X, y) == ["C", "D", "C:s", "D:s"]
    X, y = cells({("C", "y")}, {("D", "y"), ("B", "x")})
    assert named(X, y) == ["B", "B:s", "C:s", "D:s"]


def test_a_separated_reference_cell_is_in_every_contrast():
    X, y = cells({("A", "x")})
    assert named(X, y) == X.columns.to_list()


def test_a_level_that_is_separated_and_a_cell_of_another():
    X, y = cells({("B", "x"), ("B", "y"), ("D", "y")})
    assert named(X[["B", "C", "D", "s", "D:s"]], y) == ["B", "D:s"]


def test_what_is_beside_a_perfect_column_is_not_named():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(300, 3)), columns=list("abc"))
    assert named(X, (X["b"] > 0.2).to_numpy(float)) == ["b"]
    assert named(X, (X["a"] + X["c"] > 0.0).to_numpy(float)) == ["a", "c"]
    assert named(X, rng.integers(0, 2, 300).astype(float)) == []


def test_a_perfect_column_in_some_rows_and_another_in_the_rest():
    rng = np.random.default_rng(1)
    half = np.repeat([0.0, 1.0], 200)
    X = pd.DataFrame({"one": half * 0.0, "other": half * 0.0, "noise": rng.normal(size=400)})
    X.loc[:20, "one"] = 1.0
    X.loc[300:330, "other"] = 1.0
    y = rng.integers(0, 2, 400).astype(float)
    y[:21] = 1.0
    y[300:331] = 0.0
    assert named(X, y) == ["one", "other"]
