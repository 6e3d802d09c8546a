"""The table of kinds in the documentation: ``python -m tests.diagnostics.table`` writes it."""

from pathlib import Path

from skmixed.diagnostics._doctor.kinds import KINDS

PAGE = Path(__file__).parents[2] / "docs" / "diagnosis.md"
HEADER = """| kind | meaning | what to do |
|---|---|---|
"""
TEXT = """# What the doctor finds

`skmixed.diagnose(model)` looks for these kinds of trouble. Causes stand before what follows from them, in this table as in a report:
a finding that may follow from one above it becomes a note and says so.

A *problem* makes estimates meaningless, a *warning* makes them doubtful, a *note* is worth knowing. Findings need a small p-value,
corrected for the number of columns and factors that are examined, and an effect that matters: a large table makes everything
significant. What depends on one row or one level alone is reported as such, not as a curve or a varying slope.

"""


def table() -> str:
    """A row per kind."""
    rows = [(f"`{k.name}`", k.meaning, k.advice.replace("|", "\\|")) for k in KINDS]
    return HEADER + "".join(f"| {' | '.join(row)} |\n" for row in rows)


if __name__ == "__main__":
    PAGE.write_text(TEXT + table())
