"""The tools: each is given a style, and says how good predictions were and how good they have to be.

None instead of the pair: there is nothing to measure, and what counts is that it runs without an
error and without a warning that groups are lost.
"""

from __future__ import annotations

import numpy as np
import sklearn
from sklearn import (
    feature_selection,
    inspection,
    metrics,
    multioutput,
)
from sklearn import model_selection as ms
from sklearn.compose import make_column_transformer
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.metrics import r2_score, roc_auc_score
from sklearn.pipeline import make_pipeline

from skmixed.metrics import conditional_scorer
from skmixed.preprocessing import MixedEffectsEncoder

from .preparation import NAMES, kept
from .styles import CLASSES, NUMBERS

CV = ms.KFold(3, shuffle=True, random_state=0)
GRID = {"tol": [1e-7, 1e-9]}


def of_scores(scores):
    return float(np.mean(scores)), NUMBERS


def searched(search):
    """The best score of a search that is fitted."""
    return lambda s: (search(s).best_score_, NUMBERS)


def fitted(search):
    return lambda s: search(s).fit(s.X, s.y, **s.passing)


def grid(s, cv=CV, scoring=None):
    return ms.GridSearchCV(s.regressor(), GRID, cv=cv, scoring=scoring, error_score="raise")


def random(s):
    return ms.RandomizedSearchCV(
        s.regressor(), GRID, n_iter=2, cv=CV, random_state=0, error_score="raise"
    )


def halving(s):
    return ms.HalvingGridSearchCV(s.regressor(), GRID, cv=CV, random_state=0, error_score="raise")


def by_group(s):
    """The groups for the splitter; in the column style they are passed to it only."""
    cv = ms.GroupKFold(3)
    grid(s, cv).fit(s.X, s.y, groups=s.labels)


def scores(scoring=None, cv=CV, n_jobs=None):
    def run(s):
        found = ms.cross_val_score(
            s.regressor(),
            s.X,
            s.y,
            cv=cv,
            scoring=scoring,
            params=s.params,
            n_jobs=n_jobs,
            error_score="raise",
        )
        return of_scores(found)

    return run


def asking(s):
    """A scorer that asks for groups, and hands them to the metric."""
    scorer = metrics.make_scorer(r2_score)
    return scorer.set_score_request(groups=True) if s.passed else scorer


def class_scores(scoring):
    def run(s):
        found = ms.cross_val_score(
            s.classifier(), s.X, s.two, cv=CV, scoring=scoring, params=s.params, error_score="raise"
        )
        return float(np.mean(found)), CLASSES

    return run


def nested(s):
    found = ms.cross_validate(grid(s), s.X, s.y, cv=CV, params=s.params, error_score="raise")
    return of_scores(found["test_score"])


def several(s):
    scoring = {name: conditional_scorer(name) for name in ("r2", "neg_mean_absolute_error")}
    found = ms.cross_validate(
        s.regressor(), s.X, s.y, cv=CV, params=s.params, scoring=scoring, error_score="raise"
    )
    return of_scores(found["test_r2"])


def held_out(s):
    return r2_score(
        s.y, ms.cross_val_predict(s.regressor(), s.X, s.y, cv=CV, params=s.params)
    ), NUMBERS


def learning(s):
    options = {"cv": CV, "params": s.params, "train_sizes": [0.5, 1.0], "error_score": "raise"}
    return of_scores(ms.learning_curve(s.regressor(), s.X, s.y, **options)[2])


def validation(s):
    options = {"cv": CV, "params": s.params, "error_score": "raise"}
    name, values = next(iter(GRID.items()))
    found = ms.validation_curve(
        s.regressor(), s.X, s.y, param_name=name, param_range=values, **options
    )
    return of_scores(found[1])


def permuted(s):
    found = ms.permutation_test_score(
        s.regressor(), s.X, s.y, cv=CV, n_permutations=2, params=s.params, random_state=0
    )
    return of_scores(found[0])


def numbers(make):
    return lambda s: s.of_numbers(make(s.regressor()))


def classes(make):
    return lambda s: s.of_classes(make(s.classifier()))


def scored(make):
    def run(s):
        model = make(s.regressor()).fit(s.X, s.y, **s.passing)
        return model.score(s.X, s.y, **s.passing), NUMBERS

    return run


def response(method):
    """What a classifier in a pipeline says by one of its methods."""

    def run(s):
        model = make_pipeline(kept(None), s.classifier()).fit(s.X, s.two, **s.passing)
        found = getattr(model, method)(s.X, **s.passing)
        found = found[:, 1] if found.ndim == 2 else found
        return roc_auc_score(s.two == "yes", found), CLASSES

    return run


def own_groups(s):
    """Labels of towns for the splitter, and of groups for the model."""
    towns = np.arange(len(s.y)) % 7
    model = s.regressor()
    params = {"town": towns}
    if s.passed:
        model.set_fit_request(groups="unit").set_score_request(groups="unit")
        params["unit"] = s.labels
    with sklearn.config_context(enable_metadata_routing=True):
        cv = ms.GroupKFold(3).set_split_request(groups="town")
        found = ms.cross_val_score(model, s.X, s.y, cv=cv, params=params, error_score="raise")
    return of_scores(found)


def two_labels(make):
    def run(s):
        y = np.column_stack([s.two, s.three > 0])
        model = make(s.classifier()).fit(s.X, y, **s.passing)
        return float(np.mean(model.predict(s.X, **s.passing) == y)), 0.75

    return run


def select_and_fit(s):
    """The columns that a model finds important, for another model."""
    selected = feature_selection.SelectFromModel(s.regressor(), threshold=0.1)
    s.of_numbers(make_pipeline(selected, s.regressor()))


def two_numbers(make):
    def run(s):
        y = np.column_stack([s.y, 1.0 - s.y])
        model = make(s.regressor()).fit(s.X, y, **s.passing)
        return r2_score(y, model.predict(s.X, **s.passing)), NUMBERS

    return run


def three_classes(make):
    def run(s):
        model = make(s.classifier()).fit(s.X, s.three, **s.passing)
        return float(np.mean(model.predict(s.X, **s.passing) == s.three)), 0.75

    return run


def transformed(make):
    def run(s):
        make(s.regressor()).fit(s.X, s.y, **s.passing).transform(s.X)

    return run


def inspected(function, **options):
    """Tools that are given a fitted model: nothing passes groups there."""

    def run(s):
        model = s.regressor().fit(s.X, s.y, **s.passing)
        function(model, s.X, **options)

    return run


def importance(s):
    model = s.regressor().fit(s.X, s.y, **s.passing)
    inspection.permutation_importance(model, s.X, s.y, n_repeats=2, random_state=0)


def prediction_error(s):
    model = s.regressor().fit(s.X, s.y, **s.passing)
    metrics.PredictionErrorDisplay.from_estimator(model, s.X, s.y)


def drawn(display):
    def run(s):
        model = s.classifier().fit(s.X, s.two, **s.passing)
        display.from_estimator(model, s.X, s.two)

    return run


def learning_display(s):
    ms.LearningCurveDisplay.from_estimator(s.regressor(), s.X, s.y, cv=CV, train_sizes=[0.5, 1.0])


def after_encoding(model):
    encoder = MixedEffectsEncoder(random_state=0)
    step = make_column_transformer((encoder, ["x1"]), remainder="passthrough", **NAMES)
    return make_pipeline(step.set_output(transform="pandas"), model)


def chained(model):
    """A chain adds columns at the end of X."""
    return multioutput.RegressorChain(model.set_params(groups=2) if model.groups == -1 else model)


def combined(kind, name):
    return lambda model: kind([("mixed", model)], **({"voting": "soft"} if name == "soft" else {}))
