"""Tables by term that say what they are."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np
import pandas as pd

from ..._report.tables import WholeTable


class TermTable(WholeTable):
    """A table with a row for every term, and sentences about it.

    Made by :func:`anova` and :func:`drop_one`.  Slices and copies of it are plain DataFrames.

    Attributes
    ----------
    title : str
        What was done.
    notes : tuple of str
        What else is to be known.
    """

    _metadata = ["title", "notes"]

    def __repr__(self):
        figures = self._figures()
        if not len(figures):
            return "There is no term to test: the fixed effects are an intercept at most."
        printed = figures.to_string(formatters=_formatters(figures), na_rep="")
        return "\n".join([self.title, printed, *self._below()])

    def _figures(self):
        """All but the notes on rows, which are printed below."""
        return pd.DataFrame(self).drop(columns="note", errors="ignore")

    def _below(self):
        """Notes on rows, and on all of it."""
        rows = self["note"].items() if "note" in self else ()
        return [*(f"{name}: {note}." for name, note in rows if note), *self.notes]

    def _repr_html_(self):
        figures = self._figures()
        table = figures.to_html(formatters=_formatters(figures), na_rep="", border=0)
        notes = "".join(f"<p>{escape(note, quote=False)}</p>" for note in self._below())
        return f"<p>{escape(self.title, quote=False)}</p>{table}{notes}"


def term_table(columns: Any, names: Sequence[str], title: str, notes: Sequence[str]) -> TermTable:
    """A table by term; columns of empty notes are left out."""
    out = TermTable(columns)
    out.index = pd.Index(list(names))
    if "note" in out and not out["note"].any():
        del out["note"]
    out.title = title
    out.notes = tuple(notes)
    return out


def _formatters(table):
    found = {name: _decimals(3) for name in table if table[name].dtype.kind == "f"}
    found |= {name: _probability for name in table if name.startswith("p_value")}
    return found | {name: _count for name in table if name.endswith("df")}


def _decimals(places):
    return lambda value: "" if np.isnan(value) else f"{value:.{places}f}"


def _probability(value):
    if np.isnan(value):
        return ""
    return "< 0.0001" if value < 1e-4 else f"{value:.4f}"


def _count(value):
    """Degrees of freedom."""
    if np.isnan(value):
        return ""
    return f"{value:g}" if float(value).is_integer() or np.isinf(value) else f"{value:.2f}"
