"""The printed summary of a mixed model, in Stata's arrangement, through statsmodels' tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from .names import Names

COLUMN = 10  # width of a column of numbers
LEAST_WIDTHS = (0, 0, 8, 0, 11, 11)  # of cells, in statsmodels' tables of parameters
WIDTH = 78  # of the printed tables, unless names need more
DIGITS = 7
SMALLEST = 1e-4  # numbers outside of these are printed with an exponent
LARGEST = 1e7


class VarianceRow(NamedTuple):
    """One variance or covariance; the residual variance has no term.

    Attributes
    ----------
    term : position of the random-effects term
    factor, effect, effect2 : names
    estimate, sd_or_corr, std_error, ci_low, ci_high : NaN where nothing is known
    """

    term: int | None
    factor: str
    effect: str
    effect2: str
    estimate: float
    sd_or_corr: float
    std_error: float
    ci_low: float
    ci_high: float


class JointLine(NamedTuple):
    """A joint test as it is printed: title, name of the distribution, statistic and p-value."""

    title: str
    name: str
    statistic: float
    pvalue: float


@dataclass(frozen=True, eq=False)
class Report:
    """What a summary says.

    Attributes
    ----------
    title : of the whole
    names : of everything
    nobs, converged : number of observations, and whether this is an optimum
    criteria : pairs (name, words), the log-likelihood first
    details : further pairs (name, words) for the header
    joint : the test that all coefficients but the intercept are zero
    coefficients : table of the fixed effects
    coefficient_title : what they are
    is_normal : whether they are tested by z rather than t
    variances : rows of the variance components
    level : of the confidence limits
    notes : sentences below
    """

    title: str
    names: Names
    nobs: float
    converged: bool
    criteria: Sequence[tuple[str, str]]
    details: Sequence[tuple[str, str]]
    joint: JointLine | None
    coefficients: pd.DataFrame
    coefficient_title: str
    is_normal: bool
    variances: Sequence[VarianceRow]
    level: float
    notes: Sequence[str]


def number(value: float | None) -> str:
    """Seven digits as Stata prints them: seven decimals below one, then one fewer for every digit
    before the point.
    """
    if value is None or np.isnan(value):
        return ""
    if not np.isfinite(value):
        return f"{value}"
    size = abs(value)
    if value == 0:
        return "0"
    if size < SMALLEST or size >= LARGEST:
        return f"{value:.6e}"
    before = len(str(int(size))) if size >= 1 else 0
    return f"{value:.{max(0, DIGITS - before)}f}"


def _count(value):
    """A number of observations; weights may make it fractional."""
    return f"{value:.0f}" if float(value).is_integer() else f"{value:.2f}"


def exponentiated(table: pd.DataFrame) -> pd.DataFrame:
    """A table of coefficients as ratios: standard errors by the delta method, limits as
    exponentials.
    """
    with np.errstate(over="ignore"):
        ratios = np.exp(table["coef"])
        return table.assign(
            coef=ratios,
            std_err=ratios * table["std_err"],
            ci_low=np.exp(table["ci_low"]),
            ci_high=np.exp(table["ci_high"]),
        )


def print_report(report: Report) -> Any:
    """A statsmodels Summary: text, HTML and LaTeX."""
    # only printing needs statsmodels: importing it here keeps `import skmixed` short
    from .printed import PrintedSummary

    tables = [_header(report)]
    if len(report.names.factors) > 1:
        tables.append(_group_table(report.names))
    if len(report.coefficients):
        tables.append(_coefficient_table(report))
    if report.variances:
        tables.append(_variance_table(report))
    return PrintedSummary(tables, list(report.notes), WIDTH)


def _cell(column, value):
    """A cell as statsmodels prints one of a table of parameters."""
    return str(value).rjust(LEAST_WIDTHS[column % len(LEAST_WIDTHS)])


def _joined(row, widths, aligns):
    stub, *cells = row
    placed = [stub.ljust(widths[0])]
    for k, (cell, width) in enumerate(zip(cells, widths[1:], strict=True)):
        align = aligns[k % len(aligns)]
        placed.append(cell.rjust(width) if align == "r" else cell.ljust(width))
    return " ".join(placed)


@dataclass(frozen=True)
class Table:
    """One table of the summary, before it is brought to the width of the others."""

    data: list
    stubs: list
    aligns: str = "r"
    headers: list | None = None
    title: str | None = None

    def table(self, first_column: int = 0) -> Any:
        """A statsmodels table whose printed first column is at least that wide."""
        from statsmodels.iolib.table import SimpleTable
        from statsmodels.iolib.tableformatting import fmt_params

        widths = [first_column] + [fmt_params["colwidths"]] * len(self.data[0])
        layout = dict(fmt_params, data_aligns=self.aligns, colwidths=widths)
        return SimpleTable(
            self.data, headers=self.headers, stubs=self.stubs, title=self.title, txt_fmt=layout
        )

    def lines(self, first_column: int = 0) -> list[str]:
        """The same as text, without the line that ends it: what statsmodels prints."""
        rows = [[stub, *map(_cell, count(), row)] for stub, row in self._rows()]
        headers = [["", *self.headers]] if self.headers else []
        sizes = [max(map(len, column)) for column in zip(*headers, *rows, strict=True)]
        widths = [max(first_column, sizes[0]), *(max(COLUMN, size) for size in sizes[1:])]
        out = [_joined(row, widths, "r") for row in headers]
        out += ["-" * len(line) for line in out]
        out += [_joined(row, widths, self.aligns) for row in rows]
        title = [self.title.center(len(out[-1]))] if self.title else []
        return [*title, "=" * len(out[-1]), *out]

    def _rows(self):
        return zip(self.stubs, self.data, strict=True)

    @property
    def width(self) -> int:
        """Of the printed table."""
        return max(map(len, self.lines()))

    def first_column(self, missing: int) -> int:
        """Its width where the table is to be that much wider."""
        return max(map(len, self.stubs)) + missing


def _header(report):
    """Two columns of names and values, filled up in turns."""
    left, right = _data_lines(report)
    left += report.details
    for line in _fit_lines(report):
        (left if len(left) <= len(right) else right).append(line)
    right += [("", "")] * (len(left) - len(right))
    left += [("", "")] * (len(right) - len(left))
    pairs = zip(left, right, strict=True)
    data = [(value, f"   {name}", other) for (_, value), (name, other) in pairs]
    return Table(data, [name for name, _ in left], title=report.title, aligns="rlr")


def _data_lines(report):
    names = report.names
    converged = "yes" if report.converged else "no"
    left = [("Response:", names.response), ("Converged:", converged)]
    right = [("No. of observations:", _count(report.nobs))]
    if len(names.factors) == 1:
        (sizes,) = names.sizes
        left += [("Group variable:", names.factors[0]), ("No. of groups:", f"{len(sizes)}")]
        right += [
            ("Obs per group, min:", _count(np.min(sizes))),
            ("Obs per group, avg:", f"{np.mean(sizes):.1f}"),
            ("Obs per group, max:", _count(np.max(sizes))),
        ]
    elif names.factors:
        right += [("No. of grouping factors:", f"{len(names.factors)}")]
    return left, right


def _fit_lines(report):
    """Criteria and the test of all slopes, if there is one, to be dealt out left and right."""
    criteria = list(report.criteria)
    if report.joint is None:
        return criteria
    title, name, statistic, pvalue = report.joint
    tests = [(title, f"{statistic:.2f}"), (f"Prob > {name}:", f"{pvalue:.4f}")]
    return [criteria[0], tests[0], criteria[1], tests[1], *criteria[2:]]


def _group_table(names):
    """Factors with few levels first: outermost on top."""
    order = sorted(range(len(names.factors)), key=lambda f: len(names.sizes[f]))
    sizes = [names.sizes[f] for f in order]
    data = [[f"{len(s)}", _count(np.min(s)), f"{np.mean(s):.1f}", _count(np.max(s))] for s in sizes]
    header = ["No. of groups", "Obs per group: min", "avg", "max"]
    return Table(data, [names.factors[f] for f in order], headers=header)


def _limits(level):
    return [f"[{100 * level:g}% conf.", "interval]"]


def _coefficient_table(report):
    table = report.coefficients
    rows = (dict(zip(table.columns, row, strict=True)) for row in table.to_numpy().tolist())
    data = [_coefficient_cells(row, report.is_normal) for row in rows]
    tests = ["z", "P>|z|"] if report.is_normal else ["df", "t", "P>|t|"]
    headers = [report.coefficient_title, "std err", *tests, *_limits(report.level)]
    return Table(data, list(report.coefficients.index), headers=headers)


def _coefficient_cells(row, is_normal):
    degrees = [] if is_normal else [f"{row['df']:.1f}"]
    tests = [*degrees, f"{row['t']:.2f}", f"{row['p_value']:.3f}"]
    estimate = [number(row[name]) for name in ("coef", "std_err")]
    return [*estimate, *tests, number(row["ci_low"]), number(row["ci_high"])]


def _variance_table(report):
    stubs = []
    data = []
    previous = None
    for row in report.variances:
        is_residual = row.term is None
        if not is_residual and row.term != previous:
            stubs.append(_term_title(report.names, row.term))
            data.append([""] * 4)
        previous = row.term
        stubs.append(entry_name(row) if is_residual else f"  {entry_name(row)}")
        cells = (row.estimate, row.std_error, row.ci_low, row.ci_high)
        data.append([number(value) for value in cells])
    return Table(data, stubs, headers=["estimate", "std err", *_limits(report.level)])


def _term_title(names, term):
    found = names.terms[term]
    factor = names.factors[found.factor]
    return factor if len(found.effects) == 1 else f"{factor}: {found.covariance}"


def entry_name(row: VarianceRow) -> str:
    """A variance or covariance as it is printed."""
    if row.term is None:
        return "var(Residual)"
    if row.effect == row.effect2:
        return f"var({row.effect})"
    return f"cov({row.effect},{row.effect2})"
