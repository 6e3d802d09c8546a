"""The estimator against the reference results (lme4 at the polished optimum), within their stated
tolerances.

`python -m tests.test_reference` prints the worst difference of every quantity as a table.
"""

import functools
import math

import numpy as np
import pytest

from skmixed import MixedLinearRegressor
from tests.helpers import comparisons as shared
from tests.helpers import reference_models
from tests.helpers.comparisons import (
    FLOOR,
    Difference,
    Fit,
    Tolerance,
    against,
    checksum,
    relative,
    spread,
)

pytestmark = pytest.mark.slow  # stored results of every reference model

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
    "chi2 against the linear model": Tolerance(
        1e-8, f"relative to the deviance (to {2 * FLOOR:g} if smaller)"
    ),
    "p-values": Tolerance(1e-3, "relative on log p (1e-6 absolute near 1)"),
    "random effects": Tolerance(1e-4, "their sd"),
    "conditional variances": Tolerance(1e-3, "relative"),
    "fitted values": Tolerance(1e-4, "their sd"),
    "residual sum of squares": Tolerance(1e-4, "relative"),
    "predictions": Tolerance(1e-4, "their sd"),
}


# The fits
def fit_to(model, rows, test_rows=None):
    estimator = MixedLinearRegressor(**model.options)
    return Fit(model, *shared.quiet_fit(estimator.fit, model.X[rows], model.y[rows]), test_rows)


@functools.cache
def fitted(name):
    model = reference_models.build_model(name)
    return fit_to(model, np.full(len(model.y), True))


@functools.cache
def fitted_on_training_rows(name):
    model, test_rows = reference_models.build_prediction(name)
    return fit_to(model, ~test_rows, test_rows)


# What is compared: each function yields Differences
def compare_variances(fit):
    """The covariances, and the residual variance in its three places."""
    sigma2, residual = fit.sigma2, fit.components["Residual"]
    yield Difference("variances", relative(fit.estimator.scale_, sigma2), "scale_")
    yield Difference(
        "variances", relative([fit.results.scale, residual["estimate"]], sigma2), "Residual"
    )
    yield Difference(
        "standard deviations", relative(residual["sd_or_corr"], math.sqrt(sigma2)), "Residual"
    )
    yield from shared.compare_covariances(fit)


def compare_fitted(fit):
    reference, scale = fit.reference, fit.model.scale
    conditional = np.asarray(fit.results.fittedvalues) / scale
    population = np.asarray(fit.estimator.predict(fit.model.X, kind="population")) / scale
    again = np.asarray(fit.estimator.predict(fit.model.X)) / scale
    residuals = np.asarray(fit.results.resid) / scale
    sigma = reference["sigma"]
    yield Difference(
        "fitted values", checksum(conditional, reference["fitted"], sigma), "fittedvalues"
    )
    yield Difference("fitted values", checksum(again, reference["fitted"], sigma), "predict")
    yield Difference(
        "fitted values", checksum(population, reference["fitted_population"], sigma), "population"
    )
    size = relative(np.sum(residuals**2), reference["residual_sumsq"])
    yield Difference("residual sum of squares", size, "resid")


def compare_predictions(fit):
    reference, rows = fit.reference, fit.test_rows
    X, y = fit.model.X[rows], fit.model.y[rows].to_numpy()
    for kind in ("conditional", "population"):
        ours = np.asarray(fit.estimator.predict(X, kind=kind))
        stored, theirs = reference[f"{kind}_checksum"], reference[kind]
        sd = spread(stored, reference["sigma"])
        yield Difference(
            "predictions", against(ours[: len(theirs)], theirs, sd), f"{kind}, first rows"
        )
        yield Difference(
            "predictions", checksum(ours, stored, reference["sigma"]), f"{kind}, all rows"
        )
        error = np.sqrt(np.mean((y - ours) ** 2))
        yield Difference(
            "predictions", against(error, reference[f"rmse_{kind}"], sd), f"{kind}, rmse"
        )


LINEAR_MODEL_TEST = functools.partial(
    shared.compare_random_effects_test,
    name="lrt_vs_linear",
    quantity="chi2 against the linear model",
)
COMPARISONS = {  # name of the test -> (key the reference must have, function)
    "log_likelihood": ("loglik", shared.compare_log_likelihood),
    "criteria": ("aic", shared.compare_criteria),
    "fixed_effects": ("fixef", shared.compare_fixed_effects),
    "standard_errors": ("se", shared.compare_standard_errors),
    "wald": ("wald", shared.compare_wald),
    "wald_chi2": ("wald_chi2", shared.compare_wald_chi2),
    "variances": ("varcomp", compare_variances),
    "variance_errors": ("varpar", shared.compare_variance_errors),
    "linear_model_test": ("lrt_vs_linear", LINEAR_MODEL_TEST),
    "random_effects": ("ranef", shared.compare_random_effects),
    "conditional_variances": ("ranef", shared.compare_conditional_variances),
    "fitted": ("fitted", compare_fitted),
}
PREDICTION_COMPARISONS = {
    "log_likelihood": functools.partial(shared.compare_log_likelihood, name="loglik_train"),
    "fixed_effects": shared.compare_fixed_effects,
    "variances": compare_variances,
    "predictions": compare_predictions,
}


def comparisons_of(reference):
    """Names of the comparisons a reference entry has numbers for."""
    scaled_rows = "prior weights" in reference.get(
        "note", ""
    )  # fitted without an intercept: another joint test
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


@needs_reference
@pytest.mark.parametrize(("name", "comparison"), CASES)
def test_matches_the_reference(name, comparison):
    shared.assert_within(COMPARISONS[comparison][1](fitted(name)), TOLERANCES)


@needs_reference
@pytest.mark.parametrize("comparison", PREDICTION_COMPARISONS)
@pytest.mark.parametrize("name", reference_models.predictions())
def test_predictions_match_the_reference(name, comparison):
    shared.assert_within(
        PREDICTION_COMPARISONS[comparison](fitted_on_training_rows(name)), TOLERANCES
    )


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


if __name__ == "__main__":
    shared.print_table(_all_fits(), TOLERANCES)
