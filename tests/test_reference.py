"""The estimator against the reference results (lme4 at the polished optimum), within their stated tolerances.

`python -m tests.test_reference` prints the worst difference of every quantity as a table.
"""

import functools
import math
import warnings
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pytest

from skmixed import MixedLinearRegressor

from . import reference_models

FLOOR = 100.0  # log-likelihoods: 1e-8 relative, but 1e-6 absolute on small sets
NEAR_ONE = 0.99  # a correlation beyond this is "near +-1"


class Tolerance(NamedTuple):
    limit: float
    unit: str


TOLERANCES = {
    "log-likelihood, below": Tolerance(1e-8, f"relative (to {FLOOR:g} if smaller)"),
    "log-likelihood, above": Tolerance(1e-7, "relative"),
    "aic, bic": Tolerance(1e-8, f"relative (to {2 * FLOOR:g} if smaller)"),
    "fixed effects": Tolerance(1e-4, "standard errors"),
    "standard errors": Tolerance(1e-4, "relative"),
    "vcov of fixed effects": Tolerance(1e-4, "relative"),
    "Wald z": Tolerance(2e-4, "relative (to 1 if smaller)"),
    "Wald limits": Tolerance(3e-4, "standard errors"),
    "Wald chi2": Tolerance(3e-4, "relative (to 1 if smaller)"),
    "variances": Tolerance(1e-4, "relative"),
    "variances of zero": Tolerance(1e-6, "sigma2"),
    "covariances": Tolerance(1e-4, "relative"),
    "standard deviations": Tolerance(1e-4, "relative"),
    "correlations": Tolerance(1e-4, "absolute"),
    "correlations near +-1": Tolerance(1e-3, "absolute"),
    "se of variance parameters": Tolerance(1e-3, "relative"),
    "limits of variances": Tolerance(1e-3, "half-widths of the log interval"),
    "chi2 against the linear model": Tolerance(1e-8, f"relative to the deviance (to {2 * FLOOR:g} if smaller)"),
    "p-values": Tolerance(1e-3, "relative on log p (1e-6 absolute near 1)"),
    "random effects": Tolerance(1e-4, "their sd"),
    "conditional variances": Tolerance(1e-3, "relative"),
    "fitted values": Tolerance(1e-4, "their sd"),
    "residual sum of squares": Tolerance(1e-4, "relative"),
    "predictions": Tolerance(1e-4, "their sd"),
}


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
    def results(self):
        return self.estimator.results_

    @functools.cached_property
    def components(self):
        """(factor, the pair of effects) -> row of `variance_components()`."""
        rows = self.estimator.variance_components().to_dict("records")
        return {component_key(row["factor"], row["effect"], row["effect2"]): row for row in rows}

    @functools.cached_property
    def random_effects(self):
        return self.estimator.random_effects()


def plain(effect):
    """Effect names as in the reference: without backticks, the intercept in parentheses."""
    name = str(effect).strip("`")
    return reference_models.INTERCEPT if name == "Intercept" else name


def component_key(factor, *effects):
    return factor if factor == "Residual" else (factor, frozenset(plain(effect) for effect in effects))


def level_name(level):
    """Levels of an interaction may be tuples."""
    return ":".join(map(str, level)) if isinstance(level, tuple) else str(level)


def quiet_fit(model, rows):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        estimator = MixedLinearRegressor(**model.options).fit(model.X[rows], model.y[rows])
    return estimator, sorted({warning.category.__name__ for warning in caught})


@functools.cache
def fitted(name):
    model = reference_models.build_model(name)
    return Fit(model, *quiet_fit(model, np.full(len(model.y), True)))


@functools.cache
def fitted_on_training_rows(name):
    model, test_rows = reference_models.build_prediction(name)
    return Fit(model, *quiet_fit(model, ~test_rows), test_rows)


# Measures of difference: arrays in, the worst entry out (NaN counts as infinitely wrong)
def worst(values):
    values = np.abs(np.asarray(values, dtype=float))
    return float(np.where(np.isnan(values), np.inf, values).max(initial=0.0))


def against(ours, theirs, scale):
    return worst((np.asarray(ours, dtype=float) - np.asarray(theirs, dtype=float)) / scale)


def relative(ours, theirs, floor=0.0):
    return against(ours, theirs, np.maximum(np.abs(np.asarray(theirs, dtype=float)), floor))


def relative_matrix(ours, theirs, when_zero=1.0):
    """Relative per entry; an off-diagonal entry is never scaled by less than a correlation of 0.01."""
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
    return against(ours, [stored["sum"] / n, math.sqrt(stored["sumsq"] / n), stored["min"], stored["max"]], sd)


def checksum(values, stored, when_constant):
    """Worst of the moments and the first five values, in standard deviations."""
    sd = spread(stored, when_constant)
    return max(moments(values, stored, sd), against(values[:5], stored["first5"], sd))


# What is compared: each function yields Differences
def compare_log_likelihood(fit, name="loglik"):
    theirs = fit.reference[name]
    shortfall = theirs - (fit.estimator.loglik_ + fit.model.loglik_shift)
    yield Difference("log-likelihood, below", worst(max(shortfall, 0.0) / max(abs(theirs), FLOOR)), name)
    yield Difference("log-likelihood, above", worst(min(shortfall, 0.0) / abs(theirs)), name)
    yield Difference("log-likelihood, below", relative(fit.results.llf, fit.estimator.loglik_, FLOOR), "llf")


def compare_criteria(fit):
    for name in ("aic", "bic"):
        ours = getattr(fit.results, name) - 2 * fit.model.loglik_shift
        yield Difference("aic, bic", relative(ours, fit.reference[name], 2 * FLOOR), name)


def compare_fixed_effects(fit):
    theirs, names = fit.reference["fixef"], fit.model.parameters
    errors = list(fit.reference["se"].values()) if "se" in fit.reference else fit.results.bse[names].to_numpy()
    ours = fit.results.params[names]
    yield Difference("fixed effects", against(ours, list(theirs.values()), errors), "params")
    columns = fit.model.X.columns.drop(fit.model.group_columns)
    coefficients = {"Intercept": fit.estimator.intercept_, **dict(zip(columns, fit.estimator.coef_, strict=True))}
    direct = [coefficients[name] for name in names]
    yield Difference("fixed effects", against(direct, list(theirs.values()), errors), "coef_, intercept_")


def compare_standard_errors(fit):
    names, theirs = fit.model.parameters, fit.reference
    ours = fit.results.cov_params().loc[names, names]
    yield Difference("standard errors", relative(fit.results.bse[names], list(theirs["se"].values())), "bse")
    yield Difference("vcov of fixed effects", relative_matrix(ours, theirs["vcov"]), "cov_params()")


def compare_wald(fit):
    names, theirs = fit.model.parameters, fit.reference["wald"]
    errors = list(fit.reference["se"].values())
    limits = fit.results.conf_int().loc[names].to_numpy()
    yield Difference("Wald z", relative(fit.results.tvalues[names], list(theirs["z"].values()), 1), "tvalues")
    for ours, p in zip(fit.results.pvalues[names], theirs["p"].values(), strict=True):
        yield Difference("p-values", log_p(ours, p), "pvalues")
    for side, name in enumerate(("ci95_lower", "ci95_upper")):
        yield Difference("Wald limits", against(limits[:, side], list(theirs[name].values()), errors), name)


def compare_wald_chi2(fit):
    ours, theirs = fit.results.wald_chi2, fit.reference["wald_chi2"]
    yield Difference("Wald chi2", relative(ours.statistic, theirs["chi2"], 1), "statistic")
    yield Difference("Wald chi2", worst(ours.df - theirs["df"]), "df")
    yield Difference("p-values", log_p(ours.pvalue, theirs["p"]), "wald_chi2")


def compare_variances(fit):
    """`covariances_`, `scale_` and the estimates and sd_or_corr of `variance_components()`."""
    sigma2 = fit.reference.get("sigma2", fit.reference["sigma"] ** 2)
    residual = fit.components["Residual"]
    yield Difference("variances", relative(fit.estimator.scale_, sigma2), "scale_")
    yield Difference("variances", relative([fit.results.scale, residual["estimate"]], sigma2), "Residual")
    yield Difference("standard deviations", relative(residual["sd_or_corr"], math.sqrt(sigma2)), "Residual")
    for place, (term, stored) in enumerate(zip(fit.model.terms, fit.model.varcomp(), strict=True)):
        cov = np.asarray(fit.estimator.covariances_[place])
        if cov.shape != np.shape(stored["cov"]):
            yield Difference("variances", math.inf, f"shape of covariances_[{place}]")
            continue
        for j, i in zip(*np.triu_indices(len(cov)), strict=True):
            row = fit.components[component_key(term.group, term.effects[i], term.effects[j])]
            what = f"{term.group}: {row['effect']}, {row['effect2']}"
            yield from _compare_entry(
                (cov[i, j], cov[j, i], row["estimate"]), stored["cov"][i][j], i == j, sigma2, what
            )
            yield from _compare_sd_or_corr(row["sd_or_corr"], stored, i, j, what)


def _compare_entry(ours, theirs, on_diagonal, sigma2, what):
    if theirs == 0:
        yield Difference("variances of zero", against(ours, theirs, sigma2), what)
    else:
        yield Difference("variances" if on_diagonal else "covariances", relative(ours, theirs), what)


def _compare_sd_or_corr(ours, stored, i, j, what):
    theirs = stored["sd"][i] if i == j else stored["corr"][i][j]
    if i != j:
        quantity = "correlations near +-1" if abs(theirs) > NEAR_ONE else "correlations"
        yield Difference(quantity, worst(ours - theirs), what)
    elif theirs > 0:
        yield Difference("standard deviations", relative(ours, theirs), what)


def compare_variance_errors(fit):
    stored = fit.reference["varpar"]
    rows = [
        fit.components[component_key(entry["group"], entry["terms"][i], entry["terms"][j])]
        for entry in fit.reference["varcomp"]
        for j, i in zip(*np.triu_indices(len(entry["terms"])), strict=True)
    ]
    columns = ("names", "estimate", "se", "ci95_lower_logscale", "ci95_upper_logscale")
    theirs = zip(*(stored[column] for column in columns), strict=True)
    for row, (name, estimate, se, low, high) in zip([*rows, fit.components["Residual"]], theirs, strict=True):
        yield Difference("se of variance parameters", relative(row["std_error"], se), name)
        if low is not None:  # covariances have none
            half_width = math.log(high / estimate)
            ours = [row["ci_low"], row["ci_high"]]
            yield Difference("limits of variances", _log_distance(ours, [low, high], half_width), name)


def _log_distance(ours, theirs, scale):
    return against(np.log(np.maximum(ours, 1e-300)), np.log(theirs), scale)


def compare_linear_model_test(fit):
    """The p-value is 1 where chi2 is zero up to round-off (the reference has 0.5 or 1 there, by chance)."""
    ours, theirs = fit.results.random_effects_test(), fit.reference["lrt_vs_linear"]
    deviance = max(2 * abs(fit.reference["loglik"]), 2 * FLOOR)
    chi2 = Difference("chi2 against the linear model", against(ours.statistic, theirs["chi2"], deviance), "statistic")
    p = theirs["p_chi2_df"] if theirs.get("p_chibar01") is None else theirs["p_chibar01"]
    yield chi2
    yield Difference("p-values", log_p(ours.pvalue, p if theirs["chi2"] > 1e-10 else 1.0), "random_effects_test()")


def compare_random_effects(fit):
    for group, stored in fit.reference["ranef"].items():
        table = fit.random_effects[fit.random_effects["factor"] == group]
        for k, effect in enumerate(stored["terms"]):
            rows = table[table["effect"].map(plain) == effect]
            ours = dict(zip(rows["level"].map(level_name), rows["estimate"], strict=True))
            total = {"n": stored["n"]} | {name: stored[name][k] for name in ("sum", "sumsq", "min", "max")}
            sd = spread(total, fit.reference["sigma"])
            first = [ours.get(level, math.nan) for level in stored["first5"]]
            theirs = [effects[k] for effects in stored["first5"].values()]
            yield Difference("random effects", against(first, theirs, sd), f"{group}: {effect}, first levels")
            yield Difference("random effects", moments(list(ours.values()), total, sd), f"{group}: {effect}, all")


def compare_conditional_variances(fit):
    """`results_.random_effects_cov` as matrices, and the standard errors of `random_effects()`."""
    for group, stored in fit.reference["ranef"].items():
        table = fit.random_effects[fit.random_effects["factor"] == group]
        effects = [plain(effect) for effect in dict.fromkeys(table["effect"])]
        order = [effects.index(effect) for effect in stored["terms"]]
        levels = fit.model.levels(group)
        for level, theirs in _conditional_matrices(stored):
            ours = np.asarray(fit.results.random_effects_cov[group][levels.index(level)])[np.ix_(order, order)]
            known = np.isfinite(theirs)
            entries = np.where(known, ours, 0.0), np.where(known, theirs, 0.0)
            size = relative_matrix(*entries, when_zero=fit.reference["sigma2"])
            yield Difference("conditional variances", size, f"{group}: {level}")
            rows = table[table["level"].map(level_name) == level]
            errors = dict(zip(rows["effect"].map(plain), rows["std_error"], strict=True))
            squares = np.diag([errors[effect] ** 2 for effect in stored["terms"]])
            size = relative_matrix(squares, np.diag(np.diag(theirs)), fit.reference["sigma2"])
            yield Difference("conditional variances", size, f"{group}: std_error of {level}")


def _conditional_matrices(stored):
    """(level, matrix); of several terms on one factor only the diagonal is stored, the rest is NaN."""
    for level, matrix in stored.get("cond_var_first3", {}).items():
        yield level, np.asarray(matrix, dtype=float)
    for level, diagonal in stored.get("cond_var_first3_diag_by_term", {}).items():
        matrix = np.full((len(diagonal), len(diagonal)), np.nan)
        np.fill_diagonal(matrix, diagonal)
        yield level, matrix


def compare_fitted(fit):
    reference, scale = fit.reference, fit.model.scale
    conditional = np.asarray(fit.results.fittedvalues) / scale
    population = np.asarray(fit.estimator.predict(fit.model.X, kind="population")) / scale
    again = np.asarray(fit.estimator.predict(fit.model.X)) / scale
    residuals = np.asarray(fit.results.resid) / scale
    sigma = reference["sigma"]
    yield Difference("fitted values", checksum(conditional, reference["fitted"], sigma), "fittedvalues")
    yield Difference("fitted values", checksum(again, reference["fitted"], sigma), "predict")
    yield Difference("fitted values", checksum(population, reference["fitted_population"], sigma), "population")
    size = relative(np.sum(residuals**2), reference["residual_sumsq"])
    yield Difference("residual sum of squares", size, "resid")


def compare_predictions(fit):
    reference, rows = fit.reference, fit.test_rows
    X, y = fit.model.X[rows], fit.model.y[rows].to_numpy()
    for kind in ("conditional", "population"):
        ours = np.asarray(fit.estimator.predict(X, kind=kind))
        stored, theirs = reference[f"{kind}_checksum"], reference[kind]
        sd = spread(stored, reference["sigma"])
        yield Difference("predictions", against(ours[: len(theirs)], theirs, sd), f"{kind}, first rows")
        yield Difference("predictions", checksum(ours, stored, reference["sigma"]), f"{kind}, all rows")
        error = np.sqrt(np.mean((y - ours) ** 2))
        yield Difference("predictions", against(error, reference[f"rmse_{kind}"], sd), f"{kind}, rmse")


COMPARISONS = {  # name of the test -> (key the reference must have, function)
    "log_likelihood": ("loglik", compare_log_likelihood),
    "criteria": ("aic", compare_criteria),
    "fixed_effects": ("fixef", compare_fixed_effects),
    "standard_errors": ("se", compare_standard_errors),
    "wald": ("wald", compare_wald),
    "wald_chi2": ("wald_chi2", compare_wald_chi2),
    "variances": ("varcomp", compare_variances),
    "variance_errors": ("varpar", compare_variance_errors),
    "linear_model_test": ("lrt_vs_linear", compare_linear_model_test),
    "random_effects": ("ranef", compare_random_effects),
    "conditional_variances": ("ranef", compare_conditional_variances),
    "fitted": ("fitted", compare_fitted),
}
PREDICTION_COMPARISONS = {
    "log_likelihood": functools.partial(compare_log_likelihood, name="loglik_train"),
    "fixed_effects": compare_fixed_effects,
    "variances": compare_variances,
    "predictions": compare_predictions,
}


def comparisons_of(reference):
    """Names of the comparisons a reference entry has numbers for."""
    scaled_rows = "prior weights" in reference.get("note", "")  # fitted without an intercept: another joint test
    return [
        name
        for name, (key, _) in COMPARISONS.items()
        if reference.get(key) is not None and not (scaled_rows and name == "wald_chi2")
    ]


# The tests
def _marks(name):
    """One of the large crossed models always runs, the others on request."""
    slow = name.startswith("InstEval") and name != "InstEval_service_reml"
    return [pytest.mark.slow] if slow else []


MODELS = {name: entry for name, (_, entry) in reference_models.models().items()}
CASES = [
    pytest.param(name, comparison, marks=_marks(name), id=f"{name}-{comparison}")
    for name, entry in MODELS.items()
    for comparison in comparisons_of(entry)
]
needs_reference = pytest.mark.skipif(not MODELS, reason=reference_models.MISSING)


def assert_within(differences):
    failures = [
        f"{quantity} ({what}): {size:.3g} {TOLERANCES[quantity].unit}, at most {TOLERANCES[quantity].limit:g}"
        for quantity, size, what in differences
        if not size <= TOLERANCES[quantity].limit
    ]
    assert not failures, "\n".join(failures)


@needs_reference
@pytest.mark.parametrize(("name", "comparison"), CASES)
def test_matches_the_reference(name, comparison):
    assert_within(COMPARISONS[comparison][1](fitted(name)))


@needs_reference
@pytest.mark.parametrize("comparison", PREDICTION_COMPARISONS)
@pytest.mark.parametrize("name", reference_models.predictions())
def test_predictions_match_the_reference(name, comparison):
    assert_within(PREDICTION_COMPARISONS[comparison](fitted_on_training_rows(name)))


@needs_reference
@pytest.mark.parametrize("name", [pytest.param(name, marks=_marks(name)) for name in MODELS])
def test_converges_and_warns_only_of_what_is_there(name):
    fit = fitted(name)
    expected = {"SingularFitWarning"} if fit.reference["singular"] else set()
    if "cellmeans" in name:  # the dummy of the first level is a random slope only
        expected |= {"RankDeficiencyWarning"}
    assert set(fit.complaints) == expected
    assert fit.estimator.converged_
    assert fit.results.nobs == fit.reference["n"]


# The table
def _all_fits():
    """(name, fitting function, comparison functions) of models and predictions."""
    for name, entry in MODELS.items():
        yield name, fitted, [COMPARISONS[comparison][1] for comparison in comparisons_of(entry)]
    for name in reference_models.predictions():
        yield name, fitted_on_training_rows, PREDICTION_COMPARISONS.values()


def worst_differences():
    """Per quantity the number of comparisons, the worst difference and its place; and what failed."""
    table, failures = {}, []
    for name, fit, comparisons in _all_fits():
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


def markdown_table(table):
    lines = ["| quantity | compared | worst | tolerance | unit | where |", "|---|--:|--:|--:|---|---|"]
    for quantity, (limit, unit) in TOLERANCES.items():
        count, size, place = table.get(quantity, (0, math.nan, ""))
        excess = " **(over)**" if size > limit else ""
        lines.append(f"| {quantity} | {count} | {size:.1e}{excess} | {limit:g} | {unit} | {place} |")
    return "\n".join(lines)


if __name__ == "__main__":
    if not MODELS:
        raise SystemExit(reference_models.MISSING)
    found, failed = worst_differences()
    print(markdown_table(found))
    print(*failed, sep="\n")
