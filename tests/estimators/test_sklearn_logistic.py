"""The classifier inside scikit-learn's own tools, with the groups in a column of X and as an
argument.

That predictions used the groups shows in the log-loss of held-out rows: with them it is lower by at
least ``GAP`` than that of plain logistic regression on the other columns, or of the same model with
every random effect at zero.
"""

from __future__ import annotations

import pickle
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.ensemble import BaggingClassifier, StackingClassifier, VotingClassifier
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import (
    RocCurveDisplay,
    accuracy_score,
    balanced_accuracy_score,
    log_loss,
    roc_auc_score,
)
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    StratifiedKFold,
    TunedThresholdClassifierCV,
    cross_val_predict,
    cross_val_score,
    cross_validate,
    learning_curve,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.utils.estimator_checks import (
    check_dataframe_column_names_consistency,
    check_param_validation,
    parametrize_with_checks,
)

from skmixed import (
    GroupsWarning,
    MixedLogisticClassifier,
    RandomEffect,
    SingularFitWarning,
    SkmixedWarning,
)

KNOWN_GROUPS = StratifiedKFold(3, shuffle=True, random_state=0)
GAP = 0.1  # of the log-loss, which is about 0.6 without groups
SLOPES = "(1 + age | school)"
# twenty rows of a school: seven quadrature points put the log-likelihood about one higher than Laplace
pytestmark = pytest.mark.filterwarnings("ignore::skmixed.LaplaceWarning")

# ----------------------------------------------------------------------------------------------- scikit-learn's checks

CHECKED = [MixedLogisticClassifier(groups=groups) for groups in (None, 0, -1, [0, 1])]


@parametrize_with_checks([*CHECKED, MixedLogisticClassifier(groups=0, n_quadrature=5)])
@pytest.mark.filterwarnings(
    "ignore"
)  # the checks fit on noise, without groups, and with columns twice
def test_scikit_learn_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize(
    "check", [check_dataframe_column_names_consistency, check_param_validation]
)
@pytest.mark.filterwarnings("ignore::skmixed.SkmixedWarning")
def test_checks_for_scikit_learns_own(check):
    check("MixedLogisticClassifier", MixedLogisticClassifier())


# ------------------------------------------------------------------------------------------------------------- the data


@pytest.fixture(scope="module")
def pupils():
    """Thirty schools that differ in level and in the slope of age; one text column besides the school."""
    rng = np.random.default_rng(0)
    code = rng.permutation(np.repeat(np.arange(30), 24))
    n = len(code)
    table = pd.DataFrame(
        {
            "age": rng.uniform(6, 16, n),
            "hours": rng.exponential(2.0, n),
            "track": rng.choice(["arts", "science", "sports"], n),
            "school": [f"school {c}" for c in code],
        },
        index=rng.permutation(n) + 1000,
    )
    level, slope = rng.normal(0, 2, 30), rng.normal(0, 0.5, 30)
    eta = 0.2 * (table["age"] - 11) + 0.4 * (table["hours"] - 2) + (table["track"] == "arts")
    eta += level[code] + slope[code] * (table["age"] - 11)
    passed = rng.uniform(size=n) < 1 / (1 + np.exp(-eta))
    return table, pd.Series(np.where(passed, "pass", "fail"), index=table.index, name="outcome")


@pytest.fixture(scope="module")
def halves(pupils):
    """Rows to fit on and rows to judge by, with the same schools in both."""
    X, y = pupils
    train = np.arange(len(X)) % 3 < 2
    return X[train], y[train], X[~train], y[~train]


def preprocessing(remainder="passthrough"):
    return make_column_transformer(
        (StandardScaler(), ["age", "hours"]),
        (OneHotEncoder(drop="first", sparse_output=False), ["track"]),
        remainder=remainder,
        verbose_feature_names_out=False,
    ).set_output(transform="pandas")


def pipeline(terms=SLOPES, **options):
    return make_pipeline(preprocessing(), MixedLogisticClassifier("school", terms, **options))


def plain():
    """Logistic regression on the other columns."""
    return make_pipeline(preprocessing("drop"), LogisticRegression())


def minus_log_loss(model, X, y, kind):
    """Of a fitted pipeline, for another kind of probability."""
    proba = model[-1].predict_proba(model[:-1].transform(X), kind=kind)
    return -log_loss(y, proba, labels=model.classes_)


def population(model, X, y):
    return minus_log_loss(model, X, y, "population")


def marginal(model, X, y):
    return minus_log_loss(model, X, y, "marginal")


def loss(model, X, y):
    return log_loss(y, model.predict_proba(X), labels=model.classes_)


# --------------------------------------------------------------------------------------------- groups in a column of X


class TestGroupsInAColumn:
    def test_log_loss(self, pupils):
        X, y = pupils
        options = {"cv": KNOWN_GROUPS, "error_score": "raise"}
        scores = cross_val_score(pipeline(), X, y, scoring="neg_log_loss", **options)
        without = cross_val_score(plain(), X, y, scoring="neg_log_loss", **options)
        typical = cross_val_score(pipeline(), X, y, scoring=population, **options)
        assert np.all(scores > without + GAP)
        assert np.all(scores > typical + GAP)

    @pytest.mark.parametrize("scoring", ["roc_auc", "accuracy", "average_precision"])
    def test_other_scores(self, pupils, scoring):
        """Ranks and labels use the groups as well."""
        X, y = pupils
        options = {"cv": KNOWN_GROUPS, "scoring": scoring, "error_score": "raise"}
        y = (y == "pass").astype(int)
        assert np.all(
            cross_val_score(pipeline(), X, y, **options)
            > cross_val_score(plain(), X, y, **options) + 0.08
        )

    def test_new_groups(self, pupils):
        """Groups go to the splitter as well; the effects of unseen schools are integrated out."""
        X, y = pupils
        splits = {"cv": GroupKFold(5), "groups": X["school"], "error_score": "raise"}
        unseen = cross_val_score(pipeline(), X, y, scoring="neg_log_loss", **splits)
        np.testing.assert_allclose(
            unseen, cross_val_score(pipeline(), X, y, scoring=marginal, **splits), rtol=1e-12
        )
        known = cross_val_score(pipeline(), X, y, scoring="neg_log_loss", cv=KNOWN_GROUPS)
        assert known.mean() > unseen.mean() + GAP
        assert (
            unseen.mean() > cross_val_score(pipeline(), X, y, scoring=population, **splits).mean()
        )

    @pytest.mark.parametrize(
        "method", ["predict_proba", "predict_log_proba", "decision_function", "predict"]
    )
    def test_cross_val_predict(self, pupils, method):
        X, y = pupils
        found = cross_val_predict(pipeline(), X, y, cv=KNOWN_GROUPS, method=method)
        without = cross_val_predict(plain(), X, y, cv=KNOWN_GROUPS, method=method)
        if method == "predict":
            assert accuracy_score(y, found) > accuracy_score(y, without) + 0.08
            return
        if method == "decision_function":
            found, without = 1 / (1 + np.exp(-found)), 1 / (1 + np.exp(-without))
        if method == "predict_log_proba":
            found, without = np.exp(found), np.exp(without)
        assert log_loss(y, found) < log_loss(y, without) - GAP

    def test_grid_search(self, pupils):
        X, y = pupils
        name = "mixedlogisticclassifier__"
        grid = [
            {
                name + "random_effects": [
                    "(1 | school)",
                    SLOPES,
                    [RandomEffect("school", ("hours",))],
                    None,
                ]
            },
            {
                name + "random_effects": [SLOPES],
                name + "covariance": ["unstructured", "diagonal"],
                name + "n_quadrature": [1, 3],
                "columntransformer__standardscaler": [StandardScaler(), "passthrough"],
            },
        ]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SingularFitWarning)
            search = GridSearchCV(
                pipeline(), grid, cv=KNOWN_GROUPS, scoring="neg_log_loss", error_score="raise"
            )
            search.fit(X, y)
        assert search.best_params_[name + "random_effects"] == SLOPES
        without = cross_val_score(plain(), X, y, cv=KNOWN_GROUPS, scoring="neg_log_loss")
        assert search.best_score_ > without.mean() + GAP
        assert search.score(X, y) > search.best_score_
        assert set(search.predict(X)) == {"pass", "fail"}
        assert search.predict_proba(X).shape == (len(y), 2)
        table = pd.DataFrame(search.cv_results_)
        table = table[
            (table[f"param_{name}covariance"] == "unstructured")
            & (table[f"param_{name}n_quadrature"] == 1)
        ]
        scaled, unscaled = table[
            "mean_test_score"
        ]  # the units of a column are no part of the model
        assert scaled == pytest.approx(unscaled, rel=1e-6)

    def test_grid_search_over_new_groups(self, pupils):
        X, y = pupils
        grid = {"mixedlogisticclassifier__random_effects": [None, SLOPES]}
        search = GridSearchCV(
            pipeline(), grid, cv=GroupKFold(3), scoring="neg_log_loss", error_score="raise"
        )
        search.fit(X, y, groups=X["school"])
        assert search.best_score_ < search.score(X, y) - GAP

    @pytest.mark.parametrize("method", ["sigmoid", "isotonic", "temperature"])
    @pytest.mark.parametrize("ensemble", [True, False])
    def test_calibration(self, halves, method, ensemble):
        X, y, new, outcome = halves
        if method == "temperature" and tuple(map(int, sklearn.__version__.split(".")[:2])) < (1, 8):
            pytest.skip("temperature scaling came with scikit-learn 1.8")
        model = CalibratedClassifierCV(
            pipeline(), method=method, cv=KNOWN_GROUPS, ensemble=ensemble
        )
        model.fit(X, y.to_numpy())  # temperature scaling looks for a row labelled 0 in a Series
        assert loss(model, new, outcome) < loss(plain().fit(X, y), new, outcome) - GAP

    def test_tuned_threshold(self, halves):
        X, y, new, outcome = halves
        model = TunedThresholdClassifierCV(
            pipeline(), scoring="balanced_accuracy", cv=KNOWN_GROUPS
        ).fit(X, y)
        without = TunedThresholdClassifierCV(
            plain(), scoring="balanced_accuracy", cv=KNOWN_GROUPS
        ).fit(X, y)
        found = balanced_accuracy_score(outcome, model.predict(new))
        assert found > balanced_accuracy_score(outcome, without.predict(new)) + 0.08
        assert loss(model, new, outcome) < loss(without, new, outcome) - GAP

    @pytest.mark.parametrize("method", ["predict_proba", "decision_function", "predict"])
    def test_stacking(self, halves, method):
        X, y, new, outcome = halves
        model = StackingClassifier(
            [("mixed", pipeline()), ("plain", plain())],
            LogisticRegression(),
            cv=KNOWN_GROUPS,
            stack_method=method,
        ).fit(X, y)
        assert loss(model, new, outcome) < loss(plain().fit(X, y), new, outcome) - GAP / 2

    def test_voting(self, halves):
        X, y, new, outcome = halves
        members = [("mixed", pipeline()), ("intercepts", pipeline(None))]
        without = plain().fit(X, y)
        soft = VotingClassifier(members, voting="soft").fit(X, y)
        assert loss(soft, new, outcome) < loss(without, new, outcome) - GAP
        hard = VotingClassifier([*members, ("plain", plain())], voting="hard").fit(X, y)
        assert hard.score(new, outcome) > without.score(new, outcome) + 0.05

    def test_learning_curve(self, pupils):
        X, y = pupils
        options = {"train_sizes": [0.4, 1.0], "cv": KNOWN_GROUPS, "error_score": "raise"}
        sizes, _, scores = learning_curve(pipeline(None), X, y, scoring="neg_log_loss", **options)
        _, _, without = learning_curve(plain(), X, y, scoring="neg_log_loss", **options)
        assert list(sizes) == [192, 480]
        assert np.all(scores.mean(axis=1) > without.mean(axis=1) + GAP / 2)
        assert scores[1].mean() > scores[0].mean()

    def test_several_classes_one_against_the_rest(self, pupils):
        X, y = pupils
        three = np.where((y == "pass") & (X["hours"] > 2), "pass with honours", y)
        rest = preprocessing().fit(X).transform(X)
        model = OneVsRestClassifier(MixedLogisticClassifier("school", SLOPES)).fit(rest, three)
        without = OneVsRestClassifier(LogisticRegression()).fit(rest.drop(columns="school"), three)
        known, nobody = (
            model.predict_proba(rest),
            without.predict_proba(rest.drop(columns="school")),
        )
        assert known.shape == (len(X), 3)
        assert log_loss(three, known) < log_loss(three, nobody) - GAP
        with pytest.raises(ValueError, match="Only binary classification is supported"):
            MixedLogisticClassifier("school").fit(rest, three)

    def test_bagging_by_position(self, pupils):
        X, y = pupils
        array = np.column_stack(
            [X[["age", "hours"]], X["school"].str.removeprefix("school ").astype(int)]
        )
        member = MixedLogisticClassifier(-1, [RandomEffect(-1, (0,))])
        model = BaggingClassifier(member, n_estimators=3, random_state=0).fit(array, y)
        assert loss(model, array, y) < loss(model, array + [0, 0, 1000], y) - GAP

    def test_importance_of_the_group(self, pupils):
        X, y = pupils
        model = pipeline().fit(X, y)
        importance = permutation_importance(
            model, X, y, scoring="neg_log_loss", n_repeats=2, random_state=0
        )
        assert X.columns[np.argmax(importance.importances_mean)] == "school"
        assert importance.importances_mean.max() > GAP

    def test_roc_curve(self, halves):
        matplotlib = pytest.importorskip("matplotlib")
        matplotlib.use("Agg")
        X, y, new, outcome = halves
        model, without = pipeline().fit(X, y), plain().fit(X, y)
        shown = RocCurveDisplay.from_estimator(model, new, outcome, pos_label="pass", name="mixed")
        assert shown.roc_auc == pytest.approx(
            roc_auc_score(outcome == "pass", model.decision_function(new))
        )
        assert (
            shown.roc_auc > roc_auc_score(outcome == "pass", without.decision_function(new)) + 0.08
        )
        matplotlib.pyplot.close(shown.figure_)

    def test_position_after_a_column_transformer(self, pupils):
        """Without names the group column is the last one."""
        X, y = pupils
        steps = preprocessing().set_output(transform="default")
        by_position = make_pipeline(steps, MixedLogisticClassifier(groups=-1)).fit(X, y)
        np.testing.assert_allclose(
            by_position.predict_proba(X), pipeline(None).fit(X, y).predict_proba(X), rtol=1e-8
        )

    def test_polars(self, pupils):
        X, y = pupils
        expected = pipeline().fit(X, y)
        table, outcome = pl.from_pandas(X), pl.Series("outcome", y.to_numpy())
        steps = preprocessing().set_output(transform="polars")
        model = make_pipeline(steps, MixedLogisticClassifier("school", SLOPES)).fit(table, outcome)
        np.testing.assert_allclose(model.predict_proba(table), expected.predict_proba(X), rtol=1e-8)
        assert list(model.predict(table)) == list(expected.predict(X))
        scores = cross_val_score(
            model, table, outcome, cv=KNOWN_GROUPS, scoring="neg_log_loss", error_score="raise"
        )
        np.testing.assert_allclose(
            scores, cross_val_score(expected, X, y, cv=KNOWN_GROUPS, scoring="neg_log_loss")
        )

    def test_fit_on_pandas_predict_on_polars(self, pupils):
        table, y = pupils
        X = table.drop(columns="track")
        model = MixedLogisticClassifier("school", SLOPES).fit(X, y)
        np.testing.assert_array_equal(
            model.predict_proba(pl.from_pandas(X)), model.predict_proba(X)
        )
        other = MixedLogisticClassifier("school", SLOPES).fit(pl.from_pandas(X), y.to_list())
        np.testing.assert_allclose(other.predict_proba(X), model.predict_proba(X), rtol=1e-12)


# ------------------------------------------------------------------------------------------------ groups as an argument

METHODS = ("predict", "predict_proba", "predict_log_proba", "decision_function")


@pytest.fixture
def numbers(pupils):
    """Numeric columns, response, and labels beside them."""
    table, y = pupils
    return table[["age", "hours"]], y, table["school"]


@pytest.fixture
def routing():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


@pytest.mark.usefixtures("routing")
class TestGroupsAsAnArgument:
    def test_pipeline(self, numbers):
        """Every method gets the groups."""
        X, y, school = numbers
        scaler = StandardScaler().set_output(transform="pandas")
        model = make_pipeline(scaler, MixedLogisticClassifier()).fit(X, y, groups=school)
        column = MixedLogisticClassifier("school").fit(X.assign(school=school), y)
        for method in METHODS:
            found, expected = (
                getattr(model, method)(X, groups=school),
                getattr(column, method)(X.assign(school=school)),
            )
            if method == "predict":
                assert list(found) == list(expected)
            else:
                np.testing.assert_allclose(found, expected, rtol=1e-7, atol=1e-9)
        assert model.score(X, y, groups=school) == column.score(X.assign(school=school), y)
        assert log_loss(y, model.predict_proba(X, groups=school)) < -population(model, X, y) - GAP

    def test_cross_validate(self, numbers):
        X, y, school = numbers
        model = MixedLogisticClassifier()
        known = cross_validate(model, X, y, cv=KNOWN_GROUPS, params={"groups": school})[
            "test_score"
        ]
        unseen = cross_validate(model, X, y, cv=GroupKFold(5), params={"groups": school})[
            "test_score"
        ]
        assert known.mean() > unseen.mean() + 0.08

    def test_both_styles_agree(self, numbers):
        X, y, school = numbers
        argument = cross_val_score(
            MixedLogisticClassifier(), X, y, cv=KNOWN_GROUPS, params={"groups": school}
        )
        column = cross_val_score(
            MixedLogisticClassifier("school"), X.assign(school=school), y, cv=KNOWN_GROUPS
        )
        np.testing.assert_array_equal(argument, column)

    def test_grid_search(self, numbers):
        X, y, school = numbers
        grid = {"n_quadrature": [1, 3], "random_effects": [None, RandomEffect("school", ("age",))]}
        search = GridSearchCV(MixedLogisticClassifier(), grid, cv=KNOWN_GROUPS, error_score="raise")
        search.fit(X, y, groups=school)
        assert search.best_params_["random_effects"] == RandomEffect("school", ("age",))
        assert (
            search.score(X, y, groups=school)
            > cross_val_score(LogisticRegression(), X, y).mean() + 0.08
        )

    def test_new_groups(self, numbers):
        """One keyword serves the splitter, the fit and the score."""
        X, y, school = numbers
        search = GridSearchCV(
            MixedLogisticClassifier(), {"n_quadrature": [1]}, cv=GroupKFold(3), error_score="raise"
        )
        search.fit(X, y, groups=school)
        assert search.best_score_ < search.score(X, y, groups=school) - 0.05

    def test_several_factors(self, numbers):
        X, y, school = numbers
        labels = pd.DataFrame({"school": school, "band": (X["hours"] // 1.5).astype(int)})
        model = MixedLogisticClassifier().fit(X[["age"]], y, groups=labels)
        known = log_loss(y, model.predict_proba(X[["age"]], groups=labels))
        assert known < log_loss(y, model.predict_proba(X[["age"]], kind="population")) - GAP
        assert [S.shape for S in model.covariances_] == [(1, 1), (1, 1)]

    def test_bagging(self, numbers):
        X, y, school = numbers
        model = BaggingClassifier(MixedLogisticClassifier(), n_estimators=3, random_state=0)
        with (
            warnings.catch_warnings()
        ):  # bagging hands arrays to models fitted with names, or the other way around
            warnings.filterwarnings("ignore", "X does not have valid feature names")
            model.fit(X, y, groups=school)
            known = model.predict_proba(X, groups=school)
        assert log_loss(y, known) < loss(LogisticRegression().fit(X, y), X, y) - GAP

    @pytest.mark.parametrize("method", ["fit", "score", *METHODS])
    def test_requests_follow_the_parameters(self, method):
        for model, requested in [
            (MixedLogisticClassifier(), True),
            (MixedLogisticClassifier(groups="school"), False),
            (MixedLogisticClassifier(groups="school").set_params(groups=None), True),
            (MixedLogisticClassifier(formula="age + (1 | school)"), False),
            (getattr(MixedLogisticClassifier(), f"set_{method}_request")(groups=False), False),
        ]:
            assert getattr(model.get_metadata_routing(), method).requests["groups"] is requested

    def test_requests_survive_clone_and_pickle(self):
        model = MixedLogisticClassifier().set_fit_request(groups="subject", sample_weight=True)
        for copy in (clone(model), pickle.loads(pickle.dumps(model))):
            assert copy.get_metadata_routing().fit.requests == {
                "groups": "subject",
                "sample_weight": True,
            }


def test_silent_loss_of_groups_warns(numbers):
    """Without metadata routing groups= goes to the splitter only."""
    X, y, school = numbers
    with pytest.warns(GroupsWarning, match="goes to the splitter only"):
        cross_val_score(MixedLogisticClassifier(), X, y, groups=school, cv=GroupKFold(3))


def test_pipeline_without_routing(numbers):
    X, y, school = numbers
    model = make_pipeline(StandardScaler(), MixedLogisticClassifier())
    model.fit(X, y, mixedlogisticclassifier__groups=school)
    assert log_loss(y, model.predict_proba(X, groups=school)) < -population(model, X, y) - GAP


# -------------------------------------------------------------------------------------------------- parameters, display

PARAMETERS = [
    {},
    {"groups": "school"},
    {"groups": -1},
    {"groups": ["school"], "n_quadrature": 3},
    {"random_effects": "(1 + age || school)"},
    {"random_effects": RandomEffect("school", ("age",), covariance="diagonal")},
    {"random_effects": [RandomEffect("school"), RandomEffect("school", "hours", intercept=False)]},
    {"groups": "school", "covariance": "exchangeable", "fit_intercept": False, "tol": 1e-7},
    {"groups": np.int64(2), "max_iter": 50, "verbose": 0},
    {"formula": "age + np.log1p(hours) + (1 | school)"},
]


@pytest.mark.parametrize("parameters", PARAMETERS, ids=str)
class TestParameters:
    def test_read_and_write(self, parameters):
        model = MixedLogisticClassifier().set_params(**parameters)
        for name, value in parameters.items():
            assert model.get_params()[name] is value
        assert set(model.get_params()) == set(MixedLogisticClassifier._get_param_names())

    def test_clone(self, parameters):
        model = MixedLogisticClassifier(**parameters)
        assert clone(model).get_params() == model.get_params()
        assert repr(clone(model)) == repr(model)

    def test_repr(self, parameters):
        text = repr(MixedLogisticClassifier(**parameters))
        assert text.startswith("MixedLogisticClassifier(")
        defaults = MixedLogisticClassifier().get_params()
        assert all(name in text for name, value in parameters.items() if value != defaults[name])

    def test_fitted_estimator_is_an_ordinary_object(self, parameters, pupils):
        """It pickles, clones, shows itself and lists its attributes before and after fit."""
        table, y = pupils
        X = table[["age", "hours"]].assign(
            school=table["school"].str.removeprefix("school ").astype(int)
        )
        model = MixedLogisticClassifier(**parameters)
        assert "coef_" not in dir(model) and model._repr_html_()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SkmixedWarning)
            model.fit(X, y)
        assert "coef_" in dir(model) and "MixedLogisticClassifier" in model._repr_html_()
        model.summary()
        copy = pickle.loads(pickle.dumps(model))
        for kind in ("conditional", "population", "marginal"):
            for found, expected in zip(
                *(m.predict_proba(X, kind=kind, return_std=True) for m in (copy, model)),
                strict=True,
            ):
                np.testing.assert_allclose(found, expected, rtol=1e-12)
        assert str(copy.summary(odds_ratios=True)) == str(model.summary(odds_ratios=True))
        pd.testing.assert_frame_equal(copy.random_effects_, model.random_effects_)
        assert not hasattr(clone(model), "coef_")


EFFECTS = ["factor", "level", "effect", "estimate", "std_error", "ci_low", "ci_high"]


def test_random_effects_is_a_parameter_and_a_table(pupils):
    X, y = pupils
    model = MixedLogisticClassifier(random_effects=SLOPES).fit(X.drop(columns="track"), y)
    table = model.random_effects_
    assert list(table.columns) == EFFECTS
    assert len(table) == 60
    assert model.get_params()["random_effects"] == SLOPES
    assert clone(model).set_params(random_effects=None).get_params()["random_effects"] is None


def test_fitted_attributes_are_numpy_and_plain(pupils):
    X, y = pupils
    model = MixedLogisticClassifier("school").fit(X[["age", "school", "hours"]], y)
    assert list(model.feature_names_in_) == ["age", "school", "hours"]
    assert model.n_features_in_ == 3
    assert isinstance(model.coef_, np.ndarray) and model.coef_.shape == (2,)
    assert isinstance(model.intercept_, float) and isinstance(model.loglik_, float)
    assert isinstance(model.converged_, bool) and isinstance(model.n_iter_, int)
    assert [c.shape for c in model.covariances_] == [(1, 1)]
    assert list(model.classes_) == ["fail", "pass"]
    assert not hasattr(model, "scale_")
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict_proba(X[["school", "age", "hours"]])
