"""Degrees of freedom, robust covariances and F tests against lmerTest, pbkrtest and clubSandwich.

`python -m tests.test_reference_inference` prints the worst difference of every quantity as a table.
"""

import itertools

import numpy as np
import pytest

from tests.evidence.test_reference import fitted
from tests.helpers import comparisons as shared
from tests.helpers import reference_models
from tests.helpers.comparisons import Difference, Tolerance, log_p, relative, relative_matrix

pytestmark = pytest.mark.slow  # stored results of every reference model

TOLERANCES = {
    "Satterthwaite df": Tolerance(1e-3, "relative"),
    "Kenward-Roger df": Tolerance(1e-3, "relative"),
    "Kenward-Roger standard errors": Tolerance(1e-4, "relative"),
    "Kenward-Roger covariances": Tolerance(1e-3, "relative"),
    "t": Tolerance(2e-4, "relative (to 1 if smaller)"),
    "p-values": Tolerance(1e-3, "relative on log p (1e-6 absolute near 1)"),
    "type III F": Tolerance(1e-3, "relative"),
    "type III df": Tolerance(1e-3, "relative"),
    "robust standard errors": Tolerance(1e-4, "relative"),
    "robust covariances": Tolerance(1e-3, "relative"),
    "Bell-McCaffrey df": Tolerance(1e-3, "relative"),
}


def _tests(fit, stored, table, degrees):
    """t, df and p-values of every coefficient."""
    names = fit.model.parameters
    yield Difference(degrees, relative(table.loc[names, "df"], list(stored["df"].values())), "df")
    yield Difference("t", relative(table.loc[names, "t"], list(stored["t"].values()), 1), "t")
    for ours, theirs in zip(table.loc[names, "p_value"], stored["p"].values(), strict=True):
        yield Difference("p-values", log_p(ours, theirs), degrees)


def compare_satterthwaite(fit):
    table = fit.results.coef_table(df="satterthwaite")
    yield from _tests(fit, fit.reference["satterthwaite"], table, "Satterthwaite df")


def compare_f_tests(fit):
    for term, stored in (fit.reference["satterthwaite"].get("anova_type3") or {}).items():
        test = fit.results.wald_test(type_three(fit, term), df="satterthwaite")
        yield Difference("type III F", relative(test.fvalue, stored["F"]), term)
        yield Difference("type III df", relative(test.df_denom, stored["den_df"]), term)
        yield Difference("type III df", relative(test.df_num, stored["num_df"]), term)
        yield Difference("p-values", log_p(float(test.pvalue), stored["p"]), f"type III, {term}")


def type_three(fit, term):
    """Rows of the hypothesis that a term has no effect, averaged over the levels of the factors it interacts with."""
    levels = fit.reference.get("factor_levels") or {}
    columns = [parsed(name, levels) for name in fit.model.fixef_names]
    wanted, found = set(term.split(":")), []
    for own in columns:
        if set(own) != wanted:
            continue
        shares = [_share(own, column, levels) for column in columns]
        found.append(dict(zip(fit.model.parameters, shares, strict=True)))
    names = list(fit.results.params.index)
    return np.array([[row[name] for name in names] for row in found])


def parsed(name, levels):
    """The variables of a column with their levels: 'recipeB:temp' -> {'recipe': 'B', 'temp':
    None}."""
    found = {}
    for part in name.split(":") if name != reference_models.INTERCEPT else []:
        factor = next(
            (f for f, known in levels.items() if part.startswith(f) and part[len(f) :] in known),
            None,
        )
        found[factor or part] = part[len(factor) :] if factor else None
    return found


def _share(own, column, levels):
    """How much of a column's coefficient belongs to the average effect of the term's own column."""
    if any(column.get(variable, "absent") != level for variable, level in own.items()):
        return 0.0
    others = set(column) - set(own)
    return float(np.prod([1.0 / len(levels[v]) for v in others])) if others <= set(levels) else 0.0


def compare_kenward_roger(fit):
    stored, names = fit.reference["kenward_roger"], fit.model.parameters
    table = fit.results.coef_table(df="kenward-roger")
    ours = fit.results._coefficients(df="kenward-roger")
    place = [ours.names.index(name) for name in names]
    covariance = ours.covariance[np.ix_(place, place)]
    yield Difference(
        "Kenward-Roger standard errors",
        relative(table.loc[names, "std_err"], list(stored["se"].values())),
        "std_err",
    )
    yield Difference(
        "Kenward-Roger covariances", relative_matrix(covariance, stored["vcov_adj"]), "covariance"
    )
    yield from _tests(fit, stored, table, "Kenward-Roger df")


def compare_robust(fit):
    names = fit.model.parameters
    for kind in ("CR0", "CR1", "CR2"):
        stored = fit.reference["robust"][kind]
        ours = fit.results._coefficients(cov=kind)
        place = [ours.names.index(name) for name in names]
        table = fit.results.coef_table(df="satterthwaite", cov=kind)
        errors = relative(table.loc[names, "std_err"], list(stored["se"].values()))
        yield Difference("robust standard errors", errors, kind)
        theirs = relative_matrix(ours.covariance[np.ix_(place, place)], stored["vcov"])
        yield Difference("robust covariances", theirs, kind)
        if kind == "CR2":
            stored = dict(stored, df=stored["df_satterthwaite"])
            yield from _tests(fit, stored, table, "Bell-McCaffrey df")


COMPARISONS = {
    "satterthwaite": ("satterthwaite", compare_satterthwaite),
    "f_tests": ("satterthwaite", compare_f_tests),
    "kenward_roger": ("kenward_roger", compare_kenward_roger),
    "robust": ("robust", compare_robust),
}
MODELS = {name: entry for name, (_, entry) in reference_models.models().items()}


def _compared(entry):
    """lmerTest's df of singular fits are no target."""
    for name, (key, _) in COMPARISONS.items():
        if entry.get(key) and not (entry["singular"] and key == "satterthwaite"):
            yield name


CASES = list(
    itertools.chain.from_iterable(
        ((name, c) for c in _compared(entry)) for name, entry in MODELS.items()
    )
)


@pytest.mark.skipif(not MODELS, reason=reference_models.MISSING)
@pytest.mark.parametrize(("name", "comparison"), CASES)
def test_matches_the_reference(name, comparison):
    shared.assert_within(COMPARISONS[comparison][1](fitted(name)), TOLERANCES)


if __name__ == "__main__":
    fits = [
        (name, fitted, [COMPARISONS[c][1] for c in _compared(entry)])
        for name, entry in MODELS.items()
    ]
    shared.print_table(fits, TOLERANCES)
