"""The lines of the page, by section, with the way out where a tool does not pass."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from sklearn import (
    calibration,
    ensemble,
    feature_selection,
    inspection,
    metrics,
    multiclass,
    multioutput,
)
from sklearn import model_selection as ms
from sklearn.compose import TransformedTargetRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skmixed.metrics import conditional_scorer
from skmixed.model_selection import KnownGroupsKFold
from skmixed.preprocessing import WithinBetween

from .preparation import kept
from .styles import NUMBERS
from .tools import (
    CV,
    after_encoding,
    asking,
    by_group,
    chained,
    class_scores,
    classes,
    combined,
    drawn,
    fitted,
    grid,
    halving,
    held_out,
    importance,
    inspected,
    learning,
    learning_display,
    nested,
    numbers,
    own_groups,
    permuted,
    prediction_error,
    random,
    response,
    scored,
    scores,
    searched,
    select_and_fit,
    several,
    three_classes,
    transformed,
    two_labels,
    two_numbers,
    validation,
)

COLUMN = 'Name a column: `groups="id"`.'
POSITION = "A position: X becomes an array without names."
NUMERIC = "A position, and labels that are numbers: X becomes an array of numbers."
ROUTING = "Labels beside X, with routing."
BEST = "Ask the model: `search.best_estimator_.predict(X, groups=g)`, or name a column."
SCORER = '`scoring=conditional_scorer("r2")`, or name a column.'


class Tool(NamedTuple):
    """A line of the page.

    Attributes
    ----------
    name : as it is shown
    run : what is done, given a style
    way_out : what to do where it does not pass
    position : whether a position is worth trying; where columns leave, it means another column
    """

    name: str
    run: Callable
    way_out: str = COLUMN
    position: bool = True


SECTIONS: dict[str, list[Tool]] = {
    "The estimator, and pipelines": [
        Tool("`fit`, `predict`", numbers(lambda m: m)),
        Tool("`score`", scored(lambda m: m)),
        Tool("`predict_proba`", classes(lambda m: m)),
        Tool("`Pipeline`, `predict`", numbers(lambda m: make_pipeline(kept(m), m))),
        Tool("`Pipeline`, `score`", scored(lambda m: make_pipeline(kept(m), m))),
        Tool("`Pipeline`, `predict_proba`", classes(lambda m: make_pipeline(kept(m), m))),
        Tool("`Pipeline`, `predict_log_proba`", response("predict_log_proba")),
        Tool("`Pipeline`, `decision_function`", response("decision_function")),
        Tool("`Pipeline` with `MixedEffectsEncoder` of another column", numbers(after_encoding)),
        Tool(
            "`Pipeline` with `WithinBetween`",
            lambda s: s.of_numbers(make_pipeline(WithinBetween(s.groups, "x0"), s.regressor())),
            "It needs the groups in a column too.",
        ),
        Tool(
            "`TransformedTargetRegressor`, `predict`",
            numbers(lambda m: TransformedTargetRegressor(m, transformer=StandardScaler())),
        ),
        Tool(
            "`TransformedTargetRegressor`, `score`",
            scored(lambda m: TransformedTargetRegressor(m, transformer=StandardScaler())),
            '`conditional_scorer("r2")(model, X, y, groups=g)`, or name a column.',
        ),
    ],
    "Cross-validation": [
        Tool("`cross_val_score`", scores()),
        Tool('`cross_val_score(scoring="r2")`', scores("r2"), SCORER),
        Tool(
            '`cross_val_score(scoring=conditional_scorer("r2"))`', scores(conditional_scorer("r2"))
        ),
        Tool(
            '`cross_val_score(scoring="roc_auc")`',
            class_scores("roc_auc"),
            '`scoring=conditional_scorer("roc_auc")`, or name a column.',
        ),
        Tool(
            '`cross_val_score(scoring=conditional_scorer("roc_auc"))`',
            class_scores(conditional_scorer("roc_auc")),
        ),
        Tool("`cross_validate`, a dictionary of `conditional_scorer`", several),
        Tool("`cross_validate` of `GridSearchCV`", nested),
        Tool(
            "`cross_val_predict`",
            held_out,
            "Name a column, or write the loop: it does not route to `predict`.",
        ),
        Tool("`learning_curve`", learning),
        Tool("`validation_curve`", validation),
        Tool("`permutation_test_score`", permuted),
        Tool("`cross_val_score(n_jobs=2)`", scores(n_jobs=2)),
        Tool("`cross_val_score`, other groups for the splitter", own_groups),
        Tool(
            "`cross_val_score(scoring=make_scorer(r2_score).set_score_request(groups=True))`",
            lambda s: scores(asking(s))(s),
            SCORER,
        ),
        Tool(
            "`LearningCurveDisplay.from_estimator`",
            learning_display,
            '`learning_curve(params={"groups": g})` and `LearningCurveDisplay(...).plot()`, or name a column.',
        ),
    ],
    "Searches": [
        Tool("`GridSearchCV.fit`", searched(fitted(grid))),
        Tool("`GridSearchCV.fit`, `GroupKFold`", by_group),
        Tool(
            "`GridSearchCV.fit`, `KnownGroupsKFold`",
            searched(
                fitted(lambda s: grid(s, KnownGroupsKFold(3, groups=s.groups, random_state=0)))
            ),
        ),
        Tool(
            '`GridSearchCV(scoring="r2")`',
            searched(fitted(lambda s: grid(s, scoring="r2"))),
            SCORER,
        ),
        Tool(
            "`GridSearchCV.score`",
            lambda s: (fitted(grid)(s).score(s.X, s.y, **s.passing), NUMBERS),
        ),
        Tool("`GridSearchCV.predict`", lambda s: s.of_numbers(grid(s)), BEST),
        Tool("`RandomizedSearchCV.fit`", searched(fitted(random))),
        Tool("`HalvingGridSearchCV.fit`", searched(fitted(halving))),
    ],
    "Ensembles and wrappers of regressors": [
        Tool("`VotingRegressor`", numbers(combined(ensemble.VotingRegressor, ""))),
        Tool("`StackingRegressor`", numbers(combined(ensemble.StackingRegressor, ""))),
        Tool(
            "`BaggingRegressor`",
            numbers(lambda m: ensemble.BaggingRegressor(m, 3, random_state=0)),
            POSITION,
        ),
        Tool(
            "`AdaBoostRegressor`",
            numbers(lambda m: ensemble.AdaBoostRegressor(m, n_estimators=2, random_state=0)),
            POSITION,
        ),
        Tool("`MultiOutputRegressor`", two_numbers(multioutput.MultiOutputRegressor)),
        Tool(
            "`RegressorChain`", two_numbers(chained), NUMERIC + " Count from the front: it grows."
        ),
    ],
    "Ensembles and wrappers of classifiers": [
        Tool(
            '`VotingClassifier(voting="soft")`',
            classes(combined(ensemble.VotingClassifier, "soft")),
        ),
        Tool("`StackingClassifier`", classes(combined(ensemble.StackingClassifier, ""))),
        Tool(
            "`BaggingClassifier`",
            classes(lambda m: ensemble.BaggingClassifier(m, 3, random_state=0)),
            POSITION,
        ),
        Tool(
            "`AdaBoostClassifier`",
            classes(lambda m: ensemble.AdaBoostClassifier(m, n_estimators=2, random_state=0)),
            POSITION,
        ),
        Tool(
            "`CalibratedClassifierCV`",
            classes(lambda m: calibration.CalibratedClassifierCV(m, cv=3)),
        ),
        Tool(
            "`TunedThresholdClassifierCV`",
            classes(lambda m: ms.TunedThresholdClassifierCV(m, cv=3)),
        ),
        Tool("`FixedThresholdClassifier`", classes(ms.FixedThresholdClassifier)),
        Tool("`MultiOutputClassifier`", two_labels(multioutput.MultiOutputClassifier)),
        Tool("`OneVsRestClassifier`", three_classes(multiclass.OneVsRestClassifier)),
        Tool("`OneVsOneClassifier`", three_classes(multiclass.OneVsOneClassifier), NUMERIC),
    ],
    "Selection of columns": [
        Tool(
            "`RFE`",
            numbers(lambda m: feature_selection.RFE(m, n_features_to_select=1)),
            ROUTING,
            False,
        ),
        Tool(
            "`RFECV`",
            transformed(lambda m: feature_selection.RFECV(m, cv=CV)),
            "`RFE` with labels beside X, its number of columns chosen by a search.",
            False,
        ),
        Tool(
            "`SelectFromModel`",
            transformed(lambda m: feature_selection.SelectFromModel(m, threshold=0.1)),
            ROUTING,
            False,
        ),
        Tool(
            "`SequentialFeatureSelector`",
            transformed(
                lambda m: feature_selection.SequentialFeatureSelector(
                    m, n_features_to_select=1, cv=CV
                )
            ),
            ROUTING,
            False,
        ),
        Tool("`SelectFromModel` and the model in a pipeline", select_and_fit, ROUTING, False),
        Tool(
            "`SelectKBest` for the numbers, before the model",
            numbers(
                lambda m: make_pipeline(
                    kept(m, feature_selection.SelectKBest(feature_selection.f_regression, k=1)), m
                )
            ),
        ),
    ],
    "Inspection and displays": [
        Tool(
            "`permutation_importance`",
            importance,
            "Name a column; or `scoring=lambda m, X, y: m.score(X, y, groups=g)`: rows keep their order.",
        ),
        Tool("`partial_dependence`", inspected(inspection.partial_dependence, features=["x0"])),
        Tool(
            "`PartialDependenceDisplay.from_estimator`",
            inspected(inspection.PartialDependenceDisplay.from_estimator, features=["x0"]),
        ),
        Tool(
            "`PredictionErrorDisplay.from_estimator`",
            prediction_error,
            "`PredictionErrorDisplay.from_predictions(y, m.predict(X, groups=g))`, or name a column.",
        ),
        Tool(
            "`RocCurveDisplay.from_estimator`",
            drawn(metrics.RocCurveDisplay),
            "`RocCurveDisplay.from_predictions`, or name a column.",
        ),
        Tool(
            "`CalibrationDisplay.from_estimator`",
            drawn(calibration.CalibrationDisplay),
            "`CalibrationDisplay.from_predictions`, or name a column.",
        ),
    ],
}
