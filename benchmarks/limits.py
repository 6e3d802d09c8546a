"""The least time that this machine could need: ``python -m benchmarks.limits --times report.csv``.

A limit counts only what no program can leave out, on one core: the columns leave the table, every
row is read once from memory, and every evaluation of the likelihood visits what it depends on.  For
a linear model that is the levels; for a logistic one all rows, four times for the conditional
modes and the deviance, once more with three times the work for the derivatives, and once per node
of a quadrature; for crossed factors a dense Cholesky factor and its inverse.  How often the
likelihood is evaluated is taken from the fit.  Rates are measured where it starts; what one visit
of a row costs is the best that was seen of a compiled loop.
"""

from __future__ import annotations

import argparse
import csv
import time
from pathlib import Path

import numpy as np
from scipy.linalg import lapack

from .adapters import arrange_skmixed, fit_skmixed, fit_skmixed_logistic
from .cases import CASES

ROW = 5e-9  # seconds for the exponential and the logarithm of a row, and what is made of them
VISITS = 7  # of every row in an evaluation by Laplace: four, and one of three times the work
SLOPE = 13e-9  # seconds more for a row with a second effect
LEVEL = 5e-9  # seconds of a level of a linear model with one effect
SPARSE = 30e-9  # seconds of a pair of levels that meet
REPEATS = 7


def least(call) -> float:
    """Least seconds of a call."""
    seconds = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def bandwidth() -> float:
    """Bytes per second that one core reads from memory."""
    column = np.ones(1 << 25)
    return column.nbytes / least(column.sum)


def dense(order: int) -> float:
    """Seconds of a Cholesky factor of a dense matrix and its inverse."""
    matrix = np.asfortranarray(np.eye(order) + 1e-3)

    def both():
        chol, _ = lapack.dpotrf(matrix, lower=1)
        lapack.dpotri(chol, lower=1)

    return least(both) if order > 1 else 0.0


def read(X, y, speed) -> float:
    """Seconds until the columns are arrays and were read once."""
    columns = [*(X[name] for name in X), y]
    size = sum(column.to_numpy().nbytes for column in columns)
    return least(lambda: [column.to_numpy() for column in columns]) + size / speed


def crossing(case, frame) -> tuple[int, int]:
    """Levels, and pairs of them, of the factors that cross the largest one."""
    counts = {name: frame[name].nunique() for name in case.factors}
    largest = max(counts, key=counts.get)
    others = [name for name in counts if name != largest]
    pairs = {name: len(frame[[largest, name]].drop_duplicates()) for name in others}
    crossed = [name for name in others if pairs[name] > counts[largest]]
    return sum(counts[name] for name in crossed), sum(pairs[name] for name in crossed)


def evaluation(case, frame) -> float:
    """Seconds of one evaluation of the likelihood."""
    order, pairs = crossing(case, frame)
    seconds = dense(order) + SPARSE * pairs
    if case.family == "gaussian":
        levels = sum(frame[name].nunique() for name in case.factors)
        return seconds + LEVEL * levels * (3 if case.has_slopes else 1)
    nodes = case.points if case.points > 1 else 0
    return seconds + len(frame) * (ROW * (VISITS + nodes) + SLOPE * case.has_slopes)


def limit(case, speed) -> tuple[float, int]:
    """Seconds of a fit, and its evaluations."""
    frame = case.data()
    X, y = arrange_skmixed(case, frame)
    fit = fit_skmixed if case.family == "gaussian" else fit_skmixed_logistic
    count = fit(case, X, y).n_iter_
    return read(X, y, speed) + count * evaluation(case, frame), count


def times(path) -> dict[str, float]:
    """Median seconds of skmixed in a report of ``benchmarks.run``, by case."""
    if path is None:
        return {}
    with path.open() as file:
        rows = [row for row in csv.DictReader(file) if row["engine"] == "skmixed"]
    return {row["case"].split(" ")[0]: float(row["median_s"]) for row in rows}


def main() -> None:
    """Print a table of limits, and how far from them a report is."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--cases", default=",".join(CASES))
    parser.add_argument(
        "--times", type=Path, nargs="*", default=[], help="reports, the older first"
    )
    options = parser.parse_args()
    reports = [times(path) for path in options.times]
    speed = bandwidth()
    print(f"memory is read at {speed / 1e9:.1f} GB/s; a dense matrix of 1,128: {dense(1128):.3f} s")
    print("case, evaluations, limit in ms, and for every report ms and its multiple of the limit")
    for name in options.cases.split(","):
        seconds, count = limit(CASES[name], speed)
        known = [report[name] for report in reports if name in report]
        found = " ".join(f"| {1e3 * t:.4g} | {t / seconds:.3g}" for t in known)
        print(f"| `{name}` | {count} | {1e3 * seconds:.3g} {found} |", flush=True)


if __name__ == "__main__":
    main()
