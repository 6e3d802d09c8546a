"""Figures in words."""

from __future__ import annotations

from html import escape
from typing import Any


def p_value(p: float) -> str:
    """As it is printed."""
    return "p < 0.0001" if p < 1e-4 else f"p = {p:.4f}"


def percent(share: float) -> str:
    """A share; never all or nothing where it is not quite that."""
    value = 100.0 * share
    if 0.0 < value < 0.5:
        return "less than 1 %"
    if 99.5 < value < 100.0:
        return "more than 99 %"
    return f"{value:.0f} %"


def html_of_text(printed: Any) -> str:
    """What notebooks show of a result that is printed in lines: these."""
    return f"<pre style='white-space:pre-wrap'>{escape(repr(printed))}</pre>"
