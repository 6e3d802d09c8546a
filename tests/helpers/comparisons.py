"""What is compared with the reference results, and how far off it is: the same for linear and
logistic models.

A comparison is a function of a Fit that yields Differences, each in the unit of its quantity's
Tolerance.
"""

import functools
import math
import warnings
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from tests.helpers import reference_models

FLOOR = 100.0  # log-likelihoods: 1e-8 relative, but 1e-6 absolute on small sets
NEAR_ONE = 0.99  # a correlation beyond this is "near +-1"


class Tolerance(NamedTuple):
    limit: float
    unit: str


class Difference(NamedTuple):
    """One compared number (or the worst of an array), in the unit of its tolerance."""

    quantity: str
    size: float
    what: str


# The fits
@dataclass(frozen=True)
class Fit:
    model: reference_models.Model
    estimator: Any
    complaints: list[str]  # class names of the warnings raised
    test_rows: np.ndarray | None = None

    @property
    def reference(self):
        return self.model.reference

    @property
    def sigma2(self):
        """The size of a variance of zero, or of the deviations of a constant: the residual variance, or 1."""
        return self.reference.get("sigma2", self.reference.get("sigma", 1.0) ** 2)

    @property
    def results(self):
        return self.estimator.results_

    @functools.cached_property
    def components(self):
        """(factor, the pair of effects) -> row of `variance_components()`."""
        rows = self.estimator.variance_components().to_dict("records")
        return {component_key(row["factor"], row["effect"], row["effect2"]): row for row in rows}

    @functools.cached_property
    def random_effects(self):
        return self.estimator.random_effects_


def plain(effect):
    """Effect names as in the reference: without backticks, the intercept in parentheses."""
    name = str(effect).strip("`")
    return reference_models.INTERCEPT if name == "Intercept" else name


def component_key(factor, *effects):
    return (
        factor if factor == "Residual" else (factor, frozenset(plain(effect) for effect in effects))
    )


def level_name(level):
    """Levels of an interaction may be tuples."""
    return ":".join(map(str, level)) if isinstance(level, tuple) else str(level)


def quiet_fit(fit, *arguments, **options):
    """The fitted estimator, and the class names of the warnings it raised."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        estimator = fit(*arguments, **options)
    return estimator, sorted({warning.category.__name__ for warning in caught})


# Measures of difference: arrays in, the worst entry out (NaN counts as infinitely wrong)
def worst(values):
    values = np.abs(np.asarray(values, dtype=float))
    return float(np.where(np.isnan(values), np.inf, values).max(initial=0.0))


def against(ours, theirs, scale):
    return worst((np.asarray(ours, dtype=float) - np.asarray(theirs, dtype=float)) / scale)


def relative(ours, theirs, floor=0.0):
    return against(ours, theirs, np.maximum(np.abs(np.asarray(theirs, dtype=float)), floor))


def relative_matrix(ours, theirs, when_zero=1.0):
    """Relative per entry; an off-diagonal entry is never scaled by less than a correlation of
    0.01."""
    theirs = np.asarray(theirs, dtype=float)
    deviations = np.sqrt(np.diag(theirs))
    size = np.maximum(np.abs(theirs), 0.01 * np.outer(deviations, deviations))
    return against(ours, theirs, np.where(size > 0, size, when_zero))


def log_p(ours, theirs):
    """Relative difference of log p, which near p = 1 turns into an absolute one."""
    if not theirs or not ours:
        return worst((ours or 0.0) - (theirs or 0.0))
    return relative(math.log(ours), math.log(theirs), floor=1e-3)


def spread(stored, when_constant):
    """Standard deviation of what a checksum describes (a constant: the residual one)."""
    mean = stored["sum"] / stored["n"]
    variance = stored["sumsq"] / stored["n"] - mean**2
    return math.sqrt(variance) if variance > (1e-6 * mean) ** 2 else when_constant


def moments(values, stored, sd):
    """Worst of mean, root mean square, minimum and maximum, in standard deviations."""
    n = stored["n"]
    if len(values) != n:
        return math.inf
    ours = [np.mean(values), np.sqrt(np.mean(np.square(values))), np.min(values), np.max(values)]
    return against(
        ours, [stored["sum"] / n, math.sqrt(stored["sumsq"] / n), stored["min"], stored["max"]], sd
    )


def checksum(values, stored, when_constant):
    """Worst of the moments and the first five values, in standard deviations."""
    sd = spread(stored, when_constant)
    return max(moments(values, stored, sd), against(values[:5], stored["first5"], sd))


# What is compared: each function yields Differences
def compare_log_likelihood(fit, name="loglik"):
    theirs = fit.reference[name]
    shortfall = theirs - (fit.estimator.loglik_ + fit.model.loglik_shift)
    yield Difference(
        "log-likelihood, below", worst(max(shortfall, 0.0) / max(abs(theirs), FLOOR)), name
    )
    yield Difference("log-likelihood, above", worst(min(shortfall, 0.0) / abs(theirs)), name)
    yield Difference(
        "log-likelihood, below", relative(fit.results.llf, fit.estimator.loglik_, FLOOR), "llf"
    )


def compare_criteria(fit):
    for name in ("aic", "bic"):
        ours = getattr(fit.results, name) - 2 * fit.model.loglik_shift
        yield Difference("aic, bic", relative(ours, fit.reference[name], 2 * FLOOR), name)


def compare_fixed_effects(fit):
    theirs, names = fit.reference["fixef"], fit.model.parameters
    errors = (
        list(fit.reference["se"].values())
        if "se" in fit.reference
        else fit.results.bse[names].to_numpy()
    )
    ours = fit.results.params[names]
    yield Difference("fixed effects", against(ours, list(theirs.values()), errors), "params")
    columns = fit.model.X.columns.drop(fit.model.group_columns)
    coefficients = {
        "Intercept": fit.estimator.intercept_,
        **dict(zip(columns, fit.estimator.coef_, strict=True)),
    }
    direct = [coefficients[name] for name in names]
    yield Difference(
        "fixed effects", against(direct, list(theirs.values()), errors), "coef_, intercept_"
    )


def compare_standard_errors(fit):
    names, theirs = fit.model.parameters, fit.reference
    ours = fit.results.cov_params().loc[names, names]
    yield Difference(
        "standard errors", relative(fit.results.bse[names], list(theirs["se"].values())), "bse"
    )
    yield Difference("vcov of fixed effects", relative_matrix(ours, theirs["vcov"]), "cov_params()")


def compare_wald(fit):
    names, theirs = fit.model.parameters, fit.reference["wald"]
    errors = list(fit.reference["se"].values())
    limits = fit.results.conf_int().loc[names].to_numpy()
    yield Difference(
        "Wald z", relative(fit.results.tvalues[names], list(theirs["z"].values()), 1), "tvalues"
    )
    for ours, p in zip(fit.results.pvalues[names], theirs["p"].values(), strict=True):
        yield Difference("p-values", log_p(ours, p), "pvalues")
    for side, name in enumerate(("ci95_lower", "ci95_upper")):
        yield Difference(
            "Wald limits", against(limits[:, side], list(theirs[name].values()), errors), name
        )


def compare_wald_chi2(fit):
    ours, theirs = fit.results.wald_chi2, fit.reference["wald_chi2"]
    yield Difference("Wald chi2", relative(ours.statistic, theirs["chi2"], 1), "statistic")
    yield Difference("Wald chi2", worst(ours.df - theirs["df"]), "df")
    yield Difference("p-values", log_p(ours.pvalue, theirs["p"]), "wald_chi2")


def compare_covariances(fit):
    """`covariances_`, and the estimates and sd_or_corr of `variance_components()`."""
    for place, (term, stored) in enumerate(zip(fit.model.terms, fit.model.varcomp(), strict=True)):
        cov = np.asarray(fit.estimator.covariances_[place])
        if cov.shape != np.shape(stored["cov"]):
            yield Difference("variances", math.inf, f"shape of covariances_[{place}]")
            continue
        for j, i in zip(*np.triu_indices(len(cov)), strict=True):
            row = fit.components[component_key(term.group, term.effects[i], term.effects[j])]
            what = f"{term.group}: {row['effect']}, {row['effect2']}"
            ours = (cov[i, j], cov[j, i], row["estimate"])
            yield from _compare_entry(ours, stored["cov"][i][j], i == j, fit.sigma2, what)
            yield from _compare_sd_or_corr(row["sd_or_corr"], stored, i, j, what)


def _compare_entry(ours, theirs, on_diagonal, sigma2, what):
    if theirs == 0:
        yield Difference("variances of zero", against(ours, theirs, sigma2), what)
    else:
        yield Difference(
            "variances" if on_diagonal else "covariances", relative(ours, theirs), what
        )


def _compare_sd_or_corr(ours, stored, i, j, what):
    theirs = stored["sd"][i] if i == j else stored["corr"][i][j]
    if i != j:
        quantity = "correlations near +-1" if abs(theirs) > NEAR_ONE else "correlations"
        yield Difference(quantity, worst(ours - theirs), what)
    elif theirs > 0:
        yield Difference("standard deviations", relative(ours, theirs), what)


def compare_variance_errors(fit):
    """Standard errors and limits of `variance_components()`; some entries of the reference have no limits."""
    stored = fit.reference["varpar"]
    rows = [
        fit.components[component_key(entry["group"], entry["terms"][i], entry["terms"][j])]
        for entry in fit.reference["varcomp"]
        for j, i in zip(*np.triu_indices(len(entry["terms"])), strict=True)
    ]
    residual = [fit.components["Residual"]] if "Residual|var" in stored["names"] else []
    for row, name, se in zip(rows + residual, stored["names"], stored["se"], strict=True):
        yield Difference("se of variance parameters", relative(row["std_error"], se), name)
    limits = [
        stored.get(f"ci95_{side}_logscale", [None] * len(stored["names"]))
        for side in ("lower", "upper")
    ]
    theirs = zip(stored["names"], stored["estimate"], *limits, strict=True)
    for row, (name, estimate, low, high) in zip(rows + residual, theirs, strict=True):
        if low is not None:  # covariances have none
            half_width = math.log(high / estimate)
            ours = [row["ci_low"], row["ci_high"]]
            yield Difference(
                "limits of variances", _log_distance(ours, [low, high], half_width), name
            )
    if "sdcor" in stored:
        yield from _compare_deviations(fit, stored)


def _compare_deviations(fit, stored):
    """Standard errors of standard deviations and correlations, and the correlations' limits by Fisher's z."""
    table = fit.results.variance_table(scale="sd").to_dict("records")
    ours = {component_key(row["factor"], row["effect"], row["effect2"]): row for row in table}
    names = [
        component_key(entry["group"], entry["terms"][i], entry["terms"][j])
        for entry in fit.reference["varcomp"]
        for j, i in zip(*np.triu_indices(len(entry["terms"])), strict=True)
    ]
    rows = [ours[name] for name in names + ["Residual"] * ("Residual" in ours)]
    for row, name, value, se in zip(
        rows, stored["sdcor_names"], stored["sdcor"], stored["sdcor_se"], strict=True
    ):
        yield Difference("standard deviations", relative(row["estimate"], value, 1e-3), name)
        yield Difference("se of variance parameters", relative(row["std_error"], se), name)


def _log_distance(ours, theirs, scale):
    return against(np.log(np.maximum(ours, 1e-300)), np.log(theirs), scale)


def compare_random_effects_test(fit, name, quantity):
    """The p-value is 1 where chi2 is zero up to round-off (the reference has 0.5 or 1 there, by
    chance).

    For several variances the reference has the chi-squared of Stata, which is conservative.
    """
    ours, theirs = fit.results.random_effects_test(), fit.reference[name]
    deviance = max(2 * abs(fit.reference["loglik"]), 2 * FLOOR)
    single = theirs.get("p_chibar01") is not None
    p, found = (
        (theirs["p_chibar01"], ours.pvalue) if single else (theirs["p_chi2_df"], ours.pvalue_chi2)
    )
    yield Difference(quantity, against(ours.statistic, theirs["chi2"], deviance), "statistic")
    yield Difference(
        "p-values", log_p(found, p if theirs["chi2"] > 1e-10 else 1.0), "random_effects_test()"
    )
    yield Difference(
        "p-values",
        max(0.0, ours.pvalue - ours.pvalue_chi2),
        "random_effects_test(), at most the chi2",
    )


def compare_random_effects(fit):
    for group, stored in fit.reference["ranef"].items():
        table = fit.random_effects[fit.random_effects["factor"] == group]
        for k, effect in enumerate(stored["terms"]):
            rows = table[table["effect"].map(plain) == effect]
            ours = dict(zip(rows["level"].map(level_name), rows["estimate"], strict=True))
            total = {"n": stored["n"]} | {
                name: stored[name][k] for name in ("sum", "sumsq", "min", "max")
            }
            sd = spread(total, math.sqrt(fit.sigma2))
            first = [ours.get(level, math.nan) for level in stored["first5"]]
            theirs = [effects[k] for effects in stored["first5"].values()]
            yield Difference(
                "random effects", against(first, theirs, sd), f"{group}: {effect}, first levels"
            )
            yield Difference(
                "random effects", moments(list(ours.values()), total, sd), f"{group}: {effect}, all"
            )


def compare_conditional_variances(fit):
    """`results_.random_effects_cov` as matrices, and a classifier's standard errors of the modes."""
    for group, stored in fit.reference["ranef"].items():
        table = fit.random_effects[fit.random_effects["factor"] == group]
        effects = [plain(effect) for effect in dict.fromkeys(table["effect"])]
        order = [effects.index(effect) for effect in stored["terms"]]
        levels = fit.model.levels(group)
        for level, theirs in _conditional_matrices(stored):
            ours = np.asarray(fit.results.random_effects_cov[group][levels.index(level)])[
                np.ix_(order, order)
            ]
            known = np.isfinite(theirs)
            entries = np.where(known, ours, 0.0), np.where(known, theirs, 0.0)
            size = relative_matrix(*entries, when_zero=fit.sigma2)
            yield Difference("conditional variances", size, f"{group}: {level}")
            if hasattr(fit.estimator, "scale_"):
                continue  # standard errors of a regressor count the parameters as estimated
            rows = table[table["level"].map(level_name) == level]
            errors = dict(zip(rows["effect"].map(plain), rows["std_error"], strict=True))
            squares = np.diag([errors[effect] ** 2 for effect in stored["terms"]])
            size = relative_matrix(squares, np.diag(np.diag(theirs)), fit.sigma2)
            yield Difference("conditional variances", size, f"{group}: std_error of {level}")


def _conditional_matrices(stored):
    """(level, matrix); of several terms on one factor only the diagonal is stored, the rest is
    NaN."""
    for level, matrix in stored.get("cond_var_first3", {}).items():
        yield level, np.asarray(matrix, dtype=float)
    for level, diagonal in stored.get("cond_var_first3_diag_by_term", {}).items():
        matrix = np.full((len(diagonal), len(diagonal)), np.nan)
        np.fill_diagonal(matrix, diagonal)
        yield level, matrix


def assert_within(differences, tolerances):
    failures = [
        f"{quantity} ({what}): {size:.3g} {tolerances[quantity].unit}, at most {tolerances[quantity].limit:g}"
        for quantity, size, what in differences
        if not size <= tolerances[quantity].limit
    ]
    assert not failures, "\n".join(failures)


# The table
def worst_differences(fits):
    """Per quantity the number of comparisons, the worst difference and its place; and what failed.

    `fits` are triples of a name, the function that fits what has this name, and comparisons.
    """
    table, failures = {}, []
    for name, fit, comparisons in fits:
        for compare in comparisons:
            try:
                found = list(compare(fit(name)))
            except Exception as error:  # a table with holes says more than none
                failures.append(f"{name}: {getattr(compare, '__name__', 'comparison')}: {error!r}")
                continue
            for quantity, size, what in found:
                count, worst_size, place = table.get(quantity, (0, -1.0, ""))
                here = (size, f"{name} ({what})")
                table[quantity] = (count + 1, *max((worst_size, place), here))
    return table, failures


def markdown_table(table, tolerances):
    lines = [
        "| quantity | compared | worst | tolerance | unit | where |",
        "|---|--:|--:|--:|---|---|",
    ]
    for quantity, (limit, unit) in tolerances.items():
        count, size, place = table.get(quantity, (0, math.nan, ""))
        excess = " **(over)**" if size > limit else ""
        lines.append(
            f"| {quantity} | {count} | {size:.1e}{excess} | {limit:g} | {unit} | {place} |"
        )
    return "\n".join(lines)


def print_table(fits, tolerances):
    """What `python -m` prints of a module with comparisons."""
    found, failed = worst_differences(fits)
    if not found:
        raise SystemExit("\n".join(failed) or reference_models.MISSING)
    print(markdown_table(found, tolerances))
    print(*failed, sep="\n")
