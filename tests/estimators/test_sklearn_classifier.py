"""What scikit-learn has for classifiers only: other scores, calibration, thresholds, votes, several classes."""

from __future__ import annotations

import numpy as np
import pytest
import sklearn
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import StackingClassifier, VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import RocCurveDisplay, balanced_accuracy_score, log_loss, roc_auc_score
from sklearn.model_selection import TunedThresholdClassifierCV, cross_val_score
from sklearn.multiclass import OneVsRestClassifier

from skmixed import MixedLogisticClassifier
from tests.helpers import pipelines, rows
from tests.helpers.pipelines import SLOPES, preprocessing

KNOWN_GROUPS = pipelines.KNOWN_GROUPS[MixedLogisticClassifier]
GAP = 0.1  # of the log-loss, which is about 0.6 without groups
# twenty rows of a school: seven quadrature points put the log-likelihood about one higher than Laplace
pytestmark = pytest.mark.filterwarnings("ignore::skmixed.LaplaceWarning")


def pipeline(terms=SLOPES):
    return pipelines.pipeline(MixedLogisticClassifier, terms)


def plain():
    """Logistic regression on the other columns."""
    return pipelines.plain(MixedLogisticClassifier)


def loss(model, X, y):
    return -pipelines.skill(model, X, y)


@pytest.fixture(scope="module")
def pupils():
    return rows.pupils(MixedLogisticClassifier)


@pytest.fixture(scope="module")
def halves(pupils):
    """Rows to fit on and rows to judge by, with the same schools in both."""
    X, y = pupils
    train = np.arange(len(X)) % 3 < 2
    return X[train], y[train], X[~train], y[~train]


@pytest.mark.parametrize("scoring", ["roc_auc", "accuracy", "average_precision"])
def test_other_scores(pupils, scoring):
    """Ranks and labels use the groups as well."""
    X, y = pupils
    options = {"cv": KNOWN_GROUPS, "scoring": scoring, "error_score": "raise"}
    y = (y == "pass").astype(int)
    assert np.all(
        cross_val_score(pipeline(), X, y, **options)
        > cross_val_score(plain(), X, y, **options) + 0.08
    )


@pytest.mark.parametrize("method", ["sigmoid", "isotonic", "temperature"])
@pytest.mark.parametrize("ensemble", [True, False])
def test_calibration(halves, method, ensemble):
    X, y, new, outcome = halves
    if method == "temperature" and tuple(map(int, sklearn.__version__.split(".")[:2])) < (1, 8):
        pytest.skip("temperature scaling came with scikit-learn 1.8")
    model = CalibratedClassifierCV(pipeline(), method=method, cv=KNOWN_GROUPS, ensemble=ensemble)
    model.fit(X, y.to_numpy())  # temperature scaling looks for a row labelled 0 in a Series
    assert loss(model, new, outcome) < loss(plain().fit(X, y), new, outcome) - GAP


def test_tuned_threshold(halves):
    X, y, new, outcome = halves
    model = TunedThresholdClassifierCV(
        pipeline(), scoring="balanced_accuracy", cv=KNOWN_GROUPS
    ).fit(X, y)
    without = TunedThresholdClassifierCV(plain(), scoring="balanced_accuracy", cv=KNOWN_GROUPS).fit(
        X, y
    )
    found = balanced_accuracy_score(outcome, model.predict(new))
    assert found > balanced_accuracy_score(outcome, without.predict(new)) + 0.08
    assert loss(model, new, outcome) < loss(without, new, outcome) - GAP


@pytest.mark.parametrize("method", ["predict_proba", "decision_function", "predict"])
def test_stacking(halves, method):
    X, y, new, outcome = halves
    model = StackingClassifier(
        [("mixed", pipeline()), ("plain", plain())],
        LogisticRegression(),
        cv=KNOWN_GROUPS,
        stack_method=method,
    ).fit(X, y)
    assert loss(model, new, outcome) < loss(plain().fit(X, y), new, outcome) - GAP / 2


def test_voting(halves):
    X, y, new, outcome = halves
    members = [("mixed", pipeline()), ("intercepts", pipeline(None))]
    without = plain().fit(X, y)
    soft = VotingClassifier(members, voting="soft").fit(X, y)
    assert loss(soft, new, outcome) < loss(without, new, outcome) - GAP
    hard = VotingClassifier([*members, ("plain", plain())], voting="hard").fit(X, y)
    assert hard.score(new, outcome) > without.score(new, outcome) + 0.05


def test_several_classes_one_against_the_rest(pupils):
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


def test_roc_curve(halves):
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    X, y, new, outcome = halves
    model, without = pipeline().fit(X, y), plain().fit(X, y)
    shown = RocCurveDisplay.from_estimator(model, new, outcome, pos_label="pass", name="mixed")
    assert shown.roc_auc == pytest.approx(
        roc_auc_score(outcome == "pass", model.decision_function(new))
    )
    assert shown.roc_auc > roc_auc_score(outcome == "pass", without.decision_function(new)) + 0.08
    matplotlib.pyplot.close(shown.figure_)
