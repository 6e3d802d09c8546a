"""The printed summary of a mixed model, in Stata's arrangement, through statsmodels' tables."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import zip_longest

import numpy as np
from statsmodels.iolib.table import SimpleTable
from statsmodels.iolib.tableformatting import fmt_params

WIDTH = 78  # of the printed tables, unless names need more


def number(value):
    """Seven digits as Stata prints them: seven decimals below one, then one fewer for every digit
    before the point.
    """
    if value is None or not np.isfinite(value):
        return "" if value is None or np.isnan(value) else f"{value}"
    size = abs(value)
    if value == 0:
        return "0"
    if size < 1e-4 or size >= 1e7:
        return f"{value:.6e}"
    return f"{value:.{max(0, 7 - len(str(int(size))) * (size >= 1))}f}"


def _count(value):
    """A number of observations; weights may make it fractional."""
    return f"{value:.0f}" if float(value).is_integer() else f"{value:.2f}"


@dataclass(frozen=True)
class Heading:
    """What the printed tables call things."""

    title: str
    likelihood: str
    plain: str  # the model without random effects
    details: tuple = ()  # further pairs (name, value)


def linear_summary(results, fit, labels, level, coefficients):
    """Header, groups, fixed effects, variance components and the test against the model without
    random effects.
    """
    method = "REML" if fit.reml else "ML"
    title = (
        f"Mixed-effects {method} regression" if labels.factors else f"Linear regression by {method}"
    )
    heading = Heading(
        title, "Log restricted-likelihood:" if fit.reml else "Log-likelihood:", "linear model"
    )
    table = _coefficient_table(coefficients.table(level), "coef", level, coefficients)
    return _summary(results, fit, labels, level, heading, coefficients, table)


def logistic_summary(results, fit, labels, level, coefficients, odds_ratios):
    """The same for a logistic model, whose coefficients may be printed as odds ratios."""
    title = "Mixed-effects logistic regression" if labels.factors else "Logistic regression"
    integration = "Laplace" if fit.points == 1 else f"{fit.points}-point quadrature"
    details = (
        ("Odds of:", results.event),
        *([("Integration:", integration)] if labels.factors else []),
    )
    table = coefficients.table(level)
    if odds_ratios:
        table = exponentiated(table)
    notes = [
        "The odds ratio of the intercept is the odds where all columns and random effects are zero."
    ]
    notes = notes * (odds_ratios and labels.intercept)
    heading = Heading(title, "Log-likelihood:", "logistic model", details)
    printed = _coefficient_table(
        table, "odds ratio" if odds_ratios else "coef", level, coefficients
    )
    return _summary(results, fit, labels, level, heading, coefficients, printed, notes)


def exponentiated(table):
    """A table of coefficients as odds ratios: standard errors by the delta method, limits as
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


def _summary(results, fit, labels, level, heading, coefficients, fixed_table, notes=()):
    # only printing needs statsmodels: importing it here keeps `import skmixed` short
    from .printed import PrintedSummary

    tests = _joint_rows(results, coefficients)
    blocks = [_header(results, labels, heading, tests)]
    if len(labels.factors) > 1:
        blocks.append(_group_table(labels))
    if len(results.params):
        blocks.append(fixed_table)
    if len(results._variances.estimates):
        blocks.append(_variance_table(results, labels, level))
    methods = _methods(coefficients, has_test=bool(tests) or not results._slopes)
    return PrintedSummary(blocks, [*methods, *_notes(results, fit, labels, heading), *notes], WIDTH)


def _methods(coefficients, has_test):
    """How the fixed effects were tested, where that is not the default."""
    lines = [coefficients.method] if coefficients.method else []
    if lines and not has_test:
        lines.append(
            "No joint test: it needs more clusters, or degrees of freedom, than coefficients."
        )
    return lines


@dataclass(frozen=True)
class Table:
    """One table of the summary, before it is brought to the width of the others."""

    data: list
    stubs: list
    aligns: str = "r"
    headers: list | None = None
    title: str | None = None

    def table(self, first_column=0):
        """A statsmodels table whose printed first column is at least that wide."""

        widths = [first_column] + [fmt_params["colwidths"]] * len(self.data[0])
        layout = dict(fmt_params, data_aligns=self.aligns, colwidths=widths)
        return SimpleTable(
            self.data, headers=self.headers, stubs=self.stubs, title=self.title, txt_fmt=layout
        )

    @property
    def width(self):
        return max(map(len, self.table().as_text().splitlines()))

    def as_wide_as(self, width):
        return self.table(max(map(len, self.stubs)) + width - self.width)


def _header(results, labels, heading, tests):
    left, right = _data_rows(results, labels)
    left += heading.details
    for row in _fit_rows(results, heading.likelihood, tests):
        (left if len(left) <= len(right) else right).append(row)
    right += [("", "")] * (len(left) - len(right))
    left += [("", "")] * (len(right) - len(left))
    data = [
        (value, f"   {name}", other) for (_, value), (name, other) in zip(left, right, strict=True)
    ]
    return Table(data, [name for name, _ in left], title=heading.title, aligns="rlr")


def _data_rows(results, labels):
    left = [("Response:", labels.response), ("Converged:", "yes" if results.converged else "no")]
    right = [("No. of observations:", _count(results.nobs))]
    if len(labels.factors) == 1:
        left += [
            ("Group variable:", labels.factors[0]),
            ("No. of groups:", f"{len(labels.sizes[0])}"),
        ]
        return left, right + _size_rows(labels.sizes[0])
    return left, right + [("No. of grouping factors:", f"{len(labels.factors)}")] * bool(
        labels.factors
    )


def _fit_rows(results, likelihood, tests):
    """Criteria and the test of all slopes, if there is one, to be dealt out left and right."""
    criteria = [(likelihood, results.llf), ("AIC:", results.aic), ("BIC:", results.bic)]
    criteria = [(name, f"{value:.3f}") for name, value in criteria]
    return [criteria[0], tests[0], criteria[1], tests[1], criteria[2]] if tests else criteria


def _joint_rows(results, coefficients):
    """The test that all coefficients but the intercept are zero."""
    if not coefficients.method:
        wald = results.wald_chi2
        return (
            _test_rows(f"Wald chi2({wald.df}):", "chi2", wald.statistic, wald.pvalue)
            if wald.df
            else []
        )
    if not results._slopes:
        return []
    test = coefficients.joint_test(results._slopes)
    if np.isnan(test.statistic):
        return []
    name = "Wald chi2" if coefficients.is_normal else "F"
    degrees = f"{test.df}" if coefficients.is_normal else f"{test.df}, {test.df_denom:.1f}"
    return _test_rows(f"{name}({degrees}):", name.split()[-1], test.statistic, test.pvalue)


def _test_rows(title, name, statistic, pvalue):
    return [(title, f"{statistic:.2f}"), (f"Prob > {name}:", f"{pvalue:.4f}")]


def _size_rows(sizes):
    return [
        ("Obs per group, min:", _count(np.min(sizes))),
        ("Obs per group, avg:", f"{np.mean(sizes):.1f}"),
        ("Obs per group, max:", _count(np.max(sizes))),
    ]


def _group_table(labels):
    """Factors with few levels first: outermost on top."""
    order = sorted(range(len(labels.factors)), key=lambda f: len(labels.sizes[f]))
    sizes = [labels.sizes[f] for f in order]
    data = [[f"{len(s)}", _count(np.min(s)), f"{np.mean(s):.1f}", _count(np.max(s))] for s in sizes]
    header = ["No. of groups", "Obs per group: min", "avg", "max"]
    return Table(data, [labels.factors[f] for f in order], headers=header)


def _limits(level):
    return [f"[{100 * level:g}% conf.", "interval]"]


def _coefficient_table(table, title, level, coefficients):
    data = [_coefficient_cells(row, coefficients) for row in table.itertuples(index=False)]
    names = ["z", "P>|z|"] if coefficients.is_normal else ["df", "t", "P>|t|"]
    return Table(data, list(table.index), headers=[title, "std err", *names, *_limits(level)])


def _coefficient_cells(row, coefficients):
    degrees = [] if coefficients.is_normal else [f"{row.df:.1f}"]
    tests = [*degrees, f"{row.t:.2f}", f"{row.p_value:.3f}"]
    return [number(row.coef), number(row.std_err), *tests, number(row.ci_low), number(row.ci_high)]


def _variance_table(results, labels, level):
    table = results.variance_table(level=level)
    stubs = []
    data = []
    entries = results._variances.entries
    previous = None
    for row, term in zip_longest(table.itertuples(), [k for k, _, _ in entries]):
        if term is not None and term != previous:
            factor, covariance, effects = labels.terms[term]
            name = labels.factors[factor]
            stubs.append(name if len(effects) == 1 else f"{name}: {covariance}")
            data.append([""] * 4)
        previous = term
        stubs.append("  " + _entry_label(row))
        data.append([number(v) for v in (row.estimate, row.std_error, row.ci_low, row.ci_high)])
    if results._has_residual:
        stubs[-1] = stubs[-1].strip()
    header = ["estimate", "std err", *_limits(level)]
    return Table(data, stubs, headers=header)


def _entry_label(row):
    if row.factor == "Residual" and not row.effect:
        return "var(Residual)"
    return f"var({row.effect})" if row.effect == row.effect2 else f"cov({row.effect},{row.effect2})"


def _notes(results, fit, labels, heading):
    lines = []
    test = results.random_effects_test()
    if test.df:
        name = test.distribution.split("(")[0]
        found = f"{test.distribution} = {test.statistic:.2f}   Prob >= {name} = {test.pvalue:.4f}"
        lines.append(f"LR test vs. {heading.plain}: {found}")
    if np.any(np.isnan(results._variances.std_errors)):
        lines.append(
            "A variance is zero, a correlation one, or the likelihood flat: no standard errors there."
        )
    dropped = [n for k, n in enumerate(labels.fixed) if k not in set(fit.design.kept.tolist())]
    if dropped:
        lines.append(f"Dropped because they depend on other columns: {', '.join(dropped)}.")
    return lines
