"""
A data set larger than memory
=============================

How do the wages of twenty million people depend on their skills, and on which of a hundred thousand
firms they work for, on a machine that cannot hold them?

The data are simulated and written to disk, a folder a year.  Then another process fits them under
a limit of memory that is smaller than the data: it reads the files part by part, and keeps sums.
With ``--rows 1e8 --firms 1e6 --limit 2048`` it is the same at five times the size, and needs 8 GB
of disk.  The limit is one of Linux.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

MIB = 2**20
YEARS = range(2001, 2011)
SKILLS = [f"skill_{k}" for k in range(6)]


def simulate(folder: Path, rows: int, firms: int) -> int:
    """Write the data, a folder a year; returns the bytes that they take in memory."""
    of_firms = 0.5 * np.random.default_rng(0).normal(size=firms)
    size = 0
    for year in YEARS:
        rng = np.random.default_rng(year)
        n = rows // len(YEARS)
        firm = rng.integers(0, firms, n)
        columns = {skill: rng.normal(size=n) for skill in SKILLS}
        columns["experience"] = rng.uniform(0, 40, n)
        columns["firm"] = firm
        columns["wage"] = (
            2.0
            + 0.1 * sum(columns[skill] for skill in SKILLS)
            + 0.02 * columns["experience"]
            + of_firms[firm]
            + rng.normal(size=n)
        )
        table = pa.table(columns)
        size += table.nbytes
        (folder / f"year={year}").mkdir()
        pq.write_table(table, folder / f"year={year}" / "rows.parquet", row_group_size=1 << 18)
    return size


def fit(folder: Path) -> None:
    """The model, from rows that are read part by part."""
    from skmixed import MixedLinearRegressor, chunks

    rows = chunks(folder, columns=[*SKILLS, "experience", "year", "firm"])
    model = MixedLinearRegressor(groups="firm", verbose=1).fit(rows, "wage")
    print(model.results_.coef_table().iloc[:, :2].round(5))
    print(f"variance of firms {model.covariances_[0][0, 0]:.4f}, within them {model.scale_:.4f}")


def fit_within(limit: int, folder: Path) -> None:
    """The same, where all that this process and its libraries allocate stays below a limit."""
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    fit(folder)
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(f"memory, programs included: {used / MIB:,.0f} MiB")


def main() -> None:
    parser = argparse.ArgumentParser(description="Fit a data set larger than memory.")
    parser.add_argument("--rows", type=float, default=2e7)
    parser.add_argument("--firms", type=float, default=1e5)
    parser.add_argument("--limit", type=int, default=1024, help="MiB that the fit may allocate")
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.folder is not None:
        fit_within(asked.limit * MIB, asked.folder)
        return
    with tempfile.TemporaryDirectory() as name:
        size = simulate(Path(name), int(asked.rows), int(asked.firms))
        print(f"{asked.rows:,.0f} rows: {size / MIB:,.0f} MiB;  limit: {asked.limit:,} MiB")
        again = [sys.executable, __file__, "--folder", name, "--limit", str(asked.limit)]
        # Arrow's own allocators reserve a GiB that they do not use, which the limit would count
        subprocess.run(again, check=True, env=os.environ | {"ARROW_DEFAULT_MEMORY_POOL": "system"})


if __name__ == "__main__":
    main()
