"""Outcomes, and the page that shows them."""

from __future__ import annotations

import os
import textwrap
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import sklearn

from skmixed import GroupsWarning

from .preparation import STEPS
from .sections import SECTIONS
from .styles import ARGUMENT, NAME, POSITION

PAGE = Path(__file__).parents[2] / "docs" / "sklearn_tools.md"
VERSION = ".".join(sklearn.__version__.split(".")[:2])
PASSES = "passes"
LOST = "groups are lost: `GroupsWarning`"
SILENT = "groups are lost"
SCALED = "passes, but the labels are scaled"
LENGTH = 150

INTRO = f"""# scikit-learn's tools

What the estimators do inside scikit-learn {VERSION}, tried by a test. `python -m tests.sklearn_tools` makes this page again.

- **column**: the groups are a column of X that the model names, `groups="id"`, and nothing else is passed.
- **position**: where that fails because the tool makes an array of X, `groups=-1` and labels that are numbers. Selectors take
  columns away, and a position then means another column: not tried.
- **labels**: they are passed beside X, `groups=g`, to `fit`, `predict` and `score`, or as `params={{"groups": g}}`, with
  `sklearn.set_config(enable_metadata_routing=True)`. No `set_fit_request` is needed.

"passes": without an error, without a warning, and with predictions or scores that used the groups. In short: name a column. Its
name passes everywhere but in tools that make an array of X; there its position does, or labels beside X.
"""
PREPARING = """## Steps before the model

The column of the groups has to arrive at the model: `make_pipeline(step, MixedLinearRegressor(groups="id"))`.
"""


def outcome(run, style) -> str:
    """What happens, in words."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            with sklearn.config_context(enable_metadata_routing=style.passed):
                found = run(style)
        except Exception as error:
            return in_words(error)
    if any(issubclass(w.category, GroupsWarning) for w in caught):
        return LOST
    return PASSES if found is None or found[0] > found[1] else SILENT


def in_words(error: Exception) -> str:
    """The kind of an error and its first line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = textwrap.shorten(lines[0] if lines else "", LENGTH, placeholder=" ...")
    text = text.replace("`", "'").replace("|", "\\|")
    return f"`{type(error).__name__}: {text}`"


def line_of(tool) -> tuple[str, ...]:
    """Name, outcomes by column, by position and by labels, and the way out."""
    by_name = outcome(tool.run, NAME)
    by_position = outcome(tool.run, POSITION) if by_name != PASSES and tool.position else ""
    by_labels = outcome(tool.run, ARGUMENT)
    passes_all = by_name == by_labels == PASSES
    return tool.name, by_name, by_position, by_labels, "" if passes_all else tool.way_out


def line_of_step(step) -> tuple[str, ...]:
    """Name, outcome, and the way out."""
    found = outcome(step.run, replace(NAME, text=step.text))
    if found == PASSES and step.text:
        return step.name, found, ""
    return step.name, SCALED if found == PASSES else found, step.way_out


def table(head: list[str], lines: list[tuple[str, ...]]) -> str:
    rows = [head, ["---"] * len(head), *lines]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows) + "\n"


def sections() -> dict[str, list[tuple[str, ...]]]:
    """All lines, by section."""
    os.environ.setdefault("MPLBACKEND", "Agg")
    np.random.seed(0)
    return {title: [line_of(tool) for tool in tools] for title, tools in SECTIONS.items()}


def page() -> str:
    """The text of the page."""
    parts = [INTRO]
    for title, lines in sections().items():
        parts.append(f"## {title}\n")
        parts.append(table(["tool", "column", "position", "labels", "way out"], lines))
    parts += [
        PREPARING,
        table(["step", "outcome", "way out"], [line_of_step(step) for step in STEPS]),
    ]
    return "\n".join(parts)
