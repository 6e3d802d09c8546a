"""The classifier against the reference results (lme4 at the polished optimum), within their stated
tolerances.

`python -m tests.test_reference_logistic` prints the worst difference of every quantity as a table.
"""

import functools

import numpy as np
import pytest
from scipy.special import expit

from skmixed import MixedLogisticClassifier
from tests.helpers import comparisons as shared
from tests.helpers import dense, reference_glmm, reference_models
from tests.helpers import dense_glmm as dense_logistic
from tests.helpers.comparisons import (
    FLOOR,
    Difference,
    Fit,
    Tolerance,
    against,
    checksum,
    spread,
    worst,
)

pytestmark = pytest.mark.slow  # stored results of every reference model

TOLERANCES = {
    "log-likelihood, below": Tolerance(1e-8, f"relative (to {FLOOR:g} if smaller)"),
    "log-likelihood, above": Tolerance(1e-7, "relative"),
    "aic, bic": Tolerance(1e-8, f"relative (to {2 * FLOOR:g} if smaller)"),
    "fixed effects": Tolerance(1e-4, "standard errors"),
    "standard errors": Tolerance(1e-3, "relative"),
    "vcov of fixed effects": Tolerance(1e-3, "relative"),
    "Wald z": Tolerance(1.1e-3, "relative (to 1 if smaller)"),
    "Wald limits": Tolerance(2.1e-3, "standard errors"),
    "Wald chi2": Tolerance(2.1e-3, "relative (to 1 if smaller)"),
    "variances": Tolerance(1e-4, "relative"),
    "covariances": Tolerance(1e-4, "relative"),
    "standard deviations": Tolerance(1e-4, "relative"),
    "correlations": Tolerance(1e-4, "absolute"),
    "se of variance parameters": Tolerance(1e-3, "relative"),
    "limits of variances": Tolerance(1e-3, "half-widths of the log interval"),
    "chi2 against plain logistic": Tolerance(
        1e-8, f"relative to the deviance (to {2 * FLOOR:g} if smaller)"
    ),
    "p-values": Tolerance(1e-3, "relative on log p (1e-6 absolute near 1)"),
    "random effects": Tolerance(1e-4, "their sd"),
    "conditional variances": Tolerance(1e-3, "relative"),
    "probabilities": Tolerance(1e-4, "their sd"),
    "predictions": Tolerance(1e-4, "their sd"),
    "agreement of our own": Tolerance(1e-10, "absolute"),
}


# The fits
def fit_to(model, rows, test_rows=None):
    estimator = MixedLogisticClassifier(**model.options)
    weights = None if model.weights is None else model.weights[rows]
    return Fit(
        model,
        *shared.quiet_fit(estimator.fit, model.X[rows], model.y[rows], sample_weight=weights),
        test_rows,
    )


@functools.cache
def fitted(name):
    model = reference_glmm.build_model(name)
    return fit_to(model, np.full(len(model.y), True))


@functools.cache
def fitted_on_training_rows(name):
    model, test_rows = reference_glmm.build_prediction(name)
    return fit_to(model, ~test_rows, test_rows)


# What is compared: each function yields Differences
def compare_variances(fit):
    """The covariances; there is no residual variance."""
    entries = sum(len(term.effects) * (len(term.effects) + 1) // 2 for term in fit.model.terms)
    yield Difference(
        "agreement of our own", abs(len(fit.components) - entries), "rows of variance_components()"
    )
    yield from shared.compare_covariances(fit)


def probability(fit, X, kind):
    """Of a one; of a zero it is the rest, and `decision_function` is the log-odds."""
    both = np.asarray(fit.estimator.predict_proba(X, kind=kind))
    odds = np.asarray(fit.estimator.decision_function(X, kind=kind))
    assert both.shape == (len(X), 2)
    yield Difference(
        "agreement of our own",
        worst(both.sum(axis=1) - 1),
        f"predict_proba of both classes, {kind}",
    )
    yield Difference(
        "agreement of our own", worst(expit(odds) - both[:, 1]), f"decision_function, {kind}"
    )
    return both[:, 1]


LISTED = {
    "conditional": "fitted_prob",
    "population": "population_prob_re0",
    "marginal": "population_prob_marginal",
}


def compare_probabilities(fit):
    reference, model = fit.reference, fit.model
    X, sd = model.X.iloc[model.listed_rows], spread(reference["fitted_prob"], 1.0)
    for kind, name in LISTED.items():
        ours = yield from probability(fit, X, kind)
        yield Difference("probabilities", checksum(ours, reference[name], sd), kind)
    used = np.full(len(model.y), True) if model.weights is None else model.weights > 0
    again = np.asarray(fit.estimator.predict_proba(model.X[used]))[:, 1]
    yield Difference(
        "agreement of our own", against(fit.results.fittedvalues, again, 1.0), "fittedvalues"
    )


def compare_predictions(fit):
    """Of unseen levels the reference has the effects at zero; here they are integrated out."""
    reference, X = fit.reference, fit.model.X[fit.test_rows]
    listed = slice(len(reference["test_rows_1based"]))
    for kind in ("population", "marginal"):
        ours, name = (yield from probability(fit, X, kind)), LISTED[kind]
        stored = reference[f"{name}_checksum"]
        sd = spread(stored, 1.0)
        yield Difference(
            "predictions", against(ours[listed], reference[name], sd), f"{kind}, first rows"
        )
        yield Difference("predictions", checksum(ours, stored, sd), f"{kind}, all rows")

    stored = reference["conditional_prob_checksum"]
    sd, seen = spread(stored, 1.0), is_seen(fit)
    ours = yield from probability(fit, X, "conditional")
    yield Difference(
        "agreement of our own",
        worst(seen[listed] != reference["group_seen"]),
        "rows of known groups",
    )
    link, variance = np.array(reference["conditional_link"]), group_variance(fit)[listed]
    theirs = np.where(
        seen[listed], expit(link), dense_logistic.integrated_probability(link, variance)
    )
    yield Difference("predictions", against(ours[listed], theirs, sd), "conditional, first rows")
    at_zero = np.where(seen, ours, expit(linear_predictor_at_zero(fit)))
    yield Difference("predictions", checksum(at_zero, stored, sd), "conditional, all rows")
    if len(fit.model.terms) == 1:
        marginal = np.array(reference["population_prob_marginal"])
        unseen = ~seen[listed]
        yield Difference(
            "predictions", against(ours[listed][unseen], marginal[unseen], sd), "unseen, first rows"
        )


def is_seen(fit):
    """Whether the test rows belong to groups with training rows."""
    labels = fit.model.X[fit.reference["group"]]
    return labels[fit.test_rows].isin(labels[~fit.test_rows]).to_numpy()


def group_variance(fit):
    """z'Tz of the factor that has unseen levels, for the test rows, at the reference's
    estimates."""
    columns, group = fit.model.columns[fit.test_rows], fit.reference["group"]
    parts = [
        (columns[list(term.effects)].to_numpy(), stored["cov"])
        for term, stored in zip(fit.model.terms, fit.model.varcomp(), strict=True)
        if term.group == group
    ]
    return sum(np.sum(z @ cov * z, axis=1) for z, cov in parts)


def linear_predictor_at_zero(fit):
    """Of the test rows, with the random effects of the factor that has unseen levels at zero."""
    X, columns = fit.model.X[fit.test_rows], fit.model.columns[fit.test_rows]
    eta = (
        columns[fit.model.fixef_names].to_numpy()
        @ fit.results.params[fit.model.parameters].to_numpy()
    )
    for group in {term.group for term in fit.model.terms} - {fit.reference["group"]}:
        effects = fit.results.random_effects[group]
        z = columns[[shared.plain(effect) for effect in effects]].to_numpy()
        eta = eta + np.sum(z * effects.loc[X[group]].to_numpy(), axis=1)
    return eta


LOGISTIC_MODEL_TEST = functools.partial(
    shared.compare_random_effects_test,
    name="lrt_vs_logistic",
    quantity="chi2 against plain logistic",
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
    "logistic_model_test": ("lrt_vs_logistic", LOGISTIC_MODEL_TEST),
    "random_effects": ("ranef", shared.compare_random_effects),
    "conditional_variances": ("ranef", shared.compare_conditional_variances),
    "probabilities": ("fitted_prob", compare_probabilities),
}
PREDICTION_COMPARISONS = {
    "log_likelihood": functools.partial(shared.compare_log_likelihood, name="loglik_train"),
    "fixed_effects": shared.compare_fixed_effects,
    "variances": compare_variances,
    "predictions": compare_predictions,
}


# The tests
MODELS = {
    name: entry
    for name, (_, entry) in reference_glmm.models().items()
    if name not in reference_glmm.SPURIOUS
}
CASES = [
    pytest.param(name, comparison, id=f"{name}-{comparison}")
    for name, entry in MODELS.items()
    for comparison, (key, _) in COMPARISONS.items()
    if entry.get(key) is not None
]
needs_reference = pytest.mark.skipif(not MODELS, reason=reference_models.MISSING)


@needs_reference
@pytest.mark.parametrize(("name", "comparison"), CASES)
def test_matches_the_reference(name, comparison):
    shared.assert_within(COMPARISONS[comparison][1](fitted(name)), TOLERANCES)


@needs_reference
@pytest.mark.parametrize("comparison", PREDICTION_COMPARISONS)
@pytest.mark.parametrize("name", reference_glmm.predictions())
def test_predictions_match_the_reference(name, comparison):
    shared.assert_within(
        PREDICTION_COMPARISONS[comparison](fitted_on_training_rows(name)), TOLERANCES
    )


#: fits with so few points that more move an estimate by a tenth of its standard error, or the log-likelihood by one
MISLEADING = {
    "Contraception_urban_indep_laplace",
    "VerbAgg_id_nagq1",
    "guImmun_comm_nagq1",
    "toenail_nagq1",
    "toenail_nagq7",
    "toenail_nagq15",
}


@needs_reference
@pytest.mark.parametrize("name", MODELS)
def test_converges_and_warns_only_of_what_is_there(name):
    fit = fitted(name)
    expected = {"SingularFitWarning"} if fit.reference["singular"] else set()
    if "indep" in name:  # the slope is a copy of the dummy
        expected |= {"RankDeficiencyWarning"}
    if name in MISLEADING:
        expected |= {"LaplaceWarning"}
    assert set(fit.complaints) == expected
    assert fit.estimator.converged_
    assert fit.results.nobs == fit.reference["n"]
    assert fit.results.n_params == fit.reference["n_params"]
    assert list(fit.estimator.classes_) == [0, 1]


@needs_reference
@pytest.mark.parametrize("name", reference_glmm.SPURIOUS)
def test_an_artefact_of_the_approximation_still_ends(name):
    """Mothers with one to four children and effects of sd 17: the maximum means nothing, and its place is no target."""
    fit = fitted(name)
    estimator, theirs = fit.estimator, fit.reference["loglik"]
    assert np.isfinite([estimator.loglik_, estimator.intercept_, *estimator.coef_]).all()
    assert np.isfinite(estimator.covariances_).all()
    assert fit.complaints or estimator.loglik_ > theirs - 1e-6 * abs(theirs)


@needs_reference
@pytest.mark.slow
@pytest.mark.parametrize("name", reference_glmm.SPURIOUS)
def test_an_artefact_of_the_approximation_has_its_value(name):
    """At our own estimates the log-likelihood is that of the dense twin."""
    fit, model = fitted(name), fitted(name).model
    columns, terms = model.columns, model.terms
    Zs = [
        dense.term_design(model.labels(term.group), columns[list(term.effects)]) for term in terms
    ]
    beta = fit.results.params[model.parameters].to_numpy()
    X, y = columns[model.fixef_names].to_numpy(), model.y.to_numpy(float)
    deviance = dense_logistic.laplace_deviance(y, X, Zs, beta, fit.estimator.covariances_)
    assert fit.estimator.loglik_ == pytest.approx(-deviance / 2, rel=1e-8)


# The table
def _all_fits():
    """(name, fitting function, comparison functions) of models and predictions."""
    for name, entry in MODELS.items():
        yield (
            name,
            fitted,
            [compare for key, compare in COMPARISONS.values() if entry.get(key) is not None],
        )
    for name in reference_glmm.predictions():
        yield name, fitted_on_training_rows, PREDICTION_COMPARISONS.values()


if __name__ == "__main__":
    shared.print_table(_all_fits(), TOLERANCES)
