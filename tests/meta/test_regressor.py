"""A regressor as the fixed part: least squares inside is the linear mixed model; trees are not."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold, cross_val_score
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import SplineTransformer, StandardScaler
from sklearn.tree import DecisionTreeRegressor
from sklearn.utils.estimator_checks import parametrize_with_checks

from skmixed import ConvergenceWarning, GroupsWarning, MixedLinearRegressor, RandomEffect
from skmixed.datasets import make_mixed_regression
from skmixed.diagnostics import explain
from skmixed.inference import (
    anova,
    average_effects,
    collinearity,
    drop_one,
    icc,
    likelihood_ratio_test,
    marginal_means,
    r_squared,
    report,
)
from skmixed.meta import MixedRegressor

EXACT = {"cv": None, "method": "ml", "tol": 1e-9, "max_iter": 200}


@parametrize_with_checks([MixedRegressor(LinearRegression(), tol=1e-6)])
@pytest.mark.filterwarnings("ignore::skmixed.SkmixedWarning")
def test_scikit_learn_checks(estimator, check):
    check(estimator)


def crossed(n_groups=40, rows_per_group=10, seed=0):
    X, y = make_mixed_regression(n_groups, rows_per_group, random_state=seed)
    rng = np.random.default_rng(seed)
    other = rng.integers(0, 15, len(X))
    X = X.assign(other=other, between=X["group"] % 7 / 3.0)
    return X, y + 2.0 * X["between"] + rng.normal(size=15)[other]


@pytest.mark.smoke
@pytest.mark.parametrize("effects", [None, "(1 + x0 | group)", "(1 | group) + (1 | other)"])
@pytest.mark.parametrize("weighted", [False, True])
def test_least_squares_in_sample_is_maximum_likelihood(effects, weighted):
    X, y = crossed()
    groups = ["group", "other"] if effects and "other" in effects else "group"
    w = np.arange(len(X)) % 4 if weighted else None
    model = MixedRegressor(LinearRegression(), groups, effects, **EXACT)
    model.fit(X, y, sample_weight=w)
    twin = MixedLinearRegressor(groups, effects, method="ml").fit(X, y, sample_weight=w)
    assert model.converged_
    assert model.regressor_.coef_ == pytest.approx(twin.coef_, abs=1e-6)
    assert model.regressor_.intercept_ + model.intercept_ == pytest.approx(
        twin.intercept_, abs=1e-6
    )
    assert model.scale_ == pytest.approx(twin.scale_, rel=1e-6)
    for own, other in zip(model.covariances_, twin.covariances_, strict=True):
        assert own == pytest.approx(other, abs=1e-6)
    assert model.loglik_ == pytest.approx(twin.loglik_, abs=1e-6)
    assert model.predict(X) == pytest.approx(twin.predict(X), abs=1e-6)
    assert model.fixed_error_ == 0.0


def nonlinear(n_groups, rows_per_group, seed, psi=1.0, noise=None):
    """An additive curve, effects of variance psi, and residuals of variance one."""
    rng = np.random.default_rng(seed)
    n = n_groups * rows_per_group
    group = np.repeat(np.arange(n_groups), rows_per_group)
    X = pd.DataFrame(rng.random((n, 3)), columns=["a", "b", "c"]).assign(group=group)
    curve = 2.0 * np.sin(2.0 * np.pi * X["a"]) + np.exp(X["b"])
    e = rng.normal(size=n) if noise is None else noise(rng, n)
    return X, np.asarray(curve + np.sqrt(psi) * rng.normal(size=n_groups)[group] + e)


def splines():
    return make_pipeline(SplineTransformer(8), LinearRegression())


@pytest.mark.slow
def test_variances_of_a_nonlinear_model_are_unbiased():
    found = []
    for seed in range(40):
        X, y = nonlinear(50, 8, seed)
        model = MixedRegressor(splines(), "group", random_state=0).fit(X, y)
        total = model.scale_ + model.fixed_error_
        found.append([model.scale_, model.covariances_[0][0, 0], total])
    mean, error = np.mean(found, axis=0), np.std(found, axis=0, ddof=1) / np.sqrt(len(found))
    assert np.all(np.abs(mean[:2] - 1.0) < 3.0 * error[:2])
    assert mean[2] > 1.0 + 3.0 * error[2]  # the error of the curve is residual variance out of fold


@pytest.mark.slow
def test_trees_in_sample_take_variances_for_their_own():
    X, y = nonlinear(60, 10, 0)
    trees = HistGradientBoostingRegressor(max_iter=50)
    inside = MixedRegressor(trees, "group", cv=None, random_state=0)
    out = MixedRegressor(trees, "group", tol=0.1, random_state=0)
    inside.fit(X, y)
    out.fit(X, y)
    assert inside.scale_ < 0.8 < out.scale_ < 1.2
    assert out.covariances_[0][0, 0] == pytest.approx(1.0, abs=0.4)
    assert out.fixed_error_ > 0.0


@pytest.mark.slow
def test_known_groups_are_predicted_better_than_new_ones():
    X, y = nonlinear(30, 12, 1, psi=4.0)
    model = MixedRegressor(splines(), "group", tol=0.1, random_state=0)
    known = cross_val_score(model, X, y, cv=KFold(2, shuffle=True, random_state=0)).mean()
    new = cross_val_score(model, X, y, cv=GroupKFold(2), groups=X["group"]).mean()
    assert known > 0.7 > 0.5 > new
    fitted = model.fit(X, y)
    assert fitted.score(X, y) > r2_score(y, fitted.predict(X, kind="population")) + 0.2
    with pytest.warns(GroupsWarning):
        without = fitted.predict(X.drop(columns="group"))
    assert without == pytest.approx(fitted.predict(X, kind="population"))


@pytest.mark.slow
def test_searches_reach_into_the_regressor():
    X, y = nonlinear(30, 8, 2)
    knots = "regressor__splinetransformer__n_knots"
    search = GridSearchCV(
        MixedRegressor(splines(), "group", tol=0.1, random_state=0),
        {knots: [2, 8], "regressor__splinetransformer__degree": [1]},
        cv=KFold(2, shuffle=True, random_state=0),
    )
    search.fit(X, y)
    assert search.best_params_[knots] == 8
    assert search.best_estimator_.regressor_[0].n_knots == 8
    piped = make_pipeline(
        StandardScaler().set_output(transform="pandas"),
        MixedRegressor(splines(), groups="group", random_state=0),
    )
    assert piped.fit(X, y).score(X, y) > 0.6


def test_groups_beside_X_and_by_routing():
    X, y = nonlinear(40, 8, 3)
    columns = ["a", "b", "c"]
    by_column = MixedRegressor(splines(), "group", random_state=0).fit(X, y)
    beside = MixedRegressor(splines(), random_state=0)
    beside.fit(X[columns], y, groups=X["group"])
    assert beside.predict(X[columns], groups=X["group"]) == pytest.approx(by_column.predict(X))
    array = MixedRegressor(splines(), groups=3, random_state=0).fit(X.to_numpy(), y)
    assert array.predict(X.to_numpy()) == pytest.approx(by_column.predict(X))
    with pytest.warns(UserWarning, match="without feature names"):
        assert array.predict(X) == pytest.approx(by_column.predict(X))
    with pytest.warns(UserWarning, match="valid feature names"):
        assert by_column.predict(X.to_numpy()) == pytest.approx(by_column.predict(X))
    frame = pl.from_pandas(X)
    assert clone(by_column).fit(frame, y).predict(frame) == pytest.approx(by_column.predict(X))
    indexed = clone(by_column).fit(X.set_index("group"), y)
    assert indexed.predict(X.set_index("group")) == pytest.approx(by_column.predict(X))
    with sklearn.config_context(enable_metadata_routing=True):
        scores = cross_val_score(
            clone(beside), X[columns], y, params={"groups": X["group"]}, cv=KFold(2, shuffle=True)
        )
    assert np.all(scores > 0.5)
    with pytest.raises(ValueError, match="not both"):
        by_column.predict(X, groups=X["group"])
    with pytest.warns(GroupsWarning):
        beside.predict(X[columns])


def test_slopes_text_and_missing_values():
    X, y = crossed()
    X = X.assign(x1=X["x1"].where(X["x1"] < 1.5))  # gradient boosting takes missing values
    model = MixedRegressor(
        HistGradientBoostingRegressor(max_iter=20),
        random_effects=[RandomEffect("group", ("x0",)), RandomEffect("other")],
        tol=0.2,
        random_state=0,
    )
    model.fit(X, y)
    assert [len(S) for S in model.covariances_] == [2, 1]
    assert set(model.random_effects_["effect"]) == {"Intercept", "x0"}
    assert model.score(X, y) > 0.7
    assert list(model.feature_names_in_) == list(X.columns)
    again = pickle.loads(pickle.dumps(model))
    assert np.array_equal(again.predict(X), model.predict(X))
    assert np.array_equal(again.predict_interval(X), model.predict_interval(X))


def test_update_groups_is_that_of_the_mixed_model():
    X, y = nonlinear(60, 10, 4)
    new = X["group"] >= 45
    model = MixedRegressor(splines(), "group", random_state=0).fit(X[~new], y[~new])
    results = model.results_.effects_table()
    rows = np.flatnonzero(new)[::2]
    f = model.regressor_.predict(X[["a", "b", "c"]]) + model.intercept_
    model.update_groups(X.iloc[rows], y[rows])
    psi, sigma2 = model.covariances_[0][0, 0], model.scale_ + model.fixed_error_
    left = pd.Series(y - f)[rows].groupby(X["group"].iloc[rows])
    modes = left.sum() * psi / (left.size() * psi + sigma2)
    table = model.random_effects_.set_index("level")["estimate"]
    assert table[modes.index].to_numpy() == pytest.approx(modes.to_numpy(), abs=1e-8)
    assert results.equals(model.results_.effects_table())
    held = np.flatnonzero(new)[1::2]
    assert model.predict(X.iloc[held]) == pytest.approx(
        f[held] + table[X["group"].iloc[held]].to_numpy()
    )


@pytest.mark.parametrize("noise", [pytest.param("normal", marks=pytest.mark.slow), "skewed"])
def test_intervals_cover_known_and_new_groups(noise):
    draw = {"normal": None, "skewed": lambda rng, n: rng.exponential(size=n) - 1.0}[noise]
    covered = []
    for seed in range(3):
        X, y = nonlinear(120, 10, seed, noise=draw)
        known = (X["group"] < 60) & (np.arange(len(X)) % 10 < 8)
        model = MixedRegressor(splines(), "group", random_state=0).fit(X[known], y[known])
        for rows in ((X["group"] < 60) & ~known, X["group"] >= 60):
            for method in ("normal", "conformal"):
                low, high = model.predict_interval(X[rows], level=0.9, method=method).T
                covered.append(np.mean((low <= y[rows]) & (y[rows] <= high)))
    shares = np.mean(np.reshape(covered, (3, 4)), axis=0)
    assert np.all(np.abs(shares[1::2] - 0.9) < 0.035)
    assert np.all(shares[::2] > 0.86)


def test_intervals_by_mapie():
    mapie = pytest.importorskip("mapie.regression")
    X, y = nonlinear(150, 10, 0)
    part = X["group"] // 50
    model = MixedRegressor(splines(), groups=3, random_state=0)
    model.fit(X[part == 0].to_numpy(), y[part == 0])
    split = mapie.SplitConformalRegressor(model, confidence_level=0.9, prefit=True)
    split.conformalize(X[part == 1].to_numpy(), y[part == 1])
    limits = split.predict_interval(X[part == 2].to_numpy())[1][:, :, 0]
    own = model.predict_interval(X[part == 2].to_numpy(), level=0.9, method="conformal")
    for low, high in (limits.T, own.T):
        assert np.mean((low <= y[part == 2]) & (y[part == 2] <= high)) == pytest.approx(
            0.9, abs=0.05
        )


def test_intervals_say_what_they_are_not_for():
    X, y = nonlinear(10, 6, 0)
    model = MixedRegressor(LinearRegression(), "group", random_state=0).fit(X, y)
    with pytest.raises(ValueError, match="for observations"):
        model.predict_interval(X, method="conformal", target="mean")
    with pytest.raises(ValueError, match="for observations"):
        model.predict_interval(X, method="conformal", kind="population")
    with pytest.raises(ValueError, match="is not known"):
        model.predict_interval(X, method="bootstrap")
    wide = model.predict_interval(X.assign(group=-1), method="conformal", level=0.99)
    assert np.all(np.isinf(wide))  # ten levels say nothing about one in a hundred
    mean, observation = (
        np.ptp(model.predict_interval(X, target=target), axis=1)
        for target in ("mean", "observation")
    )
    assert np.all(mean < observation)
    assert np.all(model.predict(X, return_std=True)[1] ** 2 >= model.fixed_error_)


def test_variance_components_are_free_of_the_error_of_the_fixed_part():
    X, y = nonlinear(40, 8, 5)
    model = MixedRegressor(splines(), "group", random_state=0).fit(X, y)
    assert model.fixed_error_ > 0.0
    table = model.variance_components()
    assert table["estimate"].iloc[-1] == pytest.approx(model.scale_)
    assert table["sd_or_corr"].iloc[-1] == pytest.approx(np.sqrt(model.scale_))
    inner = model.results_.variance_table()
    assert inner["estimate"].iloc[-1] == pytest.approx(model.scale_ + model.fixed_error_)
    assert model.variance_components(scale="sd")["estimate"].iloc[-1] == pytest.approx(
        np.sqrt(model.scale_)
    )


def test_folds_of_the_fit():
    X, y = nonlinear(12, 6, 6)
    folds = list(KFold(3).split(X))
    splitter = MixedRegressor(splines(), "group", cv=KFold(3), random_state=0).fit(X, y)
    listed = MixedRegressor(splines(), "group", cv=folds, random_state=0).fit(X, y)
    assert np.array_equal(splitter.predict(X), listed.predict(X))
    few = X.assign(group=X["group"] % 3)  # fewer levels than folds: rows are dealt out
    assert MixedRegressor(splines(), "group", random_state=0).fit(few, y).converged_
    with pytest.raises(ValueError, match="in no test fold, or in several"):
        MixedRegressor(splines(), "group", cv=folds[:2]).fit(X, y)


def test_what_does_not_work_is_said():
    X, y = nonlinear(12, 6, 7)
    with pytest.raises(TypeError, match="is no scikit-learn estimator"):
        MixedRegressor(LinearRegression, "group").fit(X, y)
    with pytest.raises(ValueError, match="takes no sample_weight"):
        MixedRegressor(KNeighborsRegressor(), "group").fit(X, y, sample_weight=y * 0 + 2)
    with pytest.raises(ValueError, match="no column but the groups"):
        MixedRegressor(LinearRegression(), "group").fit(X[["group"]], y)
    with pytest.raises(ValueError, match="Did you mean 'group'"):
        MixedRegressor(LinearRegression(), "group_id").fit(X, y)
    with pytest.raises(TypeError, match="has no formula"):
        MixedRegressor.from_formula("y ~ a + (1 | group)", X.assign(y=y))
    with pytest.warns(ConvergenceWarning, match="Raise max_iter"):
        model = MixedRegressor(LinearRegression(), "group", max_iter=1).fit(X, y)
    assert not model.converged_
    with pytest.warns(GroupsWarning):
        MixedRegressor(LinearRegression()).fit(X, y)


@pytest.fixture(scope="module")
def models():
    X, y = make_mixed_regression(random_state=0)
    plain = MixedLinearRegressor(groups="group", method="ml").fit(X, y)
    return MixedRegressor(LinearRegression(), groups="group", **EXACT).fit(X, y), plain


class TestInference:
    """What would count the columns of another estimator is refused or left out."""

    def test_r_squared_is_refused(self, models):
        with pytest.raises(ValueError, match=r"R squared: the fixed part .* another estimator"):
            r_squared(models[0])

    def test_likelihoods_are_not_compared(self, models):
        with pytest.raises(ValueError, match="likelihoods: the fixed part"):
            likelihood_ratio_test(*models)

    def test_a_report_has_neither_r_squared_nor_aic(self, models):
        table = report(models, ["one", "two"]).to_frame()
        measures = table.loc["fit"]["one"]["estimate"]
        assert measures[["R² marginal", "R² conditional", "AIC"]].isna().all()
        assert measures["ICC (group)"] == pytest.approx(icc(models[1])["icc"].iloc[0], rel=1e-5)

    def test_sentences_claim_no_share_and_no_certainty(self, models):
        words = " ".join(str(explain(models[0])).split())
        assert "account for" not in words
        assert "Where x0 is 1 higher, y is" in words.replace("response", "y")
        assert "higher on average." in words

    def test_tables_of_no_terms_say_so(self, models):
        for table in (anova(models[0]), drop_one(models[0])):
            assert repr(table).startswith("There is no term to test")
        assert repr(collinearity(models[0])).startswith("No columns")

    def test_a_notebook_shows_the_residual_variance_of_the_estimator(self):
        X, y = make_mixed_regression(random_state=0)
        model = MixedRegressor(DecisionTreeRegressor(max_depth=3), "group", random_state=0).fit(
            X, y
        )
        assert model.fixed_error_ > 0.05 * model.scale_
        assert f'<td class="number">{model.scale_:.4g}</td>' in model._repr_html_()

    def test_averages_have_no_standard_errors(self, models):
        X, y = make_mixed_regression(20, 8, random_state=0)
        X = X.assign(arm=(X["x0"] > 0) * 1)
        model = MixedRegressor(LinearRegression(), "group", random_state=0).fit(X, y)
        means = marginal_means(model, "arm", at={"arm": [0, 1]})
        assert np.isfinite(means["estimate"]).all()
        for table in (means, means.pairs(), average_effects(model)):
            assert table[["std_error", "p_value", "ci_low"]].isna().all(axis=None)
            assert "the estimator that is the fixed part has none" in repr(table)
        assert list(means.letters()["letters"]) == ["", ""]
