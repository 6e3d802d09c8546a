"""Show that optimisation does not get slower with more rows: ``python -m benchmarks.scaling``.

The model ``y ~ x1 + x2 + (1 + x1 | g)`` is fitted to more and more rows, first with 1,000 groups
throughout, then with a group for every ten rows.  A fit is split into the pass over the rows that
makes the cross-products, the optimisation, which sees cross-products only, and the rest:
validation, encoding of the labels, centring, results.
"""

from __future__ import annotations

import argparse
import csv
import time
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from statistics import median_low
from unittest.mock import patch

import numpy as np

from .cases import SEED, correlated_slopes

SECONDS = ("total_s", "cross_products_s", "optimisation_s", "rest_s")
COLUMNS = ("rows", "groups", "evaluations", *SECONDS, "ms_per_evaluation")
GROUPS = {"fixed": lambda rows: 1_000, "growing": lambda rows: rows // 10}


@contextmanager
def stopwatch(module, name, seconds: Counter):
    """Add the time spent in a function of a module to ``seconds[name]``."""
    function = getattr(module, name)

    def timed(*args, **kwargs):
        start = time.perf_counter()
        result = function(*args, **kwargs)
        seconds[name] += time.perf_counter() - start
        return result

    with patch.object(module, name, timed):
        yield


def split_fit(X, y) -> dict:
    """Fit once and return the seconds of the parts and the number of evaluations."""
    from skmixed import MixedLinearRegressor, linear
    from skmixed._sums import design

    model, seconds = MixedLinearRegressor(random_effects="(1 + x1 | g)", method="ml"), Counter()
    with stopwatch(design, "cross_products", seconds), stopwatch(linear, "fit_linear", seconds):
        start = time.perf_counter()
        model.fit(X, y)
        total = time.perf_counter() - start
    parts = seconds["cross_products"], seconds["fit_linear"]
    return dict(
        evaluations=model.n_iter_,
        total_s=total,
        cross_products_s=parts[0],
        optimisation_s=parts[1],
        rest_s=total - sum(parts),
        ms_per_evaluation=1e3 * parts[1] / model.n_iter_,
    )


def measure(rows: int, groups: int, repeats: int) -> dict:
    """Return the medians of some fits, after one that does not count."""
    frame = correlated_slopes(np.random.default_rng(SEED), rows, groups)
    X, y = frame[["x1", "x2", "g"]], frame["y"]
    fits = [split_fit(X, y) for _ in range(repeats + 1)][1:]
    return {"rows": rows, "groups": groups} | {
        name: median_low(fit[name] for fit in fits) for name in fits[0]
    }


def line(row: dict) -> str:
    """Return one line of the markdown table."""
    cells = [f"{row[name]:,}" if name in COLUMNS[:3] else f"{row[name]:.4g}" for name in COLUMNS]
    return "| " + " | ".join(cells) + " |"


def main(argv=None) -> None:
    """Print the table, and write it as CSV when asked to."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.scaling", description=__doc__.splitlines()[0]
    )
    parser.add_argument(
        "--rows",
        type=lambda text: [int(float(n)) for n in text.split(",")],
        default="1e4,1e5,1e6,1e7",
    )
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--output", type=Path, help="a CSV file")
    options = parser.parse_args(argv)
    print("| " + " | ".join(COLUMNS) + " |\n" + "| --- " * len(COLUMNS) + "|")
    rows = []
    for groups in GROUPS.values():
        for n in options.rows:
            rows.append(measure(n, groups(n), options.repeats))
            print(line(rows[-1]), flush=True)
    if options.output:
        write(rows, options.output)


def write(rows: list[dict], path: Path) -> None:
    """Write the rows with all their digits."""
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
