"""A search over random effects: ``python -m benchmarks.searching [--rounds 5]``.

Twenty structures of the random effects of nlswork (28,510 rows of 4,710 women), each fitted to and
scored on five folds by scikit-learn's GridSearchCV.  The rest is what scikit-learn does: it takes
the rows of every fold, copies the estimator, collects the scores.  Below it what the fits and
scores are made of, one by one on the first fold: the fastest of some calls, in turns.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable
from statistics import median

import numpy as np
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, KFold

from skmixed import MixedLinearRegressor

from .cases import wages

TERMS = (
    "(1 | idcode)",
    "(1 + ttl_exp | idcode)",
    "(1 + age | idcode)",
    "(1 + ttl_exp || idcode)",
    "(1 + age || idcode)",
    "(1 + ttl_exp + age | idcode)",
    "(1 + ttl_exp + age || idcode)",
    "(0 + ttl_exp | idcode)",
    "(0 + age | idcode)",
    "(0 + ttl_exp + age | idcode)",
)
COLUMNS = ["ttl_exp", "race2", "race3", "age", "idcode"]


def folds() -> KFold:
    """Five, in which most women have rows on both sides."""
    return KFold(5, shuffle=True, random_state=0)


def searched(X, y) -> dict[str, float]:
    """Seconds of one search: of all, of the fits, of the scores."""
    search = GridSearchCV(
        MixedLinearRegressor(groups="idcode"),
        {"random_effects": TERMS, "method": ["reml", "ml"]},
        cv=folds(),
        refit=False,
    )
    wall, cpu = time.perf_counter(), time.process_time()
    search.fit(X, y)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    parts = {
        name: float(np.sum(search.cv_results_[f"mean_{name}_time"])) * search.n_splits_
        for name in ("fit", "score")
    }
    return {"wall": wall, "cpu": cpu, **parts, "rest": wall - sum(parts.values())}


def steps(X, y) -> dict[str, Callable]:
    """What a search is made of."""
    train, test = next(folds().split(X))
    own, target = X.iloc[train], y.iloc[train]
    rows, outcome = X.iloc[test], y.iloc[test]
    calls: dict[str, Callable] = {}
    for terms in (TERMS[0], TERMS[1], TERMS[5]):
        model = MixedLinearRegressor(random_effects=terms)
        calls[f"fit {terms}"] = lambda model=model: model.fit(own, target)
    model = MixedLinearRegressor(random_effects=TERMS[1]).fit(own, target)
    calls["predict"] = lambda: model.predict(rows)
    calls["score"] = lambda: model.score(rows, outcome)
    calls["clone"] = lambda: clone(model)
    calls["rows of a fold"] = lambda: (X.iloc[train], y.iloc[train])
    return calls


def fastest(calls: dict[str, Callable], rounds: int) -> dict[str, float]:
    """Milliseconds of processor time."""
    found = dict.fromkeys(calls, np.inf)
    for _ in range(10 * rounds):
        for name, call in calls.items():
            start = time.process_time()
            call()
            found[name] = min(found[name], 1e3 * (time.process_time() - start))
    return found


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    data = wages(None)
    X, y = data[COLUMNS], data["ln_wage"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        searches = [searched(X, y) for _ in range(given.rounds)]
        single = fastest(steps(X, y), given.rounds)
    print("| seconds of a search | median | fastest |\n|---|---:|---:|")
    for name in searches[0]:
        values = [one[name] for one in searches]
        print(f"| {name} | {median(values):.2f} | {min(values):.2f} |")
    print("\n| one step | ms |\n|---|---:|")
    for name, value in single.items():
        print(f"| {name} | {value:.2f} |")


if __name__ == "__main__":
    main()
