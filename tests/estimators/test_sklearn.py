"""The estimators inside scikit-learn's own tools, with the groups in a column of X and as an argument.

That predictions used the groups shows in how good they are for held-out rows: better by at least a
gap than those of ordinary or logistic regression on the other columns, or of the same model with
every random effect at zero.
"""

from __future__ import annotations

import functools
import pickle
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import BaggingClassifier, BaggingRegressor
from sklearn.inspection import permutation_importance
from sklearn.metrics import accuracy_score, log_loss, r2_score
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    cross_val_predict,
    cross_val_score,
    cross_validate,
    learning_curve,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import (
    check_dataframe_column_names_consistency,
    check_param_validation,
    parametrize_with_checks,
)

from skmixed import (
    GroupsWarning,
    MixedLinearRegressor,
    MixedLogisticClassifier,
    RandomEffect,
    SingularFitWarning,
    SkmixedWarning,
)
from tests.helpers import rows
from tests.helpers.kinds import BOTH, NAMES, OF_NEW_LEVELS, answer, for_kinds, linear_only
from tests.helpers.pipelines import (
    KNOWN_GROUPS,
    SCORING,
    SLOPES,
    pipeline,
    plain,
    preprocessing,
    skill,
    skill_of,
)

#: shares of the variance, and differences of the log-loss, which is about 0.6 without groups
GAP = {MixedLinearRegressor: 0.25, MixedLogisticClassifier: 0.1}  # known groups give at least
SLOPES_GAP = {MixedLinearRegressor: 0.5, MixedLogisticClassifier: 0.1}  # with slopes
SCORE_GAP = {MixedLinearRegressor: 0.25, MixedLogisticClassifier: 0.08}  # in R² or accuracy
BAGGING = {MixedLinearRegressor: BaggingRegressor, MixedLogisticClassifier: BaggingClassifier}
# twenty rows of a school: seven quadrature points put the log-likelihood about one higher than Laplace
pytestmark = pytest.mark.filterwarnings("ignore::skmixed.LaplaceWarning")

# ----------------------------------------------------------------------------------------------- scikit-learn's checks

CHECKED = [kind(groups=groups) for kind in BOTH for groups in (None, 0, -1, [0, 1])]


def not_expected(estimator):
    """Missing labels of new rows are new levels; the check asks for an error for any NaN."""
    if estimator.groups in (0, [0, 1]):
        return {"check_estimators_nan_inf": "labels of groups may be missing at predict"}
    return {}


@parametrize_with_checks(
    [*CHECKED, MixedLogisticClassifier(groups=0, n_quadrature=5)],
    expected_failed_checks=not_expected,
)
@pytest.mark.filterwarnings(
    "ignore"
)  # the checks fit on noise, without groups, and with columns twice
def test_scikit_learn_checks(estimator, check):
    check(estimator)


@pytest.fixture(scope="module", params=BOTH, ids=NAMES.get)
def kind(request):
    return request.param


@pytest.mark.parametrize(
    "check", [check_dataframe_column_names_consistency, check_param_validation]
)
@pytest.mark.filterwarnings("ignore::skmixed.SkmixedWarning")
def test_checks_for_scikit_learns_own(kind, check):
    check(kind.__name__, kind())


# --------------------------------------------------------------------------------------------- groups in a column of X

cached_pupils = functools.cache(rows.pupils)


@pytest.fixture
def pupils(kind):
    return cached_pupils(kind)


class TestGroupsInAColumn:
    def test_cross_val_score(self, kind, pupils):
        X, y = pupils
        options = {"cv": KNOWN_GROUPS[kind], "error_score": "raise"}
        scores = cross_val_score(pipeline(kind), X, y, scoring=SCORING[kind], **options)
        without = cross_val_score(plain(kind), X, y, scoring=SCORING[kind], **options)
        typical = cross_val_score(pipeline(kind), X, y, scoring=skill_of("population"), **options)
        assert np.all(scores > without + SLOPES_GAP[kind])
        assert np.all(scores > typical + SLOPES_GAP[kind])
        if kind is MixedLinearRegressor:
            assert scores.min() > 0.85

    def test_new_groups(self, kind, pupils):
        """Groups go to the splitter as well; of unseen schools the effects are averaged over."""
        X, y = pupils
        splits = {"cv": GroupKFold(5), "groups": X["school"], "error_score": "raise"}
        unseen = cross_val_score(pipeline(kind), X, y, scoring=SCORING[kind], **splits)
        averaged = skill_of(OF_NEW_LEVELS[kind])
        expected = cross_val_score(pipeline(kind), X, y, scoring=averaged, **splits)
        np.testing.assert_allclose(unseen, expected, rtol=1e-12)
        known = cross_val_score(pipeline(kind), X, y, scoring=SCORING[kind], cv=KNOWN_GROUPS[kind])
        assert known.mean() > unseen.mean() + SLOPES_GAP[kind]
        if kind is MixedLogisticClassifier:
            typical = cross_val_score(
                pipeline(kind), X, y, scoring=skill_of("population"), **splits
            )
            assert unseen.mean() > typical.mean()

    @for_kinds(
        "method",
        ["predict"],
        ["predict_proba", "predict_log_proba", "decision_function", "predict"],
    )
    def test_cross_val_predict(self, kind, pupils, method):
        X, y = pupils

        def good(model, **splits):
            found = cross_val_predict(model, X, y, method=method, **splits)
            assert len(found) == len(y)
            if method == "decision_function":
                found = 1 / (1 + np.exp(-found))
            if method == "predict_log_proba":
                found = np.exp(found)
            if method == "predict":
                return (r2_score if kind is MixedLinearRegressor else accuracy_score)(y, found)
            return -log_loss(y, found)

        gap = SLOPES_GAP[kind] if method != "predict" or kind is BOTH[0] else SCORE_GAP[kind]
        known = good(pipeline(kind), cv=KNOWN_GROUPS[kind])
        assert known > good(plain(kind), cv=KNOWN_GROUPS[kind]) + gap
        assert known > good(pipeline(kind), cv=GroupKFold(5), groups=X["school"]) + gap
        if kind is MixedLinearRegressor:
            assert known > 0.85

    def test_grid_search(self, kind, pupils):
        X, y = pupils
        name = kind.__name__.lower() + "__"
        terms = ["(1 | school)", SLOPES, [RandomEffect("school", ("hours",))], None]
        own = {"method": ["reml", "ml"]} if kind is BOTH[0] else {"n_quadrature": [1, 3]}
        grid = [
            {name + "random_effects": terms},
            {
                name + "random_effects": [SLOPES],
                name + "covariance": ["unstructured", "diagonal"],
                **{name + parameter: values for parameter, values in own.items()},
                "columntransformer__standardscaler": [StandardScaler(), "passthrough"],
            },
        ]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SingularFitWarning)
            search = GridSearchCV(
                pipeline(kind), grid, cv=3, scoring=SCORING[kind], error_score="raise"
            ).fit(X, y)
        assert search.best_params_[name + "random_effects"] == SLOPES
        without = cross_val_score(plain(kind), X, y, cv=3, scoring=SCORING[kind])
        typical = cross_val_score(
            search.best_estimator_, X, y, cv=3, scoring=skill_of("population")
        )
        assert search.best_score_ > without.mean() + SLOPES_GAP[kind]
        assert search.best_score_ > typical.mean() + SLOPES_GAP[kind]
        if kind is MixedLinearRegressor:
            assert search.best_score_ > 0.85
        assert search.score(X, y) > search.best_score_
        assert len(answer(search, X)) == len(search.predict(X)) == len(y)
        table = pd.DataFrame(search.cv_results_)
        table = table[table[f"param_{name}covariance"] == "unstructured"]
        for value, pair in table.groupby(f"param_{name}{next(iter(own))}")["mean_test_score"]:
            scaled, unscaled = pair  # the units of a column are no part of the model
            # but quadrature nodes turn with the origin of a slope
            assert scaled == pytest.approx(unscaled, rel=1e-4 if value == 3 else 1e-6)

    def test_grid_search_over_new_groups(self, kind, pupils):
        X, y = pupils
        grid = {f"{kind.__name__.lower()}__random_effects": [None, SLOPES]}
        search = GridSearchCV(
            pipeline(kind), grid, cv=GroupKFold(3), scoring=SCORING[kind], error_score="raise"
        )
        search.fit(X, y, groups=X["school"])
        assert search.best_score_ < search.score(X, y) - GAP[kind]

    def test_learning_curve(self, kind, pupils):
        X, y = pupils
        options = {
            "train_sizes": [0.4, 1.0],
            "cv": KNOWN_GROUPS[kind],
            "scoring": SCORING[kind],
            "error_score": "raise",
        }
        terms = SLOPES if kind is MixedLinearRegressor else None
        gap = SLOPES_GAP[kind] if kind is MixedLinearRegressor else GAP[kind] / 2
        sizes, _, scores = learning_curve(pipeline(kind, terms), X, y, **options)
        _, _, without = learning_curve(plain(kind), X, y, **options)
        assert list(sizes) == ([115, 288] if kind is MixedLinearRegressor else [192, 480])
        assert np.all(scores.mean(axis=1) > without.mean(axis=1) + gap)
        assert scores[1].mean() > scores[0].mean()

    def test_metadata_routing_leaves_groups_to_the_splitter(self, kind, pupils):
        X, y = pupils
        name = kind.__name__.lower()
        with sklearn.config_context(enable_metadata_routing=True):
            search = GridSearchCV(
                pipeline(kind), {f"{name}__tol": [1e-7, 1e-6]}, cv=GroupKFold(3)
            ).fit(X, y, groups=X["school"])
            scores = cross_validate(
                pipeline(kind), X, y, cv=GroupKFold(3), params={"groups": X["school"]}
            )["test_score"]
        assert search.best_score_ == pytest.approx(scores.mean(), abs=0.05)

    def test_importance_of_the_group(self, kind, pupils):
        X, y = pupils
        importance = permutation_importance(
            pipeline(kind).fit(X, y), X, y, scoring=SCORING[kind], n_repeats=2, random_state=0
        )
        assert X.columns[np.argmax(importance.importances_mean)] == "school"
        assert importance.importances_mean.max() > SLOPES_GAP[kind]

    def test_renamed_column_is_explained(self, kind, pupils):
        """A column transformer with its default names hides the group column."""
        X, y = pupils
        steps = preprocessing(verbose_feature_names_out=True)
        with pytest.raises(
            ValueError, match=r"'remainder__school'.*verbose_feature_names_out=False"
        ):
            make_pipeline(steps, kind(groups="school")).fit(X, y)

    def test_arrays_from_earlier_steps_are_explained(self, kind, pupils):
        X, y = pupils
        steps = preprocessing().set_output(transform="default")
        with pytest.raises(ValueError, match=r"set_output\(transform='pandas'\)"):
            make_pipeline(steps, kind(groups="school")).fit(X, y)

    def test_position_after_a_column_transformer(self, kind, pupils):
        """Without names the group column is the last one."""
        X, y = pupils
        steps = preprocessing().set_output(transform="default")
        by_position = make_pipeline(steps, kind(groups=-1)).fit(X, y)
        np.testing.assert_allclose(
            answer(by_position, X), answer(pipeline(kind, None).fit(X, y), X), rtol=1e-8
        )

    @pytest.mark.parametrize("terms", [None, [RandomEffect(-1, (0,))]], ids=["levels", "slopes"])
    def test_bagging_by_position(self, kind, pupils, terms):
        X, y = pupils
        array = np.column_stack(
            [X[["age", "hours"]], X["school"].str.removeprefix("school ").astype(int)]
        )
        model = BAGGING[kind](kind(-1, terms), n_estimators=3, random_state=0).fit(array, y)
        array_of_new_schools = array + [0, 0, 1000]
        assert skill(model, array, y) > skill(model, array_of_new_schools, y) + GAP[kind]

    def test_polars(self, kind, pupils):
        X, y = pupils
        expected = pipeline(kind).fit(X, y)
        table, outcome = pl.from_pandas(X), pl.Series("outcome", y.to_numpy())
        steps = preprocessing().set_output(transform="polars")
        model = make_pipeline(steps, kind("school", SLOPES)).fit(table, outcome)
        np.testing.assert_allclose(answer(model, table), answer(expected, X), rtol=1e-8)
        if kind is MixedLogisticClassifier:
            assert list(model.predict(table)) == list(expected.predict(X))
        options = {"cv": KNOWN_GROUPS[kind], "scoring": SCORING[kind], "error_score": "raise"}
        np.testing.assert_allclose(
            cross_val_score(model, table, outcome, **options),
            cross_val_score(expected, X, y, **options),
        )

    def test_fit_on_pandas_predict_on_polars(self, kind, pupils):
        table, y = pupils
        X = table.drop(columns="track")
        model = kind("school", SLOPES).fit(X, y)
        found = answer(model, pl.from_pandas(X))
        np.testing.assert_allclose(found, answer(model, X), rtol=1e-12)
        other = kind("school", SLOPES).fit(pl.from_pandas(X), y.to_list())
        # the columns of the two lie differently in memory, so that sums are rounded differently
        np.testing.assert_allclose(answer(other, X), answer(model, X), rtol=1e-11, atol=1e-12)

    def test_search_over_the_columns_of_the_groups(self, kind, pupils):
        X, y = pupils
        grid = {"groups": ["school", ["school"]], "fit_intercept": [True, False]}
        search = GridSearchCV(kind(), grid, cv=3, error_score="raise")
        search.fit(X.drop(columns="track"), y)
        assert search.best_score_ > (0.5 if kind is MixedLinearRegressor else 0.7)


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
    def test_pipeline(self, kind, numbers):
        """Every method gets the groups."""
        X, y, school = numbers
        scaler = StandardScaler().set_output(transform="pandas")
        model = make_pipeline(scaler, kind()).fit(X, y, groups=school)
        same, column = kind().fit(X, y, groups=school), kind("school")
        X_and_school = X.assign(school=school)
        column.fit(X_and_school, y)
        for method in METHODS if kind is MixedLogisticClassifier else ["predict"]:
            found = getattr(model, method)(X, groups=school)
            expected = getattr(same, method)(X, groups=school)
            in_a_column = getattr(column, method)(X_and_school)
            if found.dtype == float:
                np.testing.assert_allclose(found, expected, rtol=1e-7, atol=1e-9)
                np.testing.assert_allclose(found, in_a_column, rtol=1e-7, atol=1e-9)
            else:
                assert list(found) == list(expected) == list(in_a_column)
        score = model.score(X, y, groups=school)
        assert score == pytest.approx(same.score(X, y, groups=school))
        assert score == pytest.approx(column.score(X_and_school, y))
        typical = skill_of("population")(model, X, y)
        assert skill(model, X, y, groups=school) > typical + GAP[kind]

    def test_cross_validate(self, kind, numbers):
        X, y, school = numbers
        known, unseen = (
            cross_validate(kind(), X, y, cv=cv, params={"groups": school})["test_score"]
            for cv in (KNOWN_GROUPS[kind], GroupKFold(5))
        )
        assert known.mean() > unseen.mean() + SCORE_GAP[kind]
        if kind is MixedLinearRegressor:
            assert known.min() > 0.55

    def test_both_styles_agree(self, kind, numbers):
        X, y, school = numbers
        cv = KNOWN_GROUPS[kind]
        argument = cross_val_score(kind(), X, y, cv=cv, params={"groups": school})
        column = cross_val_score(kind("school"), X.assign(school=school), y, cv=cv)
        np.testing.assert_allclose(argument, column, rtol=1e-10)

    def test_several_factors(self, kind, numbers):
        X, y, school = numbers
        column, other, width = (
            ("hours", "age", 2.0) if kind is MixedLinearRegressor else ("age", "hours", 1.5)
        )
        labels = pd.DataFrame({"school": school, "band": (X[other] // width).astype(int)})
        model = kind().fit(X[[column]], y, groups=labels)
        known = skill(model, X[[column]], y, groups=labels)
        assert known > skill(model, X[[column]], y, kind="population") + GAP[kind]
        assert [S.shape for S in model.covariances_] == [(1, 1), (1, 1)]
        options = {"cv": KNOWN_GROUPS[kind], "error_score": "raise"}
        scores = cross_val_score(kind(), X[[column]], y, params={"groups": labels}, **options)
        without = cross_val_score(plain(kind)[-1], X[[column]], y, **options)
        assert np.all(scores > without + SCORE_GAP[kind])
        if kind is MixedLinearRegressor:
            assert scores.min() > 0.55

    def test_grid_search(self, kind, numbers):
        X, y, school = numbers
        own = {"method": ["ml", "reml"]} if kind is BOTH[0] else {"n_quadrature": [1, 3]}
        grid = {**own, "random_effects": [None, RandomEffect("school", ("age",))]}
        search = GridSearchCV(kind(), grid, cv=KNOWN_GROUPS[kind], error_score="raise")
        search.fit(X, y, groups=school)
        assert search.best_params_["random_effects"] == RandomEffect("school", ("age",))
        without = cross_val_score(plain(kind)[-1], X, y).mean()
        assert search.score(X, y, groups=school) > without + SCORE_GAP[kind]
        model = search.best_estimator_
        typical = skill(model, X, y, kind="population")
        assert skill(model, X, y, groups=school) > typical + GAP[kind]
        if kind is MixedLinearRegressor:
            assert search.best_score_ > 0.6 and search.score(X, y, groups=school) > 0.6

    def test_new_groups(self, kind, numbers):
        """One keyword serves the splitter, the fit and the score."""
        X, y, school = numbers
        search = GridSearchCV(kind(), {"tol": [1e-7]}, cv=GroupKFold(3), error_score="raise")
        search.fit(X, y, groups=school)
        gap = 0.25 if kind is MixedLinearRegressor else 0.05
        assert search.best_score_ < search.score(X, y, groups=school) - gap

    def test_bagging(self, kind, numbers):
        X, y, school = numbers
        model = BAGGING[kind](kind(), n_estimators=3, random_state=0)
        with (
            warnings.catch_warnings()
        ):  # bagging hands arrays to models fitted with names, or the other way around
            warnings.filterwarnings("ignore", "X does not have valid feature names")
            model.fit(X, y, groups=school)
            known = skill(model, X, y, groups=school)
        assert known > skill(plain(kind)[-1].fit(X, y), X, y) + GAP[kind]
        if kind is MixedLinearRegressor:
            assert known > 0.55

    @for_kinds("method", ["fit", "score", "predict"], ["fit", "score", *METHODS])
    def test_requests_follow_the_parameters(self, kind, method):
        for model, requested in [
            (kind(), True),
            (kind(groups="school"), False),
            (kind(groups="school").set_params(groups=None), True),
            (kind(formula="age + (1 | school)"), False),
            (getattr(kind(), f"set_{method}_request")(groups=False), False),
            (
                getattr(kind(random_effects="(1 | school)"), f"set_{method}_request")(groups=False),
                False,
            ),
        ]:
            assert getattr(model.get_metadata_routing(), method).requests["groups"] is requested

    def test_requests_survive_clone_and_pickle(self, kind):
        model = kind().set_fit_request(groups="subject", sample_weight=True)
        for copy in (clone(model), pickle.loads(pickle.dumps(model))):
            assert copy.get_metadata_routing().fit.requests == {
                "groups": "subject",
                "sample_weight": True,
            }


def test_silent_loss_of_groups_warns(kind, numbers):
    """Without metadata routing groups= goes to the splitter only."""
    X, y, school = numbers
    with pytest.warns(GroupsWarning, match="goes to the splitter only"):
        cross_val_score(kind(), X, y, groups=school, cv=GroupKFold(3))


def test_pipeline_without_routing(kind, numbers):
    X, y, school = numbers
    model = make_pipeline(StandardScaler(), kind())
    model.fit(X, y, **{f"{kind.__name__.lower()}__groups": school})
    known = skill(model, X, y, groups=school)
    assert known > skill(model, X, y, kind="population") + GAP[kind]
    if kind is MixedLinearRegressor:
        assert known > 0.6


# -------------------------------------------------------------------------------------------------- parameters, display

PARAMETERS = [
    {},
    {"groups": "school"},
    {"groups": -1},
    {"groups": ["school"]},
    {"groups": ("school",)},
    {"random_effects": "(1 + age || school)"},
    {"random_effects": RandomEffect("school", ("age",), covariance="diagonal")},
    {"random_effects": [RandomEffect("school"), RandomEffect("school", "hours", intercept=False)]},
    {"groups": "school", "covariance": "exchangeable", "fit_intercept": False, "tol": 1e-7},
    {"groups": np.int64(2), "max_iter": 50, "verbose": 0},
    {"formula": "age + np.log1p(hours) + (1 | school)"},
]
LINEAR = [{"groups": "school", "covariance": "exchangeable", "method": "ml"}]
LOGISTIC = [{"groups": ["school"], "n_quadrature": 3}]


@for_kinds("parameters", PARAMETERS + LINEAR, PARAMETERS + LOGISTIC)
class TestParameters:
    def test_read_and_write(self, kind, parameters):
        model = kind().set_params(**parameters)
        for name, value in parameters.items():
            assert model.get_params()[name] is value
        assert set(model.get_params()) == set(kind._get_param_names())

    def test_clone(self, kind, parameters):
        model = kind(**parameters)
        assert clone(model).get_params() == model.get_params()
        assert repr(clone(model)) == repr(model)

    def test_repr(self, kind, parameters):
        text = repr(kind(**parameters))
        assert text.startswith(f"{kind.__name__}(")
        defaults = kind().get_params()
        assert all(name in text for name, value in parameters.items() if value != defaults[name])

    def test_fitted_estimator_is_an_ordinary_object(self, kind, parameters, pupils):
        """It pickles, clones, shows itself and lists its attributes before and after fit."""
        table, y = pupils
        X = table[["age", "hours"]].assign(
            school=table["school"].str.removeprefix("school ").astype(int)
        )
        model = kind(**parameters)
        assert "coef_" not in dir(model) and model._repr_html_()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SkmixedWarning)
            model.fit(X, y)
        assert "coef_" in dir(model) and kind.__name__ in model._repr_html_()
        model.summary()
        copy = pickle.loads(pickle.dumps(model))
        np.testing.assert_array_equal(copy.predict(X), model.predict(X))
        for what in ("conditional", "population", OF_NEW_LEVELS[kind]):
            for found, expected in zip(
                *(answer(m, X, kind=what, return_std=True) for m in (copy, model)), strict=True
            ):
                np.testing.assert_allclose(found, expected, rtol=1e-12)
        assert str(copy.summary()) == str(model.summary())
        if kind is MixedLogisticClassifier:
            assert str(copy.summary(odds_ratios=True)) == str(model.summary(odds_ratios=True))
        pd.testing.assert_frame_equal(copy.random_effects_, model.random_effects_)
        assert not hasattr(clone(model), "coef_")


EFFECTS = ["factor", "level", "effect", "estimate", "std_error", "ci_low", "ci_high"]


def test_random_effects_is_a_parameter_and_a_table(kind, pupils):
    X, y = pupils
    model = kind(random_effects=SLOPES).fit(X.drop(columns="track"), y)
    table = model.random_effects_
    assert list(table.columns) == EFFECTS
    assert len(table) == 60
    assert model.get_params()["random_effects"] == SLOPES
    assert clone(model).set_params(random_effects=None).get_params()["random_effects"] is None


def test_fitted_attributes_are_numpy_and_plain(kind, pupils):
    """The table is described as passed, with the group; coefficients belong to the others."""
    X, y = pupils
    model = kind("school").fit(X[["age", "school", "hours"]], y)
    assert list(model.feature_names_in_) == ["age", "school", "hours"]
    assert model.n_features_in_ == 3
    assert isinstance(model.coef_, np.ndarray) and model.coef_.shape == (2,)
    assert list(model.results_.params.index) == ["Intercept", "age", "hours"]
    assert isinstance(model.intercept_, float) and isinstance(model.loglik_, float)
    assert isinstance(model.converged_, bool) and isinstance(model.n_iter_, int)
    assert [c.shape for c in model.covariances_] == [(1, 1)]
    if kind is MixedLinearRegressor:
        assert isinstance(model.scale_, float)
    else:
        assert list(model.classes_) == ["fail", "pass"] and not hasattr(model, "scale_")
    with pytest.raises(ValueError, match="feature names should match"):
        answer(model, X[["school", "age", "hours"]])


# --------------------------------------------------------------------------------------------------------- linear only


@linear_only
def test_transformed_target(kind, pupils):
    X, y = pupils
    model = TransformedTargetRegressor(pipeline(kind), transformer=StandardScaler())
    assert cross_val_score(model, X, y, cv=KNOWN_GROUPS[kind]).min() > 0.85
