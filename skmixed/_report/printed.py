"""A statsmodels Summary whose names and notes are safe in HTML and LaTeX."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from html import escape

from statsmodels.iolib.summary import Summary

LATEX = str.maketrans(
    {c: f"\\{c}" for c in "&%$#_{}"}
    | {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    | {"<": "$<$", ">": "$>$", "|": "$|$"}
)


class PrintedSummary(Summary):
    """Tables of one width, and notes below them."""

    def __init__(self, blocks, notes, least_width):
        own = [block.width for block in blocks]
        width = max(least_width, *own)
        pairs = zip(blocks, own, strict=True)
        self._blocks = blocks
        self._first_columns = [block.first_column(width - wide) for block, wide in pairs]
        self.add_extra_txt(notes)

    @cached_property
    def tables(self):
        """As statsmodels has them, made when they are asked for."""
        return [block.table(first) for block, first in self._placed()]

    def _placed(self):
        return zip(self._blocks, self._first_columns, strict=True)

    def as_text(self):
        """Tables as text, and the notes below them."""
        if "tables" in vars(self):  # which may have been changed
            return super().as_text()
        lines = [line for block, first in self._placed() for line in block.lines(first)]
        return "\n".join([*lines, "=" * len(lines[-1]), "", self.extra_txt])

    def as_html(self):
        """Tables as HTML."""
        plain = Summary()
        plain.tables = [_escaped(block).table() for block in self._blocks]
        plain.extra_txt = escape(self.extra_txt, quote=False)
        return plain.as_html()

    def as_latex(self):
        """Tables as LaTeX, the title above them."""
        plain = Summary()
        plain.tables = self.tables
        plain.extra_txt = self.extra_txt.translate(LATEX)
        start = "\\begin{center}\n"
        title = self._blocks[0].title.translate(LATEX)
        return plain.as_latex().replace(start, f"{start}\\textbf{{{title}}}\n\n", 1)


def _escaped(block):
    """The same block with what HTML would read as tags written out."""

    def each(cells):
        return cells and [escape(cell, quote=False) for cell in cells]

    return replace(
        block,
        data=[each(row) for row in block.data],
        stubs=each(block.stubs),
        headers=each(block.headers),
        title=block.title and escape(block.title, quote=False),
    )
