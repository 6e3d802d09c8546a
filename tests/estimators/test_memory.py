"""What a linear fit takes of memory beside its rows, and what it keeps, as tracemalloc counts."""

import tracemalloc

import numpy as np
import pandas as pd
import pytest

from skmixed import MixedLinearRegressor

MOST = 1.3  # times the rows that are given
ROWS, LEVELS = 120_000, 2_000


def table(rows):
    rng = np.random.default_rng(0)
    g = rng.integers(0, LEVELS, rows).astype(np.int32)
    x1, x2 = rng.normal(size=(2, rows))
    y = 1.0 + x1 - 0.5 * x2 + rng.normal(size=LEVELS)[g] + rng.normal(size=rows)
    return pd.DataFrame({"g": g, "x1": x1, "x2": x2, "y": y})


def one_by_one(X):
    """Columns that are nowhere side by side, and labels that are no codes."""
    out = pd.DataFrame({"x2": X["x2"].to_numpy().copy()})
    out["g"] = X["g"].to_numpy() * 2 + 7
    out["x1"] = X["x1"].to_numpy().copy()
    return out


#: how the columns come
LAYOUTS = {
    "a table": lambda X: X,
    "one by one": one_by_one,
    "categories": lambda X: X.assign(g=X["g"].astype("category")),
}


def fitted(rows, layout):
    """Most bytes that a fit takes, and those that the model keeps, and the bytes of the rows."""
    data = table(rows)
    X, y = LAYOUTS[layout](data[["x1", "x2", "g"]]), data["y"]
    MixedLinearRegressor(groups="g").fit(X[:500], y[:500])
    tracemalloc.start()
    model = MixedLinearRegressor(groups="g").fit(X, y)
    kept, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert model.converged_
    return most, kept, 28 * rows


@pytest.mark.parametrize("layout", LAYOUTS)
def test_memory_of_a_linear_fit(layout):
    most, kept, size = fitted(ROWS, layout)
    assert most <= MOST * size
    assert kept - fitted(ROWS // 2, layout)[1] <= 0.02 * size  # nothing as long as the rows
