"""A table of words in several formats: a heading, parts with their rows, notes below."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from typing import NamedTuple

#: what LaTeX reads as something else
LATEX = str.maketrans(
    {c: f"\\{c}" for c in "&%$#_{}"}
    | {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    | {"<": "$<$", ">": "$>$", "|": "$|$", "²": "$^2$"}
)

TITLE = "text-align: left; border-top: 1px solid; padding-top: 0.4em"  # of a part in HTML


class Part(NamedTuple):
    """Rows under a title; the first cell of a row is its name."""

    title: str
    rows: Sequence[Sequence[str]]


class Grid(NamedTuple):
    """Words in rows and columns.

    Attributes
    ----------
    heading : names of the columns; of the first it is empty
    parts : the rows
    notes : sentences below
    """

    heading: Sequence[str]
    parts: Sequence[Part]
    notes: Sequence[str]


def as_text(grid: Grid) -> str:
    """Columns side by side, with lines between the parts."""
    rows = [grid.heading, *(row for part in grid.parts for row in part.rows)]
    widths = [max(len(row[k]) for row in rows) for k in range(len(grid.heading))]
    widths[0] = max(widths[0], *(len(part.title) for part in grid.parts))
    line = "-" * (sum(widths) + 2 * (len(widths) - 1))

    def printed(row):
        first, *cells = row
        padded = [cell.rjust(width) for cell, width in zip(cells, widths[1:], strict=True)]
        return "  ".join([first.ljust(widths[0]), *padded]).rstrip()

    found = [line.replace("-", "="), printed(grid.heading)]
    for part in grid.parts:
        found += [line, part.title, *map(printed, part.rows)]
    return "\n".join([*found, line.replace("-", "="), *grid.notes])


def as_markdown(grid: Grid) -> str:
    """A table of GitHub's Markdown."""

    def printed(row):
        return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |"

    rule = f"|:--{'|--:' * (len(grid.heading) - 1)}|"
    found = [printed(grid.heading), rule]
    for part in grid.parts:
        found.append(printed([f"**{part.title}**", *[""] * (len(grid.heading) - 1)]))
        found += map(printed, part.rows)
    return "\n".join([*found, *(f"\n{note}" for note in grid.notes)])


def as_html(grid: Grid) -> str:
    """A table with a head and one body for each part."""

    def printed(row, tag):
        first, *cells = (escape(cell, quote=False) for cell in row)
        rest = "".join(f'<{tag} style="text-align: right">{cell}</{tag}>' for cell in cells)
        return f'<tr><{tag} style="text-align: left">{first}</{tag}>{rest}</tr>'

    found = ["<table>", f"<thead>{printed(grid.heading, 'th')}</thead>"]
    for part in grid.parts:
        title = f'<th colspan="{len(grid.heading)}" style="{TITLE}">{escape(part.title)}</th>'
        found += [f"<tbody><tr>{title}</tr>", *(printed(row, "td") for row in part.rows)]
        found.append("</tbody>")
    notes = [f"<p>{escape(note, quote=False)}</p>" for note in grid.notes]
    return "\n".join([*found, "</table>", *notes])


def as_latex(grid: Grid) -> str:
    """A tabular, which needs no package."""

    def printed(row):
        return f"{' & '.join(cell.translate(LATEX) for cell in row)} \\\\"

    columns = f"l{'r' * (len(grid.heading) - 1)}"
    found = [f"\\begin{{tabular}}{{{columns}}}", "\\hline", printed(grid.heading)]
    for part in grid.parts:
        title = part.title.translate(LATEX)
        found += ["\\hline", f"\\multicolumn{{{len(columns)}}}{{l}}{{\\textit{{{title}}}}} \\\\"]
        found += map(printed, part.rows)
    notes = [f"\\par {note.translate(LATEX)}" for note in grid.notes]
    return "\n".join([*found, "\\hline", "\\end{tabular}", *notes])


#: by the names that a user may give
FORMATS: dict[str, Callable[[Grid], str]] = {
    "text": as_text,
    "markdown": as_markdown,
    "html": as_html,
    "latex": as_latex,
}
