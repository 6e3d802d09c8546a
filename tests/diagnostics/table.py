"""The tables of the doctor in the documentation: ``python -m tests.diagnostics.table`` writes them."""

import inspect
import re
from pathlib import Path

import numpy as np

from skmixed import diagnose
from skmixed.diagnostics._doctor.kinds import KINDS

from .patients import SICK, fitted

PAGE = Path(__file__).parents[2] / "docs" / "diagnosis.md"
SEEDS = range(5)
KINDS_HEADER = """| kind | meaning | what to do |
|---|---|---|
"""
SCORES_HEADER = """| illness | simulated data | found first |
|---|---|---|
"""
BEGIN = """# What the doctor finds

`skmixed.diagnose(model)` looks for these kinds of trouble. Causes stand before what follows from them, in this table as in a report:
a finding that may follow from one above it becomes a note and says so.

A *problem* makes estimates meaningless, a *warning* makes them doubtful, a *note* is worth knowing. Findings need a small p-value,
corrected for the number of columns and factors that are examined, and an effect that matters: a large table makes everything
significant. What depends on one row or one level alone is reported as such, not as a curve or a varying slope.

"""
WORK = """
## The doctor at work

One healthy table and twelve ways to make it ill. Every one of them is fitted as if nothing had happened:

```python
import warnings

import numpy as np
import pandas as pd

from skmixed import MixedLinearRegressor, diagnose
from skmixed.datasets import make_mixed_regression

SHOPS = {"groups": "shop"}


def healthy(seed):
    X, y = make_mixed_regression(60, 15, covariance=[[1.0]], random_state=seed)
    X = X.rename(columns={"x0": "price", "x1": "rain", "group": "shop"})
    return X, y.rename("sales"), np.random.default_rng(seed)


def units(X, y, rng):
    X.loc[X["shop"] == 7, "price"] += 9.0
    X["price"] = (X["price"] + 20.0) * np.where(X["shop"] == 7, 100.0, 1.0)
    return X, y, SHOPS


def copies(X, y, rng):
    again = rng.choice(len(X), 120, replace=False)
    return pd.concat([X, X.loc[again]]), pd.concat([y, y.loc[again]]), SHOPS


def number(X, y, rng):
    return X.assign(shop_no=101 + rng.permutation(60)[X["shop"]]), y, SHOPS


def taxed(X, y, rng):
    return X.assign(taxed=1.19 * y + rng.normal(0, 1e-3, len(y))), y, SHOPS


def twins(X, y, rng):
    return X.assign(humidity=X["rain"] + rng.normal(0, 0.1, len(y))), y, SHOPS


def area(X, y, rng):
    X["area"] = rng.normal(100, 20, 60)[X["shop"]]
    return X, y, {"random_effects": "(1 + area | shop)"}


def till(X, y, rng):
    return X, y.clip(lower=y.quantile(0.15)), SHOPS


def parabola(X, y, rng):
    return X, y - 0.5 * X["rain"] ** 2, SHOPS


def loyalty(X, y, rng):
    return X, y + rng.normal(0, 0.8, 60)[X["shop"]] * X["price"], SHOPS


def crowds(X, y, rng):
    return X, y + 1.5 * X["rain"].clip(lower=0) * rng.normal(0, 1, len(y)), SHOPS


def outliers(X, y, rng):
    return X, y + rng.standard_t(2, len(y)), SHOPS


def one_row(X, y, rng):
    X.loc[100, ["price", "rain"]] = [7.0, -7.0]
    y[100] += 25.0
    return X, y, SHOPS


ILLNESSES = {
    units: ("wrong_unit_level", "shop 7"),
    copies: ("duplicated_rows", "rows"),
    number: ("id_as_number", "shop_no"),
    taxed: ("tiny_standard_error", "taxed"),
    twins: ("collinearity", "humidity"),
    area: ("constant_slope", "area"),
    till: ("y_at_bounds", "sales"),
    parabola: ("nonlinear", "rain"),
    loyalty: ("omitted_slope", "price"),
    crowds: ("heteroscedastic", "rain"),
    outliers: ("heavy_tails", "residual"),
    one_row: ("influential_row", "row 100"),
}

scores = {}
for make_ill, (kind, place) in ILLNESSES.items():
    found = []
    for seed in range(5):
        X, y, options = make_ill(*healthy(seed))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = MixedLinearRegressor(**options).fit(X, y)
        first = diagnose(model).findings[0]
        found.append(first.kind == kind and place in first.where)
    scores[make_ill.__name__] = {"kind": kind, "where": place, "found first": f"{sum(found)} of 5"}
print(pd.DataFrame(scores).T)
```

What it says of the first one, and of the table before it was ill:

```python
X, y, options = units(*healthy(0))
print(diagnose(MixedLinearRegressor(**options).fit(X, y)))
X, y, _ = healthy(0)
print(diagnose(MixedLinearRegressor(**SHOPS).fit(X, y)))
```

## Scores

Every kind has a simulated data set of its own in the tests of the library. So often is the illness found, at the right place and
before everything else, over five seeds:

"""


def kinds() -> str:
    """A row per kind."""
    rows = [(f"`{k.name}`", k.meaning, k.advice.replace("|", "\\|")) for k in KINDS]
    return KINDS_HEADER + "".join(f"| {' | '.join(row)} |\n" for row in rows)


def is_first(kind: str, seed: int) -> bool:
    """Whether the illness of a patient is found first, with everything that it has to name."""
    make, where, params = SICK[kind]
    X, y = make(np.random.default_rng([seed, list(SICK).index(kind)]))
    first = diagnose(fitted(X, y, params)).findings[0]
    named = all(re.search(rf"\b{name}\b", first.where) for name in where.split(", "))
    return first.kind == kind and named


def scores(seeds=SEEDS) -> str:
    """A row per patient."""
    return SCORES_HEADER + "".join(
        f"| `{kind}` | {inspect.getdoc(make)} | {sum(is_first(kind, s) for s in seeds)} of "
        f"{len(seeds)} |\n"
        for kind, (make, *_) in SICK.items()
    )


def at_work() -> dict[str, dict]:
    """What the first block of the page finds."""
    block = re.search(r"```python\n(.*?)```", WORK, re.DOTALL).group(1)
    names: dict = {}
    exec(compile(block, "page", "exec"), names)
    return names["scores"]


if __name__ == "__main__":
    PAGE.write_text(BEGIN + kinds() + WORK + scores())
