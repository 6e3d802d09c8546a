"""Pipelines for the pupils of `tests.helpers.rows`, and how good their predictions are."""

from __future__ import annotations

from sklearn.compose import make_column_transformer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import log_loss, r2_score
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skmixed import MixedLinearRegressor, MixedLogisticClassifier
from tests.helpers.kinds import answer

SLOPES = "(1 + age | school)"
#: folds in which every school is seen
KNOWN_GROUPS = {
    MixedLinearRegressor: KFold(5, shuffle=True, random_state=0),
    MixedLogisticClassifier: StratifiedKFold(3, shuffle=True, random_state=0),
}
SCORING = {MixedLinearRegressor: "r2", MixedLogisticClassifier: "neg_log_loss"}


def preprocessing(remainder="passthrough", **options):
    return make_column_transformer(
        (StandardScaler(), ["age", "hours"]),
        (OneHotEncoder(drop="first", sparse_output=False), ["track"]),
        remainder=remainder,
        **{"verbose_feature_names_out": False, **options},
    ).set_output(transform="pandas")


def pipeline(kind, terms=SLOPES, **options):
    return make_pipeline(preprocessing(), kind("school", terms, **options))


def plain(kind):
    """Ordinary or logistic regression on the other columns."""
    model = LinearRegression() if kind is MixedLinearRegressor else LogisticRegression()
    return make_pipeline(preprocessing("drop"), model)


def skill(model, X, y, **options):
    """R² of held-out rows, or minus their log-loss."""
    found = answer(model, X, **options)
    if found.ndim == 1:
        return r2_score(y, found)
    return -log_loss(y, found, labels=model.classes_)


def skill_of(what):
    """The same of a pipeline for another kind of prediction."""
    return lambda model, X, y: skill(model[-1], model[:-1].transform(X), y, kind=what)
