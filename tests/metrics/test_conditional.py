"""Scorers by name, with the groups."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import sklearn
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.linear_model import Ridge
from sklearn.metrics import log_loss, make_scorer, mean_pinball_loss, r2_score
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skmixed import GroupsWarning, MixedLinearRegressor, MixedLogisticClassifier
from skmixed.datasets import make_mixed_classification, make_mixed_regression
from skmixed.metrics import conditional_scorer

CV = KFold(3, shuffle=True, random_state=0)
pytestmark = pytest.mark.filterwarnings("ignore::skmixed.LaplaceWarning")


@pytest.fixture(scope="module")
def numbers():
    X, y = make_mixed_regression(40, 12, random_state=0)
    return X, y


@pytest.fixture(scope="module")
def outcomes():
    X, y = make_mixed_classification(30, 20, covariance=((3.0,),), random_state=0)
    return X, y


@pytest.fixture
def routing():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


def scores(model, data, scoring, by="argument"):
    """By labels beside X, by a column of X, or by both."""
    X, y = data
    params = None if by == "column" else {"groups": X["group"]}
    X = X.drop(columns="group") if by == "argument" else X
    options = {"cv": CV, "scoring": scoring, "params": params, "error_score": "raise"}
    return cross_val_score(model, X, y, **options)


@pytest.mark.usefixtures("routing")
class TestRouting:
    @pytest.mark.parametrize(
        "name", ["r2", "neg_mean_absolute_error", "neg_root_mean_squared_error"]
    )
    def test_regression(self, numbers, name):
        found = scores(MixedLinearRegressor(), numbers, conditional_scorer(name))
        column = scores(MixedLinearRegressor("group"), numbers, name, by="column")
        np.testing.assert_allclose(found, column, rtol=1e-9)
        with pytest.warns(GroupsWarning):
            lost = scores(MixedLinearRegressor(), numbers, name)
        assert np.all(found > lost + 0.03)

    @pytest.mark.parametrize("name", ["neg_log_loss", "roc_auc", "accuracy", "neg_brier_score"])
    def test_classification(self, outcomes, name):
        model = MixedLogisticClassifier(n_quadrature=1)
        found = scores(model, outcomes, conditional_scorer(name))
        column = clone(model).set_params(groups="group")
        np.testing.assert_allclose(found, scores(column, outcomes, name, by="column"), rtol=1e-7)

    def test_column_style(self, numbers):
        """Groups that are for somebody else are not handed on."""
        model = MixedLinearRegressor("group")
        found = scores(model, numbers, conditional_scorer("r2"), by="both")
        np.testing.assert_array_equal(found, scores(model, numbers, "r2", by="column"))
        plain = scores(Ridge(), numbers, conditional_scorer("r2"))
        X, y = numbers
        np.testing.assert_array_equal(plain, cross_val_score(Ridge(), X[["x0", "x1"]], y, cv=CV))

    def test_inside_other_tools(self, numbers):
        pipeline = make_pipeline(StandardScaler(), MixedLinearRegressor())
        target = TransformedTargetRegressor(MixedLinearRegressor(), transformer=StandardScaler())
        expected = scores(MixedLinearRegressor("group"), numbers, "r2", by="column")
        for model in (pipeline, target):
            found = scores(model, numbers, conditional_scorer("r2"))
            np.testing.assert_allclose(found, expected, rtol=1e-6)

    def test_searches_and_dictionaries(self, numbers):
        X, y = numbers
        group, X = X["group"], X.drop(columns="group")
        scoring = {
            "r2": conditional_scorer("r2"),
            "mae": conditional_scorer("neg_median_absolute_error"),
        }
        search = GridSearchCV(
            MixedLinearRegressor(), {"method": ["ml", "reml"]}, scoring=scoring, refit="r2", cv=CV
        ).fit(X, y, groups=group)
        assert search.best_score_ > 0.75
        found = cross_validate(
            MixedLinearRegressor(), X, y, cv=CV, params={"groups": group}, scoring=scoring
        )
        assert found["test_r2"].mean() == pytest.approx(search.best_score_, abs=0.01)
        assert search.score(X, y, groups=group) > 0.8

    def test_the_estimators_own_score(self, numbers):
        found = scores(MixedLinearRegressor(), numbers, conditional_scorer())
        np.testing.assert_allclose(found, scores(MixedLinearRegressor(), numbers, None))

    def test_other_names_and_weights(self, numbers):
        X, y = numbers
        weights = np.random.default_rng(0).integers(1, 4, len(y))
        scorer = conditional_scorer("r2").set_score_request(groups="unit", sample_weight=True)
        model = MixedLinearRegressor().set_fit_request(groups="unit", sample_weight=False)
        model.set_score_request(groups=False, sample_weight=False)
        model.set_predict_request(groups=True)
        params = {"unit": X["group"], "sample_weight": weights}
        found = cross_val_score(
            model, X[["x0", "x1"]], y, cv=CV, scoring=scorer, params=params, error_score="raise"
        )
        train, test = next(CV.split(X))
        fitted = MixedLinearRegressor("group").fit(X.iloc[train], y[train])
        prediction = fitted.predict(X.iloc[test])
        expected = r2_score(y[test], prediction, sample_weight=weights[test])
        assert found[0] == pytest.approx(expected)
        assert scorer.get_metadata_routing().score.requests["groups"] == "unit"


class TestDirectly:
    def test_calls(self, numbers, outcomes):
        X, y = numbers
        X, group = X.drop(columns="group"), X["group"]
        model = MixedLinearRegressor().fit(X, y, groups=group)
        found = conditional_scorer("r2")(model, X, y, groups=group)
        assert found == pytest.approx(model.score(X, y, groups=group))
        pinball = make_scorer(mean_pinball_loss, alpha=0.9, greater_is_better=False)
        expected = -mean_pinball_loss(y, model.predict(X, groups=group), alpha=0.9)
        assert conditional_scorer(pinball)(model, X, y, groups=group) == pytest.approx(expected)
        with pytest.warns(GroupsWarning):
            assert conditional_scorer("r2")(model, X, y) < found - 0.05
        X, y = outcomes
        X, group = X.drop(columns="group"), X["group"]
        model = MixedLogisticClassifier(n_quadrature=1).fit(X, y, groups=group)
        loss = log_loss(y, model.predict_proba(X, groups=group))
        found = conditional_scorer("neg_log_loss")(model, X, y, groups=group)
        assert found == pytest.approx(-loss)

    def test_without_routing(self, numbers):
        X, y = numbers
        found = cross_val_score(
            MixedLinearRegressor("group"), X, y, scoring=conditional_scorer("r2")
        )
        expected = cross_val_score(MixedLinearRegressor("group"), X, y, scoring="r2")
        np.testing.assert_array_equal(found, expected)
        with pytest.raises(RuntimeError, match="routing is off"):
            conditional_scorer("r2").set_score_request(groups="unit")

    def test_repr_pickle_and_names(self):
        scorer = pickle.loads(pickle.dumps(conditional_scorer("r2")))
        assert repr(scorer) == "conditional_scorer('r2')"
        assert repr(clone(scorer, safe=False)) == repr(scorer)
        with pytest.raises(ValueError, match="Did you mean 'neg_log_loss'"):
            conditional_scorer("neg_logloss")
