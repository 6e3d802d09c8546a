"""Estimators in notebooks: scikit-learn's diagram, and the variances below it once they are
known.
"""

from __future__ import annotations

from html import escape
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from .._report.names import Names

HEADERS = ("factor", "effect", "variance", "sd or correlation")
STYLE = (
    "<style>.skmixed-variances{border-collapse:collapse;margin:.6em 0;font-size:.9em}"
    ".skmixed-variances caption{caption-side:top;text-align:left;padding:.2em 0}"
    ".skmixed-variances th,.skmixed-variances td{padding:.15em .8em .15em 0;text-align:left;"
    "border:0;border-bottom:1px solid rgba(128,128,128,.35)}"
    ".skmixed-variances .number{text-align:right;font-variant-numeric:tabular-nums}</style>"
)


class ShowsVariances(BaseEstimator):
    """Adds the table to what scikit-learn shows."""

    def _repr_html_inner(self) -> str:
        return super()._repr_html_inner() + self._variances_html()

    def _repr_mimebundle_(self, **options: Any) -> dict[str, str]:
        found = super()._repr_mimebundle_(**options)
        if "text/html" in found:
            found["text/html"] += self._variances_html()
        return found

    def _variances_html(self) -> str:
        """The table; nothing before the fit."""
        found = vars(self).get("results_")
        if found is None:
            return ""
        fit = found.fitted.fit
        residual = float(self.scale_) if fit.family.has_residual else None
        rows = variance_rows(found.fitted.names, fit.covariances, residual)
        return table_html(found.fitted.names.notation, rows)


def variance_rows(names: Names, covariances: list[np.ndarray], residual: float | None) -> list:
    """Factor, effects, variance or covariance, and its root or the correlation."""
    rows = []
    for k, S in enumerate(covariances):
        sd = np.sqrt(np.diag(S))
        for r, c in zip(*np.tril_indices(len(S)), strict=True):
            factor, first, second = names.entry(k, r, c)
            scale = sd[r] * sd[c]
            size = sd[r] if r == c else S[r, c] / scale if scale > 0 else np.nan
            rows.append((factor, first if r == c else f"{first}, {second}", S[r, c], size))
    if residual is not None:
        rows.append(("Residual", "", residual, np.sqrt(residual)))
    return rows


def table_html(caption: str, rows: list) -> str:
    """A small table."""
    head = "".join(f"<th{_number(k)}>{name}</th>" for k, name in enumerate(HEADERS))
    body = "".join(f"<tr>{''.join(_cells(row))}</tr>" for row in rows)
    return (
        f'{STYLE}<table class="skmixed-variances"><caption>{escape(caption)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    )


def _cells(row):
    texts = [escape(str(value)) for value in row[:2]] + [f"{value:.4g}" for value in row[2:]]
    return [f"<td{_number(k)}>{text}</td>" for k, text in enumerate(texts)]


def _number(column):
    return ' class="number"' if column > 1 else ""
