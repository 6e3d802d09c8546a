"""A thousand ways to write down one data set: the same fit, or two lines that say what is wrong with it."""

from __future__ import annotations

import warnings
from collections import Counter
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.exceptions import DataConversionWarning

from skmixed import MixedLinearRegressor, MixedLogisticClassifier, SkmixedWarning
from tests.evidence.test_random_designs import first_ones_quick

N_REPRESENTATIONS = 1000
BATCH = 50
N = 48

NUMBERS = {
    "float64": lambda v: pd.Series(v, dtype="float64"),
    "float32": lambda v: pd.Series(v, dtype="float32"),
    "float16": lambda v: pd.Series(v, dtype="float16"),
    "int8": lambda v: pd.Series(v, dtype="int8"),
    "Int64": lambda v: pd.Series(v, dtype="Int64"),
    "Float64": lambda v: pd.Series(v, dtype="Float64"),
    "arrow int": lambda v: pd.Series(v, dtype="int32[pyarrow]"),
    "arrow double": lambda v: pd.Series(v, dtype="double[pyarrow]"),
    "objects": lambda v: pd.Series([int(x) for x in v], dtype=object),
    "decimals": lambda v: pd.Series([Decimal(int(x)) for x in v], dtype=object),
    "fractions": lambda v: pd.Series([Fraction(int(x)) for x in v], dtype=object),
    "sparse": lambda v: pd.Series(pd.arrays.SparseArray(np.asarray(v, dtype=float))),
}
REFUSED = {
    "dates": lambda v: pd.Timestamp("2020-01-01") + pd.to_timedelta(pd.Series(v), "D"),
    "complex": lambda v: pd.Series(v) + 0j,
    "lists": lambda v: pd.Series([[int(x)] for x in v], dtype=object),
    "missing": lambda v: pd.Series([None, *v[1:]], dtype=object),
    "infinite": lambda v: pd.Series([np.inf, *v[1:]]),
    "mixed": lambda v: pd.Series([str(x) if k % 2 else x for k, x in enumerate(v)], dtype=object),
}
LABELS = {
    "int64": lambda g: pd.Series(g),
    "uint64": lambda g: pd.Series(g, dtype="uint64"),
    "float32": lambda g: pd.Series(g, dtype="float32"),
    "large": lambda g: pd.Series(g.astype("int64") + 2**62),
    "text": lambda g: pd.Series([f"level {k}" for k in g], dtype=object),
    "string": lambda g: pd.Series([f"level {k}" for k in g], dtype="string"),
    "arrow text": lambda g: pd.Series([f"level {k}" for k in g], dtype="string[pyarrow]"),
    "categories": lambda g: pd.Series(pd.Categorical(g, categories=[*range(12)][::-1])),
    "mixed": lambda g: pd.Series([int(k) if k % 2 else str(k) for k in g], dtype=object),
    "tuples": lambda g: pd.Series([(int(k), "a") for k in g], dtype=object),
    "dates": lambda g: pd.Timestamp("2020-01-01") + pd.to_timedelta(pd.Series(g), "D"),
    "times with zones": lambda g: pd.Series(
        pd.Timestamp("2020-01-01", tz="UTC") + pd.to_timedelta(pd.Series(g), "h")
    ),
    "Int64": lambda g: pd.Series(g, dtype="Int64"),
    "decimals": lambda g: pd.Series([Decimal(int(k)) for k in g], dtype=object),
}
REFUSED_LABELS = {
    "missing": lambda g: pd.Series([None, *map(str, g[1:])], dtype=object),
    "infinite": lambda g: pd.Series([np.inf, *g[1:]], dtype=object),
    "lists": lambda g: pd.Series([[int(k)] for k in g], dtype=object),
    "truth among numbers": lambda g: pd.Series([k == 1 or int(k) for k in g], dtype=object),
}
RESPONSES = {
    "series": lambda y: pd.Series(y, name="mark"),
    "list": lambda y: y.tolist(),
    "table": lambda y: pd.DataFrame({"mark": y}),
    "column": lambda y: y[:, None],
    "polars": lambda y: pl.Series("mark", y),
    "objects": lambda y: y.astype(object),
    "nullable": lambda y: pd.Series(y).convert_dtypes(),
}
TABLES = {
    "pandas": lambda t: t,
    "odd index": lambda t: t.set_index(np.arange(len(t))[::-1] * 7),
    "polars": lambda t: pl.from_pandas(t),
    "pyarrow": lambda t: pa.Table.from_pandas(t, preserve_index=False),
}


def choice(rng, table):
    return str(rng.choice(list(table)))


def verdict(seed):
    """What became of one representation: 'the same', 'refused in words', or what is wrong."""
    rng = np.random.default_rng(seed)
    kind = MixedLogisticClassifier if rng.random() < 0.2 else MixedLinearRegressor
    x, g = rng.integers(-9, 10, N), rng.integers(0, 8, N)
    eta = 0.2 * x + rng.normal(size=8)[g] + rng.normal(size=N)
    y = (eta > 0).astype(int) if kind is MixedLogisticClassifier else eta
    options = {"n_quadrature": 1} if kind is MixedLogisticClassifier else {}
    wrong = rng.random() < 0.2
    names = choice(rng, REFUSED if wrong and rng.random() < 0.5 else NUMBERS)
    labels = choice(rng, REFUSED_LABELS if wrong and names in NUMBERS else LABELS)
    shape, response = choice(rng, TABLES), choice(rng, RESPONSES)
    style = str(rng.choice(["column", "formula", "argument"]))
    if shape in ("polars", "pyarrow") and labels == "truth among numbers":
        labels = "lists"  # these make numbers of truth values themselves
    notes = f"{kind.__name__}, x {names}, labels {labels}, {shape}, y {response}, {style}"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", SkmixedWarning)
        warnings.simplefilter("ignore", DataConversionWarning)  # of a response in a matrix
        plain = kind("g", **options).fit(pd.DataFrame({"x": x * 1.0, "g": g}), y)
        try:
            column = (NUMBERS | REFUSED)[names](x)
            label = (LABELS | REFUSED_LABELS)[labels](g)
            table = TABLES[shape](pd.DataFrame({"x": column, "g": label}))
        except (pa.ArrowException, TypeError, ValueError, pl.exceptions.PolarsError):
            return "cannot be written down", notes
        try:
            found, again = fitted(kind, style, table, RESPONSES[response](y), options)
        except (ValueError, TypeError) as error:
            return judged(error, wrong), notes
        except Exception as error:
            return f"raw {type(error).__name__}: {error}", notes
    if wrong:
        return "fitted what has no meaning", notes
    same = np.isclose(found.loglik_, plain.loglik_, rtol=1e-8) and np.allclose(
        again, plain.predict(pd.DataFrame({"x": x * 1.0, "g": g})), rtol=1e-6
    )
    return "the same" if same else f"another fit: {found.loglik_} {plain.loglik_}", notes


def fitted(kind, style, table, y, options):
    """The fit, and its predictions for the same rows."""
    if style == "argument":
        X, groups = (table[["x"]], table["g"]) if hasattr(table, "iloc") else split(table)
        model = kind(**options).fit(X, y, groups=groups)
        return model, model.predict(X, groups=groups)
    parameters = {"groups": "g"} if style == "column" else {"formula": "x + (1 | g)"}
    model = kind(**parameters, **options).fit(table, y)
    return model, model.predict(table)


def split(table):
    return table.select(["x"]), table["g"]


def judged(error, wrong):
    lines = str(error).splitlines()
    if len(lines) != 2 or min(map(len, lines)) < 10:
        return f"not two lines: {error}"
    return "refused in words" if wrong else f"refused: {error}"


@pytest.mark.parametrize("batch", first_ones_quick(N_REPRESENTATIONS // BATCH, quick=0))
def test_one_data_set_in_other_words(batch, capsys):
    verdicts = {s: verdict(s) for s in range(batch * BATCH, (batch + 1) * BATCH)}
    counts = Counter(text for text, _ in verdicts.values())
    with capsys.disabled():
        print(f"\nbatch {batch}: {dict(counts)}")
    fine = {"the same", "refused in words", "cannot be written down"}
    bad = {s: f"{text} ({notes})" for s, (text, notes) in verdicts.items() if text not in fine}
    assert not bad, "\n".join(f"seed {s}: {text}" for s, text in bad.items())
