"""Time skmixed and its peers: ``python -m benchmarks.run --peers-python PEERS/bin/python``."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from . import columns, machine, table
from .cases import CASES
from .engines import ENGINES
from .rounds import Entry, Plan, compare


def names(known) -> type:
    """Return a parser of comma-separated names."""

    def parse(text):
        wanted = text.split(",")
        unknown = [name for name in wanted if name not in known]
        if unknown:
            raise argparse.ArgumentTypeError(
                f"unknown: {', '.join(unknown)}; known: {', '.join(known)}"
            )
        return wanted

    return parse


def arguments(argv=None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description=__doc__)
    parser.add_argument(
        "--cases", type=names(CASES), default=list(CASES), help="comma-separated, default all"
    )
    parser.add_argument(
        "--engines", type=names(ENGINES), default=list(ENGINES), help="comma-separated, default all"
    )
    parser.add_argument("--repeats", type=int, default=5, help="timed fits per engine")
    parser.add_argument(
        "--long-repeats", type=int, default=2, help="the same for fits over 20 seconds"
    )
    parser.add_argument(
        "--limit", type=float, default=300, help="seconds after which a fit is given up"
    )
    parser.add_argument(
        "--peers-python", default=sys.executable, help="the interpreter with the Python peers"
    )
    parser.add_argument("--rscript", default="Rscript")
    parser.add_argument(
        "--output", type=Path, default=Path("benchmark"), help="written as .md and .csv"
    )
    return parser.parse_args(argv)


def levels(case, frame) -> str:
    """Return the number of levels of every factor: ``2972+1128``."""
    return "+".join(str(frame[factor].nunique()) for factor in case.factors)


def time_case(case, engines, plan: Plan) -> tuple[list[dict], list[Entry]]:
    """Write the data, let the engines take turns and return the rows."""
    frame = case.data()
    with tempfile.TemporaryDirectory() as folder:
        columns.write(frame, Path(folder))
        size, sizes = len(frame), levels(case, frame)
        del frame
        entries = compare(case, size, Path(folder), engines, plan)
    return table.tabulate(case, size, sizes, entries), entries


def main(argv=None) -> int:
    """Run the cases; 1 when skmixed is part of a disagreement about a log-likelihood."""
    options = arguments(argv)
    plan = Plan(
        options.repeats, options.long_repeats, limit=options.limit,
        peers_python=options.peers_python, rscript=options.rscript,
    )  # fmt: skip
    engines, rows, entries, others = [ENGINES[name] for name in options.engines], [], [], {}
    for name in options.cases:
        with machine.Others() as used:
            new, entries_of_case = time_case(CASES[name], engines, plan)
        others[name] = used.cores
        rows, entries = rows + new, entries + entries_of_case
        print(table.markdown(new), flush=True)
        report(rows, machine.describe(entries, others), options.output)
    problems = table.disagreements(rows)
    print("\n".join(problems))
    return int(any(": skmixed " in problem for problem in problems))


def report(rows, surroundings: str, output: Path) -> None:
    """Write the table and the CSV, after every case so that nothing is lost."""
    problems = (
        "\n".join(f"- {line}" for line in table.disagreements(rows)) or "All log-likelihoods agree."
    )
    output.with_suffix(".md").write_text(
        "\n".join([table.markdown(rows), problems, "", surroundings])
    )
    table.write_csv(rows, output.with_suffix(".csv"))


if __name__ == "__main__":
    sys.exit(main())
