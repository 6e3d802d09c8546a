"""The compiled loops beside those of numpy, one by one: ``python -m benchmarks.kernels``."""

from __future__ import annotations

import time

import numpy as np

from skmixed._algebra.kernels import CHOICE, compiled, reference
from skmixed._algebra.plan import Plan
from skmixed._sums.crossprod import CrossProducts, PairSums

REPEATS = 15


def crossed(rng, rows=73_421, levels=(2_972, 1_128)):
    """The sums of two factors that cross at random, one effect each."""
    codes = [rng.integers(0, m, rows) for m in levels]
    sums = tuple(
        np.bincount(c, minlength=m)[None, None].astype(float)
        for c, m in zip(codes, levels, strict=True)
    )
    pairs = {(0, 1): PairSums.from_entries(*codes, np.ones((1, 1, rows)), levels)}
    return CrossProducts(
        float(rows), np.eye(1), sums, pairs, np.zeros(0, dtype=int), 0, ((0,), (0,))
    )


def pairs(rng):
    """What an elimination asks of the pairs of two crossed factors."""
    plan = Plan(crossed(rng))
    (f,) = plan.couplings
    data = plan.couplings[f].data
    M = rng.normal(size=(1, plan.cross.levels[f]))
    entries = rng.normal(size=plan.pattern.length)

    def of(kernels):
        operator = kernels.PairOperator(plan.pattern, f)
        P = operator.at(data)
        return {
            "pairs: plan": lambda: kernels.PairOperator(plan.pattern, f).at(data),
            "pairs: C'MC": lambda: operator.subtract(P, M, entries),
            "pairs: CSC'": lambda: operator.gather(P, entries),
            "pairs: CS": lambda: operator.spread(P, data, entries),
        }

    return of


def level_sums(rng, rows=1_000_000, levels=100_000, width=5):
    """Sums of rows by level, levels in random order."""
    codes = rng.integers(0, levels, rows).astype(np.int32)
    values, table, out = np.ones(rows), rng.normal(size=(rows, width)), np.zeros((levels, width))
    return lambda kernels: {
        "level sums, 1e6 rows": lambda: kernels.level_sums(codes, values, table, out)
    }


def least(call):
    """Least processor time in milliseconds."""
    times = []
    for _ in range(REPEATS):
        start = time.process_time_ns()
        call()
        times.append(time.process_time_ns() - start)
    return min(times) / 1e6


def main():
    """Print the table."""
    rng = np.random.default_rng(0)
    print("| kernel | numpy ms | compiled ms | with AVX2 ms |")
    print("| --- | --: | --: | --: |")
    for of in (pairs(rng), level_sums(rng)):
        slow = {name: least(call) for name, call in of(reference).items()}
        for name, call in of(compiled).items():
            each = []
            for instructions in ("baseline", "best"):
                CHOICE.native.use(instructions)
                each.append(least(call))
            print(f"| {name} | {slow[name]:.2f} | {each[0]:.2f} | {each[1]:.2f} |", flush=True)


if __name__ == "__main__":
    main()
