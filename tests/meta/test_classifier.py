"""A classifier as the fixed part: logistic regression inside solves the equations of the offset."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils.estimator_checks import parametrize_with_checks

from skmixed import MixedLogisticClassifier
from skmixed.datasets import make_mixed_classification
from skmixed.diagnostics import explain
from skmixed.meta import MixedClassifier
from skmixed.meta._parts import offset_weights

pytestmark = pytest.mark.filterwarnings("ignore::skmixed.LaplaceWarning")

FREE = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000)


@parametrize_with_checks([MixedClassifier(LogisticRegression(), n_quadrature=1)])
@pytest.mark.filterwarnings("ignore::skmixed.SkmixedWarning")
def test_scikit_learn_checks(estimator, check):
    check(estimator)


def data(n_groups=60, rows_per_group=10, seed=0):
    X, y = make_mixed_classification(n_groups, rows_per_group, random_state=seed)
    return X, np.asarray(y)


def test_weights_give_the_score_and_the_curvature_of_the_offset():
    rng = np.random.default_rng(0)
    own, random = rng.normal(size=(2, 50))
    q, p = expit(own), expit(own + random)
    event, other = (offset_weights(np.full(50, y), own, random) for y in (1.0, 0.0))
    assert event * (1.0 - q) == pytest.approx(1.0 - p)
    assert other * (0.0 - q) == pytest.approx(0.0 - p)
    curvature = (p * event + (1.0 - p) * other) * q * (1.0 - q)
    assert curvature == pytest.approx(p * (1.0 - p))


@pytest.mark.smoke
@pytest.mark.parametrize("weighted", [False, True])
def test_logistic_regression_in_sample_solves_the_joint_equations(weighted):
    X, y = data()
    w = np.arange(len(X)) % 3 + 1.0 if weighted else np.ones(len(X))
    model = MixedClassifier(FREE, "group", cv=None, tol=1e-8, n_quadrature=1)
    model.fit(X, y, sample_weight=w)
    assert model.converged_
    f = model.classifier_.decision_function(X[["x0", "x1"]])
    b = model.random_effects_.set_index("level")["estimate"][X["group"]].to_numpy()
    left = w * (y - expit(f + b))
    assert X[["x0", "x1"]].to_numpy().T @ left == pytest.approx(np.zeros(2), abs=1e-4 * len(X))
    left = w * (y - expit(f + model.intercept_ + b))
    psi = model.covariances_[0][0, 0]
    assert np.bincount(X["group"], left) * psi == pytest.approx(
        model.random_effects_["estimate"].to_numpy(), abs=1e-5
    )
    shifted = MixedLogisticClassifier("group", offset="f", n_quadrature=1)
    shifted.fit(X[["group"]].assign(f=f), y, sample_weight=w)
    assert psi == pytest.approx(shifted.covariances_[0][0, 0], abs=1e-4)
    assert model.decision_function(X) == pytest.approx(f + model.intercept_ + b, abs=1e-4)


def test_groups_are_learned_and_new_ones_averaged_over():
    X, y = make_mixed_classification(80, 12, covariance=[[4.0]], random_state=0)
    known = np.arange(len(X)) % 12 < 9
    model = MixedClassifier(LogisticRegression(), "group", random_state=0).fit(X[known], y[known])
    plain = LogisticRegression().fit(X.loc[known, ["x0", "x1"]], y[known])
    with_groups = log_loss(y[~known], model.predict_proba(X[~known]))
    assert with_groups < log_loss(y[~known], plain.predict_proba(X.loc[~known, ["x0", "x1"]]))
    new = model.predict_proba(X.assign(group=-1))[:, 1]
    population = model.predict_proba(X, kind="population")[:, 1]
    assert np.all(np.abs(logit(new)) <= np.abs(logit(population)) + 1e-9)
    assert new == pytest.approx(model.predict_proba(X, kind="marginal")[:, 1])
    std = model.predict_proba(X.head(3), return_std=True)[1]
    assert np.all(std > 0)


def test_labels_searches_and_pipelines():
    X, y = data(30, 10, seed=1)
    labels = np.array(["no", "yes"])[y]
    search = GridSearchCV(
        MixedClassifier(DecisionTreeClassifier(), "group", tol=0.3, n_quadrature=1, random_state=0),
        {"classifier__max_depth": [1, 3]},
        cv=KFold(2, shuffle=True, random_state=0),
    )
    search.fit(X, labels)
    assert set(search.predict(X)) <= {"no", "yes"}
    assert list(search.best_estimator_.classes_) == ["no", "yes"]
    piped = make_pipeline(StandardScaler(), LogisticRegression())  # weights go to its last step
    model = MixedClassifier(piped, "group", n_quadrature=1, random_state=0).fit(X, labels)
    assert model.converged_
    with pytest.raises(ValueError, match="takes no sample_weight"):
        MixedClassifier(KNeighborsClassifier(), "group").fit(X, y)
    with pytest.raises(TypeError, match="with predict_proba"):
        MixedClassifier("tree", "group").fit(X, y)


def test_update_groups_solves_the_equations_of_the_modes():
    X, y = data(60, 10, seed=2)
    new = X["group"] >= 45
    model = MixedClassifier(LogisticRegression(), "group", n_quadrature=1, random_state=0)
    model.fit(X[~new], y[~new]).update_groups(X[new], y[new])
    f = model.decision_function(X[new], kind="population")
    b = model.random_effects_.set_index("level")["estimate"][X["group"][new]].to_numpy()
    left = (y[new] - expit(f + b)) * model.covariances_[0][0, 0]
    modes = np.bincount(X["group"][new] - 45, left)
    assert b[::10] == pytest.approx(modes, abs=1e-7)


def test_sentences_about_odds_have_no_limits():
    X, y = make_mixed_classification(random_state=0)
    model = MixedClassifier(LogisticRegression(), groups="group", cv=None).fit(X, y)
    words = " ".join(str(explain(model)).split())
    assert "are multiplied by" in words
    assert "nan" not in words
    assert "% interval" not in words.split("are multiplied by")[1].split(";")[0]
