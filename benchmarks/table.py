"""Rows of results, the check that log-likelihoods agree, and the table as markdown and CSV."""

from __future__ import annotations

import csv
from pathlib import Path

from .rounds import Entry

COLUMNS = (
    "case", "engine", "version", "n", "levels", "median_s", "min_s", "loglik", "loglik_difference",
    "ratio_to_skmixed", "runs", "cores", "peak_mb", "agrees", "note",
)  # fmt: skip


def tabulate(case, rows: int, levels: str, entries: list[Entry]) -> list[dict]:
    """Return one row per engine that was asked."""
    best = max((entry.loglik for entry in entries if entry.fits), default=None)
    ours = next((entry.median for entry in entries if entry.engine.name == "skmixed"), None)
    about = {"case": f"{case.name} ({case.criterion})", "n": rows, "levels": levels}
    return [about | row(entry, best, ours, entry.engine.tolerance(case)) for entry in entries]


def row(entry: Entry, best: float | None, ours: float | None, tolerance: float) -> dict:
    """Return the row of one engine; empty fields where it made no fit."""
    start = {"engine": entry.engine.name, "version": entry.about.get("version"), "note": entry.note}
    if not entry.fits:
        return start
    difference = entry.loglik - best
    return start | {
        "median_s": entry.median,
        "min_s": min(entry.seconds),
        "loglik": entry.loglik,
        "loglik_difference": difference,
        "ratio_to_skmixed": entry.median / ours if ours else None,
        "runs": len(entry.fits),
        "cores": entry.cores,
        "peak_mb": entry.peak,
        "agrees": abs(difference) <= tolerance * abs(best),
    }


def disagreements(rows: list[dict]) -> list[str]:
    """Say in words which log-likelihoods fall short of the best of their case."""
    return [
        f"{row['case']}: {row['engine']} ends {-row['loglik_difference']:.4g} "
        "below the best log-likelihood"
        for row in rows
        if row.get("agrees") is False
    ]


FORMATS = {
    "n": "{:,}",
    "median_s": "{:.4g}",
    "min_s": "{:.4g}",
    "loglik": "{:.4f}",
    "loglik_difference": "{:.1e}",
    "ratio_to_skmixed": "{:.1f}",
    "cores": "{:.1f}",
    "peak_mb": "{:,.0f}",
}


def cell(row: dict, name: str) -> str:
    """Return one cell of the markdown table."""
    value = row.get(name)
    text = "" if value is None else FORMATS.get(name, "{}").format(value)
    return text.replace("|", "\\|")


def markdown(rows: list[dict]) -> str:
    """Return the rows as a markdown table."""
    names = [name for name in COLUMNS if name != "agrees"]
    lines = [names, ["---"] * len(names)] + [[cell(row, name) for name in names] for row in rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def write_csv(rows: list[dict], path: Path) -> None:
    """Write the rows with all their digits."""
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
