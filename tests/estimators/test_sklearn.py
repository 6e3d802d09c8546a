"""The estimator inside scikit-learn's own tools, with the groups in a column of X and as an argument."""

from __future__ import annotations

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor, make_column_transformer
from sklearn.ensemble import BaggingRegressor
from sklearn.inspection import permutation_importance
from sklearn.metrics import r2_score
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    cross_val_predict,
    cross_val_score,
    cross_validate,
    learning_curve,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.utils.estimator_checks import (
    check_dataframe_column_names_consistency,
    check_param_validation,
    parametrize_with_checks,
)

from skmixed import GroupsWarning, MixedLinearRegressor, RandomEffect, SingularFitWarning

KNOWN_GROUPS = KFold(5, shuffle=True, random_state=0)
GAP = 0.25  # share of the variance that known groups explain at least
SLOPES = "(1 + age | school)"

# ----------------------------------------------------------------------------------------------- scikit-learn's checks


@parametrize_with_checks([MixedLinearRegressor(groups=groups) for groups in (None, 0, -1, [0, 1])])
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
    check("MixedLinearRegressor", MixedLinearRegressor())


# ------------------------------------------------------------------------------------------------------------- the data


@pytest.fixture(scope="module")
def pupils():
    """Thirty schools that differ in level and in the slope of age; one text column besides the school."""
    rng = np.random.default_rng(0)
    code = rng.permutation(np.repeat(np.arange(30), 12))
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
    level, slope = rng.normal(0, 3, 30), rng.normal(0, 0.6, 30)
    y = 0.5 * table["age"] + 0.4 * table["hours"] + (table["track"] == "arts")
    y += level[code] + slope[code] * (table["age"] - 11) + rng.normal(0, 1.0, n)
    return table, y.rename("mark")


def preprocessing():
    return make_column_transformer(
        (StandardScaler(), ["age", "hours"]),
        (OneHotEncoder(drop="first", sparse_output=False), ["track"]),
        remainder="passthrough",
        verbose_feature_names_out=False,
    ).set_output(transform="pandas")


def pipeline(terms=SLOPES):
    return make_pipeline(preprocessing(), MixedLinearRegressor("school", terms))


def population_r2(model, X, y):
    """R² of the same model with every random effect at zero."""
    return r2_score(y, model[-1].predict(model[:-1].transform(X), kind="population"))


# --------------------------------------------------------------------------------------------- groups in a column of X


class TestGroupsInAColumn:
    def test_cross_val_score(self, pupils):
        X, y = pupils
        conditional = cross_val_score(pipeline(), X, y, cv=KNOWN_GROUPS)
        population = cross_val_score(pipeline(), X, y, cv=KNOWN_GROUPS, scoring=population_r2)
        assert conditional.min() > 0.85
        assert np.all(conditional > population + 2 * GAP)

    def test_new_groups(self, pupils):
        """Groups go to the splitter as well; unseen schools are predicted by the population."""
        X, y = pupils
        splits = {"cv": GroupKFold(5), "groups": X["school"]}
        unseen = cross_val_score(pipeline(), X, y, **splits)
        population = cross_val_score(pipeline(), X, y, scoring=population_r2, **splits)
        known = cross_val_score(pipeline(), X, y, cv=KNOWN_GROUPS)
        np.testing.assert_allclose(unseen, population, rtol=1e-12)
        assert known.mean() > unseen.mean() + 2 * GAP

    def test_cross_val_predict(self, pupils):
        X, y = pupils
        known = cross_val_predict(pipeline(), X, y, cv=KNOWN_GROUPS)
        unseen = cross_val_predict(pipeline(), X, y, cv=GroupKFold(5), groups=X["school"])
        assert known.shape == y.shape
        assert r2_score(y, known) > max(0.85, r2_score(y, unseen) + 2 * GAP)

    def test_grid_search(self, pupils):
        X, y = pupils
        terms = ["(1 | school)", SLOPES, [RandomEffect("school", ("hours",))], None]
        grid = {
            "mixedlinearregressor__random_effects": terms,
            "mixedlinearregressor__covariance": ["unstructured", "diagonal"],
            "mixedlinearregressor__method": ["reml", "ml"],
            "columntransformer__standardscaler": [StandardScaler(), "passthrough"],
        }
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SingularFitWarning)
            search = GridSearchCV(pipeline(), grid, cv=3, error_score="raise").fit(X, y)
        assert search.best_params_["mixedlinearregressor__random_effects"] == SLOPES
        assert search.best_score_ > 0.85
        population = np.mean(
            cross_val_score(search.best_estimator_, X, y, cv=3, scoring=population_r2)
        )
        assert search.best_score_ > population + 2 * GAP
        assert search.score(X, y) > search.best_score_
        assert len(search.predict(X)) == len(y)

    def test_grid_search_over_new_groups(self, pupils):
        X, y = pupils
        grid = {"mixedlinearregressor__random_effects": [None, SLOPES]}
        search = GridSearchCV(pipeline(), grid, cv=GroupKFold(3), error_score="raise").fit(
            X, y, groups=X["school"]
        )
        assert search.best_score_ < search.score(X, y) - GAP

    def test_learning_curve(self, pupils):
        X, y = pupils
        options = {"train_sizes": [0.4, 1.0], "cv": KNOWN_GROUPS, "error_score": "raise"}
        sizes, _, conditional = learning_curve(pipeline(), X, y, **options)
        _, _, population = learning_curve(pipeline(), X, y, scoring=population_r2, **options)
        assert list(sizes) == [115, 288]
        assert np.all(conditional.mean(axis=1) > population.mean(axis=1) + 2 * GAP)
        assert conditional[1].mean() > conditional[0].mean()

    def test_metadata_routing_leaves_groups_to_the_splitter(self, pupils):
        X, y = pupils
        with sklearn.config_context(enable_metadata_routing=True):
            search = GridSearchCV(
                pipeline(), {"mixedlinearregressor__method": ["reml", "ml"]}, cv=GroupKFold(3)
            )
            search.fit(X, y, groups=X["school"])
            scores = cross_validate(
                pipeline(), X, y, cv=GroupKFold(3), params={"groups": X["school"]}
            )["test_score"]
        assert search.best_score_ == pytest.approx(scores.mean(), abs=0.05)

    def test_transformed_target(self, pupils):
        X, y = pupils
        model = TransformedTargetRegressor(pipeline(), transformer=StandardScaler())
        assert cross_val_score(model, X, y, cv=KNOWN_GROUPS).min() > 0.85

    def test_importance_of_the_group(self, pupils):
        X, y = pupils
        importance = permutation_importance(pipeline().fit(X, y), X, y, n_repeats=2, random_state=0)
        assert X.columns[np.argmax(importance.importances_mean)] == "school"

    def test_renamed_column_is_explained(self, pupils):
        """A column transformer with its default names hides the group column."""
        X, y = pupils
        steps = preprocessing().set_params(verbose_feature_names_out=True)
        with pytest.raises(
            ValueError, match=r"'remainder__school'.*verbose_feature_names_out=False"
        ):
            make_pipeline(steps, MixedLinearRegressor(groups="school")).fit(X, y)

    def test_arrays_from_earlier_steps_are_explained(self, pupils):
        X, y = pupils
        steps = preprocessing().set_output(transform="default")
        with pytest.raises(ValueError, match=r"set_output\(transform='pandas'\)"):
            make_pipeline(steps, MixedLinearRegressor(groups="school")).fit(X, y)

    def test_position_after_a_column_transformer(self, pupils):
        """Without names the group column is the last one."""
        X, y = pupils
        steps = preprocessing().set_output(transform="default")
        by_position = make_pipeline(steps, MixedLinearRegressor(groups=-1)).fit(X, y)
        np.testing.assert_allclose(
            by_position.predict(X), pipeline(None).fit(X, y).predict(X), rtol=1e-8
        )

    @pytest.mark.parametrize("terms", [None, [RandomEffect(-1, (0,))]])
    def test_bagging_by_position(self, pupils, terms):
        X, y = pupils
        array = np.column_stack(
            [X[["age", "hours"]], X["school"].str.removeprefix("school ").astype(int)]
        )
        model = BaggingRegressor(
            MixedLinearRegressor(-1, terms), n_estimators=4, random_state=0
        ).fit(array, y)
        array_of_new_schools = array + [0, 0, 1000]
        assert model.score(array, y) > model.score(array_of_new_schools, y) + GAP


# ------------------------------------------------------------------------------------------------ groups as an argument


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
    def test_cross_validate(self, numbers):
        X, y, school = numbers
        model = MixedLinearRegressor()
        known = cross_validate(model, X, y, cv=KNOWN_GROUPS, params={"groups": school})[
            "test_score"
        ]
        unseen = cross_validate(model, X, y, cv=GroupKFold(5), params={"groups": school})[
            "test_score"
        ]
        assert known.min() > 0.55
        assert known.mean() > unseen.mean() + GAP

    def test_both_styles_agree(self, numbers):
        X, y, school = numbers
        argument = cross_val_score(
            MixedLinearRegressor(), X, y, cv=KNOWN_GROUPS, params={"groups": school}
        )
        column = cross_val_score(
            MixedLinearRegressor("school"), X.assign(school=school), y, cv=KNOWN_GROUPS
        )
        np.testing.assert_allclose(argument, column, rtol=1e-10)

    def test_several_factors(self, numbers):
        X, y, school = numbers
        labels = pd.DataFrame({"school": school, "band": (X["age"] - 6) // 2})
        model = MixedLinearRegressor()
        scores = cross_val_score(model, X[["hours"]], y, cv=KNOWN_GROUPS, params={"groups": labels})
        assert scores.min() > 0.55

    def test_grid_search(self, numbers):
        X, y, school = numbers
        grid = {
            "method": ["ml", "reml"],
            "random_effects": [None, RandomEffect("school", ("age",))],
        }
        search = GridSearchCV(MixedLinearRegressor(), grid, cv=KNOWN_GROUPS, error_score="raise")
        search.fit(X, y, groups=school)
        assert search.best_params_["random_effects"] == RandomEffect("school", ("age",))
        assert search.best_score_ > 0.6
        assert search.score(X, y, groups=school) > 0.6
        new = search.best_estimator_.predict(X, kind="population")
        assert (
            r2_score(y, search.best_estimator_.predict(X, groups=school)) > r2_score(y, new) + GAP
        )

    def test_pipeline(self, numbers):
        X, y, school = numbers
        model = make_pipeline(
            StandardScaler().set_output(transform="pandas"), MixedLinearRegressor()
        )
        model.fit(X, y, groups=school)
        plain = MixedLinearRegressor().fit(X, y, groups=school)
        np.testing.assert_allclose(
            model.predict(X, groups=school), plain.predict(X, groups=school), rtol=1e-8
        )
        assert model.score(X, y, groups=school) == pytest.approx(plain.score(X, y, groups=school))

    def test_bagging(self, numbers):
        X, y, school = numbers
        model = BaggingRegressor(MixedLinearRegressor(), n_estimators=3, random_state=0)
        with (
            warnings.catch_warnings()
        ):  # bagging hands arrays to models fitted with names, or the other way around
            warnings.filterwarnings("ignore", "X does not have valid feature names")
            model.fit(X, y, groups=school)
            known = model.predict(X, groups=school)
        assert r2_score(y, known) > 0.55

    def test_requests_follow_the_parameters(self):
        for model, requested in [
            (MixedLinearRegressor(), True),
            (MixedLinearRegressor(groups="school"), False),
            (MixedLinearRegressor(groups="school").set_params(groups=None), True),
            (
                MixedLinearRegressor(random_effects="(1 | school)").set_fit_request(groups=False),
                False,
            ),
        ]:
            assert model.get_metadata_routing().fit.requests["groups"] is requested

    def test_requests_survive_clone_and_pickle(self):
        model = MixedLinearRegressor().set_fit_request(groups="subject", sample_weight=True)
        for copy in (clone(model), pickle.loads(pickle.dumps(model))):
            assert copy.get_metadata_routing().fit.requests == {
                "groups": "subject",
                "sample_weight": True,
            }


def test_silent_loss_of_groups_warns(numbers):
    """Without metadata routing groups= goes to the splitter only."""
    X, y, school = numbers
    with pytest.warns(GroupsWarning, match="goes to the splitter only"):
        cross_val_score(MixedLinearRegressor(), X, y, groups=school, cv=GroupKFold(3))


def test_pipeline_without_routing(numbers):
    X, y, school = numbers
    model = make_pipeline(StandardScaler(), MixedLinearRegressor())
    model.fit(X, y, mixedlinearregressor__groups=school)
    assert r2_score(y, model.predict(X, groups=school)) > 0.6


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
    {
        "groups": "school",
        "covariance": "exchangeable",
        "method": "ml",
        "fit_intercept": False,
        "tol": 1e-7,
    },
    {"groups": np.int64(2), "max_iter": 50, "verbose": 0},
]


@pytest.mark.parametrize("parameters", PARAMETERS, ids=str)
class TestParameters:
    def test_read_and_write(self, parameters):
        model = MixedLinearRegressor().set_params(**parameters)
        for name, value in parameters.items():
            assert model.get_params()[name] is value
        assert set(model.get_params()) == set(MixedLinearRegressor._get_param_names())

    def test_clone(self, parameters):
        model = MixedLinearRegressor(**parameters)
        assert clone(model).get_params() == model.get_params()
        assert repr(clone(model)) == repr(model)

    def test_repr(self, parameters):
        text = repr(MixedLinearRegressor(**parameters))
        assert text.startswith("MixedLinearRegressor(")
        defaults = MixedLinearRegressor().get_params()
        assert all(name in text for name, value in parameters.items() if value != defaults[name])

    def test_fitted_estimator_is_an_ordinary_object(self, parameters, pupils):
        """It pickles, clones, shows itself and lists its attributes before and after fit."""
        table, y = pupils
        X = table[["age", "hours"]].assign(
            school=table["school"].str.removeprefix("school ").astype(int)
        )
        model = MixedLinearRegressor(**parameters)
        assert "coef_" not in dir(model) and model._repr_html_()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", GroupsWarning)
            warnings.simplefilter("ignore", SingularFitWarning)
            model.fit(X, y)
        assert "coef_" in dir(model) and "MixedLinearRegressor" in model._repr_html_()
        copy = pickle.loads(pickle.dumps(model))
        np.testing.assert_array_equal(copy.predict(X), model.predict(X))
        assert str(copy.summary()) == str(model.summary())
        pd.testing.assert_frame_equal(copy.random_effects_, model.random_effects_)
        assert not hasattr(clone(model), "coef_")


EFFECTS = ["factor", "level", "effect", "estimate", "std_error", "ci_low", "ci_high"]


def test_random_effects_is_a_parameter_and_a_table(pupils):
    X, y = pupils
    model = MixedLinearRegressor(random_effects="(1 + age | school)").fit(
        X.drop(columns="track"), y
    )
    table = model.random_effects_
    assert list(table.columns) == EFFECTS
    assert len(table) == 60
    assert model.get_params()["random_effects"] == "(1 + age | school)"
    assert clone(model).set_params(random_effects=None).get_params()["random_effects"] is None


def test_search_over_the_columns_of_the_groups(pupils):
    X, y = pupils
    grid = {"groups": ["school", ["school"]], "fit_intercept": [True, False]}
    search = GridSearchCV(MixedLinearRegressor(), grid, cv=3, error_score="raise").fit(
        X.drop(columns="track"), y
    )
    assert search.best_score_ > 0.5


def test_columns_and_coefficients(pupils):
    """The table is described as passed, with the group; coefficients belong to the others."""
    X, y = pupils
    model = MixedLinearRegressor("school").fit(X[["age", "school", "hours"]], y)
    assert list(model.feature_names_in_) == ["age", "school", "hours"]
    assert model.n_features_in_ == 3
    assert model.coef_.shape == (2,)
    assert list(model.results_.params.index) == ["Intercept", "age", "hours"]
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(X[["school", "age", "hours"]])


def test_fitted_attributes_are_numpy_and_plain(pupils):
    X, y = pupils
    model = MixedLinearRegressor("school").fit(X.drop(columns="track"), y)
    assert isinstance(model.coef_, np.ndarray) and isinstance(model.intercept_, float)
    assert isinstance(model.scale_, float) and isinstance(model.loglik_, float)
    assert isinstance(model.converged_, bool) and isinstance(model.n_iter_, int)
    assert [c.shape for c in model.covariances_] == [(1, 1)]
