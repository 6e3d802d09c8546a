"""Fits of crossed factors by an iterative solver: close to exact ones, and honest about what they do not know."""

import pickle
import re
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from skmixed import MixedLinearRegressor, MixedLogisticClassifier
from skmixed import inference as inf
from skmixed._fit.joint import joint
from skmixed.diagnostics import diagnose, explain
from skmixed.displays import InfluenceDisplay, ProfileDisplay

N_ROWS = 4000
SPREAD = {"pupil": (400, 0.7), "task": (120, 0.5), "day": (6, 0.3)}


def crossed(logistic=False, n=N_ROWS, seed=0, spread=SPREAD):
    rng = np.random.default_rng(seed)
    data = {name: rng.integers(0, m, n) for name, (m, _) in spread.items()}
    X = pd.DataFrame({"x": rng.normal(size=n), "arm": rng.choice(["a", "b"], n), **data})
    eta = 0.5 + X["x"] - 0.5 * (X["arm"] == "b")
    for name, (m, sd) in spread.items():
        eta = eta + rng.normal(0.0, sd, m)[X[name]]
    if logistic:
        return X, (rng.random(n) < 1.0 / (1.0 + np.exp(-eta))).astype(int)
    return X, (eta + rng.normal(size=n)).to_numpy()


FORMULA = "x + C(arm) + (1 | pupil) + (1 | task) + (1 | day)"


def fitted(kind, solver, **options):
    X, y = crossed(kind is MixedLogisticClassifier)
    return kind(formula=FORMULA, solver=solver, **options).fit(X, y)


@pytest.fixture(scope="module")
def linear():
    return fitted(MixedLinearRegressor, "iterative")


@pytest.fixture(scope="module")
def exact():
    return fitted(MixedLinearRegressor, "exact")


@pytest.fixture(scope="module")
def logistic():
    return fitted(MixedLogisticClassifier, "iterative")


def estimates(model):
    found = joint(model.results_.fitted.fit)
    errors = (
        np.sqrt(np.diag(found.covariance))
        * np.r_[np.ones(len(found.coefficients)), np.full(len(found.variances), found.unit)]
    )
    return np.r_[found.coefficients, found.variances], errors


def check_close(about, exact):
    """Estimates within a tenth of a standard error, and errors within three hundredths."""
    found, errors = estimates(about)
    expected, of_exact = estimates(exact)
    assert about.converged_ and about.solver_ == "iterative" and exact.solver_ == "exact"
    np.testing.assert_array_less(np.abs(found - expected) / of_exact, 0.1)
    np.testing.assert_allclose(errors, of_exact, rtol=0.03)
    error = about.results_.fitted.fit.loglik_error
    assert error > 0 and abs(about.loglik_ - exact.loglik_) < 5 * error


def test_linear(linear, exact):
    check_close(linear, exact)
    pd.testing.assert_frame_equal(
        linear.random_effects_[["estimate"]], exact.random_effects_[["estimate"]], atol=5e-3
    )
    ratio = linear.random_effects_["std_error"] / exact.random_effects_["std_error"]
    assert ratio.between(0.7, 1.4).all() and abs(ratio.mean() - 1.0) < 0.02


def test_logistic(logistic):
    check_close(logistic, fitted(MixedLogisticClassifier, "exact"))


@pytest.mark.slow
@pytest.mark.parametrize("method", ["reml", "ml"])
@pytest.mark.parametrize(
    "terms", ["(1 + x | pupil) + (1 + x | task)", "(1 | pupil) + (0 + x | task) + (1 | task)"]
)
def test_slopes(terms, method):
    X, y = crossed()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        about, exact = (
            MixedLinearRegressor(random_effects=terms, method=method, solver=solver).fit(
                X.drop(columns=["arm", "day"]), y
            )
            for solver in ("iterative", "exact")
        )
    np.testing.assert_allclose(about.coef_, exact.coef_, rtol=1e-3)
    for own, other in zip(about.covariances_, exact.covariances_, strict=True):
        np.testing.assert_allclose(own, other, atol=2e-3)


@pytest.mark.parametrize(
    "kind",
    [MixedLinearRegressor, pytest.param(MixedLogisticClassifier, marks=pytest.mark.slow)],
)
def test_no_variance_at_all(kind):
    spread = {"pupil": (200, 0.7), "task": (80, 0.0)}
    X, y = crossed(kind is MixedLogisticClassifier, 1500, 4, spread)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        about, exact = (
            kind(formula="x + (1 | pupil) + (1 | task)", solver=solver).fit(X, y)
            for solver in ("iterative", "exact")
        )
    assert about.converged_
    for own, other in zip(about.covariances_, exact.covariances_, strict=True):
        np.testing.assert_allclose(own, other, atol=1e-3)


def test_weights_and_offset_and_ridge():
    X, y = crossed(n=1500)
    X = X.drop(columns="arm").assign(known=0.1 * X["x"])
    weights = np.random.default_rng(0).integers(1, 4, len(y))
    about, exact = (
        MixedLinearRegressor(
            groups=["pupil", "task", "day"], offset="known", alpha=2.0, solver=solver
        ).fit(X, y, sample_weight=weights)
        for solver in ("iterative", "exact")
    )
    np.testing.assert_allclose(about.coef_, exact.coef_, rtol=1e-4)
    np.testing.assert_allclose(about.scale_, exact.scale_, rtol=1e-3)


def test_parts_of_the_rows(linear):
    X, y = crossed()
    parts = MixedLinearRegressor(formula=FORMULA, solver="iterative")
    for rows in np.array_split(np.arange(len(y)), 3):
        parts.partial_fit(X.iloc[rows], y[rows])
    assert parts.solver_ == "iterative"
    np.testing.assert_allclose(parts.coef_, linear.coef_, rtol=1e-6)


@pytest.mark.parametrize("kind", [MixedLinearRegressor, MixedLogisticClassifier])
def test_small_data_are_exact(kind):
    X, y = crossed(kind is MixedLogisticClassifier, 400)
    models = (
        kind(formula=formula, solver=solver).fit(X, y)
        for formula, solver in (("x + (1|pupil) + (1|day)", "auto"), ("x + (1|day)", "iterative"))
    )
    assert [model.solver_ for model in models] == ["exact", "exact"]


def test_the_parameter():
    model = MixedLinearRegressor(groups="pupil", solver="iterative")
    assert clone(model).get_params()["solver"] == "iterative"
    assert "iterative" in repr(model)
    with pytest.raises(ValueError, match="solver"):
        MixedLinearRegressor(groups="pupil", solver="fast").fit(*crossed(n=50))


def test_the_same_again(linear):
    again = fitted(MixedLinearRegressor, "iterative")
    assert again.loglik_ == linear.loglik_
    np.testing.assert_array_equal(again.coef_, linear.coef_)


@pytest.mark.parametrize("name", ["linear", "logistic"])
def test_pickled(name, request):
    model = request.getfixturevalue(name)
    X, _ = crossed()
    summary = str(model.summary())  # what is known is kept
    loaded = pickle.loads(pickle.dumps(model))
    assert loaded.loglik_ == model.loglik_ and loaded.solver_ == "iterative"
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))
    assert str(loaded.summary()) == summary


def test_the_summary_says_so(linear):
    text = str(linear.summary())
    assert re.search(r"about -[\d,]+ \(Monte-Carlo error \d\.\d\)", text)
    assert "AIC:" not in text and "LR test" not in text
    assert re.search(r"Solver:\s+iterative", text)
    assert "iterative" in str(linear.results_.summary2())


def test_predictions_and_their_errors(linear, exact):
    X, _ = crossed()
    few = X.iloc[:40].assign(task=lambda t: t["task"].where(t.index > 3, -1))
    own, other = (model.predict(few, return_std=True) for model in (linear, exact))
    np.testing.assert_allclose(own, other, atol=5e-3)
    np.testing.assert_allclose(linear.predict_interval(few), exact.predict_interval(few), atol=0.02)


#: what an iterative fit answers, and what it refuses
ANSWERED = {
    "variance_components": lambda m: m.variance_components(),
    "random_effects_": lambda m: m.random_effects_,
    "coefficients_by_level": lambda m: m.coefficients_by_level("day"),
    "simulate": lambda m: m.simulate(crossed()[0], random_state=0),
    "wald_test": lambda m: m.results_.wald_test("x = 1"),
    "anova": inf.anova,
    "average_effects": inf.average_effects,
    "average_predictions": inf.average_predictions,
    "marginal_means": lambda m: inf.marginal_means(m, "arm"),
    "collinearity": inf.collinearity,
    "icc": inf.icc,
    "design_effect": inf.design_effect,
    "r_squared": inf.r_squared,
    "residuals": inf.residuals,
    "slope_distribution": inf.slope_distribution,
    "report": lambda m: str(inf.report([m])),
    "explain": lambda m: str(explain(m)),
    "diagnose": lambda m: str(diagnose(m)),
    "update_groups": lambda m: pickle.loads(pickle.dumps(m)).update_groups(*few_rows(m)),
    "html": lambda m: m._repr_html_(),
}
REFUSED = {
    "aic": lambda m: m.results_.aic,
    "bic": lambda m: m.results_.bic,
    "random_effects_test": lambda m: m.results_.random_effects_test(),
    "profile": inf.profile,
    "profile of variances": lambda m: m.variance_components(method="profile"),
    "likelihood_ratio_test": lambda m: inf.likelihood_ratio_test(m, m),
    "compare": lambda m: inf.compare([m, m]),
    "drop_one": inf.drop_one,
    "conditional_aic": inf.conditional_aic,
    "ProfileDisplay": ProfileDisplay.from_estimator,
}
OF_EVERY_ROW = {
    "influence": inf.influence,
    "influence of levels": lambda m: inf.influence(m, "day"),
    "InfluenceDisplay": InfluenceDisplay.from_estimator,
}
OF_LINEAR_MODELS = {
    "satterthwaite": lambda m: m.summary(df="satterthwaite"),
    "kenward-roger": lambda m: m.results_.coef_table(df="kenward-roger"),
}


def few_rows(model):
    X, y = crossed(isinstance(model, MixedLogisticClassifier))
    return X.iloc[:20].assign(day=9), y[:20]


@pytest.mark.parametrize("name", ["linear", "logistic"])
@pytest.mark.parametrize("what", ANSWERED)
def test_what_is_answered(name, what, request):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert ANSWERED[what](request.getfixturevalue(name)) is not None


@pytest.mark.parametrize("name", ["linear", "logistic"])
@pytest.mark.parametrize("what", REFUSED)
def test_what_is_refused(name, what, request):
    with pytest.raises(ValueError, match=r"Monte-Carlo error.*\nFit with solver='exact'"):
        REFUSED[what](request.getfixturevalue(name))


@pytest.mark.parametrize("name", ["linear", "logistic"])
@pytest.mark.parametrize("what", OF_EVERY_ROW)
def test_what_takes_a_solution_for_every_row(name, what, request):
    with pytest.raises(ValueError, match=r"conjugate gradients.\nFit with solver='exact'"):
        OF_EVERY_ROW[what](request.getfixturevalue(name))


def test_leverages_are_about_right(linear, exact):
    own, other = (inf.residuals(m, kind="standardized") for m in (linear, exact))
    np.testing.assert_allclose(own, other, rtol=0.05, atol=1e-3)


@pytest.mark.parametrize("what", OF_LINEAR_MODELS)
def test_degrees_of_freedom_are_refused(linear, what):
    with pytest.raises(ValueError, match=rf"df='{what}': .*Monte-Carlo error"):
        OF_LINEAR_MODELS[what](linear)
