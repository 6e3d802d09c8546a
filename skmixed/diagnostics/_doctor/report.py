"""Findings, and the report they make."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from html import escape

import pandas as pd

WIDTH = 88
COLUMNS = ("kind", "severity", "where", "evidence", "advice")


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, or worth a look.

    Attributes
    ----------
    kind : str
        One word, explained in the user guide.
    severity : {"note", "warning", "problem"}
        A problem makes estimates meaningless, a warning makes them doubtful.
    where : str
        Names of the columns, factors, levels or rows concerned.
    evidence, advice : str
        Figures that say so, and what to do.

    Examples
    --------
    >>> from skmixed.diagnostics import Finding
    >>> Finding("few_levels", "warning", "lab", "4 levels.", "Use C(lab).").where
    'lab'
    """

    kind: str
    severity: str
    where: str
    evidence: str
    advice: str


@dataclass(frozen=True)
class Diagnosis:
    """What :func:`~skmixed.diagnose` has found, most severe first; iterates over its findings.

    Attributes
    ----------
    findings : tuple of Finding
    model : str
        The model in lme4's notation.
    examined : int
        Number of kinds that were looked for.
    failed : tuple of str
        Kinds that could not be, with the reason.
    rows : str
        How many rows were looked at, where these are not all.

    Examples
    --------
    >>> from skmixed import MixedLinearRegressor, diagnose
    >>> from skmixed.datasets import make_mixed_regression
    >>> X, y = make_mixed_regression(random_state=0)
    >>> report = diagnose(MixedLinearRegressor(groups="group").fit(X, y))
    >>> report.findings[0].kind
    'omitted_slope'
    """

    findings: tuple[Finding, ...]
    model: str
    examined: int
    failed: tuple[str, ...] = ()
    rows: str = ""

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.findings)

    def __len__(self) -> int:
        return len(self.findings)

    def to_frame(self) -> pd.DataFrame:
        """The findings as a table.

        Returns
        -------
        DataFrame
            ``kind, severity, where, evidence, advice``, a row per finding.

        Examples
        --------
        >>> from skmixed import MixedLinearRegressor, diagnose
        >>> from skmixed.datasets import make_mixed_regression
        >>> X, y = make_mixed_regression(random_state=0)
        >>> diagnose(MixedLinearRegressor(groups="group").fit(X, y)).to_frame().columns.to_list()
        ['kind', 'severity', 'where', 'evidence', 'advice']
        """
        return pd.DataFrame([asdict(finding) for finding in self], columns=list(COLUMNS), dtype=str)

    @property
    def _heading(self):
        if not self.findings:
            return f"Nothing found: {self.examined} kinds of trouble were looked for."
        counts = pd.Series([finding.severity for finding in self]).value_counts(sort=False)
        words = ", ".join(f"{n} {kind}{'s' if n > 1 else ''}" for kind, n in counts.items())
        return f"{words}, most severe first."

    @property
    def _rest(self):
        looked = [f"Looked at {self.rows}, evenly spread."] if self.rows else []
        return [*looked, *(f"Not looked for: {reason}" for reason in self.failed)]

    def __str__(self) -> str:
        parts = [self.model, self._heading]
        for finding in self:
            parts += ["", f"{finding.severity.upper()}  {finding.kind}: {finding.where}"]
            for text in (finding.evidence, finding.advice):
                indent = "    "
                parts.append(
                    textwrap.fill(text, WIDTH, initial_indent=indent, subsequent_indent=indent)
                )
        return "\n".join([*parts, *self._rest])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{name}</th>" for name in COLUMNS)
        rows = "".join(
            "<tr>" + "".join(f"<td>{escape(v)}</td>" for v in asdict(finding).values()) + "</tr>"
            for finding in self
        )
        table = f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
        texts = [self.model, self._heading, *self._rest]
        said = "".join(f"<p>{escape(text)}</p>" for text in texts)
        return f"<div>{said}{table if self.findings else ''}</div>"
