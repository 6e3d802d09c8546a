"""One row served: ``python -m benchmarks.serving [--write docs/serving.md]``.

Microseconds of ``predict`` for a frame of one row, beside scikit-learn's LinearRegression on the
same frame, the models in turns, so that a machine that is busy for a while is so for all of them.
Each figure is the fastest of some rounds; the ratio is the median of the rounds' ratios.  With
``--write`` the table replaces the one between the marks of a page.
"""

from __future__ import annotations

import argparse
import re
import timeit
import warnings
from pathlib import Path
from statistics import median

from sklearn.linear_model import LinearRegression

from skmixed import MixedLinearRegressor, MixedLogisticClassifier
from skmixed.datasets import make_mixed_regression

START, END = "<!-- one row: start -->", "<!-- one row: end -->"
REFERENCE = "LinearRegression of scikit-learn"


def calls() -> dict:
    """What is timed, by its name: a model of 1,000 groups asked for one row."""
    X, y = make_mixed_regression(n_groups=1000, rows_per_group=10, random_state=0)
    outcome = (y > 0).astype(int)
    row = X.iloc[[3]]
    plain, label = row[["x0", "x1"]], row["group"]
    reference = LinearRegression().fit(X, y)
    columns = MixedLinearRegressor(groups="group").fit(X, y)
    argument = MixedLinearRegressor().fit(X[["x0", "x1"]], y, groups=X["group"])
    formula = MixedLinearRegressor(formula="x0 + np.exp(x1) + (1 + x0 | group)").fit(X, y)
    classifier = MixedLogisticClassifier(groups="group").fit(X, outcome)
    array = plain.to_numpy()
    return {
        REFERENCE: lambda: reference.predict(row),
        "group in a column": lambda: columns.predict(row),
        "group as an argument": lambda: argument.predict(plain, groups=label),
        "group as an argument, X an array": lambda: argument.predict(array, groups=[3]),
        "a formula with a random slope": lambda: formula.predict(row),
        "a mean with its standard error": lambda: columns.predict(row, return_std=True),
        "a prediction interval": lambda: columns.predict_interval(row),
        "a probability": lambda: classifier.predict_proba(row),
    }


def measured(rounds: int, repeats: int) -> dict[str, list[float]]:
    """Microseconds of every call in every round."""
    named = calls()
    times: dict[str, list[float]] = {name: [] for name in named}
    for _ in range(rounds):
        for name, call in named.items():
            call()
            times[name].append(timeit.timeit(call, number=repeats) / repeats * 1e6)
    return times


def table(times: dict[str, list[float]]) -> str:
    """Rows of Markdown."""
    lines = ["| one row | microseconds | times LinearRegression |", "|---|---:|---:|"]
    for name, own in times.items():
        pairs = zip(own, times[REFERENCE], strict=True)
        ratio = median(a / b for a, b in pairs)
        lines.append(f"| {name} | {min(own):,.0f} | {ratio:.1f} |")
    return "\n".join(lines)


def main() -> None:
    """Print the table, or write it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--repeats", type=int, default=100)
    parser.add_argument("--write", type=Path, help="a page with the marks")
    given = parser.parse_args()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = table(measured(given.rounds, given.repeats))
    print(found)
    if given.write:
        text = given.write.read_text()
        block = f"{START}\n\n{found}\n\n{END}"
        pattern = f"{re.escape(START)}.*?{re.escape(END)}"
        given.write.write_text(re.sub(pattern, lambda _: block, text, flags=re.DOTALL))


if __name__ == "__main__":
    main()
