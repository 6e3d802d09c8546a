"""Figures of other programs beside ours: a table that the documentation prints and a test judges.

The figures of others are those of the tests; nothing is typed here.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd

from skmixed import MixedLinearRegressor
from tests.evidence import test_published as linear
from tests.evidence import test_published_logistic as logistic
from tests.evidence import test_wages as stata
from tests.inference import test_coefficients as coefficients

WAGES = "mixed ln_w ttl_exp i.race age || idcode:"
SLEEP = "lmer(Reaction ~ Days + (Days | Subject)), 140 rows"


class Figure(NamedTuple):
    """A number that another program gives, and ours at full precision."""

    source: str
    analysis: str
    quantity: str
    theirs: str
    ours: float

    @property
    def decimals(self) -> int:
        """As many as they print."""
        return len(self.theirs.partition(".")[2])

    @property
    def printed(self) -> str:
        """Ours as they would print it."""
        return f"{self.ours:.{self.decimals}f}"

    @property
    def difference(self) -> float:
        """Relative, of what would be printed: the last digit of theirs is rounded as well."""
        theirs = float(self.theirs)
        return abs(float(self.printed) - theirs) / max(abs(theirs), 1e-300)


def figures() -> pd.DataFrame:
    """All of them, a row each, by source and analysis."""
    found = [*of_stata(), *of_lme4(), *of_lme4_logistic(), *of_pbkrtest(), *of_clubsandwich()]
    rows = [(*f[:4], f.printed, f.difference) for f in found]
    names = ["source", "analysis", "quantity", "theirs", "ours", "difference"]
    return pd.DataFrame(rows, columns=names).set_index(names[:3])


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """A row for every source: analyses, figures, equal ones, and the largest difference."""
    by_source = table.reset_index().groupby("source", sort=False)
    return by_source.agg(
        analyses=("analysis", "nunique"),
        figures=("difference", "size"),
        equal=("difference", lambda values: int((values == 0).sum())),
        largest=("difference", lambda values: f"{values.max():.0e}"),
    )


def markdown(table: pd.DataFrame, source: str) -> str:
    """The figures of a source, a table for every analysis."""
    lines = []
    for analysis, rows in table.loc[source].groupby(level="analysis", sort=False):
        lines += ["", f"`{analysis}`", "", "| | theirs | ours | difference |", "|---|--:|--:|--:|"]
        lines += [
            f"| {quantity} | {row.theirs} | {row.ours} | {row.difference:.0e} |"
            for (_, quantity), row in rows.iterrows()
        ]
    return "\n".join(lines).replace("| 0e+00 |", "| 0 |")


def of_stata() -> Iterator[Figure]:
    """The output of Stata for the wages, as printed."""
    model = MixedLinearRegressor(groups="idcode", method="ml").fit(*stata.wages_table())
    fixed = model.results_.coef_table().drop(columns="df")
    variances = model.variance_components().set_index("factor")
    words = ["coefficient", "standard error", "z", "p", "lower limit", "upper limit"]
    for name, printed in stata.FIXED.items():
        for word, theirs, ours in zip(words, printed.split(), fixed.loc[name], strict=True):
            yield Figure("Stata", WAGES, f"{name}: {word}", theirs, ours)
    columns = ["estimate", "std_error", "ci_low", "ci_high"]
    words = ["estimate", "standard error", "lower limit", "upper limit"]
    for (name, printed), row in zip(stata.VARIANCES.items(), ["idcode", "Residual"], strict=True):
        for word, theirs, ours in zip(
            words, printed.split(), variances.loc[row, columns], strict=True
        ):
            yield Figure("Stata", WAGES, f"{name}: {word}", theirs, ours)
    yield Figure("Stata", WAGES, "log-likelihood", stata.HEADER["Log-likelihood:"], model.loglik_)


def of_lme4() -> Iterator[Figure]:
    """Linear models."""
    for formula, (load, (response, columns, terms, method), figures) in linear.MODELS.items():
        data = load()
        model = MixedLinearRegressor(random_effects=terms, method=method)
        model.fit(data[columns], data[response])
        loglik, covariances, sigma2 = figures
        yield Figure("lme4, linear", formula, "log-likelihood", f"{loglik}", model.loglik_)
        yield from matrices("lme4, linear", formula, covariances, model)
        yield Figure("lme4, linear", formula, "var(Residual)", f"{sigma2}", model.scale_)


def of_lme4_logistic() -> Iterator[Figure]:
    """Logistic models: log-likelihoods of zeros and ones, estimates and standard errors."""
    for formula, (*_, theirs) in logistic.MODELS.items():
        model, source = logistic.fitted(formula), "lme4, logistic"
        yield Figure(source, formula, "log-likelihood", f"{theirs.loglik}", model.loglik_)
        estimates = np.append(model.intercept_, model.coef_)
        for name, estimate, value in zip(
            model.results_.params.index, theirs.fixed, estimates, strict=True
        ):
            yield Figure(source, formula, f"{name}: coefficient", f"{estimate:.9f}", value)
        yield from matrices(source, formula, theirs.covariances, model)


def matrices(source, formula, covariances, model) -> Iterator[Figure]:
    """The lower triangles, by the names of our table, in the order of the terms."""
    named = model.variance_components()
    named = named[named["factor"] != "Residual"]
    theirs, ours = triangles(covariances), triangles(model.covariances_)
    words = [
        f"{row.factor}: var({row.effect})"
        if row.effect == row.effect2
        else f"{row.factor}: cov({row.effect}, {row.effect2})"
        for row in named.itertuples()
    ]
    order = [np.flatnonzero(np.isclose(named["estimate"], value))[0] for value in ours]
    for position, estimate, value in zip(order, theirs, ours, strict=True):
        yield Figure(source, formula, words[position], f"{estimate}", value)


def triangles(matrices) -> np.ndarray:
    """Lower triangles of matrices, one after the other."""
    return np.concatenate([np.array(T)[np.tril_indices(len(T))] for T in matrices])


def of_pbkrtest() -> Iterator[Figure]:
    """Degrees of freedom, and the standard errors that belong to them."""
    packages = {"satterthwaite": "lmerTest", "kenward-roger": "pbkrtest"}
    for rule, theirs in coefficients.SLEEP.items():
        table = coefficients.sleepstudy().coef_table(df=rule)
        for column in ("std_err", "df"):
            for name, value in zip(table.index, theirs[column], strict=True):
                yield Figure(
                    packages[rule], SLEEP, f"{name}: {column}", value, table.loc[name, column]
                )


def of_clubsandwich() -> Iterator[Figure]:
    """Robust standard errors of the wages."""
    table = coefficients.wages().coef_table(cov="CR0")
    for name, theirs in coefficients.WAGES_CR0.items():
        yield Figure(
            "clubSandwich", "vcovCR of the wages, CR0", f"{name}: std_err", f"{theirs:.8f}",
            table.loc[name, "std_err"],
        )  # fmt: skip
